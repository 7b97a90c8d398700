"""Facts about telling pictures from other files."""

import csv
import io
import zipfile
from pathlib import Path

import pytest

from epochal.data.catalogue import catalogue
from epochal.data.sources import open_source
from epochal.errors import DataError, SettingError
from pictures import folder_of, jpeg, masked, png, two_classes, zip_of


def test_other_files_are_ignored_and_named(tmp_path: Path) -> None:
    """Text beside pictures is named as ignored, clutter of the system is not, and neither makes a class."""
    files = two_classes() | {"classes.txt": b"cat", "notes/readme.md": b"x", "cat/Thumbs.db": b"x"}
    found = catalogue(open_source(folder_of(files, tmp_path)))
    assert found.classes == ("cat", "dog")
    assert found.ignored == ("classes.txt", "notes/readme.md")


def test_pictures_without_an_ending_are_known_by_content(tmp_path: Path) -> None:
    """The first bytes tell a picture whose name does not."""
    files = {"cat/1": png(), "cat/2.dat": jpeg(), "dog/3": png(1), "dog/4": b"no picture", "dog/5": b""}
    found = catalogue(open_source(folder_of(files, tmp_path)))
    assert [entry.key for entry in found.entries] == ["cat/1", "cat/2.dat", "dog/3"]
    assert found.ignored == ("dog/4", "dog/5")


def test_folder_and_zip_agree(tmp_path: Path) -> None:
    """The same files give the same classes, labels and splits from a folder and from a zip with a folder on top."""
    files = two_classes(top="train/") | two_classes(2, top="test/")
    folder = catalogue(open_source(folder_of(files, tmp_path / "pets")))
    packed = catalogue(open_source(zip_of({f"pets/{key}": data for key, data in files.items()}, tmp_path / "p.zip")))
    assert (folder.classes, folder.labels, folder.splits) == (packed.classes, packed.labels, packed.splits)


def test_unlabelled_takes_every_picture(tmp_path: Path) -> None:
    """For prediction the folders mean nothing, and one picture is enough."""
    found = catalogue(open_source(folder_of({"a.png": png(), "x/y/b.png": png(1)}, tmp_path)), labelled=False)
    assert [entry.key for entry in found.entries] == ["a.png", "x/y/b.png"]
    assert found.labels == (-1, -1)


def test_empty_folder(tmp_path: Path) -> None:
    """An empty folder is refused with what was expected."""
    with pytest.raises(DataError, match="no images") as caught:
        catalogue(open_source(tmp_path))
    assert "one folder for each class" in caught.value.expected


def test_fingerprint_sees_pictures_alone(tmp_path: Path) -> None:
    """A picture that is added changes the fingerprint, a note does not."""
    folder_of(two_classes(), tmp_path)
    before = catalogue(open_source(tmp_path)).fingerprint()
    folder_of({"notes.txt": b"x"}, tmp_path)
    assert catalogue(open_source(tmp_path)).fingerprint() == before
    folder_of({"cat/new.png": png(9)}, tmp_path)
    assert catalogue(open_source(tmp_path)).fingerprint() != before


def test_select_keeps_things_together() -> None:
    """Chosen pictures keep their own labels."""
    digits = catalogue(open_source("digits"))
    chosen = digits.select([1796, 0])
    assert [entry.key.split("/")[0] for entry in chosen.entries] == ["9", "0"]
    assert chosen.labels == (9, 0)


def test_class_folders_say_what_they_are() -> None:
    """The reason of class folders counts pictures and folders and names some."""
    found = catalogue(open_source("digits"))
    assert (found.kind, found.names) == ("classification", found.classes)
    assert found.reason == "1,797 pictures lie in 10 class folders (0, 1, ..., 9)."


def rows(files: dict[str, bytes], *, cells: str = "{}.5") -> bytes:
    """A table with a row for each picture."""
    keys = [key for key in files if key.endswith(".png")]
    return ("file,x\n" + "".join(f"{key},{cells.format(row)}\n" for row, key in enumerate(keys))).encode()


def test_a_table_beside_class_folders_is_a_remark(tmp_path: Path) -> None:
    """Class folders stay what they are when some table names the pictures, too; the reason tells of it."""
    files = two_classes()
    plain = catalogue(open_source(folder_of(files, tmp_path)))
    (tmp_path / "photographers.csv").write_bytes(rows(files))
    found = catalogue(open_source(tmp_path))
    assert (found.kind, found.labels, found.fingerprint()) == ("classification", plain.labels, plain.fingerprint())
    assert found.reason.endswith("; photographers.csv also names pictures: --task regression or multi-label reads it.")
    (tmp_path / "broken.csv").write_bytes(b"\xff\x00")
    assert catalogue(open_source(tmp_path)).labels == plain.labels


def test_a_table_called_targets_has_the_word(tmp_path: Path) -> None:
    """A whole table called targets, labels or the like comes before folders; one that names few pictures does not."""
    files = two_classes()
    folder_of(files | {"labels.csv": rows(files)}, tmp_path / "whole")
    assert catalogue(open_source(tmp_path / "whole")).kind == "regression"
    few = rows({key: data for key, data in files.items() if key.startswith("cat")})
    folder_of(files | {"labels.csv": few}, tmp_path / "few")
    assert catalogue(open_source(tmp_path / "few")).kind == "classification"


def test_the_task_may_be_asked_for(tmp_path: Path) -> None:
    """A task that is asked for takes its targets, or says what is missing."""
    files = two_classes()
    folder_of(files | {"photographers.csv": rows(files)}, tmp_path)
    assert catalogue(open_source(tmp_path), task="regression").kind == "regression"
    assert catalogue(open_source(tmp_path), task="classification").kind == "classification"
    with pytest.raises(DataError, match="no target for multi-label"):
        catalogue(open_source(tmp_path), task="multi-label")
    with pytest.raises(DataError, match="no pairs of image and mask"):
        catalogue(open_source(tmp_path), task="segmentation")
    with pytest.raises(DataError, match="class folders and no table with targets for regression"):
        catalogue(open_source("digits"), task="regression")
    with pytest.raises(SettingError, match="The task is 'detection'"):
        catalogue(open_source(tmp_path), task="detection")  # type: ignore[arg-type]  # what a user may type


def test_masks_come_before_folders(tmp_path: Path) -> None:
    """Folders called images and masks are pairs, unless classes are asked for."""
    folder_of(masked(), tmp_path)
    assert catalogue(open_source(tmp_path)).kind == "segmentation"
    assert catalogue(open_source(tmp_path), task="classification").classes == ("images", "masks")


def test_the_nearest_miss_is_told(tmp_path: Path) -> None:
    """Where there are neither class folders nor a table that fits, the table's fault is told."""
    files = {f"images/{number}.png": png(number) for number in range(4)}
    folder_of(files | {"t.csv": b"photo,x\n0.png,1.5\n9.png,2.5\n8.png,3.5\n"}, tmp_path)
    with pytest.raises(DataError, match=r"'photo' names 1 picture of 3, not for example 9\.png"):
        catalogue(open_source(tmp_path))


def test_predicting_reads_no_table(tmp_path: Path) -> None:
    """Without labels a table and masks are nothing, even when they are broken."""
    files = masked(2) | {"t.csv": b"\xff"}
    found = catalogue(open_source(folder_of(files, tmp_path)), labelled=False)
    assert len(found.entries) == 4
    assert (found.targets, found.masks, found.labels, found.ignored) == (None, None, (-1,) * 4, ("t.csv",))


def test_real_data(shared_data: Path) -> None:
    """The needles are values, the road scenes are masks, the small pictures are classes."""
    needle = catalogue(open_source(shared_data / "needle.zip"))
    assert (needle.kind, needle.names, len(needle.entries), len(needle.problems)) == ("regression", ("value",), 1470, 0)
    assert needle.targets is not None
    with zipfile.ZipFile(shared_data / "needle.zip") as file:
        lines = csv.DictReader(io.TextIOWrapper(file.open("targets.csv"), "utf-8"))
        expected = {line["file"]: float(line["value"]) for line in lines}
    values = dict(zip((entry.key for entry in needle.entries), needle.targets[:, 0].tolist(), strict=True))
    assert values == pytest.approx(expected, abs=1e-6)
    camvid = catalogue(open_source(shared_data / "camvid.zip"))
    assert (camvid.kind, len(camvid.names), len(camvid.problems)) == ("segmentation", 11, 0)
    assert (camvid.splits.count("train"), camvid.splits.count("val")) == (367, 101)
    assert "'unlabelled' (11) is ignored" in camvid.reason
    assert catalogue(open_source(shared_data / "cifar10.zip")).kind == "classification"
