"""The page of the transfer benchmark, from what was measured and the rule as it stands."""

from itertools import groupby
from typing import Any

import numpy as np

from epochal.models.finetuning import RATE, SHRINK, strategy_for
from epochal.stats.intervals import Interval, mean_interval

WAYS = ("linear", "svm", "last-layers", "many-layers", "scratch")
FEWEST, FEW, MIDDLE, PLENTY = 5, 20, 100, 500
SECONDS = {FEWEST: 4.0, FEW: 5.0, MIDDLE: 10.0, PLENTY: 20.0}
HEAD = """# Fine-tuning: four ways and a rule

The house network learns five animals of CIFAR-10 (bird, cat, deer, dog, horse; 3,400 train files of each) for
{seconds:.0f} s of processor time, and names {animals} of 2,000 others rightly ({networks}). Then it
is moved to four tasks; what is judged by is carved from train files ({held} images). One thread of
a Xeon with AMX, bfloat16. The two ways that train on, and training from scratch, have the same processor time:
{times} for {sizes} images of a class (of digits there are 130 at most); linear and SVM take 2 to 10 s,
most of it for the images that are judged. Up to 20 images of a class: the mean of three draws, lowest and highest in
brackets. AdamW at {rate:g}, each stage at {shrink:g} times the rate of the next. Written by
`benchmarks/finetuning/transfer.py`.

| task | images | linear | svm | last-layers | many-layers | scratch |
|---|---|---|---|---|---|---|
"""
RULE = """
What the rule saw and chose. Known: share of the labels' variance that a linear reading explains on training images left
out, from the last stage, from the best earlier one, and from pixels. Lead: the last stage's over the earlier one, with
its interval. Mean of the draws.

| task | images | last | earlier | pixels | lead | chosen | against the best of the four |
|---|---|---|---|---|---|---|---|
"""
RIVAL = """
LogME (You et al. 2021) on the same features names the same best earlier stage in {stages} of {draws} draws, and puts
the last stage on the same side of it in {sides}.
"""


def page(measured: list[dict[str, Any]]) -> str:
    """The whole page; of several measurements each began with a network of its own."""
    draws = [one for found in measured for one in found["cells"]]
    names = list(dict.fromkeys(one["target"] for one in draws))
    draws.sort(key=lambda one: (names.index(one["target"]), one["each"]))
    cells = [list(group) for _, group in groupby(draws, key=lambda one: (one["target"], one["each"]))]
    held = ", ".join(f"{n:,}" for n in {one["target"]: one["test"] for one in draws}.values())
    sizes = sorted({one["each"] for one in draws})
    head = HEAD.format(
        seconds=measured[0]["seconds"], held=held, rate=RATE, shrink=SHRINK,
        animals=" and ".join(f"{found['animals']:.1%}" for found in measured),
        networks="one network" if len(measured) == 1 else f"{len(measured)} networks, trained alike",
        times=", ".join(f"{SECONDS[each]:.0f}" for each in sizes) + " s",
        sizes=", ".join(str(each) for each in sizes),
    )  # fmt: skip
    rival = RIVAL.format(
        draws=len(draws),
        stages=sum(one["rival"][0] == one["stage"] for one in draws),
        sides=sum(one["rival"][1] == ("last" if one["gain"][0] >= 0 else "earlier") for one in draws),
    )
    return head + "".join(map(_accuracies, cells)) + RULE + "".join(map(_choice, cells)) + rival


def _right(one: dict[str, Any], way: str) -> np.ndarray:
    bits = np.frombuffer(bytes.fromhex(one["right"][way]), dtype=np.uint8)
    return np.unpackbits(bits)[: one["test"]].astype(np.float64)


def _accuracies(cell: list[dict[str, Any]]) -> str:
    means = {way: [_right(one, way).mean() for one in cell] for way in WAYS}
    best = max(WAYS, key=lambda way: np.mean(means[way]))
    told = []
    for way, values in means.items():
        text = f"{np.mean(values):.1%}"
        text = f"**{text}**" if way == best else text
        told.append(text if len(values) == 1 else f"{text} ({min(values):.1%} to {max(values):.1%})")
    return f"| {cell[0]['target']} | {cell[0]['each']} | " + " | ".join(told) + " |\n"


def _choice(cell: list[dict[str, Any]]) -> str:
    chosen = [_strategy(one) for one in cell]
    known = [f"{np.mean([one[name][0] for one in cell]):.1%}" for name in ("last", "earlier", "pixels")]
    lead = [np.mean([one["gain"][place] for one in cell]) for place in range(3)]
    told = ", ".join(f"{kind} ({chosen.count(kind)} of {len(cell)})" for kind in dict.fromkeys(chosen))
    told = told if len(set(chosen)) > 1 else chosen[0]
    stages = ", ".join(dict.fromkeys(one["stage"] for one in cell))
    return (
        f"| {cell[0]['target']} | {cell[0]['each']} | {known[0]} | {known[1]} ({stages}) | {known[2]} "
        f"| {lead[0]:+.1%} ({lead[1]:+.1%} to {lead[2]:+.1%}) | {told} | {_verdict(cell, chosen)} |\n"
    )


def _strategy(one: dict[str, Any]) -> str:
    value, low, high = one["gain"]
    gain = Interval(value=value, low=low, high=high, confidence=0.95, method="t")
    return strategy_for(samples_per_class=one["images_for_each"], gain=gain).kind


def _verdict(cell: list[dict[str, Any]], chosen: list[str]) -> str:
    """How much the rule's choices lose against the one way that is best on the average, on the same images."""
    best = max(WAYS[:4], key=lambda way: np.mean([_right(one, way).mean() for one in cell]))
    own = np.mean([_right(one, way) for one, way in zip(cell, chosen, strict=True)], axis=0)
    lost = mean_interval(np.mean([_right(one, best) for one in cell], axis=0) - own)
    if lost.value <= 0:
        return "the best"
    judged = "within the interval" if lost.low <= 0 else "**worse**"
    return f"{lost.value:.1%} ({lost.low:+.1%} to {lost.high:+.1%}) behind {best}: {judged}"
