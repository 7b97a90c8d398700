"""From every way in which Pillow keeps pixels to 8-bit grey or RGB."""

import numpy as np
from PIL import Image

GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
TRANSPARENT_MODES = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})


def is_grey(image: Image.Image) -> bool:
    """Tell whether a picture can hold nothing but shades of grey, by its mode, or by its palette where it has one.

    >>> is_grey(Image.new("1", (2, 2))), is_grey(Image.new("RGB", (2, 2)))
    (True, False)
    """
    if image.mode in ("P", "PA"):
        colors = np.asarray(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
        return bool((colors == colors[:, :1]).all())
    return image.mode in GREY_MODES


def to_eight_bits(image: Image.Image, *, channels: int) -> tuple[Image.Image, list[str]]:
    """Turn a loaded picture into mode L (one channel) or RGB (three), with remarks on what had to be done.

    Transparent parts are laid over white; 16-bit values are divided by 257, so that 65,535 becomes 255; whole numbers
    and fractions without a known range are stretched from their own; CMYK is converted without a colour profile.

    >>> picture, remarks = to_eight_bits(Image.new("RGBA", (1, 1), (0, 0, 0, 0)), channels=3)
    >>> picture.getpixel((0, 0)), remarks
    ((255, 255, 255), ['transparent: laid over white'])
    """
    remarks: list[str] = []
    colored = not is_grey(image)
    if image.mode in TRANSPARENT_MODES or "transparency" in image.info:
        image = _over_white(image, remarks)
    elif image.mode.startswith("I;16"):
        remarks.append("sixteen-bit: 16 bits per pixel, scaled to 8")
        image = _from_sixteen_bits(np.asarray(image))
    elif image.mode in ("I", "F"):
        image = _from_numbers(np.asarray(image), remarks)
    elif image.mode == "CMYK":
        remarks.append("cmyk: converted to RGB without a colour profile")
    if channels == 1 and colored:
        remarks.append("colour-made-grey: the other pictures are grey")
    return image if image.mode == _mode(channels) else _converted(image, channels), remarks


def _mode(channels: int) -> str:
    return "L" if channels == 1 else "RGB"


def _converted(image: Image.Image, channels: int) -> Image.Image:
    # By way of RGB: from some modes, such as LAB, there is no straight way to grey.
    if image.mode in ("L", "1", "RGB", "P"):
        return image.convert(_mode(channels))
    return image.convert("RGB").convert(_mode(channels))


def _over_white(image: Image.Image, remarks: list[str]) -> Image.Image:
    picture = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    alpha = picture.getchannel("A")
    if alpha.getextrema() != (255, 255):
        remarks.append("transparent: laid over white")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def _from_sixteen_bits(values: np.ndarray) -> Image.Image:
    # 257 = 65535 / 255; the half rounds to nearest.
    return Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))


def _from_numbers(values: np.ndarray, remarks: list[str]) -> Image.Image:
    """Bring 32-bit whole numbers and fractions to 0..255; raises ValueError for NaN and infinity."""
    if not np.isfinite(values).all():
        raise ValueError("values that are not finite numbers")
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind in "iu" and low >= 0 and high <= 65535:
        if high <= 255:
            return Image.fromarray(values.astype(np.uint8))
        remarks.append("sixteen-bit: 16 bits per pixel, scaled to 8")
        return _from_sixteen_bits(values)
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        return Image.fromarray(np.rint(values * 255).astype(np.uint8))
    remarks.append(f"own-range: values from {low:g} to {high:g} stretched to 0..255")
    scaled = (values.astype(np.float64) - low) / max(high - low, 1e-12) * 255
    return Image.fromarray(np.rint(scaled).astype(np.uint8))
