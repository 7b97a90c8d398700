"""The moving average of weights against its formula."""

import contextlib
import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from epochal.ensembles.averaging import EMA, warmed_decay
from epochal.errors import CheckpointError, SettingError


def _set(model: nn.Module, value: float) -> None:
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.fill_(value)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=12), st.floats(0, 0.99), st.booleans(), st.integers(1, 3))
def test_equals_the_formula(values: list[float], decay: float, warmup: bool, every: int) -> None:
    """`a <- d a + (1 - d) w` with the warmed decay, for any path of weights, computed in float64."""
    model = nn.Linear(1, 1)
    _set(model, 0.0)
    ema, expected = EMA(model, decay=decay, warmup=warmup, every=every), 0.0
    for step, value in enumerate(values, start=1):
        _set(model, value)
        ema(model)
        if step % every == 0:
            total = decay**every
            now = min(total, step // every / (9 + step // every)) if warmup else total
            expected = now * expected + (1 - now) * value
    np.testing.assert_allclose(ema.shadow["weight"].item(), expected, rtol=1e-4, atol=1e-4)


@given(st.integers(0, 10**6), st.floats(0.5, 0.9999))
def test_warmed_decay_rises_to_its_limit(updates: int, decay: float) -> None:
    """Early averages forget quickly; none ever keeps more than the decay asked for."""
    assert warmed_decay(updates, decay=decay) <= warmed_decay(updates + 1, decay=decay) <= decay


def test_statistics_are_averaged_and_counters_copied() -> None:
    """Running means follow the average; the integer counter is the model's own."""
    model = nn.BatchNorm1d(2)
    ema = EMA(model, decay=0.5, warmup=False)
    model(torch.full((4, 2), 3.0) + torch.arange(4.0)[:, None])
    ema(model)
    torch.testing.assert_close(ema.shadow["running_mean"], model.get_buffer("running_mean") / 2)
    assert ema.shadow["num_batches_tracked"] == 1


def test_applied_puts_everything_back() -> None:
    """Inside the `with` the model is the average, afterwards bit for bit what it was, also after an error."""
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    ema = EMA(model, decay=0.9)
    _set(model, 1.0)
    ema(model)
    before, average = copy.deepcopy(model.state_dict()), {k: v.clone() for k, v in ema.shadow.items()}
    with contextlib.suppress(KeyError), ema.applied(model):
        inside = copy.deepcopy(model.state_dict())
        raise KeyError
    assert all(torch.equal(value, average[name]) for name, value in inside.items())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(torch.equal(value, average[name]) for name, value in ema.shadow.items())


def test_training_goes_on_after_applied() -> None:
    """An optimizer with momentum takes the same steps whether or not the average was looked at in between."""
    ends = []
    for look in (True, False):
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=True)
        ema = EMA(model, decay=0.5)
        for _ in range(4):
            optimizer.zero_grad()
            model(torch.ones(2, 3)).square().mean().backward()
            optimizer.step()
            ema(model)
            if look:
                with ema.applied(model):
                    model(torch.ones(1, 3))
        ends.append(torch.cat([model.weight.detach().flatten(), ema.shadow["weight"].flatten()]))
    assert torch.equal(*ends)


def test_resumes_bit_for_bit() -> None:
    """A saved average goes on as if never interrupted, its warm-up included."""
    model = nn.Linear(2, 1)
    whole = EMA(model, decay=0.9)
    for value in (1.0, 2.0):
        _set(model, value)
        whole(model)
    state = copy.deepcopy(whole.state_dict())
    for value in (3.0, 4.0):
        _set(model, value)
        whole(model)
    resumed = EMA(model, decay=0.9)
    resumed.load_state_dict(state)
    for value in (3.0, 4.0):
        _set(model, value)
        resumed(model)
    assert torch.equal(whole.shadow["weight"], resumed.shadow["weight"])


def test_copy_to_writes_the_average() -> None:
    """The final model can be made of the average for good."""
    model = nn.Linear(1, 1)
    _set(model, 0.0)
    ema = EMA(model, decay=0.5, warmup=False)
    _set(model, 1.0)
    ema(model)
    ema.copy_to(model)
    assert model.weight.item() == 0.5


def test_anothers_average_is_refused() -> None:
    """A saved average of another network is not mixed in."""
    with pytest.raises(CheckpointError, match="another network"):
        EMA(nn.Linear(2, 1)).load_state_dict(EMA(nn.Linear(3, 1)).state_dict())


@pytest.mark.parametrize("wrong", [{"decay": 1.0}, {"decay": -0.1}, {"every": 0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    """A decay of 1 would never learn anything."""
    with pytest.raises(SettingError, match="average"):
        EMA(nn.Linear(1, 1), **wrong)  # type: ignore[arg-type]
