"""What an attacker would leave in place of a file."""

from __future__ import annotations

from pathlib import Path


class Trap:
    """Unpickled, it makes a file: proof that foreign code ran."""

    def __init__(self, mark: Path) -> None:
        """Aim at `mark`."""
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        """Call `Path.touch` when unpickled."""
        return Path.touch, (self.mark,)
