"""What a person sees: a live line in a terminal, plain lines in a log, nothing when quiet."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from epochal.stages.progress import Plain, Quiet, Terminal, bar, choose_progress


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def test_plain_lines_come_at_once_and_updates_every_ten_seconds() -> None:
    """A log is readable: each line for itself, no flood of updates."""
    now, log = [0.0], io.StringIO()
    plain = Plain(log, clock=lambda: now[0])
    plain.line("begun")
    for second in range(25):
        now[0] = float(second)
        plain.update(f"file {second}", done=second / 25)
    plain.close()
    assert log.getvalue().splitlines() == ["begun", "   40%  file 10", "   80%  file 20"]


def test_plain_updates_without_a_share_have_no_percentage() -> None:
    """Where nobody knows how much is left, nothing is claimed."""
    now, log = [0.0], io.StringIO()
    plain = Plain(log, clock=lambda: now[0])
    now[0] = 11.0
    plain.update("listing")
    assert log.getvalue() == "  listing\n"


def test_a_terminal_keeps_lines_and_forgets_updates() -> None:
    """Lines stay above; the live line is gone at the end, and brackets in names are no markup."""
    screen = Screen()
    shown = Terminal(Console(file=screen, force_terminal=True, width=80))
    shown.line("photos[bold]")
    shown.update("epoch 3", done=0.5)
    shown.update("listing")
    shown.close()
    assert "photos[bold]" in screen.getvalue()
    assert screen.getvalue().rfind("\x1b[?25h") > screen.getvalue().rfind("\x1b[?25l")  # the cursor is back


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """`-q` leaves only errors, which do not come through here."""
    quiet = choose_progress(quiet=True, stream=Screen())
    quiet.line("a")
    quiet.update("b", done=0.1)
    quiet.close()
    assert isinstance(quiet, Quiet)
    assert capsys.readouterr() == ("", "")


def test_the_choice_follows_the_stream() -> None:
    """A terminal gets the live line, anything else plain lines."""
    assert isinstance(choose_progress(stream=io.StringIO()), Plain)
    shown = choose_progress(stream=Screen())
    shown.close()
    assert isinstance(shown, Terminal)


@given(done=st.floats(-1, 2), width=st.integers(1, 80))
def test_a_bar_is_always_as_wide_as_asked(done: float, width: int) -> None:
    """Shares outside 0 to 1 do not spill."""
    drawn = bar(done, width=width)
    assert len(drawn) == width
    assert drawn.lstrip("━").lstrip("─") == ""
