"""How alike neighbours by name are in films and elsewhere, and what a random split of a film gives away.

python benchmarks/healthy/frames.py        about a minute; writes frames.md
"""

import numpy as np
from programs import SHARED, write

from epochal.data.frames import neighbours, thumbnails
from epochal.data.scan import Scan, scan
from epochal.data.sources import open_source
from epochal.data.split import assign_splits

SEEDS = 5


def main() -> None:
    """Scan, measure, and write the table."""
    rows: list[list[object]] = []
    for name in ("camvid.zip", "needle.zip", "digits", "cifar10.zip"):
        found = scan(open_source(name if name == "digits" else SHARED / name))
        for step in (1, 2, 4, 8) if name == "camvid.zip" else (1,):
            chosen = np.flatnonzero(found.table.split_codes <= 1)[::step]
            measured = neighbours(found.table.select(chosen), found.images.array[chosen])
            told = f"every {step}. frame" if step > 1 else "all"
            rows.append([name, f"ratio of distances, {told}", measured.pairs, round(measured.ratio, 3)])
        if name in ("camvid.zip", "needle.zip"):
            for films in (False, True):
                nearest = [_nearest(found, films=films, seed=seed) for seed in range(SEEDS)]
                way = "runs" if films else "single files"
                rows.append([name, f"nearest of train to a test picture, split by {way}", SEEDS, np.mean(nearest)])
    write(
        "frames",
        title="Films and other pictures",
        note="Ratios: median distance of neighbours by name to that of any two of a folder. Nearest: median distance of"
        " a test picture to the most similar one of train, in units of the distance of any two; low is a leak.",
        columns=("data", "measured", "pairs or seeds", "value"),
        rows=rows,
    )


def _nearest(found: Scan, *, films: bool, seed: int) -> float:
    table = assign_splits(found.table, seed=seed, val=0, test=0.1, films=films)
    train, test = (thumbnails(found.images.array, table.index(split)) for split in ("train", "test"))
    distances = np.sqrt(((train[None] - test[:, None]) ** 2).mean(axis=2))
    return float(np.median(distances.min(axis=1)) / np.median(distances))


if __name__ == "__main__":
    main()
