"""What checking somebody's program must leave as it was, beyond the model: optimizers, loaders, tensors, dice."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from epochal.checks.isolation import same_dice, untouched
from epochal.checks.program import Program, tensors_in


@contextmanager
def preserved(program: Program) -> Iterator[None]:
    """Put back all that belongs to the user: model, loss, optimizer, tensors, the dice of loaders and of the process.

    >>> x = torch.zeros(2)
    >>> from epochal.checks.program import Rows
    >>> with preserved(Program(batch=Rows(inputs=x))):
    ...     _ = x.add_(1)
    >>> x
    tensor([0., 0.])
    """
    generators = [(each, each.get_state()) for each in _generators(program)]
    sources = (program.batch and (program.batch.inputs, program.batch.target), program.train, program.validation)
    own = [(each, each.detach().clone()) for each in tensors_in(sources)]
    optimizer = program.optimizer
    kept = copy.deepcopy(optimizer.state_dict()) if optimizer is not None and optimizer.state else None
    with _modules_untouched([program.model, program.loss]), same_dice():
        try:
            yield
        finally:
            for generator, state in generators:
                generator.set_state(state)
            for tensor, value in own:
                _put_back(tensor, value)
            if optimizer is not None:
                _reset(optimizer, kept)


@contextmanager
def _modules_untouched(parts: list[Any]) -> Iterator[None]:
    modules = [each for each in parts if isinstance(each, nn.Module) and not _is_lazy(each)]
    if not modules:
        yield
        return
    with untouched(nn.ModuleList(modules)):
        yield


def _is_lazy(module: nn.Module) -> bool:
    held = (*module.parameters(), *module.buffers())
    return any(nn.parameter.is_lazy(each) for each in held)


def _put_back(tensor: Tensor, value: Tensor) -> None:
    same = tensor.shape == value.shape and bool(((tensor == value) | (tensor.isnan() & value.isnan())).all())
    if not same:
        with torch.no_grad():
            tensor.copy_(value)


def _reset(optimizer: torch.optim.Optimizer, kept: dict[str, Any] | None) -> None:
    """No experiment steps the user's optimizer; a model that does so in its forward is undone here."""
    if kept is None:
        optimizer.state.clear()
    elif not _equal(optimizer.state_dict(), kept):
        optimizer.load_state_dict(kept)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, Tensor):
        return isinstance(right, Tensor) and torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(_equal(*pair) for pair in zip(left, right, strict=True))
    return bool(left == right)


def _generators(program: Program) -> Iterator[torch.Generator]:
    for loader in (program.train, program.validation):
        for owner in (loader, getattr(loader, "sampler", None)):
            generator = getattr(owner, "generator", None)
            if isinstance(generator, torch.Generator):
                yield generator
