"""The whole way, from images to a verified model: reads as the sentence that it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epochal.data.sources import Source, open_source
from epochal.errors import BudgetError, CheckFailed, EpochalError, SettingError
from epochal.recipe.config import Settings
from epochal.recipe.duration import format_duration
from epochal.stages.baseline import fit_baselines
from epochal.stages.evaluate import evaluate
from epochal.stages.folder import RunFolder, choose_folder
from epochal.stages.foothold import foothold
from epochal.stages.inspect import inspect
from epochal.stages.progress import Progress
from epochal.stages.report import tell_verdict, write_report
from epochal.stages.session import Session, refuse_inside
from epochal.stages.skeleton import check_skeleton
from epochal.stages.train import train_network

DONE, STOPPED, OUT_OF_TIME = 0, CheckFailed.exit_code, BudgetError.exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run left behind.

    `result` is the content of `summary.json`; None if nothing was evaluated.
    """

    folder: RunFolder
    exit_code: int
    result: Mapping[str, Any] | None


def start(
    source: str | Path,
    settings: Settings,
    *,
    out: Path | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
    started: float | None = None,
) -> Outcome:
    """Begin or continue the run that answers this request, and take it to its end.

    Raises: DataError, SettingError or RunError before anything is written if the request cannot be answered at all.
    """
    begun = time.monotonic() if started is None else started
    opened = open_source(source)
    where = canonical(opened.where)
    request = {
        "source": where,
        "settings": {key: settings.recipe[key] for key in sorted(settings.chosen)},
    }
    folder = choose_folder(request, name=opened.name, out=out, root=Path("runs"), fresh=fresh)
    refuse_inside(folder.path, where)
    with folder.locked():
        session = Session(folder, settings, request=request, progress=progress, started=begun)
        try:
            return _finish(session, opened)
        finally:
            session.progress.close()


def canonical(where: str) -> str:
    """One spelling for one place, so that the same data are known again from another working directory.

    >>> canonical("digits")
    'digits'
    """
    return where if where == "digits" else str(Path(where).expanduser().resolve())


def _finish(session: Session, source: Source) -> Outcome:
    """Walk, and leave findings and a report behind whatever happens on the way."""
    code = DONE
    try:
        if session.journal.finished("evaluate"):
            session.progress.line(f"This run is finished; shown again from {session.folder.path}. A new one: --fresh")
        else:
            code = walk(session, source)
    except EpochalError as error:
        session.journal.write(
            "stop", stage="run", error=type(error).__name__, happened=error.happened, remedy=error.remedy
        )
        raise
    finally:
        session.save_findings()
        write_report(session.folder)
    tell_verdict(session)
    return Outcome(folder=session.folder, exit_code=code, result=session.folder.result())


def walk(session: Session, source: Source) -> int:
    """The stages in the guide's order; gives the exit code."""
    _say_hello(session)
    session.decide("task", "classification", reason="one folder per class", origin="measured")
    foothold(session, source)
    inspected = inspect(session, source)
    check_skeleton(session, inspected)
    fit_baselines(session, inspected)
    trained = train_network(session, inspected)
    evaluate(session, inspected)
    return DONE if trained else OUT_OF_TIME


def _say_hello(session: Session) -> None:
    verb = "Continuing" if session.resumed else "Starting"
    session.progress.line(
        f"{verb} {session.folder.path}: {session.source}, budget {format_duration(session.budget)}"
        + (f", {format_duration(max(session.left, 0))} left" if session.resumed else "")
    )
    if session.recipe.task not in {"auto", "classification"}:
        raise SettingError(
            f"The task is {session.recipe.task}.", expected="classification.", remedy="leave --task out."
        )
