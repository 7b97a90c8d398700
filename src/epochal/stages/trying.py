"""Experiments of learning on somebody's program: its first loss, its repetition, one batch, seeing against blind."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from epochal.checks import experiments, first_loss, initial_state, learning, trials
from epochal.checks.construction import ARCHITECTURE_RULES, norms_decayed
from epochal.checks.first_loss import FirstLoss
from epochal.checks.program import Picking, Program, Rows
from epochal.checks.trials import Caps
from epochal.findings import Rule, Severity
from epochal.stages.examination import shares, told_loss

if TYPE_CHECKING:
    from epochal.stages.examination import Examination

_CLASSES = "cross-entropy"
_RATES = (trials.RATE, 10 * trials.RATE, 100 * trials.RATE)  # small networks on values need long steps
_AT_LEAST = 100  # held-out samples
_STEPS = 600
_FAR_OFF = 3.0  # first loss over that of even answers; a head by He's initialisation measures up to 2
_VALUES = frozenset({"squared-error", "absolute-error", "smooth-absolute-error"})


def examine_architecture(exam: Examination) -> None:
    """Judge how the network is built."""
    images = exam.rows.images
    if images is None or not exam.runs:
        exam.skip(ARCHITECTURE_RULES, "the network's layers can be followed from one tensor of numbers only")
        return
    from epochal.checks.architecture import describe_architecture

    rules: tuple[Rule[Any], ...] = ARCHITECTURE_RULES
    if exam.program.optimizer is None:
        rules = tuple(each for each in rules if each is not norms_decayed)
        exam.skip([norms_decayed], "no optimizer was given")
    with exam.trying(rules):
        twin = exam.program.twin()
        model = Picking(twin, exam.few)
        seen = describe_architecture(model, images, batch_size=exam.rows.count, optimizer=twin.optimizer)
        exam.judge(rules, seen)


def examine_first_loss(exam: Examination) -> None:
    """Judge the loss before the first step, for losses whose best blind answer is known."""
    rules = (*initial_state.LOSS_RULES, *first_loss.RULES)
    kind, target, out = exam.kind, exam.rows.target, exam.outputs
    if kind is None or out is None or exam.program.loss is None:
        exam.skip(rules, "without a known loss nobody can say what it should begin at")
        return
    model = Picking(exam.program.twin(), exam.rows)
    if kind.name == _CLASSES and out.ndim == 2 and target.ndim == 1:
        exam.skip(first_loss.RULES, "classes have a measure of their own, initial-loss-off")
        prior = shares(exam, classes=out.shape[1])
        smoothing = float(getattr(exam.program.loss, "label_smoothing", 0.0))
        with exam.trying(initial_state.LOSS_RULES):
            seen = experiments.initial_loss(
                model, model.given(), labels=target, loss=told_loss(exam), prior=prior, smoothing=smoothing
            )
            before = len(exam.findings)
            exam.judge(initial_state.LOSS_RULES, seen)
            if seen.expected < seen.measured < _FAR_OFF * seen.expected and not seen.summed:
                _soften(exam, before)
        return
    exam.skip(initial_state.LOSS_RULES, "the targets are not one class number for each sample")
    known = _VALUES | {"binary-cross-entropy-with-logits"}
    if kind.name not in known or tuple(target.shape) != (exam.rows.count, *out.shape[1:]) or out.ndim != 2:
        exam.skip(first_loss.RULES, "the best blind answer to this loss is not known")
        return
    with exam.trying(first_loss.RULES):
        before = len(exam.findings)
        exam.judge(first_loss.RULES, _against_constant(exam, model=model))
        _soften(exam, before)


def _soften(exam: Examination, before: int) -> None:
    """Make notes of what was found since: wide heads and unscaled targets are common, and most programs cope."""
    exam.findings[before:] = [
        each if each.severity is Severity.STOP else replace(each, severity=Severity.NOTE)
        for each in exam.findings[before:]
    ]


def _against_constant(exam: Examination, *, model: nn.Module) -> FirstLoss:
    assert exam.kind is not None, "asked before"
    assert isinstance(model, Picking), "made by the caller"
    target = exam.rows.target
    constant = _blind_answer(exam.kind.name, target)
    whole = target if exam.train is None else exam.train.target
    expected = exam.kind.per_sample(constant.expand(whole.shape), whole).double().mean()
    return first_loss.first_loss(
        model, model.given(), labels=target, loss=exam.kind.per_sample, constant=constant, expected=float(expected)
    )


def _blind_answer(kind: str, target: Tensor) -> Tensor:
    """The constant that costs least, for one sample."""
    values = target.detach().float()
    if kind == "absolute-error":
        return values.median(0).values
    mean = values.mean(0)
    return mean.clamp(1e-4, 1 - 1e-4).logit() if kind.startswith("binary") else mean


def examine_dependence(exam: Examination) -> None:
    """Judge whether one sample's output depends on another's input, and on its own."""
    rules = initial_state.DEPENDENCE_RULES
    images = exam.rows.images
    if images is None or not exam.runs or exam.rows.count < 2:
        exam.skip(rules, "needs two samples of one tensor of numbers, which can be differentiated")
        return
    eight = exam.rows.pick(torch.arange(min(8, exam.rows.count)))
    if exam.outputs is not None and exam.outputs.shape[:1] != (exam.few.count,):
        exam.skip(rules, "the outputs are not one for each sample")
        return
    with exam.trying(rules):
        twin = exam.program.twin()
        model = Picking(twin, eight)
        assert eight.images is not None, "asked before"
        exam.judge(rules, experiments.dependence(model, eight.images, asked=range(eight.count)))


def examine_repeat(exam: Examination) -> None:
    """Judge whether two steps from one seed give the same bits twice."""
    rules = initial_state.REPEAT_RULES
    if not exam.runs or exam.program.loss is None:
        exam.skip(rules, "model and loss are needed, and must run")
        return

    def run() -> dict[str, Tensor]:
        torch.manual_seed(0)
        twin = exam.program.twin()
        model = Picking(twin, exam.few)
        trainable = [each for each in model.parameters() if each.requires_grad]
        losses = {}
        for step in range(2):
            with torch.enable_grad():
                answer = twin.answer(exam.few)
                value = twin.cost(answer, exam.few.target).sum()
            losses[f"loss.{step}"] = value.detach()
            if not trainable or not value.requires_grad:
                break
            for each, found in zip(
                trainable, torch.autograd.grad(value, trainable, materialize_grads=True), strict=True
            ):
                each.data.sub_(1e-3 * found)
        return losses

    with exam.trying(rules):
        exam.judge(rules, experiments.repeat(run))


def examine_batch_fit(exam: Examination, *, seconds: float) -> None:
    """Judge whether a few samples can be learnt by heart, at one of three rates."""
    rules = learning.FIT_RULES
    target = exam.rows.target
    if not exam.runs or exam.program.loss is None or not isinstance(target, Tensor):
        exam.skip(rules, "model, loss and a target are needed, and must run")
        return
    with exam.trying(rules):
        eight = exam.rows.pick(_different(exam.rows, most=_worth_learning(exam.program)))
        best: learning.BatchFit | None = None
        for rate in _RATES:
            if seconds <= 0:
                break
            model = Picking(exam.program.twin(), eight)
            fit = trials.fit_batch(
                partial(_itself, model),
                model.given(),
                labels=eight.target,
                loss=_unsmoothed(exam),
                caps=Caps(steps=_STEPS, seconds=seconds, rate=rate),
            )
            seconds -= fit.seconds
            if best is None or (fit.last == fit.last and fit.last < best.last):
                best = fit
            if fit.ended == "fitted" or not fit.moved:
                best = fit
                break
        if best is not None:
            exam.judge(rules, best)


def _unsmoothed(exam: Examination) -> Callable[[Tensor, Tensor], Tensor]:
    """The user's loss, without label smoothing, under which nothing is ever known by heart."""
    if exam.kind is not None and float(getattr(exam.program.loss, "label_smoothing", 0)):
        return exam.kind.per_sample
    return told_loss(exam)


def _itself(model: nn.Module) -> nn.Module:
    return model


def _worth_learning(program: Program) -> int:
    """Eight samples; fewer where the network has too few weights to know them by heart."""
    assert program.model is not None, "who asks has looked"
    weights = sum(each.numel() for each in program.model.parameters())
    return 8 if weights > 1000 else 4 if weights > 200 else 2


def _different(rows: Rows, *, most: int) -> Tensor:
    """The first samples that differ from each other, of different targets where there are such."""
    images = rows.images
    chosen: list[int] = []
    seen: list[Tensor] = []
    for row in range(rows.count):
        own = images[row] if images is not None else torch.tensor(float(row))
        if not any(torch.equal(own, other) for other in seen):
            chosen.append(row)
            seen.append(own)
        if len(chosen) == most:
            break
    return torch.tensor(chosen)


def examine_sight(exam: Examination, *, seconds: float) -> None:
    """Judge whether seeing the inputs helps on held-out samples."""
    rules = learning.INPUT_RULES
    train, held, kind = exam.train, exam.held, exam.kind
    enough = held is not None and held.count >= _AT_LEAST
    if train is None or held is None or not enough or kind is None or exam.outputs is None:
        exam.skip(rules, f"needs a known loss, training samples and {_AT_LEAST} held-out ones")
        return
    classes = kind.name == _CLASSES and exam.outputs.ndim == 2 and exam.rows.target.ndim == 1
    if not classes and (kind.name not in _VALUES or train.target.shape[1:] != exam.outputs.shape[1:]):
        exam.skip(rules, "compared for class numbers and values only")
        return
    scale = 1.0 if classes else float(train.target.float().var()) or 1.0
    both = Rows(inputs=train.inputs, target=train.target)
    joined = _both(both, held)
    model = Picking(exam.program.twin(), joined)
    given = model.given()
    n = train.count
    with exam.trying(rules):
        trial = trials.input_dependence(
            lambda: copy.deepcopy(model),
            train=(given[:n], train.target),
            held=(given[n:], held.target),
            loss=lambda z, y: kind.per_sample(z, y) / scale,
            caps=Caps(steps=400, seconds=seconds),
            constant=None if classes else _blind_answer(kind.name, train.target),
        )
        exam.judge(rules, trial)


def _both(left: Rows, right: Rows) -> Rows:
    from epochal.checks.program import gather

    joined = gather([left, right], most=left.count + right.count)
    assert joined is not None, "both have samples"
    return joined
