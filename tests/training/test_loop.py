"""The loop against one written by hand, bit for bit where order is the same."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from epochal.data.batch import Batch
from epochal.ensembles.averaging import EMA
from epochal.errors import DataError, SettingError
from epochal.losses.classification import cross_entropy
from epochal.optim.optimizer import build
from epochal.optim.schedule import linear, one_cycle
from epochal.training.loop import Position, Step, Update, train
from epochal.training.pace import FixedSteps
from epochal.training.reference import MemoryLoader, by_hand, small_data, small_network
from epochal.training.runtime import Runtime
from epochal.training.state import capture, restore


def _loader(batch_size: int = 8, samples: int = 20) -> MemoryLoader:
    return MemoryLoader(*small_data(samples), batch_size=batch_size)


def _train(model: nn.Module, loader: Any, *, steps: int, **settings: Any) -> list[Step]:
    update = Update(loss=cross_entropy, optimizer=build(model, lr=0.1), **settings)
    return list(train(model, loader, update=update, runtime=Runtime(), pace=FixedSteps(steps)))


def _assert_equal(one: nn.Module, other: nn.Module, *, rtol: float = 0.0, atol: float = 0.0) -> None:
    for ours, theirs in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=rtol, atol=atol)


@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_equals_the_hand_written_loop(clip_norm: float | None) -> None:
    """Losses and weights are those of a plain loop, with and without clipping."""
    loader, ours, theirs = _loader(), small_network(), small_network()
    steps = _train(ours, loader, steps=6, clip_norm=clip_norm)
    batches = [(b.images, b.labels) for epoch in (0, 1) for b in loader.epoch(epoch)]
    losses = by_hand(theirs, batches, clip_norm=clip_norm)
    _assert_equal(ours, theirs, rtol=1e-5, atol=1e-6)
    assert [step.loss.item() for step in steps] == pytest.approx(losses, rel=1e-6)


@given(st.integers(1, 7), st.integers(1, 8), st.integers(4, 24))
@settings(max_examples=20)
def test_accumulation_equals_the_big_batch(batch_size: int, accumulate: int, samples: int) -> None:
    """Any cut of the samples into batches gives the step of one big batch, uneven last ones included."""
    images, labels = small_data(samples)
    loader = MemoryLoader(images, labels, batch_size=batch_size)
    ours, theirs = small_network(norm="group"), small_network(norm="group")
    groups = [list(loader.epoch(0))[i : i + accumulate] for i in range(0, len(loader), accumulate)]
    steps = _train(ours, loader, steps=len(groups), accumulate=accumulate)
    big = [(torch.cat([b.images for b in group]), torch.cat([b.labels for b in group])) for group in groups]
    losses = by_hand(theirs, big)
    assert [step.loss.item() for step in steps] == pytest.approx(losses, rel=1e-5)
    assert [step.samples for step in steps] == [len(labels) for _, labels in big]
    _assert_equal(ours, theirs, rtol=1e-4, atol=1e-5)


@given(st.integers(1, 8), st.integers(1, 3), st.integers(0, 2**31))
@settings(max_examples=15)
def test_resuming_at_any_step_changes_no_bit(stop: int, accumulate: int, noise: int) -> None:
    """Model, optimizer, average and pace saved after any step go on bit for bit, dropout included."""
    loader = _loader(batch_size=4)

    def parts() -> tuple[dict[str, Any], Update]:
        model = small_network(dropout=0.5)
        ema, optimizer = EMA(model, decay=0.9), build(model, lr=0.1, weight_decay=1e-3)
        update = Update(
            loss=cross_entropy, optimizer=optimizer, schedule=one_cycle(), after_update=(ema,), accumulate=accumulate
        )
        return {"model": model, "optimizer": optimizer, "ema": ema, "pace": FixedSteps(9)}, update

    def go(parts: dict[str, Any], update: Update, **start: Any) -> Any:
        return train(parts["model"], loader, update=update, runtime=Runtime(), pace=parts["pace"], **start)

    state: dict[str, Any] = {}
    whole, update = parts()
    for step in go(whole, update):
        if step.number == stop:
            state = copy.deepcopy(capture(step.position, whole))
    torch.manual_seed(noise)  # what other code drew in between is of no consequence
    resumed, update = parts()
    start = restore(state, resumed)
    losses = [step.number for step in go(resumed, update, start=start)]
    assert losses == list(range(stop + 1, 10))
    _assert_equal(whole["model"], resumed["model"])
    for name, value in whole["ema"].shadow.items():
        assert torch.equal(value, resumed["ema"].shadow[name])


def test_dropout_differs_between_steps() -> None:
    """Seeding before each step repeats a run, not a step: masks change from step to step and epoch to epoch."""
    seen = []

    class Mask(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(torch.rand(4))
            return x

    _train(nn.Sequential(Mask(), small_network()), _loader(), steps=6)
    assert len({tuple(mask.tolist()) for mask in seen}) == 6


def test_steps_tell_where_they_are() -> None:
    """Numbers count from 1, epochs from 0; the position after the last batch is the next epoch's beginning."""
    steps = _train(small_network(), _loader(), steps=4)
    assert [(s.number, s.epoch, s.samples, s.ends_epoch) for s in steps] == [
        (1, 0, 8, False), (2, 0, 8, False), (3, 0, 4, True), (4, 1, 8, False),
    ]  # fmt: skip
    assert steps[2].position == Position(step=3, epoch=1, batch=0)
    assert steps[3].position == Position(step=4, epoch=1, batch=1)


def test_the_schedule_follows_progress() -> None:
    """The rate of step n is the base rate times the schedule at (n - 1) / total."""
    steps = _train(small_network(), _loader(), steps=5, schedule=linear())
    assert [s.lr for s in steps] == pytest.approx([0.1 * (1 - i / 5) for i in range(5)])


def test_the_gradient_is_measured_and_bounded() -> None:
    """`clip_norm` tells the length before clipping; infinity measures it and changes nothing."""
    ours, theirs = small_network(), small_network()
    measured = _train(ours, _loader(), steps=3, clip_norm=float("inf"))
    plain = _train(theirs, _loader(), steps=3)
    _assert_equal(ours, theirs)
    assert all(s.grad_norm is not None and s.grad_norm.item() > 0 for s in measured)
    assert all(s.grad_norm is None for s in plain)


def test_transforms_act_in_order_on_training_batches() -> None:
    """Each transform gets what the one before made."""

    def plus_one(batch: Batch) -> Batch:
        return batch.replace(images=batch.images + 1)

    def double(batch: Batch) -> Batch:
        return batch.replace(images=batch.images * 2)

    loader, ours, theirs = _loader(), small_network(), small_network()
    _train(ours, loader, steps=3, transforms=(plus_one, double))
    by_hand(theirs, [(2 * (b.images + 1), b.labels) for b in loader.epoch(0)])
    _assert_equal(ours, theirs, rtol=1e-5, atol=1e-6)


def test_after_update_sees_the_moved_weights_without_gradients() -> None:
    """Callables run once per step, after the optimizer, where writing to weights is allowed."""
    seen: list[float] = []

    def act(model: nn.Module) -> None:
        assert not torch.is_grad_enabled()
        seen.append(next(model.parameters()).sum().item())
        next(model.parameters()).mul_(0.5)

    model = small_network()
    _train(model, _loader(), steps=3, after_update=(act,))
    assert len(set(seen)) == 3
    assert next(model.parameters()).sum().item() == pytest.approx(seen[-1] / 2)


def test_evaluating_between_steps_changes_nothing() -> None:
    """Whoever iterates may put the model into evaluation mode and draw random numbers."""
    ours, theirs = small_network(dropout=0.5), small_network(dropout=0.5)
    update = Update(loss=cross_entropy, optimizer=build(ours, lr=0.1))
    for _ in train(ours, _loader(), update=update, runtime=Runtime(), pace=FixedSteps(5)):
        ours.eval()
        torch.rand(3)
    _train(theirs, _loader(), steps=5)
    _assert_equal(ours, theirs)


def test_a_mean_of_samples_not_of_batches() -> None:
    """A step's loss over uneven batches weighs each sample alike."""
    model = small_network(norm="group")
    model.eval()
    images, labels = small_data(5)
    with torch.no_grad():
        expected = cross_entropy(model(images), labels).mean().item()
    (step,) = _train(model, MemoryLoader(images, labels, batch_size=4), steps=1, accumulate=2)
    assert step.loss.item() == pytest.approx(expected, rel=1e-5)


def test_nothing_is_done_before_the_first_step_is_asked_for() -> None:
    """A generator that nobody advances leaves the model alone; one closed early keeps the steps made."""
    model = small_network()
    before = copy.deepcopy(model)
    update = Update(loss=cross_entropy, optimizer=build(model, lr=0.1))
    steps = train(model, _loader(), update=update, runtime=Runtime(), pace=FixedSteps(5))
    _assert_equal(model, before)
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert not torch.equal(next(model.parameters()), next(before.parameters()))


def test_an_empty_loader_is_told() -> None:
    """No batches, or fewer than promised, end with a sentence and not with a hang."""

    class Empty:
        def epoch(self, number: int, start: int = 0) -> Any:
            return iter(())

        def __len__(self) -> int:
            return 0

    with pytest.raises(DataError, match="0 batches"):
        _train(small_network(), Empty(), steps=1)


@pytest.mark.parametrize("wrong", [{"accumulate": 0}, {"clip_norm": 0.0}, {"clip_norm": float("nan")}])
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    """No step can be made of no batch, nor a gradient of length 0."""
    with pytest.raises(SettingError, match="What to do"):
        Update(loss=cross_entropy, optimizer=build(small_network(), lr=0.1), **wrong)
