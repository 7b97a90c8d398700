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
from pathlib import Path
from typing import Self

import numpy as np
import platformdirs
from jaxtyping import UInt8

from epochal.data.arrays import ArrayFile, ImageArray, MaskArray, Stored
from epochal.errors import SettingError

# Raised when the files below are laid out in another way.
LAYOUT_VERSION = 2
PIXELS, MASKS, TABLE, SEAL = "pixels.npy", "masks.npy", "table.npz", "seal.json"
# All caches together, unless EPOCHAL_CACHE_GIB says otherwise; the longest unused go first.
DEFAULT_GIB = 50.0
# Parts of the pixels that the seal covers, spread evenly; hashing all of 100 GB would take longer than decoding some.
SEALED_PARTS, PART_BYTES = 64, 4096
# A temporary folder older than this belongs to nobody who is still at work.
ABANDONED_SECONDS = 24 * 3600.0


class CacheUnusable(Exception):
    """The cache folder cannot be written, in plain words; the run goes on without."""


def cache_folder() -> Path:
    """Tell where decoded pictures are kept: `EPOCHAL_CACHE_DIR`, or the system's place for caches.

    >>> cache_folder().name
    'images'
    """
    chosen = os.environ.get("EPOCHAL_CACHE_DIR")
    return (Path(chosen) if chosen else platformdirs.user_cache_path("epochal")) / "images"


def look_up(key: str) -> tuple[Stored, bytes] | None:
    """Find what was kept under `key`: arrays and table; None if there is nothing, or nothing whole.

    >>> look_up("no such key")
    """
    folder = cache_folder() / key
    try:
        seal = json.loads((folder / SEAL).read_text(encoding="utf-8"))
        table = (folder / TABLE).read_bytes()
        pixels = _mapped(folder / PIXELS)
        masks = _mapped(folder / MASKS) if (folder / MASKS).exists() else None
        if seal != _seal(pixels, masks, table=table):
            return None
        os.utime(folder / SEAL)  # used now: the last to be pruned
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None
    return _stored(pixels, masks, folder=folder), table


def _mapped(path: Path) -> np.ndarray:
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def _stored(pixels: np.ndarray, masks: np.ndarray | None, *, folder: Path) -> Stored:
    return Stored(
        images=ImageArray(array=pixels.view(np.ndarray), path=folder / PIXELS),
        masks=None if masks is None else MaskArray(array=masks.view(np.ndarray), path=folder / MASKS),
    )


def _seal(pixels: np.ndarray, masks: np.ndarray | None, *, table: bytes) -> dict[str, object]:
    arrays = [pixels] if masks is None else [pixels, masks]
    digest = hashlib.blake2b(table, digest_size=16)
    for array in arrays:
        flat = array.reshape(-1)
        for start in np.linspace(0, max(flat.size - PART_BYTES, 0), SEALED_PARTS).astype(np.int64).tolist():
            digest.update(flat[start : start + PART_BYTES].tobytes())
    return {
        "layout": LAYOUT_VERSION,
        "shapes": [list(array.shape) for array in arrays],
        "types": [str(array.dtype) for array in arrays],
        "digest": digest.hexdigest(),
    }


class CacheWriter:
    """Writes pixels (and masks) in order as they are decoded, then the table; nothing is seen before `commit`.

    Writing, never mapping: a full disk then is an error that can be caught, not a signal that kills.

    >>> from unittest import mock
    >>> with tempfile.TemporaryDirectory() as top, mock.patch.dict(os.environ, EPOCHAL_CACHE_DIR=top):
    ...     with CacheWriter("a-key", shape=(2, 1, 1, 1)) as writer:
    ...         writer.write(np.array([3, 5], np.uint8).reshape(2, 1, 1, 1))
    ...         stored = writer.commit(b"the table")
    ...     found = look_up("a-key")
    ...     found[0].images.array.ravel().tolist(), found[1]
    ([3, 5], b'the table')
    """

    def __init__(
        self, key: str, *, shape: tuple[int, int, int, int], mask_shape: tuple[int, int, int] | None = None
    ) -> None:
        """Prepare to keep arrays of these shapes; files are made on entering."""
        self._key = key
        self._shapes: list[tuple[int, ...]] = [shape] if mask_shape is None else [shape, mask_shape]
        self._folder = Path()
        self._files: list[ArrayFile] = []

    def __enter__(self) -> Self:
        needed = sum(int(np.prod(shape, dtype=np.int64)) for shape in self._shapes)
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
            for name, shape in zip((PIXELS, MASKS), self._shapes, strict=False):
                self._files.append(ArrayFile(self._folder / name, shape=shape))
        except OSError as error:
            self._discard()
            raise CacheUnusable(f"{cache_folder()} cannot be written: {error.strerror or error}") from None
        return self

    def __exit__(self, *raised: object) -> None:
        self._discard()

    def write(self, pixels: UInt8[np.ndarray, "m h w c"], masks: UInt8[np.ndarray, "m h w"] | None = None) -> None:
        """Append pictures, in the order of the table.

        Raises: CacheUnusable if the disk is full or gone; what was written so far can still be read with `rescue`.
        """
        try:
            for file, part in zip(self._files, [pixels] if masks is None else [pixels, masks], strict=True):
                file.write(part)
        except OSError as error:
            raise CacheUnusable(f"{self._folder.parent} cannot be written: {error.strerror or error}") from None

    def rescue(self, *into: UInt8[np.ndarray, "n ..."]) -> int:
        """Copy what was written so far into memory; returns how many pictures are whole."""
        return min(file.rescue(array) for file, array in zip(self._files, into, strict=True))

    def commit(self, table: bytes) -> Stored:
        """Finish: seal everything, give it its name, and map the arrays.

        Raises: CacheUnusable if that cannot be written.
        """
        assert self._files
        assert all(file.whole for file in self._files), "pictures are missing"
        final = cache_folder() / self._key
        try:
            for file in self._files:
                file.settle()
            pixels = _mapped(self._folder / PIXELS)
            masks = _mapped(self._folder / MASKS) if len(self._files) > 1 else None
            _write(self._folder / TABLE, table)
            _write(self._folder / SEAL, json.dumps(_seal(pixels, masks, table=table)).encode())
            _move(self._folder, final)
        except OSError as error:
            raise CacheUnusable(f"{final} cannot be written: {error.strerror or error}") from None
        # Mapped before it was renamed: the pixels are these, even if another process has put its own there.
        return _stored(pixels, masks, folder=final)

    def _discard(self) -> None:
        for file in self._files:
            file.close()
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
