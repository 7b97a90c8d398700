"""Facts about bringing pictures and masks together."""

from pathlib import Path

import numpy as np
import pytest

from epochal.data.catalogue import catalogue
from epochal.data.contents import Catalogue
from epochal.data.sources import open_source
from epochal.errors import DataError
from pictures import folder_of, mask, masked, png, zip_of

NAMES = b"sky\nvoid\nroad\n"


def made(files: dict[str, bytes], top: Path) -> Catalogue:
    """The catalogue of a folder with these files."""
    return catalogue(open_source(folder_of(files, top)))


def test_a_list_names_the_classes(tmp_path: Path) -> None:
    """Names come from classes.txt, the unlabelled one is left out, and the reason says all that."""
    found = made(masked(4) | {"classes.txt": NAMES}, tmp_path)
    assert (found.kind, found.names) == ("segmentation", ("sky", "road"))
    assert found.masks is not None
    assert found.masks.numbers == (0, 2)
    assert found.reason == (
        "4 pictures have a mask of the same name (images/00.png, masks/00.png), so each pixel is told apart into 2"
        " classes, named by classes.txt; 'void' (1) is ignored because of its name."
    )
    assert found.labels == (-1,) * 4
    assert found.ignored == ()


@pytest.mark.parametrize(
    "text", ["0 sky\n1 void\n2 light road", "0: sky\n1: void\n2: light road", "0,sky\n1,void\n2,light road\n",
             "\ufeffsky\r\n\r\nvoid\r\nlight road"],
)  # fmt: skip
def test_ways_of_listing_names(tmp_path: Path, text: str) -> None:
    """Numbers before the names, a byte order mark and empty lines do no harm."""
    assert made(masked() | {"classes.txt": text.encode()}, tmp_path).names == ("sky", "light road")


def test_names_that_begin_with_numbers_stay_whole(tmp_path: Path) -> None:
    """Only where every line begins with its own number are these taken away."""
    assert made(masked() | {"classes.txt": b"3 wheels\n4 wheels\n"}, tmp_path).names == ("3 wheels", "4 wheels")


def test_without_a_list_the_numbers_found_are_the_names(tmp_path: Path) -> None:
    """All masks are read to learn which numbers there are, also where one number is in the last mask alone."""
    files = masked(5, classes=2)
    files["masks/04.png"] = mask(np.full((16, 16), 9))
    found = made(files, tmp_path)
    assert found.names == ("0", "1", "9")
    assert "no classes.txt names them, so they are called by the numbers found" in found.reason


def test_zip_and_splits(tmp_path: Path) -> None:
    """The same from a zip with a folder on top; splits are read from the folders."""
    files = masked(3, top="set/train/") | masked(2, top="set/test/") | {"set/classes.txt": NAMES}
    found = catalogue(open_source(zip_of(files, tmp_path / "set.zip")))
    assert found.splits == ("test",) * 2 + ("train",) * 3
    assert [entry.key for entry in found.companions] == ["set/classes.txt"]


def test_missing_and_stray_masks(tmp_path: Path) -> None:
    """A picture without a mask is a problem; a mask without a picture, and a picture elsewhere, are stray."""
    files = masked(4) | {"classes.txt": NAMES, "images/new.png": png(7), "cover.png": png(8)}
    del files["images/00.png"]
    found = made(files, tmp_path)
    at = next(number for number, entry in enumerate(found.entries) if entry.key == "images/new.png")
    assert found.problems == {at: "no-mask: no mask has the name of images/new.png"}
    assert found.stray == ("cover.png", "masks/00.png")


def test_too_few_classes(tmp_path: Path) -> None:
    """Masks that know one class only are refused."""
    files = {f"images/{number}.png": png(number) for number in range(3)}
    files |= {f"masks/{number}.png": mask(np.full((16, 16), 3)) for number in range(3)}
    with pytest.raises(DataError, match="know 1 class: 3"):
        made(files, tmp_path)


def test_a_list_in_another_encoding(tmp_path: Path) -> None:
    """A list of names that is no UTF-8 is refused by name."""
    with pytest.raises(DataError, match=r"classes\.txt .* cannot be read"):
        made(masked() | {"classes.txt": "Straße\n".encode("latin-1")}, tmp_path)


def test_every_file_that_matters_is_in_the_fingerprint(tmp_path: Path) -> None:
    """A changed mask, name list or picture changes the fingerprint; another file does not."""
    folder_of(masked() | {"classes.txt": NAMES}, tmp_path)
    before = catalogue(open_source(tmp_path)).fingerprint()
    (tmp_path / "readme.md").write_text("x")
    assert catalogue(open_source(tmp_path)).fingerprint() == before
    seen = {before}
    for name in ("masks/01.png", "images/01.png"):
        (tmp_path / name).write_bytes(mask(np.arange(256).reshape(16, 16) % 3))
        seen.add(catalogue(open_source(tmp_path)).fingerprint())
    (tmp_path / "classes.txt").write_bytes(NAMES + b"car\n")
    seen.add(catalogue(open_source(tmp_path)).fingerprint())
    assert len(seen) == 4


def test_a_part_keeps_its_masks(tmp_path: Path) -> None:
    """Chosen pictures keep their masks."""
    part = made(masked() | {"classes.txt": NAMES}, tmp_path).select([2, 0])
    assert part.masks is not None
    assert [entry.key for entry in part.masks.entries] == ["masks/02.png", "masks/00.png"]
