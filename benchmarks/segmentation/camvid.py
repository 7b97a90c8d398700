"""CamVid at quarter area, decoded once: street scenes with the class of every pixel."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

SIZE = (192, 256)  # height and width: 360 x 480 at about a quarter of the area, both multiples of 32
UNLABELLED, VOID = 11, 255
_HELD = 5  # of each drive's frames the last fifth is held out: neighbouring frames are nearly the same picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenes:
    """Images and masks of one folder, in the order of their names.

    Shapes: n images of h by w pixels.
    """

    classes: tuple[str, ...]
    names: tuple[str, ...]
    images: UInt8[np.ndarray, "n h w 3"]
    masks: UInt8[np.ndarray, "n h w"]

    def part(self, which: Bool[np.ndarray, " n"]) -> "Scenes":
        """Some of them."""
        names = tuple(name for name, chosen in zip(self.names, which, strict=True) if chosen)
        return Scenes(classes=self.classes, names=names, images=self.images[which], masks=self.masks[which])

    def held_out(self) -> Bool[np.ndarray, " n"]:
        """The last fifth of the frames of each drive, to tune on without touching another folder."""
        drives = np.array([name.split("_")[0] for name in self.names])
        held = np.zeros(len(drives), dtype=bool)
        for drive in np.unique(drives):
            places = np.flatnonzero(drives == drive)
            held[places[-(len(places) // _HELD) :]] = True
        return held


def read(archive: Path, folder: str) -> Scenes:
    """Decode the `folder` (train or val) of camvid.zip: bicubic images, masks by the nearest pixel."""
    with zipfile.ZipFile(archive) as opened:
        classes = opened.read("classes.txt").decode().split()
        names = sorted(each for each in opened.namelist() if each.startswith(f"{folder}/images/") and each[-1] != "/")
        images = np.stack(list(_decoded(opened, names, mode="RGB")))
        masks = np.stack(list(_decoded(opened, [_mask_of(each) for each in names], mode="L")))
    return Scenes(
        classes=tuple(classes[:UNLABELLED]),
        names=tuple(Path(each).stem for each in names),
        images=images,
        masks=np.where(masks == UNLABELLED, np.uint8(VOID), masks),
    )


def _decoded(opened: zipfile.ZipFile, names: list[str], *, mode: str) -> Iterator[UInt8[np.ndarray, "h w *c"]]:
    how = Image.Resampling.NEAREST if mode == "L" else Image.Resampling.BICUBIC
    for name in names:
        with Image.open(io.BytesIO(opened.read(name))) as image:
            values = image if mode == "L" else image.convert(mode)
            yield np.asarray(values.resize((SIZE[1], SIZE[0]), how))


def _mask_of(image: str) -> str:
    return image.replace("/images/", "/masks/").replace(".jpg", ".png")
