"""Experiments on a copy of somebody's program: what its outputs can reach, and where its gradients arrive.

They ruin the program they are given: hand over `Program.twin()`. `epochal.checks.outputs` and
`epochal.checks.ownership` judge what they measured.
"""

import copy
from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from epochal.checks.loss_kind import Kind
from epochal.checks.outputs import Fit
from epochal.checks.ownership import Ownership
from epochal.checks.program import Program, Rows, output_tensor

_SCALES = (2.0, 10.0, 1e4, 2.0, 10.0, 1e4)  # of the weights, in units that keep a signal as it is
_RATE = 0.01  # relative step that moves layers which begin at zero


def probe_outputs(program: Program, rows: Rows, *, kind: Kind | None) -> Fit:
    """Say what the last operation of a model lets through, beside its loss and its targets.

    >>> program = Program(model=nn.Sequential(nn.Linear(2, 1), nn.Softmax(1)))
    >>> probe_outputs(program, Rows(inputs=torch.randn(4, 2), target=torch.ones(4, 1)), kind=None).moves
    False
    """
    assert program.model is not None, "who asks has looked"
    with torch.no_grad():
        out = _seen(program, rows)
        drawn = list(_redrawn(program, rows))
    every = torch.cat([each.flatten() for each in (out, *drawn)]).double()
    every = every[every.isfinite()]
    low, high = (float(every.min()), float(every.max())) if len(every) else (0.0, 0.0)
    target = rows.target if isinstance(rows.target, Tensor) else torch.zeros(0)
    values = target.detach().double().flatten()
    margin = 1e-6 + 1e-3 * (high - low)
    beyond = ((values < low - margin) | (values > high + margin)).double().mean() if len(values) else torch.zeros(())
    classes = out.ndim > 1 and out.shape[1] > 1
    return Fit(
        loss=kind.name if kind else "",
        reduction=kind.reduction if kind else "",
        output_shape=tuple(out.shape),
        target_shape=tuple(target.shape),
        reach=(low, high),
        moves=high > low,
        rows_sum_to_one=classes and all(_sums_to_one(each) for each in (out, *drawn)),
        are_log_probabilities=classes and all(_sums_to_one(each.exp()) for each in (out, *drawn)),
        target_low=float(values.min()) if len(values) else 0.0,
        target_high=float(values.max()) if len(values) else 0.0,
        target_rms=float(values.square().mean().sqrt()) if len(values) else 0.0,
        target_kinds=len(set(values.tolist())),
        whole_targets=bool((values == values.round()).all()),
        outside=float(beyond),
    )


def _seen(program: Program, rows: Rows) -> Tensor:
    out = output_tensor(program.answer(rows))
    assert out is not None, "asked before: the answer has a tensor"
    return out.detach().float()


def _redrawn(program: Program, rows: Rows) -> Iterator[Tensor]:
    """Outputs with all weights drawn anew, ever larger: shapes and kinds of layers stay, what was learnt goes."""
    assert program.model is not None, "who asks has looked"
    model = copy.deepcopy(program.model)
    source = torch.Generator().manual_seed(0)
    for stretch in _SCALES:
        for each in model.parameters():
            fan = max(each[0].numel(), 1) if each.ndim > 1 else 1
            each.copy_(stretch / fan**0.5 * torch.randn(each.shape, generator=source))
        yield _seen(Program(model=model), rows)
        if stretch == max(_SCALES):
            for each in list(model.parameters())[-2:]:
                each.neg_()
            yield _seen(Program(model=model), rows)  # the other sign of the last layer


def _sums_to_one(out: Tensor) -> bool:
    sums = out.sum(1)
    low, high = float(out.min()), float(out.max())
    return low >= 0 and high <= 1 + 1e-6 and bool(((sums - 1).abs() < 1e-4).all())


def probe_gradients(program: Program, rows: Rows, *, last_batch: int = 0) -> Ownership:
    """Say which parameters get a gradient, and which of them the optimizer holds, from one backward pass.

    >>> model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    >>> parts = Program(model=model, loss=nn.MSELoss(), optimizer=torch.optim.SGD(model[0].parameters(), lr=1.0))
    >>> probe_gradients(parts, Rows(inputs=torch.randn(4, 2), target=torch.ones(4, 1))).outside
    ('1.weight', '1.bias')
    """
    model = program.model
    assert model is not None, "who asks has looked"
    named = dict(model.named_parameters())
    trainable = {name: each for name, each in named.items() if each.requires_grad}
    gradients = _gradients(program, rows, trainable=trainable)
    reached = {name: each for name, each in gradients.items() if each is not None}
    sizes = [float(each.double().square().mean().sqrt()) for each in reached.values() if each.ndim > 1]
    sizes = [each for each in sizes if each > 0]
    return Ownership(
        trainable=tuple(trainable),
        frozen=tuple(name for name in named if name not in trainable),
        unreached=tuple(name for name in trainable if name not in reached),
        still=tuple(_still(program, rows, named=trainable)) if reached else (),
        broken=tuple(name for name, each in reached.items() if not bool(each.isfinite().all())),
        first_over_last=sizes[0] / sizes[-1] if len(sizes) > 1 else 1.0,
        loss_moves=bool(reached) or not trainable,
        last_batch=last_batch,
        flat_norms=tuple(_flat_norms(program, rows)) if last_batch == 1 else (),
        **_owned(program, named=named, reached=set(reached)),
    )


def _gradients(program: Program, rows: Rows, *, trainable: dict[str, nn.Parameter]) -> dict[str, Tensor | None]:
    """Name -> gradient, None where the loss does not hang on the parameter."""
    assert program.model is not None, "who asks has looked"
    program.model.train()
    with torch.enable_grad():
        value = program.cost(program.answer(rows), rows.target).sum()
        hangs = bool(trainable) and value.grad_fn is not None
        found: tuple[Tensor | None, ...] = (None,) * len(trainable)
        if hangs:
            found = torch.autograd.grad(value, list(trainable.values()), allow_unused=True)
    return {
        name: None if each is None else each if each.layout is torch.strided else each.to_dense()
        for name, each in zip(trainable, found, strict=True)
    }


def _still(program: Program, rows: Rows, *, named: dict[str, nn.Parameter]) -> list[str]:
    """Weights whose gradient is exactly zero, and still is after the others took two small steps."""
    still: set[str] = set(named)
    for _ in range(3):
        gradients = _gradients(program, rows, trainable=named)
        still &= {
            name for name, each in gradients.items() if each is not None and named[name].ndim > 1 and not each.any()
        }
        if not still:
            break
        with torch.no_grad():
            for name, each in gradients.items():
                if each is not None and bool(each.isfinite().all()) and bool(each.any()):
                    named[name].sub_(_RATE * each / each.abs().amax())
    return [name for name in named if name in still]


def _owned(program: Program, *, named: dict[str, nn.Parameter], reached: set[str]) -> dict[str, Any]:
    if program.optimizer is None:
        return {}
    held = [id(each) for each in chain(*(group["params"] for group in program.optimizer.param_groups))]
    inside = set(held)
    once = {id(each): name for name, each in named.items()}
    return {
        "outside": tuple(name for name, each in named.items() if name in reached and id(each) not in inside),
        "strangers": len(inside - set(once)),
        "twice": tuple(once[key] for key in sorted({key for key in held if held.count(key) > 1}) if key in once),
        "frozen_inside": tuple(
            name for name, each in named.items() if not each.requires_grad and id(each) in inside
        ),
    }  # fmt: skip


def _flat_norms(program: Program, rows: Rows) -> list[str]:
    """Batch normalisations that see one value for each sample and channel."""
    assert program.model is not None, "who asks has looked"
    flat: list[str] = []
    hooks = []
    for name, layer in program.model.named_modules():
        if isinstance(layer, _BatchNorm):

            def note(_: nn.Module, given: tuple[Tensor, ...], name: str = name) -> None:
                if given[0].shape[2:].numel() == 1:
                    flat.append(name)

            hooks.append(layer.register_forward_pre_hook(note))
    with torch.no_grad():
        program.answer(rows)
    for hook in hooks:
        hook.remove()
    return flat
