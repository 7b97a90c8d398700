"""How far the first loss of healthy networks strays, and of networks whose head begins too large or without the prior.

python benchmarks/healthy/start.py        about two minutes; writes start.md
"""

import numpy as np
import torch
from programs import Data, cifar, digits, networks, write

from epochal.checks.experiments import initial_loss
from epochal.losses.classification import cross_entropy
from epochal.models.head import set_prior_bias_

SEEDS = 8
SHARES = {
    "10 equal": [0.1] * 10,
    "10, one of 30 %": [0.3] + [0.7 / 9] * 9,
    "3: 80, 10, 10 %": [0.8, 0.1, 0.1],
    "2: 90, 10 %": [0.9, 0.1],
}


def main() -> None:
    """Measure and write the table."""
    torch.set_num_threads(1)
    rows = []
    for data in (digits(), cifar(2000)):
        for network in networks(data):
            for told, shares in SHARES.items():
                for program, widened, primed in (
                    ("healthy", 1, True),
                    ("no prior", 1, False),
                    ("head x 5", 5, True),
                    ("head x 10", 10, True),
                ):
                    if network != "linear" or widened == 1:  # its head begins at zero
                        rows.append(
                            [
                                data.name,
                                network,
                                told,
                                program,
                                *_measure(data, network, shares=shares, widened=widened, primed=primed),
                            ]
                        )
    write(
        "start",
        title="The first loss",
        columns=[
            "data",
            "network",
            "classes",
            "program",
            "excess, least",
            "most",
            "unknown shares, least",
            "most",
            "error, most",
        ],
        rows=rows,
        note=(
            f"{SEEDS} seeds each, batches of 64. Excess: first loss without the luck of the labels, less the loss "
            "expected, as a share of it (without the prior: of even answers). Unknown shares: the part of the gain "
            "from knowing the class shares that is still to be had. Error: standard error of the loss over the "
            "images, as a share of it."
        ),
    )


def _measure(data: Data, network: str, *, shares: list[float], widened: int, primed: bool) -> list[float]:
    excess, unknown, error = [], [], []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        model = networks(data, classes=len(shares))[network]()
        if widened > 1:
            model.head.weight.data.mul_(widened)
        if primed:
            set_prior_bias_(model, [1e4 * share for share in shares])
        source = np.random.default_rng(seed)
        labels = torch.tensor(source.choice(len(shares), 64, p=shares))
        images = data.images[torch.tensor(source.choice(len(data.pixels), 64))]
        seen = initial_loss(model, images, labels=labels, loss=cross_entropy, prior=shares)
        expected = seen.expected if primed else seen.even
        gain = seen.even - seen.expected
        excess.append((seen.measured - seen.label_luck - expected) / expected)
        unknown.append(min(seen.misfit, gain) / gain if gain > 1e-6 else 0.0)
        error.append(seen.standard_error / expected)
    return [min(excess), max(excess), min(unknown), max(unknown), max(error)]


if __name__ == "__main__":
    main()
