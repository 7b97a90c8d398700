"""Facts about the short way for plain JPEGs."""

import io
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from epochal.data import jpeg as short
from pictures import encoded, jpeg, picture, pixels, png

KINDS = st.fixed_dictionaries(
    {
        "quality": st.integers(1, 95),
        "subsampling": st.sampled_from([0, 1, 2]),
        "progressive": st.booleans(),
        "optimize": st.booleans(),
    }
)


@given(st.integers(1, 50), st.integers(1, 50), st.sampled_from(["L", "RGB"]), KINDS)
def test_same_pixels_as_pillow(width: int, height: int, mode: str, options: dict[str, Any]) -> None:
    """Every plain JPEG gives the very pixels that Pillow's `open` gives."""
    noise = Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8))
    data = encoded(noise.convert(mode), "JPEG", **options)
    header = short.look(data)
    assert header == (width, height, mode)
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(short.decode(data, header), np.asarray(image).reshape(height, width, -1))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xda" + bytes(20),
        png(),
        encoded(picture(mode="CMYK"), "JPEG"),
        encoded(picture(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0"),
        jpeg()[:40],
        jpeg()[:2] + b"\xff\xe2\x00\x04xx" + jpeg()[2:],
    ],
)
def test_what_is_not_plain_is_left_to_pillow(data: bytes) -> None:
    """No JPEG, CMYK, Exif, other application data, and headers that break off do not go the short way."""
    assert short.look(data) is None


@given(st.binary(max_size=200))
def test_looking_never_fails(noise: bytes) -> None:
    """Whatever follows the first marker, the header is read or it is not."""
    found = short.look(b"\xff\xd8\xff" + noise)
    assert found is None or found.mode in ("L", "RGB")


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_truncated_raises(keep: float) -> None:
    """A file that was cut off is never decoded in part."""
    data = jpeg(side=48)[: int(len(jpeg(side=48)) * keep)]
    header = short.look(data) or short.PlainJpeg(48, 48, "RGB")
    with pytest.raises((ValueError, OSError)):
        short.decode(data, header)


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A stand-in for simplejpeg, seen by `accelerator` for the time of a test."""
    module = ModuleType("simplejpeg")
    monkeypatch.setitem(sys.modules, "simplejpeg", module)
    short.accelerator.cache_clear()
    return module


@pytest.fixture(autouse=True)
def _asked_afresh() -> Any:
    yield
    short.accelerator.cache_clear()


def _faithful(data: bytes, *, colorspace: str) -> np.ndarray:
    image = Image.open(io.BytesIO(data)).convert("L" if colorspace == "GRAY" else "RGB")
    return np.asarray(image).reshape(image.height, image.width, -1)


def test_accelerator_that_agrees_is_used(foreign: ModuleType) -> None:
    """A quicker decoder is taken when it gives the same pixels."""
    foreign.decode_jpeg = _faithful  # type: ignore[attr-defined]
    assert short.accelerator() is not None
    data = jpeg(3)
    header = short.look(data)
    assert header is not None
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(short.decode(data, header), np.asarray(image))


def test_accelerator_that_differs_is_refused(foreign: ModuleType) -> None:
    """One level of difference in one picture is enough to leave it alone."""
    foreign.decode_jpeg = lambda data, *, colorspace: _faithful(data, colorspace=colorspace) ^ 1  # type: ignore[attr-defined]
    assert short.accelerator() is None


def test_without_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is missing where simplejpeg is not installed."""
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    short.accelerator.cache_clear()
    assert short.accelerator() is None
    data = encoded(Image.fromarray(pixels()), "JPEG")
    header = short.look(data)
    assert header is not None
    assert short.decode(data, header).shape == (16, 16, 3)
