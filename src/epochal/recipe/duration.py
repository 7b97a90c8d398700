"""Spans of time as people write them."""

from __future__ import annotations

import re

from epochal.errors import SettingError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SHAPE = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")


def parse_duration(text: str) -> float:
    """Seconds meant by a text such as `90s`, `10m`, `1h30m`; a bare number means seconds.

    Units: seconds.  Raises: SettingError for anything else, and for zero.

    >>> parse_duration("1h30m"), parse_duration("90")
    (5400.0, 90.0)
    """
    compact = text.strip().lower().replace(" ", "")
    if re.fullmatch(r"\d+(\.\d+)?", compact):
        compact += "s"
    seconds = 0.0
    if _SHAPE.fullmatch(compact):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)([smhd])", compact))
    if seconds <= 0:
        raise SettingError(
            f"The budget is {text!r}.", expected="a span of time such as 90s, 10m or 1h30m.", remedy="--budget 10m"
        )
    return seconds


def format_duration(seconds: float) -> str:
    """Seconds in the two largest units that say enough.

    >>> format_duration(5400), format_duration(75), format_duration(8.31)
    ('1 h 30 min', '1 min 15 s', '8.3 s')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # minutes in an hour
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
