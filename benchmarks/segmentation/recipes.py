"""The whole of `epochal run` on street scenes against the same network trained with the baseline recipe.

python benchmarks/segmentation/recipes.py camvid.zip 15m      writes ../results/segmentation-recipes.md

Both runs go side by side, each on one core and in the same time. The baseline recipe is Adam at 3e-4, constant, on
plain cross-entropy, without augmentation and without an average (K2.2, K3.2, K3.4). Its network is of the width that
the other run is expected to choose; the table says both. Compared on the same images: the test split, which each run
opened once at its end, and the validation split, on which both chose their best weights.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from epochal.data.catalogue import catalogue
from epochal.data.frames import neighbours
from epochal.data.loader import ArrayLoader
from epochal.data.scan import Scan, scan
from epochal.data.sources import open_source
from epochal.data.split import assign_splits
from epochal.stages.artifact import load_model
from epochal.training.evaluation import predict
from epochal.training.runtime import Runtime

WIDTH = 64
BASELINE = {
    "optimizer.name": "adam",
    "optimizer.lr": "3e-4",
    "optimizer.weight_decay": "0.0",
    "schedule.name": "constant",
    "schedule.warmup": "0.0",
    "transforms.names": "[]",
    "transforms.flip": "false",
    "transforms.crop_padding": "0",
    "loss.name": "cross-entropy",
    "averaging.name": "none",
    "network.width": str(WIDTH),
}
OUT = Path(__file__).parent.parent / "results" / "segmentation-recipes.md"


def main() -> None:
    """Run both, compare, write."""
    source, budget = sys.argv[1], sys.argv[2]
    top = Path(sys.argv[3]) if len(sys.argv) > 3 else Path(tempfile.mkdtemp())
    started = {
        name: subprocess.Popen(_command(source, budget, out=top / name, changes=changes))
        for name, changes in {"epochal run": {}, "baseline recipe": BASELINE}.items()
        if not (top / name / "summary.json").exists()
    }
    for name, process in started.items():
        if process.wait():
            sys.exit(f"{name} ended with {process.returncode}")
    OUT.write_text(_table(top, source=source, budget=budget), encoding="utf-8")
    print(OUT.read_text(encoding="utf-8"))


def _command(source: str, budget: str, *, out: Path, changes: dict[str, str]) -> list[str]:
    settings = [f"--set={key}={value}" for key, value in ({"runtime.threads": "1"} | changes).items()]
    return [sys.executable, "-m", "epochal", "run", source, "--budget", budget, "--out", str(out), *settings]


def _table(top: Path, *, source: str, budget: str) -> str:
    scanned = scan(catalogue(open_source(source)))
    table = assign_splits(scanned.table, seed=0, films=neighbours(scanned.table, scanned.images.array).frames)
    lines = [
        "# The whole recipe against the baseline recipe, on street scenes",
        "",
        (
            f"{Path(source).name}, budget {budget} each, side by side on one core each; one seed. Written by"
            " `benchmarks/segmentation/recipes.py`, which says what is compared."
        ),
        "",
        "| split | images | epochal run | baseline recipe | gain, the same images |",
        "|---|---|---|---|---|",
    ]
    kind = load_model(top / "epochal run" / "model.safetensors")[1].kind
    for split in ("test", "val"):
        rows = table.index(split)
        ours, theirs = (_evidence(top / name, scanned, rows=rows) for name in ("epochal run", "baseline recipe"))
        none = np.zeros((len(rows), 0))
        cells = [_shown(kind.score(each, none)) for each in (ours, theirs)]
        lines.append(
            f"| {split} | {len(rows)} | {cells[0]} | {cells[1]} | {_shown(kind.gain(ours, theirs, labels=none))} |"
        )
    widths = [load_model(top / name / "model.safetensors")[1].options for name in ("epochal run", "baseline recipe")]
    return "\n".join([*lines, "", f"Networks: {widths[0]} and {widths[1]}.", ""])


def _evidence(run: Path, scanned: Scan, *, rows: np.ndarray) -> np.ndarray:
    model, facts = load_model(run / "model.safetensors")
    loader = ArrayLoader(
        scanned.images.array, np.asarray(scanned.targets), rows, batch_size=16, mean=facts.mean, std=facts.std
    )
    evidence: np.ndarray = predict(
        model, loader, runtime=Runtime(channels_last=True), flip=facts.flip, keep=facts.kind.evidence
    ).outputs.numpy()
    return evidence


def _shown(score: object) -> str:
    value, low, high = (100 * getattr(score, name) for name in ("value", "low", "high"))
    return f"{value:.1f} ({low:.1f} to {high:.1f})"


if __name__ == "__main__":
    main()
