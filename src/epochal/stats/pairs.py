"""Pairs of rows that lie near each other, and the groups that pairs make, at a cost that grows with the rows."""

import numpy as np
from jaxtyping import Float32, Int64

# Rows that one leaf of a tree may hold: every two of them are compared, so a row is compared with at most so many.
LEAF = 128
# Trees that are grown; a pair that one tears apart is found by another.
TREES = 8


def near_pairs(
    rows: Float32[np.ndarray, "n d"], *, least: float, leaf: int = LEAF, trees: int = TREES, seed: int = 0
) -> tuple[Int64[np.ndarray, "p 2"], int]:
    """Pairs of unit rows whose product is `least` or more, and how many comparisons it took.

    Each tree halves the rows at the median of random directions until no more than `leaf` are left, and compares these
    with each other; so comparisons stay below `n * leaf * trees / 2`. A pair is missed if every tree parts it.

    Shapes: pairs (p, 2), the smaller row first, in order, each once.  Source: Dasgupta and Freund 2008.

    >>> near_pairs(np.eye(3, dtype=np.float32)[[0, 1, 0, 2]], least=0.9)[0].tolist()
    [[0, 2]]
    """
    assert leaf >= 2
    draws = np.random.default_rng(seed)
    found, compared = [np.zeros(0, np.int64)], 0
    for _ in range(trees):
        waiting = [np.arange(len(rows), dtype=np.int64)]
        while waiting:
            part = waiting.pop()
            if len(part) > leaf:
                order = np.argsort(rows[part] @ draws.standard_normal(rows.shape[1], dtype=np.float32), kind="stable")
                waiting += [np.sort(half) for half in np.array_split(part[order], 2)]
                continue
            compared += len(part) * (len(part) - 1) // 2
            first, second = np.nonzero(np.triu(rows[part] @ rows[part].T >= least, 1))
            found.append(part[first] * len(rows) + part[second])
    keys = np.unique(np.concatenate(found))
    return np.stack(np.divmod(keys, max(len(rows), 1)), axis=1), compared


def grouped(pairs: Int64[np.ndarray, "p 2"], count: int) -> Int64[np.ndarray, " n"]:
    """The group of each of `count` rows, named by its smallest row: rows linked by pairs, however many apart.

    >>> grouped(np.array([[3, 1], [4, 3]]), 5).tolist()
    [0, 1, 2, 1, 1]
    """
    parent = list(range(count))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for first, second in pairs.tolist():
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    return np.fromiter((root(row) for row in range(count)), np.int64, count)
