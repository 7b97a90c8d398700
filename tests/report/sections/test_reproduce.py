from __future__ import annotations

from epochal.report.record import Record
from epochal.report.sections.reproduce import ReproduceView, build, measurements
from report.clock import Event
from report.markup import Page


def seen(*events: Event) -> ReproduceView:
    """The section for these events."""
    view = build(Record.of(events))
    assert view is not None
    return view


def test_the_command_can_be_copied(page: Page) -> None:
    """The command line stands whole, beside its seed, versions and machine."""
    (code,) = page.all("code")
    assert code.text == "epochal run photos/cifar10.zip --budget 10m"
    shown = page.all("section", id="reproduce")[0].text
    assert "Seed 0" in shown
    assert "torch2.13.0" in shown
    assert "cores2" in shown


def test_arguments_are_quoted() -> None:
    """A list of arguments becomes a line that a shell reads as the same list."""
    assert (
        seen({"kind": "session", "argv": ["epochal", "run", "my photos; rm"]}).command == "epochal run 'my photos; rm'"
    )


def test_interruptions_are_counted() -> None:
    """A run of three starts was continued twice, and is reproduced by its first command."""
    view = seen(
        {"kind": "session", "argv": "first"},
        {"kind": "session", "argv": "second"},
        {"kind": "session", "argv": "third"},
    )
    assert view.lead == "Continued 2 times after an interruption."
    assert view.command == "first"


def test_a_seed_of_zero_is_a_seed() -> None:
    """Zero is said like any other."""
    assert seen({"kind": "session"}, {"kind": "decision", "key": "seed", "value": 0}).seed == "0"


def test_no_start_is_no_section() -> None:
    """Without a start there is no command."""
    assert build(Record.of([])) is None


def test_measurements_without_a_drawing_are_listed() -> None:
    """Nothing measured is lost: what no section draws stands in a table, long values cut."""
    view = measurements(
        Record.of(
            [
                {"kind": "measurement", "name": "model.parameters", "value": 1_619_000, "stage": "train"},
                {"kind": "measurement", "name": "data.mean", "value": [0.5]},
                {"kind": "measurement", "name": "task", "value": {"name": "regression"}},
                {"kind": "measurement", "name": "long", "value": "x" * 5000},
            ]
        )
    )
    assert view is not None
    assert [name for name, *_ in view.rows] == ["model.parameters", "long"]
    assert len(view.rows[1][1]) == 401
