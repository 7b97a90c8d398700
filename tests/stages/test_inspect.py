"""The first look at the data: what is counted, what is refused, and what a later start finds again."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from epochal.data.sources import open_source
from epochal.errors import DataError, RunError
from epochal.stages.folder import RunFolder
from epochal.stages.inspect import inspect
from epochal.stages.inspected import Inspected
from epochal.stages.session import Session
from pictures import folder_of, png
from stages.conftest import Prepared
from stages.striped import CLASSES, striped_files, striped_folder
from stages.whole import copied, inspected_on, session_on


def test_the_table_has_one_row_for_each_file(prepared: Prepared) -> None:
    """Every file is in samples.csv with its split and its class as the folders say."""
    with prepared.folder.samples.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["key"] for row in rows} == set(striped_files())
    assert all(row["key"].startswith(row["split"] + "/") for row in rows)


def test_mean_and_deviation_are_those_of_the_training_split(begun: tuple[Session, Inspected]) -> None:
    """Streamed statistics equal those of all training pixels at once; no other split is in them."""
    _, inspected = begun
    pixels = inspected.train.images[inspected.train.index].reshape(-1, 3) / 255
    np.testing.assert_allclose(inspected.mean, pixels.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(inspected.std, pixels.std(axis=0), atol=1e-6)
    assert inspected.task.names == tuple(sorted(CLASSES))
    assert inspected.carved == ()


def test_batches_are_normalised_with_them(begun: tuple[Session, Inspected]) -> None:
    """The training split as the network receives it has mean 0 and deviation 1."""
    _, inspected = begun
    (batch,) = inspected.loader(inspected.train, batch_size=1000).epoch(0)
    images = batch.images.double()
    np.testing.assert_allclose(images.mean((0, 2, 3)).numpy(), 0, atol=1e-4)
    np.testing.assert_allclose(images.std((0, 2, 3), correction=0).numpy(), 1, atol=1e-4)


def test_missing_splits_are_carved_and_named(tmp_path: Path) -> None:
    """Without folders for them, val and test are taken from train by class; the shares may be chosen."""
    data = striped_folder(tmp_path / "data", 60, splits=())
    session, inspected = inspected_on(data, RunFolder(tmp_path / "run"), data__test_fraction=0.2)
    assert inspected.carved == ("val", "test")
    assert (len(inspected.train), len(inspected.val), len(inspected.splits.test)) == (42, 6, 12)
    assert session.journal.measured("data.carved") == ["val", "test"]


def test_the_test_split_stays_sealed(begun: tuple[Session, Inspected]) -> None:
    """Inspecting opens it not once, and its labels are nowhere to be read."""
    session, inspected = begun
    assert list(session.journal.select("opened")) == []
    sealed = inspected.table.index("test")
    assert (inspected.train.labels[sealed] == -1).all()
    assert (inspected.val.labels[sealed] == -1).all()


def test_openings_are_counted_over_all_starts(prepared: Prepared, tmp_path: Path) -> None:
    """A process that was killed after opening has seen the test split, too."""
    folder = copied(prepared.folder, tmp_path / "run")
    for count in (1, 2):
        session, inspected = inspected_on(prepared.data, folder)
        inspected.splits.test.open("a look")
        assert [event["count"] for event in session.journal.select("opened")] == list(range(1, count + 1))


def test_a_later_start_finds_the_same(prepared: Prepared, tmp_path: Path) -> None:
    """Splits, statistics and arithmetic come back as they were, and the stage is not done twice."""
    folder = copied(prepared.folder, tmp_path / "run")
    first, second = (inspected_on(prepared.data, folder)[1] for _ in range(2))
    for split in ("train", "val", "test"):
        np.testing.assert_array_equal(first.table.index(split), second.table.index(split))
    assert (first.mean, first.std, first.runtime) == (second.mean, second.std, second.runtime)
    session = session_on(prepared.data, folder)
    assert len(list(session.journal.select("stage", stage="inspect", event="end"))) == 1


@pytest.mark.parametrize("change", ["added", "removed", "changed"])
def test_changed_data_are_refused(tmp_path: Path, change: str) -> None:
    """A run goes on with the data that it began with, or not at all; the message says what is different."""
    data, folder = striped_folder(tmp_path / "data", 8), RunFolder(tmp_path / "run")
    inspected_on(data, folder)
    victim = data / "train" / CLASSES[0] / "000.png"
    if change == "added":
        (victim.parent / "new.png").write_bytes(png(7, side=12))
    elif change == "removed":
        victim.unlink()
    else:
        victim.write_bytes(png(7, side=12))
        os.utime(victim, ns=(1, 1))
    with pytest.raises(RunError, match=f"1 {change}") as caught:
        inspected_on(data, folder)
    assert "--fresh" in caught.value.remedy


def test_data_may_be_mended_until_they_are_inspected(tmp_path: Path) -> None:
    """A run that was stopped because of its data goes on once they are better, in the same folder."""
    folder = RunFolder(tmp_path / "run")
    data = folder_of({"a/1.png": png(1, side=8), "b/1.png": png(2, side=8)}, tmp_path / "data")
    with pytest.raises(DataError, match="too few different images"):
        inspected_on(data, folder)
    striped_folder(data, 10, side=16, splits=())
    for few in ("a", "b"):
        (data / few / "1.png").unlink()
        (data / few).rmdir()
    session, inspected = inspected_on(data, folder)
    assert inspected.image_size == session.recipe.data.image_size == 16


def test_one_class_that_can_be_read_is_too_few(tmp_path: Path) -> None:
    """With one class every answer is right; the message names a file that could not be read."""
    files = {f"a/{number}.png": png(number) for number in range(5)} | {"b/1.png": b"broken"}
    with pytest.raises(DataError, match=r"Only one class.* a\. 1 files cannot be read, such as b/1\.png"):
        inspected_on(folder_of(files, tmp_path / "data"), RunFolder(tmp_path / "run"))


def test_bad_files_are_named_and_left_out(tmp_path: Path) -> None:
    """Empty, cut and foreign files are in the journal by name; the others are used."""
    files = striped_files(10)
    whole = files[f"train/{CLASSES[0]}/000.png"]
    bad = {"empty.png": b"", "cut.png": whole[: len(whole) // 2], "text.jpg": b"no picture at all, but plain words"}
    data = folder_of(files | {f"train/{CLASSES[0]}/{name}": content for name, content in bad.items()}, tmp_path / "d")
    session, inspected = inspected_on(data, RunFolder(tmp_path / "run"))
    named = {
        problem["key"].rsplit("/")[-1]: problem["problem"] for problem in session.journal.measured("data.problems")
    }
    assert named.keys() == bad.keys()
    assert named["empty.png"].startswith("empty")
    assert session.journal.last("finding", rule="unreadable-file") is not None
    assert len(inspected.train) == 10


def test_duplicates_are_told_inside_and_across_splits(tmp_path: Path) -> None:
    """The same pixels twice in train, and once more in test: two kinds of harm, told apart."""
    files = striped_files(10)
    twin = files[f"train/{CLASSES[0]}/000.png"]
    files |= {f"train/{CLASSES[0]}/twin.png": twin}
    other = files[f"train/{CLASSES[1]}/001.png"]
    files |= {f"test/{CLASSES[1]}/leak.png": other}
    session, _ = inspected_on(folder_of(files, tmp_path / "d"), RunFolder(tmp_path / "run"))
    groups = session.journal.measured("data.duplicates")
    assert groups["within"] == [[f"train/{CLASSES[0]}/000.png", f"train/{CLASSES[0]}/twin.png"]]
    assert [sorted(group) for group in groups["across"]] == [
        [f"test/{CLASSES[1]}/leak.png", f"train/{CLASSES[1]}/001.png"]
    ]


def test_every_rule_on_data_is_examined(begun: tuple[Session, Inspected]) -> None:
    """A PASS is written down for each, so that the report can say what was looked at."""
    session, _ = begun
    codes = [event["code"] for event in session.journal.select("check")]
    assert len(codes) == len(set(codes)) >= 10
    assert all(event["stage"] == "inspect" for event in session.journal.select("check"))


def test_a_side_chosen_by_the_user_is_used(tmp_path: Path) -> None:
    """`--image-size` decides the side of what the network receives."""
    data = striped_folder(tmp_path / "data", 6)
    session = session_on(data, RunFolder(tmp_path / "run"), data__image_size=16)
    assert inspect(session, open_source(data)).image_size == 16
