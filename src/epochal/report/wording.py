"""Numbers as a reader wants them: rounded to what they mean, with units and separators.

Spaces between a number and its unit are no-break spaces, so that a line never ends between the two.
"""

from __future__ import annotations

import math

GAP = "\N{NO-BREAK SPACE}"
ABSENT = "\N{EN DASH}"
_MINUTE, _HOUR = 60, 3600


def share(value: float | None) -> str:
    """A fraction as per cent without its sign, never rounded up to a false 100 or down to a false 0.

    >>> share(0.9124), share(0.9998), share(1.0), share(0.0), share(0.0002), share(None)
    ('91.2', '99.98', '100', '0', '0.02', '–')
    """
    if value is None:
        return ABSENT
    if round(value, 6) in {0, 1}:  # sums of shares miss them by less
        return f"{value * 100:.0f}"
    shown = [f"{value * 100:.{digits}f}" for digits in (1, 2, 3)]
    return next((each for each in shown if float(each) not in {0, 100}), shown[-1])


def percent(value: float | None) -> str:
    """A fraction as per cent.

    >>> percent(0.9124).replace(GAP, " ")
    '91.2 %'
    """
    return ABSENT if value is None else f"{share(value)}{GAP}%"


def between(low: float | None, high: float | None) -> str:
    """An interval of fractions in per cent; empty where there is none.

    >>> between(0.904, 0.92), between(None, 0.92)
    ('90.4 to 92.0', '')
    """
    return "" if low is None or high is None else f"{share(low)} to {share(high)}"


def count(value: float | None) -> str:
    """A whole number with thousands separated.

    >>> count(5000), count(None)
    ('5,000', '–')
    """
    return ABSENT if value is None else f"{value:,.0f}"


def epoch(value: float | None) -> str:
    """An epoch, with a decimal where it is under way.

    >>> epoch(3.0), epoch(2.46)
    ('3', '2.5')
    """
    return ABSENT if value is None else f"{value:,.1f}".removesuffix(".0")


def counted(value: float | None, noun: str, *, many: str = "") -> str:
    """A count with its noun in the right number.

    >>> counted(1, "finding"), counted(2, "class", many="classes")
    ('1 finding', '2 classes')
    """
    return f"{count(value)} {noun if value == 1 else many or noun + 's'}"


def figure(value: float | None) -> str:
    """Any number in about three significant digits, without a false trail of zeros.

    >>> figure(0.40000001), figure(12345.6), figure(0.00031), figure(2.3026), figure(3e-7)
    ('0.4', '12,346', '0.00031', '2.3', '3e-07')
    """
    if value is None:
        return ABSENT
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def duration(seconds: float | None) -> str:
    """Seconds as a person says them.

    >>> [duration(s).replace(GAP, " ") for s in (0.25, 14, 95, 600, 7260)]
    ['0.3 s', '14 s', '1 min 35 s', '10 min', '2 h 1 min']
    """
    if seconds is None or not math.isfinite(seconds):
        return ABSENT
    if seconds < 10:
        return f"{seconds:.1f}{GAP}s"
    rounded = round(seconds)
    parts = [
        (rounded // _HOUR, "h"),
        (rounded % _HOUR // _MINUTE, "min"),
        (rounded % _MINUTE if rounded < _HOUR else 0, "s"),
    ]
    return GAP.join(f"{amount}{GAP}{unit}" for amount, unit in parts if amount)


def listed(names: list[str], *, most: int = 3) -> str:
    """Names in a sentence, the rest counted.

    >>> listed(["a", "b", "c", "d", "e"]), listed(["a", "b"])
    ('a, b, c and 2 more', 'a and b')
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([part for part in (", ".join(names[:-1]), *names[-1:]) if part])


def closed(sentence: str) -> str:
    """A sentence with its full stop, unless it ends in a mark of its own.

    >>> closed("look at it"), closed("does it fit?"), closed("")
    ('look at it.', 'does it fit?', '')
    """
    return sentence if not sentence or sentence[-1] in ".?!" else f"{sentence}."
