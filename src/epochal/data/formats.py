"""Which kinds of file are opened, by what they are known, and what goes wrong with them in plain words."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from PIL import Image, UnidentifiedImageError

from epochal.data.entries import Unreadable

# Formats of pictures, by Pillow's names, with their endings. Left out on purpose: what runs a program (EPS, WMF), what
# has no mark of its own at the start (TGA), and what is no picture (HDF5, FITS, MPEG).
ENDINGS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "AVIF": (".avif",),
    "JPEG2000": (".jp2", ".j2k", ".jpx", ".jpf", ".jpc"),
    "ICO": (".ico",),
    "QOI": (".qoi",),
}
# The same file format under another of Pillow's names.
ALIASES = {"MPO": "JPEG", "DIB": "BMP"}
FORMAT_OF_ENDING = {ending: name for name, endings in ENDINGS.items() for ending in endings}

# How files of these formats begin, for files whose name does not tell.
BEGINNINGS = (
    b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  ", b"qoif",
    b"P1", b"P2", b"P3", b"P4", b"P5", b"P6",
)  # fmt: skip


@cache
def formats() -> tuple[str, ...]:
    """Give those of the formats that this Pillow can open.

    >>> "JPEG" in formats(), "EPS" in formats()
    (True, False)
    """
    Image.init()
    return tuple(name for name in ENDINGS if name in Image.OPEN)


def has_image_ending(key: str) -> bool:
    """Tell from the name alone whether a file should be a picture.

    >>> has_image_ending("cat/1.JPG"), has_image_ending("cat/notes.txt")
    (True, False)
    """
    return _ending(key) in FORMAT_OF_ENDING


def begins_like_image(beginning: bytes) -> bool:
    """Tell from its first bytes whether a file may be a picture.

    >>> begins_like_image(b"GIF89a..."), begins_like_image(b"file,value")
    (True, False)
    """
    riff = beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP"
    avif = beginning[4:8] == b"ftyp" and beginning[8:12] in (b"avif", b"avis")
    return riff or avif or beginning.startswith(BEGINNINGS)


def wrong_ending(kind: str, key: str) -> str | None:
    """Say where a file's ending belongs to another format than its content; None where all is well or `key` is empty.

    >>> wrong_ending("BMP", "needle/7.jpg")
    'wrong-extension: BMP inside, named .jpg'
    >>> wrong_ending("MPO", "phone.jpg")
    """
    if not key:
        return None
    ending = _ending(key)
    if FORMAT_OF_ENDING.get(ending) == ALIASES.get(kind, kind):
        return None
    return f"wrong-extension: {kind} inside, named {ending or 'without an ending'}"


def _ending(key: str) -> str:
    name = key[key.rfind("/") + 1 :]
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


@contextmanager
def reasons(data: bytes) -> Iterator[None]:
    """Turn whatever a decoder raises into `Unreadable` with the reason in plain words.

    >>> with reasons(b""):
    ...     raise OSError("image file is truncated (3 bytes not processed)")
    Traceback (most recent call last):
    epochal.data.entries.Unreadable: empty: the file holds no bytes
    """
    try:
        yield
    except Unreadable:
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's file may raise anything inside a decoder; it is left out
        raise Unreadable(_reason(error, data)) from None


def _reason(error: Exception, data: bytes) -> str:
    said = f"{error}".split("\n")[0][:200] or type(error).__name__
    cut_short = isinstance(error, EOFError) or any(word in said.lower() for word in ("truncated", "not enough"))
    if not data:
        reason = "empty: the file holds no bytes"
    elif isinstance(error, Image.DecompressionBombError):
        reason = f"too-large: {said}"
    elif isinstance(error, MemoryError):
        reason = "too-large: more memory is needed than there is"
    elif isinstance(error, UnidentifiedImageError) and not begins_like_image(data[:64]):
        reason = "not-an-image: the content is no picture in a format that is known"
    elif isinstance(error, UnidentifiedImageError):
        reason = f"damaged: begins like a picture and cannot be read as one ({len(data):,} bytes)"
    elif cut_short:
        reason = f"truncated: the file ends too early ({said})"
    else:
        reason = f"damaged: {said}" if isinstance(error, OSError | ValueError | SyntaxError) else f"damaged: {error!r}"
    return reason
