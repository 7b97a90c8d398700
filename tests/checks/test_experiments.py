"""Facts about the experiments before the first step, on healthy networks and on planted faults."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from epochal.checks.experiments import dependence, few_steps, initial_loss, repeat
from epochal.checks.initial_state import DEPENDENCE_RULES, LOSS_RULES, REPEAT_RULES
from epochal.findings import examine
from epochal.losses.classification import cross_entropy
from epochal.models.head import set_prior_bias_
from epochal.models.simple import LinearClassifier, SmallConvNet


def _batch(n: int = 64, classes: int = 10) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(0)
    return torch.randn(n, 1, 8, 8, generator=source), torch.arange(n) % classes


def _network(seed: int = 0, classes: int = 10) -> nn.Module:
    torch.manual_seed(seed)
    return SmallConvNet(channels_in=1, classes=classes, image_size=8, width=4)


def _names(rules: tuple[Any, ...], evidence: Any) -> set[str]:
    return {finding.rule for finding in examine(rules, evidence)}


EVEN = [0.1] * 10


@pytest.mark.parametrize("seed", range(5))
def test_healthy_networks_begin_where_they_should(seed: int) -> None:
    """An untrained small network raises no alarm, whatever its seed, and the linear one measures log c exactly."""
    images, labels = _batch()
    assert not _names(LOSS_RULES, initial_loss(_network(seed), images, labels=labels, loss=cross_entropy, prior=EVEN))
    linear = LinearClassifier(channels_in=1, classes=10, image_size=8)
    seen = initial_loss(linear, images, labels=labels, loss=cross_entropy, prior=EVEN)
    assert seen.measured == pytest.approx(math.log(10), rel=1e-6)
    assert (seen.expected, seen.even) == pytest.approx((math.log(10),) * 2)


def test_prior_in_the_bias_is_expected_and_measured() -> None:
    """With rare classes the expected loss is the entropy of the shares; the prior bias meets it, its lack is named."""
    prior = [0.8, 0.1, 0.1]
    images, _ = _batch(200)
    labels = torch.tensor([0] * 160 + [1] * 20 + [2] * 20)
    torch.manual_seed(1)
    model = SmallConvNet(channels_in=1, classes=3, image_size=8)
    bare = initial_loss(model, images, labels=labels, loss=cross_entropy, prior=prior)
    set_prior_bias_(model, [80, 10, 10])
    set_ = initial_loss(model, images, labels=labels, loss=cross_entropy, prior=prior)
    assert set_.expected == pytest.approx(-sum(p * math.log(p) for p in prior))
    assert _names(LOSS_RULES, bare) == {"prior-not-in-bias"}
    assert not _names(LOSS_RULES, set_)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_expected_loss_knows_smoothing(smoothing: float) -> None:
    """A network that ignores its input measures exactly the expected loss, smoothed or not."""
    prior = [0.75, 0.25]
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    set_prior_bias_(model, [75e6, 25e6], zero_weights=True)
    seen = initial_loss(
        model, torch.randn(8, 1, 8, 8), labels=torch.tensor([0, 0, 0, 1] * 2), prior=prior, smoothing=smoothing,
        loss=lambda logits, labels: cross_entropy(logits, labels, smoothing=smoothing),
    )  # fmt: skip
    assert seen.measured == pytest.approx(seen.expected, rel=1e-5)
    assert seen.misfit == pytest.approx(0, abs=1e-5)


def _large_head(model: nn.Module) -> nn.Module:
    with torch.no_grad():
        model.head.weight.mul_(20)  # type: ignore[operator, union-attr]
    return model


LOSS_FAULTS: dict[str, tuple[Callable[[nn.Module], nn.Module], Callable[[Tensor, Tensor], Tensor]]] = {
    "large head": (_large_head, cross_entropy),
    "summed": (lambda model: model, lambda logits, labels: F.cross_entropy(logits, labels, reduction="sum")),
    "divided by classes": (lambda model: model, lambda logits, labels: cross_entropy(logits, labels) / 10),
    "NaN": (lambda model: model, lambda logits, labels: cross_entropy(logits * math.nan, labels)),
}


@pytest.mark.parametrize("fault", LOSS_FAULTS)
def test_planted_fault_in_the_first_loss_is_found(fault: str) -> None:
    """Too large a head, a summed loss, one divided once too often and NaN all show in the first loss."""
    spoil, loss = LOSS_FAULTS[fault]
    images, labels = _batch()
    seen = initial_loss(spoil(_network()), images, labels=labels, loss=loss, prior=EVEN)
    assert _names(LOSS_RULES, seen) == {"initial-loss-off"}
    assert seen.summed == (fault == "summed")


def test_experiments_leave_no_trace() -> None:
    """Weights, running statistics, mode and random generator are as before."""
    model = _network().train()
    images, labels = _batch()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    initial_loss(model, images, labels=labels, loss=cross_entropy, prior=EVEN)
    dependence(model, images)
    repeat(few_steps(_network, images, labels=labels, loss=cross_entropy, seed=0))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert all(each.requires_grad and each.grad is None for each in model.parameters())


class _Wrong(nn.Module):
    """A network with something done to its features on the way to the head."""

    def __init__(self, spoil: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.spoil, self.inside = spoil, _network()

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.inside(self.spoil(images))
        return out


@pytest.mark.parametrize("model", [_network(), LinearClassifier(channels_in=1, classes=10, image_size=8)])
def test_healthy_networks_keep_samples_apart(model: nn.Module) -> None:
    """Each output depends on its own input alone, with batch normalisation and with a head that begins at zero."""
    seen = dependence(model, _batch(8)[0], asked=[0, 3, 7])
    assert not _names(DEPENDENCE_RULES, seen)
    assert [sum(value > 0 for value in reach) for reach in seen.reach] == [1, 1, 1]


DEPENDENCE_FAULTS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "view": (lambda x: x.permute(2, 0, 1, 3).reshape(x.shape), "samples-mixed"),
    "softmax over the batch": (lambda x: x.softmax(0), "samples-mixed"),
    "batch mean": (lambda x: x - x.mean(0), "samples-mixed"),
    "detach": (lambda x: x.detach(), "input-unreached"),
    "zeros": (lambda x: x * 0, "input-unreached"),
    "NaN": (lambda x: (x * 0).log() - (x * 0).log(), "input-unreached"),
}


@pytest.mark.parametrize("fault", DEPENDENCE_FAULTS)
def test_planted_fault_in_the_way_is_found(fault: str) -> None:
    """Mixing over the batch and a broken way back to the input are each named."""
    spoil, name = DEPENDENCE_FAULTS[fault]
    assert _names(DEPENDENCE_RULES, dependence(_Wrong(spoil), _batch(6)[0])) == {name}


def test_a_seeded_program_repeats() -> None:
    """Build, two steps with dropout and batch normalisation: the same bits from the same seed."""
    images, labels = _batch()

    def build() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Dropout(0.5), nn.BatchNorm1d(32), nn.Linear(32, 10))

    seen = repeat(few_steps(build, images, labels=labels, loss=cross_entropy, seed=3))
    assert seen.unequal == ()
    assert seen.compared > 2 * (64 * 32)


def test_what_does_not_repeat_is_named() -> None:
    """Weights made before the seed differ from the start; an unseeded draw parts the runs later."""
    images, labels = _batch()
    unseeded = torch.Generator()
    unseeded.seed()

    def fresh() -> nn.Module:
        torch.seed()
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    started = repeat(
        few_steps(fresh, images, labels=labels, loss=cross_entropy, seed=0), start=lambda n: n.startswith("start.")
    )
    assert started.start_differs
    assert _names(REPEAT_RULES, started) == {"not-repeatable"}

    def noisy(logits: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(logits + torch.rand(1, generator=unseeded), labels) + torch.rand(1, generator=unseeded)

    later = repeat(
        few_steps(_network, images, labels=labels, loss=noisy, seed=0), start=lambda n: n.startswith("start.")
    )
    assert later.unequal[0] == "loss.0"
    assert not later.start_differs
    assert later.largest_gap > 0


def test_missing_values_do_not_repeat() -> None:
    """A value that only one of the runs made differs; NaN equals NaN."""
    runs = iter([{"a": torch.ones(1)}, {"a": torch.ones(1), "b": torch.ones(1)}])
    assert repeat(lambda: next(runs)).unequal == ("b",)
    assert repeat(lambda: {"a": torch.tensor([math.nan])}).unequal == ()
