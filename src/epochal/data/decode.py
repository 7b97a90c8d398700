"""From the bytes of a picture file to 8-bit pixels, whatever kind of file a stranger may hand over."""

import dataclasses
import hashlib
import io
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image

from epochal.data import jpeg
from epochal.data.entries import Unreadable
from epochal.data.formats import formats, reasons, wrong_ending
from epochal.data.modes import is_grey, to_eight_bits
from epochal.data.quiet import quiet_pillow
from epochal.data.size import fit

# Raised whenever the same file may give other pixels than before, so that no cache of the old kind is used.
DECODER_VERSION = 1
# A picture that claims more pixels is not decoded: Pillow's own threshold, a quarter of a GiB as RGB.
PIXEL_LIMIT = 89_478_485
# A large JPEG is decoded at a half, a quarter or an eighth of its size where this many times the size
# wanted is left.
DRAFT_MARGIN = 2

# What to do for each EXIF orientation, EXIF 2.32 tag 0x0112.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a file says about its picture before the pixels are decoded; width and height as seen upright.

    >>> Header(width=4, height=3, mode="RGB", format="PNG", frames=1, orientation=1).grey
    False
    """

    width: int
    height: int
    mode: str
    format: str
    frames: int = 1
    orientation: int = 1
    grey: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decoded:
    """Pixels in the size and channels asked for, a hash of all that was decoded, and remarks as `kind: text`.

    The kinds of remark: `wrong-extension`, `exif-rotated`, `animated`, `sixteen-bit`, `transparent`, `cmyk`,
    `colour-made-grey`, `own-range`, `damaged-exif`.

    >>> buffer = io.BytesIO()
    >>> Image.new("L", (4, 3), 7).save(buffer, "PNG")
    >>> decoded = decode(buffer.getvalue(), channels=1, key="cat.jpg")
    >>> decoded.pixels.shape, decoded.notes
    ((3, 4, 1), ('wrong-extension: PNG inside, named .jpg',))
    """

    header: Header
    pixels: UInt8[np.ndarray, "h w c"]
    pixel_hash: bytes
    notes: tuple[str, ...]


def probe(data: bytes) -> Header:
    """Read what the file says about itself without decoding pixels.

    Raises: Unreadable if it is no picture.

    >>> buffer = io.BytesIO()
    >>> Image.new("L", (4, 3)).save(buffer, "PNG")
    >>> probe(buffer.getvalue())
    Header(width=4, height=3, mode='L', format='PNG', frames=1, orientation=1, grey=True)
    """
    plain = jpeg.look(data)
    if plain is not None:
        return _plain_header(plain)
    with quiet_pillow(), reasons(data), Image.open(io.BytesIO(data), formats=formats()) as image:
        return _header(image, _orientation(image)[0])


def decode(
    data: bytes,
    *,
    size: tuple[int, int] | None = None,
    channels: int = 3,
    key: str = "",
    pixel_limit: int = PIXEL_LIMIT,
) -> Decoded:
    """Decode a picture to (h, w, channels) of 8 bits: upright, first frame, over white where transparent.

    With `size` the picture is shrunk and cut to it. A JPEG at least four times too large is decoded at reduced size,
    which is much faster; the hash is then one of the reduced pixels.

    Shapes: pixels (h, w, channels), channels 1 or 3.  Units: 0 to 255; 16-bit values are divided by 257.
    Raises: Unreadable, with the reason.

    >>> buffer = io.BytesIO()
    >>> Image.new("RGB", (40, 30), "red").save(buffer, "PNG")
    >>> decode(buffer.getvalue(), size=(8, 8)).pixels[4, 4].tolist()
    [255, 0, 0]
    """
    plain = jpeg.look(data)
    if plain is not None and _as_it_is(plain, size, channels=channels) and plain.width * plain.height <= pixel_limit:
        with suppress(ValueError, OSError):  # Pillow's whole machinery says what is wrong, or copes
            return _plain(plain, jpeg.decode(data, plain), channels=channels, key=key)
    with quiet_pillow(), reasons(data), Image.open(io.BytesIO(data), formats=formats()) as image:
        return _decoded(image, size=size, channels=channels, key=key, pixel_limit=pixel_limit)


@lru_cache
def _plain_header(plain: jpeg.PlainJpeg) -> Header:
    return Header(width=plain.width, height=plain.height, mode=plain.mode, format="JPEG", grey=plain.mode == "L")


def _as_it_is(plain: jpeg.PlainJpeg, size: tuple[int, int] | None, *, channels: int) -> bool:
    return (size is None or size == (plain.height, plain.width)) and (channels == 3 or plain.mode == "L")


def _plain(plain: jpeg.PlainJpeg, pixels: UInt8[np.ndarray, "h w c"], *, channels: int, key: str) -> Decoded:
    if pixels.shape[2] != channels:
        pixels = np.repeat(pixels, channels, axis=2)
    remark = wrong_ending("JPEG", key)
    return Decoded(
        header=_plain_header(plain), pixels=pixels, pixel_hash=hash_pixels(pixels), notes=(remark,) if remark else ()
    )


def _decoded(image: Image.Image, *, size: tuple[int, int] | None, channels: int, key: str, pixel_limit: int) -> Decoded:
    if image.width * image.height > pixel_limit:
        raise Unreadable(f"too-large: {image.width:,} x {image.height:,} pixels, above the limit of {pixel_limit:,}")
    header = _header(image, 1)
    if size is not None and header.format in ("JPEG", "MPO"):
        _reduce(image, size)
    orientation, notes = _orientation(image)
    image.load()
    if orientation == 1:
        orientation, notes = _orientation(image)  # a PNG may say it after the pixels
    if header.frames > 1 and header.format != "MPO":
        notes.append(f"animated: {header.frames} frames, the first is used")
    header = _upright(header, orientation)
    upright, remarks = to_eight_bits(image, channels=channels)
    if orientation in UPRIGHT and header.format != "TIFF":
        upright = upright.transpose(UPRIGHT[orientation])
    pixel_hash = hash_pixels(_array(upright))
    remark = wrong_ending(header.format, key)
    return Decoded(
        header=header,
        pixels=_array(upright if size is None else fit(upright, size)),
        pixel_hash=pixel_hash,
        notes=(*((remark,) if remark else ()), *notes, *remarks),
    )


def hash_pixels(pixels: UInt8[np.ndarray, "h w c"]) -> bytes:
    """Sixteen bytes that are equal for pictures of one shape with the same pixels, and in practice only for those.

    Source: BLAKE2b, RFC 7693, over shape and pixels (two flat pictures of 10 x 20 and 20 x 10 are not the same).

    >>> hash_pixels(np.zeros((2, 1, 1), np.uint8)) == hash_pixels(np.zeros((1, 2, 1), np.uint8))
    False
    """
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.digest()


def _array(image: Image.Image) -> UInt8[np.ndarray, "h w c"]:
    return np.frombuffer(image.tobytes(), np.uint8).reshape(image.height, image.width, -1)


def _header(image: Image.Image, orientation: int) -> Header:
    header = Header(
        width=image.width,
        height=image.height,
        mode=image.mode,
        format=image.format or "unknown",
        frames=_frames(image),
        grey=is_grey(image),
    )
    return _upright(header, orientation)


def _frames(image: Image.Image) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # noqa: BLE001 - damage behind the first frame, which alone is used
        return 1


def _upright(header: Header, orientation: int) -> Header:
    width, height = header.width, header.height
    if orientation in (5, 6, 7, 8) and header.format != "TIFF":  # Pillow turns a TIFF itself while loading it
        width, height = height, width
    return dataclasses.replace(header, width=width, height=height, orientation=orientation)


def _reduce(image: Image.Image, size: tuple[int, int]) -> None:
    """Let the JPEG decoder leave out what would be thrown away; a square that covers both ways to hold the picture."""
    scale = min(image.size) / max(size) / DRAFT_MARGIN
    if scale >= 2:
        image.draft(None, (int(image.width / scale), int(image.height / scale)))


def _orientation(image: Image.Image) -> tuple[int, list[str]]:
    try:
        orientation = int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception as error:  # noqa: BLE001 - a damaged Exif block may raise anything; the pixels are whole
        return 1, [f"damaged-exif: {error}"]
    return orientation, [f"exif-rotated: orientation {orientation}"] if orientation in UPRIGHT else []
