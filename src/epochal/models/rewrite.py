"""Rewriting a finished network into a cheaper one: what was changed, what was refused, and what it brings.

The functions that rewrite stand in `pool_order` (exact) and `slimming` (approximations). Each returns a `Rewrite`;
`compare` measures it against the network it came from, for a table in the report or the eyes of its owner.
"""

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from epochal.models.cost import Cost, cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """A rewritten network: names of what changed, reasons for what did not, and whether it computes the same.

    >>> Rewrite(model=nn.Identity(), changed=("conv1",), refused={}, exact=True).changed
    ('conv1',)
    """

    model: nn.Module
    changed: tuple[str, ...]
    refused: dict[str, str]  # name -> reason
    exact: bool  # same outputs and gradients, bit for bit; an approximation wants tuning and a look at the score
    lost: dict[str, float] = field(default_factory=dict)  # name -> share of a layer's weight that could not be kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two networks on the same images: parameters, operations, differences, and seconds a batch, before and after.

    >>> one = Cost(parameters=10, trained=10, forward_flops=40)
    >>> both = Comparison(before=one, after=one, output_difference=0.0, gradient_difference=0.0,
    ...                   inference_seconds=(0.2, 0.1), training_seconds=(0.6, 0.4))
    >>> print(both.table())
    |                              | before | after | ratio |
    |------------------------------|-------:|------:|------:|
    | parameters                   |     10 |    10 |  1.00 |
    | operations for one image     |     40 |    40 |  1.00 |
    | seconds a batch, use         |    0.2 |   0.1 |  0.50 |
    | seconds a batch, training    |    0.6 |   0.4 |  0.67 |
    """

    before: Cost
    after: Cost
    output_difference: float  # largest, relative to the largest output
    gradient_difference: float  # the same over gradients of the images and of parameters that both have
    inference_seconds: tuple[float, float]
    training_seconds: tuple[float, float]

    def table(self) -> str:
        """Write the numbers as a Markdown table."""
        rows = {
            "parameters": (self.before.parameters, self.after.parameters),
            "operations for one image": (self.before.forward_flops, self.after.forward_flops),
            "seconds a batch, use": self.inference_seconds,
            "seconds a batch, training": self.training_seconds,
        }
        told = {name: (f"{a:.4g}", f"{b:.4g}", f"{b / a:.2f}" if a else "") for name, (a, b) in rows.items()}
        heads = ("before", "after", "ratio")
        widths = [max(len(head), *(len(row[i]) for row in told.values())) for i, head in enumerate(heads)]
        cells = " | ".join(f"{head:>{w}}" for head, w in zip(heads, widths, strict=True))
        lines = [f"| {'':28} | {cells} |", f"|{'-' * 30}|{'|'.join('-' * (w + 1) + ':' for w in widths)}|"]
        for name, row in told.items():
            cells = " | ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True))
            lines.append(f"| {name:28} | {cells} |")
        return "\n".join(lines)


def compare(before: nn.Module, after: nn.Module, *, images: Float[Tensor, "n c h w"], repeats: int = 5) -> Comparison:
    """Measure a network against its rewriting on these images, both in the mode they are in.

    Times are medians of `repeats` runs that alternate between the two, after one that is not counted; on a GPU its work
    is waited for. Training is a forward and a backward pass with a dense gradient. Buffers (running statistics),
    gradients and random state are left as they were.

    Units: seconds for this batch.  Source: tips K4.5, L8, L9.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    >>> compare(model, model, images=torch.randn(4, 3, 2, 2), repeats=1).output_difference
    0.0
    """
    output_difference, gradient_difference = differences(before, after, images=images)
    use, training = [], []
    with _untouched(before), _untouched(after):
        for repeat in range(repeats + 1):
            times = [(_seconds(model, images, backward=False), _seconds(model, images)) for model in (before, after)]
            if repeat:
                use.append([pair[0] for pair in times])
                training.append([pair[1] for pair in times])
    return Comparison(
        before=cost(before, images.shape[1:]),
        after=cost(after, images.shape[1:]),
        output_difference=output_difference,
        gradient_difference=gradient_difference,
        inference_seconds=_medians(use),
        training_seconds=_medians(training),
    )


def differences(before: nn.Module, after: nn.Module, *, images: Float[Tensor, "n c h w"]) -> tuple[float, float]:
    """Say by how much outputs and gradients of two networks differ, relative to the largest of each.

    Both run once in the mode they are in, from the same random state, with one random dense gradient behind. Gradients
    are those of the images and of the parameters that both have by name and shape. 0 and 0 mean equal numbers
    throughout; NaN in one alone is infinitely far.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    >>> differences(model, model, images=torch.randn(4, 3, 2, 2))
    (0.0, 0.0)
    """
    one, other = _signals(before, images), _signals(after, images)
    shared = [name for name in one if name in other and one[name].shape == other[name].shape]
    gradients = [_distance(one[name], other[name]) for name in shared if name != "output"]
    return _distance(one["output"], other["output"]), max(gradients, default=0.0)


def _signals(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """The output, and the gradient of each parameter and of the images, by name."""
    entered = images.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    learnt = {name: p for name, p in model.named_parameters() if p.requires_grad}
    with _untouched(model), torch.enable_grad():
        torch.manual_seed(0)
        output = model(entered)
        upstream = torch.randn(output.shape, generator=torch.Generator().manual_seed(1)).to(output)
        wanted = [entered, *learnt.values()]
        gradients: Sequence[Tensor | None] = torch.autograd.grad(output, wanted, upstream, allow_unused=True)
    names = ("images", *(f"parameter {name}" for name in learnt))
    return {
        "output": output.detach(),
        **{name: gradient for name, gradient in zip(names, gradients, strict=True) if gradient is not None},
    }


def _distance(one: Tensor, other: Tensor) -> float:
    if one.shape != other.shape or not torch.equal(one.isnan(), other.isnan()):
        return math.inf
    a, b = one.double().nan_to_num(), other.double().nan_to_num()
    if torch.equal(a, b):
        return 0.0
    return float((a - b).abs().max() / a.abs().max().clamp(min=torch.finfo(torch.float64).tiny))


@contextmanager
def _untouched(model: nn.Module) -> Iterator[None]:
    """Put buffers and the random state back afterwards."""
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    devices = sorted({p.device.index or 0 for p in model.parameters() if p.is_cuda})
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        with torch.no_grad():
            for buffer, kept in buffers:
                buffer.copy_(kept)


def _seconds(model: nn.Module, images: Tensor, *, backward: bool = True) -> float:
    learnt = [p for p in model.parameters() if p.requires_grad] if backward else []
    with torch.set_grad_enabled(bool(learnt)):
        _wait(images)
        started = time.perf_counter()
        output = model(images)
        if learnt:
            torch.autograd.grad(output, learnt, torch.ones_like(output).contiguous(), allow_unused=True)
        _wait(images)
        return time.perf_counter() - started


def _wait(images: Tensor) -> None:
    if images.is_cuda:
        torch.cuda.synchronize(images.device)


def _medians(times: list[list[float]]) -> tuple[float, float]:
    return statistics.median(each[0] for each in times), statistics.median(each[1] for each in times)
