"""How far healthy batches stray from mean 0 and spread 1, and what the usual mistakes measure.

python benchmarks/healthy/batch.py        about a minute; writes batch.md
"""

import torch
from programs import Data, cifar, digits, write
from torch import Tensor

from epochal.checks.batch import BatchFacts, describe_batch
from epochal.checks.input import RULES, ways_of_normalising
from epochal.findings import examine

SIZES = (32, 128, 256)
DRAWS = 12


def main() -> None:
    """Measure and write the table."""
    torch.set_num_threads(1)
    rows = []
    for data in (digits(), cifar(2000)):
        source = torch.Generator().manual_seed(0)
        for program in (
            "shuffled",
            "one class",
            "flipped and cropped",
            "0 to 1",
            "raw bytes",
            "normalised twice",
            "reshaped",
            "channels last",
        ):
            facts = [_batch(data, program, size=size, source=source) for size in SIZES for _ in range(DRAWS)]
            ways = [sorted((far, name) for name, far in ways_of_normalising(each).items()) for each in facts]
            fired = [{finding.rule for finding in examine(RULES, each)} for each in facts]
            rows.append(
                [
                    data.name,
                    program,
                    len(facts),
                    max(abs(each.mean) for each in facts),
                    min(each.std for each in facts),
                    max(each.std for each in facts),
                    max(each.lag_correlation[1] - each.lag_correlation[0] for each in facts),
                    min(each.lag_correlation[1] - each.lag_correlation[0] for each in facts),
                    ", ".join(sorted({each[0][1] for each in ways})),
                    max(each[0][0] for each in ways),
                    min(each[1][0] for each in ways),
                    "; ".join(f"{name} {sum(name in each for each in fired)}" for name in sorted(set().union(*fired)))
                    or "none",
                ]
            )
    write(
        "batch",
        title="Batches as the network gets them",
        columns=[
            "data",
            "program",
            "batches",
            "mean, most",
            "spread, least",
            "most",
            "far less near correlation, most",
            "least",
            "nearest way of normalising",
            "its distance, most",
            "next nearest, least",
            "rules that fired",
        ],
        rows=rows,
        note=f"{DRAWS} batches of each of {SIZES} images. Near: neighbouring pixels; far: pixels three apart.",
    )


def _batch(data: Data, program: str, *, size: int, source: torch.Generator) -> BatchFacts:
    pool = torch.arange(len(data.labels))
    if program == "one class":
        pool = pool[data.labels == int(torch.randint(10, (1,), generator=source))]
    rows = pool[torch.randint(len(pool), (size,), generator=source)]
    pixels, labels = data.pixels[rows], data.labels[rows]
    return describe_batch(
        _spoilt(data, program, pixels=pixels, source=source), labels, prior=[0.1] * 10,
        pixel_mean=float(data.mean.mean()), pixel_std=float(data.std.mean()),
    )  # fmt: skip


def _spoilt(data: Data, program: str, *, pixels: Tensor, source: torch.Generator) -> Tensor:
    once = (pixels - data.mean) / data.std
    if program == "flipped and cropped":
        padded = torch.nn.functional.pad(once.flip(3), [data.side // 8] * 4)
        row, column = torch.randint(data.side // 4 + 1, (2,), generator=source).tolist()
        return padded[:, :, row : row + data.side, column : column + data.side]
    last = once.permute(0, 2, 3, 1)
    return {
        "0 to 1": pixels,
        "raw bytes": 255 * pixels,
        "normalised twice": (once - data.mean) / data.std,
        "reshaped": last.reshape(once.shape),
        "channels last": last,
    }.get(program, once)


if __name__ == "__main__":
    main()
