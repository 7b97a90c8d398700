"""What averaging promises, proven on the user's own machine: the rest of what `epochal doctor` runs."""

from torch import Tensor, nn

from epochal.ensembles.averaging import EMA
from epochal.losses.classification import cross_entropy
from epochal.optim.optimizer import build
from epochal.training.loop import Update, train
from epochal.training.pace import FixedSteps
from epochal.training.reference import MemoryLoader, small_data, small_network
from epochal.training.runtime import Runtime
from epochal.training.selftest import ROUNDING, Promise


def averaging() -> float:
    """The average kept during training against its formula summed up from all weights: largest difference.

    `a_n = d^n w_0 + (1 - d) sum_k d^(n - k) w_k`.

    >>> averaging() <= ROUNDING
    True
    """
    model, decay = small_network(), 0.8
    ema = EMA(model, decay=decay, warmup=False)
    path = [_weights(model)]
    update = Update(loss=cross_entropy, optimizer=build(model, lr=0.1), after_update=(ema,))
    loader = MemoryLoader(*small_data(), batch_size=8)
    steps = train(model, loader, update=update, runtime=Runtime(), pace=FixedSteps(6))
    path.extend(_weights(model) for _ in steps)
    last = len(path) - 1
    shares = [decay**last, *((1 - decay) * decay ** (last - k) for k in range(1, len(path)))]
    expected = {
        name: sum(share * weights[name] for share, weights in zip(shares, path, strict=True)) for name in path[0]
    }
    return max(float((ema.shadow[name].double() - value).abs().max()) for name, value in expected.items())


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().double().clone() for name, value in model.named_parameters()}


PROMISES: tuple[Promise, ...] = (
    Promise(name="averaged weights equal their formula", measure=averaging, allowed=ROUNDING),
)
