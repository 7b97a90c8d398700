"""How often 95 % intervals of mean overlap and of mean average precision hold the truth, beside plain percentiles.

python benchmarks/healthy/overlap.py        about ten minutes; writes overlap.md
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from programs import write

from epochal.stats.intervals import Interval
from epochal.stats.multi_label import mean_average_precision, mean_average_precision_interval
from epochal.stats.segmentation import mean_iou, mean_iou_gain, mean_iou_interval

TRIALS = 300
SHARES = (0.5, 0.3, 0.2, 0.1, 0.1, 0.05)  # of samples that show each class


def main() -> None:
    """Draw splits of known truth, and count."""
    rows = [*_overlap(), *_overlap_gain(), *_precision()]
    write(
        "overlap",
        title="Coverage of bootstrap intervals",
        note=f"Nominal 95 %, {TRIALS} splits each; the standard error of a coverage near 95 % is 1.3 points. Plain "
        "percentiles are those of Efron 1979, ours `epochal.stats.resampling`.",
        columns=["figure", "truth", "samples", "plain percentiles", "ours", "width of ours", "mean value"],
        rows=rows,
    )


def scenes(n: int, source: np.random.Generator) -> np.ndarray:
    """Confusions of n images with eight classes, the later ones rare and small, each found to another share."""
    classes = 8
    there = source.random((n, classes)) < np.array([1, 1, 1, 0.8, 0.6, 0.4, 0.25, 0.1])
    sizes = source.gamma(2.0, np.array([9000, 6000, 4000, 2000, 800, 400, 300, 200]) / 2, (n, classes)) * there
    found = source.beta(4, 2, (n, classes))
    spread = source.dirichlet(np.full(classes, 0.7), (n, classes))
    counts = (sizes * (1 - found))[:, :, None] * spread
    counts[:, np.arange(classes), np.arange(classes)] += sizes * found
    return counts.round().astype(np.int64)


def _overlap() -> Iterator[list[object]]:
    truth = float(mean_iou(scenes(50_000, np.random.default_rng(1)).sum(axis=0)))
    for n in (5, 10, 20, 50, 100, 400):
        yield _counted("mean overlap", truth, n, scenes, mean_iou_interval, _plain_overlap)


def _overlap_gain() -> Iterator[list[object]]:
    for n in (10, 50, 200):
        yield _counted("gain in overlap, none", 0.0, n, _pair, lambda pair: mean_iou_gain(*pair), _plain_gain)


def _precision() -> Iterator[list[object]]:
    for signal in (1.5, 3.0):
        truth = mean_average_precision(*_answers(200_000, np.random.default_rng(1), signal=signal))
        for n in (50, 100, 300, 1000):
            yield _counted(
                "mean average precision",
                truth,
                n,
                lambda n, s, signal=signal: _answers(n, s, signal=signal),
                lambda pair: mean_average_precision_interval(*pair, draws=400),
                _plain_precision,
            )


def _counted(  # noqa: PLR0917  a table's row
    figure: str,
    truth: float,
    n: int,
    draw: Callable[[int, np.random.Generator], Any],
    ours: Callable[[Any], Interval],
    plain: Callable[[Any], np.ndarray],
) -> list[object]:
    source, found, held = np.random.default_rng(n), [], 0
    for _ in range(TRIALS):
        split = draw(n, source)
        found.append(ours(split))
        low, high = np.nanquantile(plain(split), [0.025, 0.975])
        held += bool(low <= truth <= high)
    share = float(np.mean([not each.excludes(truth) for each in found]))
    width, value = np.mean([each.high - each.low for each in found]), np.mean([each.value for each in found])
    return [figure, truth, n, held / TRIALS, share, float(width), float(value)]


def _pair(n: int, source: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two models of equal worth on the same images: which is better on an image is a matter of chance."""
    a = scenes(n, source)
    b = a.copy()
    moved = (a.diagonal(axis1=1, axis2=2) * source.beta(1, 6, a.shape[:2])).astype(np.int64)
    which = source.random(n) < 0.5
    for each, chosen in ((a, which), (b, ~which)):
        lost = moved * chosen[:, None]
        for k in range(8):
            each[:, k, k] -= lost[:, k]
            each[:, k, (k + 1) % 8] += lost[:, k]
    return a, b


def _answers(n: int, source: np.random.Generator, *, signal: float) -> tuple[np.ndarray, np.ndarray]:
    labels = source.random((n, len(SHARES))) < SHARES
    return source.normal(size=labels.shape) + signal * labels, labels


def _again(n: int) -> Iterator[np.ndarray]:
    source = np.random.default_rng(0)
    for _ in range(400):
        yield source.integers(0, n, n)


def _plain_overlap(split: np.ndarray) -> np.ndarray:
    return mean_iou(np.stack([split[rows].sum(axis=0) for rows in _again(len(split))]))


def _plain_gain(pair: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return _plain_overlap(pair[0]) - _plain_overlap(pair[1])


def _plain_precision(pair: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    scores, labels = pair
    return np.array([mean_average_precision(scores[rows], labels[rows]) for rows in _again(len(labels))])


if __name__ == "__main__":
    main()
