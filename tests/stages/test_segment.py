"""Names of mask files, and masks in the size of their pictures."""

from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from epochal.data.size import dense_size
from epochal.stages.segment import enlarged_mask, mask_names, refuse_inside, see, shares_of, write_mask
from pictures import encoded
from stages.models import facts_of

NAMES = st.lists(st.text(st.sampled_from("ab./\\:\x00A"), min_size=1, max_size=8), min_size=1, max_size=8, unique=True)


@given(NAMES)
def test_every_picture_has_a_mask_of_its_own_inside(keys: list[str]) -> None:
    """Whatever a stranger's archive calls its files: no name leads out, no two are the same on any disk."""
    names = mask_names(keys)
    assert list(names) == keys
    assert len({name.casefold() for name in names.values()}) == len(keys)
    for name in names.values():
        path = PurePosixPath(name)
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert path.suffix == ".png"
        assert not set('\\:*?"<>|\x00') & set(name)


def test_sub_folders_are_kept() -> None:
    """a/x.jpg and b/x.jpg do not overwrite each other; nor do x.jpg and x.png."""
    assert mask_names(["a/x.jpg", "b/x.jpg", "x.jpg", "x.png", "long.name.jpeg"]) == {
        "a/x.jpg": "a/x.png",
        "b/x.jpg": "b/x.png",
        "x.jpg": "x.jpg.png",
        "x.png": "x.png.png",
        "long.name.jpeg": "long.name.png",
    }


def test_a_mask_beside_the_pictures_is_fine(tmp_path: Path) -> None:
    """Only the folder of the pictures itself is closed, not one that begins with the same letters."""
    (tmp_path / "photos").mkdir()
    refuse_inside(tmp_path / "photos-masks", tmp_path / "photos")
    refuse_inside(tmp_path, tmp_path / "photos")


@pytest.mark.parametrize(("height", "width"), [(360, 480), (480, 360), (100, 640), (90, 91), (20, 30)])
def test_a_picture_is_seen_whole_and_unsqueezed(height: int, width: int) -> None:
    """Both sides are scaled alike, to cover the size that pictures of these proportions are trained at."""
    facts = facts_of("segmentation", size=(192, 256))
    seen = see(encoded(Image.new("RGB", (width, height))), facts=facts, key="p.png").pixels
    least = dense_size([(height, width)], longer=256)
    assert seen.shape[0] >= least[0]
    assert seen.shape[1] >= least[1]
    assert seen.shape[0] == least[0] or seen.shape[1] == least[1]
    assert seen.shape[0] / height == pytest.approx(seen.shape[1] / width, rel=0.02)


def test_pictures_like_those_of_training_are_seen_as_there() -> None:
    """The usual picture has exactly the size that the network was trained on."""
    facts = facts_of("segmentation", size=(192, 256))
    assert see(encoded(Image.new("RGB", (480, 360))), facts=facts, key="p.png").pixels.shape == (192, 256, 3)


def test_a_turned_photograph_is_segmented_upright() -> None:
    """A camera held on its side: sizes are those that a person sees."""
    turned = Image.Exif()
    turned[0x0112] = 6
    data = encoded(Image.new("RGB", (480, 360)), "JPEG", exif=turned)
    decoded = see(data, facts=facts_of("segmentation", size=(192, 256)), key="p.jpg")
    assert (decoded.header.height, decoded.header.width) == (480, 360)
    assert decoded.pixels.shape == (256, 192, 3)


@pytest.mark.parametrize("size", [(7, 9), (20, 14), (3, 30)])
def test_class_by_class_is_the_same_as_all_at_once(size: tuple[int, int]) -> None:
    """Enlarging one map after the other gives the argmax of all enlarged maps."""
    outputs = torch.randn(5, 7, 9, generator=torch.Generator().manual_seed(0))
    whole = torch.nn.functional.interpolate(outputs[None], size=size, mode="bilinear", align_corners=False)[0]
    np.testing.assert_array_equal(enlarged_mask(outputs, size), whole.argmax(0).numpy())


def test_shares_are_counts_over_pixels() -> None:
    """Every class has its column, those that the mask does not hold as well."""
    mask = np.array([[2, 2], [0, 2]], np.uint8)
    assert shares_of(mask, classes=("a", "b", "c")) == {"share.a": 0.25, "share.b": 0.0, "share.c": 0.75}


def test_a_mask_file_is_read_as_class_numbers(tmp_path: Path) -> None:
    """Eight bits with a palette: what reads indices gets the classes, what shows colours shows them apart."""
    mask = np.random.default_rng(0).integers(0, 11, (9, 7), dtype=np.uint8)
    write_mask(mask, tmp_path / "deep" / "m.png", classes=11)
    image = Image.open(tmp_path / "deep" / "m.png")
    assert image.mode == "P"
    np.testing.assert_array_equal(np.asarray(image), mask)
    colors = {tuple(each) for each in np.asarray(image.convert("RGB")).reshape(-1, 3).tolist()}
    assert len(colors) == len(np.unique(mask))
