"""Focal loss against numpy in float64, cross-entropy at gamma 0, and where logits are saturated."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import SettingError
from epochal.losses import focal as module
from epochal.losses.focal import expected_at_init, expected_sigmoid_at_init, focal, sigmoid_focal

gammas = st.sampled_from([0.0, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0])
seeds = st.integers(0, 2**31)


def _softmax_twin(logits: np.ndarray, labels: np.ndarray, gamma: float, alpha: np.ndarray) -> np.ndarray:
    out = []
    for row, label in zip(logits, labels, strict=True):
        p = np.exp(row - row.max())
        p /= p.sum()
        others = 1 - p[label] if p[label] < 0.5 else np.delete(p, label).sum()
        out.append(-alpha[label] * others**gamma * np.log(p[label]))
    return np.array(out)


def _sigmoid_twin(logits: np.ndarray, targets: np.ndarray, gamma: float, alpha: float | None) -> np.ndarray:
    a, b = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    p, q = 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(logits))
    yes, no = -a * q**gamma * np.log(p), -b * p**gamma * np.log(q)
    return np.asarray(targets * yes + (1 - targets) * no)


@given(gammas, st.integers(2, 9), seeds)
def test_equals_the_formula(gamma: float, classes: int, seed: int) -> None:
    """The softmax form is `-alpha_t (1 - p_t)^gamma log p_t`, sample by sample (S7)."""
    rng = np.random.default_rng(seed)
    logits, labels, alpha = rng.normal(size=(6, classes)) * 4, rng.integers(classes, size=6), rng.uniform(0, 2, classes)
    ours = focal(torch.from_numpy(logits), torch.from_numpy(labels), gamma=gamma, alpha=alpha.tolist())
    np.testing.assert_allclose(ours.numpy(), _softmax_twin(logits, labels, gamma, alpha), rtol=1e-9, atol=1e-12)


@given(gammas, st.one_of(st.none(), st.floats(0, 1)), st.booleans(), seeds)
def test_sigmoid_form_equals_the_formula(gamma: float, alpha: float | None, soft: bool, seed: int) -> None:
    """Yes and no are weighed by alpha and 1 - alpha; probabilities as targets give the mean over both answers."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(3, 7)) * 4
    targets = rng.uniform(size=(3, 7)) if soft else rng.integers(2, size=(3, 7))
    ours = sigmoid_focal(torch.from_numpy(logits), torch.from_numpy(targets), gamma=gamma, alpha=alpha)
    np.testing.assert_allclose(ours.numpy(), _sigmoid_twin(logits, targets, gamma, alpha), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(5, 4), (2, 3, 5), (2, 3, 4, 5)])
@pytest.mark.parametrize("ignored", [-100, 1])
def test_gamma_0_is_cross_entropy(shape: tuple[int, ...], ignored: int) -> None:
    """At gamma 0 each value is torch's cross-entropy to the last bit, ignored labels included; kornia divides by C."""
    torch.manual_seed(0)
    logits, labels = torch.randn(shape), torch.randint(shape[1], (shape[0], *shape[2:]))
    wanted = F.cross_entropy(logits, labels, reduction="none", ignore_index=ignored)
    assert torch.equal(focal(logits, labels, gamma=0.0, ignore_index=ignored), wanted)


def test_gamma_0_with_alpha_is_weighted_cross_entropy() -> None:
    """A weight per class does what torch's `weight` does to each sample."""
    logits, labels, alpha = torch.randn(8, 3), torch.randint(3, (8,)), [0.5, 1.0, 4.0]
    wanted = F.cross_entropy(logits, labels, weight=torch.tensor(alpha), reduction="none")
    torch.testing.assert_close(focal(logits, labels, gamma=0.0, alpha=alpha), wanted)


def test_sigmoid_form_at_gamma_0_is_binary_cross_entropy() -> None:
    """Labels of any kind give torch's binary cross-entropy."""
    logits, yes = torch.randn(4, 5) * 5, torch.rand(4, 5) < 0.3
    wanted = F.binary_cross_entropy_with_logits(logits, yes.float(), reduction="none")
    for targets in (yes, yes.long(), yes.to(torch.uint8), yes.float()):
        torch.testing.assert_close(sigmoid_focal(logits, targets, gamma=0.0), wanted)


@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.5, 0.99, 1.0, 2.0])
@pytest.mark.parametrize("size", [30.0, 100.0, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_saturated_logits_have_finite_gradients(gamma: float, size: float, dtype: torch.dtype) -> None:
    """Sure and right costs 0 with slope 0, sure and wrong has slope 1; the naive power gives NaN below gamma 1."""
    logits = torch.tensor([[size, 0.0], [0.0, size]], dtype=dtype, requires_grad=True)
    loss = focal(logits, torch.tensor([0, 0]), gamma=gamma)
    (grad,) = torch.autograd.grad(loss.sum(), logits)
    torch.testing.assert_close(loss.detach(), torch.tensor([0.0, size]).to(dtype).float(), atol=1e-5, rtol=1e-3)
    torch.testing.assert_close(grad.float(), torch.tensor([[0.0, 0.0], [-1.0, 1.0]]), atol=1e-3, rtol=1e-2)
    answers = torch.tensor([size, -size], dtype=dtype, requires_grad=True)
    (grad,) = torch.autograd.grad(sigmoid_focal(answers, torch.tensor([1, 1]), gamma=gamma).sum(), answers)
    torch.testing.assert_close(grad.float(), torch.tensor([0.0, -1.0]), atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 2.5])
def test_gradients_are_right(gamma: float) -> None:
    """Both forms pass torch's check by differences; the sigmoid form also for its targets and a second time."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    labels, alpha = torch.randint(4, (3,), generator=generator), [0.5, 1.0, 2.0, 0.0]
    assert torch.autograd.gradcheck(lambda z: focal(z, labels, gamma=gamma, alpha=alpha), (logits,))
    targets = torch.rand(3, 4, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda z: sigmoid_focal(z, targets, gamma=gamma, alpha=0.25), (logits,))
    targets.requires_grad_()
    both = (logits, targets)
    assert torch.autograd.gradcheck(lambda z, y: sigmoid_focal(z, y, gamma=gamma), both)
    assert torch.autograd.gradgradcheck(lambda z, y: sigmoid_focal(z, y, gamma=gamma), both)


@pytest.mark.parametrize("layout", ["plain", "channels_last", "strided", "expanded"])
def test_memory_layout_changes_nothing(layout: str) -> None:
    """Blocks follow memory: any layout, and any number of blocks, gives the same values and gradients."""
    torch.manual_seed(0)
    plain = torch.randn(3, 21, 40, 41)
    targets = (torch.rand(3, 21, 40, 41) < 0.1).float()
    logits = {
        "plain": plain,
        "channels_last": plain.contiguous(memory_format=torch.channels_last),
        "strided": torch.randn(3, 21, 40, 82)[..., ::2].copy_(plain),
        "expanded": plain[:1].expand(3, -1, -1, -1),
    }[layout]
    assert logits.numel() > 2 * module.BLOCK
    held = logits.detach().requires_grad_()
    loss = sigmoid_focal(held, targets, alpha=0.25)
    (grad,) = torch.autograd.grad(loss.sum(), held)
    wide = logits.double().contiguous().requires_grad_()
    wanted = module._sigmoid_focused(wide, targets.double(), 2.0, (0.25, 0.75))
    (slope,) = torch.autograd.grad(wanted.sum(), wide)
    torch.testing.assert_close(loss.double(), wanted, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(grad.double(), slope, rtol=1e-5, atol=1e-7)


def test_nothing_gives_nothing() -> None:
    """An empty batch has an empty loss, with a gradient."""
    logits = torch.zeros(0, 3, requires_grad=True)
    (focal(logits, torch.zeros(0).long()).sum() + sigmoid_focal(logits, torch.zeros(0, 3)).sum()).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_ignored_places_are_silent(gamma: float) -> None:
    """An ignored label has loss 0 and gradient 0, with and without alpha."""
    logits = torch.randn(2, 3, 4, requires_grad=True)
    labels = torch.tensor([[0, 255, 1, 2], [255, 255, 255, 255]])
    for alpha in (None, [1.0, 2.0, 3.0]):
        loss = focal(logits, labels, gamma=gamma, alpha=alpha, ignore_index=255)
        (grad,) = torch.autograd.grad(loss.sum(), logits)
        assert loss[1].abs().sum() == 0
        assert grad[1].abs().sum() == 0
        assert grad[0, :, 1].abs().sum() == 0
        assert grad[0, :, 0].abs().sum() > 0


@given(st.lists(st.integers(1, 50), min_size=2, max_size=6), gammas, seeds)
def test_expected_value_is_the_mean_loss(counts: list[int], gamma: float, seed: int) -> None:
    """What is expected at the start is the mean loss of a network that says the prior (K2.4)."""
    rng = np.random.default_rng(seed)
    prior, alpha = np.array(counts) / sum(counts), rng.uniform(0, 2, len(counts)).tolist()
    said = rng.dirichlet(np.ones(len(counts))) * 0.9 + 0.1 / len(counts)
    labels = torch.from_numpy(np.repeat(np.arange(len(counts)), counts))
    for predicted in (prior, said):
        logits = torch.from_numpy(np.log(predicted)).expand(len(labels), -1)
        mean = focal(logits, labels, gamma=gamma, alpha=alpha).mean().item()
        told = expected_at_init(prior.tolist(), gamma=gamma, alpha=alpha, predicted=predicted.tolist())
        assert told == pytest.approx(mean, rel=1e-9)


@given(st.integers(1, 99), gammas, st.floats(0.01, 0.99))
def test_expected_sigmoid_value_is_the_mean_loss(yes: int, gamma: float, predicted: float) -> None:
    """Of a hundred questions with so many yes, at a bias that says `predicted`."""
    targets = torch.arange(100) < yes
    logits = torch.full((100,), math.log(predicted / (1 - predicted)), dtype=torch.float64)
    mean = sigmoid_focal(logits, targets, gamma=gamma, alpha=0.25).mean().item()
    told = expected_sigmoid_at_init(yes / 100, gamma=gamma, alpha=0.25, predicted=predicted)
    assert told == pytest.approx(mean, rel=1e-9)


@pytest.mark.parametrize("gamma", [-1.0, float("nan"), float("inf")])
def test_impossible_gamma_is_refused(gamma: float) -> None:
    """A gamma that is no number of 0 or more is the user's mistake."""
    for attempt in (
        lambda: focal(torch.zeros(1, 2), torch.tensor([0]), gamma=gamma),
        lambda: sigmoid_focal(torch.zeros(2), torch.zeros(2), gamma=gamma),
        lambda: expected_at_init([1.0], gamma=gamma),
    ):
        with pytest.raises(SettingError, match="gamma"):
            attempt()


@pytest.mark.parametrize("alpha", [[1.0], [1.0, -1.0], [1.0, float("nan")]])
def test_impossible_weights_are_refused(alpha: list[float]) -> None:
    """There is one finite weight of 0 or more for each class."""
    with pytest.raises(SettingError, match="2 classes"):
        focal(torch.zeros(1, 2), torch.tensor([0]), alpha=alpha)


def test_impossible_shares_are_refused() -> None:
    """Shares that are none, and an alpha outside [0, 1], are told in three parts."""
    with pytest.raises(SettingError, match="alpha is"):
        sigmoid_focal(torch.zeros(1), torch.zeros(1), alpha=1.5)
    with pytest.raises(SettingError, match="shares"):
        expected_at_init([0.5, 0.6])
    with pytest.raises(SettingError, match="share of yes"):
        expected_sigmoid_at_init(0.0)


@pytest.mark.slow
def test_compiles() -> None:
    """torch.compile gives the same values and gradients, in a process without the shape checks."""
    import subprocess
    import sys

    program = """
import torch
from epochal.losses.focal import focal, sigmoid_focal
torch.manual_seed(0)
x, y, labels = torch.randn(6, 5, requires_grad=True), (torch.rand(6, 5) < 0.5).float(), torch.randint(5, (6,))
def both(z): return focal(z, labels, gamma=0.5).sum() + sigmoid_focal(z, y, gamma=0.5, alpha=0.25).sum()
one, = torch.autograd.grad(both(x), x)
two, = torch.autograd.grad(torch.compile(both, backend="aot_eager", fullgraph=True)(x), x)
torch.testing.assert_close(one, two)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
