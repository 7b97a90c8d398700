"""The four ways of fine-tuning, and training from scratch, at equal processor time, and how well the rule chooses.

    OMP_NUM_THREADS=1 python benchmarks/finetuning/transfer.py ../shared/data measured.json
    OMP_NUM_THREADS=1 python benchmarks/finetuning/transfer.py --again measured.json [MORE.json]

A network learns five animals of CIFAR-10. Then each way is tried on new images of the same animals, on five other
classes, on patches of street scenes and on handwritten digits, with few and with many images of a class. Writes
`benchmarks/results/finetuning.md`; with `--again` from what was measured before, by the rule as it stands now. One
thread, about a quarter of an hour.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from page import FEW, FEWEST, MIDDLE, PLENTY, SECONDS, WAYS, page
from rival import logme
from targets import FIRST, SECOND, Drawn, Target, cifar, digits, patches

from epochal.models.adapted import FEATURES
from epochal.stages.transfer import pixel_means
from epochal.stats.similarity import Similarity, similarity
from training import Start, fine_tuned, from_scratch, on_features, pretrain, read

TABLE = Path(__file__).parent.parent / "results" / "finetuning.md"
DRAWS = {FEWEST: 3, FEW: 3, MIDDLE: 1, PLENTY: 1}
COMPARED = 2000


def main() -> None:
    """Measure, or read what was measured, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("measured", type=Path, nargs="?")
    parser.add_argument("--again", type=Path, nargs="+", help="files of earlier measurements, joined")
    parser.add_argument("--only", type=int, help="images of a class, where not all sizes are wanted")
    parser.add_argument("--seconds", type=float, default=90.0, help="processor time to learn the animals")
    arguments = parser.parse_args()
    if arguments.again is None:
        found = [measured(arguments.data, seconds=arguments.seconds, only=arguments.only)]
        arguments.measured.write_text(json.dumps(found[0]))
    else:
        found = [json.loads(file.read_text()) for file in arguments.again]
    TABLE.write_text(page(found))


def measured(data: Path, *, seconds: float, only: int | None = None) -> dict[str, Any]:
    """Try everything."""
    torch.set_num_threads(1)
    archive = data / "cifar10.zip"
    animals = cifar(archive, FIRST, pool=slice(3400), test=slice(4200, 4600), called="the animals")
    start, score = pretrain(animals, seconds=seconds)
    print(f"animals {score:.3f}", flush=True)
    targets = [
        cifar(archive, FIRST, pool=slice(3400, 4200), test=slice(4200, 4600), called="the same animals"),
        cifar(archive, SECOND, pool=slice(4200), test=slice(4200, 4600), called="other classes"),
        patches(data / "camvid.zip"),
        digits(),
    ]
    four = (FEWEST, FEW, MIDDLE, PLENTY)
    sizes: Mapping[str, tuple[int, ...]] = {"other classes": four, "street patches": four}
    cells = [
        tried(start, target, each=each, seed=seed)
        for target in targets
        for each in sizes.get(target.name, (FEWEST, FEW, PLENTY))
        if only in {None, each}
        for seed in range(DRAWS[each])
    ]
    return {"animals": score, "seconds": seconds, "cells": cells}


def tried(start: Start, target: Target, *, each: int, seed: int) -> dict[str, Any]:
    """Try every way on one draw of training images."""
    drawn = target.few(each, seed=seed)
    seen, rival = _knowledge(start, drawn)
    right = {}
    for way in WAYS:
        began = time.process_time()
        hits = _way(start, drawn, way=way, stage=seen.stage, seconds=SECONDS[each])
        right[way] = np.packbits(hits).tobytes().hex()
        print(target.name, each, seed, way, f"{hits.mean():.3f} in {time.process_time() - began:.1f} s", flush=True)
    known = {name: [getattr(seen, name).value, getattr(seen, name).low, getattr(seen, name).high] for name in KNOWN}
    return {
        "target": target.name, "each": each, "images_for_each": len(drawn.labels) / target.classes,
        "test": len(target.test_labels), "right": right, "stage": seen.stage, "rival": rival, **known,
    }  # fmt: skip


KNOWN = ("last", "earlier", "pixels", "gain")


def _way(start: Start, drawn: Drawn, *, way: str, stage: str, seconds: float) -> np.ndarray:
    if way == "scratch":
        return from_scratch(drawn, seconds=seconds)
    if way == "linear":
        return on_features(start, drawn, kind="linear", stage=FEATURES)
    if way == "svm":
        return on_features(start, drawn, kind="svm", stage=stage)
    return fine_tuned(start, drawn, kind="last-layers" if way == "last-layers" else "many-layers", seconds=seconds)


def _knowledge(start: Start, drawn: Drawn) -> tuple[Similarity, list[str]]:
    """What the rule sees, and what its rival says: the best earlier stage, and whether it is ahead of the last."""
    model = start.adapted(drawn)
    some = np.random.default_rng(0).permutation(len(drawn.labels))[:COMPARED]
    features = {name: values[some] for name, values in read(model, drawn.images, like=drawn.images).items()}
    del features[model.anatomy.stages[-1].name]  # the head reads the same
    evidence = {name: logme(values, drawn.labels[some]) for name, values in features.items()}
    best = max((name for name in evidence if name != FEATURES), key=evidence.__getitem__)
    ahead = "earlier" if evidence[best] > evidence[FEATURES] else "last"
    return similarity(features, drawn.labels[some], pixels=pixel_means(drawn.images[some])), [best, ahead]


if __name__ == "__main__":
    main()
