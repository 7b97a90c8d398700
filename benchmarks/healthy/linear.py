"""Accuracy and cost of the closed-form linear classifier over samples, features and penalty.

python benchmarks/healthy/linear.py        about two minutes; writes linear.md
"""

import time

import torch
from programs import Data, cifar, write

from epochal.stats import linear
from epochal.stats.classification import accuracy, nll


def main() -> None:
    """Measure and write the table."""
    torch.set_num_threads(1)
    train, test = cifar(50_000), cifar(5000, split="test")
    rows = []
    for n in (100, 500, 2000, 10_000, 50_000):
        for features in (108, 192, 300, 432, 768):
            figures = _measure(train, test, n=n, features=features, strength=None)
            rows.append([n, features, "chosen", *figures])
        rows += [
            [n, linear.BLOCKS, strength, *_measure(train, test, n=n, features=linear.BLOCKS, strength=strength)]
            for strength in linear.STRENGTHS
        ]
    write(
        "linear",
        title="The linear classifier on CIFAR-10",
        columns=["samples", "features", "penalty", "processor seconds", "test accuracy", "test NLL"],
        rows=rows,
        note="Seconds include the choice of the penalty where it is chosen. 5,000 test images.",
    )


def _measure(train: Data, test: Data, *, n: int, features: int, strength: float | None) -> tuple[float, float, float]:
    images = ((train.pixels[:n] - train.mean) / train.std).numpy()
    began = time.process_time()
    fitted = linear.fit_images(images, train.labels[:n].numpy(), classes=10, at_most=features, strength=strength)
    seconds = time.process_time() - began
    logits = fitted.logits(((test.pixels - train.mean) / train.std).flatten(1).numpy())
    return seconds, accuracy(logits, test.labels.numpy()).value, nll(logits, test.labels.numpy())


if __name__ == "__main__":
    main()
