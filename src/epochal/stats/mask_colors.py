"""A colour for each class of a mask, told apart at a glance, and masks laid over their pictures."""

import colorsys

import numpy as np
from jaxtyping import Integer, UInt8

# Twenty colours that people tell apart, after S. Trubetskoy's list of simple, distinct colours; the pale ones last.
_DISTINCT = [
    "4363d8",
    "e6194b",
    "3cb44b",
    "ffe119",
    "911eb4",
    "f58231",
    "42d4f4",
    "f032e6",
    "bfef45",
    "9a6324",
    "469990",
    "800000",
    "808000",
    "000075",
    "aaffc3",
    "ffd8b1",
    "fabed4",
    "dcbeff",
    "a9a9a9",
    "fffac8",
]
_GOLDEN = 0.618033988749895  # of a turn from one hue to the next: never twice the same
_UNLABELLED = 255
_VEIL = 70  # brightness of pixels that nobody labelled, behind a veil of grey


def class_colors(count: int) -> UInt8[np.ndarray, "c 3"]:
    """Red, green and blue of each class: the same class has the same colour in every picture of a run.

    >>> class_colors(2).tolist(), len({tuple(row) for row in class_colors(255).tolist()})
    ([[67, 99, 216], [230, 25, 75]], 255)
    """
    chosen = [tuple(bytes.fromhex(each)) for each in _DISTINCT[:count]]
    for index in range(len(chosen), count):
        turn, ring = index * _GOLDEN % 1, index % 3
        color = colorsys.hsv_to_rgb(turn, (0.9, 0.55, 0.75)[ring], (0.95, 0.8, 0.6)[ring])
        chosen.append(tuple(round(part * 255) for part in color))
    return np.array(chosen, dtype=np.uint8).reshape(count, 3)


def overlay(
    pixels: UInt8[np.ndarray, "n h w c"], masks: Integer[np.ndarray, "n h w"], *, classes: int, opacity: float = 0.6
) -> UInt8[np.ndarray, "n h w 3"]:
    """Pictures with their masks laid over them in the colours of the classes; what is no class is veiled in grey.

    Shapes: n images of h by w pixels, c = 1 or 3.  Units: opacity from 0, nothing of the mask, to 1, nothing else.

    >>> overlay(np.zeros((1, 1, 2, 1), np.uint8), np.array([[[0, 255]]]), classes=1, opacity=1.0)[0, 0].tolist()
    [[67, 99, 216], [70, 70, 70]]
    """
    table = np.full((256, 3), _VEIL, dtype=np.float32)
    table[:classes] = class_colors(classes)
    color = table[np.where((masks >= 0) & (masks < classes), masks, _UNLABELLED)]
    mixed = np.broadcast_to(pixels, (*pixels.shape[:3], 3)) * (1 - opacity) + color * opacity
    laid: UInt8[np.ndarray, "n h w 3"] = np.round(mixed).astype(np.uint8)
    return laid
