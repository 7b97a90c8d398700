"""Rules about whether a program runs at all. Reaches no tensor."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from epochal.findings import Observation, Severity, rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One part of a program that was tried: what it raised and where, or that its result was no loss."""

    part: str
    error: str = ""
    place: str = ""
    shape: tuple[int, ...] = ()  # of the loss
    finite: bool = True


@rule("does-not-run", code="EP290", severity=Severity.STOP)
def does_not_run(tried: Attempt) -> Iterator[Observation]:
    """A part of the program raises an error on its own batch.

    Everything that needs this part stays unchecked until it runs. The place is the last line of your own code on the
    way to the error.
    """
    if tried.error:
        yield Observation(
            tried.part,
            f"{tried.error} at {tried.place}" if tried.place else tried.error,
            expected="a run to the end.",
            remedy="mend that line; shapes and types of the batch are the usual reason.",
        )


@rule("loss-not-a-number", code="EP291", severity=Severity.ERROR, tips=["K2.4"])
def loss_not_a_number(tried: Attempt) -> Iterator[Observation]:
    """The first loss is NaN or infinite: the first step turns every weight into NaN.

    The logarithm or root of zero, a division by zero, an exponential of something large, or inputs of that kind.
    """
    if not tried.error and not tried.finite:
        yield Observation(
            tried.part,
            "NaN or infinite before the first step",
            expected="a finite number.",
            remedy="look for log, sqrt, exp and division; take the stable form, as in log_softmax.",
        )


_RUNS = Attempt(part="the loss")

does_not_run.fires_on("an error", lambda: replace(_RUNS, error="ValueError: bad shape", place="train.py:12")).silent_on(
    "none", lambda: _RUNS
)
loss_not_a_number.fires_on("NaN", lambda: replace(_RUNS, finite=False)).silent_on("a number", lambda: _RUNS)

RULES = (does_not_run, loss_not_a_number)
