"""Facts about the short trials of learning, on healthy programs and on planted faults."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from epochal.checks.learning import FIT_RULES, INPUT_RULES, BatchFit, InputDependence
from epochal.checks.trials import Caps, fit_batch, input_dependence, lowest_loss
from epochal.findings import Severity, examine
from epochal.losses.classification import cross_entropy
from epochal.models.simple import LinearClassifier, SmallConvNet

AMPLE = Caps(steps=400, seconds=60)
SMALL = partial(SmallConvNet, channels_in=1, classes=10, image_size=8, width=8)
LINEAR = partial(LinearClassifier, channels_in=1, classes=10, image_size=8)


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """Normalised digits in a fixed random order."""
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32)[:, None]
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return ((images - images.mean()) / images.std())[order], torch.tensor(data.target)[order]


def _names(rules: tuple[Any, ...], evidence: Any) -> dict[str, Severity]:
    return {finding.rule: finding.severity for finding in examine(rules, evidence)}


def _by_heart(digits: tuple[Tensor, Tensor], make: Callable[[], nn.Module], *, caps: Caps = AMPLE) -> BatchFit:
    return fit_batch(make, digits[0][:8], labels=digits[1][:8], loss=cross_entropy, caps=caps)


@pytest.mark.parametrize("make", [SMALL, LINEAR])
def test_healthy_networks_learn_a_batch_by_heart(digits: tuple[Tensor, Tensor], make: Callable[[], nn.Module]) -> None:
    """The small and the linear network know eight digits after a few dozen steps, and no rule speaks."""
    fit = _by_heart(digits, make)
    assert (fit.ended, fit.right) == ("fitted", 1.0)
    assert fit.last < fit.first
    assert not _names(FIT_RULES, fit)


class _Spoilt(nn.Module):
    """A small network with something done to its input and to its output."""

    def __init__(self, *, before: Callable[[Tensor], Tensor], after: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.inside, self.before, self.after = SMALL(), before, after

    def forward(self, images: Tensor) -> Tensor:
        return self.after(self.inside(self.before(images)))


def _same(x: Tensor) -> Tensor:
    return x


def _frozen() -> nn.Module:
    return SMALL().requires_grad_(requires_grad=False)


FIT_FAULTS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "softmax twice": (partial(_Spoilt, before=_same, after=lambda x: x.softmax(1)), "another"),
    "frozen": (_frozen, "no weight changes"),
    "detached output": (partial(_Spoilt, before=_same, after=lambda x: x.detach()), "no weight changes"),
    "zeroed input": (partial(_Spoilt, before=lambda x: x * 0, after=_same), "wiring"),
    "NaN": (partial(_Spoilt, before=_same, after=lambda x: x * math.nan), "NaN"),
}


@pytest.mark.parametrize("fault", FIT_FAULTS)
def test_planted_fault_keeps_a_batch_from_being_learnt(digits: tuple[Tensor, Tensor], fault: str) -> None:
    """Each fault is an error, and the finding names its cause."""
    make, cause = FIT_FAULTS[fault]
    (finding,) = examine(FIT_RULES, _by_heart(digits, make, caps=Caps(steps=150, seconds=60)))
    assert finding.severity is Severity.ERROR
    assert cause in finding.cause


def test_conflicting_labels_lower_the_bar(digits: tuple[Tensor, Tensor]) -> None:
    """Two equal images with two labels can be half right at a loss of log 2, and that counts as learnt."""
    images = digits[0][[0, 0, 1, 2]]
    labels = torch.tensor([3, 4, 5, 6])
    fit = fit_batch(SMALL, images, labels=labels, loss=cross_entropy, caps=AMPLE)
    assert fit.floor == pytest.approx(math.log(2) / 2)
    assert (fit.reachable, fit.right, fit.ended) == (0.75, 0.75, "fitted")
    assert not _names(FIT_RULES, fit)


def test_lowest_loss_of_different_images_is_zero(digits: tuple[Tensor, Tensor]) -> None:
    """Different images can all be known; three twins with labels 2 to 1 cost their entropy."""
    assert lowest_loss(digits[0][:9], digits[1][:9]) == (0.0, 1.0)
    floor, reachable = lowest_loss(torch.zeros(3, 1, 2, 2), torch.tensor([0, 0, 1]))
    assert floor == pytest.approx(-(2 / 3) * math.log(2 / 3) - (1 / 3) * math.log(1 / 3))
    assert reachable == pytest.approx(2 / 3)


def test_no_time_is_a_note(digits: tuple[Tensor, Tensor]) -> None:
    """A healthy network that gets no time is not called broken: the finding is a note that says so."""
    fit = _by_heart(digits, SMALL, caps=Caps(steps=400, seconds=0))
    assert fit.ended == "time"
    slow = BatchFit(
        samples=8, first=2.4, last=1.4, floor=0.0, right=0.5, reachable=1.0, steps=3, seconds=1.0, ended="time",
        says_probabilities=False, moved=True,
    )  # fmt: skip
    assert _names(FIT_RULES, fit) == _names(FIT_RULES, slow) == {"batch-not-learnt": Severity.NOTE}


def _seeing(
    images: Tensor, labels: Tensor, *, make: Callable[[], nn.Module] = SMALL, caps: Caps = AMPLE
) -> InputDependence:
    return input_dependence(
        make, train=(images[:1200], labels[:1200]), held=(images[1200:1456], labels[1200:1456]), loss=cross_entropy,
        caps=caps,
    )  # fmt: skip


@pytest.mark.parametrize("make", [SMALL, LINEAR])
def test_digits_show_their_signal_at_once(digits: tuple[Tensor, Tensor], make: Callable[[], nn.Module]) -> None:
    """Eight or sixteen steps are enough to see that digits can be learnt."""
    trial = _seeing(*digits, make=make)
    assert trial.ended == "signal"
    assert trial.steps <= 16
    assert not _names(INPUT_RULES, trial)


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_no_signal(digits: tuple[Tensor, Tensor], seed: int) -> None:
    """Images of pure noise are refused, although they can be learnt by heart: what counts is held out."""
    noise = torch.randn(digits[0].shape, generator=torch.Generator().manual_seed(seed))
    trial = _seeing(noise, digits[1], caps=Caps(steps=128, seconds=60, seed=seed))
    assert trial.ended == "steps"
    assert _names(INPUT_RULES, trial) == {"no-learnable-signal": Severity.ERROR}


def test_labels_shuffled_apart_have_no_signal(digits: tuple[Tensor, Tensor]) -> None:
    """Real images with labels in another order are refused."""
    apart = digits[1][torch.randperm(len(digits[1]), generator=torch.Generator().manual_seed(1))]
    trial = _seeing(digits[0], apart, caps=Caps(steps=128, seconds=60))
    assert _names(INPUT_RULES, trial) == {"no-learnable-signal": Severity.ERROR}


def test_rare_classes_alone_are_no_signal(digits: tuple[Tensor, Tensor]) -> None:
    """Knowing that nine in ten are of one class is not seeing: noise with unequal classes is refused too."""
    source = torch.Generator().manual_seed(2)
    noise = torch.randn(digits[0].shape, generator=source)
    labels = torch.where(torch.rand(len(noise), generator=source) < 0.9, 0, digits[1])
    assert "no-learnable-signal" in _names(INPUT_RULES, _seeing(noise, labels, caps=Caps(steps=64, seconds=60)))


@pytest.mark.parametrize("before", [lambda x: x * 0, torch.ones_like])
def test_a_network_that_does_not_look_is_named(
    digits: tuple[Tensor, Tensor], before: Callable[[Tensor], Tensor]
) -> None:
    """A network whose input is replaced by a constant is told apart from data without a signal."""
    trial = _seeing(*digits, make=partial(_Spoilt, before=before, after=_same), caps=Caps(steps=32, seconds=60))
    assert trial.answer_spread < 1e-3
    assert _names(INPUT_RULES, trial) == {"input-ignored": Severity.ERROR}


def test_blind_twin_on_two_zeros_equals_blind_twin_on_all() -> None:
    """Training on two zero images with shared logits is training on a whole batch of zeros, batch norm included."""
    labels = torch.arange(12) % 3
    torch.manual_seed(0)
    model = SmallConvNet(channels_in=1, classes=3, image_size=8, width=4)
    whole = cross_entropy(model(torch.zeros(12, 1, 8, 8)), labels).mean()
    short = cross_entropy(model(torch.zeros(2, 1, 8, 8))[:1].expand(12, -1), labels).mean()
    gradients = [torch.autograd.grad(value, list(model.parameters()), retain_graph=True) for value in (whole, short)]
    assert whole.item() == pytest.approx(short.item())
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_trials_repeat_and_leave_no_trace(digits: tuple[Tensor, Tensor]) -> None:
    """The same seed gives the same gain to the bit, and the caller's random generator is where it was."""
    torch.manual_seed(9)
    expected = torch.rand(1)
    torch.manual_seed(9)
    first, second = (_seeing(*digits, caps=Caps(steps=8, seconds=60)) for _ in range(2))
    assert first.gain == second.gain
    assert torch.equal(torch.rand(1), expected)


def test_fewer_samples_than_a_batch(digits: tuple[Tensor, Tensor]) -> None:
    """Twenty training samples are used again and again, without an error."""
    trial = input_dependence(
        SMALL, train=(digits[0][:20], digits[1][:20]), held=(digits[0][500:600], digits[1][500:600]),
        loss=cross_entropy, caps=Caps(steps=20, seconds=60),
    )  # fmt: skip
    assert trial.steps <= 20
    assert len(trial.gain) == 100


def test_values_are_learnt_by_heart_too() -> None:
    """Where labels are values, a batch is known once a twentieth of the first loss is left; a frozen network never."""
    images, values = torch.randn(8, 1, 8, 8), torch.arange(8.0)[:, None] / 4 - 1
    make = partial(SmallConvNet, channels_in=1, classes=1, image_size=8, width=8)
    fit = fit_batch(make, images, labels=values, loss=_squared, caps=AMPLE)
    assert (fit.ended, fit.right, fit.reachable) == ("fitted", 1.0, 1.0)
    assert fit.last < 0.05 * fit.first
    frozen = fit_batch(
        lambda: make().requires_grad_(requires_grad=False), images, labels=values, loss=_squared,
        caps=Caps(steps=30, seconds=60),
    )  # fmt: skip
    assert _names(FIT_RULES, frozen) == {"batch-not-learnt": Severity.ERROR}


@pytest.mark.parametrize("shown", [True, False])
def test_values_have_a_signal_where_images_show_them(*, shown: bool) -> None:
    """Brightness is found to be the value, other noise is not; the constant to be beaten is the mean."""
    source = torch.Generator().manual_seed(0)
    images, values = torch.randn(800, 1, 8, 8, generator=source), torch.randn(800, 1, generator=source)
    if shown:
        images += values[:, :, None, None]
    trial = input_dependence(
        partial(SmallConvNet, channels_in=1, classes=1, image_size=8, width=8), train=(images[:500], values[:500]),
        held=(images[500:], values[500:]), loss=_squared, caps=Caps(steps=64, seconds=60), constant=torch.zeros(1),
    )  # fmt: skip
    assert (trial.ended == "signal") is shown
    assert bool(_names(INPUT_RULES, trial)) is not shown


def _squared(outputs: Tensor, values: Tensor) -> Tensor:
    return ((outputs - values) ** 2).mean(1)
