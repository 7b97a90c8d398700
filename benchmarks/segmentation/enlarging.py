"""How a mask gets the size of its picture: logits enlarged before they are compared, or the finished mask.

    python benchmarks/segmentation/enlarging.py ../shared/data/camvid.zip

The validation masks of CamVid are made smaller by averaging, as a network at that size would see them at best, and
brought back to 480 x 360 in both ways: what is lost is lost by enlarging alone. Nothing is random. Writes
`benchmarks/results/enlarging.md`.
"""

import argparse
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, one_hot

from epochal.stages.segment import enlarged_mask
from epochal.stats.segmentation import mask_confusions, mean_iou, pixel_accuracy

TABLE = Path(__file__).parent.parent / "results" / "enlarging.md"
CLASSES, UNLABELLED = 11, 11
FACTORS = (2, 4, 8)


def masks(archive: Path) -> Iterator[UInt8[np.ndarray, "h w"]]:
    """The validation masks, cut to multiples of the largest factor."""
    with zipfile.ZipFile(archive) as file:
        for name in sorted(file.namelist()):
            if "val/masks/" in name and name.endswith(".png"):
                mask = np.array(Image.open(io.BytesIO(file.read(name))))
                height, width = (side // FACTORS[-1] * FACTORS[-1] for side in mask.shape)
                yield mask[:height, :width]


def reduced(mask: UInt8[np.ndarray, "h w"], factor: int) -> Float[Tensor, "c h w"]:
    """Logits of the class shares in each block of `factor` by `factor` pixels."""
    spread = one_hot(torch.from_numpy(mask).long(), CLASSES + 1).permute(2, 0, 1)[None, :CLASSES].float()
    height, width = mask.shape
    return (interpolate(spread, size=(height // factor, width // factor), mode="area")[0] + 1e-3).log()


def repeated(logits: Float[Tensor, "c h w"], factor: int) -> UInt8[np.ndarray, "height width"]:
    """The small mask, each pixel as a block."""
    small = logits.argmax(0).byte().numpy()
    return np.asarray(small.repeat(factor, axis=0).repeat(factor, axis=1))


def main() -> None:
    """Measure both ways at each factor and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    archive = parser.parse_args().archive
    lines = [
        "# From the network's size to the picture's",
        "",
        "CamVid's 101 validation masks, reduced by averaging and enlarged again; nothing else is lost.",
        "",
        "| times smaller | way | mean IoU | pixels right |",
        "|---|---|---|---|",
    ]
    for factor in FACTORS:
        counts: dict[str, Int64[np.ndarray, "c c"]] = {}
        for mask in masks(archive):
            logits = reduced(mask, factor)
            ways = {"logits enlarged": enlarged_mask(logits, mask.shape), "mask enlarged": repeated(logits, factor)}
            true = np.where(mask == UNLABELLED, 255, mask)[None]
            for way, said in ways.items():
                found = mask_confusions(said[None], true, classes=CLASSES)[0]
                counts[way] = counts.get(way, np.zeros_like(found)) + found
        lines += [
            f"| {factor} | {way} | {float(mean_iou(each)):.1%} | {float(pixel_accuracy(each)):.1%} |"
            for way, each in counts.items()
        ]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(TABLE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
