"""Facts about decoding files of every kind."""

import io
import struct
import warnings
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from epochal.data.decode import DRAFT_MARGIN, decode, hash_pixels, probe
from epochal.data.entries import Unreadable
from epochal.data.formats import formats
from pictures import encoded, jpeg, picture, pixels, png

LOSSLESS = ["PNG", "BMP", "TIFF", "PPM", "QOI"]


def corners(width: int = 40, height: int = 24) -> Image.Image:
    """A picture whose four quarters differ, so that every turn and mirror of it does."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("lime", (width // 2, 0, width, height // 2))
    image.paste("blue", (0, height // 2, width // 2, height))
    image.paste("white", (width // 2, height // 2, width, height))
    return image


def turned(orientation: int, kind: str = "PNG") -> bytes:
    """The picture of four corners with an orientation in its EXIF block."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(corners(), kind, exif=exif)


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_give_the_pixels_back(kind: str) -> None:
    """What was written without loss is read without loss."""
    if kind not in formats():
        pytest.skip(f"this Pillow has no {kind}")
    np.testing.assert_array_equal(decode(encoded(picture(3), kind)).pixels, pixels(3))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_orientation_is_applied(orientation: int, kind: str) -> None:
    """All eight EXIF orientations end upright, as Pillow's own function turns them, and size and remark say so."""
    options = {"lossless": True} if kind == "WEBP" else {}
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(corners(), kind, exif=exif, **options)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    decoded = decode(data)
    np.testing.assert_array_equal(decoded.pixels, expected)
    assert (decoded.header.height, decoded.header.width) == expected.shape[:2]
    assert probe(data).orientation == orientation
    assert (probe(data).height, probe(data).width) == expected.shape[:2]
    assert bool(decoded.notes) == (orientation > 1)


def test_orientation_out_of_range() -> None:
    """An orientation that does not exist turns nothing."""
    np.testing.assert_array_equal(decode(turned(77)).pixels, np.asarray(corners()))


def test_damaged_exif_keeps_the_picture() -> None:
    """Nonsense in the EXIF block costs a remark at most, never the picture."""
    data = jpeg(2, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 30)
    assert decode(data).pixels.shape == (16, 16, 3)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255, 256, 4095, 32768, 65279, 65535])
def test_sixteen_bits_are_scaled(value: int) -> None:
    """16-bit grey is divided by 257 and rounded: the whole range stays whole, in one channel and in three."""
    data = encoded(Image.fromarray(np.full((4, 5), value, np.uint16)))
    expected = round(value / 257)
    decoded = decode(data, channels=1)
    assert np.unique(decoded.pixels).tolist() == [expected]
    assert np.unique(decode(data, channels=3).pixels).tolist() == [expected]
    assert [note.split(":")[0] for note in decoded.notes] == ["sixteen-bit"]


def test_transparency_is_laid_over_white() -> None:
    """Half transparent black over white is grey, whichever way the transparency is kept."""
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    assert np.unique(decode(encoded(half)).pixels).tolist() == [127]
    assert np.unique(decode(encoded(half.convert("LA"))).pixels).tolist() == [127]
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([9, 9, 9, 200, 0, 0])
    assert decode(encoded(palette)).pixels[0, 0].tolist() == [200, 0, 0]
    through = decode(encoded(palette, transparency=1))
    assert through.pixels[0, 0].tolist() == [255, 255, 255]
    assert through.notes == ("transparent: laid over white",)


def test_color_key_transparency() -> None:
    """One colour of an RGB picture that is declared transparent becomes white, the others stay."""
    image = Image.new("RGB", (2, 1), (10, 20, 30))
    image.putpixel((1, 0), (1, 2, 3))
    found = decode(encoded(image, transparency=(10, 20, 30))).pixels
    assert found[0].tolist() == [[255, 255, 255], [1, 2, 3]]


def test_opaque_alpha_is_no_remark() -> None:
    """An alpha channel that hides nothing changes nothing and is not worth a remark."""
    decoded = decode(encoded(picture(5).convert("RGBA")))
    np.testing.assert_array_equal(decoded.pixels, pixels(5))
    assert decoded.notes == ()


def test_one_bit() -> None:
    """Black and white become 0 and 255."""
    image = Image.new("1", (2, 1))
    image.putpixel((1, 0), 1)
    assert decode(encoded(image), channels=1).pixels.ravel().tolist() == [0, 255]


def test_cmyk() -> None:
    """CMYK is converted as Pillow converts it, and that is remarked."""
    data = encoded(picture(mode="CMYK"), "JPEG")
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(image.convert("RGB"))
    decoded = decode(data)
    np.testing.assert_array_equal(decoded.pixels, expected)
    assert decoded.notes[0].startswith("cmyk")


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_first_frame_of_an_animation(kind: str) -> None:
    """Of an animation the first frame is used, and that is remarked."""
    frames = [Image.new("RGB", (6, 6), color) for color in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    decoded = decode(encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50, **options))
    assert decoded.pixels[3, 3].tolist() == [255, 0, 0]
    assert decoded.header.frames == 3
    assert decoded.notes == ("animated: 3 frames, the first is used",)


def test_grey_and_color_into_each_other() -> None:
    """Grey repeats into three channels; colour made grey follows Pillow's weights and is remarked."""
    grey = decode(png(mode="L"), channels=3).pixels
    assert (grey == grey[..., :1]).all()
    made = decode(png(7), channels=1)
    np.testing.assert_array_equal(made.pixels[..., 0], np.asarray(picture(7).convert("L")))
    assert made.notes[0].startswith("colour-made-grey")


@pytest.mark.parametrize("data", [png(1, side=40), jpeg(1, side=40), encoded(picture(1, side=40), "BMP")])
def test_cut_off_files_are_unreadable(data: bytes) -> None:
    """A file that ends early is never used in part."""
    for keep in (0.2, 0.5, 0.9):
        with pytest.raises(Unreadable, match=r"^(truncated|damaged|not-an-image): "):
            decode(data[: int(len(data) * keep)])


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (b"hello, world", "not-an-image"),
        (b"\xff\xd8\xff\xe0 nonsense", "truncated"),
        (bytes(64), "not-an-image"),
    ],
)
def test_files_that_are_no_pictures(data: bytes, kind: str) -> None:
    """Empty files, text and nonsense are told apart."""
    for use in (decode, probe):
        with pytest.raises(Unreadable, match=f"^{kind}: "):
            use(data)


@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"\xff\xd8\xff\xdb", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"BM"]),
)
def test_noise_is_unreadable_or_a_picture(noise: bytes, beginning: bytes) -> None:
    """Whatever bytes come, the outcome is pixels or `Unreadable`, and no warning leaks."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with suppress(Unreadable):
            assert decode(beginning + noise).pixels.dtype == np.uint8


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be huge."""

    def part(name: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))

    header = struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(b"")) + part(b"IEND", b"")


@pytest.mark.parametrize("side", [10_000, 20_000, 2_000_000])
def test_decompression_bombs_are_not_decoded(side: int) -> None:
    """A picture that claims more pixels than the limit is left out before memory is taken."""
    with pytest.raises(Unreadable, match=r"^too-large: "):
        decode(bomb(side, side))


def test_limit_holds_on_the_short_way() -> None:
    """The limit also holds for plain JPEGs."""
    with pytest.raises(Unreadable, match=r"^too-large: "):
        decode(jpeg(side=40), pixel_limit=1000)


def test_large_jpeg_at_reduced_size_looks_the_same() -> None:
    """Decoding at reduced size and shrinking ends close to shrinking the whole."""
    smooth = Image.fromarray(pixels(4, side=8)).resize((640, 480), Image.Resampling.BICUBIC)
    data = encoded(smooth, "JPEG", quality=95)
    reduced = decode(data, size=(32, 32)).pixels.astype(float)
    whole = decode(encoded(smooth), size=(32, 32)).pixels.astype(float)
    assert DRAFT_MARGIN * 32 * 4 <= 480
    assert np.abs(reduced - whole).mean() < 2


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 24), st.integers(1, 24))
def test_every_size_is_reached(width: int, height: int, new_height: int, new_width: int) -> None:
    """Whatever the picture's shape, it comes out in the size asked for; a flat one stays flat."""
    data = encoded(Image.new("RGB", (width, height), (12, 200, 99)), "JPEG", quality=95)
    found = decode(data, size=(new_height, new_width)).pixels
    assert found.shape == (new_height, new_width, 3)
    assert np.abs(found.astype(int) - found[0, 0].astype(int)).max() <= 1


def test_hash_is_of_the_pixels() -> None:
    """The same pixels from two formats have one hash; a changed pixel and another shape have others."""
    first, second = decode(png(3)), decode(encoded(picture(3), "BMP"))
    assert first.pixel_hash == second.pixel_hash
    changed = pixels(3)
    changed[0, 0, 0] ^= 1
    assert hash_pixels(changed) != first.pixel_hash
    assert hash_pixels(pixels(3).reshape(8, 32, 3)) != first.pixel_hash


def test_hash_is_of_the_whole_picture() -> None:
    """Two pictures that differ only where the border is cut off are not the same."""
    wide = np.repeat(pixels(3), 2, axis=1)
    other = wide.copy()
    other[0, 0] ^= 255
    one, two = (decode(encoded(Image.fromarray(each)), size=(16, 16)) for each in (wide, other))
    np.testing.assert_array_equal(one.pixels, two.pixels)
    assert one.pixel_hash != two.pixel_hash


def test_wrong_extension_is_a_remark() -> None:
    """A BMP called .jpg is read and remarked, on the short way too."""
    assert decode(encoded(picture(), "BMP"), key="a.jpg").notes == ("wrong-extension: BMP inside, named .jpg",)
    assert decode(jpeg(), key="a.png").notes == ("wrong-extension: JPEG inside, named .png",)
    assert decode(jpeg(), key="a.JPG").notes == ()


@pytest.mark.parametrize("data", [png(), png(mode="L"), jpeg(), jpeg(mode="L"), encoded(picture(mode="P"), "GIF")])
def test_probe_agrees_with_decode(data: bytes) -> None:
    """Reading the header alone says what decoding says."""
    assert probe(data) == decode(data).header


def test_real_photographs(shared_data: Path) -> None:
    """Pictures of the shared CIFAR-10 come out as Pillow gives them."""
    with zipfile.ZipFile(shared_data / "cifar10.zip") as file:
        for name in [info.filename for info in file.infolist() if not info.is_dir()][::2000]:
            data = file.read(name)
            with Image.open(io.BytesIO(data)) as image:
                np.testing.assert_array_equal(decode(data, size=(32, 32)).pixels, np.asarray(image.convert("RGB")))
