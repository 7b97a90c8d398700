"""Every error that epochal raises on purpose, drawn as a tree.

    EpochalError            exit code 2 unless said otherwise
    ├── SettingError        a value the user gave cannot work
    ├── DataError           the images or labels cannot be used
    ├── RunError            a run folder cannot be used as asked
    │   └── CheckpointError a saved state is damaged or foreign
    ├── MissingExtra        an optional package is needed
    ├── CheckFailed         exit code 3: a check stopped the run
    └── BudgetError         exit code 4: the budget ended first

Each says three things: what happened (with the value and the place), what was expected, what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class EpochalError(Exception):
    """A mistake that the user can mend, told in three parts.

    >>> print(EpochalError("batch_size is 0.", expected="1 or more.", remedy="leave it out."))
    batch_size is 0. Expected: 1 or more. What to do: leave it out.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, happened: str, *, expected: str, remedy: str) -> None:
        """Keep the three parts apart, so that the command line can set them on lines of their own."""
        super().__init__(f"{happened} Expected: {expected} What to do: {remedy}")
        self.happened = happened
        self.expected = expected
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the trip between processes: keyword-only arguments defeat the default pickling."""
        return _rebuild, (type(self), {"happened": self.happened, "expected": self.expected, "remedy": self.remedy})


def _rebuild(kind: type[EpochalError], parts: dict[str, str]) -> EpochalError:
    return kind(parts["happened"], expected=parts["expected"], remedy=parts["remedy"])


class SettingError(EpochalError):
    """A value the user gave cannot work."""

    @classmethod
    def unknown(cls, what: str, name: str, *, known: Iterable[str]) -> SettingError:
        """The error for a name that is not there, with the nearest that is.

        >>> print(SettingError.unknown("optimizer", "adamm", known=["sgd", "adam"]))
        The optimizer is 'adamm'. Expected: one of sgd, adam. What to do: did you mean adam?
        """
        import difflib

        names = list(known)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        remedy = f"did you mean {near[0]}?" if near else "choose one of these; most are spelt as in their paper."
        return cls(f"The {what} is {name!r}.", expected=f"one of {', '.join(names)}.", remedy=remedy)


class DataError(EpochalError):
    """The images or labels cannot be used as they are."""


class RunError(EpochalError):
    """A run folder cannot be used as asked: locked, foreign, changed, incomplete."""


class CheckpointError(RunError):
    """A saved state is damaged, foreign or of another version."""


class MissingExtra(EpochalError):
    """An optional package is needed for what was asked."""

    @classmethod
    def of(cls, package: str, *, extra: str, needed_for: str) -> MissingExtra:
        """The error for `package`, which `pip install epochal[extra]` brings.

        >>> MissingExtra.of("onnx", extra="onnx", needed_for="the ONNX export").remedy
        "pip install 'epochal[onnx]'"
        """
        return cls(
            f"The package {package} is not installed; {needed_for} needs it.",
            expected=f"{package} importable.",
            remedy=f"pip install 'epochal[{extra}]'",
        )


class CheckFailed(EpochalError):
    """A check found a fault with which training cannot go on."""

    exit_code: ClassVar[int] = 3


class BudgetError(EpochalError):
    """The budget ended before the work did; the best so far is saved where there is one."""

    exit_code: ClassVar[int] = 4
