"""How many layers of sigmoid, tanh or ReLU in a row still learn, with and without normalisation in front of each.

python benchmarks/healthy/depth.py        about two minutes; writes depth.md
"""

import numpy as np
import torch
import torch.nn.functional as F
from programs import Data, digits, write
from torch import nn

from epochal.layers.activation import activation

SEEDS = 3
DEPTHS = (1, 2, 3, 4, 6, 8, 12)
WIDTH, STEPS, BATCH, RATE = 64, 300, 64, 1e-3


def main() -> None:
    """Measure and write the table."""
    torch.set_num_threads(1)
    data = digits()
    rows = []
    for normed in (False, True):
        for name in ("relu", "tanh", "sigmoid"):
            shares = [_learnt(data, name, depth=depth, normed=normed) for depth in DEPTHS]
            rows.append([name, "batch normalisation" if normed else "nothing", *(f"{share:.1f}" for share in shares)])
    write(
        "depth",
        title="Hidden layers in a row",
        columns=["activation", "in front of it", *(f"{depth} deep" for depth in DEPTHS)],
        rows=rows,
        note=(
            f"Digits, {WIDTH} units a layer in torch's default weights, Adam at {RATE:g}, {STEPS} steps of {BATCH}; "
            f"accuracy on 360 held-out samples in %, the worst of {SEEDS} seeds. Chance is 10."
        ),
    )


def _learnt(data: Data, name: str, *, depth: int, normed: bool) -> float:
    return min(_accuracy(data, name, depth=depth, normed=normed, seed=seed) for seed in range(SEEDS))


def _accuracy(data: Data, name: str, *, depth: int, normed: bool, seed: int) -> float:
    torch.manual_seed(seed)
    layers: list[nn.Module] = [nn.Flatten()]
    for before in (data.channels * data.side**2, *[WIDTH] * (depth - 1)):
        norm = [nn.BatchNorm1d(WIDTH)] if normed else []
        layers += [nn.Linear(before, WIDTH), *norm, activation(name)]
    model = nn.Sequential(*layers, nn.Linear(WIDTH, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    held = 360
    drawn = np.random.default_rng(seed)
    for _ in range(STEPS):
        rows = torch.from_numpy(held + drawn.integers(len(data.labels) - held, size=BATCH))
        loss = F.cross_entropy(model(data.images[rows]), data.labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        said = model.eval()(data.images[:held]).argmax(1)
    return 100 * float((said == data.labels[:held]).float().mean())


if __name__ == "__main__":
    main()
