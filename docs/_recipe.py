"""The page of the recipe, from the dataclasses that are the recipe."""

import dataclasses
import json
import typing
from itertools import groupby
from typing import Any

from annotated_types import Ge, Gt, Le, Lt

from epochal.recipe.recipe import Recipe, RecipeField, fields_of

HEAD = """# Recipe

<!-- Written by docs/_recipe.py from the dataclasses: change src/epochal/recipe/, then run ./go docs -->

A recipe says everything that decides a run, beside the data. Nothing has to be set: each value has a default, most are
then replaced by what the program measures, and what you set stays as you set it. Set values in a file,
`epochal run photos/ --recipe mine.toml`, or one by one, `--set network.width=64`; the command line wins over the file.
Every run folder holds the complete `recipe.toml`, which says for each value whether it is a default, measured, or
yours, and why. A key that does not exist is an error that names the nearest one.
"""


def page() -> str:
    """The whole page."""
    sections = [HEAD]
    for table, rows in groupby(fields_of(Recipe), key=lambda each: each.key.rpartition(".")[0]):
        sections.append(_section(table, list(rows)))
    return "\n".join(sections)


def _section(table: str, rows: list[RecipeField]) -> str:
    title = f"## `[{table}]`" if table else "## At the top"
    lines = [title, "", _sentence(table), "", "| key | values | default | what it is |", "|---|---|---|---|"]
    lines += [f"| `{_short(each)}` | {_values(each.kind)} | `{_toml(each.default)}` | {each.about} |" for each in rows]
    return "\n".join(lines) + "\n"


def _sentence(table: str) -> str:
    kind: Any = typing.get_type_hints(Recipe)[table] if table else Recipe
    return (kind.__doc__ or "").split("\n\n")[0].replace("\n", " ").strip()


def _short(each: RecipeField) -> str:
    return each.key.rpartition(".")[2]


def _toml(value: object) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _values(kind: Any) -> str:
    """What may stand there, in words.

    >>> _values(typing.Annotated[int, Ge(0), Le(512)])
    'whole number, from 0 to 512'
    """
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(f"`{_toml(value)}`" for value in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return f"list, each a {_values(typing.get_args(kind)[0])}"
    plain, *limits = typing.get_args(kind) if typing.get_origin(kind) is typing.Annotated else (kind,)
    word = {int: "whole number", float: "number", bool: "`true` or `false`", str: "text"}.get(plain, f"`{plain}`")
    return ", ".join([word, *_limits(limits)])


def _limits(limits: list[Any]) -> list[str]:
    said: dict[str, float] = {}
    for limit in limits:
        if isinstance(limit, Ge | Gt | Le | Lt):
            said[type(limit).__name__] = dataclasses.astuple(limit)[0]
    words = {"Ge": "from {}", "Gt": "above {}", "Le": "to {}", "Lt": "below {}"}
    return [" ".join(words[name].format(_number(value)) for name, value in said.items())] if said else []


def _number(value: float) -> str:
    return f"{value:g}" if value < 1e6 else f"2^{value.bit_length() - 1}" if isinstance(value, int) else f"{value:g}"
