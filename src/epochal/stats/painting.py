"""Masks as pictures: colours that colour-blind readers tell apart, laid over the photograph."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float64, Integer, UInt8

from epochal.errors import SettingError

VOID = 255  # the number of pixels that nobody labelled
# The first seven colours, known to be told apart: Okabe and Ito 2008, without black, which is for pixels without label.
FIRST = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))
# What people without one kind of cone see of linear RGB: Machado et al. 2009, table 1, severity 1.
_PROTAN = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))
_DEUTAN = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))
_TRITAN = ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900))
# Linear RGB to cone responses, and those to lightness and two opponent colours: Ottosson 2020, OKLab.
_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_OPPONENT = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
_LEVELS = 14  # of each channel among the colours chosen from


@lru_cache(maxsize=8)
def palette(classes: int) -> UInt8[np.ndarray, "c 3"]:
    """Colours for classes: always the same for the same class, whatever their number, and told apart by all eyes.

    The first seven are those of Okabe and Ito. Each further one is the farthest from all before it (and from black), by
    the difference that the least favoured of four kinds of eyes sees: all cones, or one of the three missing. Past
    about 20 classes no palette is told apart by colour alone: names belong beside it.

    Shapes: c classes.  Units: sRGB bytes.  Raises: SettingError for more than 255 classes, or none.
    Source: Okabe and Ito 2008; Machado et al. 2009; Ottosson 2020 for the distance.

    >>> palette(8)[:2].tolist(), len(np.unique(palette(255), axis=0))
    ([[230, 159, 0], [86, 180, 233]], 255)
    """
    if not 1 <= classes <= VOID:
        raise SettingError(f"Colours for {classes} classes.", expected="1 to 255.", remedy="draw fewer classes.")
    levels = np.linspace(0, 255, _LEVELS).round().astype(np.uint8)
    candidates = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    seen = _seen(candidates)
    nearest = np.sqrt(np.square(seen - _seen(np.zeros((1, 3), np.uint8))).sum(axis=-1)).min(axis=0)
    chosen: list[UInt8[np.ndarray, " 3"]] = []
    for place in range(classes):
        color = np.array(FIRST[place], np.uint8) if place < len(FIRST) else candidates[int(nearest.argmax())]
        chosen.append(color)
        distance = np.sqrt(np.square(seen - _seen(color[None])).sum(axis=-1)).min(axis=0)
        nearest = np.minimum(nearest, distance)
    colors = np.stack(chosen)
    colors.setflags(write=False)  # it is kept: nobody may change it for all others
    return colors


def painted(mask: Integer[np.ndarray, "h w"], colors: UInt8[np.ndarray, "c 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """The mask as a picture; black where nobody labelled, or where the number has no colour.

    >>> painted(np.array([[0, 255]], np.uint8), palette(2)).tolist()
    [[[230, 159, 0], [0, 0, 0]]]
    """
    table = np.zeros((VOID + 1, 3), dtype=np.uint8)
    table[: len(colors)] = colors
    return np.asarray(table[np.asarray(mask, dtype=np.uint8)])


def overlay(
    pixels: UInt8[np.ndarray, "h w 3"] | UInt8[np.ndarray, "h w 1"],
    mask: UInt8[np.ndarray, "rows columns"],  # h and w, which a user may get wrong
    *,
    opacity: float = 0.5,
    colors: UInt8[np.ndarray, "c 3"] | None = None,
) -> UInt8[np.ndarray, "h w 3"]:
    """The mask laid over its photograph; pixels that nobody labelled stay as they are.

    Shapes: h by w pixels.  Raises: SettingError for an opacity outside 0 to 1, or sizes that differ.

    >>> grey = np.full((1, 2, 3), 100, np.uint8)
    >>> overlay(grey, np.array([[0, 255]], np.uint8), opacity=0.5).tolist()
    [[[165, 130, 50], [100, 100, 100]]]
    """
    if not 0 <= opacity <= 1 or pixels.shape[:2] != mask.shape:
        raise SettingError(
            f"A mask of {mask.shape} over pixels of {pixels.shape[:2]}, with opacity {opacity}.",
            expected="the same height and width, and an opacity from 0 to 1.",
            remedy="decode both to one size.",
        )
    paint = painted(mask, palette(VOID) if colors is None else colors).astype(np.float32)
    under = np.broadcast_to(pixels, (*mask.shape, 3)).astype(np.float32)
    share = np.where(mask == VOID, 0.0, opacity).astype(np.float32)[..., None]
    return np.asarray(np.rint(under + share * (paint - under)), dtype=np.uint8)


def _seen(colors: UInt8[np.ndarray, "n 3"]) -> Float64[np.ndarray, "4 n 3"]:
    """Places of colours in a space where distance is difference, for four kinds of eyes."""
    part = colors / 255.0
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)  # IEC 61966-2-1
    eyes = np.stack([np.eye(3), np.array(_PROTAN), np.array(_DEUTAN), np.array(_TRITAN)])
    cones = np.clip(np.einsum("eij,nj->eni", eyes, linear), 0, 1) @ np.array(_CONES).T
    return np.asarray(np.cbrt(np.maximum(cones, 0)) @ np.array(_OPPONENT).T)
