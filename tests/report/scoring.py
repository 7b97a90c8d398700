"""The end of the imagined run: the score on the test split and everything beside it."""

from __future__ import annotations

import math

import numpy as np

from report.clock import CLASSES, Clock
from report.drawings import image, picture

TEST = 5000
BUDGET = 600.0


def confusion() -> list[list[int]]:
    """Counts of 500 images for each class; cats and dogs, cars and trucks are taken for each other."""
    rng = np.random.default_rng(3)
    right = [0.93, 0.965, 0.88, 0.80, 0.915, 0.855, 0.94, 0.935, 0.955, 0.945]
    alike = {
        (3, 5): 9,
        (5, 3): 9,
        (1, 9): 7,
        (9, 1): 7,
        (0, 8): 4,
        (8, 0): 4,
        (4, 7): 3,
        (7, 4): 3,
        (2, 4): 3,
        (3, 6): 2,
        (2, 6): 2,
    }
    counts = []
    for given in range(10):
        weight = np.array([0 if said == given else alike.get((given, said), 0.45) for said in range(10)], dtype=float)
        wrong = round(500 * (1 - right[given]))
        row = rng.multinomial(wrong, weight / weight.sum())
        row[given] = 500 - wrong
        counts.append([int(each) for each in row])
    return counts


def evaluate(clock: Clock) -> None:
    """The result with its details, and the worst errors."""
    clock.write("opened", split="test", count=1, reason="the final score")
    counts = np.array(confusion())
    hit = counts.diagonal()
    value = float(hit.sum() / TEST)
    half = 1.96 * math.sqrt(value * (1 - value) / TEST)
    per_class = []
    for index, name in enumerate(CLASSES):
        recall, precision = float(hit[index] / 500), float(hit[index] / counts[:, index].sum())
        spread = 1.96 * math.sqrt(recall * (1 - recall) / 500)
        per_class.append(
            {
                "label": name,
                "precision": precision,
                "recall": recall,
                "f1": 2 * precision * recall / (precision + recall),
                "support": 500,
                "low": recall - spread,
                "high": min(recall + spread, 1.0),
            }
        )
    bins = [
        (0.31, 0.36, 40),
        (0.44, 0.47, 130),
        (0.55, 0.6, 190),
        (0.65, 0.69, 230),
        (0.76, 0.8, 330),
        (0.86, 0.9, 620),
        (0.96, 0.985, 3460),
    ]
    clock.write(
        "result",
        task="classification",
        metric="accuracy",
        value=value,
        low=value - half,
        high=value + half,
        split="test",
        samples=TEST,
        baselines=[
            {"name": "prior", "value": 0.1, "low": 0.092, "high": 0.109},
            {"name": "linear", "value": 0.398, "low": 0.384, "high": 0.412},
            {"name": "small", "value": 0.624, "low": 0.61, "high": 0.637},
        ],
        budget_seconds=BUDGET,
        spent_seconds=583.2,
        seed=0,
        versions={"torch": "2.13.0"},
        details={
            "nll": 0.287,
            "gain_over_linear": {"value": value - 0.398, "low": value - 0.412, "high": value - 0.384},
            "calibration": {
                "ece": 0.021,
                "bins": [{"confidence": sure, "accuracy": right, "count": count} for sure, right, count in bins],
            },
            "per_class": per_class,
            "confusion": {"labels": CLASSES, "counts": counts.tolist()},
        },
    )
    pairs = [
        (3, 5),
        (5, 3),
        (9, 1),
        (1, 9),
        (0, 8),
        (2, 4),
        (7, 4),
        (3, 6),
        (5, 7),
        (8, 0),
        (6, 3),
        (4, 2),
        (3, 5),
        (9, 1),
        (5, 3),
        (2, 0),
    ]
    cells = [
        {
            "label": f"{CLASSES[given]} → {CLASSES[said]}",
            "text": f"{CLASSES[said]} with 0.{99 - index} probability; test/{CLASSES[given]}/{411 + 37 * index}.jpg",
        }
        for index, (given, said) in enumerate(pairs)
    ]
    shown = [image(given, 300 + index) for index, (given, _) in enumerate(pairs)]
    clock.write(
        "picture",
        name="errors",
        caption="Test images on which network and label disagree most: label → prediction",
        cells=cells,
        **picture(shown, columns=8),
    )
