"""`epochal run` against the hand-written ResNet-9, at equal processor time: a table.

    python benchmarks/accuracy/compare.py ../shared/data/cifar10.zip 3m 10m

For each budget `epochal run` goes first, with an empty cache of decoded images and everything included; then the peer
gets the processor time that the whole command took. Both are judged on the test split, opened once by each, so nothing
may be tuned on this table. Writes `benchmarks/results/accuracy.md`.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from epochal.recipe.duration import parse_duration
from epochal.stats.intervals import wilson

HERE = Path(__file__).parent
TABLE = HERE.parent / "results" / "accuracy.md"
THREADS = os.cpu_count() or 1


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def of_epochal(archive: Path, *, budget: str, seed: int) -> tuple[dict[str, Any], float]:
    """Run the command in a folder of its own; gives its summary and the processor seconds per core."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"EPOCHAL_CACHE_DIR": f"{folder}/cache", "OMP_WAIT_POLICY": "PASSIVE"}
        begin = _processor_seconds()
        subprocess.run(
            [sys.executable, "-m", "epochal", "run", str(archive), "--budget", budget,
             "--seed", str(seed), "--out", f"{folder}/run", "-q"],
            check=True, env=environment,
        )  # fmt: skip
        spent = (_processor_seconds() - begin) / THREADS
        return json.loads((Path(folder) / "run" / "summary.json").read_text()), spent


def of_peer(archive: Path, *, seconds: float, seed: int) -> dict[str, Any]:
    """Run the peer for so many processor seconds per core; gives its line of JSON."""
    done = subprocess.run(
        [sys.executable, str(HERE / "peer_resnet9.py"), str(archive),
         "--seconds", f"{seconds:.1f}", "--seed", str(seed)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def row(budget: str, *, seed: int, archive: Path) -> str:
    """Measure both at one budget."""
    ours, spent = of_epochal(archive, budget=budget, seed=seed)
    theirs = of_peer(archive, seconds=spent, seed=seed)
    peer = wilson(round(theirs["accuracy"] * theirs["samples"]), theirs["samples"])
    return (
        f"| {parse_duration(budget):.0f} s | {seed} | {spent:.0f} s | {ours['value']:.2%} "
        f"({ours['low']:.2%} to {ours['high']:.2%}) | {theirs['seconds']:.0f} s | {peer.value:.2%} "
        f"({peer.low:.2%} to {peer.high:.2%}) |"
    )


def main() -> None:
    """Measure every budget and write the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("budgets", nargs="+")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    lines = [
        "# Accuracy at equal processor time",
        "",
        "CIFAR-10 from JPEG files, test split; seconds of processor time per core, everything included.",
        "",
        "| budget | seed | epochal, seconds | epochal | ResNet-9, seconds | ResNet-9 |",
        "|---|---|---|---|---|---|",
    ]
    for budget in asked.budgets:
        lines.append(row(budget, seed=asked.seed, archive=asked.archive))
        print(lines[-1], flush=True)
        TABLE.write_text("\n".join([*lines, "", "Written by `benchmarks/accuracy/compare.py`.", ""]))


if __name__ == "__main__":
    main()
