"""Journals of imagined runs of the other tasks: many labels for each image, measured values, masks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from report.clock import Clock, Event, check
from report.drawings import image, picture
from report.other_results import BASELINES, BUDGET, COURSES, LABELS, METRICS, PERIOD, STREET, evaluate

EPOCHS = 14
WHY = {
    "multi-label": "labels.csv gives each image any number of labels",
    "regression": "targets.csv gives each image a number",
    "segmentation": "each picture in images/ has a mask of the same name in masks/",
}


def run_of(task: str) -> list[Event]:
    """All events of a run of this task that finished, in order."""
    clock = Clock()
    source = {"multi-label": "holidays", "regression": "needle.zip", "segmentation": "camvid.zip"}[task]
    clock.write(
        "session",
        request={"source": source, "settings": {"budget_seconds": BUDGET}},
        argv=f"epochal run {source} --budget 5m",
        resumed=False,
        versions={"epochal": "0.1.0", "torch": "2.13.0"},
        machine={"system": "Linux", "cores": 2},
    )
    clock.measure("task", {"name": task, **METRICS[task]})
    clock.write("decision", key="task", value=task, origin="measured", reason=WHY[task], evidence=None)
    for stage, content, begin, end in (
        ("inspect", _inspect, 1.0, 12.0),
        ("baseline", _baseline, 12.0, 30.0),
        ("train", _train, 30.0, 280.0),
        ("evaluate", evaluate, 280.0, 292.0),
    ):
        clock.stage = stage
        clock.write("stage", at=begin, event="begin")
        content(clock, task)
        clock.write("stage", at=end, event="end", seconds=end - begin)
    clock.stage = "run"
    clock.write("end", at=293.0, status="finished", exit_code=0)
    return clock.events


def _inspect(clock: Clock, task: str) -> None:
    images = {"train": 1030, "val": 220, "test": 220}
    clock.measure("data.source", "as told")
    clock.measure("data.images", images)
    clock.measure("data.formats", {"JPEG": 1400, "BMP": 70})
    clock.measure("data.channels", 3)
    clock.measure("data.carved", ["val", "test"])
    rng = np.random.default_rng(4)
    if task == "regression":
        clock.measure("data.classes", ["value"])
        clock.measure("data.splits", {split: {"images": count} for split, count in images.items()})
        edges = np.linspace(0, PERIOD, 21)
        drawn = {split: np.histogram(rng.uniform(0, PERIOD, images[split]), edges)[0] for split in ("train", "val")}
        clock.measure(
            "data.values",
            {"value": {"edges": edges.tolist(), **{split: counts.tolist() for split, counts in drawn.items()}}},
        )
        clock.measure("data.input_size", [64, 64])
        return
    if task == "segmentation":
        clock.measure("data.classes", STREET)
        clock.measure("data.splits", {split: {"images": count} for split, count in images.items()})
        shares = {split: rng.dirichlet(np.geomspace(40, 0.6, len(STREET))) for split in ("train", "val")}
        clock.measure(
            "data.pixels",
            {split: dict(zip(STREET, each.round(5).tolist(), strict=True)) for split, each in shares.items()},
        )
        clock.measure("data.input_size", [192, 256])
        return
    clock.measure("data.classes", LABELS)
    often = np.linspace(0.4, 0.06, len(LABELS))
    counts: dict[str, dict[str, int]] = {
        split: {name: round(images[split] * share) for name, share in zip(LABELS, often, strict=True)}
        for split in ("train", "val")
    }
    clock.measure("data.splits", {**counts, "test": {"images": images["test"]}})
    clock.measure("data.input_size", [96, 96])


def _model(clock: Clock, task: str, *, name: str, value: float, half: float, replaced: str | None) -> None:
    clock.write(
        "model",
        name=name,
        file="model.safetensors",
        metric=f"validation {METRICS[task]['metric']}",
        value=value,
        low=value - half,
        high=value + half,
        adopted=True,
        replaced=replaced,
        reason="better on the same validation samples" if replaced else "the first model",
    )


def _baseline(clock: Clock, task: str) -> None:
    replaced = None
    for name in ("linear", "small"):
        value, half = BASELINES[task][name]
        _model(clock, task, name=name, value=value, half=half, replaced=replaced)
        replaced = name
    check(clock, "initial-loss-off", measured="0.41", expected="0.42 ± 0.03", tips=["K2.4"])


def _train(clock: Clock, task: str) -> None:
    first, last = COURSES[task]
    rng = np.random.default_rng(11)
    progress = np.linspace(0, 1, 200)
    planned = [float(0.1 * min(at / 0.15, (1 + math.cos(math.pi * at)) / 2)) for at in progress]
    clock.write(
        "series", name="train.lr_planned", x=progress.tolist(), y=planned, over="progress", unit="", at=clock.at + 1
    )
    follow = _FOLLOWED.get(task)
    truth = follow(clock, rng) if follow else None
    for number in range(1, EPOCHS + 1):
        done = number / EPOCHS
        score = (
            last + (first - last) * math.exp(-5 * done) + float(rng.normal(0, abs(first - last) * 0.012)) * (1 - done)
        )
        rate = 0.1 * min(done / 0.15, (1 + math.cos(math.pi * done)) / 2) * (0.5 if done > 0.7 else 1)
        clock.write(
            "epoch",
            at=30 + 17 * number,
            number=number,
            steps=40 * number,
            progress=done,
            train_loss=0.05 + 0.6 * math.exp(-4 * done),
            val_loss=0.09 + 0.6 * math.exp(-3.6 * done),
            val_score=score,
            lr=rate,
            seconds=17.0,
            images_per_second=620,
        )
        if truth is not None:
            truth(number, done)
    value, half = last, abs(first - last) * 0.02
    _model(clock, task, name="resnet", value=value, half=half, replaced="small")


def _follow_values(clock: Clock, rng: np.random.Generator) -> Callable[[int, float], None]:
    """Twelve needles, each of which the network finds in its own time."""
    true = rng.uniform(0, PERIOD, 12).round(1)
    _show_batch(clock, [f"{each:g}" for each in true])
    clock.measure("dynamics.targets", [[float(each)] for each in true])
    begin = rng.uniform(-PERIOD / 2, PERIOD / 2, 12)

    def look(number: int, done: float) -> None:
        said = (true + begin * math.exp(-4 * done) + rng.normal(0, 0.2, 12)) % PERIOD
        clock.write("dynamics", epoch=number, values=said.round(4)[:, None].tolist())

    return look


def _follow_labels(clock: Clock, rng: np.random.Generator) -> Callable[[int, float], None]:
    """Twelve pictures with two labels or so."""
    true = rng.random((12, len(LABELS))) < 0.28
    spoken = ["; ".join(name for name, there in zip(LABELS, row, strict=True) if there) for row in true]
    _show_batch(clock, spoken)
    clock.measure("dynamics.targets", true.astype(float).tolist())

    def look(number: int, done: float) -> None:
        sure = np.where(true, 0.3 + 0.62 * done, 0.3 - 0.26 * done) + rng.normal(0, 0.09, true.shape)
        clock.write("dynamics", epoch=number, probabilities=np.clip(sure, 0.01, 0.99).round(4).tolist())

    return look


_FOLLOWED: Mapping[str, Callable[[Clock, np.random.Generator], Callable[[int, float], None]]] = {
    "regression": _follow_values,
    "multi-label": _follow_labels,
}


def _show_batch(clock: Clock, labels: list[str]) -> None:
    clock.measure("dynamics.labels", labels)
    clock.write(
        "picture",
        name="dynamics",
        caption="The fixed batch",
        cells=[{"label": each} for each in labels],
        **picture([image(index % 10, 500 + index) for index in range(len(labels))], columns=6),
    )
