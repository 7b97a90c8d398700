"""Where a TOML file becomes a recipe, and a recipe a TOML file that says why each value is what it is.

The only module that uses pydantic.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import TypeAdapter, ValidationError

from epochal.errors import SettingError
from epochal.recipe.recipe import Recipe, fields_of

KEYS: tuple[str, ...] = tuple(each.key for each in fields_of(Recipe))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A recipe, and which of its keys the user set."""

    recipe: Recipe = field(default_factory=Recipe)
    chosen: frozenset[str] = frozenset()


def settle(
    *, file: Path | None = None, overrides: Iterable[str] = (), options: Mapping[str, Any] | None = None
) -> Settings:
    """The recipe from a file, then `key=value` overrides, then options of the command line: later ones win.

    Raises: SettingError for an unreadable file, an unknown key (with the nearest known one) or a value out of range.

    >>> settings = settle(overrides=["network.width=64"], options={"seed": 7})
    >>> settings.recipe.network.width, sorted(settings.chosen)
    (64, ['network.width', 'seed'])
    """
    flat = {} if file is None else _flatten(_read(file), where=str(file))
    for text in overrides:
        key, value = _override(text)
        flat[key] = value
    flat.update({key: value for key, value in (options or {}).items() if value is not None})
    for key in flat:
        _known(key, where="the recipe" if file is None else str(file))
    return Settings(recipe=_validate(flat), chosen=frozenset(flat))


def write(recipe: Recipe, reasons: Mapping[str, str]) -> str:
    """The recipe as TOML, each line with its origin and reason behind it as a comment.

    >>> print(write(Recipe(), {"seed": "user"}).splitlines()[2])
    seed = 0 # user
    """
    defaults = {each.key: f"default: {each.about}" for each in fields_of(Recipe)}
    document = tomlkit.document()
    document.add(tomlkit.comment("The whole recipe of this run: default, measured or user, and why."))
    tables: dict[str, tomlkit.items.Table] = {}
    for key, value in recipe.items():
        table, _, name = key.rpartition(".")
        entry = tomlkit.item(value)
        entry.comment(reasons.get(key, defaults[key]).replace("\n", " "))
        if not table:
            document.add(name, entry)
            continue
        if table not in tables:
            tables[table] = tomlkit.table()
            document.add(table, tables[table])
        tables[table].add(name, entry)
    return tomlkit.dumps(document)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(
            f"The recipe {file} cannot be read: {error.strerror}.",
            expected="a readable TOML file.",
            remedy="check the path; `recipe.toml` in a run folder is a complete example.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(
            f"The recipe {file} is not TOML: {error}.",
            expected="lines such as `seed = 3`, under headings such as `[network]`.",
            remedy="mend that place; `recipe.toml` in a run folder is a complete example.",
        ) from error


def _override(text: str) -> tuple[str, Any]:
    key, equals, raw = text.partition("=")
    if not equals:
        raise SettingError(f"--set {text} has no equals sign.", expected="KEY=VALUE.", remedy="--set network.width=64")
    key, raw = key.strip(), raw.strip()
    try:
        return key, tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        return key, raw  # a bare word is a string: --set schedule.name=cosine


def _flatten(tree: Mapping[str, Any], *, where: str, above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        key = above + name
        if isinstance(value, Mapping) and any(known.startswith(key + ".") for known in KEYS):
            flat.update(_flatten(value, where=where, above=key + "."))
        else:
            _known(key, where=where)
            flat[key] = value
    return flat


def _known(key: str, *, where: str) -> None:
    if key in KEYS:
        return
    near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.4) or [
        known for known in KEYS if known.rpartition(".")[2] == key.rpartition(".")[2]
    ]
    raise SettingError(
        f"{where} sets {key}, which no recipe has.",
        expected="one of the keys listed in the docs under 'Recipe'.",
        remedy=f"did you mean {near[0]}?" if near else f"the keys are: {', '.join(KEYS)}.",
    )


def _validate(flat: Mapping[str, Any]) -> Recipe:
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        table, _, name = key.rpartition(".")
        (tree.setdefault(table, {}) if table else tree)[name] = value
    try:
        # JSON mode: strict about types, yet willing to make dataclasses from objects
        return TypeAdapter(Recipe).validate_json(json.dumps(tree, default=str), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        names = re.findall(r"'([^']+)'", first["msg"]) if first["type"] == "literal_error" else []
        near = difflib.get_close_matches(str(first["input"]), names, n=1, cutoff=0.5)
        raise SettingError(
            f"{key} is {first['input']!r}.",
            expected=first["msg"].removeprefix("Input should be ") + ".",
            remedy=f"did you mean {near[0]}?" if near else f"leave {key} out to have it chosen for you.",
        ) from error
