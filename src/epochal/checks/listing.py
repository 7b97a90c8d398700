"""How many names a finding gives: enough to go and look, never a screenful."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from epochal.findings import Observation

# Files that get a finding of their own before the rest is only counted.
MOST = 100


def named(keys: Sequence[str], *, most: int = 3) -> str:
    """The first few names, and how many more there are.

    >>> named(["a", "b", "c", "d"], most=2)
    'a, b and 2 more'
    >>> named(["a", "b"])
    'a, b'
    """
    shown = ", ".join(keys[:most])
    return f"{shown} and {len(keys) - most} more" if len(keys) > most else shown


def counted(count: int, noun: str, *, plural: str = "") -> str:
    """A number with its noun, in the plural where it should be.

    >>> counted(1, "file"), counted(1200, "file")
    ('1 file', '1,200 files')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {plural or noun + 's'}"


def capped(observations: Iterable[Observation], *, total: int) -> Iterator[Observation]:
    """The first hundred observations, then one that counts the rest.

    >>> many = (Observation(f"{n}.jpg", "empty", expected="bytes", remedy="delete it") for n in range(150))
    >>> *_, last = capped(many, total=150)
    >>> last.measured
    '50 more of the same kind'
    """
    last = None
    for last in islice(observations, MOST):
        yield last
    if last is not None and total > MOST:
        yield Observation(
            "all files",
            f"{total - MOST:,} more of the same kind",
            expected=last.expected,
            remedy="see the table of samples for all of them.",
            severity=last.severity,
        )
