"""Facts about the one pass over all files."""

import os
import threading
import warnings
from collections import Counter
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from epochal.data import scan as room
from epochal.data.catalogue import catalogue
from epochal.data.entries import Entry
from epochal.data.folder import Folder
from epochal.data.scan import fair_sample, scan
from epochal.data.sources import open_source
from epochal.errors import DataError, SettingError
from epochal.stats.moments import Moments
from pictures import encoded, folder_of, jpeg, mask, masked, picture, pixels, png, tabled, two_classes, zip_of


@pytest.fixture(autouse=True)
def _own_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPOCHAL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(room, "WORTH_KEEPING", 0)


def test_folder_and_zip_give_the_same(tmp_path: Path) -> None:
    """Pixels and table are equal from a folder and from a zip of it, and are those of the files."""
    files = two_classes(5)
    folder = scan(open_source(folder_of(files, tmp_path / "pets")))
    packed = scan(open_source(zip_of({f"top/{key}": data for key, data in files.items()}, tmp_path / "pets.zip")))
    np.testing.assert_array_equal(folder.images.array, packed.images.array)
    np.testing.assert_array_equal(folder.images.array[0], pixels(0))
    assert [row.pixel_hash for row in folder.table] == [row.pixel_hash for row in packed.table]
    assert folder.table.keys == tuple(sorted(files))
    assert folder.table.counts() == {"cat": 5, "dog": 5}


class Counting(Folder):
    """A folder that counts how often each file is read whole."""

    reads: ClassVar[Counter[str]] = Counter()
    lock = threading.Lock()

    def read(self, entry: Entry) -> bytes:
        """Read and count."""
        with self.lock:
            self.reads[entry.key] += 1
        return super().read(entry)


def test_each_file_is_read_once_and_never_again(tmp_path: Path) -> None:
    """The first scan reads every file once; the second takes all from the cache and reads none."""
    Counting.reads.clear()
    folder = Counting(root=folder_of(two_classes(20), tmp_path))
    first = scan(folder)
    assert set(Counting.reads.values()) == {1}
    assert len(Counting.reads) == 40
    second = scan(Counting(root=tmp_path))
    assert sum(Counting.reads.values()) == 40
    assert (first.from_cache, second.from_cache) == (False, True)
    np.testing.assert_array_equal(first.images.array, second.images.array)
    assert list(first.table) == list(second.table)


def test_a_changed_file_is_decoded_again(tmp_path: Path) -> None:
    """When a file changes, the cache of the old one is not used."""
    folder_of(two_classes(3), tmp_path)
    scan(open_source(tmp_path))
    (tmp_path / "cat" / "01.png").write_bytes(png(77))
    again = scan(open_source(tmp_path))
    assert not again.from_cache
    np.testing.assert_array_equal(again.images.array[1], pixels(77))


def test_every_kind_of_bad_file_is_left_out_and_named(tmp_path: Path) -> None:
    """Empty, cut off, foreign and bomb-like files and broken links are problems; the others are all used."""
    bad = {
        "cat/empty.png": (b"", "empty"),
        "cat/cut.png": (png(1)[:100], "truncated"),
        "cat/text.jpg": (b"hello", "not-an-image"),
        "dog/cut.jpg": (jpeg(1, side=40)[:-200], "truncated"),
    }
    folder_of(two_classes(3) | {key: data for key, (data, _) in bad.items()}, tmp_path)
    (tmp_path / "dog" / "link.png").symlink_to(tmp_path / "nowhere.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = scan(open_source(tmp_path))
    problems = {row.key: row.problem.split(":")[0] for row in found.table if row.problem}
    assert problems == {key: kind for key, (_, kind) in bad.items()} | {"dog/link.png": "broken-link"}
    assert found.table.counts() == {"cat": 3, "dog": 3}


def test_all_kinds_of_pictures_at_once(tmp_path: Path) -> None:
    """Sizes, modes and formats may be mixed as they come; remarks name what was done."""
    kinds = {
        "a/16bit.png": encoded(Image.fromarray(np.full((20, 30), 40000, np.uint16))),
        "a/palette.gif": encoded(picture(1, side=50).convert("P"), "GIF"),
        "a/cmyk.jpg": encoded(picture(2, side=60, mode="CMYK"), "JPEG"),
        "a/bmp.jpg": encoded(picture(3, side=40), "BMP"),
        "b/clear.png": encoded(Image.new("RGBA", (40, 70))),
        "b/bit.png": encoded(Image.new("1", (33, 40), 1)),
        "b/moving.gif": encoded(
            Image.new("RGB", (40, 40)), "GIF", save_all=True, append_images=[Image.new("RGB", (40, 40), "red")]
        ),
    }
    found = scan(open_source(folder_of(kinds, tmp_path)))
    assert not found.table.problems
    assert found.images.array.shape == (7, 32, 32, 3)
    remarks = {row.key: [note.split(":")[0] for note in row.notes] for row in found.table if row.notes}
    assert remarks == {
        "a/16bit.png": ["sixteen-bit"],
        "a/cmyk.jpg": ["cmyk"],
        "a/bmp.jpg": ["wrong-extension"],
        "b/clear.png": ["transparent"],
        "b/moving.gif": ["animated"],
    }


def test_grey_pictures_keep_one_channel(tmp_path: Path) -> None:
    """Where all pictures are grey one channel is enough, unless three are asked for."""
    folder_of({key: png(number, mode="L") for number, key in enumerate(two_classes(3))}, tmp_path)
    assert scan(open_source(tmp_path)).images.array.shape == (6, 16, 16, 1)
    assert scan(open_source(tmp_path), channels=3, size=(8, 12)).images.array.shape == (6, 8, 12, 3)


def test_moments_are_of_the_training_split_alone(tmp_path: Path) -> None:
    """Mean and deviation are those of the pixels under train."""
    files = two_classes(3, top="train/") | {f"test/{name}/9.png": png(9, mode="1") for name in ("cat", "dog")}
    found = scan(open_source(folder_of(files, tmp_path)))
    expected = Moments.of(found.images.array[found.table.index("train")] / 255)
    np.testing.assert_allclose(found.moments.mean, expected.mean)
    np.testing.assert_allclose(found.moments.std, expected.std)


def test_data_folder_is_never_written(as_nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only data folder is enough, and afterwards every file and folder is as it was."""
    monkeypatch.setenv("EPOCHAL_CACHE_DIR", str(as_nobody / "cache"))
    root = folder_of(two_classes(3), as_nobody / "pets")
    for path in [*root.rglob("*"), root]:
        path.chmod(0o500 if path.is_dir() else 0o400)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in [root, *root.rglob("*")]}
    assert len(scan(open_source(root)).table.index()) == 6
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in [root, *root.rglob("*")]} == before
    for path in [root, *root.iterdir()]:
        path.chmod(0o700)


def test_no_room_for_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the cache cannot be written the scan goes on in memory and says so."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("EPOCHAL_CACHE_DIR", str(tmp_path / "file"))
    found = scan(open_source(folder_of(two_classes(3), tmp_path / "pets")))
    assert found.images.in_memory
    assert "no cache" in found.remarks[0]


def test_progress_ends_at_the_total(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress rises to the number of files."""
    monkeypatch.setattr(room, "CHUNK_FILES", 3)
    told: list[tuple[int, int]] = []
    scan(open_source(folder_of(two_classes(5), tmp_path)), progress=lambda done, total: told.append((done, total)))
    assert told == [(3, 10), (6, 10), (9, 10), (10, 10)]


@pytest.mark.parametrize("step", [1, 2, 7])
def test_parts_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """However the files are dealt to threads, the result is the same."""
    folder_of(two_classes(6), tmp_path)
    whole = scan(open_source(tmp_path), cache=False)
    monkeypatch.setattr(room, "CHUNK_FILES", step)
    parts = scan(open_source(tmp_path), cache=False)
    np.testing.assert_array_equal(parts.images.array, whole.images.array)
    assert list(parts.table) == list(whole.table)


def test_nothing_readable(tmp_path: Path) -> None:
    """Where not one file can be decoded, the error names one and its reason."""
    folder_of({"cat/1.png": b"x", "dog/2.png": b""}, tmp_path)
    with pytest.raises(DataError, match=r"None of the 2 images .* cat/1.png: not-an-image"):
        scan(open_source(tmp_path))
    with pytest.raises(DataError, match="None of the 2 images"):
        scan(open_source(tmp_path), size=8, channels=1)


def test_an_error_of_ours_ends_the_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no fault of a file is not swallowed, and no thread or half-written cache is left behind."""

    def broken(*given: object, **named: object) -> None:
        raise RuntimeError("a fault in the program")

    monkeypatch.setattr(room, "decode_chunk", broken)
    with pytest.raises(RuntimeError, match="a fault"):
        scan(open_source(folder_of(two_classes(3), tmp_path)))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]
    assert not list((Path(os.environ["EPOCHAL_CACHE_DIR"]) / "images").iterdir())


def test_fair_sample_is_fair() -> None:
    """A sample has the same share of each class, none twice, and a larger one holds the smaller."""
    digits = catalogue(open_source("digits"))
    chosen = fair_sample(digits, 200)
    counts = np.bincount([digits.labels[number] for number in chosen])
    assert len(set(chosen)) == 200
    assert counts.min() >= 18
    assert counts.max() <= 22
    assert set(fair_sample(digits, 100)) <= set(chosen)


def test_limit_takes_part_and_keeps_nothing(tmp_path: Path) -> None:
    """A limited scan reads so many files, and does not pass for the whole later."""
    folder_of(two_classes(10), tmp_path)
    part = scan(open_source(tmp_path), limit=6)
    assert len(part.table) == len(part.images.array) == 6
    assert part.table.counts() == {"cat": 3, "dog": 3}
    assert part.images.in_memory
    assert len(scan(open_source(tmp_path)).table) == 20


def test_one_picture_to_predict(tmp_path: Path) -> None:
    """Without labels one picture is enough, in the size and channels of the model."""
    (tmp_path / "new.jpg").write_bytes(jpeg(3, side=40))
    found = scan(open_source(tmp_path / "new.jpg"), labelled=False, size=24, channels=1)
    assert found.images.array.shape == (1, 24, 24, 1)
    assert found.table[0].label == -1


def test_real_photographs_of_many_sizes(shared_data: Path) -> None:
    """A real folder with BMP files called .jpg is read whole, and the wrong endings are remarked."""
    found = scan(open_source(shared_data / "needle.zip"), labelled=False, limit=300)
    assert not found.table.problems
    assert any(note.startswith("wrong-extension: BMP") for row in found.table for note in row.notes)


def test_a_catalogue_is_not_listed_again(tmp_path: Path) -> None:
    """A scan of a catalogue takes the files as they were listed, and gives what a scan of the source gives."""
    folder_of(two_classes(3), tmp_path)
    pictures = catalogue(open_source(tmp_path))
    folder_of({"cat/later.png": png(9)}, tmp_path)
    found = scan(pictures, cache=False)
    assert len(found.table) == 6
    assert found.catalogue is pictures


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
