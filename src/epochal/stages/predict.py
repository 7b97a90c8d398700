"""Classes and probabilities for new images, from a run's model file alone."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8

from epochal.data.catalogue import catalogue
from epochal.data.decode import decode
from epochal.data.entries import Entry, Source, Unreadable
from epochal.data.sources import open_source
from epochal.errors import DataError, MissingExtra, SettingError
from epochal.stages.artifact import Deployed, Facts, load_model
from epochal.stages.folder import existing_run
from epochal.writing import write_atomically

if TYPE_CHECKING:
    from epochal.stages.progress import Progress

KINDS = ("csv", "json", "parquet")
_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One file: its class and that class's probability, or what is wrong with it."""

    file: str
    predicted: str | None
    probability: float | None
    problem: str | None = None


def predict_files(run: Path, images: Path, *, progress: Progress | None = None) -> list[Prediction]:
    """The predictions of the run's model for every image at `images`, in the order of their names.

    Raises: RunError if there is no run, CheckpointError if it has no sound model, DataError if there are no images.
    """
    folder = existing_run(run)
    model, facts = load_model(folder.model)
    deployed = Deployed(model, facts).eval()
    source = open_source(images)
    entries = catalogue(source, labelled=False).entries
    if not entries:
        raise DataError(f"There is no image in {images}.", expected="at least one picture.", remedy="check the path.")
    done: list[Prediction] = []
    for batch in _batches(entries):
        done += _predict(deployed, facts, source=source, batch=batch)
        if progress is not None:
            progress.update(f"{len(done):,} of {len(entries):,} images", done=len(done) / len(entries))
    if progress is not None:
        progress.close()
    return done


def _batches(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    for start in range(0, len(entries), _BATCH):
        yield entries[start : start + _BATCH]


def _predict(model: Deployed, facts: Facts, *, source: Source, batch: Sequence[Entry]) -> list[Prediction]:
    pixels: list[UInt8[np.ndarray, "h w c"]] = []
    problems: dict[str, str] = {}
    for entry in batch:
        try:
            pixels.append(
                decode(
                    source.read(entry),
                    size=(facts.image_size, facts.image_size),
                    channels=facts.channels,
                    key=entry.key,
                ).pixels
            )
        except Unreadable as error:
            problems[entry.key] = str(error)
    probabilities = iter(_probabilities(model, pixels))
    rows = []
    for entry in batch:
        if entry.key in problems:
            rows.append(Prediction(file=entry.key, predicted=None, probability=None, problem=problems[entry.key]))
            continue
        row = next(probabilities)
        said = int(row.argmax())
        rows.append(Prediction(file=entry.key, predicted=facts.kind.names[said], probability=round(float(row[said]), 6)))
    return rows


@torch.inference_mode()
def _probabilities(model: Deployed, pixels: Sequence[UInt8[np.ndarray, "h w c"]]) -> Float32[np.ndarray, "n k"]:
    if not pixels:
        return np.zeros((0, 1), np.float32)
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255
    said: Float32[np.ndarray, "n k"] = model(images).softmax(1).numpy()
    return said


def write_predictions(rows: Sequence[Prediction], *, kind: str, output: Path | None) -> None:
    """Write the table as csv, json or parquet; to standard output without a path.

    Raises: SettingError for another kind, or parquet without a path; MissingExtra for parquet without pyarrow.
    """
    if kind not in KINDS:
        raise SettingError(f"The format is {kind!r}.", expected=f"one of {', '.join(KINDS)}.", remedy="--format csv")
    if kind == "parquet":
        _write_parquet(rows, output)
        return
    text = (
        _as_csv(rows)
        if kind == "csv"
        else json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False) + "\n"
    )
    if output is None:
        sys.stdout.write(text)
    else:
        write_atomically(output, text)


def _as_csv(rows: Sequence[Prediction]) -> str:
    buffer = io.StringIO()
    table = csv.DictWriter(buffer, fieldnames=["file", "predicted", "probability", "problem"], lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(row) for row in rows)
    return buffer.getvalue()


def _write_parquet(rows: Sequence[Prediction], output: Path | None) -> None:
    if output is None:
        raise SettingError(
            "Parquet is not text.", expected="a file to write it to.", remedy="--output predictions.parquet"
        )
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra.of("pyarrow", extra="parquet", needed_for="Parquet files") from error
    columns: dict[str, list[Any]] = {
        name: [getattr(row, name) for row in rows] for name in ("file", "predicted", "probability", "problem")
    }
    buffer = io.BytesIO()
    parquet.write_table(pa.table(columns), buffer)
    write_atomically(output, buffer.getvalue())
