"""The arrays that hold all pictures, and all masks, of a data set, and the files in which they grow."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskArray:
    """All masks of a data set as one read-only array of class numbers, 255 where a pixel is to be ignored.

    Shapes: array (n, h, w), row i for row i of the table; 255 throughout where a mask could not be read.

    >>> MaskArray(array=np.zeros((2, 4, 4), np.uint8)).in_memory
    True
    """

    array: UInt8[np.ndarray, "n h w"]
    path: Path | None = None

    @property
    def in_memory(self) -> bool:
        """False where the masks lie in a file and are fetched by the system as needed."""
        return self.path is None


class Stored(NamedTuple):
    """What is kept of the files: pictures, and masks where there are any."""

    images: ImageArray
    masks: MaskArray | None = None


class ArrayFile:
    """A file in numpy's format into which an array of 8-bit numbers is written part by part.

    Unbuffered: what has been written can be read back if the next part fails.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as top:
    ...     file = ArrayFile(Path(top) / "a.npy", shape=(2, 3))
    ...     file.write(np.ones((2, 3), np.uint8))
    ...     file.settle()
    ...     np.load(Path(top) / "a.npy").sum(), file.whole
    (np.uint64(6), True)
    """

    def __init__(self, path: Path, *, shape: tuple[int, ...]) -> None:
        """Make the file and write how large the array will be."""
        self._path = path
        self._shape = shape
        self._rows = 0
        self._file = path.open("wb", buffering=0)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)

    @property
    def whole(self) -> bool:
        """Whether every row has been written."""
        return self._rows == self._shape[0]

    def write(self, part: UInt8[np.ndarray, "m ..."]) -> None:
        """Append rows.  Raises: OSError if the disk is full or gone."""
        if not part.size:
            return
        rest = memoryview(np.ascontiguousarray(part).data).cast("B")
        while rest:
            rest = rest[self._file.write(rest) :]
        self._rows += len(part)

    def rescue(self, into: UInt8[np.ndarray, "n ..."]) -> int:
        """Copy the whole parts that were written so far into memory; returns how many rows that is."""
        if self._rows:
            with self._path.open("rb") as file:
                np.lib.format.read_magic(file)
                np.lib.format.read_array_header_1_0(file)
                file.readinto(into[: self._rows].data)
        return self._rows

    def settle(self) -> None:
        """Bring everything to the disk and close.  Raises: OSError if the disk is full or gone."""
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        """Let go of the file; may be called again."""
        self._file.close()
