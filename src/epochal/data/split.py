"""Dividing samples into train, val and test."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Int, UInt8, UInt64

from epochal.data.contents import Catalogue
from epochal.data.order import mix
from epochal.data.runs import joined, runs
from epochal.data.sealed import Samples, SealedSplit, Splits, divide
from epochal.data.table import SPLITS, SampleTable
from epochal.errors import DataError, SettingError

__all__ = ["Samples", "SealedSplit", "Splits", "assign_splits", "carve", "carve_runs", "certain_train", "divide"]

# Where folders leave a split out, this share of the samples is taken for it ...
FRACTION = 0.1
# ... but no more than this many: enough to measure 90 % accuracy to within 0.8 points (Wilson, 95 %).
LARGEST = 5_000
# Half of all draws are from here on.
UPPER_HALF = np.uint64(1 << 63)


def carve(
    labels: Int[np.ndarray, " n"],
    groups: UInt8[np.ndarray, "n b"],
    *,
    fractions: Mapping[str, float],
    seed: int,
) -> Int[np.ndarray, " n"]:
    """Divide samples into splits, the same share of each class, groups never divided; the rest is train.

    Which samples are taken depends on the seed and on the bytes that name their group, neither on the order of the
    samples nor on names; so a file that is added moves few others. Each class gives at least one sample to each split
    while it has groups enough to keep one for train. Returns codes that count `SPLITS`.

    Shapes: groups (n, b): rows of bytes that are equal for samples that must stay together.
    Raises: SettingError if the fractions are not between 0 and 1 or add up to 1 or more.

    >>> groups = np.arange(20, dtype=np.uint8)[:, None]
    >>> codes = carve(np.arange(20) % 2, groups, fractions={"val": 0.2}, seed=0)
    >>> [SPLITS[code] for code in sorted(set(codes.tolist()))], int((codes == 2).sum())
    (['train', 'val'], 4)
    """
    if not all(0 <= share < 1 for share in fractions.values()) or sum(fractions.values()) >= 1:
        raise SettingError(
            f"The shares of the splits are {dict(fractions)}.",
            expected="each from 0 to below 1, and less than 1 together.",
            remedy="lower them, for example to 0.1 each.",
        )
    if not len(labels):
        return np.zeros(0, dtype=np.int8)
    firsts, group = _grouped(groups)
    return _carved(labels, group, draws=mix(_number(groups[firsts]), seed), fractions=fractions)


def carve_runs(
    table: SampleTable, rows: Int[np.ndarray, " rows"], *, fractions: Mapping[str, float], seed: int
) -> Int[np.ndarray, " rows"]:
    """Divide frames of films: whole runs of consecutive files, of each class folder the same share.

    Nothing else is dealt out evenly: runs (`epochal.data.runs`) are what they show. Exact duplicates stay together,
    too, and with them the runs in which they lie. Returns codes for `rows`.

    >>> from epochal.data.scan import scan
    >>> from epochal.data.sources import open_source
    >>> digits = scan(open_source("digits"), cache=False).table
    >>> codes = carve_runs(digits, np.arange(len(digits)), fractions={"val": 0.1}, seed=0)
    >>> 170 < int((codes == SPLITS.index("val")).sum()) < 200, int((np.diff(codes) != 0).sum()) < 70
    (True, True)
    """
    if not len(rows):
        return np.zeros(0, dtype=np.int8)
    free = table.split_codes <= SPLITS.index("train")
    strata = _strata(table.keys, table.labels)
    run, draws = _runs_of(table.keys, strata, free=free, seed=seed)
    _, copies = _grouped(table.pixel_hashes[rows])
    _, group = np.unique(joined(run[rows], copies), return_inverse=True)
    # The highest draw of those that are joined: whoever was promised to train by its own stays there.
    highest = np.zeros(int(group.max()) + 1, dtype=np.uint64)
    np.maximum.at(highest, group, draws[run[rows]])
    return _carved(strata[rows], group, draws=highest, fractions=fractions, films=True)


def _runs_of(
    keys: Sequence[str], strata: Int[np.ndarray, " n"], *, free: Bool[np.ndarray, " n"], seed: int
) -> tuple[Int[np.ndarray, " n"], UInt64[np.ndarray, " runs"]]:
    """The run of each file, and the draw of each run; whatever can be read or not, so that it is known beforehand."""
    rows = np.flatnonzero(free)
    found, names = runs([keys[row] for row in rows.tolist()], strata[rows])
    run = np.zeros(len(keys), dtype=np.int64)
    run[rows] = found
    return run, mix(_number(names), seed)


def _strata(keys: Sequence[str], labels: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Labels where each folder has its own, -1 elsewhere: a film in which labels change is not cut there."""
    folders = np.unique([key.rpartition("/")[0] for key in keys], return_inverse=True)[1]
    pairs = len(np.unique(np.stack([folders, labels]), axis=1).T)
    return labels if pairs == len(np.unique(folders)) > 1 else np.full(len(labels), -1, dtype=np.int64)


def _carved(
    labels: Int[np.ndarray, " n"],
    group: Int[np.ndarray, " n"],
    *,
    draws: UInt64[np.ndarray, " g"],
    fractions: Mapping[str, float],
    films: bool = False,
) -> Int[np.ndarray, " n"]:
    """Deal whole groups, those with the lowest draws first, in each stratum apart."""
    sizes = np.bincount(group)
    # A group whose members disagree on the label counts for the lowest of them.
    stratum = np.full(len(sizes), np.iinfo(np.int64).max)
    np.minimum.at(stratum, group, labels)
    by_group = np.full(len(sizes), SPLITS.index("train"), dtype=np.int8)
    for label in np.unique(stratum):
        members = np.flatnonzero(stratum == label)
        members = members[np.argsort(draws[members], kind="stable")]
        by_group[members] = _dealt(sizes[members], fractions, films=films)
    dealt: Int[np.ndarray, " n"] = by_group[group]
    return dealt


def certain_train(table: SampleTable, *, seed: int, pictures: Catalogue | None = None) -> Int[np.ndarray, " rows"]:
    """Rows that `assign_splits` will leave in train, known before the rest of the files has been decoded.

    Splits are dealt from the lowest draws of each class upwards, so the upper half of the draws stays in train as long
    as val and test together take less than half of every class; use it on samples of hundreds a class. For a first
    model made from part of the files, which must not have seen a picture that is judged later. With the catalogue of
    all files it holds for frames of films as well, which are dealt in runs, unless exact copies join many of them.

    >>> from epochal.data.scan import scan
    >>> from epochal.data.sources import open_source
    >>> part = scan(open_source("digits"), limit=500)
    >>> whole = assign_splits(scan(open_source("digits"), cache=False).table, seed=0)
    >>> first = {part.table.keys[row] for row in certain_train(part.table, seed=0)}
    >>> len(first) > 200, first <= {whole.keys[row] for row in whole.index("train")}
    (True, True)
    """
    draws = mix(_number(table.pixel_hashes), seed)
    free = table.split_codes <= SPLITS.index("train")
    certain = table.usable & free & (draws >= UPPER_HALF)
    if pictures is not None:
        keys = [entry.key for entry in pictures.entries]
        free = np.asarray([SPLITS.index(split) for split in pictures.splits]) <= SPLITS.index("train")
        late = _in_late_runs(keys, _strata(keys, np.asarray(pictures.labels)), free=free, seed=seed)
        at = {key: number for number, key in enumerate(keys)}
        certain &= late[[at[key] for key in table.keys]]
    rows: Int[np.ndarray, " rows"] = np.flatnonzero(certain)
    return rows


def _in_late_runs(
    keys: Sequence[str], strata: Int[np.ndarray, " n"], *, free: Bool[np.ndarray, " n"], seed: int
) -> Bool[np.ndarray, " n"]:
    """True for each file in whose stratum half of the files lie in runs with lower draws."""
    run, draws = _runs_of(keys, strata, free=free, seed=seed)
    late = np.zeros(len(keys), dtype=bool)
    for stratum in np.unique(strata[free]):
        rows = np.flatnonzero(free & (strata == stratum))
        rows = rows[np.lexsort((run[rows], draws[run[rows]]))]
        first = np.searchsorted(draws[run[rows]], draws[run[rows]], side="left")
        late[rows] = 2 * first >= len(rows)
    return late


def _dealt(sizes: Int[np.ndarray, " g"], fractions: Mapping[str, float], *, films: bool) -> Int[np.ndarray, " g"]:
    """Deal groups of one class, in their drawn order, until each split has its share.

    Runs of films are much the same in size: the one that would end nearest to the share is the last.
    """
    beyond = 0.5 if films else 0.0
    codes = np.full(len(sizes), SPLITS.index("train"), dtype=np.int8)
    total, left = int(sizes.sum()), len(sizes)
    for split, share in fractions.items():
        wanted, taken = max(round(share * total), 1 if share > 0 else 0), 0
        for number in np.flatnonzero(codes == SPLITS.index("train")):
            if taken >= wanted or left <= 1:
                break
            # A large group is passed over rather than let a split grow past its share, unless it would stay empty.
            if taken + sizes[number] * (1 - beyond) <= wanted or (taken == 0 and sizes[number] <= total / 2):
                codes[number] = SPLITS.index(split)
                taken += int(sizes[number])
                left -= 1
            elif films and taken and sizes[number] <= wanted:
                break
    return codes


def _grouped(groups: UInt8[np.ndarray, "n b"]) -> tuple[Int[np.ndarray, " g"], Int[np.ndarray, " n"]]:
    names = np.ascontiguousarray(groups).view(f"V{groups.shape[1]}")[:, 0]
    _, firsts, group = np.unique(names, return_index=True, return_inverse=True)
    return firsts, group


def _number(names: UInt8[np.ndarray, "g b"]) -> np.ndarray:
    """The first eight bytes of each name as a number; hashes are spread evenly over it."""
    wide = np.zeros((len(names), 8), dtype=np.uint8)
    wide[:, : min(8, names.shape[1])] = names[:, :8]
    return wide.view("<u8")[:, 0]


def assign_splits(
    table: SampleTable,
    *,
    seed: int,
    val: float | None = None,
    test: float | None = None,
    films: bool = False,
) -> SampleTable:
    """Respect the splits that folders give, and carve from train those that are missing.

    A missing split gets a tenth of the samples, at most 5,000, unless a share is given (0 leaves it out); the same
    share of each class, of each label (by the rarest of a picture) and of each tenth of the first value; masks are
    dealt as they come. Exact duplicates (by pixels) stay on one side. With `films` whole runs of consecutive files are
    taken, for files that are frames of films (`epochal.data.frames.neighbours` tells). Samples that could not be
    decoded belong to no split.

    Raises: DataError if nothing is left to train on.

    >>> from epochal.data.scan import scan
    >>> from epochal.data.sources import open_source
    >>> table = assign_splits(scan(open_source("digits"), cache=False).table, seed=0)
    >>> [len(table.index(split)) for split in ("train", "val", "test")]
    [1439, 179, 179]
    """
    usable = table.usable
    given = {SPLITS[code] for code in np.unique(table.split_codes[usable])}
    codes = np.where(usable, table.split_codes, 0).astype(np.int8)
    pool = np.flatnonzero(usable & (codes <= SPLITS.index("train")))
    usual = min(FRACTION, LARGEST / max(len(pool), 1))
    asked = {"val": usual if val is None else val, "test": usual if test is None else test}
    fractions = {split: share for split, share in asked.items() if split not in given}
    codes[pool] = (
        carve_runs(table, pool, fractions=fractions, seed=seed)
        if films
        else carve(table.labels[pool], table.pixel_hashes[pool], fractions=fractions, seed=seed)
    )
    if not (codes == SPLITS.index("train")).any():
        raise DataError(
            "No image is left to train on.",
            expected="images that can be decoded, outside the folders for validation and test.",
            remedy="look at the problems listed for the files, and at the names of the folders.",
        )
    return table.with_splits(codes)
