"""Reading what a journal says without trusting it: anything may be missing, of another type, or not finite.

The report draws runs that were killed, and journals of older versions, so no reader here ever raises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

Event = Mapping[str, object]


def number(value: object) -> float | None:
    """`value` as a finite float, or None for everything that is not one.

    >>> number(3), number("nan"), number(float("inf")), number(True), number(None)
    (3.0, None, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:  # an integer beyond the range of floats
        return None
    return found if math.isfinite(found) else None


def whole(value: object) -> int | None:
    """`value` as an integer, or None.

    >>> whole(5.0), whole(5.5), whole("5")
    (5, None, None)
    """
    found = number(value)
    return int(found) if found is not None and found == int(found) else None


def text(value: object) -> str:
    """`value` as text to show; None is empty, floats are shortened, lists are joined.

    >>> text(None), text(0.30000000000000004), text(["a", 1]), text({"a": 1.0})
    ('', '0.3', 'a, 1', 'a: 1')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e4 or not math.isfinite(value) else f"{value:,.0f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{text(key)}: {text(each)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(text(each) for each in value)
    return str(value)


def items(value: object) -> list[object]:
    """`value` as a list; whatever is not a list or tuple is no items at all.

    >>> items((1, 2)), items("ab"), items(None)
    ([1, 2], [], [])
    """
    return list(value) if isinstance(value, list | tuple) else []


def mapping(value: object) -> Mapping[str, object]:
    """`value` as a mapping; whatever is not one is empty.

    >>> mapping({"a": 1}), mapping([1])
    ({'a': 1}, {})
    """
    return {str(key): each for key, each in value.items()} if isinstance(value, Mapping) else {}


def rows(value: object) -> list[Mapping[str, object]]:
    """The mappings in the list `value`.

    >>> rows([{"a": 1}, 5, {"b": 2}])
    [{'a': 1}, {'b': 2}]
    """
    return [mapping(each) for each in items(value) if isinstance(each, Mapping)]


def numbers(value: object) -> list[float | None]:
    """The list `value` as floats, None where an item is not a finite number.

    >>> numbers([1, "nan", 2.5])
    [1.0, None, 2.5]
    """
    return [number(each) for each in items(value)]


def texts(value: object) -> list[str]:
    """The list `value` as texts.

    >>> texts(["a", 2])
    ['a', '2']
    """
    return [text(each) for each in items(value)]
