"""Stage 1: become one with the data. Every file decoded once, measured, judged, and put on its side of the split."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from epochal.checks import distribution, duplicates, files
from epochal.checks.listing import named
from epochal.data.catalogue import Catalogue, catalogue
from epochal.data.listing import changes, pack
from epochal.data.loader import ArrayLoader
from epochal.data.scan import Scan, scan
from epochal.data.split import Samples, Splits, assign_splits, divide
from epochal.data.table import SampleTable
from epochal.data.table_file import to_csv
from epochal.errors import DataError, RunError
from epochal.stages.artifact import NETWORKS
from epochal.stages.roles import LARGE, network_for
from epochal.stages.runtime import settle_runtime
from epochal.stages.session import stop_on
from epochal.tasks.classification import Classification
from epochal.tasks.task import Task
from epochal.training.runtime import Runtime
from epochal.writing import write_atomically

if TYPE_CHECKING:
    from epochal.data.entries import Source
    from epochal.stages.session import Session

RULES = (*files.RULES, *duplicates.RULES, *distribution.RULES)
_LISTED = 200  # problem files, and groups of duplicates, that go to the journal
_MEASURED_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inspected:
    """What the later stages know of the data.

    Units: `mean` and `std` per channel, of pixels in [0, 1], from the training split alone.
    """

    table: SampleTable
    splits: Splits
    task: Task
    size: tuple[int, int]  # height and width
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    carved: tuple[str, ...]  # splits that no folder gave
    runtime: Runtime

    @property
    def image_size(self) -> int:
        """The longer side."""
        return max(self.size)

    @property
    def train(self) -> Samples:
        """What may be fitted."""
        return self.splits.train

    @property
    def val(self) -> Samples:
        """What decides between models."""
        return self.splits.val

    def loader(
        self,
        samples: Samples,
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = False,
        drop_last: bool = False,
        weights: Float64[np.ndarray, " n"] | None = None,
    ) -> ArrayLoader:
        """Batches of `samples` as the networks receive them; `weights` say how often each of them is drawn."""
        return ArrayLoader(
            samples.images,
            samples.labels,
            samples.index,
            batch_size=max(1, min(batch_size, len(samples))),
            seed=seed,
            mean=self.mean,
            std=self.std,
            shuffle=shuffle,
            drop_last=drop_last,
            weights=weights,
            device=self.runtime.device,
        )


def inspect(session: Session, source: Source | Catalogue) -> Inspected:
    """Decode or restore the samples, judge them, and settle splits and arithmetic.

    Raises: DataError where nothing can be learned from, RunError if the data changed since this run began,
    CheckFailed if a rule says that training would be a waste.
    """
    if session.journal.finished("inspect"):
        return _inspected(session, source)[0]
    with session.stage("inspect", title="Inspecting the data"):
        inspected, scanned = _inspected(session, source)
        _measure(session, inspected, scanned=scanned)
        findings = session.judge(RULES, inspected.table)
        to_csv(inspected.table, session.folder.samples)
        stop_on(findings)
    return inspected


def _inspected(session: Session, source: Source | Catalogue) -> tuple[Inspected, Scan]:
    pictures = source if isinstance(source, Catalogue) else catalogue(source)
    _refuse_changed(session, pictures)
    scanned = _scan(session, pictures)
    recipe = session.recipe
    given = {scanned.table[row].split for row in range(len(scanned.table))}
    table = assign_splits(
        scanned.table,
        seed=recipe.seed,
        val=recipe.data.validation_fraction if "data.validation_fraction" in session.chosen else None,
        test=recipe.data.test_fraction if "data.test_fraction" in session.chosen else None,
    )
    _refuse_too_few(table)
    images = scanned.images.array
    splits = divide(table, images, on_open=lambda _count, reason: _opened(session, reason))
    task = Classification.of(table.classes, splits.train.targets)
    moments = Scan(catalogue=scanned.catalogue, table=table, images=scanned.images).moments
    mean, std = tuple(moments.mean.tolist()), tuple(np.maximum(moments.std, 1e-3).tolist())
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


def _scan(session: Session, pictures: Catalogue) -> Scan:
    wanted = session.recipe.data.image_size
    fixed = "data.image_size" in session.chosen or session.journal.finished("inspect")

    def progress(done: int, total: int) -> None:
        session.progress.update(f"{done:,} of {total:,} files decoded", done=done / total)

    scanned = scan(pictures, size=wanted if fixed else None, progress=progress)
    side = scanned.images.array.shape[1]
    session.decide(
        "data.image_size",
        side,
        reason="from the sizes of the images (W4.1)",
        evidence=_sizes(scanned.table)[:5],
    )
    if session.recipe.data.image_size != side:
        session.revise("data.image_size", side, reason="the data have changed since the last start")
    return scanned


def _refuse_changed(session: Session, pictures: Catalogue) -> None:
    """A run continues on the data it began with, or not at all; until they are inspected they may be mended.

    Raises: RunError, naming some of what changed.
    """
    now, listing = pack(pictures.entries), session.folder.listing
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


def _refuse_too_few(table: SampleTable) -> None:
    """Stop before any work where nothing could be told apart, or nothing could be judged.

    Raises: DataError.
    """
    problems = table.problems
    unread = f" {len(problems):,} files cannot be read, such as {table.keys[min(problems)]}." if problems else ""
    seen = [name for name, count in table.counts("train").items() if count]
    if len(seen) < 2:
        raise DataError(
            f"Only one class has images to train on: {seen[0]}.{unread}",
            expected="two classes or more, with a few images each.",
            remedy="look at the folders, and at the files that cannot be read.",
        )
    for split in ("val", "test"):
        if not len(table.index(split)):
            raise DataError(
                f"There are too few different images to hold some back: none is left for {split}.{unread}",
                expected="at least three different images of each class, better dozens; copies count once.",
                remedy="add images.",
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
    batch = loader.batch(train.index[:_MEASURED_BATCH])
    _, channels, height, width = batch.images.shape
    model = NETWORKS[network_for(task, LARGE)](
        channels_in=channels, classes=task.outputs, image_size=max(height, width)
    )
    return settle_runtime(session, model, batch=batch, loss=task.loss())


def _measure(session: Session, inspected: Inspected, *, scanned: Scan) -> None:
    """Write down what the report shows of the data."""
    table = inspected.table

    def measure(name: str, value: object, *, note: str = "") -> None:
        session.measure(name, value, note=note)

    measure("data.source", session.source)
    measure("data.classes", list(inspected.task.names))
    measure("data.splits", {split: table.counts(split) for split in ("train", "val", "test")})
    measure("data.carved", list(inspected.carved), note="splits that no folder gave, carved from train by class")
    measure("data.image_size", inspected.image_size)
    measure("data.input_size", list(inspected.size), note="height and width of the network's input")
    measure("data.channels", inspected.channels)
    measure("data.sizes", _sizes(table))
    measure("data.modes", dict(Counter(table.modes)))
    measure("data.formats", dict(Counter(table.formats)))
    measure("data.mean", list(inspected.mean))
    measure("data.std", list(inspected.std))
    measure(
        "data.problems",
        [{"key": table.keys[row], "problem": problem} for row, problem in sorted(table.problems.items())][:_LISTED],
    )
    measure("data.duplicates", _duplicates(table))
    measure("data.ignored", list(scanned.catalogue.ignored[:_LISTED]), note="files that are no pictures")
    left_out = {"outside any class folder": scanned.catalogue.stray, "no pictures": scanned.catalogue.ignored}
    measure("data.stray", list(scanned.catalogue.stray[:_LISTED]), note="pictures outside any class folder, left out")
    for why, keys in left_out.items():
        if keys:
            session.progress.line(f"  left out, {why}: {named(keys)}")
    for remark in scanned.remarks:
        session.progress.line(f"  {remark}")
    train, val = len(inspected.train), len(inspected.val)
    session.progress.line(
        f"  {len(table.index()):,} images, {_told(inspected.task)}: {train:,} to train, {val:,} to validate,"
        f" {len(inspected.splits.test):,} sealed for the test" + (" (from the cache)" if scanned.from_cache else "")
    )


def _told(task: Task) -> str:
    """What there is to tell apart, or to measure."""
    return ", ".join(task.names) if task.name == "regression" else f"{len(task.names)} classes"


def _sizes(table: SampleTable) -> list[list[int]]:
    """Width, height and count of each size, the most frequent first."""
    usable = table.index()
    counts = Counter(zip(table.widths[usable].tolist(), table.heights[usable].tolist(), strict=True))
    return [[width, height, count] for (width, height), count in counts.most_common(12)]


def _duplicates(table: SampleTable) -> dict[str, list[list[str]]]:
    """Groups of images with the same pixels, inside a split and across splits."""
    rows = table.index()
    groups: dict[bytes, list[int]] = {}
    for row, name in zip(rows.tolist(), table.pixel_hashes[rows], strict=True):
        groups.setdefault(name.tobytes(), []).append(row)
    found: dict[str, list[list[str]]] = {"across": [], "within": []}
    for group in groups.values():
        if len(group) > 1:
            kind = "across" if len(set(table.split_codes[group].tolist())) > 1 else "within"
            found[kind].append([table.keys[row] for row in group])
    return {kind: each[:_LISTED] for kind, each in found.items()}
