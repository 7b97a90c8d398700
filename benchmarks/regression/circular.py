"""How often a circle is seen where there is one, and where there is none.

python benchmarks/regression/circular.py        about five minutes; writes circular.md
"""

import numpy as np
from families import CIRCLES, LINES, Draw, blocks, dials
from table import write

from epochal.stats.circularity import find_circle

SIZES, SEEDS = (200, 400, 800), 5


def main() -> None:
    """Measure and write the table."""
    rows: list[list[object]] = []
    pixels, values = dials(32)
    features = blocks(pixels)
    for count in (250, 500, 1000, len(values)):
        draws = [np.random.default_rng(seed).permutation(len(values))[:count] for seed in range(SEEDS)]
        draws = draws if count < len(values) else draws[:1]
        found = [find_circle(features[some], values[some]).period for some in draws]
        rows.append(["circle", "needle.zip", count, len(found), sum(period == 10.0 for period in found)])
    for kind, families in (("circle", CIRCLES), ("line", LINES)):
        for name, draw in families.items():
            rows += [[kind, name, count, SEEDS, _found(draw, count)] for count in SIZES]
            print(*rows[-3:], sep="\n")
    write(
        "circular",
        title="Circles seen where there are some, and where there are none",
        columns=["truth", "family", "samples", "draws", "called a circle"],
        rows=rows,
        note=_note(rows),
    )


def _found(draw: Draw, count: int) -> int:
    return sum(find_circle(*draw(count, np.random.default_rng(seed))).circle is not None for seed in range(SEEDS))


def _note(rows: list[list[object]]) -> str:
    tried, false = (sum(int(str(row[k])) for row in rows if row[0] == "line") for k in (3, 4))
    per_size = []
    for count in SIZES:
        seen = [row for row in rows if row[0] == "circle" and row[1] in CIRCLES and row[2] == count]
        tried_here, hits = (sum(int(str(row[k])) for row in seen) for k in (3, 4))
        per_size.append(f"{1 - hits / tried_here:.0%} at {count}")
    return (
        f"False alarms: {false} of {tried}. Missed circles: {', '.join(per_size)} samples; each is answered as a line."
    )


if __name__ == "__main__":
    main()
