"""Where the pixels of a scan go while they come in: into the cache, or into memory where that cannot be."""

import os
from contextlib import ExitStack

import numpy as np
from jaxtyping import UInt8

from epochal.data import table_file
from epochal.data.arrays import ImageArray, MaskArray, Stored
from epochal.data.cache import CacheUnusable, CacheWriter
from epochal.data.table import SampleTable
from epochal.errors import DataError

# Without a cache the pixels may take this share of the memory that is free.
MEMORY_SHARE = 0.5


class Store:
    """Takes pictures (and masks) in order; moves from the cache to memory when the disk is full, with what it has.

    >>> with ExitStack() as stack:
    ...     store = Store((2, 1, 1, 1), key=None, where="digits", stack=stack)
    ...     store.write(np.ones((2, 1, 1, 1), np.uint8))
    ...     store.finish(SampleTable.of([], classes=())).images.array.ravel().tolist()
    [1, 1]
    """

    def __init__(
        self, shape: tuple[int, int, int, int], *, key: str | None, where: str, stack: ExitStack, masked: bool = False
    ) -> None:
        """Write under `key`, or to memory with None; `stack` closes what is open at the end."""
        self.remarks: list[str] = []
        self._shapes: tuple[tuple[int, ...], ...] = (shape, shape[:3]) if masked else (shape,)
        self._where = where
        self._writer: CacheWriter | None = None
        self._memory: list[UInt8[np.ndarray, "n ..."]] = []
        self._filled = 0
        if key is not None:
            try:
                writer = CacheWriter(key, shape=shape, mask_shape=shape[:3] if masked else None)
                self._writer = stack.enter_context(writer)
            except CacheUnusable as error:
                self._move_to_memory(error)
        if self._writer is None and not self._memory:
            self._memory = self._allocated(None)

    def write(self, pixels: UInt8[np.ndarray, "m h w c"], masks: UInt8[np.ndarray, "m h w"] | None = None) -> None:
        """Keep the next pictures.

        Raises: DataError if neither cache nor memory can hold them.
        """
        if self._writer is not None:
            try:
                self._writer.write(pixels, masks)
            except CacheUnusable as error:
                self._move_to_memory(error)
        if self._memory:
            for array, part in zip(self._memory, [pixels] if masks is None else [pixels, masks], strict=True):
                array[self._filled : self._filled + len(part)] = part
        self._filled += len(pixels)

    def finish(self, table: SampleTable) -> Stored:
        """Close the cache over arrays and table; gives the arrays."""
        if self._writer is not None:
            try:
                return self._writer.commit(table_file.to_bytes(table))
            except CacheUnusable as error:
                self._move_to_memory(error)
        for array in self._memory:
            array.flags.writeable = False
        masks = MaskArray(array=self._memory[1]) if len(self._memory) > 1 else None
        return Stored(images=ImageArray(array=self._memory[0]), masks=masks)

    def _move_to_memory(self, error: CacheUnusable) -> None:
        self._memory = self._allocated(error)
        if self._writer is not None:
            self._writer.rescue(*self._memory)
            self._writer = None
        self.remarks.append(f"no cache: {error}; the images are kept in memory and decoded again next time")

    def _allocated(self, error: CacheUnusable | None) -> list[UInt8[np.ndarray, "n ..."]]:
        needed, free = sum(int(np.prod(shape, dtype=np.int64)) for shape in self._shapes), free_memory()
        if needed > free * MEMORY_SHARE:
            reason = f" ({error})" if error is not None else ""
            raise DataError(
                f"The decoded images of {self._where} need {needed / 2**30:.1f} GiB, more than memory should give"
                f"{reason}.",
                expected=f"a cache folder with that much room, or twice that much free memory than "
                f"{free / 2**30:.1f} GiB.",
                remedy="set EPOCHAL_CACHE_DIR to a folder with room, or choose a smaller image size.",
            )
        return [np.empty(shape, dtype=np.uint8) for shape in self._shapes]


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
