"""How often intervals hold the true mean of absolute errors: Student's, of the logarithm, and by bootstrap.

python benchmarks/regression/intervals.py        about two minutes; writes intervals.md
"""

from collections.abc import Callable

import numpy as np
from table import write

from epochal.stats.intervals import bootstrap_mean, mean_interval
from epochal.stats.regression import mean_size

DRAWS = 2000
FAMILIES: dict[str, tuple[Callable[[np.random.Generator, int], np.ndarray], float]] = {
    "half-normal": (lambda source, n: np.abs(source.normal(size=n)), float(np.sqrt(2 / np.pi))),
    "exponential": (lambda source, n: source.exponential(size=n), 1.0),
    "log-normal": (lambda source, n: source.lognormal(size=n), float(np.exp(0.5))),
    "3 % of labels wrong": (
        lambda source, n: np.where(source.random(n) < 0.03, source.uniform(0, 5, n), np.abs(source.normal(0, 0.1, n))),
        0.03 * 2.5 + 0.97 * 0.1 * float(np.sqrt(2 / np.pi)),
    ),
}


def main() -> None:
    """Measure and write the table."""
    rows = []
    for name, (draw, truth) in FAMILIES.items():
        for n in (10, 30, 100, 300):
            source = np.random.default_rng(n)
            held = np.zeros(3)
            for _ in range(DRAWS):
                sizes = draw(source, n)
                for k, interval in enumerate((mean_interval, mean_size, bootstrap_mean)):
                    found = interval(sizes)
                    held[k] += found.low <= truth <= found.high
            rows.append([name, n, *(held / DRAWS).tolist()])
            print(*rows[-1], flush=True)
    write(
        "intervals",
        title="How often a 95 % interval of the mean absolute error holds the truth",
        columns=["errors", "samples", "Student's t", "t of the logarithm", "percentile bootstrap"],
        rows=rows,
        note=f"{DRAWS} draws each. The middle one is `epochal.stats.regression.mean_size`.",
    )


if __name__ == "__main__":
    main()
