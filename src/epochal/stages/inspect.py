"""Stage 1: become one with the data. Every file decoded once, measured, judged, and put on its side of the split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epochal.checks import distribution, duplicates, files
from epochal.data.catalogue import Catalogue, catalogue
from epochal.data.frames import neighbours
from epochal.data.listing import changes, pack
from epochal.data.loader import ArrayLoader
from epochal.data.scan import Scan, scan
from epochal.data.split import Splits, assign_splits, divide
from epochal.data.table_file import to_csv
from epochal.errors import RunError
from epochal.models.networks import build
from epochal.stages.census import sizes, take_census
from epochal.stages.inspected import Inspected
from epochal.stages.middle import middle
from epochal.stages.roles import LARGE, network_for
from epochal.stages.runtime import settle_runtime
from epochal.stages.session import stop_on
from epochal.stages.target import refuse_too_few, settle_task
from epochal.tasks.task import Task
from epochal.training.runtime import Runtime
from epochal.transforms.preprocessing import channel_scaling
from epochal.writing import write_atomically

if TYPE_CHECKING:
    from epochal.data.entries import Source
    from epochal.stages.session import Session

IMAGE_RULES = (*files.RULES, *duplicates.IMAGE_RULES, *distribution.IMAGE_RULES)
CLASS_RULES = (*files.RULES, *duplicates.RULES, *distribution.RULES)
_MEASURED_BATCH, _DENSE_BATCH = 256, 4
_DENSE_SIDE, _DENSE_WIDTH = 128, 32  # arithmetic is chosen on a part of large pictures: the choice is the same


def inspect(session: Session, source: Source | Catalogue) -> Inspected:
    """Decode or restore the samples, judge them, and settle splits and arithmetic.

    Raises: DataError where nothing can be learned from, RunError if the data changed since this run began,
    CheckFailed if a rule says that training would be a waste.
    """
    if session.journal.finished("inspect"):
        return _inspected(session, source)[0]
    with session.stage("inspect", title="Inspecting the data"):
        inspected, scanned = _inspected(session, source)
        take_census(session, inspected, scanned=scanned)
        rules = CLASS_RULES if inspected.task.name == "classification" else IMAGE_RULES
        findings = session.judge(rules, inspected.table)
        to_csv(inspected.table, session.folder.samples)
        stop_on(findings)
    return inspected


def _inspected(session: Session, source: Source | Catalogue) -> tuple[Inspected, Scan]:
    pictures = source if isinstance(source, Catalogue) else catalogue(source)
    _refuse_changed(session, pictures)
    scanned = _scan(session, pictures)
    recipe = session.recipe
    given = {scanned.table[row].split for row in range(len(scanned.table))}
    films = _are_films(session, scanned)
    table = assign_splits(
        scanned.table,
        seed=recipe.seed,
        films=films,
        val=recipe.data.validation_fraction if "data.validation_fraction" in session.chosen else None,
        test=recipe.data.test_fraction if "data.test_fraction" in session.chosen else None,
    )
    refuse_too_few(table, kind=pictures.kind)
    images = scanned.images.array
    splits = divide(table, images, targets=scanned.targets, on_open=lambda _count, reason: _opened(session, reason))
    task = settle_task(session, pictures.names, kind=pictures.kind, train=splits.train)
    moments = Scan(catalogue=scanned.catalogue, table=table, images=scanned.images).moments
    mean, std = channel_scaling(recipe.preprocessing.name, moments)
    runtime = _runtime(session, splits, task=task, mean=mean, std=std)
    return Inspected(
        table=table,
        splits=splits,
        task=task,
        size=(images.shape[1], images.shape[2]),
        channels=images.shape[3],
        mean=mean,
        std=std,
        carved=tuple(name for name in ("val", "test") if name not in given),
        runtime=runtime,
    ), scanned


def _are_films(session: Session, scanned: Scan) -> bool:
    """Whether files that follow each other in name are frames of one film, which must stay on one side of a split."""
    known = session.journal.measured("data.films")
    if known is None:
        found = neighbours(scanned.table, scanned.images.array)
        known = found.frames
        session.measure("data.films", known, note=found.sentence())
        if known:
            session.progress.line(f"  {found.sentence()}")
    return bool(known)


def _scan(session: Session, pictures: Catalogue) -> Scan:
    wanted = session.recipe.data.image_size
    fixed = "data.image_size" in session.chosen or session.journal.finished("inspect")

    def progress(done: int, total: int) -> None:
        session.progress.update(f"{done:,} of {total:,} files decoded", done=done / total)

    scanned = scan(pictures, size=wanted if fixed else None, progress=progress)
    side = max(scanned.images.array.shape[1:3])
    session.decide(
        "data.image_size",
        side,
        reason="from the sizes of the images (W4.1)",
        evidence=sizes(scanned.table)[:5],
    )
    if session.recipe.data.image_size != side:
        session.revise("data.image_size", side, reason="the data have changed since the last start")
    return scanned


def _refuse_changed(session: Session, pictures: Catalogue) -> None:
    """A run continues on the data it began with, or not at all; until they are inspected they may be mended.

    Raises: RunError, naming some of what changed.
    """
    now, listing = pack(pictures.files), session.folder.listing
    if not listing.exists() or not session.journal.finished("inspect"):
        write_atomically(listing, now)
        return
    found = changes(listing.read_bytes(), now)
    if found:
        raise RunError(
            f"The data have changed since {session.folder.path} began: {found.sentence()}.",
            expected="the same files as at the first start, so that the parts of a run belong together.",
            remedy="start a new run on the data as they are now with --fresh.",
        )


def _opened(session: Session, reason: str) -> None:
    """Count over all starts of the program: a killed evaluation has seen the test split, too."""
    count = 1 + sum(1 for _ in session.journal.select("opened"))
    session.write("opened", split="test", count=count, reason=reason)


def _runtime(
    session: Session, splits: Splits, *, task: Task, mean: tuple[float, ...], std: tuple[float, ...]
) -> Runtime:
    train = splits.train
    loader = ArrayLoader(
        train.images,
        train.labels,
        train.index,
        batch_size=_MEASURED_BATCH,
        mean=mean,
        std=std,
        seed=session.recipe.seed,
    )
    batch, options = loader.batch(train.index[: _DENSE_BATCH if task.dense else _MEASURED_BATCH]), {}
    if task.dense:
        batch, options = middle(batch, side=_DENSE_SIDE), {"width": _DENSE_WIDTH}
    _, channels, height, width = batch.images.shape
    model = build(network_for(task, LARGE), channels, task.outputs, image_size=max(height, width), **options)
    return settle_runtime(session, model, batch=batch, loss=task.loss())
