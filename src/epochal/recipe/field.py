"""A field of the recipe: its value, and the line of documentation that travels with it."""

from __future__ import annotations

from dataclasses import field
from typing import Any

CLOSED = {"extra": "forbid"}  # read by recipe.config: unknown keys are errors


def about(default: Any, text: str) -> Any:
    """A field with its line of documentation, which the docs and `recipe.toml` quote."""
    return field(default=default, metadata={"about": text})
