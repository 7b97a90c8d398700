"""Facts about carving splits."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.contents import Catalogue
from epochal.data.entries import Entry
from epochal.data.sources import open_source
from epochal.data.split import assign_splits, carve, certain_train
from epochal.data.table import SPLITS, Sample, SampleTable
from epochal.data.targets import Targets, rarest, strata
from epochal.errors import DataError, SettingError

TRAIN, VAL, TEST = (SPLITS.index(name) for name in ("train", "val", "test"))


def names(ids: np.ndarray, *, salt: int = 0) -> np.ndarray:
    """Sixteen random bytes for each number, equal for equal numbers."""
    table = np.random.default_rng(salt).integers(0, 256, (int(ids.max()) + 1 if len(ids) else 1, 16), dtype=np.uint8)
    rows: np.ndarray = table[ids]
    return rows


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels and groups, some of them larger than one."""
    count = draw(st.integers(1, 120))
    labels = np.array(draw(st.lists(st.integers(0, 4), min_size=count, max_size=count)))
    ids = np.array(draw(st.lists(st.integers(0, 90), min_size=count, max_size=count)))
    return labels, ids


@given(problems(), st.integers(0, 9))
def test_groups_stay_together(problem: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    """No group is divided, whatever its labels."""
    labels, ids = problem
    codes = carve(labels, names(ids), fractions={"val": 0.2, "test": 0.2}, seed=seed)
    for group in np.unique(ids):
        assert len(set(codes[ids == group].tolist())) == 1


@given(problems(), st.integers(0, 9), st.randoms(use_true_random=False))
def test_order_does_not_matter(problem: tuple[np.ndarray, np.ndarray], seed: int, random: object) -> None:
    """The same samples in another order go to the same splits."""
    labels, ids = problem
    order = np.random.default_rng(seed).permutation(len(labels))
    codes = carve(labels, names(ids), fractions={"val": 0.2}, seed=seed)
    again = carve(labels[order], names(ids)[order], fractions={"val": 0.2}, seed=seed)
    np.testing.assert_array_equal(again, codes[order])


@given(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.integers(0, 99), st.sampled_from([0.05, 0.1, 0.3]))
def test_every_class_gives_its_share(sizes: list[int], seed: int, share: float) -> None:
    """Without duplicates each class gives its rounded share, at least one, and keeps at least one for train."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    codes = carve(labels, names(np.arange(len(labels))), fractions={"val": share, "test": share}, seed=seed)
    for label, size in enumerate(sizes):
        counts = np.bincount(codes[labels == label], minlength=4)
        wanted = max(1, round(share * size))
        assert counts[TRAIN] >= 1
        if size >= 2 * wanted + 1:
            assert counts[VAL] == counts[TEST] == wanted
        if size >= 2:
            assert counts[VAL] >= 1


def test_seed_decides() -> None:
    """Another seed takes other samples, the same seed the same."""
    labels, groups = np.zeros(200, int), names(np.arange(200))
    first, again, other = (carve(labels, groups, fractions={"val": 0.1}, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_one_more_file_moves_few() -> None:
    """A sample that is added moves at most two others across."""
    labels, groups = np.zeros(201, int), names(np.arange(201))
    before = carve(labels[:200], groups[:200], fractions={"val": 0.1}, seed=0)
    after = carve(labels, groups, fractions={"val": 0.1}, seed=0)[:200]
    assert (before != after).sum() <= 2


def test_a_huge_group_stays_in_train() -> None:
    """A group far larger than a split's share does not fill it."""
    ids = np.array([0] * 80 + list(range(1, 21)))
    codes = carve(np.zeros(100, int), names(ids), fractions={"val": 0.1}, seed=0)
    assert set(codes[:80].tolist()) == {TRAIN}
    assert (codes == VAL).sum() == 10


@pytest.mark.parametrize("fractions", [{"val": -0.1}, {"val": 1.0}, {"val": 0.5, "test": 0.5}])
def test_impossible_shares(fractions: dict[str, float]) -> None:
    """Shares that leave nothing to train on are refused."""
    with pytest.raises(SettingError, match="shares"):
        carve(np.zeros(4, int), names(np.arange(4)), fractions=fractions, seed=0)


def sample(number: int, *, split: str = "", label: int = 0, problem: str | None = None) -> Sample:
    """A row with pixels of its own."""
    name = names(np.array([number]), salt=number)[0].tobytes().hex()
    return Sample(
        key=f"{number:05d}.png", split=split, label=label, width=4, height=4, mode="L", format="PNG", file_bytes=9,
        content_hash=name, pixel_hash=name, mean=(0.5,), std=(0.1,), low=(0,), high=(9,), problem=problem, notes=(),
    )  # fmt: skip


def table_of(samples: list[Sample]) -> SampleTable:
    """A table of two classes."""
    return SampleTable.of(samples, classes=("a", "b"), size=(4, 4))


@pytest.mark.parametrize(
    ("folders", "carved"),
    [
        (("",), {"val", "test"}),
        (("train",), {"val", "test"}),
        (("train", "test"), {"val"}),
        (("train", "val"), {"test"}),
        (("train", "val", "test"), set()),
    ],
)
def test_folders_are_respected(folders: tuple[str, ...], carved: set[str]) -> None:
    """What folders give is kept; what they leave out is carved from train, a tenth of it."""
    samples = [
        sample(100 * part + number, split=split, label=number % 2)
        for part, split in enumerate(folders)
        for number in range(40)
    ]
    before = table_of(samples)
    after = assign_splits(before, seed=0)
    for split in ("val", "test"):
        given = before.split_codes == SPLITS.index(split)
        assert (after.split_codes[given] == SPLITS.index(split)).all()
        assert len(after.index(split)) == (4 if split in carved else given.sum())
    assert not len(after.index(""))


def test_problem_files_belong_nowhere() -> None:
    """A file that could not be decoded is in no split."""
    table = table_of(
        [sample(number, label=number % 2, problem="empty: x" if number == 3 else None) for number in range(40)]
    )
    after = assign_splits(table, seed=0)
    assert after[3].split == ""
    assert sum(len(after.index(split)) for split in ("train", "val", "test")) == 39


def test_shares_can_be_given() -> None:
    """A share of 0 leaves a split out; another share is taken as it is."""
    table = table_of([sample(number, label=number % 2) for number in range(100)])
    after = assign_splits(table, seed=0, val=0.3, test=0)
    assert [len(after.index(split)) for split in ("train", "val", "test")] == [70, 30, 0]


def test_large_data_sets_give_at_most_5000() -> None:
    """A tenth of 50,000 is the most that is taken for a split."""
    count = 60_000
    hashes = np.random.default_rng(0).integers(0, 256, (count, 16), dtype=np.uint8)
    codes = assign_splits(_large(count, hashes), seed=0).split_codes
    assert [(codes == code).sum() for code in (VAL, TEST)] == [5000, 5000]


def _large(count: int, hashes: np.ndarray) -> SampleTable:
    one = np.zeros((count, 1))
    return SampleTable(
        classes=("a", "b"), keys=tuple(map(str, range(count))), split_codes=np.zeros(count, np.int8),
        labels=np.arange(count) % 2, widths=np.ones(count, int), heights=np.ones(count, int), modes=("L",) * count,
        formats=("PNG",) * count, file_bytes=np.ones(count, int), content_hashes=hashes, pixel_hashes=hashes,
        size=(1, 1), means=one, stds=one, lows=one.astype(np.uint8), highs=one.astype(np.uint8), problems={}, notes={},
    )  # fmt: skip


@given(st.integers(0, 50))
def test_certain_train_keeps_its_word(seed: int) -> None:
    """Rows that are promised to train are in train once everything is known, and they are about half."""
    hashes = np.random.default_rng(seed).integers(0, 256, (1000, 16), dtype=np.uint8)
    table = _large(1000, hashes)
    promised = certain_train(table, seed=seed)
    assert set(promised.tolist()) <= set(assign_splits(table, seed=seed).index("train").tolist())
    assert 400 < len(promised) < 600


def test_certain_train_leaves_test_folders_alone() -> None:
    """Files in a test folder are never promised to train."""
    table = table_of(
        [sample(number, split="test" if number % 2 else "train", label=number % 2) for number in range(60)]
    )
    assert set(table.split_codes[certain_train(table, seed=0)].tolist()) == {TRAIN}


def test_nothing_left_to_train_on() -> None:
    """With test pictures alone there is nothing to train on."""
    with pytest.raises(DataError, match="train on"):
        assign_splits(table_of([sample(number, split="test") for number in range(4)]), seed=0)


def frames(count: int, *, folders: int = 1, copies: dict[int, int] | None = None) -> SampleTable:
    """Frames of films, one film a folder; a frame in `copies` has the pixels of another."""
    rows = []
    for number in range(count):
        same = (copies or {}).get(number, number)
        row = dataclasses.replace(sample(same, label=number % folders), key=f"{number % folders}/f{number}.png")
        rows.append(row)
    return SampleTable.of(rows, classes=("a", "b"), size=(4, 4))


def test_films_are_carved_in_runs() -> None:
    """A tenth goes to each split, of each folder, in a few stretches of neighbours."""
    table = frames(600, folders=2)
    after = assign_splits(table, seed=0, films=True)
    for label in (0, 1):
        codes = after.split_codes[table.labels == label]
        assert [(codes == code).sum() for code in (VAL, TEST)] == [30, 30]
        assert (np.diff(codes) != 0).sum() <= 12
    assert (assign_splits(table, seed=1, films=True).split_codes != after.split_codes).any()


def test_copies_join_the_runs_in_which_they_lie() -> None:
    """Two frames with the same pixels are on one side, and so are the runs around them."""
    table = frames(300, copies={205: 15})
    for seed in range(8):
        codes = assign_splits(table, seed=seed, films=True).split_codes
        assert codes[205] == codes[15]


def test_folders_are_respected_for_films_too() -> None:
    """A validation split that folders give is kept, and only the test split is carved."""
    table = frames(300)
    codes = np.where(np.arange(300) < 50, VAL, TRAIN).astype(np.int8)
    after = assign_splits(table.with_splits(codes), seed=0, films=True).split_codes
    assert (after[:50] == VAL).all()
    assert (after == VAL).sum() == 50
    assert 20 <= (after == TEST).sum() <= 30


@given(seed=st.integers(0, 20), films=st.booleans())
def test_certain_train_keeps_its_word_for_films(*, seed: int, films: bool) -> None:
    """With the catalogue of all files, rows promised to train are in train whether these are films or not."""
    table = frames(600, folders=2, copies={number: number - 60 for number in range(100, 130)})
    entries = tuple(Entry(key=key, size=1, stamp=1) for key in table.keys)
    pictures = Catalogue(
        source=open_source("digits"), entries=entries, classes=table.classes, labels=tuple(table.labels.tolist()),
        splits=("",) * 600,
    )  # fmt: skip
    part = np.arange(0, 600, 3)
    promised = part[certain_train(table.select(part), seed=seed, pictures=pictures)]
    after = assign_splits(table, seed=seed, films=films)
    assert set(promised.tolist()) <= set(after.index("train").tolist())
    assert 20 < len(promised) < 100


def test_values_are_dealt_evenly() -> None:
    """Of values, each tenth of their range gives its share to each split."""
    values = np.random.default_rng(0).normal(size=500)
    targets = Targets(
        kind="regression", names=("x",), labels=np.full(500, -1), values=values.astype(np.float32)[:, None], problems={}
    )
    _, stratum = strata(targets)
    codes = carve(stratum, names(np.arange(500)), fractions={"val": 0.1, "test": 0.1}, seed=0)
    for code in (VAL, TEST):
        assert np.bincount(stratum[codes == code]).tolist() == [5] * 10
        assert abs(values[codes == code].mean() - values.mean()) < 0.15


def test_rare_labels_reach_every_split() -> None:
    """A label of 12 pictures among 400 is in train, val and test: pictures are dealt by their rarest label."""
    marks = np.zeros((400, 2), np.float32)
    marks[:, 0] = 1
    marks[::34, 1] = 1
    codes = carve(rarest(marks), names(np.arange(400)), fractions={"val": 0.1, "test": 0.1}, seed=0)
    assert [int(marks[codes == code, 1].sum()) for code in (TRAIN, VAL, TEST)] == [10, 1, 1]
