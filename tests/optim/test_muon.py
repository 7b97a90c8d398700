"""Muon against its formula in numpy and against torch's own, and which weights it takes."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from epochal.errors import SettingError
from epochal.optim import muon as module
from epochal.optim.muon import Muon, UpdateScale, hidden_weights, muon, orthogonalized


def _twin(x: np.ndarray, rounds: int = 5) -> np.ndarray:
    x = x / np.linalg.norm(x)
    for _ in range(rounds):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (9, 2), (6, 2, 3, 3), (1, 5)])
def test_orthogonalizing_equals_the_polynomial(shape: tuple[int, ...]) -> None:
    """Five rounds of the quintic in float64, the smaller side first or not; its values act on singular values alone."""
    matrix = np.random.default_rng(0).normal(size=shape)
    ours = orthogonalized(torch.from_numpy(matrix)).numpy().reshape(shape[0], -1)
    flat = matrix.reshape(shape[0], -1)
    np.testing.assert_allclose(ours, _twin(flat), rtol=1e-7, atol=1e-9)
    u, values, v = np.linalg.svd(flat, full_matrices=False)
    np.testing.assert_allclose(u.T @ ours @ v.T, np.diag(np.diag(u.T @ ours @ v.T)), atol=1e-7)
    assert len(values) == min(flat.shape)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_singular_values_come_near_1(dtype: torch.dtype) -> None:
    """Directions a hundred times quieter than the loudest are lifted as well; scale does not matter."""
    torch.manual_seed(0)
    u, v = (torch.linalg.qr(torch.randn(32, 32)).Q for _ in range(2))
    matrix = u @ torch.logspace(-1.5, 0, 32).diag() @ v
    for size in (1e-3, 1.0, 1e4):
        values = torch.linalg.svdvals(orthogonalized(size * matrix, dtype=dtype))
        assert 0.6 < values.min() < values.max() < 1.3
    assert not orthogonalized(torch.zeros(3, 3)).any()


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("scale", ["shape", "adam"])
def test_equals_the_formula(nesterov: bool, scale: UpdateScale) -> None:
    """Four steps in float64 against numpy, convolutions as matrices."""
    rng = np.random.default_rng(1)
    start = rng.normal(size=(6, 2, 1, 2))
    weight = nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = Muon([weight], lr=0.1, momentum=0.9, nesterov=nesterov, scale=scale, weight_decay=0.2)
    w, m = start.copy(), np.zeros_like(start)
    for _ in range(4):
        g = rng.normal(size=start.shape)
        weight.grad = torch.from_numpy(g.copy())
        optimizer.step()
        m = 0.9 * m + 0.1 * g
        u = (0.1 * g + 0.9 * m if nesterov else m).reshape(6, 4)
        factor = (6 / 4) ** 0.5 if scale == "shape" else 0.2 * 6**0.5
        w = w * (1 - 0.1 * 0.2) - 0.1 * factor * _twin(u).reshape(w.shape)
    np.testing.assert_allclose(weight.detach().numpy(), w, rtol=1e-7, atol=1e-9)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has Muon from 2.9 on")
@pytest.mark.parametrize("scale", [("shape", "original"), ("adam", "match_rms_adamw")])
def test_equals_torch(scale: tuple[UpdateScale, str]) -> None:
    """On matrices it is torch's own optimizer, whose iteration runs in bfloat16."""
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.ones(8, 5)) for _ in range(2))
    one = Muon([ours], lr=0.1, scale=scale[0], weight_decay=0.1, dtype=torch.bfloat16)
    other = torch.optim.Muon([theirs], lr=0.1, adjust_lr_fn=scale[1], weight_decay=0.1)
    for _ in range(5):
        ours.grad = torch.randn(8, 5)
        theirs.grad = ours.grad.clone()
        one.step()
        other.step()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(ours, theirs, rtol=0.02, atol=0.01)


def test_the_rest_is_moved_by_adamw() -> None:
    """Groups that are not orthogonal take torch's AdamW steps."""
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.ones(7, dtype=torch.float64)) for _ in range(2))
    one = Muon([{"params": [ours], "orthogonal": False}], lr=0.1, weight_decay=0.1)
    other = torch.optim.AdamW([theirs], lr=0.1, weight_decay=0.1)
    for _ in range(5):
        ours.grad = torch.randn(7, dtype=torch.float64)
        theirs.grad = ours.grad.clone()
        one.step()
        other.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_precision_follows_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a wish, float32 weights are iterated in what the processor multiplies fast, float64 stays as it is."""
    matrix = torch.randn(16, 16)
    for quick, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(module, "_cpu_multiplies_bfloat16", lambda quick=quick: quick)
        assert torch.equal(orthogonalized(matrix), orthogonalized(matrix, dtype=dtype))
        assert torch.equal(orthogonalized(matrix.double()), orthogonalized(matrix.double(), dtype=torch.float64))


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(64, 2))


def test_only_hidden_weights_are_orthogonal() -> None:
    """First and last layer, norms and biases stay with AdamW; only weights decay; frozen and tied ones are left out."""
    model = _network()
    groups = muon(model, weight_decay=0.1).param_groups
    assert [(g["orthogonal"], len(g["params"]), g["weight_decay"]) for g in groups] == [
        (True, 1, 0.1), (False, 2, 0.1), (False, 5, 0.0),
    ]  # fmt: skip
    assert groups[0]["params"][0] is model[2].weight
    model[2].weight.requires_grad = False
    assert hidden_weights(model) == []
    tied = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 3), nn.Linear(3, 5, bias=False), nn.Linear(5, 5))
    tied[0].weight = tied[2].weight
    assert hidden_weights(tied) == []


def test_lowers_the_loss_and_resumes() -> None:
    """Ten steps learn something; five, saved and resumed for five more, end at the same bits."""
    images, labels = torch.randn(16, 1, 8, 8), torch.arange(16) % 2
    start = _network()

    def steps(model: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> float:
        loss = torch.zeros(())
        for _ in range(count):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return loss.item()

    whole = copy.deepcopy(start)
    first = steps(whole, muon(whole, lr=0.05, other_lr=0.01), 1)
    whole = copy.deepcopy(start)
    assert steps(whole, muon(whole, lr=0.05, other_lr=0.01), 10) < first
    part = copy.deepcopy(start)
    before = muon(part, lr=0.05, other_lr=0.01)
    steps(part, before, 5)
    after = muon(part, lr=0.05, other_lr=0.01)
    after.load_state_dict(copy.deepcopy(before.state_dict()))
    steps(part, after, 5)
    for one, other in zip(whole.parameters(), part.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    "wrong",
    [
        {"momentum": 1.0},
        {"scale": "none"},
        {"lr": -1.0},
        {"weight_decay": -1.0},
        {"betas": (0.9, 1.0)},
        {"rounds": 0},
        {"x": 1},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    """Each is told in three parts, vectors that shall be orthogonal too."""
    with pytest.raises(SettingError, match="What to do"):
        Muon([nn.Parameter(torch.zeros(2, 2))], **wrong)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="two axes"):
        Muon([nn.Parameter(torch.zeros(2))])
    with pytest.raises(SettingError, match="rounds"):
        orthogonalized(torch.zeros(2, 2), rounds=0)
