"""The mean of weights against torch's own and numpy, and statistics that belong to it."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim.swa_utils import update_bn

from epochal.ensembles.swa import SWA, update_batchnorm
from epochal.errors import CheckpointError, SettingError


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 4), nn.BatchNorm1d(4))


def _set(model: nn.Module, value: float) -> None:
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(value)


@given(st.integers(0, 4), st.integers(1, 3), st.lists(st.floats(-9, 9), min_size=5, max_size=12))
def test_is_the_mean_of_what_it_took(start: int, every: int, path: list[float]) -> None:
    """Every `every`-th step from `start` on counts alike (K6.1)."""
    model, swa = nn.Linear(1, 2), SWA(start=start, every=every)
    for value in path:
        _set(model, value)
        swa(model)
    with swa.applied(model):
        assert model.bias[1].item() == pytest.approx(np.mean(path[start::every]), abs=1e-5)
    assert model.bias[1].item() == pytest.approx(path[-1])


def test_equals_torch() -> None:
    """`AveragedModel` gives the same mean."""
    model, swa = _network(), SWA()
    theirs = torch.optim.swa_utils.AveragedModel(model)
    for _ in range(4):
        with torch.no_grad():
            for p in model.parameters():
                p.add_(torch.randn_like(p))
        swa(model)
        theirs.update_parameters(model)
    swa.copy_to(model)
    for ours, wanted in zip(model.parameters(), theirs.module.parameters(), strict=True):
        torch.testing.assert_close(ours, wanted)


def test_half_precision_is_averaged_wide() -> None:
    """A thousand steps that alternate between 1 and 1.0078125 have their mean between; bfloat16 could not hold it."""
    model, swa = nn.Linear(1, 1, bias=False).to(torch.bfloat16), SWA()
    for number in range(1000):
        _set(model, 1 + 0.0078125 * (number % 2))
        swa(model)
    assert swa.mean["weight"].dtype == torch.float32
    assert swa.mean["weight"].item() == pytest.approx(1.00390625, abs=1e-4)


def test_statistics_are_put_back() -> None:
    """What batch normalisation gathers for the mean inside `applied` does not stay with the model's own weights."""
    model, swa = _network(), SWA()
    swa(model)
    _set(model, 0.3)
    before = copy.deepcopy(model.state_dict())
    with swa.applied(model):
        update_batchnorm(model, [torch.randn(8, 3)])
        assert not torch.equal(model.state_dict()["1.running_mean"], before["1.running_mean"])
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_resumes() -> None:
    """Saved half-way and loaded, it ends at the same bits; another network's mean is refused."""
    paths, model = [1.0, 4.0, 2.5, 7.0], nn.Linear(2, 1)
    whole, first, second = SWA(start=1), SWA(start=1), SWA(start=1)
    for number, value in enumerate(paths):
        _set(model, value)
        whole(model)
        if number < 2:
            first(model)
        elif number == 2:
            second.load_state_dict(copy.deepcopy(first.state_dict()), model=model)
        if number >= 2:
            second(model)
    assert second.taken == whole.taken
    assert torch.equal(second.mean["weight"], whole.mean["weight"])
    with pytest.raises(CheckpointError, match="another network"):
        SWA().load_state_dict(whole.state_dict(), model=nn.Linear(3, 1))


def test_equals_torchs_update_without_dropout() -> None:
    """On batches of one size, and without dropout, the statistics are those of `update_bn`."""
    ours = _network()
    ours[2] = nn.Dropout(0.0)
    theirs, batches = copy.deepcopy(ours), list(torch.randn(4, 16, 3))
    assert update_batchnorm(ours, iter(batches)) == 64
    update_bn(batches, theirs)
    for name, tensor in ours.state_dict().items():
        torch.testing.assert_close(tensor, theirs.state_dict()[name])


def test_every_image_counts_alike() -> None:
    """The mean of a first layer's inputs is the mean of all images, however they are cut into batches."""
    images = torch.randn(50, 3) * 2 + 5
    for sizes in ([50], [20, 20, 10], [47, 3]):
        model = nn.Sequential(nn.BatchNorm1d(3))
        update_batchnorm(model.eval(), images.split_with_sizes(sizes))
        torch.testing.assert_close(model[0].running_mean, images.mean(0))


def test_dropout_stays_off_and_modes_are_kept() -> None:
    """Twice the same images give the same statistics; momentum, modes and random numbers are as before."""
    model, images = _network().train(), torch.randn(16, 3)
    model[2].eval()
    ends = []
    for _ in range(2):
        update_batchnorm(model, [images, images[:0]])
        ends.append(model[4].running_var.clone())  # type: ignore[operator]
    assert torch.equal(ends[0], ends[1])
    assert [layer.training for layer in model] == [True, True, False, True, True]
    assert model[1].momentum == 0.1


def test_models_without_statistics_are_left_alone() -> None:
    """Nothing to gather is no error, and not even a pass over the images."""
    assert update_batchnorm(nn.Sequential(nn.Linear(1, 1), nn.LayerNorm(1)), []) == 0


def test_impossible_requests_are_refused() -> None:
    """No image, no weights taken, and impossible settings are told in three parts."""
    model = _network()
    kept = model[1].running_mean.clone()  # type: ignore[operator]
    with pytest.raises(SettingError, match="No image"):
        update_batchnorm(model, [])
    assert torch.equal(model[1].running_mean, kept)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="no weights"):
        SWA().copy_to(model)
    for start, every in ((-1, 1), (0, 0)):
        with pytest.raises(SettingError, match="mean shall begin"):
            SWA(start=start, every=every)
