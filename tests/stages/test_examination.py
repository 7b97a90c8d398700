"""Facts about single experiments on a program: one that fails never ends the others, and is told."""

import time

import pytest
import torch
from torch import nn

from epochal.checks import ownership, running
from epochal.checks.program import Program, Rows
from epochal.stages.examination import Examination, examine_batch, examine_running, place, said


def _exam(program: Program, rows: Rows) -> Examination:
    return Examination(program=program, rows=rows, deadline=time.perf_counter() + 5, wanted=lambda _: True)


def _fail() -> None:
    raise RuntimeError("first line\nsecond line")


def test_a_failing_experiment_is_noted() -> None:
    """With the rules that could not look, and the error in a line."""
    exam = _exam(Program(model=nn.Linear(1, 1)), Rows(inputs=torch.zeros(2, 1)))
    with exam.trying([ownership.dead_start]):
        _fail()
    assert exam.not_checked == [("dead-start", "the experiment could not be made: RuntimeError: first line")]


def test_the_place_is_the_users() -> None:
    """Frames of torch and of this package are passed over."""
    with pytest.raises(RuntimeError) as raised:
        nn.Linear(3, 2)(torch.zeros(1, 4))
    assert "test_examination.py" in place(raised.value)
    assert said(raised.value).startswith("RuntimeError: mat1")


def test_features_are_not_images() -> None:
    """One feature is one value per sample, which is no constant image; counts of words have no spread to judge."""
    exam = _exam(Program(), Rows(inputs=torch.linspace(-1, 1, 32)[:, None]))
    examine_batch(exam)
    assert exam.findings == []
    sparse = torch.zeros(32, 500)
    sparse[:, :2] = 1
    sparse[0, 3] = 1
    exam = _exam(Program(), Rows(inputs=sparse))
    examine_batch(exam)
    assert "input-not-normalised" not in [each.rule for each in exam.findings]


def test_the_loss_is_recognised_on_the_way() -> None:
    """And one that gives NaN is found."""
    rows = Rows(inputs=torch.randn(8, 3), target=torch.randn(8, 2))
    exam = _exam(Program(model=nn.Linear(3, 2), loss=nn.MSELoss()), rows)
    examine_running(exam)
    assert exam.kind is not None
    assert exam.kind.name == "squared-error"
    exam = _exam(Program(model=nn.Linear(3, 2), loss=lambda z, y: (z - y).sum() * float("nan")), rows)
    examine_running(exam)
    assert [each.rule for each in exam.findings] == [running.loss_not_a_number.name]
