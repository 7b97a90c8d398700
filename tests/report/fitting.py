"""The imagined run while its network trains: decisions, curves, dynamics, filters."""

from __future__ import annotations

import math

import numpy as np

from report.clock import CLASSES, Clock, check
from report.drawings import edge, image, picture

EPOCHS = 20


def train(clock: Clock) -> None:
    """Twenty epochs that go well, with two images that stay hard."""
    _decide(clock)
    rng = np.random.default_rng(7)
    labels = [index % 10 for index in range(16)]
    clock.measure("dynamics.labels", [CLASSES[label] for label in labels])
    clock.write(
        "picture",
        name="dynamics",
        caption="The fixed batch",
        cells=[{"label": CLASSES[label]} for label in labels],
        **picture([image(label, 90 + index) for index, label in enumerate(labels)], columns=8),
    )
    hard = rng.uniform(2, 16, 16)
    hard[5], hard[11] = 60, 34
    for number in range(1, EPOCHS + 1):
        _epoch(clock, number, rng)
        sure = 1 / (1 + np.exp(-(number - hard) / 2.2))
        probabilities = []
        for index, label in enumerate(labels):
            rest = rng.dirichlet(np.full(10, 0.5)) * 0.6 + 0.4 * np.eye(10)[(label + 2) % 10]
            row = float(np.clip(0.1 + 0.88 * sure[index] + rng.normal(0, 0.03), 0.01, 0.995)) * np.eye(10)[label]
            probabilities.append([round(float(each), 4) for each in row + (1 - row.sum()) * rest])
        clock.write("dynamics", epoch=number, probabilities=probabilities)
    clock.write(
        "picture",
        name="filters",
        caption="The 32 filters of the first convolution, each stretched to its full range",
        cells=[{"label": ""} for _ in range(32)],
        **picture([edge(index) for index in range(32)], columns=8),
    )
    clock.write(
        "model",
        at=560.0,
        name="resnet",
        file="model.safetensors",
        metric="validation accuracy",
        value=0.914,
        low=0.906,
        high=0.9215,
        adopted=True,
        replaced="small",
        reason="+28.6 % (+27.2 % to +30.0 %) on 5,000 validation samples: better",
    )
    check(
        clock,
        "diverging-loss",
        measured="0.61 at the end, 2.31 at the start",
        expected="below the start",
        tips=["W7.1"],
    )


def _decide(clock: Clock) -> None:
    clock.measure("train.images_per_second", 1042.0, unit="images/s", note="bf16, channels_last")
    clock.measure("model.parameters", 1_619_000)
    clock.write(
        "decision",
        key="network.width",
        value=32,
        origin="measured",
        reason="the widest network that sees each image 20 times in the time that is left",
        evidence={"images per second": 1042, "seconds left": 487.2, "passes wanted": 20},
    )
    clock.write(
        "decision",
        key="runtime.precision",
        value="bf16 autocast",
        origin="measured",
        reason="fastest that agrees with float32",
        evidence={"float32": "356 images/s", "bf16": "1,042 images/s", "largest difference": 0.004},
    )
    clock.write("decision", key="optimizer.lr", value=0.4, origin="default", reason="peak learning rate")
    for key, value in {
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 5e-4,
        "loss.label_smoothing": 0.1,
        "optimizer.batch_size": 256,
        "transforms.flip": True,
    }.items():
        clock.write("decision", key=key, value=value, origin="default", reason="sound on small colour images")
    clock.write("decision", key="seed", value=0, origin="default", reason="any number will do, as long as it stays")


def _epoch(clock: Clock, number: int, rng: np.random.Generator) -> None:
    progress = number / EPOCHS
    begin = 76 + (number - 1) * 23.9
    steps = np.arange((number - 1) * 176, number * 176, 2)
    trend = 0.52 + 1.8 * np.exp(-4.6 * steps / (176 * EPOCHS))
    loss = trend + rng.normal(0, 0.06, len(steps)) * trend
    rate = [0.4 * min(step / 700, 1 - (step - 700) / 2900, 1.0) for step in steps]
    clock.write(
        "series",
        at=begin + 23,
        name="train.loss",
        x=steps.tolist(),
        y=[round(float(each), 4) for each in loss],
        unit="nats",
    )
    clock.write("series", name="train.lr", x=steps.tolist(), y=[round(max(each, 0.0), 5) for each in rate])
    clock.write(
        "epoch",
        number=number,
        steps=176 * number,
        train_loss=float(loss.mean()),
        val_loss=0.31 + 1.6 * math.exp(-3.9 * progress) + float(rng.normal(0, 0.02)) * (1 - progress),
        train_accuracy=0.965 - 0.62 * math.exp(-4 * progress),
        val_accuracy=0.914 - 0.56 * math.exp(-4.4 * progress) + float(rng.normal(0, 0.012)) * (1 - progress),
        lr=max(rate[-1], 0.0),
        seconds=23.4,
        images_per_second=1930 + float(rng.normal(0, 25)),
    )
