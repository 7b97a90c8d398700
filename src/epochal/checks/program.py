"""Somebody's own training program, as its parts: a model, a batch, a loss, an optimizer, loaders; any of them.

What a batch looks like is the user's business: a tensor, a tuple, a dictionary. Here it becomes inputs and a target,
and a number of rows that can be picked.
"""

import copy
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

TARGET_NAMES = ("labels", "label", "targets", "target", "y")
OUTPUT_NAMES = ("logits", "output", "outputs", "out", "prediction", "predictions", "y")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Inputs of some samples and what they should give; `target` is None where nobody said.

    >>> Rows(inputs=torch.zeros(3, 2), target=torch.arange(3)).count
    3
    """

    inputs: Any
    target: Any = None

    @property
    def count(self) -> int:
        """How many samples there are: the length of the first axis of the first tensor."""
        return next((len(each) for each in tensors_in(self.inputs) if each.ndim), 0)

    @property
    def images(self) -> Tensor | None:
        """The inputs, where they are one tensor of numbers with a fraction."""
        is_plain = isinstance(self.inputs, Tensor) and self.inputs.is_floating_point()
        return self.inputs if is_plain else None

    def pick(self, rows: Tensor) -> "Rows":
        """These samples alone, in this order."""
        n = self.count

        def take(each: Tensor) -> Tensor:
            return each[rows.to(each.device)] if each.ndim and len(each) == n else each

        return Rows(inputs=mapped(self.inputs, take), target=mapped(self.target, take))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Program:
    """The parts of a training program that are known; what is None is not checked."""

    model: nn.Module | None = None
    batch: Rows | None = None
    loss: Callable[..., Any] | None = None
    optimizer: torch.optim.Optimizer | None = None
    train: Any = None
    validation: Any = None

    def twin(self) -> "Program":
        """A copy that experiments may ruin: model, loss and optimizer in one, so that who owns whom stays true."""
        model = getattr(self.model, "_orig_mod", self.model)  # what torch.compile wraps
        parts: dict[str, Any] = {"model": model, "loss": self.loss, "optimizer": self.optimizer}
        copied: dict[str, Any] = copy.deepcopy(parts)
        batch = None if self.batch is None else mapped_rows(self.batch, lambda each: each.detach().clone())
        return replace(self, batch=batch, **copied)

    def answer(self, rows: Rows) -> Any:
        """What the model says of the rows, as it says it."""
        assert self.model is not None, "who asks has looked"
        return call(self.model, rows.inputs)

    def cost(self, said: Any, target: Any) -> Tensor:
        """The loss of an answer: its own where the model brings one, as many language models do."""
        if self.loss is None:
            own: Tensor = _member(said, "loss")
            return own
        plain = isinstance(self.loss, nn.Module) and type(self.loss).__module__.startswith("torch.nn")
        value = self.loss(output_tensor(said) if plain else said, target)
        return value if isinstance(value, Tensor) else torch.as_tensor(value)


def call(model: nn.Module, inputs: Any) -> Any:
    """Hand inputs over as the model takes them: one value, several in order, or by name.

    >>> call(nn.Bilinear(2, 2, 1), (torch.zeros(3, 2), torch.zeros(3, 2))).shape
    torch.Size([3, 1])
    """
    if isinstance(inputs, Mapping):
        names = inspect.signature(model.forward).parameters
        takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in names.values())
        if takes_any or set(inputs) <= set(names):
            return model(**inputs)
        return model(next(iter(inputs.values())) if len(inputs) == 1 else inputs)
    if isinstance(inputs, tuple | list):
        return model(*inputs)
    return model(inputs)


def output_tensor(said: Any) -> Tensor | None:
    """The tensor in an answer that is judged: the answer itself, its logits, or the first with a fraction.

    >>> output_tensor({"hidden": torch.zeros(2), "logits": torch.ones(1)})
    tensor([1.])
    """
    if isinstance(said, Tensor):
        return said
    for name in OUTPUT_NAMES:
        found = _member(said, name)
        if isinstance(found, Tensor):
            return found
    return next((each for each in tensors_in(said) if each.is_floating_point()), None)


def with_tensor(said: Any, tensor: Tensor) -> Any:
    """The same answer with another tensor in the place of the one that is judged.

    >>> with_tensor({"logits": torch.zeros(1), "more": 3}, torch.ones(1))
    {'logits': tensor([1.]), 'more': 3}
    """
    if isinstance(said, Tensor):
        return tensor
    judged = output_tensor(said)
    if isinstance(said, Mapping):
        return {key: tensor if value is judged else value for key, value in said.items()}
    if type(said) in {tuple, list}:
        return type(said)(tensor if each is judged else each for each in said)
    return said


def _member(said: Any, name: str) -> Any:
    return said.get(name) if isinstance(said, Mapping) else getattr(said, name, None)


def split_batch(batch: Any) -> Rows:
    """Part a batch into inputs and target: the last of a tuple, or what is called labels, target or y.

    >>> split_batch({"x": torch.zeros(2, 1), "labels": torch.ones(2)}).target
    tensor([1., 1.])
    """
    if isinstance(batch, Rows):
        return batch
    if is_dataclass(batch) and not isinstance(batch, type):
        return split_batch({each.name: getattr(batch, each.name) for each in fields(batch)})
    if isinstance(batch, Mapping):
        name = next((each for each in TARGET_NAMES if each in batch), None)
        others = {key: value for key, value in batch.items() if key != name}
        return Rows(inputs=others, target=None if name is None else batch[name])
    if isinstance(batch, tuple | list) and len(batch) > 1:
        inputs = batch[0] if len(batch) == 2 else tuple(batch[:-1])
        return Rows(inputs=inputs, target=batch[-1])
    if isinstance(batch, tuple | list):
        return Rows(inputs=batch[0])
    return Rows(inputs=batch)


def is_used_up(source: Any) -> bool:
    """Whether looking would take something away: a generator gives each item once.

    >>> is_used_up(iter([1])), is_used_up([1])
    (True, False)
    """
    return not isinstance(source, Sequence | Mapping | Tensor) and iter(source) is source


def gather(source: Any, *, most: int) -> Rows | None:
    """Up to so many samples of a loader, or of a batch; None where there are none.

    >>> gather([(torch.zeros(2, 3), torch.zeros(2)), (torch.ones(2, 3), torch.ones(2))], most=3).target
    tensor([0., 0., 1.])
    """
    parts = []
    for batch in _batches(source):
        parts.append(split_batch(batch))
        if sum(each.count for each in parts) >= most:
            break
    if not parts or not parts[0].count:
        return None
    joined = Rows(inputs=_joined([each.inputs for each in parts]), target=_joined([each.target for each in parts]))
    return joined.pick(torch.arange(min(most, joined.count)))


def _batches(source: Any) -> Iterable[Any]:
    """A batch by itself, or the batches of a loader or of a list of batches."""
    if isinstance(source, Tensor | Mapping | Rows) or is_dataclass(source):
        return [source]
    if isinstance(source, tuple) or (isinstance(source, list) and source and isinstance(source[0], Tensor)):
        return [source]
    return source  # type: ignore[no-any-return]


def _joined(values: Sequence[Any]) -> Any:
    first = values[0]
    if isinstance(first, Tensor):
        return torch.cat([each.detach() for each in values]) if first.ndim else first
    if isinstance(first, Mapping):
        return {key: _joined([each[key] for each in values]) for key in first}
    if isinstance(first, tuple | list):
        return tuple(_joined(each) for each in zip(*values, strict=True))
    return first


def tensors_in(value: Any) -> list[Tensor]:
    """Every tensor in tuples, lists and dictionaries, in order.

    >>> len(tensors_in({"a": torch.zeros(1), "b": (torch.ones(1), 3)}))
    2
    """
    if isinstance(value, Tensor):
        return [value]
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple | list) else ()
    return [tensor for each in inner for tensor in tensors_in(each)]


def mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same structure, each tensor changed.

    >>> mapped((torch.zeros(1), "x"), lambda each: each + 1)
    (tensor([1.]), 'x')
    """
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {key: mapped(each, change) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return tuple(mapped(each, change) for each in value)
    return value


def mapped_rows(rows: Rows, change: Callable[[Tensor], Tensor]) -> Rows:
    """The same rows, each tensor changed.

    >>> mapped_rows(Rows(inputs=torch.zeros(1)), lambda each: each + 1).inputs
    tensor([1.])
    """
    return Rows(inputs=mapped(rows.inputs, change), target=mapped(rows.target, change))


class Picking(nn.Module):
    """A model that is handed row numbers, and sees those samples of `rows`: experiments need not know what inputs are.

    Where the inputs are one tensor it takes that itself.
    """

    def __init__(self, program: Program, rows: Rows) -> None:
        super().__init__()
        self.model = program.model
        self.rows = rows

    def forward(self, given: Tensor) -> Tensor:
        """The judged tensor of the model's answer."""
        assert self.model is not None, "who picks has a model"
        inputs = given if self.rows.images is not None else self.rows.pick(given.flatten().long()).inputs
        out = output_tensor(call(self.model, inputs))
        assert out is not None, "asked before: the answer has a tensor"
        return out

    def given(self) -> Tensor:
        """What stands for all rows: their own tensor, or their numbers."""
        images = self.rows.images
        return images if images is not None else torch.arange(self.rows.count, dtype=torch.float32)[:, None]
