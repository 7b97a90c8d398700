"""Does `epochal run` keep its budget, and what does each budget buy? A table from whole runs.

    python benchmarks/budgets.py ../shared/data/cifar10.zip 1m 3m 10m

Each run is a process of its own with an empty cache of decoded images, so decoding is part of every budget. The table
states the wall-clock seconds of the whole command (start of Python included) against the budget, processor seconds,
when the first usable model was on disk, and the test accuracy. Writes `benchmarks/results/budgets.md`.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epochal.lines import read_lines
from epochal.recipe.duration import parse_duration

TABLE = Path(__file__).parent / "results" / "budgets.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the command, as seen from outside."""

    budget: float
    wall: float
    processor: float
    first_model: float
    result: Mapping[str, Any]

    @property
    def row(self) -> str:
        """A line of the table."""
        score = f"{self.result['value']:.1%} ({self.result['low']:.1%} to {self.result['high']:.1%})"
        return (
            f"| {self.budget:.0f} | {self.wall:.1f} | {self.wall / self.budget:.3f} | {self.processor:.0f} "
            f"| {self.first_model / self.budget:.1%} | {score} | {self.result['nll']:.3f} |"
        )


def measure(source: str, *, budget: str, seed: int) -> Run:
    """Run the command once in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "epochal", "run", source, "--budget", budget, "--out", str(out), "-q"]
        environment = {**os.environ, "EPOCHAL_CACHE_DIR": f"{folder}/cache"}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        subprocess.run([*command, "--seed", str(seed)], check=True, env=environment)
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        events = list(read_lines(out / "journal.jsonl"))
        return Run(
            budget=parse_duration(budget),
            wall=wall,
            processor=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            first_model=next(event["at"] for event in events if event["kind"] == "model"),
            result=json.loads((out / "summary.json").read_text(encoding="utf-8")),
        )


def main() -> None:
    """Run each budget, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("source")
    parser.add_argument("budgets", nargs="+")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rows = []
    for budget in given.budgets:
        rows.append(measure(given.source, budget=budget, seed=given.seed).row)
        print(rows[-1], flush=True)
    head = "| budget s | wall s | wall / budget | CPU s | first model at | test accuracy (95 %) | nll |"
    lines = [
        f"`{Path(given.source).name}`, {os.cpu_count()} cores, seed {given.seed}, empty cache.",
        "",
        head,
        "|---|---|---|---|---|---|---|",
        *rows,
    ]
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("# Budgets kept\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
