"""What a person sees while the program works: one live line in a terminal, plain lines elsewhere, nothing with -q."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

_PLAIN_EVERY = 10.0  # seconds between plain progress lines: readable in a CI log, not a flood


class Progress(Protocol):
    """Where stages say what they do. Lines stay; `update` replaces the one before it."""

    def line(self, text: str) -> None:
        """Say something that stays on the screen."""

    def update(self, text: str, *, done: float | None = None) -> None:
        """Say how far the work is, as a share in [0, 1] where that is known."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class Quiet:
    """Says nothing.

    >>> Quiet().line("unheard")
    """

    def line(self, text: str) -> None:
        """Say nothing."""

    def update(self, text: str, *, done: float | None = None) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Do nothing."""


class Plain:
    """Lines for logs and pipes: each stands for itself, updates only every ten seconds."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Write to `stream`."""
        self._stream = stream
        self._clock = clock
        self._next = clock() + _PLAIN_EVERY

    def line(self, text: str) -> None:
        """Write one line."""
        self._stream.write(text + "\n")
        self._stream.flush()

    def update(self, text: str, *, done: float | None = None) -> None:
        """Write a line if the last one is old enough."""
        if self._clock() >= self._next:
            self._next = self._clock() + _PLAIN_EVERY
            self.line(f"  {text}" if done is None else f"  {done:4.0%}  {text}")

    def close(self) -> None:
        """Hand over what was written."""
        self._stream.flush()


class Terminal:
    """One live line at the bottom, with a bar; what stays scrolls above it."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`."""
        self._live = Live(console=console, refresh_per_second=8, transient=True)
        self._live.start()

    def line(self, text: str) -> None:
        """Print above the live line."""
        self._live.console.print(text, markup=False, highlight=False)

    def update(self, text: str, *, done: float | None = None) -> None:
        """Redraw the live line."""
        self._live.update(
            Text(
                f"  {text}" if done is None else f"  {bar(done)} {done:4.0%}  {text}", overflow="ellipsis", no_wrap=True
            )
        )

    def close(self) -> None:
        """Remove the live line."""
        self._live.stop()


def bar(done: float, width: int = 24) -> str:
    """A share in [0, 1] as a bar of `width` characters.

    >>> bar(0.5, width=6)
    '━━━───'
    """
    full = round(min(max(done, 0.0), 1.0) * width)
    return "━" * full + "─" * (width - full)


def choose_progress(*, quiet: bool = False, stream: TextIO | None = None) -> Progress:
    """The right one for where the output goes: standard output unless `stream` is given."""
    target = stream or sys.stdout
    if quiet:
        return Quiet()
    return Terminal(Console(file=target)) if target.isatty() else Plain(target)
