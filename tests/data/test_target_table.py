"""Facts about finding the table that names the pictures."""

from pathlib import Path

import pytest

from epochal.data.sources import open_source
from epochal.data.target_table import TargetTable, find_table
from epochal.errors import DataError
from pictures import folder_of, png, zip_of

KEYS = ["images/a.png", "images/b.png", "images/c.png"]


def found_in(files: dict[str, bytes], top: Path, *, keys: list[str] = KEYS) -> TargetTable | None:
    """The table of a folder with these files beside the pictures."""
    return find_table(open_source(folder_of(files | {key: png() for key in keys}, top)), keys)


def test_no_table_is_no_fault(tmp_path: Path) -> None:
    """Without any table there is nothing to find; one that lies deeper than the top is not looked at."""
    assert found_in({"notes.txt": b"x"}, tmp_path) is None
    assert found_in({"images/t.csv": b"file,v\na.png,1\n"}, tmp_path) is None


def test_table_inside_a_zip_with_a_folder_on_top(tmp_path: Path) -> None:
    """A zip that was made of a folder is looked at below that folder; paths are relative to the table."""
    files = {f"set/{key}": png(number) for number, key in enumerate(KEYS)}
    files["set/t.csv"] = b"file,v\nimages/a.png,1\nimages/c.png,2\n"
    found = find_table(open_source(zip_of(files, tmp_path / "set.zip")), [f"set/{key}" for key in KEYS])
    assert found is not None
    assert found.pictures == (0, 2)
    assert found.where == ("t.csv, row 2", "t.csv, row 3")


def test_no_column_of_files(tmp_path: Path) -> None:
    """A table that names no files is refused with its closest column."""
    with pytest.raises(DataError, match=r"t\.csv: 'photo' names 1 picture of 3, not for example x\.png") as caught:
        found_in({"t.csv": b"photo,v\na.png,1\nx.png,2\ny.png,3\n"}, tmp_path)
    assert "column in which most cells name pictures" in caught.value.expected


def test_first_line_of_values(tmp_path: Path) -> None:
    """A table without names for its columns is read from its first line on."""
    found = found_in({"t.csv": b"a.png,1.5\nb.png,2.5\nc.png,7\n"}, tmp_path)
    assert found is not None
    assert found.where == ("t.csv, row 1", "t.csv, row 2", "t.csv, row 3")
    assert [column.name for column in found.columns] == ["column 2"]


def test_column_of_splits(tmp_path: Path) -> None:
    """A column called split that holds names of splits is no target; unknown words make it one."""
    found = found_in({"t.csv": b"file,split,v\na.png,Train,1\nb.png,validation,2\nc.png,test,3\n"}, tmp_path)
    assert found is not None
    assert found.splits == ("train", "val", "test")
    assert [column.name for column in found.columns] == ["v"]
    (tmp_path / "t.csv").write_text("file,set\na.png,red\nb.png,blue\nc.png,red\n")
    found = find_table(open_source(tmp_path), KEYS)
    assert found is not None
    assert found.splits is None
    assert [column.name for column in found.columns] == ["set"]


def test_tables_of_one_form_are_joined(tmp_path: Path) -> None:
    """train.csv and test.csv with the same columns are one table, and their names say the split."""
    files = {"train.csv": b"file,v\na.png,1\nb.png,2\n", "test.csv": b"file,v\nc.png,3\n"}
    found = found_in(files, tmp_path)
    assert found is not None
    assert found.where == ("test.csv, row 2", "train.csv, row 2", "train.csv, row 3")
    assert found.splits == ("test", "train", "train")
    assert (found.named, found.name) == (3, "test.csv and train.csv")


def test_tables_in_split_folders(tmp_path: Path) -> None:
    """A table inside train/ names the pictures there, and its folder says the split."""
    keys = ["train/a.png", "train/b.png", "val/a.png"]
    files = {"train/t.csv": b"file,v\na.png,1\nb.png,2\n", "val/t.csv": b"file,v\na.png,3\n"}
    found = found_in(files, tmp_path, keys=keys)
    assert found is not None
    assert found.pictures == (0, 1, 2)
    assert found.splits == ("train", "train", "val")


def test_of_several_forms_the_fullest_is_taken(tmp_path: Path) -> None:
    """A second table of another form is not used, and named."""
    files = {"a.csv": b"file,v\na.png,1\n", "b.csv": b"photo,w\na.png,1\nb.png,2\n"}
    found = found_in(files, tmp_path)
    assert found is not None
    assert (found.name, found.unused) == ("b.csv", ("a.csv",))


def test_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    """A broken link in the place of the table is told as such."""
    folder_of({key: png() for key in KEYS}, tmp_path)
    (tmp_path / "t.csv").symlink_to(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match=r"t\.csv .* cannot be read: broken-link"):
        find_table(open_source(tmp_path), KEYS)
