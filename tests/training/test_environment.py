"""Seeds that spread, reseeding that repeats, and settings made in one place."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from epochal.training.distributed import Launch
from epochal.training.environment import activate, detect, mixed, reseed, seed_everything
from epochal.training.machine import usable_cores
from epochal.training.runtime import Runtime

integers = st.integers(0, 2**40)


def test_seeds_every_generator() -> None:
    """Python, numpy and torch draw the same numbers after the same seed (K2.1)."""
    drawn = []
    for _ in range(2):
        seed_everything(5)
        drawn.append((random.random(), float(np.random.rand()), torch.rand(1).item()))  # noqa: NPY002
    assert drawn[0] == drawn[1]


@given(st.lists(integers, min_size=1, max_size=4), st.lists(integers, min_size=1, max_size=4))
def test_different_parts_give_different_seeds(one: list[int], other: list[int]) -> None:
    """No two steps share a seed; a seed fits what generators take."""
    assert (mixed(*one) == mixed(*other)) == (one == other)
    assert 0 <= mixed(*one) < 2**63


def test_neighbouring_steps_draw_unrelated_numbers() -> None:
    """First draws over consecutive steps are uniform: mean and spread as they should be, no correlation."""
    drawn = []
    for step in range(2000):
        reseed(0, epoch=0, step=step)
        drawn.append(torch.rand(1).item())
    values = np.array(drawn)
    assert abs(values.mean() - 0.5) < 4 * np.sqrt(1 / 12 / 2000)
    assert abs(values.var() - 1 / 12) < 0.01
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 4 / np.sqrt(2000)


@given(integers, st.integers(0, 1000), st.integers(0, 10**6), st.integers(0, 7))
def test_reseeding_repeats(seed: int, epoch: int, step: int, rank: int) -> None:
    """The same four numbers give the same draws; another process gets others."""
    reseed(seed, epoch=epoch, step=step, rank=rank)
    first = torch.rand(3)
    reseed(seed, epoch=epoch, step=step, rank=rank)
    assert torch.equal(first, torch.rand(3))
    reseed(seed, epoch=epoch, step=step, rank=rank + 1)
    assert not torch.equal(first, torch.rand(3))


def test_detects_this_machine() -> None:
    """One process uses all cores it may; two share them."""
    assert detect().threads == usable_cores()
    second = detect(Launch(rank=1, local_rank=0, world_size=2))
    assert (second.rank, second.world_size) == (1, 2)
    assert second.threads == max(1, usable_cores() // 2)


def test_activating_sets_threads() -> None:
    """The number of threads a runtime names is the number torch uses; none named changes nothing."""
    before = torch.get_num_threads()
    try:
        activate(Runtime(threads=2))
        assert torch.get_num_threads() == 2
        activate(Runtime())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU whose generator could be seeded")
def test_reseeding_reaches_the_gpu() -> None:
    """Draws on the device repeat too."""
    device = torch.device("cuda", 0)
    reseed(0, epoch=0, step=1, device=device)
    first = torch.rand(3, device=device)
    reseed(0, epoch=0, step=1, device=device)
    assert torch.equal(first, torch.rand(3, device=device))
