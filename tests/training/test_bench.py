"""The test bench: noise and distance of gradients against their definitions, and batches cut to size."""

import itertools

import pytest
import torch
from torch import nn

from epochal.data.batch import Batch
from epochal.losses.classification import cross_entropy
from epochal.training.bench import Bench
from epochal.training.reference import small_data, small_network
from epochal.training.runtime import Runtime


def _bench(samples: int = 16, *, tick: float = 1.0, norm: str = "group") -> Bench:
    images, labels = small_data(samples)
    batch = Batch(images=images, labels=labels, index=torch.arange(samples), seed=0)
    clock = itertools.count(0.0, tick).__next__
    return Bench(small_network(norm=norm), batch, loss=cross_entropy, clock=clock)


def _gradient(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    model.zero_grad()
    nn.functional.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def test_noise_is_half_the_distance_of_the_halves() -> None:
    """Against gradients computed by hand; it is the standard error that theory gives for a mean of two."""
    images, labels = small_data(16)
    model = small_network(norm="group")
    halves = [_gradient(model, images[part], labels[part]).clone() for part in (slice(0, 8), slice(8, 16))]
    assert _bench().sampling_noise(Runtime()) == pytest.approx(float((halves[0] - halves[1]).norm()) / 2, rel=1e-4)


def test_distance_is_that_of_the_gradients() -> None:
    """bfloat16's gradient is as far from float32's as when both are computed by hand."""
    images, labels = small_data(16)
    plain = _gradient(small_network(norm="group"), images, labels)
    model = small_network(norm="group")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = model(images)
    nn.functional.cross_entropy(outputs.float(), labels).backward()  # type: ignore[no-untyped-call]
    half = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    distance, loss = _bench().distance(Runtime(autocast_dtype=torch.bfloat16))
    assert distance == pytest.approx(float((plain - half).norm()), rel=1e-3)
    assert loss == pytest.approx(1.1, abs=0.3)


def test_the_network_is_left_alone() -> None:
    """Steps move copies; the running statistics of the original stay as they are."""
    bench = _bench(norm="batch")
    before = {name: value.clone() for name, value in bench.model.state_dict().items()}
    bench.seconds_per_step(Runtime())
    bench.distance(Runtime(channels_last=True))
    assert all(torch.equal(value, before[name]) for name, value in bench.model.state_dict().items())


@pytest.mark.parametrize(("limit", "samples"), [(0.5, 8), (1.0, 8), (2.0, 16), (4.0, 32), (99.0, 64)])
def test_a_batch_is_cut_to_the_time(limit: float, samples: int) -> None:
    """A clock that says one second per step of 8 samples allows as many as fit."""
    bench = _bench(64)
    bench.cut(Runtime(), limit=limit)
    assert bench.samples == samples
