"""The measured choice of arithmetic, on a bench that is made of numbers and on the real one."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from epochal.data.batch import Batch
from epochal.errors import DataError
from epochal.losses.classification import cross_entropy
from epochal.training import choice
from epochal.training.choice import candidates, choose
from epochal.training.reference import small_data, small_network
from epochal.training.runtime import Runtime


def _batch(samples: int = 16) -> Batch:
    images, labels = small_data(samples)
    return Batch(images=images, labels=labels, index=torch.arange(samples), seed=0)


class _PaperBench:
    """A bench that tells made-up times and distances, so that the choice can be tested without a machine."""

    seconds: Callable[[Runtime], float]
    distances: Callable[[Runtime], float]

    def __init__(self, model: nn.Module, batch: Batch, *, loss: object, clock: Callable[[], float]) -> None:
        self.samples, self.clock, self.time = len(batch), self.tell, 0.0

    def tell(self) -> float:
        return self.time

    def cut(self, runtime: Runtime, *, limit: float) -> None:
        self.samples //= 2

    def sampling_noise(self, runtime: Runtime) -> float:
        return 1.0

    def distance(self, runtime: Runtime) -> tuple[float, float]:
        return type(self).distances(runtime), 1.0

    def seconds_per_step(self, runtime: Runtime) -> float:
        self.time += type(self).seconds(runtime)
        return type(self).seconds(runtime)


def _chosen(
    monkeypatch: pytest.MonkeyPatch, seconds: Callable[[Runtime], float], distances: Callable[[Runtime], float]
) -> choice.Choice:
    monkeypatch.setattr(_PaperBench, "seconds", staticmethod(seconds), raising=False)
    monkeypatch.setattr(_PaperBench, "distances", staticmethod(distances), raising=False)
    monkeypatch.setattr(choice, "Bench", _PaperBench)
    return choose(small_network(), _batch(), loss=cross_entropy, base=Runtime(threads=2), seconds=2.0)


def _typical(runtime: Runtime) -> float:
    return 0.1 / ((3 if runtime.precision == "bf16" else 1) * (1.3 if runtime.channels_last else 1)) / runtime.threads  # type: ignore[operator]


def _rounding(runtime: Runtime) -> float:
    return 0.1 if runtime.precision == "bf16" else 0.0


def test_takes_the_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    """bfloat16, channels-last, all threads where those are fastest, with every alternative as evidence."""
    taken = _chosen(monkeypatch, _typical, _rounding)
    assert (taken.runtime.precision, taken.runtime.channels_last, taken.runtime.threads) == ("bf16", True, 2)
    assert len(taken.trials) >= 5
    assert "3.90 times plain fp32" in taken.reason


def test_unsound_arithmetic_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bfloat16 moves the gradient as much as the choice of samples does, float32 stays, and why is told."""
    taken = _chosen(monkeypatch, _typical, lambda r: 0.8 if r.precision == "bf16" else 0.0)
    assert taken.runtime.precision == "fp32"
    assert any("noise" in trial.note for trial in taken.trials if not trial.sound)
    unsound = [trial for trial in taken.trials if not trial.sound]
    assert len(unsound) == 2
    assert all(trial.seconds_per_step is None for trial in unsound)


@pytest.mark.parametrize("distance", [math.inf, math.nan])
def test_what_overflows_is_not_taken(monkeypatch: pytest.MonkeyPatch, distance: float) -> None:
    """A gradient that is not finite is no gradient, however fast."""
    taken = _chosen(monkeypatch, _typical, lambda r: distance if r.precision == "bf16" else 0.0)
    assert taken.runtime.precision == "fp32"


def test_what_fails_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the kernels gets what it can do, and the record says what failed."""

    def broken(runtime: Runtime) -> float:
        if runtime.precision == "bf16":
            raise RuntimeError("no kernel\nfor this")
        return 0.0

    taken = _chosen(monkeypatch, _typical, broken)
    assert taken.runtime.precision == "fp32"
    assert [trial.note for trial in taken.trials if not trial.sound] == ["no kernel", "no kernel"]


def test_a_small_gain_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a gain beyond noise the plainest arithmetic on one thread is taken."""
    taken = _chosen(monkeypatch, lambda r: 0.1 if r == Runtime(threads=1) else 0.098, lambda _: 0.0)
    assert taken.runtime == Runtime(threads=1)


def test_threads_that_fight_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a busy process, where two threads are slower than one, one is taken."""
    taken = _chosen(monkeypatch, lambda r: 0.1 if r.threads == 1 else 1.5, _rounding)
    assert taken.runtime.threads == 1


def test_leaves_everything_as_it_was() -> None:
    """Model, generator and number of threads are untouched; the batch's own labels were used."""
    model = small_network(dropout=0.3)
    before, threads = copy.deepcopy(model.state_dict()), torch.get_num_threads()
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    taken = choose(model, _batch(), loss=cross_entropy, base=Runtime(threads=2), seconds=0.2)
    assert torch.equal(torch.rand(2), expected)
    assert torch.get_num_threads() == threads
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert taken.runtime.world_size == 1


def test_bfloat16_is_sound_for_a_real_network() -> None:
    """Measured on this machine, its rounding stays well inside the noise of 16 samples; float32's is nil."""
    taken = choose(small_network(), _batch(), loss=cross_entropy, base=Runtime(threads=1), seconds=0.2)
    rounding = {trial.runtime.precision: trial.rounding for trial in taken.trials}
    assert rounding["fp32"] < 1e-3
    assert 0 < rounding["bf16"] < 0.5


def test_arithmetic_that_destroys_the_gradient_is_caught() -> None:
    """A loss that lives on small differences of large numbers loses them in bfloat16, and that is noticed."""

    class Fragile(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(192, 3)

        def forward(self, images: Tensor) -> Tensor:
            near: Tensor = self.layer(images.flatten(1)) + 10_000
            return 10 * (near - 10_000)

    taken = choose(Fragile(), _batch(), loss=cross_entropy, base=Runtime(threads=1), seconds=0.2)
    assert taken.runtime.precision == "fp32"


def test_the_record_is_plain() -> None:
    """What goes into the journal is made of plain values."""
    told = choose(small_network(), _batch(), loss=cross_entropy, base=Runtime(threads=1), seconds=0.1).describe()
    assert {"runtime", "reason", "samples", "seconds", "trials"} == set(told)
    assert isinstance(told["trials"], list)


def test_candidates_begin_plain() -> None:
    """The first candidate is what everything else is compared with, and float16 is never tried on a CPU."""
    assert candidates(Runtime())[0] == Runtime()
    assert {runtime.precision for runtime in candidates(Runtime())} == {"fp32", "bf16"}


def test_one_sample_is_too_few() -> None:
    """Noise between samples cannot be measured with one."""
    with pytest.raises(DataError, match="batch of 1"):
        choose(small_network(), _batch(1), loss=cross_entropy, base=Runtime())
