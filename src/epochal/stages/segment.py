"""Masks for pictures of any size: the network sees each whole picture at the scale it was trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from epochal.data.decode import Decoded, decode, probe
from epochal.data.size import dense_size
from epochal.errors import SettingError
from epochal.stages.pictures import mask_file
from epochal.writing import write_atomically

if TYPE_CHECKING:
    from epochal.stages.artifact import Deployed, Facts

_UNSAFE = str.maketrans(dict.fromkeys('\\:*?"<>|', "_") | dict.fromkeys(map(chr, range(32)), "_"))


def mask_names(keys: Iterable[str]) -> dict[str, str]:
    """Where the mask of each picture goes: its own sub-folders and name, ending in .png.

    Two pictures that differ by their ending alone keep it before the new one. No name leads out of the folder.

    >>> mask_names(["a/x.jpg", "b/x.jpg", "b/y.jpg", "b/y.bmp", "../z.jpg"])["b/y.bmp"]
    'b/y.bmp.png'
    """
    keys = list(keys)
    plain = {key: str(_inside(key).with_suffix(".png")) for key in keys}
    seen: dict[str, list[str]] = {}
    for key, name in plain.items():
        seen.setdefault(name.casefold(), []).append(key)  # some disks do not tell upper and lower case apart
    taken: set[str] = set()
    names = {}
    for key in keys:
        alone = len(seen[plain[key].casefold()]) == 1
        name = plain[key] if alone else f"{_inside(key)}.png"
        number = 2
        while name.casefold() in taken:
            name, number = f"{_inside(key)}.{number}.png", number + 1
        taken.add(name.casefold())
        names[key] = name
    return names


def _inside(key: str) -> PurePosixPath:
    """The parts of a key that name something, whatever a stranger's archive calls its files."""
    parts = [part.translate(_UNSAFE) for part in key.split("/") if part not in {"", ".", ".."}]
    return PurePosixPath(*parts or ["picture"])


def refuse_inside(folder: Path, images: Path) -> None:
    """Stop before a mask is written among the pictures it is made from, where it would be taken for one.

    Raises: SettingError.
    """
    if images.is_dir() and folder.resolve().is_relative_to(images.resolve()):
        raise SettingError(
            f"The masks would go to {folder}, inside the folder of the pictures.",
            expected="a folder beside the data: nothing is written among them.",
            remedy="name another one, as in --output masks-of-photos/.",
        )


def see(data: bytes, *, facts: Facts, key: str) -> Decoded:
    """Decode a whole picture at the scale of the training pictures, nothing of it cut off or squeezed.

    Raises: Unreadable, with the reason.
    """
    header = probe(data)
    seen = (header.height, header.width)
    decoded = decode(data, size=_scaled(seen, facts=facts), channels=facts.channels, key=key)
    truly = (decoded.header.height, decoded.header.width)
    if truly != seen:  # some files say only after their pixels that they lie on their side
        decoded = decode(data, size=_scaled(truly, facts=facts), channels=facts.channels, key=key)
    return decoded


def _scaled(picture: tuple[int, int], *, facts: Facts) -> tuple[int, int]:
    """Height and width at which the network sees a picture: those of training where the proportions are the same.

    Units: pixels.
    """
    target = dense_size([picture], longer=max(facts.size))
    scale = max(target[0] / picture[0], target[1] / picture[1])
    return round(picture[0] * scale), round(picture[1] * scale)


@torch.inference_mode()
def enlarged_mask(outputs: Float[Tensor, "c h w"], size: tuple[int, int]) -> UInt8[np.ndarray, "height width"]:
    """The likeliest class of each pixel of the original picture, logits enlarged smoothly before they are compared.

    On perfect shares this keeps four points of mean IoU that are lost where the finished mask is enlarged
    (benchmarks/results/enlarging.md). One class after the other, so that a large picture needs the memory of three maps
    and not of one for each class.

    >>> enlarged_mask(torch.tensor([[[0.0, 3.0]], [[1.0, 0.0]]]), (1, 4)).tolist()
    [[1, 0, 0, 0]]
    """
    best = torch.full(size, -torch.inf)
    mask = torch.zeros(size, dtype=torch.uint8)
    for label, plane in enumerate(outputs):
        large = interpolate(plane[None, None].float(), size=size, mode="bilinear", align_corners=False)[0, 0]
        higher = large > best
        best = torch.where(higher, large, best)
        mask[higher] = label
    return np.asarray(mask.numpy())


@torch.inference_mode()
def segment(model: Deployed, decoded: Decoded) -> UInt8[np.ndarray, "height width"]:
    """The mask of one picture, in the size of its file."""
    pixels = torch.from_numpy(decoded.pixels.copy()).permute(2, 0, 1)[None].float() / 255
    outputs: Tensor = model(pixels)
    return enlarged_mask(outputs[0], (decoded.header.height, decoded.header.width))


def shares_of(mask: UInt8[np.ndarray, "h w"], *, classes: tuple[str, ...]) -> Mapping[str, Any]:
    """The share of the picture that each class fills, by the names of columns.

    >>> shares_of(np.array([[0, 1, 1, 1]], np.uint8), classes=("road", "sky"))
    {'share.road': 0.25, 'share.sky': 0.75}
    """
    counts = np.bincount(mask.ravel(), minlength=len(classes))
    return {f"share.{name}": round(float(counts[label] / mask.size), 6) for label, name in enumerate(classes)}


def write_mask(mask: UInt8[np.ndarray, "h w"], path: Path, *, classes: int) -> None:
    """Write a mask as an 8-bit PNG with a palette, whole or not at all."""
    write_atomically(path, mask_file(mask, classes=classes))
