"""The journal of an imagined run on ten classes of small colour pictures: everything that a report can show."""

from __future__ import annotations

from report.clock import Clock, Event
from report.fitting import train
from report.preparation import baseline, inspect, skeleton
from report.scoring import BUDGET, evaluate

# Where the time goes: what each stage writes, its begin and end on the journal's clock of budget seconds.
STAGES = {
    inspect: (2.1, 31.8),
    skeleton: (31.8, 52.4),
    baseline: (52.4, 74.0),
    train: (74.0, 561.3),
    evaluate: (561.3, 583.6),
}


def full_run() -> list[Event]:
    """All events of a run that finished, in order."""
    clock = Clock()
    _begin(clock)
    for content, (begin, end) in STAGES.items():
        clock.stage = content.__name__
        clock.write("stage", at=begin, event="begin")
        content(clock)
        clock.write("stage", at=end, event="end", seconds=end - begin)
    clock.stage = "run"
    clock.write("end", at=584.0, status="finished", exit_code=0)
    return clock.events


def _begin(clock: Clock) -> None:
    clock.write(
        "session",
        request={"source": "photos/cifar10.zip", "settings": {"budget_seconds": BUDGET}},
        argv="epochal run photos/cifar10.zip --budget 10m",
        resumed=False,
        versions={"epochal": "0.1.0", "python": "3.11.7", "torch": "2.13.0", "numpy": "2.4.6", "pillow": "13.0.0"},
        machine={
            "system": "Linux",
            "processor": "Intel Xeon, 2 cores of many",
            "cores": 2,
            "memory_gib": 24.0,
            "gpu": None,
        },
    )
    clock.write("decision", key="budget_seconds", value=BUDGET, origin="user", reason="asked for", evidence=None)
