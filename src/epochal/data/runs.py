"""Consecutive runs of files: what is kept together where neighbours in name order are frames of one film.

Decided by names alone, so that it is known before anything is decoded.
"""

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, Int64, UInt8

# Each class (or the whole set, where there are none) is cut into about so many runs, so that a tenth of it is three of
# them: fewer runs meet train at fewer ends, more of them show more of what there is. None is shorter than LEAST.
RUNS, LEAST = 30, 4

_DIGITS = re.compile(r"(\d+)")


def natural(key: str) -> tuple[tuple[int, str], ...]:
    """Sort key under which numbers in names count as numbers: frame 9 comes before frame 10.

    >>> sorted(["f10.png", "f9.png", "a/1.png"], key=natural)
    ['a/1.png', 'f9.png', 'f10.png']
    """
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in _DIGITS.split(key))


def sequences(keys: Sequence[str]) -> list[list[int]]:
    """Positions of the files in sequences: one folder, and one name but for its last number, in natural order.

    Where names differ in more than their last number, so that sequences have less than two files on average, the
    folders alone are taken.

    >>> sequences(["a/walk_2.png", "a/walk_10.png", "a/run_1.png", "a/run_2.png", "a/run_3.png", "a/walk_11.png"])
    [[2, 3, 4], [0, 1, 5]]
    """
    order = sorted(range(len(keys)), key=lambda position: natural(keys[position]))
    found = _grouped([(_stem(keys[position]), position) for position in order])
    if len(found) * 2 > len(keys):
        return _grouped([(keys[position].rpartition("/")[0], position) for position in order])
    return found


def _stem(key: str) -> str:
    """The name without its last number and its ending."""
    name = key.rpartition(".")[0] or key
    return re.sub(r"\d+(?=\D*$)", "", name)


def _grouped(named: Sequence[tuple[str, int]]) -> list[list[int]]:
    groups: dict[str, list[int]] = {}
    for name, position in named:
        groups.setdefault(name, []).append(position)
    return list(groups.values())


def runs(
    keys: Sequence[str], strata: Int[np.ndarray, " n"]
) -> tuple[Int64[np.ndarray, " n"], UInt8[np.ndarray, "r 16"]]:
    """Cut each stratum into runs of consecutive files: the run of each file, and a name of 16 bytes for each run.

    Shapes: n files, r runs.

    >>> numbers, names = runs([f"film_{frame}.jpg" for frame in range(300)], np.zeros(300, int))
    >>> np.bincount(numbers).tolist() == [10] * 30, bool((np.diff(numbers) >= 0).all()), names.shape
    (True, True, (30, 16))
    """
    numbers = np.zeros(len(keys), dtype=np.int64)
    names: list[bytes] = []
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        length = max(LEAST, -(-len(rows) // RUNS))
        for sequence in sequences([keys[row] for row in rows.tolist()]):
            members = rows[sequence]
            stem = _stem(keys[int(members[0])])
            for part, run in enumerate(np.array_split(members, max(1, round(len(members) / length)))):
                numbers[run] = len(names)
                named = f"{stratum}\0{part}\0{stem}".encode("utf-8", "surrogatepass")
                names.append(hashlib.blake2b(named, digest_size=16).digest())
    return numbers, np.frombuffer(b"".join(names), dtype=np.uint8).reshape(-1, 16)


def joined(runs: Int[np.ndarray, " n"], copies: Int[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """One number for all files that a chain of common runs and equal pictures connects.

    >>> joined(np.array([0, 0, 1, 2, 2]), np.array([5, 6, 6, 7, 8])).tolist()
    [0, 0, 0, 3, 3]
    """
    group = np.arange(len(runs), dtype=np.int64)
    while True:
        before = group
        for by in (runs, copies):
            _, numbers = np.unique(by, return_inverse=True)
            lowest = np.full(int(numbers.max(initial=-1)) + 1, len(runs), dtype=np.int64)
            np.minimum.at(lowest, numbers, group)
            group = lowest[numbers]
        if (group == before).all():
            return group
