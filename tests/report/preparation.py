"""The imagined run until its network trains: data, checks, baselines."""

from __future__ import annotations

from report.clock import CLASSES, Clock, check
from report.drawings import image, picture


def inspect(clock: Clock) -> None:
    """The data, with a few faults."""
    counts = {"train": 4500, "val": 500, "test": 500}
    clock.measure("data.source", "photos/cifar10.zip")
    clock.measure("data.classes", CLASSES)
    clock.measure(
        "data.splits",
        {split: {name: count - 3 * index for index, name in enumerate(CLASSES)} for split, count in counts.items()},
    )
    clock.measure("data.sizes", [[32, 32, 59_998], [33, 32, 2]])
    clock.measure("data.formats", {"JPEG": 59_991, "PNG": 9})
    clock.measure("data.modes", {"RGB": 59_988, "L": 12})
    clock.measure("data.image_size", 32, unit="px")
    clock.measure("data.channels", 3)
    clock.measure("data.mean", [0.4914, 0.4822, 0.4465])
    clock.measure("data.std", [0.247, 0.2435, 0.2616])
    clock.measure(
        "data.problems",
        [
            {"key": "train/cat/IMG_2041.jpg", "problem": "truncated after 812 of 1,034 bytes"},
            {"key": "train/ship/regatta (3).png", "problem": "is a JPEG with a PNG's name", "kept": True},
            {"key": "val/dog/empty.jpg", "problem": "empty"},
        ],
    )
    clock.measure(
        "data.duplicates",
        {
            "within": [["train/deer/0113.jpg", "train/deer/4410.jpg"]],
            "across": [["train/truck/0007.jpg", "test/truck/0950.jpg"]],
        },
    )
    clock.write(
        "decision",
        key="data.image_size",
        value=32,
        origin="measured",
        reason="nearly all images have this size",
        evidence={"share of images": 0.99997},
    )
    check(clock, "split-overlap", passed=False, tips=["K1.3"])
    clock.write(
        "finding",
        rule="split-overlap",
        code="EP012",
        severity="warning",
        where="train/truck/0007.jpg = test/truck/0950.jpg",
        measured="1 image of test is also in train",
        expected="no image in two splits",
        remedy="delete the copy in train; it was left out of this run",
        cause="the same photo was uploaded twice",
        tips=["K1.3"],
    )
    for rule, about in {
        "unreadable-files": "More than a few files that cannot be decoded.",
        "class-imbalance": "One class so rare that accuracy hides it.",
        "tiny-class": "A class with too few images to learn or to judge.",
    }.items():
        check(clock, rule, about=about, tips=["K1.4"])


def skeleton(clock: Clock) -> None:
    """The batch as the network sees it, and the checks before training."""
    cells = [{"label": CLASSES[index % 10], "text": ""} for index in range(32)]
    shown = [image(index % 10, index) for index in range(32)]
    clock.write(
        "picture",
        name="batch",
        caption="32 samples of the first batch, as the network receives them: float32, 3 × 32 × 32",
        cells=cells,
        **picture(shown, columns=8),
    )
    clock.measure("batch.range", "−2.0 to 2.1")
    clock.measure("batch.shape", "256 × 3 × 32 × 32")
    check(
        clock,
        "unseeded-randomness",
        measured="two runs of 5 steps: identical bits",
        expected="identical bits",
        tips=["K2.1"],
    )
    check(
        clock,
        "wrong-loss-at-start",
        measured="2.303",
        expected="2.303 ± 0.05 (entropy of the prior)",
        tips=["K2.4", "K2.5"],
    )
    check(
        clock,
        "input-ignored",
        measured="38.2 % against 10.0 % on zeroed images",
        expected="clearly above the zeroed images",
        tips=["K2.7"],
    )
    check(
        clock,
        "cannot-overfit",
        measured="loss 0.006 after 84 steps",
        expected="below 0.01 within 200 steps",
        tips=["K2.8"],
    )
    check(clock, "samples-mixed", measured="gradient on other samples: 0", expected="0", tips=["K2.12"])
    clock.write("check", not_checked=["labels by a second person (K2.6)", "whether more images would help (K4.1)"])


def baseline(clock: Clock) -> None:
    """A linear model and a small network."""
    clock.write(
        "model",
        at=54.1,
        name="linear",
        file="model.safetensors",
        metric="validation accuracy",
        value=0.397,
        low=0.383,
        high=0.411,
        adopted=True,
        replaced=None,
        reason="the first model: something usable is on disk from here on",
    )
    for number in range(1, 4):
        clock.write(
            "epoch",
            at=56 + 6 * number,
            number=number,
            steps=176 * number,
            train_loss=1.9 / number**0.5,
            val_loss=1.8 / number**0.4,
            val_accuracy=0.42 + 0.07 * number,
            lr=3e-4,
            seconds=5.6,
            images_per_second=8200,
        )
    clock.write(
        "model",
        name="small",
        file="model.safetensors",
        metric="validation accuracy",
        value=0.628,
        low=0.615,
        high=0.641,
        adopted=True,
        replaced="linear",
        reason="+23.1 % (+21.4 % to +24.8 %) on 5,000 validation samples: better",
    )
