"""Schedules by name: every one stays in its bounds, is drawn before the run, and is the closed form it names."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import SettingError
from epochal.optim import schedule as schedules
from epochal.optim.plateau import Plateau
from epochal.optim.shapes import NAMES, Shape, shaped

progress = st.floats(0, 1)
figures = st.fixed_dictionaries(
    {
        "warmup": st.floats(0, 0.9),
        "start": progress,
        "final": progress,
        "power": st.floats(0.1, 4),
        "divide_by": st.floats(1.1, 10),
    }
)


@given(st.sampled_from(NAMES), figures, progress)
def test_factor_stays_between_0_and_1(name: str, numbers: dict[str, float], at: float) -> None:
    """No schedule multiplies the base rate by more than 1 or makes it negative, whatever its figures."""
    assert 0 <= shaped(Shape(name=name, **numbers))(at) <= 1  # type: ignore[arg-type]


@given(st.sampled_from(NAMES), st.floats(1, 10))
def test_stays_at_its_end(name: str, beyond: float) -> None:
    """Past the end a schedule keeps its last value: torch's cosine would rise again."""
    schedule = shaped(Shape(name=name))
    assert schedule(beyond) == schedule(1.0)


@given(st.sampled_from([name for name in NAMES if name != "one-cycle"]), progress, progress)
def test_without_a_warm_up_nothing_rises(name: str, one: float, other: float) -> None:
    """Later is never faster."""
    early, late = sorted((one, other))
    assert shaped(Shape(name=name))(early) >= shaped(Shape(name=name))(late)


@given(st.sampled_from(["linear", "cosine", "polynomial", "one-cycle", "constant"]), progress)
def test_has_no_jumps(name: str, at: float) -> None:
    """A small step in progress is a small step of the rate, the end of the warm-up included."""
    schedule = shaped(Shape(name=name, warmup=0.2))
    assert abs(schedule(at) - schedule(at + 1e-4)) < 2e-3


@pytest.mark.parametrize("name", NAMES)
def test_warms_up_before_any(name: str) -> None:
    """From `start` to the peak over the first share of the run (S9), whatever follows."""
    schedule = shaped(Shape(name=name, warmup=0.25, start=0.1))
    assert schedule(0.0) == pytest.approx(0.1)
    assert schedule(0.25) == pytest.approx(1.0)
    assert schedule(0.125) == pytest.approx(0.55)  # the middle of a line, and of half a cosine wave


@pytest.mark.parametrize(
    ("shape", "same"),
    [
        (Shape(name="linear", final=0.07), schedules.linear(end=0.07)),
        (Shape(name="cosine", final=0.07), schedules.cosine(end=0.07)),
        (Shape(name="constant"), schedules.constant()),
        (Shape(name="polynomial", power=0.9, final=0.1), schedules.polynomial(power=0.9, end=0.1)),
        (Shape(name="step", every=0.3, divide_by=10), schedules.steps(at=[0.3, 0.6, 0.9], factor=0.1)),
        (Shape(name="step", every=0.25, divide_by=2), schedules.steps(at=[0.25, 0.5, 0.75], factor=0.5)),
        (Shape(name="multi-step", at=(0.4, 0.8), divide_by=2), schedules.steps(at=[0.4, 0.8], factor=0.5)),
        (Shape(name="one-cycle", start=0.04, final=0.01), schedules.one_cycle(peak=0.3, start=0.04, end=0.01)),
    ],
)
def test_each_name_is_its_closed_form(shape: Shape, same: schedules.Schedule) -> None:
    """The name and its figures reach the schedule that is tested against torch elsewhere."""
    assert [shaped(shape)(at / 50) for at in range(51)] == pytest.approx([same(at / 50) for at in range(51)])


def test_plateau_falls_by_what_it_is_shown_after_the_warm_up() -> None:
    """Values seen while the rate rises do not count; then each stall divides, down to the floor (W4.3)."""
    rate = shaped(Shape(name="plateau", warmup=0.2, patience=1, divide_by=5, final=0.1))
    assert isinstance(rate, Plateau)
    for _ in range(9):
        rate.observe(1.0, progress=0.1)
    assert rate(0.5) == 1.0
    seen = []
    for _ in range(7):
        rate.observe(1.0, progress=0.5)
        seen.append(rate(0.5))
    assert seen == pytest.approx([1, 1, 0.2, 0.2, 0.1, 0.1, 0.1])


@pytest.mark.parametrize("name", NAMES)
def test_every_name_can_be_drawn_before_the_run(name: str) -> None:
    """Drawn from 0 to 1, with finite values, as the report shows it (K3.4)."""
    points = schedules.drawn(shaped(Shape(name=name, warmup=0.1)), points=21)
    assert (points[0][0], points[-1][0]) == (0.0, 1.0)
    assert all(one[0] < other[0] for one, other in itertools.pairwise(points))


@pytest.mark.parametrize(
    "wrong",
    [
        Shape(name="step", every=0.0),
        Shape(name="step", every=1.0),
        Shape(name="step", divide_by=1.0),
        Shape(name="multi-step", at=(1.5,)),
        Shape(name="multi-step", divide_by=0.5),
        Shape(name="plateau", divide_by=1.0),
        Shape(name="polynomial", power=0),
        Shape(name="linear", warmup=1.0),
    ],
)
def test_impossible_figures_are_refused(wrong: Shape) -> None:
    """What cannot be a schedule is told in three parts."""
    with pytest.raises(SettingError, match="What to do"):
        shaped(wrong)


def test_unknown_names_are_told_the_nearest() -> None:
    """A slip of the keyboard is mended by the message."""
    with pytest.raises(SettingError, match="did you mean one-cycle"):
        shaped(Shape(name="one_cycle"))
