"""Where the pixels of a scan go while they come in: into the cache, or into memory where that cannot be."""

import os
from contextlib import ExitStack

import numpy as np
from jaxtyping import UInt8

from epochal.data import table_file
from epochal.data.cache import CacheUnusable, CacheWriter, ImageArray
from epochal.data.table import SampleTable
from epochal.errors import DataError

# Without a cache the pixels may take this share of the memory that is free.
MEMORY_SHARE = 0.5


class Store:
    """Takes pictures in order; moves from the cache to memory when the disk is full, with what it has so far.

    >>> with ExitStack() as stack:
    ...     store = Store((2, 1, 1, 1), key=None, where="digits", stack=stack)
    ...     store.write(np.ones((2, 1, 1, 1), np.uint8))
    ...     store.finish(SampleTable.of([], classes=())).array.ravel().tolist()
    [1, 1]
    """

    def __init__(self, shape: tuple[int, int, int, int], *, key: str | None, where: str, stack: ExitStack) -> None:
        """Write under `key`, or to memory with None; `stack` closes what is open at the end."""
        self.remarks: list[str] = []
        self._shape = shape
        self._where = where
        self._writer: CacheWriter | None = None
        self._memory: UInt8[np.ndarray, "n h w c"] | None = None
        self._filled = 0
        if key is not None:
            try:
                self._writer = stack.enter_context(CacheWriter(key, shape=shape))
            except CacheUnusable as error:
                self._move_to_memory(error)
        if self._writer is None and self._memory is None:
            self._memory = self._allocated(None)

    def write(self, pixels: UInt8[np.ndarray, "m h w c"]) -> None:
        """Keep the next pictures.

        Raises: DataError if neither cache nor memory can hold them.
        """
        if self._writer is not None:
            try:
                self._writer.write(pixels)
            except CacheUnusable as error:
                self._move_to_memory(error)
        if self._memory is not None:
            self._memory[self._filled : self._filled + len(pixels)] = pixels
        self._filled += len(pixels)

    def finish(self, table: SampleTable) -> ImageArray:
        """Close the cache over pixels and table; gives the array."""
        if self._writer is not None:
            try:
                return self._writer.commit(table_file.to_bytes(table))
            except CacheUnusable as error:
                self._move_to_memory(error)
        assert self._memory is not None
        self._memory.flags.writeable = False
        return ImageArray(array=self._memory)

    def _move_to_memory(self, error: CacheUnusable) -> None:
        self._memory = self._allocated(error)
        if self._writer is not None:
            self._writer.rescue(self._memory)
            self._writer = None
        self.remarks.append(f"no cache: {error}; the images are kept in memory and decoded again next time")

    def _allocated(self, error: CacheUnusable | None) -> UInt8[np.ndarray, "n h w c"]:
        needed, free = int(np.prod(self._shape, dtype=np.int64)), free_memory()
        if needed > free * MEMORY_SHARE:
            reason = f" ({error})" if error is not None else ""
            raise DataError(
                f"The decoded images of {self._where} need {needed / 2**30:.1f} GiB, more than memory should give"
                f"{reason}.",
                expected=f"a cache folder with that much room, or twice that much free memory than "
                f"{free / 2**30:.1f} GiB.",
                remedy="set EPOCHAL_CACHE_DIR to a folder with room, or choose a smaller image size.",
            )
        return np.empty(self._shape, dtype=np.uint8)


def free_memory() -> int:
    """Count the bytes of memory that may be taken without pushing others out.

    Source: MemAvailable of Linux; elsewhere half of what the machine has.

    >>> free_memory() > 0
    True
    """
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123 - a file of the system, not of the user
            facts = dict(line.split(":") for line in file)
        return int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
