"""The reference itself is what it says."""

import torch

from epochal.training.reference import MemoryLoader, small_data, small_network


def test_order_depends_on_seed_and_epoch_alone() -> None:
    """The same epoch is the same order; starting later skips exactly what came before."""
    loader = MemoryLoader(*small_data(), batch_size=8, seed=3)
    whole, part = list(loader.epoch(1)), list(loader.epoch(1, 2))
    assert torch.equal(whole[2].index, part[0].index)
    assert not torch.equal(whole[0].index, next(loader.epoch(2)).index)


def test_shards_share_each_batch() -> None:
    """The parts of all processes make up the batch of one."""
    images, labels = small_data(10)
    whole = next(MemoryLoader(images, labels, batch_size=6).epoch(0))
    parts = [next(MemoryLoader(images, labels, batch_size=6, shard=(rank, 2)).epoch(0)) for rank in (0, 1)]
    assert sorted(torch.cat([part.index for part in parts]).tolist()) == sorted(whole.index.tolist())


def test_networks_are_the_same_each_time() -> None:
    """Whatever was drawn before, weights are equal, and drawing them moves no generator."""
    first = small_network()
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    second = small_network()
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
