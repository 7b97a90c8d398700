"""Check somebody's own training program before its first step: `epochal check`, and `epochal.check` from Python."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from epochal.checks.preserving import preserved
from epochal.checks.program import Program, Rows, gather, is_used_up, split_batch
from epochal.errors import SettingError
from epochal.findings import Rule
from epochal.stages import examination, trying
from epochal.stages.examination import Examination
from epochal.stages.explain import known_rules
from epochal.stages.verdict import Report, parted

_BATCH, _TRAIN, _HELD = 64, 1024, 512


def check_program(
    program: Program,
    *,
    seconds: float = 10.0,
    ignore: Sequence[str] = (),
    select: Sequence[str] = (),
) -> Report:
    """Run every experiment that the parts allow, and leave all of them as they were.

    Units: `seconds` caps the trials of learning; loading and probing come on top.
    Raises: SettingError where there is nothing to check, or a rule's name is not known.
    """
    began = time.perf_counter()
    wanted = _choice(ignore=ignore, select=select)
    if program.model is None and program.batch is None and program.train is None:
        raise SettingError(
            "There is nothing to check.",
            expected="at least a model and a batch, or a batch alone.",
            remedy="return a dict with model, data, loss and optimizer, or any of them.",
        )
    with preserved(program), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the user's program; what they mean is found by rules
        exam = _prepared(program, deadline=began + seconds, wanted=wanted)
        if exam.rows.count:
            _examine(exam)
        else:
            exam.not_checked.append(("everything", "no batch was given, and none could be drawn"))
    findings, consequences = parted(exam.findings)
    found = {each.rule for each in (*findings, *consequences)}
    return Report(
        findings=findings,
        consequences=consequences,
        passed=tuple(each for each in exam.passed if each not in found),
        not_checked=(*exam.not_checked, *examination.UNSEEN),
        seconds=time.perf_counter() - began,
    )


def _prepared(program: Program, *, deadline: float, wanted: Callable[[Rule[Any]], bool]) -> Examination:
    """Draw what is needed from batch and loaders, and copy it."""
    train, held, why = _drawn(program)
    rows = program.batch
    if rows is None:
        rows = Rows(inputs=torch.zeros(0)) if train is None else train.pick(torch.arange(min(_BATCH, train.count)))
    train, held = _parted(train, held)
    plain = replace(program, batch=None, train=None, validation=None)
    exam = Examination(program=plain, rows=rows, deadline=deadline, wanted=wanted, train=train, held=held)
    exam.not_checked += why
    exam.last_batch = _last_batch(program.train)
    return exam


def _drawn(program: Program) -> tuple[Rows | None, Rows | None, list[tuple[str, str]]]:
    """Training and held-out samples, and why there are none."""
    why: list[tuple[str, str]] = []
    drawn: list[Rows | None] = []
    for name, source, most in (("train", program.train, _TRAIN), ("validation", program.validation, _HELD)):
        if source is None:
            drawn.append(None)
        elif is_used_up(source):
            drawn.append(None)
            why.append((f"the samples of {name}", "looking at an iterator would use it up: hand over its loader"))
        else:
            try:
                drawn.append(gather(source, most=most))
            except Exception as error:  # noqa: BLE001  the user's code
                drawn.append(None)
                place = examination.place(error)
                why.append((f"the samples of {name}", f"{examination.said(error)} {'at ' + place if place else ''}"))
    return drawn[0], drawn[1], why


def _parted(train: Rows | None, held: Rows | None) -> tuple[Rows | None, Rows | None]:
    """Held-out samples from the training ones, where there are no others."""
    if train is not None and held is None and train.count >= 400:
        cut = train.count * 3 // 4
        order = torch.randperm(train.count, generator=torch.Generator().manual_seed(0))
        return train.pick(order[:cut]), train.pick(order[cut:])
    return train, held


def _last_batch(loader: Any) -> int:
    """Samples in the last batch of an epoch; 0 where nobody can tell."""
    size, dataset = getattr(loader, "batch_size", None), getattr(loader, "dataset", None)
    if not isinstance(size, int) or dataset is None or not hasattr(dataset, "__len__"):
        return 0
    rest = int(dataset.__len__()) % size
    return rest if rest and not getattr(loader, "drop_last", False) else size


def _examine(exam: Examination) -> None:
    """Every experiment, the cheap ones first."""
    examination.examine_batch(exam)
    if exam.program.model is None:
        exam.not_checked.append(("everything about the model", "no model was given"))
        return
    try:
        exam.program.twin()
    except Exception as error:  # noqa: BLE001  the user's objects
        exam.not_checked.append(("everything about the model", f"it cannot be copied: {examination.said(error)}"))
        return
    examination.examine_running(exam)
    examination.examine_fit(exam)
    examination.examine_gradients(exam)
    trying.examine_first_loss(exam)
    trying.examine_dependence(exam)
    trying.examine_architecture(exam)
    trying.examine_repeat(exam)
    trying.examine_batch_fit(exam, seconds=exam.left * 0.4)
    trying.examine_sight(exam, seconds=exam.left * 0.6)
    examination.examine_steps(exam)


def _choice(*, ignore: Sequence[str], select: Sequence[str]) -> Callable[[Rule[Any]], bool]:
    """Which rules are asked; names and codes both count."""
    known = {word for each in known_rules() for word in (each.name, each.code)}
    for name in (*ignore, *select):
        if name not in known:
            raise SettingError.unknown("rule", name, known=sorted(known))

    def wanted(each: Rule[Any]) -> bool:
        words = {each.name, each.code}
        return not words & set(ignore) and (not select or bool(words & set(select)))

    return wanted


def parts_of(given: Any) -> Program:
    """The parts of a program from what its builder returned: a dictionary, or an object with such attributes.

    Raises: SettingError for keys that mean nothing here.
    """
    from collections.abc import Mapping

    names = ("model", "data", "batch", "train", "validation", "loss", "loss_fn", "criterion", "optimizer")
    if isinstance(given, Mapping):
        strange = [str(key) for key in given if key not in names]
        if strange:
            raise SettingError.unknown("part of the program", strange[0], known=names)
        parts = dict(given)
    elif isinstance(given, torch.nn.Module) and not any(hasattr(given, name) for name in names):
        parts = {"model": given}
    else:
        parts = {name: getattr(given, name) for name in names if getattr(given, name, None) is not None}
    data = parts.get("batch", parts.get("data"))
    is_batch = isinstance(data, torch.Tensor | tuple | Mapping) or hasattr(data, "__dataclass_fields__")
    loss = next((parts[name] for name in ("loss", "loss_fn", "criterion") if parts.get(name) is not None), None)
    return Program(
        model=parts.get("model"),
        batch=split_batch(data) if is_batch else None,
        loss=loss,
        optimizer=parts.get("optimizer"),
        train=parts.get("train") if is_batch or parts.get("train") is not None else data,
        validation=parts.get("validation"),
    )
