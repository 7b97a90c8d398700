"""Rules about how samples are spread: over classes, over splits, over sizes and brightness."""

from collections.abc import Iterator, Sequence
from math import sqrt

import numpy as np
from jaxtyping import Bool, Int

from epochal.checks.listing import counted, named
from epochal.checks.specimens import Specimen, many, table_of
from epochal.data.table import SPLITS, SampleTable
from epochal.findings import Observation, Severity, rule
from epochal.stats.intervals import mcnemar, wilson

# Largest class over smallest: the default of SageMaker Debugger's ClassImbalance rule.
IMBALANCE = 10.0
# Below this many training samples a class is mostly guessed: on CIFAR-10 a linear model gains half as much over
# guessing from 10 images of each class as from 5,000 (benchmarks/healthy/linear.md).
FEW = 10
# Half-width of the 95 % interval at 90 % accuracy beyond which a score says little: 138 samples give 0.05.
COARSE = 0.05
# Shift of mean brightness between splits, in spreads of the single images. Random splits of 500 images of CIFAR-10 or
# digits measure at most 0.16; darkening every image by a tenth gives 0.40 and 0.95 (benchmarks/healthy/data.md).
SHIFT = 0.2
# And that shift in standard errors, so that small splits do not alarm by chance: 8 tests at 4.5 are 1 in 20,000.
SURE = 4.5
# Differences below one step of 8 bits are rounding.
GREY_LEVEL = 1 / 255
# A property of the file alone must beat the majority class by this share, beyond chance, to be called a shortcut.
SHORTCUT = 0.05
SHORTCUT_P = 1e-4
# Sides whose ratio differs more than this from image to image change shape when all are brought to one size.
DISTORTION = 1.5


@rule("class-missing-in-split", code="EP140", severity=Severity.WARN, tips=["K1.6"])
def class_missing_in_split(table: SampleTable) -> Iterator[Observation]:
    """A class has no sample in one of the splits.

    Missing from train, it can never be predicted, and each of its test samples is a sure error: that is an error
    of the data. Missing from val or test, nobody will know how well it is recognised. Look for a misspelt folder.
    """
    for split in SPLITS[1:]:
        if len(table.index(split)) == 0:
            continue
        empty = [name for name, count in table.counts(split).items() if count == 0]
        if empty:
            yield Observation(
                split,
                f"no sample of {named(empty, most=5)}",
                expected="each class in each split.",
                remedy="look for a misspelt or empty folder, or move some samples there.",
                severity=Severity.ERROR if split == "train" else None,
            )


@rule("class-imbalance", code="EP141", severity=Severity.WARN, tips=["K1.6", "W9"])
def class_imbalance(table: SampleTable) -> Iterator[Observation]:
    """The largest class has over ten times the samples of the smallest.

    The network learns first what is common, and accuracy hides it: with 95 % of one class, always naming that
    class scores 95 %. Read the recall of each class and the balanced accuracy beside the score. Collecting more of
    the rare classes helps most; weights in the loss, or drawing rare samples more often, come next.
    """
    counts = {name: count for name, count in _train_counts(table).items() if count}
    if len(counts) < 2:
        return
    most, least = max(counts, key=lambda name: counts[name]), min(counts, key=lambda name: counts[name])
    if counts[most] > IMBALANCE * counts[least]:
        yield Observation(
            "train",
            f"{counts[most]:,} of {most}, {counts[least]:,} of {least}: {counts[most] / counts[least]:.0f} to 1",
            expected=f"{IMBALANCE:.0f} to 1 or less.",
            remedy="collect more of the rare classes; judge by recall per class and balanced accuracy.",
        )


@rule("few-samples", code="EP142", severity=Severity.WARN, tips=["K1.6", "K4.1"])
def few_samples(table: SampleTable) -> Iterator[Observation]:
    """A class has fewer than ten training samples: too few to learn what its members share.

    A network learns such a class by heart. Collect more, merge it with a neighbour, or start from a network
    that was trained on other images.
    """
    few = {name: count for name, count in _train_counts(table).items() if 0 < count < FEW}
    if few:
        yield Observation(
            "train",
            f"{counted(len(few), 'class', plural='classes')} with few samples: "
            + named([f"{name} ({count})" for name, count in few.items()], most=5),
            expected=f"{FEW} or more of each class.",
            remedy="collect more, or merge the class with a neighbour.",
        )


@rule("coarse-score", code="EP143", severity=Severity.NOTE, tips=["K2.3"])
def coarse_score(table: SampleTable) -> Iterator[Observation]:
    """The judged split is so small that its score is uncertain by more than five points either way.

    Two models that differ by less cannot be told apart on it. Read the interval, not the number. The figure is
    the half-width of Wilson's 95 % interval at 90 % accuracy.
    """
    for split in ("val", "test"):
        n = len(table.index(split))
        interval = wilson(round(0.9 * n), n)
        half = (interval.high - interval.low) / 2
        if n and half > COARSE:
            yield Observation(
                split,
                f"{counted(n, 'sample')}: a score near 90 % is sure to within {100 * half:.0f} points only",
                expected=f"{100 * COARSE:.0f} points, which takes about 140 samples.",
                remedy=f"put more samples into {split}, and compare models by their intervals.",
            )


@rule("distorted-shapes", code="EP144", severity=Severity.NOTE, tips=["K1.6", "W4.1"])
def distorted_shapes(table: SampleTable) -> Iterator[Observation]:
    """Images differ in shape, from wide to tall, and the network needs them all alike.

    Bringing them to one size stretches some and cuts others. Where the shape itself matters, or the object stands
    near the rim, crop or pad the images yourself first.
    """
    rows = table.index()
    if not len(rows):
        return
    ratios = table.widths[rows] / table.heights[rows]
    low, high = int(ratios.argmin()), int(ratios.argmax())
    if ratios[high] > DISTORTION * ratios[low]:
        yield Observation(
            f"{table.keys[rows[low]]}, {table.keys[rows[high]]}",
            f"from {_sides(table, rows[low])} to {_sides(table, rows[high])} pixels",
            expected=f"widths per height within a factor of {DISTORTION}.",
            remedy="crop or pad them to one shape, if shape or rim matter.",
        )


@rule("split-shift", code="EP145", severity=Severity.WARN, tips=["K1.6"])
def split_shift(table: SampleTable) -> Iterator[Observation]:
    """Images of one split are brighter, darker, or of other contrast than those of train.

    The splits come from different cameras, days or programs, or one was processed twice. A network trained on one
    meets the other as a stranger, and the score falls for a reason that has nothing to do with the classes. Find
    out where the two come from; shuffle them together if they were meant to be alike.
    """
    train = table.index("train")
    for split in ("val", "test"):
        rows = table.index(split)
        for name, values in (("brightness", table.means.mean(axis=1)), ("contrast", table.stds.mean(axis=1))):
            if min(len(train), len(rows)) < 2:
                continue
            a, b = values[train], values[rows]
            spread = max(sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2), GREY_LEVEL)
            gap = float(b.mean() - a.mean())
            if abs(gap) > max(SHIFT, SURE * sqrt(1 / len(a) + 1 / len(b))) * spread:
                apart = abs(gap) / spread
                yield Observation(
                    split,
                    f"mean {name} {b.mean():.3f}, in train {a.mean():.3f}: {apart:.2f} spreads apart",
                    expected=f"less than {SHIFT} spreads apart.",
                    remedy="find out what was done differently to the two, or shuffle them together.",
                )


@rule("property-tells-class", code="EP146", severity=Severity.WARN, tips=["K1.6"])
def property_tells_class(table: SampleTable) -> Iterator[Observation]:
    """The class can be guessed without looking: from the size, the colour mode or the format of the file.

    Then each class came from a source of its own, and the network may learn the source: the sharpness of one
    camera, the compression of one web site. It will score well here and fail elsewhere. Bring all files to one
    size and format, and mix the sources within each class. Half of the samples teach the guess, the other half
    judge it.
    """
    rows = table.index("train") if len(table.index("train")) else table.index()
    sides = table.widths.astype(np.int64) * 100_000 + table.heights
    for name, values in (("size", sides), ("colour mode", table.modes), ("format", table.formats)):
        codes = np.unique(np.asarray(values)[rows], return_inverse=True)[1]
        guessed, usual = _guesses(codes, table.labels[rows])
        gain = float(guessed.mean() - usual.mean()) if len(usual) else 0.0
        if gain > SHORTCUT and mcnemar(guessed, usual).p_mid < SHORTCUT_P:
            yield Observation(
                name,
                f"{name} alone names the class in {guessed.mean():.0%} of cases, "
                f"the most common class in {usual.mean():.0%}",
                expected=f"no more than {100 * SHORTCUT:.0f} points apart.",
                remedy="bring all files to one size and format, and mix the sources within each class.",
            )


@rule("grey-as-colour", code="EP147", severity=Severity.NOTE, tips=["K4.4"])
def grey_as_colour(table: SampleTable) -> Iterator[Observation]:
    """All images are grey, yet stored with three equal channels.

    The network computes the same thing three times in its first layer and each batch takes three times the memory.
    One channel says the same.
    """
    rows = table.index()
    if len(rows) and table.means.shape[1] == 3 and np.ptp(table.means[rows], axis=1).max() == 0:
        yield Observation(
            "all files",
            "the three channels of every image are equal",
            expected="one channel, or colours.",
            remedy="ask for 1 channel.",
        )


def _train_counts(table: SampleTable) -> dict[str, int]:
    """Samples per class of train, or of everything where nothing has been split yet."""
    return table.counts("train" if len(table.index("train")) else None)


def _sides(table: SampleTable, row: int) -> str:
    return f"{table.widths[row]}x{table.heights[row]}"


def _guesses(
    codes: Int[np.ndarray, " n"], labels: Int[np.ndarray, " n"]
) -> tuple[Bool[np.ndarray, " m"], Bool[np.ndarray, " m"]]:
    """Which of the odd rows are named right by the even rows' most common class: of the same code, and of all."""
    taught, judged = slice(0, None, 2), slice(1, None, 2)
    if not len(codes) or codes.max() == 0 or labels.min() < 0:
        nothing = np.zeros(0, dtype=bool)
        return nothing, nothing
    counts = np.zeros((codes.max() + 1, labels.max() + 1), dtype=np.int64)
    np.add.at(counts, (codes[taught], labels[taught]), 1)
    usual = int(counts.sum(axis=0).argmax())
    named_by_code = np.where(counts.any(axis=1), counts.argmax(axis=1), usual)
    return named_by_code[codes[judged]] == labels[judged], np.asarray(labels[judged] == usual)


_HEALTHY = [*many(400), *many(200, split="val"), *many(200, split="test")]


def _lit(split: str, brightness: Sequence[float]) -> list[Specimen]:
    return [
        Specimen(key=f"{split}{row}", label=row % 2, split=split, mean=(value,) * 3)
        for row, value in enumerate(brightness)
    ]


_DAY = np.random.default_rng(0).normal(0.5, 0.1, 300).tolist()

class_missing_in_split.fires_on(
    "no dog in train", lambda: table_of([each for each in _HEALTHY if (each.split, each.label) != ("train", 1)])
).silent_on("both everywhere", lambda: table_of(_HEALTHY)).silent_on(
    "a split that does not exist", lambda: table_of(many(20))
)
class_imbalance.fires_on(
    "thirty to one", lambda: table_of([*many(60), *(Specimen(key=f"cat{n}") for n in range(870))])
).silent_on("two to one", lambda: table_of([*many(60), *(Specimen(key=f"cat{n}") for n in range(30))]))
few_samples.fires_on("four of each", lambda: table_of(many(8))).silent_on("twenty of each", lambda: table_of(many(40)))
coarse_score.fires_on("fifty to test on", lambda: table_of([*many(400), *many(50, split="test")])).silent_on(
    "two hundred to test on", lambda: table_of(_HEALTHY)
)
distorted_shapes.fires_on(
    "wide and tall", lambda: table_of([*many(10), Specimen(key="w", side=(64, 32)), Specimen(key="t", side=(32, 64))])
).silent_on("large and small squares", lambda: table_of([*many(10), Specimen(key="w", side=(99, 90))]))
split_shift.fires_on(
    "a darker test split", lambda: table_of([*_lit("train", _DAY), *_lit("test", [0.8 * value for value in _DAY])])
).silent_on("the same light", lambda: table_of([*_lit("train", _DAY), *_lit("test", _DAY[:150])])).silent_on(
    "four samples that happen to be dark", lambda: table_of([*_lit("train", _DAY), *_lit("test", sorted(_DAY)[60:64])])
)
property_tells_class.fires_on(
    "cats are larger",
    lambda: table_of([Specimen(key=f"{n}", label=n // 50, side=(64, 64) if n < 50 else (32, 32)) for n in range(100)]),
).silent_on("one size", lambda: table_of(_HEALTHY)).silent_on(
    "sizes without a pattern",
    lambda: table_of([Specimen(key=f"{n}", label=n // 50, side=(32 + n % 3, 32)) for n in range(100)]),
)
grey_as_colour.fires_on(
    "three equal channels", lambda: table_of([Specimen(key=f"{n}", mean=(0.4,) * 3) for n in range(9)])
).silent_on("one image with colour", lambda: table_of([*_lit("train", _DAY), Specimen(key="red")]))

CLASS_RULES = (class_missing_in_split, class_imbalance, few_samples, coarse_score, property_tells_class)
IMAGE_RULES = (distorted_shapes, split_shift, grey_as_colour)
RULES = (*CLASS_RULES, *IMAGE_RULES)
