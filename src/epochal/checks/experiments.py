"""Experiments on the program before its first step: its first loss, what depends on what, whether it repeats.

They measure and leave no trace; the rules in `epochal.checks.initial_state` judge what they measured.
"""

from collections.abc import Callable, Mapping, Sequence
from math import log, sqrt

import torch
from torch import Tensor, nn

from epochal.checks.initial_state import Dependence, InitialLoss, Repeat
from epochal.checks.isolation import same_dice, untouched

Loss = Callable[[Tensor, Tensor], Tensor]


def initial_loss(
    model: nn.Module, images: Tensor, *, labels: Tensor, loss: Loss, prior: Sequence[float], smoothing: float = 0.0
) -> InitialLoss:
    """Measure the first loss of `model` on a batch, in training mode, as the first step will see it (tips K2.4, K2.5).

    `loss` may give one value per sample, or their mean or sum.  The larger the batch the sharper the verdict.
    Shapes: images (n, ...) as the network gets them, labels (n,); prior has one positive share per class.

    >>> flat = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> for p in flat.parameters(): _ = nn.init.zeros_(p)
    >>> labels = torch.arange(8) % 2
    >>> even = initial_loss(flat, torch.randn(8, 4), labels=labels, loss=nn.CrossEntropyLoss(), prior=[0.5, 0.5])
    >>> round(even.measured, 4), round(even.expected, 4)
    (0.6931, 0.6931)
    """
    with untouched(model), torch.no_grad():
        logits = model.train()(images).float()
        given = loss(logits, labels).double()
    n, classes = logits.shape
    logits, labels = logits.double().cpu(), labels.cpu()
    own = nn.functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
    shares = torch.tensor(prior, dtype=torch.float64).clamp_min(1e-12)
    target = (1 - smoothing) * shares + smoothing / classes
    said = logits.log_softmax(1)
    average = torch.logsumexp(said, 0) - log(n)
    fair = -(said @ target)  # what each image costs if its label is drawn from the class shares
    return InitialLoss(
        samples=n,
        measured=float(given.mean()),
        label_luck=float((own - fair).mean()),
        standard_error=float(fair.std()) / sqrt(n) if n > 1 else 0.0,
        expected=float(-(target * shares.log()).sum()),
        even=log(classes),
        misfit=float((shares * (shares.log() - average)).sum()),
        logit_spread=float(logits.std(1, unbiased=False).square().mean().sqrt()),
        summed=given.ndim == 0 and n > 1 and abs(float(given) - float(own.sum())) < 0.01 * abs(float(own.sum())),
    )


def dependence(model: nn.Module, images: Tensor, *, asked: Sequence[int] = (0, 1)) -> Dependence:
    """Measure which inputs reach the output of single samples, by backpropagation from each alone (tip K2.12).

    In evaluation mode, for batch normalisation mixes samples by design while training.  Eight samples are enough.
    Shapes: images (n, ...).

    >>> dependence(nn.Linear(3, 2), torch.randn(4, 3), asked=[2]).reach[0][0]
    0.0
    """
    with untouched(model):
        model.eval().requires_grad_(requires_grad=False)  # only the way to the inputs is asked for
        _stir(model)
        inputs = images.detach().clone().requires_grad_()
        out = model(inputs)
        out = out.reshape(len(images), -1)
        # Fixed weights that do not cancel: the plain sum of a softmax is 1 whatever the input.
        weights = torch.cos(torch.arange(out.shape[1], device=out.device) + 1.0).to(out.dtype)
        reach = tuple(_reach(out[sample] @ weights, inputs) for sample in asked)
    return Dependence(asked=tuple(asked), reach=reach)


@torch.no_grad()
def _stir(model: nn.Module) -> None:
    """Give weight matrices that begin at zero, as heads may, small values: they leave zero with the first step."""
    for parameter in model.parameters():
        if parameter.ndim > 1 and not parameter.any():
            parameter.normal_(std=0.02)


def _reach(output: Tensor, inputs: Tensor) -> tuple[float, ...]:
    if not output.requires_grad:  # detached on the way
        return (0.0,) * len(inputs)
    (gradient,) = torch.autograd.grad(output, inputs, retain_graph=True, materialize_grads=True)
    return tuple(gradient.detach().abs().flatten(1).amax(1).tolist())


def repeat(run: Callable[[], Mapping[str, Tensor]], *, start: Callable[[str], bool] = lambda _: False) -> Repeat:
    """Run the program twice and compare all that it returns, bit by bit (tip K2.1).

    `run` seeds, builds, loads, trains a few steps, and returns what it made by name: losses, weights.  Names for which
    `start` is true were taken before the first step, and tell whether the start or a later step went apart.

    >>> def run():
    ...     torch.manual_seed(0)
    ...     return {"weight": torch.rand(3)}
    >>> repeat(run).unequal
    ()
    """
    with same_dice():
        first = {name: value.detach().clone() for name, value in run().items()}
        # Another program would not find the generators where the first run began: neither may the second.
        torch.rand(1)
        second = run()
    names = [*first, *(name for name in second if name not in first)]
    unequal = tuple(name for name in names if not _same(first.get(name), second.get(name)))
    gaps = [_gap(first.get(name), second.get(name)) for name in unequal]
    return Repeat(
        compared=sum(value.numel() for value in first.values()),
        unequal=unequal,
        largest_gap=max(gaps, default=0.0),
        start_differs=any(start(name) for name in unequal),
    )


def few_steps(
    make_model: Callable[[], nn.Module], images: Tensor, *, labels: Tensor, loss: Loss, seed: int, steps: int = 2
) -> Callable[[], dict[str, Tensor]]:
    """A program for `repeat`: seed, build, and take a few plain steps on one batch.

    Names of what was there before the first step begin with `start.`; hand `startswith("start.")` over as `start`.

    >>> run = few_steps(lambda: nn.Linear(2, 2), torch.ones(4, 2), labels=torch.tensor([0, 1, 0, 1]),
    ...                 loss=nn.CrossEntropyLoss(), seed=0)
    >>> repeat(run).unequal
    ()
    """

    def run() -> dict[str, Tensor]:
        torch.manual_seed(seed)
        model = make_model().train()
        made = {f"start.{name}": value.detach().clone() for name, value in model.state_dict().items()}
        parameters = [each for each in model.parameters() if each.requires_grad]
        optimizer = torch.optim.SGD(parameters, lr=0.01)
        for step in range(steps):
            value = loss(model(images), labels).mean()
            optimizer.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            made[f"loss.{step}"] = value.detach()
        return {**made, **model.state_dict()}

    return run


def _same(first: Tensor | None, second: Tensor | None) -> bool:
    if first is None or second is None or first.shape != second.shape or first.dtype != second.dtype:
        return False
    return torch.equal(first, second) or bool((first.isnan() & second.isnan() | (first == second)).all())


def _gap(first: Tensor | None, second: Tensor | None) -> float:
    if first is None or second is None or first.shape != second.shape:
        return float("inf")
    return float((first.double() - second.double()).abs().max()) if first.numel() else 0.0
