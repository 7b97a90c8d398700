"""Between the outputs of a regression network and the values they stand for, in torch: the loss and the decoder."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.losses.circular import on_chord
from epochal.losses.regression import huber, smooth_l1, squared_error
from epochal.models.head import ScaledLinear, find
from epochal.tasks.value import Value

# Errors below it are squared, in standard deviations, or in radii on a circle: benchmarks/regression/needle.md.
BETA = 0.1

_LOSSES: Mapping[str, Callable[..., Callable[[Tensor, Tensor], Tensor]]] = {
    "smooth-l1": lambda beta: partial(smooth_l1, beta=beta),
    "huber": lambda beta: partial(huber, delta=beta),
    "squared": lambda _beta: squared_error,
    "absolute": lambda _beta: partial(smooth_l1, beta=0.0),
}


def value_loss(
    values: Sequence[Value], *, name: str = "smooth-l1", beta: float = BETA
) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of a row of values: outputs (n, o) and labels (n, k) in, one number per sample out.

    Mean over the columns of a loss of what is missing: of the standardised value on a line, of the straight way
    between two places on a circle. `absolute` is the metric itself, `squared` weighs the far off most.

    Units: standard deviations (or radii), or their squares.  Raises: SettingError for another name.

    >>> import numpy as np
    >>> loss = value_loss([Value.of("age", np.array([10.0, 30.0]))], name="squared")
    >>> loss(torch.tensor([[0.0]]), torch.tensor([[40.0]]))
    tensor([4.])
    """
    if name not in _LOSSES:
        raise SettingError(f"The loss is {name!r}.", expected=f"one of {', '.join(_LOSSES)}.", remedy="smooth-l1.")
    one = _LOSSES[name](beta)
    straight = [place for place, value in enumerate(values) if value.circle is None]
    means, deviations = [values[k].mean for k in straight], [values[k].deviation for k in straight]
    first = _first_outputs(values)

    def loss(outputs: Float[Tensor, "n o"], labels: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        total = outputs.new_zeros(len(outputs))
        if straight:
            wanted = (labels[:, straight] - labels.new_tensor(means)) / labels.new_tensor(deviations)
            total = total + one(outputs[:, [first[k] for k in straight]], wanted).sum(1)
        for k, value in enumerate(values):
            if value.circle is not None:
                angle = labels[:, k] * (2 * math.pi / value.circle.period)
                wanted = torch.stack([angle.cos(), angle.sin()], 1)
                total = total + on_chord(outputs[:, first[k] : first[k] + 2], wanted, loss=one)
        return total / len(values)

    return loss


def constant_loss(values: Sequence[Value], *, name: str = "smooth-l1", beta: float = BETA) -> float:
    """The mean loss of the constant answer on the training labels, from the sketch that each column keeps of them.

    >>> import numpy as np
    >>> constant_loss([Value.of("age", np.array([10.0, 30.0]))], name="squared")
    1.0
    """
    total = 0.0
    for value in values:
        places = torch.tensor(value.places, dtype=torch.float64)[:, None]
        weights = torch.tensor(value.counts, dtype=torch.float64)
        said = torch.from_numpy(value.constant).expand(len(places), -1)
        found = value_loss([value], name=name, beta=beta)(said, places)
        total += float((found * weights).sum() / weights.sum())
    return total / len(values)


@torch.no_grad()
def begin_(model: nn.Module, constant: Float[Tensor, " o"]) -> None:
    """Begin the last layer at these outputs whatever it is given, in place (tip K2.5).

    The factor of a `ScaledLinear` head is taken into account.

    Raises: SettingError where the layer does not have one bias per output.

    >>> layer = nn.Linear(2, 1)
    >>> begin_(layer, torch.tensor([3.0]))
    >>> layer(torch.ones(1, 2)).item()
    3.0
    """
    layer = find(model)
    if layer.bias is None or layer.bias.numel() != len(constant):
        size = "no bias" if layer.bias is None else f"{layer.bias.numel()} outputs"
        raise SettingError(
            f"The last layer has {size}, the values need {len(constant)}.",
            expected="a bias for each output: one per value, two on a circle.",
            remedy="build the network for `task.outputs`.",
        )
    factor = layer.factor if isinstance(layer, ScaledLinear) else 1.0
    layer.bias.copy_(constant / factor)
    layer.weight.zero_()


class Decoder(nn.Module):
    """From outputs to values in the units of the labels, as the last step of a model that is handed on.

    `mean + deviation · z` on a line, `atan2(sin, cos) · period / 2π` on a circle, from its origin to just below one
    period more. Computed in float32 or wider. Exports to ONNX.

    Shapes: (n, o) to (n, k).

    >>> import numpy as np
    >>> from epochal.stats.circular import Circle
    >>> dial = Value.of("dial", np.array([0.0, 9.9]), circle=Circle(period=10.0))
    >>> Decoder([dial, Value.of("age", np.array([10.0, 30.0]))])(torch.tensor([[0.0, -1.0, 2.0]]))
    tensor([[ 7.5000, 40.0000]])
    """

    mean: Tensor
    deviation: Tensor
    period: Tensor
    origin: Tensor
    circular: Tensor
    first: Tensor
    second: Tensor

    def __init__(self, values: Sequence[Value]) -> None:
        """Keep the figures of each column as buffers; columns on a line get a circle that is not used."""
        super().__init__()
        circles = [value.circle for value in values]
        first = torch.tensor(_first_outputs(values))
        self.any_circular = any(circle is not None for circle in circles)
        self.register_buffer("first", first)
        self.register_buffer("second", first + torch.tensor([int(circle is not None) for circle in circles]))
        self.register_buffer("circular", torch.tensor([circle is not None for circle in circles]))
        for name, column in {
            "mean": [value.mean for value in values],
            "deviation": [value.deviation for value in values],
            "period": [1.0 if circle is None else circle.period for circle in circles],
            "origin": [0.0 if circle is None else circle.origin for circle in circles],
        }.items():
            self.register_buffer(name, torch.tensor(column, dtype=torch.float32))

    def forward(self, outputs: Float[Tensor, "n o"]) -> Float[Tensor, "n k"]:
        """Give the values."""
        wide = outputs if outputs.dtype == torch.float64 else outputs.float()
        x = wide.index_select(1, self.first)
        straight = self.mean + self.deviation * x
        if not self.any_circular:
            return straight
        y = wide.index_select(1, self.second)
        ahead = torch.atan2(y, x) * (self.period / (2 * math.pi)) - self.origin
        place = ahead - self.period * torch.floor(ahead / self.period) + self.origin
        # a rounding step below the origin rounds to the far end, which is the origin
        around = torch.where(place >= self.origin + self.period, self.origin, place)
        return torch.where(self.circular, around, straight)


def _first_outputs(values: Sequence[Value]) -> list[int]:
    """Where the outputs of each column begin."""
    starts, place = [], 0
    for value in values:
        starts.append(place)
        place += value.outputs
    return starts
