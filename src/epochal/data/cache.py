"""Decoded pictures kept in the user's cache folder, so that a second start decodes nothing.

One folder for each data set and way to decode it, holding the pixels, the table and a seal. It is written under a
temporary name and renamed when whole: whoever finds it finds all of it.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Self

import numpy as np
import platformdirs
from jaxtyping import UInt8

from epochal.errors import SettingError

# Raised when the files below are laid out in another way.
LAYOUT_VERSION = 1
PIXELS, TABLE, SEAL = "pixels.npy", "table.npz", "seal.json"
# All caches together, unless EPOCHAL_CACHE_GIB says otherwise; the longest unused go first.
DEFAULT_GIB = 50.0
# Parts of the pixels that the seal covers, spread evenly; hashing all of 100 GB would take longer than decoding some.
SEALED_PARTS, PART_BYTES = 64, 4096
# A temporary folder older than this belongs to nobody who is still at work.
ABANDONED_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageArray:
    """All pictures of a data set as one read-only array; memory-mapped from `path`, or in memory where that is None.

    Shapes: array (n, h, w, c), row i for row i of the table; zeros where a file could not be decoded.

    >>> ImageArray(array=np.zeros((2, 4, 4, 3), np.uint8)).in_memory
    True
    """

    array: UInt8[np.ndarray, "n h w c"]
    path: Path | None = None

    @property
    def in_memory(self) -> bool:
        """False where the pixels lie in a file and are fetched by the system as needed."""
        return self.path is None


class CacheUnusable(Exception):
    """The cache folder cannot be written, in plain words; the run goes on without."""


def cache_folder() -> Path:
    """Tell where decoded pictures are kept: `EPOCHAL_CACHE_DIR`, or the system's place for caches.

    >>> cache_folder().name
    'images'
    """
    chosen = os.environ.get("EPOCHAL_CACHE_DIR")
    return (Path(chosen) if chosen else platformdirs.user_cache_path("epochal")) / "images"


def look_up(key: str) -> tuple[ImageArray, bytes] | None:
    """Find what was kept under `key`: pixels and table; None if there is nothing, or nothing whole.

    >>> look_up("no such key")
    """
    folder = cache_folder() / key
    try:
        seal = json.loads((folder / SEAL).read_text(encoding="utf-8"))
        table = (folder / TABLE).read_bytes()
        pixels = np.load(folder / PIXELS, mmap_mode="r", allow_pickle=False)
        if seal != _seal(pixels, table):
            return None
        os.utime(folder / SEAL)  # used now: the last to be pruned
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None
    return ImageArray(array=pixels.view(np.ndarray), path=folder / PIXELS), table


def _seal(pixels: UInt8[np.ndarray, "n h w c"], table: bytes) -> dict[str, object]:
    flat = pixels.reshape(-1)
    digest = hashlib.blake2b(table, digest_size=16)
    for start in np.linspace(0, max(flat.size - PART_BYTES, 0), SEALED_PARTS).astype(np.int64).tolist():
        digest.update(flat[start : start + PART_BYTES].tobytes())
    return {
        "layout": LAYOUT_VERSION,
        "shape": list(pixels.shape),
        "type": str(pixels.dtype),
        "digest": digest.hexdigest(),
    }


class CacheWriter:
    """Writes pixels in order as they are decoded, then the table; nothing is seen under `key` before `commit`.

    Writing, never mapping: a full disk then is an error that can be caught, not a signal that kills.

    >>> from unittest import mock
    >>> with tempfile.TemporaryDirectory() as top, mock.patch.dict(os.environ, EPOCHAL_CACHE_DIR=top):
    ...     with CacheWriter("a-key", shape=(2, 1, 1, 1)) as writer:
    ...         writer.write(np.array([3, 5], np.uint8).reshape(2, 1, 1, 1))
    ...         images = writer.commit(b"the table")
    ...     found = look_up("a-key")
    ...     found[0].array.ravel().tolist(), found[1]
    ([3, 5], b'the table')
    """

    def __init__(self, key: str, *, shape: tuple[int, int, int, int]) -> None:
        """Prepare to keep an array of this shape; files are made on entering."""
        self._key = key
        self._shape = shape
        self._folder = Path()
        self._file: FileIO | None = None
        self._written = 0

    def __enter__(self) -> Self:
        needed = int(np.prod(self._shape, dtype=np.int64))
        try:
            parent = cache_folder()
            parent.mkdir(parents=True, exist_ok=True)
            prune(parent, keep=self._key, room=needed)
            free = shutil.disk_usage(parent).free
            if free < needed * 1.05:
                raise CacheUnusable(
                    f"{parent} has {free / 2**30:.1f} GiB free, the decoded images need {needed / 2**30:.1f} GiB"
                )
            self._folder = Path(tempfile.mkdtemp(prefix="building-", dir=parent))
            self._file = (self._folder / PIXELS).open("wb", buffering=0)
            header = {"descr": "|u1", "fortran_order": False, "shape": self._shape}
            np.lib.format.write_array_header_1_0(self._file, header)
        except OSError as error:
            self._discard()
            raise CacheUnusable(f"{cache_folder()} cannot be written: {error.strerror or error}") from None
        return self

    def __exit__(self, *raised: object) -> None:
        self._discard()

    def write(self, pixels: UInt8[np.ndarray, "m h w c"]) -> None:
        """Append pictures, in the order of the table.

        Raises: CacheUnusable if the disk is full or gone; what was written so far can still be read with `rescue`.
        """
        assert self._file is not None
        try:
            rest = memoryview(np.ascontiguousarray(pixels).data).cast("B")
            while rest:  # unbuffered: what has been written can be read back if the next part fails
                rest = rest[self._file.write(rest) :]
            self._written += len(pixels)
        except OSError as error:
            raise CacheUnusable(f"{self._folder.parent} cannot be written: {error.strerror or error}") from None

    def rescue(self, into: UInt8[np.ndarray, "n h w c"]) -> int:
        """Copy what was written so far into memory; returns how many pictures that is."""
        done = self._written
        if done:
            with (self._folder / PIXELS).open("rb") as file:
                np.lib.format.read_magic(file)
                np.lib.format.read_array_header_1_0(file)
                file.readinto(into[:done].data)
        return done

    def commit(self, table: bytes) -> ImageArray:
        """Finish: seal everything, give it its name, and map the pixels.

        Raises: CacheUnusable if that cannot be written.
        """
        assert self._file is not None
        assert self._written == self._shape[0], "pictures are missing"
        final = cache_folder() / self._key
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            pixels = np.load(self._folder / PIXELS, mmap_mode="r", allow_pickle=False)
            _write(self._folder / TABLE, table)
            _write(self._folder / SEAL, json.dumps(_seal(pixels, table)).encode())
            _move(self._folder, final)
        except OSError as error:
            raise CacheUnusable(f"{final} cannot be written: {error.strerror or error}") from None
        finally:
            self._file = None
        # Mapped before it was renamed: the pixels are these, even if another process has put its own there.
        return ImageArray(array=pixels.view(np.ndarray), path=final / PIXELS)

    def _discard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._folder != Path():
            shutil.rmtree(self._folder, ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _move(folder: Path, final: Path) -> None:
    """Rename a whole folder; one that stands there and is not whole, or is another's equal work, gives way."""
    try:
        folder.rename(final)
    except OSError:
        if not final.exists():
            raise
        aside = Path(tempfile.mkdtemp(prefix="building-", dir=final.parent)) / "old"
        final.rename(aside)
        folder.rename(final)
        shutil.rmtree(aside.parent, ignore_errors=True)


def prune(folder: Path, *, keep: str, room: int) -> None:
    """Make room: remove what was abandoned while it was built, then what was unused the longest, down to the limit.

    Raises: SettingError if EPOCHAL_CACHE_GIB is no number.
    """
    limit = _limit_bytes()
    found: list[tuple[float, int, Path]] = []
    for entry in folder.iterdir():
        if entry.name.startswith("building-"):
            if time.time() - entry.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(entry, ignore_errors=True)
        elif entry.name != keep and (entry / SEAL).exists():
            size = sum(file.stat().st_size for file in entry.iterdir())
            found.append(((entry / SEAL).stat().st_mtime, size, entry))
    total = room + sum(size for _, size, _ in found)
    for _, size, entry in sorted(found):
        if total <= limit:
            return
        shutil.rmtree(entry, ignore_errors=True)
        total -= size


def _limit_bytes() -> float:
    asked = os.environ.get("EPOCHAL_CACHE_GIB", str(DEFAULT_GIB))
    try:
        return float(asked) * 2**30
    except ValueError:
        raise SettingError(
            f"EPOCHAL_CACHE_GIB is {asked}.",
            expected="a number of gibibytes.",
            remedy=f"leave it out for {DEFAULT_GIB:g}.",
        ) from None
