"""Facts about formats, endings and reasons."""

import pytest
from PIL import Image, UnidentifiedImageError

from epochal.data.entries import Unreadable
from epochal.data.formats import begins_like_image, formats, has_image_ending, reasons, wrong_ending
from pictures import encoded, picture

KINDS = [
    ("JPEG", "jpg"), ("PNG", "png"), ("GIF", "gif"), ("BMP", "bmp"), ("WEBP", "webp"), ("TIFF", "tif"), ("PPM", "ppm"),
    ("AVIF", "avif"), ("JPEG2000", "jp2"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "ending"), KINDS)
def test_content_and_ending_agree(kind: str, ending: str) -> None:
    """What Pillow writes is known by its first bytes and fits its usual ending, and no other."""
    if kind not in formats():
        pytest.skip(f"this Pillow has no {kind}")
    assert begins_like_image(encoded(picture(), kind)[:64])
    assert has_image_ending(f"a/b.{ending.upper()}")
    assert wrong_ending(kind, f"a/b.{ending}") is None
    other = "png" if kind == "JPEG" else "jpg"
    assert wrong_ending(kind, f"a/b.{other}") == f"wrong-extension: {kind} inside, named .{other}"


@pytest.mark.parametrize("key", ["cat", "a.b/cat", ".png", "a/.jpg", "cat.txt", "cat."])
def test_names_that_are_no_pictures(key: str) -> None:
    """Folders with dots, hidden files and other endings do not look like pictures."""
    assert not has_image_ending(key)


def test_dangerous_formats_are_never_opened() -> None:
    """Formats that start another program, such as PostScript, are not on the list."""
    assert not {"EPS", "WMF", "PDF", "MPEG", "HDF5", "FITS"} & set(formats())


@pytest.mark.parametrize(
    ("error", "data", "kind"),
    [
        (OSError("anything"), b"", "empty"),
        (OSError("image file is truncated (10 bytes not processed)"), b"x", "truncated"),
        (EOFError("no more"), b"x", "truncated"),
        (UnidentifiedImageError("cannot identify"), b"hello", "not-an-image"),
        (UnidentifiedImageError("cannot identify"), b"\x89PNG\r\n\x1a\n", "damaged"),
        (Image.DecompressionBombError("too many pixels"), b"x", "too-large"),
        (MemoryError(), b"x", "too-large"),
        (SyntaxError("broken PNG file"), b"x", "damaged"),
        (KeyError("tag"), b"x", "damaged"),
        (ZeroDivisionError(), b"x", "damaged"),
    ],
)
def test_every_error_has_a_reason(error: Exception, data: bytes, kind: str) -> None:
    """Whatever a decoder raises becomes `Unreadable` with a kind."""
    with pytest.raises(Unreadable, match=f"^{kind}: ."), reasons(data):
        raise error


def test_interrupts_pass() -> None:
    """The user's interrupt is not taken for a damaged file."""
    with pytest.raises(KeyboardInterrupt), reasons(b"x"):
        raise KeyboardInterrupt
