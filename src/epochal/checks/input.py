"""Rules about the batch as the network receives it: what is wrong here is wrong in every step."""

from collections.abc import Iterator
from dataclasses import replace
from math import log

from epochal.checks.batch import BatchFacts
from epochal.findings import Observation, Severity, rule

# How far a normalised batch may stray: mean from 0, and standard deviation from 1 as a factor. Of 216 healthy batches
# of 32 to 256 (digits, CIFAR-10; shuffled, of one class, flipped and cropped with zero padding) the mean strays by at
# most 0.45 and the factor by 1.27; pixels of 0 to 1 measure a factor of 2.6 to 4.2 (benchmarks/healthy/batch.md).
STRAY_MEAN = 1.0
STRAY_FACTOR = 2.0
# How near a way of normalising must come, in the logarithm of the spread plus the mean in spreads, to be called the
# cause. On batches of 32 each usual mistake comes within 0.33 of itself, and no other within 1.26 (the same table).
NEAR = 0.7
# Neighbouring pixels are alike, those three apart less so. Where the latter are more alike by this much, three
# channels were read as one row. Healthy colour batches measure at most -0.15, scrambled ones at least 0.06
# (benchmarks/healthy/batch.md).
SCRAMBLED = 0.02
# A batch of so improbable labels is no chance: one class only, with a probability below this.
IMPROBABLE = 1e-6


@rule("broken-input", code="EP201", severity=Severity.STOP, tips=["K1.3", "K2.10"])
def broken_input(batch: BatchFacts) -> Iterator[Observation]:
    """The batch holds NaN or infinity: the first step turns every weight into NaN.

    A division by a standard deviation of zero, a logarithm of zero, or float16 pixels beyond 65,504. Add a small
    number to the divisor, or look at the step before normalisation.
    """
    if batch.broken:
        yield Observation(
            "the batch",
            f"{batch.broken:,} values are NaN or infinite",
            expected="finite numbers.",
            remedy="look for a division by a zero spread in the normalisation.",
        )


@rule("constant-input", code="EP202", severity=Severity.ERROR, tips=["K1.3", "K2.10"])
def constant_input(batch: BatchFacts) -> Iterator[Observation]:
    """The images of the batch do not differ: from one another, or each within itself.

    The network can only learn the class shares from them. A buffer that is never filled, an index that never
    moves, a normalisation that multiplies by zero, or a crop of the same corner.
    """
    n = batch.shape[0]
    if n > 1 and (batch.distinct_images == 1 or batch.constant_images > n / 2):
        alike = batch.distinct_images == 1
        yield Observation(
            "the batch",
            f"all {n} images are the same" if alike else f"{batch.constant_images} of {n} images have one value only",
            expected="images that differ.",
            remedy="follow one image from the file to the batch and see where it is lost.",
        )


@rule("input-not-normalised", code="EP203", severity=Severity.WARN, tips=["W2.1", "W2.2", "W2.4", "K2.10"])
def input_not_normalised(batch: BatchFacts) -> Iterator[Observation]:
    """Inputs are far from mean 0 and spread 1, where initial weights and usual learning rates expect them.

    Raw bytes make the first layer's output a hundred times too large, and the rate a hundred times too high.
    Divided twice by 255 they vanish. Subtract the mean of the training split and divide by its standard deviation,
    once.
    """
    if batch.broken or batch.std == 0:
        return
    off = max(batch.std, 1 / batch.std)
    if abs(batch.mean) > STRAY_MEAN or off > STRAY_FACTOR:
        cause = _cause(batch)
        if cause != "normalised twice":
            yield Observation(
                "the batch",
                f"mean {batch.mean:.3g}, spread {batch.std:.3g}, values {batch.low:.3g} to {batch.high:.3g}",
                expected="mean near 0, spread near 1.",
                remedy="subtract the training mean and divide by the training spread, once.",
                cause=cause,
                severity=None if off > 10 or abs(batch.mean) > 10 else Severity.NOTE,
            )


@rule("normalised-twice", code="EP204", severity=Severity.WARN, tips=["W2.2", "K2.10"])
def normalised_twice(batch: BatchFacts) -> Iterator[Observation]:
    """Mean and spread are those of pixels from which the mean was taken, and the spread divided out, twice.

    Typically the loader normalises and the network does it again. Nothing crashes, and accuracy suffers quietly;
    whoever uses the weights without the loader gets other results. Remove one of the two.
    """
    if not batch.broken and batch.std > 0 and _cause(batch) == "normalised twice":
        yield Observation(
            "the batch",
            f"mean {batch.mean:.3g}, spread {batch.std:.3g}",
            expected="mean near 0, spread near 1.",
            remedy="normalise in one place only.",
        )


@rule("channels-not-first", code="EP205", severity=Severity.ERROR, tips=["K2.10"])
def channels_not_first(batch: BatchFacts) -> Iterator[Observation]:
    """The axis of the channels is not where PyTorch looks for it: the batch is (n, h, w, c), not (n, c, h, w).

    With a matching first layer nothing crashes: rows of the image are taken for channels, and neighbouring pixels are
    never seen together. Use `images.permute(0, 3, 1, 2)`; never `view` or `reshape`, which scramble the pixels.
    """
    if len(batch.shape) != 4:
        yield Observation(
            "the batch",
            f"shape {batch.shape}",
            expected="four axes: samples, channels, rows, columns.",
            remedy="stack images along a first axis; give grey images a channel axis of 1.",
        )
    elif batch.shape[3] in {1, 3, 4} and batch.shape[1] > 4 and batch.shape[2] > 4:
        yield Observation(
            "the batch",
            f"shape {batch.shape}: the last axis has the size of the channels",
            expected="samples, channels, rows, columns.",
            remedy="images.permute(0, 3, 1, 2)",
        )


@rule("scrambled-pixels", code="EP206", severity=Severity.ERROR, tips=["K2.10"])
def scrambled_pixels(batch: BatchFacts) -> Iterator[Observation]:
    """Pixels three apart resemble each other more than neighbours do: colours were laid out as columns.

    That is the mark of `view` or `reshape` used where `permute` was meant: the shape is right, the picture is
    shredded. The network still learns something, which is why it goes unnoticed. Draw the batch and look.
    """
    near, far = batch.lag_correlation
    if len(batch.shape) == 4 and batch.shape[1] == 3 and far - near > SCRAMBLED:
        yield Observation(
            "the batch",
            f"correlation of neighbours {near:.2f}, of pixels three apart {far:.2f}",
            expected="neighbours more alike than pixels three apart.",
            remedy="images.permute(0, 3, 1, 2) instead of view or reshape.",
        )


@rule("label-out-of-range", code="EP207", severity=Severity.STOP, tips=["K1.2", "K2.10"])
def label_out_of_range(batch: BatchFacts) -> Iterator[Observation]:
    """A label is not one of the classes, or is no whole number.

    The loss reads past its table: an index error on the processor, a stopped device on a GPU, and nothing at all
    where the loss ignores such labels. Number the classes from 0.
    """
    classes = len(batch.prior)
    if "int" not in batch.labels_dtype:
        yield Observation(
            "the labels",
            f"type {batch.labels_dtype}",
            expected="whole numbers, int64.",
            remedy="labels.long(), or the class index of each one-hot row.",
        )
    elif batch.labels_low < 0 or batch.labels_high >= classes:
        yield Observation(
            "the labels",
            f"{batch.labels_low} to {batch.labels_high}",
            expected=f"0 to {classes - 1}.",
            remedy="number the classes from 0, in the order of their names.",
        )


@rule("unshuffled-batch", code="EP208", severity=Severity.ERROR, tips=["K2.10"])
def unshuffled_batch(batch: BatchFacts) -> Iterator[Observation]:
    """All labels of a batch are one class, which chance would not do: the data are not shuffled.

    Folders are read class by class. Trained in that order the network learns each class by forgetting the one
    before, and batch normalisation learns the statistics of single classes. Shuffle anew in each epoch.
    """
    n = sum(batch.label_counts)
    chance = sum(share**n for share in batch.prior)
    if n > 1 and max(batch.label_counts) == n and chance < IMPROBABLE:
        yield Observation(
            "the labels",
            f"all {n} are class {batch.label_counts.index(n)}, which has a chance of {chance:.1g}",
            expected="a mixture of classes.",
            remedy="shuffle the training samples in each epoch.",
        )


def ways_of_normalising(batch: BatchFacts) -> dict[str, float]:
    """How far mean and spread of the batch are from what each usual way, right or mistaken, would give.

    The logarithm of the ratio of the spreads, plus the distance of the means in spreads.  Empty where the statistics
    of the data set are not known.

    >>> min((far, name) for name, far in ways_of_normalising(_GOOD).items())[1]
    'normalised once'
    """
    if batch.pixel_mean is None or not batch.pixel_std or batch.std <= 0:
        return {}
    m, s = batch.pixel_mean, batch.pixel_std
    ways = {
        "normalised once": (0.0, 1.0),
        "raw bytes": (255 * m, 255 * s),
        "pixels of 0 to 1, not normalised": (m, s),
        "divided by 255 twice": (m / 255, s / 255),
        "normalised twice": (-m / s, 1 / s),
        "normalised with the statistics of 0 to 1 on bytes": ((255 * m - m) / s, 255.0),
    }
    return {
        name: abs(log(batch.std / spread)) + abs(batch.mean - mean) / max(batch.std, spread)
        for name, (mean, spread) in ways.items()
    }


def _cause(batch: BatchFacts) -> str:
    """The way of normalising that fits the batch, if it is a mistaken one."""
    far = ways_of_normalising(batch)
    if not far:
        return "raw bytes" if batch.high > 20 and batch.low >= 0 else ""
    best = min(far, key=lambda name: far[name])
    return best if far[best] < NEAR and best != "normalised once" else ""


_GOOD = BatchFacts(
    shape=(64, 3, 32, 32), dtype="float32", broken=0, low=-2.1, high=2.4, mean=0.03, std=0.97, constant_images=0,
    distinct_images=64, lag_correlation=(0.9, 0.7), labels_dtype="int64", labels_low=0, labels_high=9,
    label_counts=(6,) * 9 + (10,), prior=(0.1,) * 10, pixel_mean=0.47, pixel_std=0.25,
)  # fmt: skip

broken_input.fires_on("one NaN", lambda: replace(_GOOD, broken=1)).silent_on("finite numbers", lambda: _GOOD)
constant_input.fires_on("the same image", lambda: replace(_GOOD, distinct_images=1)).fires_on(
    "black images", lambda: replace(_GOOD, constant_images=64)
).silent_on("one black image", lambda: replace(_GOOD, constant_images=1)).silent_on(
    "a batch of one", lambda: replace(_GOOD, shape=(1, 3, 32, 32), distinct_images=1)
)
input_not_normalised.fires_on("raw bytes", lambda: replace(_GOOD, mean=120.0, std=64.0, low=0.0, high=255.0)).fires_on(
    "0 to 1", lambda: replace(_GOOD, mean=0.47, std=0.25, low=0.0, high=1.0)
).fires_on("divided twice", lambda: replace(_GOOD, mean=0.0018, std=0.00098, low=0.0, high=0.004)).silent_on(
    "normalised", lambda: _GOOD
).silent_on("a dark batch", lambda: replace(_GOOD, mean=-0.6, std=0.7)).silent_on(
    "normalised twice, which has a rule of its own", lambda: replace(_GOOD, mean=-1.88, std=4.0)
)
normalised_twice.fires_on("by the loader and the network", lambda: replace(_GOOD, mean=-1.88, std=4.0)).silent_on(
    "once", lambda: _GOOD
).silent_on("not at all", lambda: replace(_GOOD, mean=0.47, std=0.25))
channels_not_first.fires_on("channels last", lambda: replace(_GOOD, shape=(64, 32, 32, 3))).fires_on(
    "no channel axis", lambda: replace(_GOOD, shape=(64, 32, 32))
).silent_on("channels first", lambda: _GOOD).silent_on(
    "an image three pixels wide", lambda: replace(_GOOD, shape=(64, 3, 32, 3))
)
scrambled_pixels.fires_on("view instead of permute", lambda: replace(_GOOD, lag_correlation=(0.7, 0.8))).silent_on(
    "a picture", lambda: _GOOD
).silent_on("one channel", lambda: replace(_GOOD, shape=(64, 1, 32, 32), lag_correlation=(0.1, 0.4)))
label_out_of_range.fires_on("counted from 1", lambda: replace(_GOOD, labels_low=1, labels_high=10)).fires_on(
    "one-hot rows", lambda: replace(_GOOD, labels_dtype="float32")
).fires_on("minus one", lambda: replace(_GOOD, labels_low=-1)).silent_on("0 to 9", lambda: _GOOD)
unshuffled_batch.fires_on("sorted by class", lambda: replace(_GOOD, label_counts=(64,) + (0,) * 9)).silent_on(
    "mixed", lambda: _GOOD
).silent_on(
    "a batch of three that agree", lambda: replace(_GOOD, shape=(3, 3, 32, 32), label_counts=(3,) + (0,) * 9)
).silent_on("nearly one class only", lambda: replace(_GOOD, label_counts=(64, 0), prior=(0.95, 0.05)))

IMAGE_RULES = (
    broken_input,
    constant_input,
    input_not_normalised,
    normalised_twice,
    channels_not_first,
    scrambled_pixels,
)
RULES = (*IMAGE_RULES, label_out_of_range, unshuffled_batch)
