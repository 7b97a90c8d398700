"""The whole way, from images to a verified model: reads as the sentence that it is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epochal.data.catalogue import Catalogue, catalogue
from epochal.data.choosing import Kind
from epochal.data.sources import Source, open_source
from epochal.errors import BudgetError, CheckFailed, EpochalError, SettingError
from epochal.recipe.config import Settings
from epochal.recipe.duration import format_duration
from epochal.recipe.journal import Journal
from epochal.stages.adoption import mend
from epochal.stages.artifact import load_model
from epochal.stages.baseline import fit_baselines
from epochal.stages.evaluate import evaluate
from epochal.stages.folder import RunFolder, choose_folder
from epochal.stages.foothold import foothold
from epochal.stages.inspect import inspect
from epochal.stages.options import check_recipe_names, refuse_misfits
from epochal.stages.progress import Progress, Quiet
from epochal.stages.report import tell_verdict, write_report
from epochal.stages.session import Session, refuse_inside
from epochal.stages.settling import check_learning
from epochal.stages.skeleton import check_skeleton
from epochal.stages.train import train_network
from epochal.training.distributed import launched

DONE, STOPPED, OUT_OF_TIME = 0, CheckFailed.exit_code, BudgetError.exit_code
_STAMP = {"kind", "stage", "at", "time", "details"}  # what the journal adds to the content of `summary.json`


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run left behind.

    `result` is the content of `summary.json`, from the journal; None if nothing was evaluated.
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
    _refuse_many()
    check_recipe_names(settings.recipe)
    opened = open_source(source)
    pictures = catalogue(opened, task=_asked(settings))
    where = canonical(opened.where)
    request = {
        "source": where,
        "settings": {key: settings.recipe[key] for key in sorted(settings.chosen)},
    }
    folder = choose_folder(request, name=opened.name, out=out, root=Path("runs"), fresh=fresh)
    refuse_inside(folder.path, where)
    with folder.locked():
        shown = _show_again(folder, progress=progress or Quiet())
        if shown is not None:
            return shown
        session = Session(folder, settings, request=request, progress=progress, started=begun)
        try:
            return _finish(session, pictures)
        finally:
            session.progress.close()


def _asked(settings: Settings) -> Kind | None:
    """The task that the user names; None where the data shall say."""
    return None if settings.recipe.task == "auto" else settings.recipe.task


def _settle_kind(session: Session, pictures: Catalogue) -> None:
    """Say which task it is and why, once."""
    if session.recipe.task == "auto":
        if session.journal.last("decision", key="task", origin="measured") is None:
            session.write("decision", key="task", value=pictures.kind, origin="measured", reason=pictures.reason)
        session.recipe = session.recipe.replace({"task": pictures.kind})
    session.progress.line(f"  task: {pictures.kind}, {pictures.reason}")


def _refuse_many() -> None:
    """A run is one process; the engine below it trains in several.

    Raises: SettingError where a launcher has started more than one.
    """
    launch = launched()
    if launch is not None and launch.world_size > 1:
        raise SettingError(
            f"epochal run was started as {launch.world_size} processes.",
            expected="one: its stages write one journal.",
            remedy="start it without torchrun; epochal.training.loop trains in several processes from Python.",
        )


def canonical(where: str) -> str:
    """One spelling for one place, so that the same data are known again from another working directory.

    >>> canonical("digits")
    'digits'
    """
    return where if where == "digits" else str(Path(where).expanduser().resolve())


def _show_again(folder: RunFolder, *, progress: Progress) -> Outcome | None:
    """The outcome of a run that is finished already; the journal stays as it is. None if there is still work to do.

    Raises: CheckpointError if its model was lost or damaged since, and cannot be restored.
    """
    journal = Journal(folder.journal)
    if not journal.finished("evaluate"):
        return None
    try:
        progress.line(f"This run is finished; shown again from {folder.path}. A new one: --fresh")
        mend(folder, journal, progress=progress)
        load_model(folder.model)
        write_report(folder)
        tell_verdict(folder, journal.events, progress=progress)
    finally:
        progress.close()
    return _outcome(folder, journal)


def _finish(session: Session, source: Source | Catalogue) -> Outcome:
    """Walk, and leave findings and a report behind whatever happens on the way."""
    try:
        walk(session, source)
    except BaseException as error:
        with contextlib.suppress(OSError):  # on a full disk it is the first error that must be told
            if isinstance(error, EpochalError):
                session.write("stop", error=type(error).__name__, happened=error.happened, remedy=error.remedy)
            session.write("end", status=_status(error), reason=str(error), exit_code=getattr(error, "exit_code", 1))
            _leave_behind(session)
        raise
    code = DONE if session.journal.finished("train") else OUT_OF_TIME
    session.write("end", status="budget" if code == OUT_OF_TIME else "finished", exit_code=code)
    _leave_behind(session)
    tell_verdict(session.folder, session.journal.events, progress=session.progress)
    return _outcome(session.folder, session.journal)


def _status(error: BaseException) -> str:
    """How the report words an end before the last stage."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, CheckFailed):
        return "stopped"
    return "budget" if isinstance(error, BudgetError) else "failed"


def _leave_behind(session: Session) -> None:
    session.save_findings()
    write_report(session.folder)


def _outcome(folder: RunFolder, journal: Journal) -> Outcome:
    """Done, or the best so far where the time did not suffice to train."""
    code = DONE if journal.finished("train") else OUT_OF_TIME
    stamped = journal.last("result")
    return Outcome(
        folder=folder,
        exit_code=code,
        result=stamped and {key: value for key, value in stamped.items() if key not in _STAMP},
    )


def walk(session: Session, source: Source | Catalogue) -> None:
    """The stages in the guide's order.

    Raises: BudgetError if the budget is gone before there is any model, CheckFailed if going on would be a waste.
    """
    _say_hello(session)
    mend(session.folder, session.journal, progress=session.progress)
    _refuse_no_time(session)
    pictures = source if isinstance(source, Catalogue) else catalogue(source)
    _settle_kind(session, pictures)
    foothold(session, pictures)
    inspected = inspect(session, pictures)
    refuse_misfits(session, inspected)
    check_learning(session, inspected.task)
    check_skeleton(session, inspected)
    fit_baselines(session, inspected)
    train_network(session, inspected)
    evaluate(session, inspected)


def _say_hello(session: Session) -> None:
    verb = "Continuing" if session.resumed else "Starting"
    session.progress.line(
        f"{verb} {session.folder.path}: {session.source}, budget {format_duration(session.budget)}"
        + (f", {format_duration(max(session.left, 0))} left" if session.resumed else "")
    )


def _refuse_no_time(session: Session) -> None:
    """Raises: BudgetError if nothing is on disk and nothing can come."""
    if session.left > 0 or session.folder.model.exists():
        return
    raise BudgetError(
        f"The budget of {format_duration(session.budget)} ended before there was a model:"
        f" {format_duration(session.journal.spent)} went by.",
        expected="time to start the program, to decode the images and to fit a first model.",
        remedy="try --budget 1m, and more where there are many images.",
    )
