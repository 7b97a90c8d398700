"""Facts about the parts of a program: any shape of batch and answer becomes rows and a tensor."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from epochal.checks.program import Picking, Program, Rows, call, gather, output_tensor, split_batch, with_tensor


@dataclass
class Pair:
    """A batch as a dataclass."""

    x: Tensor
    y: Tensor


class Named(nn.Module):
    """Takes two inputs by name, answers with a tuple."""

    def forward(self, left: Tensor, right: Tensor) -> tuple[int, Tensor]:
        """Their sum, behind a number."""
        return 3, left + right


X, Y = torch.arange(6.0).view(3, 2), torch.tensor([0, 1, 2])


@pytest.mark.parametrize("batch", [(X, Y), [X, Y], {"x": X, "labels": Y}, Pair(X, Y), (X, X, Y)])
def test_every_kind_of_batch_has_its_target(batch: Any) -> None:
    """The last of a tuple, or what is called by a target's name."""
    rows = split_batch(batch)
    assert rows.count == 3
    assert torch.equal(rows.target, Y)


@pytest.mark.parametrize("inputs", [(X, X), {"left": X, "right": X}])
def test_inputs_are_handed_over_as_the_model_takes_them(inputs: Any) -> None:
    """In order, or by name; the tensor of the answer is found."""
    out = output_tensor(call(Named(), inputs))
    assert out is not None
    assert torch.equal(out, 2 * X)


def test_rows_are_picked_from_every_tensor() -> None:
    """Inputs, targets and nested ones alike, in the order asked."""
    picked = Rows(inputs={"a": X, "b": (X,)}, target=Y).pick(torch.tensor([2, 0]))
    assert torch.equal(picked.inputs["b"][0], X[[2, 0]])
    assert picked.target.tolist() == [2, 0]


def test_a_loader_gives_as_many_as_asked() -> None:
    """Batches are joined and cut."""
    got = gather([(X, Y), (X, Y)], most=4)
    assert got is not None
    assert got.target.tolist() == [0, 1, 2, 0]


def test_twins_share_nothing_and_stay_married() -> None:
    """The copied optimizer holds the copied model's weights."""
    model = nn.Linear(2, 1)
    twin = Program(model=model, optimizer=torch.optim.SGD(model.parameters(), lr=1.0)).twin()
    assert twin.model is not None
    assert twin.optimizer is not None
    assert twin.optimizer.param_groups[0]["params"][0] is twin.model.weight
    assert twin.model.weight is not model.weight


def test_models_of_any_input_can_be_asked_by_row_numbers() -> None:
    """Where the input is no single tensor, numbers of rows stand for it."""
    picking = Picking(Program(model=Named()), Rows(inputs=(X, X)))
    assert torch.equal(picking(picking.given()[[1]]), 2 * X[[1]])


@pytest.mark.parametrize("wrap", [lambda z: z, lambda z: (z, 3), lambda z: {"logits": z}])
def test_the_judged_tensor_can_be_replaced(wrap: Callable[[Tensor], Any]) -> None:
    """The rest of the answer stays."""
    assert output_tensor(with_tensor(wrap(X), X + 1)).tolist() == (X + 1).tolist()  # type: ignore[union-attr]
