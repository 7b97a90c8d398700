"""Writes a measured table beside the script that measured it, with the machine on which that was."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent


def write(name: str, *, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], note: str) -> None:
    """Write NAME.md."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    lines = [
        f"# {title}",
        "",
        f"Written by `benchmarks/regression/{name}.py` on {machine}.",
        "",
        note,
        "",
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(_shown(cell) for cell in row) + " |" for row in rows),
        "",
    ]
    (HERE / f"{name}.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


def _shown(cell: object) -> str:
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)
