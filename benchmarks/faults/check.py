"""Faulty programs found, causes named, and false alarms on repaired and healthy ones, by `epochal check`.

python benchmarks/faults/check.py        a few minutes; writes benchmarks/results/faults.md
"""

import argparse
import platform
from collections.abc import Iterator
from pathlib import Path

import torch
from healthy import HEALTHY, NOISE
from programs import PAIRS, Build

from epochal.findings import Severity
from epochal.stages.check import check_program, parts_of

SEEDS = (0, 1, 2)
OUT = Path(__file__).resolve().parents[1] / "results" / "faults.md"


def found(build: Build, *, seed: int) -> list[str]:
    """Names of rules that warn or worse, those taken for consequences left out."""
    report = check_program(parts_of(build(seed)))
    return [each.rule for each in report.findings if each.severity.rank >= Severity.WARN.rank]


def main() -> None:
    """Check every program with every seed, and write the table."""
    options = argparse.ArgumentParser()
    options.add_argument("--seeds", type=int, default=len(SEEDS))
    options.add_argument("--only", default="")
    chosen = options.parse_args()
    seeds = range(chosen.seeds)
    torch.set_num_threads(1)
    lines = list(_table(seeds, only=chosen.only))
    print("\n".join(lines))
    if not chosen.only:
        OUT.write_text("\n".join([*lines, ""]), encoding="utf-8")


def _table(seeds: range, *, only: str) -> Iterator[str]:
    totals = {"flagged": 0, "named": 0, "repaired": 0, "healthy": 0}
    rows, n_pairs = [], 0
    for pair in PAIRS:
        if only not in pair.name:
            continue
        n_pairs += 1
        faulty = [found(pair.faulty, seed=seed) for seed in seeds]
        repaired = [found(pair.repaired, seed=seed) for seed in seeds]
        named = sum(bool(set(each) & set(pair.right)) for each in faulty)
        totals["flagged"] += sum(map(bool, faulty))
        totals["named"] += named
        totals["repaired"] += sum(map(bool, repaired))
        rows.append(
            f"| {pair.name} | {sum(map(bool, faulty))}/{len(seeds)} | {named}/{len(seeds)} | {_names(faulty)} | "
            f"{sum(map(bool, repaired))}/{len(seeds)} {_names(repaired)} |"
        )
    calm = {name: [found(build, seed=seed) for seed in seeds] for name, build in HEALTHY.items() if only in name}
    totals["healthy"] = sum(bool(each) for runs in calm.values() for each in runs)
    noise = {name: [found(build, seed=seed) for seed in seeds] for name, build in NOISE.items() if only in name}
    yield from _head(seeds, pairs=n_pairs, healthy=len(calm), totals=totals)
    yield from ("", "| program | flagged | cause named | rules on the faulty one | alarms on the repaired one |")
    yield from ("|---|---|---|---|---|", *rows, "", "| healthy program | alarms |", "|---|---|")
    yield from (f"| {name} | {sum(map(bool, runs))}/{len(seeds)} {_names(runs)} |" for name, runs in calm.items())
    yield from ("", "| labels that are noise by design | found |", "|---|---|")
    yield from (f"| {name} | {_names(runs)} |" for name, runs in noise.items())


def _head(seeds: range, *, pairs: int, healthy: int, totals: dict[str, int]) -> Iterator[str]:
    n, m = pairs * len(seeds), healthy * len(seeds)
    yield "# `epochal check` on faulty programs, their repairs, and healthy ones"
    yield ""
    yield f"Written by `python benchmarks/faults/check.py`; seeds {', '.join(map(str, seeds))};"
    yield f"torch {torch.__version__}, one thread, {platform.machine()}. Warnings and errors count, notes do not."
    yield "Programs and rules were written by the same hands, and thresholds were seen on these programs: figures on"
    yield "programs of others will be lower."
    yield ""
    yield f"- faulty programs flagged: {totals['flagged']} of {n}"
    yield f"- with the right cause named: {totals['named']} of {n}"
    yield f"- repaired twins alarmed: {totals['repaired']} of {n}"
    yield f"- healthy programs alarmed: {totals['healthy']} of {m}"


def _names(runs: list[list[str]]) -> str:
    return ", ".join(dict.fromkeys(name for each in runs for name in each))


if __name__ == "__main__":
    main()
