"""Dropped channels (L2), dropped branches (S17), and dropout before batch normalisation (S16)."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.layers.dropout import (
    DropPath,
    DropPathResidual,
    SpatialDropout,
    add_drop_path,
    drop_path,
    linear_drop_probs,
    norms_behind_dropout,
    spatial_dropout,
)

ratios = st.floats(0, 0.9)
FORMATS = [torch.contiguous_format, torch.channels_last]
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("space", [(5,), (3, 4), (2, 3, 2)])
def test_channels_drop_whole(space: tuple[int, ...], dtype: torch.dtype) -> None:
    """A channel is zero throughout, or 1/(1-p) times itself throughout: for sequences, maps and volumes (L2)."""
    out = spatial_dropout(torch.ones(50, 20, *space, dtype=dtype), 0.25).float().flatten(2)
    assert torch.equal(out.amax(2), out.amin(2))
    kept = out[..., 0] > 0
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.05)
    assert out[..., 0][kept].sub(4 / 3).abs().max() < 0.01


def test_samples_drop_channels_of_their_own() -> None:
    """Two equal samples lose different channels: one draw for each sample, not for the batch."""
    out = spatial_dropout(torch.ones(16, 64, 2, 2), 0.5)[:, :, 0, 0]
    assert len(torch.unique(out, dim=0)) == 16


def test_sequences_are_no_single_images() -> None:
    """Three axes are samples, channels, places; torch's Dropout2d would some day read them as one image."""
    out = spatial_dropout(torch.ones(64, 4, 10), 0.5)
    assert torch.equal(out.amax(2), out.amin(2))
    assert len(torch.unique(out[:, :, 0], dim=0)) > 4


@pytest.mark.parametrize("ratio", [0.0, 0.3])
def test_evaluation_changes_nothing(ratio: float) -> None:
    """In evaluation every dropout is the identity, to the very tensor (the guide's function drops there too)."""
    x = torch.randn(2, 3, 4, 4)
    assert SpatialDropout(ratio).eval()(x) is x
    assert DropPath(ratio).eval()(x) is x


@pytest.mark.parametrize("memory_format", FORMATS)
def test_memory_format_is_kept(memory_format: torch.memory_format) -> None:
    """Maps that lie channels_last come out channels_last."""
    x = torch.randn(2, 8, 4, 4).contiguous(memory_format=memory_format)
    outs = [spatial_dropout(x, 0.5), drop_path(x, 0.5), add_drop_path(x, x, drop_prob=0.5)]
    outs.append(DropPathResidual(nn.Conv2d(8, 8, 1), drop_prob=0.4, skip=True)(x).detach())
    assert all(out.is_contiguous(memory_format=memory_format) for out in outs)


@pytest.mark.parametrize("ratio", [-0.1, 1.0, 1.5, float("nan")])
def test_impossible_ratios_are_refused(ratio: float) -> None:
    """Ratios outside [0, 1) are errors when the layer is made, in evaluation too."""
    x = torch.ones(1, 1, 1, 1)
    for make in (SpatialDropout, DropPath, lambda p: DropPathResidual(nn.Identity(), drop_prob=p)):
        with pytest.raises(SettingError, match="shall drop"):
            make(ratio)
    for call in (spatial_dropout, drop_path):
        with pytest.raises(SettingError, match="shall drop"):
            call(x, ratio, training=False)


def test_vectors_have_no_space_to_drop() -> None:
    """Vectors, and one map without a batch axis beside them, are errors."""
    with pytest.raises(SettingError, match="for vectors"):
        spatial_dropout(torch.ones(4, 8), 0.5)


@given(ratios, st.sampled_from(["row", "batch"]), st.integers(0, 2**31))
def test_residual_forms_equal_a_loop(drop_prob: float, mode: str, seed: int) -> None:
    """The fused sum, sample by sample, is the trunk alone or the trunk plus the branch over the keep probability."""
    torch.manual_seed(seed)
    trunk, branch = torch.randn(6, 3, 2, 2, dtype=torch.float64), torch.randn(6, 3, 2, 2, dtype=torch.float64)
    out = add_drop_path(trunk, branch, drop_prob=drop_prob, mode=mode).numpy()
    kept = 0
    for x, f, y in zip(trunk.numpy(), branch.numpy(), out, strict=True):
        added = not np.array_equal(x, y)
        kept += added
        np.testing.assert_allclose(y, x + f / (1 - drop_prob) if added else x, rtol=1e-12)
    assert mode == "row" or kept in {0, 6}


def test_mean_over_draws_is_evaluation() -> None:
    """Averaged over many draws, training adds what evaluation adds; without scaling only the kept share of it."""
    torch.manual_seed(0)
    x = torch.ones(40_000, 1)
    assert drop_path(x, 0.3).mean().item() == pytest.approx(1, abs=0.02)
    assert drop_path(x, 0.3, scale_by_keep=False).mean().item() == pytest.approx(0.7, abs=0.02)


@pytest.mark.parametrize("dtype", DTYPES)
def test_half_precision_and_no_sample(dtype: torch.dtype) -> None:
    """All forms keep the dtype and take an empty batch."""
    for n in (0, 3):
        x = torch.randn(n, 4, 2, 2).to(dtype)
        for out in (spatial_dropout(x, 0.5), drop_path(x, 0.5), add_drop_path(x, x, drop_prob=0.5)):
            assert (out.dtype, out.shape) == (dtype, x.shape)
        assert DropPathResidual(nn.Identity(), drop_prob=0.5, skip=True)(x).shape == x.shape


def test_gradients_are_those_of_the_formula() -> None:
    """For a fixed draw the fused sum passes gradcheck in float64."""
    x, f = (torch.randn(5, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))

    def fixed(trunk: Tensor, branch: Tensor) -> Tensor:
        torch.manual_seed(1)
        return add_drop_path(trunk, branch, drop_prob=0.4)

    assert torch.autograd.gradcheck(fixed, (x, f))


def test_skipping_equals_dropping() -> None:
    """For the same coins, running the branch on the kept samples alone gives the same output and gradients."""
    branch = nn.Conv2d(3, 3, 3, padding=1).double()
    whole = DropPathResidual(branch, drop_prob=0.5)
    twin = copy.deepcopy(branch)
    sparing = DropPathResidual(twin, drop_prob=0.5, skip=True)
    x = torch.randn(16, 3, 4, 4, dtype=torch.float64)
    outs = []
    for layer in (whole, sparing):
        torch.manual_seed(5)
        outs.append(layer(x))
        outs[-1].square().sum().backward()
    torch.testing.assert_close(outs[0], outs[1])
    torch.testing.assert_close(branch.weight.grad, twin.weight.grad)
    torch.testing.assert_close(whole.eval()(x), sparing.eval()(x))


def test_skipping_runs_on_the_kept_alone() -> None:
    """The branch sees as many samples as are kept, and is not called where none is."""
    seen: list[int] = []

    def branch(x: Tensor) -> Tensor:
        seen.append(len(x))
        return x

    layer = DropPathResidual(branch, drop_prob=0.5, skip=True)
    torch.manual_seed(0)
    out = layer(torch.ones(100, 1))
    assert seen == [int((out > 1).sum())]
    everything = DropPathResidual(branch, drop_prob=1 - 1e-9, mode="batch", skip=True)(torch.ones(3, 1))
    assert (len(seen), everything.sum().item()) == (1, 3.0)


@given(st.integers(1, 200), ratios)
def test_depth_schedules(depth: int, last: float) -> None:
    """The paper's line starts at last/L, timm's at 0; both end at `last` and rise evenly."""
    paper, zero = linear_drop_probs(depth, last), linear_drop_probs(depth, last, start="zero")
    np.testing.assert_allclose(paper, np.arange(1, depth + 1) / depth * last, atol=1e-12)
    np.testing.assert_allclose(zero, np.linspace(0, last, depth), atol=1e-12)


def test_no_depth_is_refused() -> None:
    """A network of no block has no schedule."""
    with pytest.raises(SettingError, match="0 blocks"):
        linear_drop_probs(0, 0.1)


def test_norms_behind_dropout_are_named() -> None:
    """Batch normalisation after a dropout is found in order of running; group normalisation and ratio 0 are fine."""
    model = nn.Sequential(
        nn.BatchNorm2d(3), nn.Dropout(0.0), nn.BatchNorm2d(3), SpatialDropout(0.2), nn.GroupNorm(1, 3),
        nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Dropout2d(0.1), nn.InstanceNorm2d(3, track_running_stats=True),
    )  # fmt: skip
    model[5].eval()
    found = norms_behind_dropout(model, torch.randn(2, 3, 4, 4))
    assert found == (("6", "3"), ("8", "7"))
    assert [layer.training for layer in model] == [True] * 5 + [False] + [True] * 3


@pytest.mark.slow
def test_compiles() -> None:
    """`torch.compile` gives what eager gives in evaluation, and drops whole rows in training."""
    code = """
import torch
from torch import nn
from epochal.layers.dropout import DropPathResidual
layer, x = DropPathResidual(nn.Identity(), drop_prob=0.5), torch.ones(64, 3)
fast = torch.compile(layer, backend="aot_eager")
out = fast(x)
assert set(out.unique().tolist()) == {1.0, 3.0} and torch.equal(out.amax(1), out.amin(1))
assert torch.equal(torch.compile(layer.eval(), backend="aot_eager")(x), layer(x))
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
