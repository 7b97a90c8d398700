"""Facts about the one pass over files that have values or masks."""

import os
import threading
from collections import Counter
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from epochal.data import scan as room
from epochal.data.entries import Entry
from epochal.data.folder import Folder
from epochal.data.scan import scan
from epochal.data.sources import open_source
from epochal.errors import DataError, SettingError
from pictures import encoded, folder_of, mask, masked, png, tabled


@pytest.fixture(autouse=True)
def _own_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPOCHAL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(room, "WORTH_KEEPING", 0)


class Counting(Folder):
    """A folder that counts how often each file is read whole."""

    reads: ClassVar[Counter[str]] = Counter()
    lock = threading.Lock()

    def read(self, entry: Entry) -> bytes:
        """Read and count."""
        with self.lock:
            self.reads[entry.key] += 1
        return super().read(entry)


NAMES = b"sky\nvoid\nroad\n"


def test_masks_are_decoded_with_their_pictures(tmp_path: Path) -> None:
    """Pixels, masks and shares of the classes are those of the files, with the unlabelled class as 255."""
    found = scan(open_source(folder_of(masked(5, side=64) | {"classes.txt": NAMES}, tmp_path)))
    assert found.images.array.shape == (5, 64, 64, 3)
    for number in range(5):
        numbers = np.asarray(Image.open(tmp_path / f"masks/{number:02d}.png"))
        expected = np.array([0, 255, 1], np.uint8)[numbers]
        np.testing.assert_array_equal(found.targets[number], expected)
        known = expected[expected != 255]
        assert found.table[number].values == pytest.approx([(known == label).mean() for label in (0, 1)])
    assert found.targets.dtype == np.uint8
    assert (found.table.kind, found.table.names) == ("segmentation", ("sky", "road"))
    assert found.table.counts() == {"sky": 5, "road": 5}


def test_masks_come_from_the_cache(tmp_path: Path) -> None:
    """The second scan reads no picture and no mask; a changed mask, or another meaning, is read again."""
    folder_of(masked(5) | {"classes.txt": NAMES}, tmp_path)
    first = scan(Counting(root=tmp_path))
    Counting.reads.clear()
    again = scan(Counting(root=tmp_path))
    assert again.from_cache
    assert set(Counting.reads) <= {"classes.txt"}
    assert again.masks is not None
    assert not again.masks.in_memory
    np.testing.assert_array_equal(again.targets, first.targets)
    (tmp_path / "masks" / "01.png").write_bytes(mask(np.zeros((16, 16), int)))
    changed = scan(open_source(tmp_path))
    assert not changed.from_cache
    assert (changed.targets[1] == 0).all()
    (tmp_path / "classes.txt").write_bytes(b"sky\ncar\nroad\n")
    assert not scan(open_source(tmp_path)).from_cache


def test_every_kind_of_bad_mask_is_left_out_and_named(tmp_path: Path) -> None:
    """Missing, damaged, coloured, of another size, of unknown numbers, empty: problems of their pictures."""
    bad = {
        "1": (b"x", "bad-mask"),
        "2": (png(2), "bad-mask"),
        "3": (mask(np.zeros((8, 16), int)), "mask-size"),
        "4": (mask(np.full((16, 16), 7)), "mask-class"),
        "5": (mask(np.full((16, 16), 1)), "empty-mask"),
        "6": (b"", "bad-mask"),
        "7": (None, "no-mask"),
    }
    files = masked(3) | {f"images/b{name}.png": png(int(name) + 50) for name in bad} | {"classes.txt": NAMES}
    files |= {f"masks/b{name}.png": data for name, (data, _) in bad.items() if data is not None}
    found = scan(open_source(folder_of(files, tmp_path)))
    problems = {row.key[8:9]: row.problem.split(":")[0] for row in found.table if row.problem}
    assert problems == {name: kind for name, (_, kind) in bad.items()}
    assert len(found.table.index()) == 3
    for row, problem in found.table.problems.items():
        assert "b7" in problem or f"masks/{found.table.keys[row][7:]}" in problem
        assert (found.targets[row] == 255).all()


def test_proportions_are_kept_where_every_pixel_counts(tmp_path: Path) -> None:
    """Pictures of 3 to 4 keep that form: the longer side is the one asked for, and both halve five times."""
    files = {}
    for number in range(3):
        files[f"images/{number}.png"] = encoded(Image.fromarray(np.zeros((90, 120, 3), np.uint8)))
        files[f"masks/{number}.png"] = mask(np.indices((90, 120))[1] // 60)
    folder_of(files, tmp_path)
    assert scan(open_source(tmp_path)).images.array.shape == (3, 64, 96, 3)
    wide = scan(open_source(tmp_path), size=128)
    assert wide.targets.shape == (3, 96, 128)
    np.testing.assert_array_equal(wide.targets[0], np.indices((96, 128))[1] // 64)
    assert scan(open_source(tmp_path), size=(32, 64)).targets.shape == (3, 32, 64)
    with pytest.raises(SettingError, match="The image size is 100"):
        scan(open_source(tmp_path), size=100)


def test_values_of_a_table(tmp_path: Path) -> None:
    """The values stand in the order of the pictures; rows with problems are in no split and hold NaN."""
    rows = {f"{number}.png": f"{number * 1.5}" for number in range(10)} | {"3.png": "nan"}
    files = tabled(rows)
    files["targets.csv"] += b"gone.png,2.5\n"
    found = scan(open_source(folder_of(files, tmp_path)))
    assert found.targets.dtype == np.float32
    by_key = dict(zip(found.table.keys, found.targets[:, 0].tolist(), strict=True))
    assert by_key["images/9.png"] == 13.5
    problems = {row.key: row.problem.split(":")[0] for row in found.table if row.problem}
    assert problems == {"images/3.png": "bad-target", "gone.png": "missing-file"}
    assert np.isnan(found.targets[list(found.table.problems)]).all()
    assert len(found.table.index()) == 9


def test_a_corrected_table_needs_no_decoding(tmp_path: Path) -> None:
    """Pixels come from the cache when the table alone has changed, and the targets are the new ones."""
    rows = {f"{number}.png": f"{number * 1.5}" for number in range(10)}
    folder_of(tabled(rows | {"3.png": "nan"}), tmp_path)
    first = scan(open_source(tmp_path))
    assert len(first.table.problems) == 1
    folder_of(tabled(rows | {"4.png": "99"}), tmp_path)
    for key in ("images", "targets.csv"):
        os.utime(tmp_path / key)
    stamps = {entry.key: entry for entry in first.catalogue.entries}
    for entry in open_source(tmp_path).entries():
        if entry.key in stamps:
            os.utime(tmp_path / entry.key, ns=(stamps[entry.key].stamp, stamps[entry.key].stamp))
    again = scan(open_source(tmp_path))
    assert again.from_cache
    assert not again.table.problems
    assert again.targets[list(again.table.keys).index("images/4.png"), 0] == 99
    assert again.targets[list(again.table.keys).index("images/3.png"), 0] == 4.5


def test_targets_of_classes_are_labels() -> None:
    """Where classes are told apart the targets are their numbers."""
    digits = scan(open_source("digits"), cache=False)
    assert digits.targets is digits.table.labels
    assert digits.masks is None


def test_nothing_usable_names_the_reason(tmp_path: Path) -> None:
    """Where pictures are fine and no mask is, the error gives the fault of the mask."""
    files = masked(2) | {"classes.txt": b"a\nb\n"}
    files |= {f"masks/{number:02d}.png": mask(np.full((16, 16), 9)) for number in range(2)}
    with pytest.raises(DataError, match=r"None of the 2 images .* can be used; images/00\.png: mask-class"):
        scan(open_source(folder_of(files, tmp_path)))


def test_task_and_catalogue(tmp_path: Path) -> None:
    """A task that is asked for reaches the catalogue."""
    found = scan(open_source(folder_of(masked(), tmp_path)), task="classification")
    assert found.table.classes == ("images", "masks")


@pytest.mark.parametrize("name", ["needle.zip", "camvid.zip"])
def test_real_targets(shared_data: Path, name: str) -> None:
    """All pictures of the real sets have their targets, in the type of their kind and without a problem."""
    found = scan(open_source(shared_data / name), limit=60)
    assert not found.table.problems
    assert len(found.table) == 60
    if name == "needle.zip":
        assert found.targets.shape == (60, 1)
        assert found.targets.min() >= 0
        assert found.targets.max() <= 9.9
    else:
        assert found.targets.shape == (60, 192, 256)
        assert set(np.unique(found.targets).tolist()) <= {*range(11), 255}
