"""Schedules by name: one description of a rate's course, from which the schedule is made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from epochal.errors import SettingError
from epochal.optim.plateau import Plateau, PlateauRule
from epochal.optim.schedule import Schedule, constant, cosine, linear, one_cycle, polynomial, steps, warmup_then


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The course of a rate over a run, as shares of the run and of the peak rate; a name uses what it needs of them.

        warmup, start   all: the rise in a straight line from `start` to 1 over the first `warmup` of the run;
                        one-cycle: half a cosine wave, by which the peak is reached (0.3 where `warmup` is 0)
        final           linear, cosine, polynomial, one-cycle: the rate at the end; plateau: the rate never falls below
        power           polynomial: the exponent of what is left of the run
        divide_by       step, multi-step, plateau: what the rate is divided by, each time
        every, at       step: at each multiple of `every`; multi-step: at the points `at`
        patience        plateau: looks in a row without improvement that are borne

    Whatever stands behind the warm-up is stretched over what it leaves of the run.
    """

    name: str = "linear"
    warmup: float = 0.0
    start: float = 0.0
    final: float = 0.0
    power: float = 2.0
    divide_by: float = 5.0
    every: float = 0.3
    at: tuple[float, ...] = (0.5, 0.75)
    patience: int = 5


def shaped(shape: Shape) -> Schedule:
    """Make the schedule that a shape describes; one called "plateau" has to be shown the validation losses of the run.

    Raises: SettingError for a name that is not there, or figures with which it cannot work.
    Source: tips S9, S10, W4.3, K3.4.

    >>> rate = shaped(Shape(name="cosine", warmup=0.2))
    >>> rate(0.1), rate(0.2), rate(1.0)
    (0.5, 1.0, 0.0)
    """
    if shape.name not in _KNOWN:
        raise SettingError.unknown("schedule", shape.name, known=_KNOWN)
    return _KNOWN[shape.name](shape)


def _warmed(make: Callable[[Shape], Schedule]) -> Callable[[Shape], Schedule]:
    return lambda shape: warmup_then(make(shape), share=shape.warmup, start=shape.start)


def _step(shape: Shape) -> Schedule:
    if not 0 < shape.every < 1:
        raise SettingError(
            f"The rate shall fall at each {shape.every} of the run.", expected="a share between 0 and 1.", remedy="0.3."
        )
    points = [n * shape.every for n in range(1, int(1 / shape.every) + 1) if n * shape.every < 1]
    return steps(at=points, factor=1 / _divisor(shape))


def _one_cycle(shape: Shape) -> Schedule:
    return one_cycle(peak=shape.warmup or 0.3, start=shape.start, end=shape.final)


def _plateau(shape: Shape) -> Schedule:
    rule = PlateauRule(divide_by=shape.divide_by, patience=shape.patience, smallest=shape.final)
    rise = warmup_then(constant(), share=shape.warmup, start=shape.start)
    return Plateau(rule=rule, schedule=rise, since=shape.warmup)


def _divisor(shape: Shape) -> float:
    if not shape.divide_by > 1:
        raise SettingError(
            f"The rate shall be divided by {shape.divide_by}.", expected="more than 1.", remedy="2, 5 or 10."
        )
    return shape.divide_by


_KNOWN: Mapping[str, Callable[[Shape], Schedule]] = {
    "constant": _warmed(lambda _shape: constant()),
    "linear": _warmed(lambda shape: linear(end=shape.final)),
    "cosine": _warmed(lambda shape: cosine(end=shape.final)),
    "polynomial": _warmed(lambda shape: polynomial(power=shape.power, end=shape.final)),
    "step": _warmed(_step),
    "multi-step": _warmed(lambda shape: steps(at=shape.at, factor=1 / _divisor(shape))),
    "one-cycle": _one_cycle,
    "plateau": _plateau,
}

NAMES: tuple[str, ...] = tuple(_KNOWN)
