"""What the model says of new images, from a run's model file alone: one flat row for each file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from jaxtyping import Num, UInt8
from torch import nn

from epochal.data.catalogue import catalogue
from epochal.data.decode import decode
from epochal.data.entries import Entry, Source, Unreadable
from epochal.data.sources import open_source
from epochal.errors import DataError, SettingError
from epochal.stages.artifact import Deployed, Facts, load_model
from epochal.stages.folder import existing_run
from epochal.stages.segment import mask_names, refuse_inside, see, segment, shares_of, write_mask

if TYPE_CHECKING:
    from epochal.stages.progress import Progress

Row = dict[str, Any]
Answers = Iterator[list[Row]]
Seen = TypeVar("Seen")
MASKS = "masks"
_BATCH = 256


def predict_files(
    run: Path, images: Path, *, output: Path | None = None, progress: Progress | None = None
) -> list[Row]:
    """The predictions of the run's model for every image at `images`, in the order of their names.

    Each row has `file`, the columns of the task, and `problem`, which is None for files that can be read; for others
    the columns of the task are None. Where the answer is a mask for each image, these are written to the folder
    `masks` of `output`, and the column `mask` tells where.

    Raises: RunError if there is no run, CheckpointError if it has no sound model, DataError if there are no images,
    SettingError where masks have no folder to go to, or one among the images.
    """
    model, facts = load_model(existing_run(run).model)
    deployed = Deployed(model, facts).eval()
    deployed.decoder = nn.Identity()  # a task reads its network's outputs as they are
    if facts.kind.dense:
        output = _folder_for_masks(output, images=images)
    source = open_source(images)
    entries = catalogue(source, labelled=False).entries
    if not entries:
        raise DataError(f"There is no image in {images}.", expected="at least one picture.", remedy="check the path.")
    answers = (
        _masks(deployed, facts, source=source, entries=entries, folder=output)
        if output is not None and facts.kind.dense
        else _rows(deployed, facts, source=source, entries=entries)
    )
    done: list[Row] = []
    for rows in answers:
        done += rows
        if progress is not None:
            progress.update(f"{len(done):,} of {len(entries):,} images", done=len(done) / len(entries))
    if progress is not None:
        progress.close()
    return done


def _folder_for_masks(output: Path | None, *, images: Path) -> Path:
    if output is None:
        raise SettingError(
            "This model answers with a mask for each image, and there is no place for them.",
            expected="a folder to write masks and table to.",
            remedy="--output out/",
        )
    refuse_inside(output, images)
    return output


def _row(entry: Entry, answer: Mapping[str, Any], *, problem: str | None = None) -> Row:
    """One row; of a file with a problem every column is None."""
    known = answer if problem is None else dict.fromkeys(answer)
    return {"file": entry.key, **known, "problem": problem}


def _rows(model: Deployed, facts: Facts, *, source: Source, entries: Sequence[Entry]) -> Answers:
    """Rows in batches, for tasks with one answer per image."""
    task = facts.kind
    blank = task.predicted(np.zeros((1, task.outputs), np.float32))[0]  # for its columns
    for start in range(0, len(entries), _BATCH):
        batch = entries[start : start + _BATCH]
        pixels, problems = _read(source, batch, decoder=lambda data, key: _square(data, facts=facts, key=key))
        answers = iter(task.predicted(_outputs(model, list(pixels.values()))) if pixels else ())
        yield [
            _row(entry, blank if entry.key in problems else next(answers), problem=problems.get(entry.key))
            for entry in batch
        ]


def _masks(model: Deployed, facts: Facts, *, source: Source, entries: Sequence[Entry], folder: Path) -> Answers:
    """Rows one by one, the mask of each on disk before its row is told."""
    classes = facts.kind.names
    names = mask_names(entry.key for entry in entries)
    blank = {"mask": None, **dict.fromkeys(f"share.{name}" for name in classes)}
    for entry in entries:
        seen, problems = _read(source, [entry], decoder=lambda data, key: see(data, facts=facts, key=key))
        if problems:
            yield [_row(entry, blank, problem=problems[entry.key])]
            continue
        mask = segment(model, seen[entry.key])
        path = Path(MASKS) / names[entry.key]
        write_mask(mask, folder / path, classes=len(classes))
        yield [_row(entry, {"mask": path.as_posix(), **shares_of(mask, classes=classes)})]


def _read(
    source: Source, batch: Sequence[Entry], *, decoder: Callable[[bytes, str], Seen]
) -> tuple[dict[str, Seen], dict[str, str]]:
    """What the decoder makes of each file, and what is wrong with the others."""
    found: dict[str, Seen] = {}
    problems: dict[str, str] = {}
    for entry in batch:
        try:
            found[entry.key] = decoder(source.read(entry), entry.key)
        except Unreadable as error:
            problems[entry.key] = str(error)
    return found, problems


def _square(data: bytes, *, facts: Facts, key: str) -> UInt8[np.ndarray, "h w c"]:
    return decode(data, size=facts.size, channels=facts.channels, key=key).pixels


@torch.inference_mode()
def _outputs(model: Deployed, pixels: Sequence[UInt8[np.ndarray, "h w c"]]) -> Num[np.ndarray, "n k"]:
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255
    said: Num[np.ndarray, "n k"] = model(images).numpy()
    return said
