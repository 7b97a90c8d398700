"""The heads of the encoder-decoder on CamVid at equal processor time, and its recipe beside the baseline's: tables.

    nice -n 5 python benchmarks/segmentation/heads.py ../shared/data/camvid.zip --seconds 90

All train on the train folder, one after the other on one thread, and are judged on the val folder, on which nothing was
tuned. Each outcome is kept at once in `benchmarks/results/segmentation.jsonl`, so that a program that was stopped goes
on where it was. Writes `benchmarks/results/segmentation.md`.
"""

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from camvid import SIZE, read
from contest import BASELINE, CHOSEN, Way, trained

from epochal.models.decoder import DECODERS
from epochal.training.machine import cpu_name

RESULTS = Path(__file__).parent.parent / "results"
TABLE, KEPT = RESULTS / "segmentation.md", RESULTS / "segmentation.jsonl"
CONTEST = "fpn"  # the head with which recipes are compared


def ways(width: int) -> dict[str, Way]:
    """What is compared: each head with the chosen recipe, one with the baseline's, and the small network."""
    heads: dict[str, Way] = {
        head: dataclasses.replace(CHOSEN, options={"width": width, "head": head}) for head in DECODERS
    }
    baseline = dataclasses.replace(BASELINE, options={"width": width, "head": CONTEST})
    small = dataclasses.replace(BASELINE, network="small-dense")
    return {**heads, f"{CONTEST}, baseline recipe": baseline, "small-dense, baseline recipe": small}


def main() -> None:
    """Measure what is not kept from before, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=1)
    chosen = parser.parse_args()
    learnt, judged = read(chosen.archive, "train"), read(chosen.archive, "val")
    KEPT.touch()
    rows = [json.loads(line) for line in KEPT.read_text().splitlines()]
    for seed in range(chosen.seeds):
        for name, way in ways(chosen.width).items():
            key = {"name": name, "seed": seed, "seconds": chosen.seconds, "width": chosen.width}
            if any(key.items() <= row.items() for row in rows):
                continue
            outcome = trained(way, learnt, judged=judged, seconds=chosen.seconds, seed=seed)
            rows.append(key | dataclasses.asdict(outcome))
            with KEPT.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(f"{name}: {rows[-1]['score']['value']:.3f}", flush=True)
    asked = {"seconds": chosen.seconds, "width": chosen.width}
    TABLE.write_text("\n".join(page([row for row in rows if asked.items() <= row.items()], judged.classes)) + "\n")


def page(rows: list[dict[str, Any]], classes: tuple[str, ...]) -> Iterator[str]:
    """The file, line by line."""
    seeds = len({row["seed"] for row in rows})
    seconds, width = rows[0]["seconds"], rows[0]["width"]
    yield "# Heads of the encoder-decoder on CamVid"
    yield ""
    yield f"Written by `benchmarks/segmentation/heads.py`. {cpu_name()}, 1 thread, torch {torch.__version__}, bf16 and"
    yield f"channels_last; seeds: {seeds}. 367 images of {SIZE[1]} x {SIZE[0]} pixels, {seconds:g} seconds of"
    yield f"processor time each, width {width}, judged on the 101 images of the val folder, which nothing was tuned on."
    yield "Mean IoU over 11 classes with its 95 % interval over images, the same images for all."
    yield ""
    yield "| head | mean IoU | 95 % interval | loss | parameters | epochs | images/s |"
    yield "|---|---:|---|---:|---:|---:|---:|"
    for row in rows:
        score = row["score"]
        yield (
            f"| {row['name']} | {score['value']:.1%} | {score['low']:.1%} to {score['high']:.1%} | {row['loss']:.3f} | "
            f"{row['parameters'] / 1e6:.2f} M | {row['epochs']:.1f} | {row['images_per_second']:.0f} |"
        )
    yield ""
    yield "IoU of each class:"
    yield ""
    yield f"| head | {' | '.join(classes)} |"
    yield "|---|" + "---:|" * len(classes)
    for row in rows:
        yield f"| {row['name']} | " + " | ".join(f"{100 * each:.0f}" for each in row["per_class"]) + " |"


if __name__ == "__main__":
    main()
