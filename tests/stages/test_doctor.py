"""The doctor tells what will be used and proves the engine, here."""

import pytest

from epochal.ensembles import selftest as ensembles
from epochal.stages import doctor, runtime
from epochal.stages.doctor import examine_machine
from epochal.training import selftest as engine
from epochal.training.selftest import Promise


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure small images for a moment: the words are tested here, not the machine."""
    monkeypatch.setattr(
        doctor,
        "measure_runtime",
        lambda **_: runtime.measure_runtime(image_size=8, channels=1, classes=3, seconds=0.2),
    )


def test_it_says_what_will_be_used_and_why() -> None:
    """Versions, machine, the chosen arithmetic and each alternative with its speed."""
    said: list[str] = []
    assert examine_machine(say=said.append, tests=False)
    told = "\n".join(said)
    for word in ("torch", "python", "cores", "precision", "device", "channels last", "images/s"):
        assert word in told


def test_promises_that_hold_make_it_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each promise has its line with the measured difference."""
    monkeypatch.setattr(ensembles, "PROMISES", ())
    monkeypatch.setattr(engine, "PROMISES", (Promise(name="one is one", allowed=1e-6, measure=lambda: 0.0),))
    said: list[str] = []
    assert examine_machine(say=said.append)
    assert "ok    one is one: differs by 0.0e+00, 1e-06 allowed" in "\n".join(said)
    assert said[-1] == "All 1 hold."


def _broken() -> float:
    message = "no such kernel"
    raise RuntimeError(message)


def test_a_broken_promise_is_told_and_never_fatal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A difference too large and a crash are both named, the rest is still examined."""
    promises = (
        Promise(name="too far", allowed=1e-6, measure=lambda: 0.5),
        Promise(name="crash", allowed=1e-6, measure=_broken),
        Promise(name="fine", allowed=1e-6, measure=lambda: 0.0),
    )
    monkeypatch.setattr(ensembles, "PROMISES", ())
    monkeypatch.setattr(engine, "PROMISES", promises)
    said: list[str] = []
    assert not examine_machine(say=said.append)
    told = "\n".join(said)
    assert "FAIL  too far: differs by 5.0e-01" in told
    assert "FAIL  crash: RuntimeError: no such kernel" in told
    assert "ok    fine" in told
