"""Facts about trials of learning on a program of any inputs: they judge what they can, and say what they cannot."""

import time

import torch
from torch import Tensor, nn

from epochal.checks.program import Program, Rows
from epochal.stages import trying
from epochal.stages.examination import Examination, examine_running


def _exam(program: Program, rows: Rows) -> Examination:
    exam = Examination(program=program, rows=rows, deadline=time.perf_counter() + 60, wanted=lambda _: True)
    examine_running(exam)
    return exam


class Pairs(nn.Module):
    """Two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Bilinear(3, 3, 2)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Logits."""
        said: Tensor = self.layer(left, right)
        return said


def test_batches_of_several_inputs_are_learnt_by_heart() -> None:
    """The trial picks rows, whatever they are."""
    torch.manual_seed(0)
    rows = Rows(inputs=(torch.randn(16, 3), torch.randn(16, 3)), target=torch.arange(16) % 2)
    exam = _exam(Program(model=Pairs(), loss=nn.CrossEntropyLoss()), rows)
    trying.examine_batch_fit(exam, seconds=30.0)
    trying.examine_repeat(exam)
    assert exam.findings == []
    assert {"batch-not-learnt", "not-repeatable"} <= set(exam.passed)
    trying.examine_dependence(exam)
    assert "samples-mixed" in exam.not_checked[-1][0]


def test_a_model_that_rolls_dice_by_itself_does_not_repeat() -> None:
    """A generator that no seed reaches."""

    class Dicey(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            said: Tensor = self.layer(x) + time.perf_counter_ns() % 1000
            return said

    rows = Rows(inputs=torch.randn(8, 3), target=torch.randn(8, 2))
    exam = _exam(Program(model=Dicey(), loss=nn.MSELoss()), rows)
    trying.examine_repeat(exam)
    assert [each.rule for each in exam.findings] == ["not-repeatable"]


def test_blind_and_seeing_are_compared_where_there_is_enough() -> None:
    """A plain signal passes; values alike to the inputs in nothing do not."""
    torch.manual_seed(0)
    x = torch.randn(500, 3)
    for target, found in ((2 * x[:, :1], []), (torch.randn(500, 1), ["no-learnable-signal"])):
        exam = _exam(Program(model=nn.Linear(3, 1), loss=nn.MSELoss()), Rows(inputs=x, target=target))
        exam.train, exam.held = Rows(inputs=x[:300], target=target[:300]), Rows(inputs=x[300:], target=target[300:])
        trying.examine_sight(exam, seconds=30.0)
        assert [each.rule for each in exam.findings] == found
