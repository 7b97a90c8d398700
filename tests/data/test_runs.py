"""Facts about runs of consecutive files."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.runs import LEAST, joined, natural, runs, sequences


def test_numbers_count_as_numbers() -> None:
    """Frame 9 comes before frame 10, with or without zeros, and folders before numbers."""
    keys = ["b/f10", "b/f9", "b/f010x", "a/f100", "f1", "1", "b"]
    assert sorted(keys, key=natural) == ["1", "a/f100", "b", "b/f9", "b/f10", "b/f010x", "f1"]


def test_films_are_told_apart_by_name() -> None:
    """Two films in one folder, and one in two folders, are sequences of their own, in the order of their numbers."""
    keys = [f"a/x_{number}.png" for number in (1, 10, 2)] + [f"a/y{number}.jpg" for number in (2, 1)]
    keys += [f"b/x_{number}.png" for number in (7, 8)]
    assert sequences(keys) == [[0, 2, 1], [4, 3], [5, 6]]


def test_names_without_a_pattern_are_taken_by_folder() -> None:
    """Where hardly two names agree but for their last number, the folder is the sequence."""
    keys = [f"a/{word}_{number}" for number, word in enumerate(["one", "two", "three"])] + ["b/x1", "b/x2"]
    assert sequences(keys) == [[0, 2, 1], [3, 4]]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 400)), max_size=200, unique=True)
)
def test_runs_are_consecutive_and_cover_all(names: list[tuple[str, str, int]]) -> None:
    """Every file has one run; a run is a stretch of one sequence, of no stratum but one, and never much too long."""
    keys = [f"{folder}/{film}_{number}.png" for folder, film, number in names]
    strata = np.array([ord(folder) for folder, _, _ in names], dtype=np.int64)
    numbers, named = runs(keys, strata)
    assert set(numbers.tolist()) == set(range(len(named)))
    assert len({name.tobytes() for name in named}) == len(named)
    for run in range(len(named)):
        assert len(set(strata[numbers == run].tolist())) == 1
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        longest = max(LEAST, -(-len(rows) // 30))
        for sequence in sequences([keys[row] for row in rows.tolist()]):
            along = numbers[rows[sequence]]
            changes = int((np.diff(along) != 0).sum())
            assert changes == len(set(along.tolist())) - 1
            assert np.bincount(along).max() <= 2 * longest


def test_runs_have_the_same_names_whatever_stands_between() -> None:
    """The order of the files changes nothing, and one more film elsewhere moves no other run."""
    keys = [f"film_{number:03d}.png" for number in range(120)]
    order = np.random.default_rng(0).permutation(120)
    first, named = runs(keys, np.zeros(120, int))
    again, named_again = runs([keys[at] for at in order], np.zeros(120, int))
    np.testing.assert_array_equal(named[first][order], named_again[again])
    more, named_more = runs([*keys, "z/1.png", "z/2.png"], np.array([0] * 120 + [1] * 2))
    np.testing.assert_array_equal(named_more[more[:120]], named[first])


def test_nothing_to_cut() -> None:
    """No files make no runs."""
    numbers, named = runs([], np.zeros(0, int))
    assert (len(numbers), named.shape) == (0, (0, 16))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40))
def test_joined_is_the_closure(pairs: list[tuple[int, int]]) -> None:
    """Two files are in one group exactly when a chain of equal runs and equal copies leads from one to the other."""
    ours = joined(np.array([run for run, _ in pairs], int), np.array([copy for _, copy in pairs], int))
    for start in range(len(pairs)):
        reached, before = {start}, set[int]()
        while reached != before:
            before = set(reached)
            reached |= {
                other
                for other in range(len(pairs))
                if any(pairs[other][side] == pairs[one][side] for one in before for side in (0, 1))
            }
        assert {other for other in range(len(pairs)) if ours[other] == ours[start]} == reached
