"""Which loss a callable is, told by what it does: a lambda around cross-entropy is cross-entropy.

The callable is tried on made-up outputs of the right shape and compared with each loss that is known, on the user's own
targets. A loss that none fits is `None`: rules that need to know it then stay silent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CLOSE = 1e-4  # relative; float32 sums of a few thousand terms differ by less
ON_LOGITS = ("cross-entropy", "binary-cross-entropy-with-logits")
ON_VALUES = ("squared-error", "absolute-error", "smooth-absolute-error")
ON_PROBABILITIES = ("binary-cross-entropy", "cross-entropy-of-probabilities")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kind:
    """A loss that was recognised: its name, how it is reduced, and one value per sample of it.

    >>> recognise(nn.MSELoss(reduction="sum"), torch.zeros(4, 1), target=torch.ones(4, 1)).reduction
    'sum'
    """

    name: str
    reduction: str  # "mean", "sum" or "none"
    per_sample: Callable[[Tensor, Tensor], Tensor]


def recognise(loss: Callable[..., Any], outputs: Tensor, *, target: Tensor) -> Kind | None:
    """Say which known loss it is, for outputs and targets of these shapes; None where none fits.

    >>> labels = torch.tensor([0, 2, 1])
    >>> recognise(lambda z, y: F.cross_entropy(z, y), torch.zeros(3, 3), target=labels).name
    'cross-entropy'
    """
    source = torch.Generator().manual_seed(0)
    raw = torch.randn(outputs.shape, generator=source).to(outputs.device, torch.float32)
    shares = raw.softmax(1) if raw.ndim > 1 and raw.shape[1] > 1 else raw.sigmoid()
    for probe in (raw, shares, raw.sigmoid(), shares.log()):
        given = _tried(loss, probe, target=target)
        if given is None or not bool(given.isfinite().all()):
            continue
        for name, known in _KNOWN.items():
            elements = _tried(known, probe, target=target)
            if elements is None or not bool(elements.isfinite().all()):
                continue
            reduction = _reduction(given, elements, samples=len(outputs))
            if reduction:
                return Kind(name=name, reduction=reduction, per_sample=_per_sample(known))
    return _by_class(loss)


def _by_class(loss: object) -> Kind | None:
    """With weights, smoothing or ignored labels the values differ: then the class tells."""
    for kind, name in _CLASSES:
        if isinstance(loss, kind):
            reduction = str(getattr(loss, "reduction", "mean"))
            return Kind(name=name, reduction=reduction, per_sample=_per_sample(_KNOWN[name]))
    return None


def _tried(loss: Callable[..., Any], outputs: Tensor, *, target: Tensor) -> Tensor | None:
    """None where the loss refuses such values."""
    try:
        with torch.no_grad():
            value = loss(outputs.clone(), target.clone())
    except Exception:  # noqa: BLE001  whatever the user's code says, it says no
        return None
    return value.double() if isinstance(value, Tensor) else None


def _reduction(given: Tensor, elements: Tensor, *, samples: int) -> str:
    if given.ndim and given.numel() > 1:
        return "none" if given.shape == elements.shape and torch.allclose(given, elements, rtol=CLOSE) else ""
    value, mean, total = float(given.sum()), float(elements.mean()), float(elements.sum())
    for name, known in (("mean", mean), ("mean", total / max(samples, 1)), ("sum", total)):
        if abs(value - known) <= CLOSE * abs(known) and known != 0:
            return name
    return ""


def _per_sample(known: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        values = known(outputs, target)
        return values.flatten(1).mean(1) if values.ndim > 1 else values

    return loss


def _cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(z, y, reduction="none")


def _negative_log(z: Tensor, y: Tensor) -> Tensor:
    return F.nll_loss(z, y, reduction="none")


def _binary_with_logits(z: Tensor, y: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(z, y.to(z), reduction="none")


def _binary(p: Tensor, y: Tensor) -> Tensor:
    return F.binary_cross_entropy(p, y.to(p), reduction="none")


def _of_probabilities(p: Tensor, y: Tensor) -> Tensor:
    """What Keras calls categorical cross-entropy."""
    rows = F.one_hot(y.long(), p.shape[1]).to(p) if y.ndim == 1 else y.to(p)
    return -(rows * (p / p.sum(1, keepdim=True)).clamp(1e-7, 1 - 1e-7).log()).sum(1)


def _squared(z: Tensor, y: Tensor) -> Tensor:
    return (z - y).square()


def _absolute(z: Tensor, y: Tensor) -> Tensor:
    return (z - y).abs()


def _smooth(z: Tensor, y: Tensor) -> Tensor:
    away = (z - y).abs()
    return torch.where(away < 1, 0.5 * away.square(), away - 0.5)


_KNOWN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross-entropy": _cross_entropy,
    "negative-log-likelihood": _negative_log,
    "binary-cross-entropy-with-logits": _binary_with_logits,
    "binary-cross-entropy": _binary,
    "cross-entropy-of-probabilities": _of_probabilities,
    "squared-error": _squared,
    "absolute-error": _absolute,
    "smooth-absolute-error": _smooth,
}
_CLASSES: tuple[tuple[type[nn.Module], str], ...] = (
    (nn.CrossEntropyLoss, "cross-entropy"),
    (nn.NLLLoss, "negative-log-likelihood"),
    (nn.BCEWithLogitsLoss, "binary-cross-entropy-with-logits"),
    (nn.BCELoss, "binary-cross-entropy"),
    (nn.MSELoss, "squared-error"),
    (nn.L1Loss, "absolute-error"),
    (nn.SmoothL1Loss, "smooth-absolute-error"),
    (nn.HuberLoss, "smooth-absolute-error"),
)
