"""Facts about bringing a table and its pictures together."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from epochal.data.catalogue import catalogue
from epochal.data.contents import Catalogue
from epochal.data.sources import open_source
from epochal.errors import DataError
from pictures import folder_of, png, tabled

VALUES = {f"{number}.png": f"{number * 1.5 + 0.25}" for number in range(12)}


def made(files: dict[str, bytes], top: Path, **changes: object) -> Catalogue:
    """The catalogue of a folder with these files."""
    return catalogue(open_source(folder_of(files, top)), **changes)  # type: ignore[arg-type]


def by_name(found: Catalogue) -> dict[str, str]:
    """The problem of each picture that has one, by the last part of its key."""
    return {found.entries[number].key.rsplit("/", 1)[-1]: problem for number, problem in found.problems.items()}


def test_values_belong_to_their_pictures(tmp_path: Path) -> None:
    """Entries are in the order of keys, and each has the value of its row, whatever the order of the table."""
    files = tabled(dict(reversed(VALUES.items())))
    found = made(files, tmp_path)
    assert (found.kind, found.names) == ("regression", ("value",))
    assert found.targets is not None
    assert {entry.key[7:]: value for entry, value in zip(found.entries, found.targets[:, 0], strict=True)} == {
        name: float(value) for name, value in VALUES.items()
    }
    assert [entry.key for entry in found.entries] == sorted(entry.key for entry in found.entries)
    assert [entry.key for entry in found.companions] == ["targets.csv"]
    assert found.reason == "targets.csv names 12 pictures in 'file' and measures 'value' (12 different values)."


def test_every_broken_row_is_located_and_the_others_are_used(tmp_path: Path) -> None:
    """Missing files, rows without a file, broken cells and rows that disagree are problems of their pictures."""
    rows = VALUES | {"2.png": "nan", "3.png": "soon"}
    files = tabled(rows)
    files["targets.csv"] += b"gone.png,1.5\n,2.5\n4.png,99\n5.png,7.75\n"
    found = made(files, tmp_path)
    assert by_name(found) == {
        "2.png": "bad-target: targets.csv, row 4: 'value' is nan, not a finite number",
        "3.png": "bad-target: targets.csv, row 5: 'value' is 'soon', not a finite number",
        "4.png": "contradiction: targets.csv, row 6 says 6.25, targets.csv, row 16 says 99",
        "gone.png": "missing-file: targets.csv, row 14: there is no picture gone.png",
        "targets.csv, row 15": "missing-file: targets.csv, row 15: it names no file",
    }
    same = next(number for number, entry in enumerate(found.entries) if entry.key == "images/5.png")
    assert found.notes == {same: ("named-twice: targets.csv, row 7 and targets.csv, row 17 say the same",)}
    assert found.targets is not None
    assert np.isnan(found.targets[list(found.problems)]).all()
    assert found.targets[same, 0] == 7.75


def test_a_broken_row_beside_a_sound_one(tmp_path: Path) -> None:
    """Where a picture stands twice and one row is broken, the other counts and the picture carries a remark."""
    files = tabled(VALUES)
    files["targets.csv"] += b"1.png,\n"
    found = made(files, tmp_path)
    at = next(number for number, entry in enumerate(found.entries) if entry.key == "images/1.png")
    assert not found.problems
    assert found.notes == {at: ("row-left-out: targets.csv, row 14: 'value' is empty, not a number",)}


def test_pictures_without_a_row_are_stray(tmp_path: Path) -> None:
    """A picture that no row names has no target and is named as such."""
    found = made(tabled(VALUES) | {"images/other.png": png(99)}, tmp_path)
    assert found.stray == ("images/other.png",)
    assert len(found.entries) == 12


def test_nothing_usable(tmp_path: Path) -> None:
    """Where no row can be used the run ends, with the first reason."""
    rows = {f"{number}.png": f"{number}.5" for number in range(4)}
    files = tabled(rows)
    files["targets.csv"] += b"".join(f"{name},{number}.25\n".encode() for number, name in enumerate(rows))
    with pytest.raises(DataError, match=r"No row of targets\.csv can be used; the first: contradiction: .*row 2 says"):
        made(files, tmp_path)


def test_splits_of_the_table_come_before_those_of_folders(tmp_path: Path) -> None:
    """A split column decides; without one the folders of the pictures do."""
    lines = ["file,value,split", "train/a.png,0.5,val", "train/b.png,1.5,train", "test/c.png,2.5,test"]
    files = {key: png(number) for number, key in enumerate(("train/a.png", "train/b.png", "test/c.png"))}
    found = made(files | {"t.csv": "\n".join(lines).encode()}, tmp_path / "with")
    assert dict(zip((entry.key for entry in found.entries), found.splits, strict=True)) == {
        "train/a.png": "val", "train/b.png": "train", "test/c.png": "test",
    }  # fmt: skip
    without = "\n".join(line.rpartition(",")[0] for line in lines).encode()
    found = made(files | {"t.csv": without}, tmp_path / "without")
    assert dict(zip((entry.key for entry in found.entries), found.splits, strict=True)) == {
        "train/a.png": "train", "train/b.png": "train", "test/c.png": "test",
    }  # fmt: skip


def test_one_picture_in_two_splits_is_a_contradiction(tmp_path: Path) -> None:
    """The same value in train and in test is no remark but a leak."""
    files = tabled({name: f"{value},train" for name, value in VALUES.items()}, header="file,value,split")
    files["targets.csv"] += b"0.png,0.25,test\n"
    assert "contradiction" in by_name(made(files, tmp_path))["0.png"]


def test_classes_and_labels_from_a_table(tmp_path: Path) -> None:
    """Words make classes; lists make marks, with the rarest label as stratum."""
    words = {f"{number}.png": ["cat", "dog"][number % 2] for number in range(8)}
    found = made(tabled(words, header="file,label"), tmp_path / "words")
    assert (found.kind, found.names, found.targets) == ("classification", ("cat", "dog"), None)
    assert found.labels == tuple(number % 2 for number in range(8))
    lists = {f"{number}.png": ["a", "a;b", ""][number % 3] for number in range(9)}
    found = made(tabled(lists, header="file,tags"), tmp_path / "lists")
    assert (found.kind, found.names) == ("multi-label", ("a", "b"))
    assert found.targets is not None
    assert found.targets[:3].tolist() == [[1, 0], [1, 1], [0, 0]]
    assert found.labels[:3] == (0, 1, -1)


def test_a_chosen_part_keeps_targets_and_problems(tmp_path: Path) -> None:
    """Of some of the pictures, targets and problems stay with theirs."""
    found = made(tabled(VALUES | {"2.png": "nan"}), tmp_path)
    keys = [entry.key for entry in found.entries]
    part = found.select([keys.index("images/2.png"), keys.index("images/0.png")])
    assert part.targets is not None
    assert part.targets[1, 0] == 0.25
    assert list(part.problems) == [0]


def test_a_parquet_table_reads_as_a_csv(tmp_path: Path) -> None:
    """The same table as Parquet gives the same targets, with a missing value located by its row."""
    files = tabled(VALUES | {"2.png": ""})
    from_csv = made(files, tmp_path / "csv")
    del files["targets.csv"]
    names = list(VALUES)
    values = [None if name == "2.png" else float(VALUES[name]) for name in names]
    folder_of(files, tmp_path / "parquet")
    pyarrow.parquet.write_table(pa.table({"file": names, "value": values}), tmp_path / "parquet" / "targets.parquet")
    found = catalogue(open_source(tmp_path / "parquet"))
    assert from_csv.targets is not None
    assert found.targets is not None
    np.testing.assert_array_equal(found.targets, from_csv.targets)
    assert by_name(found) == {"2.png": "bad-target: targets.parquet, row 3: 'value' is empty, not a number"}
    assert by_name(from_csv) == {"2.png": "bad-target: targets.csv, row 4: 'value' is empty, not a number"}
