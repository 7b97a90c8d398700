"""The experiments that a program can be put through, each on a copy of it, and what its rules say."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from epochal.checks import input, outputs, own_steps, ownership, running  # noqa: A004
from epochal.checks.loss_kind import Kind, recognise
from epochal.checks.program import Program, Rows, output_tensor, with_tensor
from epochal.checks.running import Attempt
from epochal.findings import Finding, Rule

_MOST_PROBED = 32
_NEIGHBOURS = 0.3  # correlation of neighbouring pixels below which a picture is noise; photographs have 0.8 and more


@dataclass(kw_only=True)
class Examination:
    """What was found so far, and what is known of the program: filled step by step."""

    program: Program
    rows: Rows  # of one batch
    deadline: float
    wanted: Callable[[Rule[Any]], bool]
    train: Rows | None = None
    held: Rows | None = None
    last_batch: int = 0
    kind: Kind | None = None
    outputs: Tensor | None = None
    answer: Any = None  # what the model said, as it said it
    runs: bool = False
    findings: list[Finding] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    not_checked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def few(self) -> Rows:
        """As many rows as a probe needs."""
        return self.rows.pick(torch.arange(min(_MOST_PROBED, self.rows.count)))

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return max(self.deadline - time.perf_counter(), 0.0)

    def judge(self, rules: Iterable[Rule[Any]], evidence: Any) -> None:
        """Ask each rule that is wanted."""
        for each in rules:
            if not self.wanted(each):
                continue
            found = list(each(evidence))
            self.findings += found
            if not found and each.name not in self.passed:
                self.passed.append(each.name)

    @property
    def has_loss(self) -> bool:
        """Whether there is a loss: a callable, or the model's own."""
        return self.program.loss is not None or isinstance(getattr(self.answer, "loss", None), Tensor)

    def skip(self, rules: Iterable[Rule[Any]], why: str) -> None:
        """Note that these rules could not look."""
        names = [each.name for each in rules if self.wanted(each)]
        if names:
            self.not_checked.append((", ".join(names), why))

    @contextmanager
    def trying(self, rules: Iterable[Rule[Any]]) -> Iterator[None]:
        """An experiment that fails on this program is told, and never ends the others."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  whatever the user's code raises
            self.skip(rules, f"the experiment could not be made: {said(error)}")


def said(error: BaseException) -> str:
    r"""An error in one short line.

    >>> said(ValueError("a\nb"))
    'ValueError: a'
    """
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:160]}" if lines else type(error).__name__


def place(error: BaseException) -> str:
    """The last line of the user's own code on the way to an error, as `file:line`."""
    own = (str(Path(__file__).resolve().parents[1]), str(Path(torch.__file__).parent), "<")
    frames = [each for each in traceback.extract_tb(error.__traceback__) if not each.filename.startswith(own)]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def examine_batch(exam: Examination) -> None:
    """Judge the inputs and labels as they are, before any model sees them."""
    images = exam.rows.images
    if images is None or images.ndim < 2:
        why = "the inputs are not one tensor of numbers with a fraction"
        exam.skip(input.IMAGE_RULES, why)
    else:
        from epochal.checks.batch import describe_batch

        facts = describe_batch(images, torch.zeros(0, dtype=torch.long), prior=[1.0])
        rules: tuple[Rule[Any], ...] = input.IMAGE_RULES
        if images.ndim != 4:
            facts = replace(facts, constant_images=0)  # a row of one value may be a feature
            rules = (input.broken_input, input.constant_input, input.input_not_normalised)
            exam.skip([each for each in input.IMAGE_RULES if each not in rules], "the inputs are no images")
        if max(facts.lag_correlation) < _NEIGHBOURS and input.scrambled_pixels in rules:
            exam.skip([input.scrambled_pixels], "neighbouring pixels have nothing in common to begin with")
            rules = tuple(each for each in rules if each is not input.scrambled_pixels)
        if float((images == 0).double().mean()) > 0.5:
            exam.skip([input.input_not_normalised], "most values are 0: mean and spread say little")
            rules = tuple(each for each in rules if each is not input.input_not_normalised)
        exam.judge(rules, facts)


def examine_running(exam: Examination) -> None:
    """Let the model answer and the loss judge, once; find out which loss it is."""
    program = exam.program.twin()
    assert program.model is not None, "who asks has looked"
    try:
        with torch.no_grad():
            answer = program.answer(exam.few)
    except Exception as error:  # noqa: BLE001  the user's code
        exam.judge(running.RULES, Attempt(part="the model", error=said(error), place=place(error)))
        return
    exam.judge(running.RULES, Attempt(part="the model"))
    exam.outputs, exam.answer = output_tensor(answer), answer
    exam.runs = exam.outputs is not None
    if not exam.runs:
        exam.not_checked.append(("the answer of the model", "there is no tensor in it"))
    if program.loss is None and not isinstance(getattr(answer, "loss", None), Tensor):
        exam.not_checked.append(("everything about the loss", "no loss was given"))
        return
    target = exam.few.target
    if exam.runs and isinstance(target, Tensor) and program.loss is not None:
        exam.kind = recognise(told_loss(exam), exam.outputs.float(), target=target)  # type: ignore[union-attr]
        examine_labels(exam)
    try:
        value = program.cost(answer, target).detach()
    except Exception as error:  # noqa: BLE001  the user's code
        exam.judge(running.RULES, Attempt(part="the loss", error=said(error), place=place(error)))
        exam.program = replace(exam.program, loss=None)
        return
    exam.judge(running.RULES, Attempt(part="the loss", shape=tuple(value.shape), finite=bool(value.isfinite().all())))


def told_loss(exam: Examination) -> Callable[[Tensor, Tensor], Tensor]:
    """The user's loss of one tensor, put where the user's loss looks for it; a known module stays itself."""
    program, loss = exam.program, exam.program.loss
    if isinstance(exam.answer, Tensor) and loss is not None:
        return loss
    return lambda outputs, target: program.cost(with_tensor(exam.answer, outputs), target)


def examine_labels(exam: Examination) -> None:
    """Judge class numbers, where the loss takes them."""
    target, out = exam.rows.target, exam.outputs
    rules = (input.label_out_of_range, input.unshuffled_batch)
    takes_classes = exam.kind is None or exam.kind.name in {"cross-entropy", "negative-log-likelihood"}
    if out is None or out.ndim != 2 or not takes_classes or target.ndim != 1 or target.is_floating_point():
        exam.skip(rules, "the targets are not one class number for each sample")
        return
    from epochal.checks.batch import describe_batch

    known = target[target != -100]  # what torch's own losses ignore
    exam.judge(rules, describe_batch(torch.zeros(len(known), 1), known, prior=shares(exam, classes=out.shape[1])))


def shares(exam: Examination, *, classes: int) -> list[float]:
    """Class shares of the training samples that were seen, smoothed by one sample in all."""
    source = exam.rows if exam.train is None else exam.train
    labels = source.target
    labels = labels[(labels >= 0) & (labels < classes)].long().cpu()
    counts = torch.bincount(labels, minlength=classes).double() + 1 / classes
    return list((counts / counts.sum()).tolist())


def examine_fit(exam: Examination) -> None:
    """Judge how outputs, loss and targets fit together."""
    from epochal.checks.probing import probe_outputs

    rules: tuple[Rule[Any], ...] = outputs.RULES
    if not exam.runs:
        exam.skip(rules, "the model does not run")
        return
    if exam.kind is None:
        why = "no loss that runs was given" if exam.program.loss is None else "the loss is none of those that are known"
        exam.skip([each for each in rules if each is not outputs.constant_output], why)
        rules = (outputs.constant_output,)
    with exam.trying(rules):
        exam.judge(rules, probe_outputs(exam.program.twin(), exam.few, kind=exam.kind))


def examine_gradients(exam: Examination) -> None:
    """Judge where gradients arrive, and who is stepped."""
    from epochal.checks.probing import probe_gradients

    if not exam.runs or not exam.has_loss:
        exam.skip(ownership.RULES, "the model does not run" if not exam.runs else "there is no loss to send back")
        return
    left_out: list[Rule[Any]] = []
    if exam.program.optimizer is None:
        about_optimizer = [ownership.another_model, ownership.outside_optimizer, ownership.owned_twice]
        left_out += [*about_optimizer, ownership.frozen_in_optimizer]
        exam.skip(left_out, "no optimizer was given")
    if not exam.last_batch:
        left_out.append(ownership.last_batch_of_one)
        exam.skip([ownership.last_batch_of_one], "no loader that tells its length and batch size was given")
    rules = [each for each in ownership.RULES if each not in left_out]
    with exam.trying(rules):
        exam.judge(rules, probe_gradients(exam.program.twin(), exam.few, last_batch=exam.last_batch))


def examine_steps(exam: Examination) -> None:
    """Judge a few steps of the program's own optimizer."""
    needed = (exam.runs, exam.has_loss, exam.program.optimizer is not None)
    if not all(needed):
        exam.skip(own_steps.RULES, "model, loss and optimizer are needed, and must run")
        return
    if any(each.rule in {"nothing-trains", "optimizer-of-another-model"} for each in exam.findings):
        exam.skip(own_steps.RULES, "its steps move nothing of this model")
        return
    with exam.trying(own_steps.RULES):
        exam.judge(own_steps.RULES, own_steps.take_own_steps(exam.program, exam.rows, seconds=exam.left * 0.9))


UNSEEN = (
    ("zero_grad, train and eval in your loop", "the loop itself is no part of what was handed over"),
    ("what needs epochs: over-fitting, stalls, late divergence", "only single batches were trained on"),
)
