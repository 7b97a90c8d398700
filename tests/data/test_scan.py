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
from epochal.errors import DataError
from epochal.stats.moments import Moments
from pictures import encoded, folder_of, jpeg, picture, pixels, png, two_classes, zip_of


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
