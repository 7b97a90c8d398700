"""Facts about pairs of near rows and the groups they make."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.stats.pairs import grouped, near_pairs


def _unit(rows: np.ndarray) -> np.ndarray:
    unit: np.ndarray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


@pytest.mark.parametrize("seed", range(3))
def test_slightly_moved_rows_are_found_and_strangers_are_not(seed: int) -> None:
    """At least 95 of 100 rows find their moved copy among 1,000, and no stranger is paired."""
    draws = np.random.default_rng(seed)
    rows = draws.standard_normal((900, 32))
    moved = rows[:100] + 0.05 * draws.standard_normal((100, 32))
    pairs, _ = near_pairs(_unit(np.concatenate([rows, moved])), least=0.95)
    assert (pairs[:, 1] - pairs[:, 0] == 900).all()
    assert len(pairs) >= 95


def test_pairs_of_a_single_leaf_are_those_of_a_loop() -> None:
    """Without a division every pair is compared once."""
    rows = _unit(np.random.default_rng(0).standard_normal((40, 3)))
    pairs, compared = near_pairs(rows, least=0.8, leaf=40, trees=1)
    wanted = [[i, j] for i in range(40) for j in range(i + 1, 40) if rows[i] @ rows[j] >= 0.8]
    assert pairs.tolist() == wanted
    assert compared == 40 * 39 // 2


def test_comparisons_grow_with_the_rows() -> None:
    """Eight times the rows take eight times the comparisons, not sixty-four, even where all rows are equal."""
    few, many = (near_pairs(np.zeros((n, 4), np.float32), least=0.5)[1] for n in (1024, 8192))
    assert many == 8 * few


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_rows_make_no_pair(count: int) -> None:
    """Nothing and one row have no neighbours."""
    pairs, compared = near_pairs(np.ones((count, 2), np.float32), least=0.5)
    assert pairs.shape == (0, 2)
    assert compared == 0


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=20))
def test_groups_are_the_equivalence_that_pairs_generate(pairs: list[tuple[int, int]]) -> None:
    """Two rows share a group exactly where a walk along pairs joins them, in whatever order pairs come."""
    joined = np.eye(12, dtype=bool)
    for first, second in pairs:
        joined[first, second] = joined[second, first] = True
    for _ in range(4):
        joined = joined @ joined
    wanted = joined.argmax(axis=1)
    links = np.array(pairs, np.int64).reshape(-1, 2)
    assert (grouped(links, 12) == wanted).all()
    assert (grouped(links[::-1, ::-1], 12) == wanted).all()
