"""What a network in training is judged by: put in, taken out again without a trace, and saved."""

import copy
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from epochal.ensembles.average import Average, LastWeights, LateMean, PathAverage, WithStatistics
from epochal.ensembles.averaging import EMA
from epochal.errors import CheckpointError
from epochal.optim.optimizer import build
from epochal.optim.schedule_free import ScheduleFreeAdamW


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2))


def _images(seed: int = 0) -> Tensor:
    return torch.randn(16, 1, 6, 6, generator=torch.Generator().manual_seed(seed))


def _trained(
    model: nn.Module, average: Average, *, optimizer: torch.optim.Optimizer, steps: int, start: int = 0
) -> Iterator[int]:
    for step in range(start, steps):
        optimizer.zero_grad()
        model(_images(step)).square().mean().backward()
        optimizer.step()
        average(model)
        yield step


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def _kinds(model: nn.Module) -> dict[str, tuple[Average, torch.optim.Optimizer]]:
    sgd, free = build(model, lr=0.05), build(model, name="schedule-free", lr=0.01)
    assert isinstance(free, ScheduleFreeAdamW)
    bare: dict[str, tuple[Average, torch.optim.Optimizer]] = {
        "last": (LastWeights(), sgd),
        "ema": (EMA(model, decay=0.9), sgd),
        "late mean": (LateMean(model, due=lambda: True), sgd),
        "path": (PathAverage(free), free),
    }
    gathered = {
        f"{name}, gathered": (WithStatistics(average, images=lambda: [_images(7)]), optimizer)
        for name, (average, optimizer) in _kinds_without_own_statistics(bare).items()
    }
    return {**bare, **gathered}


def _kinds_without_own_statistics(
    bare: dict[str, tuple[Average, torch.optim.Optimizer]],
) -> dict[str, tuple[Average, torch.optim.Optimizer]]:
    return {name: pair for name, pair in bare.items() if name != "ema"}


KINDS = ("last", "ema", "late mean", "path", "last, gathered", "late mean, gathered", "path, gathered")


@pytest.mark.parametrize("kind", KINDS)
def test_applying_leaves_no_trace(kind: str) -> None:
    """After the `with`, weights, statistics and mode are those of before, to the last bit, also after an error."""
    model = _network()
    average, optimizer = _kinds(model)[kind]
    for _ in _trained(model, average, optimizer=optimizer, steps=5):
        before = _state(model)
        with average.applied(model):
            pass
        with pytest.raises(ZeroDivisionError), average.applied(model):
            raise ZeroDivisionError
        assert _same(before, _state(model))
        assert model.training


@pytest.mark.parametrize("kind", KINDS)
def test_looking_changes_nothing_of_what_follows(kind: str) -> None:
    """A run that is looked at after each step ends with the weights of one that nobody looks at."""
    ends = []
    for looks in (True, False):
        model = _network()
        average, optimizer = _kinds(model)[kind]
        for _ in _trained(model, average, optimizer=optimizer, steps=6):
            if looks:
                with average.applied(model):
                    pass
        with average.applied(model):
            ends.append(_state(model))
    assert _same(*ends)


@pytest.mark.parametrize("kind", KINDS)
def test_resuming_equals_no_interruption(kind: str) -> None:
    """Saved in the middle and taken up by new objects, the average ends where it would have ended."""
    whole, first, second = _network(), _network(), _network()
    average, optimizer = _kinds(whole)[kind]
    for _ in _trained(whole, average, optimizer=optimizer, steps=6):
        pass
    with average.applied(whole):
        expected = _state(whole)
    average, optimizer = _kinds(first)[kind]
    for _ in _trained(first, average, optimizer=optimizer, steps=4):
        pass
    saved = copy.deepcopy((first.state_dict(), average.state_dict(), optimizer.state_dict()))
    average, optimizer = _kinds(second)[kind]
    second.load_state_dict(saved[0])
    average.load_state_dict(saved[1])
    optimizer.load_state_dict(saved[2])
    for _ in _trained(second, average, optimizer=optimizer, steps=6, start=4):
        pass
    with average.applied(second):
        assert _same(expected, _state(second))


def test_the_late_mean_is_the_mean_of_the_last_part() -> None:
    """Weights count from when they are due, against their plain mean; before, the network is judged as it is."""
    model, done = _network(), list[int]()
    average = LateMean(model, due=lambda: len(done) >= 4)
    weight = model[0].weight
    assert isinstance(weight, Tensor)
    seen: list[Tensor] = []
    for step in _trained(model, average, optimizer=build(model, lr=0.05), steps=9):
        now = weight.detach().clone()
        seen += [now] if step >= 4 else []
        with average.applied(model):
            torch.testing.assert_close(weight.detach(), torch.stack(seen).mean(0) if seen else now)
        done.append(step)
    assert average.taken == len(seen) == 5


def test_every_counts_from_where_the_mean_begins() -> None:
    """Of the steps that are due, each second one is taken, the first included."""
    model = _network()
    average = LateMean(model, due=lambda: True, every=2)
    for _ in range(5):
        average(model)
    assert average.taken == 3


def test_a_mean_once_begun_goes_on() -> None:
    """A run that is given more time falls back in progress: its mean goes on all the same."""
    model, due = _network(), True
    average = LateMean(model, due=lambda: due)
    average(model)
    due = False
    average(model)
    assert average.taken == 2


def test_statistics_are_those_of_the_images() -> None:
    """Mean and variance of what reaches the layer, against numpy on the same images, in several batches."""
    model = nn.Sequential(nn.BatchNorm2d(1))
    images = [_images(1), _images(2)[:3]]
    with WithStatistics(LastWeights(), images=lambda: images).applied(model):
        found = _state(model)
    pixels = torch.cat(images)
    torch.testing.assert_close(found["0.running_mean"], pixels.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(found["0.running_var"], pixels.var(dim=(0, 2, 3)), rtol=0.01, atol=0)


def _counting(images: list[Tensor], calls: list[int]) -> Callable[[], list[Tensor]]:
    def given() -> list[Tensor]:
        calls.append(1)
        return images

    return given


def test_images_are_asked_for_once_after_each_step() -> None:
    """A look and the probe after it pay once; a step later the statistics are gathered anew."""
    model, calls = _network(), list[int]()
    average = WithStatistics(LastWeights(), images=_counting([_images()], calls))
    for expected in (1, 2):
        average(model)
        for _ in range(3):
            with average.applied(model):
                pass
        assert len(calls) == expected


def test_networks_without_batch_norm_ask_for_no_images() -> None:
    """There is nothing to gather."""
    model, calls = nn.Sequential(nn.Flatten(), nn.Linear(36, 2)), list[int]()
    with WithStatistics(LastWeights(), images=_counting([_images()], calls)).applied(model):
        pass
    assert calls == []


def test_gathering_uses_the_arithmetic_of_the_run() -> None:
    """The forward pass runs inside the context that is handed in."""
    entered: list[bool] = []

    class Context:
        def __enter__(self) -> None:
            entered.append(True)

        def __exit__(self, *error: object) -> None:
            entered.append(False)

    average = WithStatistics(LastWeights(), images=lambda: [_images()], arithmetic=Context)
    with average.applied(_network()):
        assert entered == [True, False]


def test_the_path_average_is_the_optimizers() -> None:
    """Inside the `with` the model holds what the optimizer's own switch gives."""
    model = _network()
    optimizer = build(model, name="schedule-free", lr=0.01)
    assert isinstance(optimizer, ScheduleFreeAdamW)
    average = PathAverage(optimizer)
    for _ in _trained(model, average, optimizer=optimizer, steps=4):
        pass
    with average.applied(model):
        found = _state(model)
    optimizer.eval()
    assert _same(dict(model.named_parameters()), found)


def test_a_foreign_mean_is_refused() -> None:
    """The saved mean of another network is told in three parts."""
    other = nn.Linear(2, 2)
    average = LateMean(other, due=lambda: True)
    average(other)
    with pytest.raises(CheckpointError, match="another network"):
        LateMean(_network(), due=lambda: True).load_state_dict(average.state_dict())
