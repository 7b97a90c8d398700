"""Facts about orders and draws."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.order import mix, permutation

MASK = (1 << 64) - 1


def splitmix(state: int) -> int:
    """SplitMix64 in whole numbers, after the authors' C code."""
    state = (state + 0x9E3779B97F4A7C15) & MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)


@given(st.integers(0, MASK), st.lists(st.integers(-5, MASK), max_size=3))
def test_mix_is_splitmix(number: int, keys: list[int]) -> None:
    """The array version equals the scalar one, applied once and then once for each key."""
    state = splitmix(number)
    for key in keys:
        state = splitmix(state ^ (key & MASK))
    assert int(mix(np.array([number], np.uint64), *keys)[0]) == state


@given(st.integers(0, 300), st.integers(0, 10**6), st.integers(0, 1000))
def test_permutation_is_one(count: int, seed: int, epoch: int) -> None:
    """Every number comes exactly once."""
    assert sorted(permutation(count, seed=seed, epoch=epoch).tolist()) == list(range(count))


def test_seeds_and_epochs_differ() -> None:
    """Another seed or another epoch gives another order; swapping the two does, too."""
    orders = {tuple(permutation(50, seed=seed, epoch=epoch).tolist()) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


def test_the_order_never_changes() -> None:
    """The order of a seed is the same for ever: a run that was begun with an older version can be resumed."""
    assert permutation(8, seed=1, epoch=2).tolist() == [7, 5, 1, 0, 4, 2, 3, 6]


def test_places_are_even() -> None:
    """Over many seeds each number comes to each place equally often (chi-squared, 49 degrees of freedom)."""
    count, seeds = 8, 4000
    places = np.zeros((count, count))
    for seed in range(seeds):
        places[np.arange(count), permutation(count, seed=seed, epoch=0)] += 1
    expected = seeds / count
    assert ((places - expected) ** 2 / expected).sum() < 98  # the 0.99997 quantile
