"""One pass over the files of a source: each is decoded once, measured, and kept."""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import PIL

from epochal.data import cache as kept
from epochal.data import table_file
from epochal.data.cache import ImageArray
from epochal.data.catalogue import Catalogue, catalogue
from epochal.data.chunk import Chunk, Way, decode_chunk
from epochal.data.columns import Columns
from epochal.data.decode import DECODER_VERSION, PIXEL_LIMIT, Header, probe
from epochal.data.entries import Source, Unreadable
from epochal.data.order import mix
from epochal.data.properties import channel_moments
from epochal.data.size import working_size
from epochal.data.store import Store
from epochal.data.table import SPLITS, SampleTable
from epochal.errors import DataError
from epochal.stats.moments import Moments

# Headers that are read to choose size and channels; 2,000 show a kind of file that one in 1,000 has (87 times of 100).
PROBED = 2_000
PROBE_BYTES = 1 << 16
# Pictures are decoded and written in parts of about this many bytes.
CHUNK_BYTES, CHUNK_FILES = 1 << 22, 256
# Below this many bytes of files a cache costs more than it saves.
WORTH_KEEPING = 1 << 20

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """What one pass over the files gave: the table, the pixels, and remarks on the pass itself.

    >>> from epochal.data.sources import open_source
    >>> digits = scan(open_source("digits"), cache=False)
    >>> digits.images.array.shape, digits.moments.count
    ((1797, 8, 8, 1), 115008)
    """

    catalogue: Catalogue
    table: SampleTable
    images: ImageArray
    from_cache: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def moments(self) -> Moments:
        """Mean and standard deviation of each channel, from 0 to 1: of the training split, or of all without splits."""
        return channel_moments(self.table, "train" if len(self.table.index("train")) else None)


def scan(  # noqa: PLR0913 - the pass over the files is one, and each of these changes what it gives
    source: Source | Catalogue,
    *,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    limit: int | None = None,
    labelled: bool = True,
    cache: bool = True,
    progress: Progress | None = None,
) -> Scan:
    """Decode every picture of a source (or of its catalogue) once, into a table and one array of 8-bit pixels.

    `size` (a side, or height and width) and `channels` (1 or 3) follow from the pictures unless given: see
    `working_size`; one channel where all are grey. `limit` takes a fair sample of so many files, uncached, for a first
    look. Without `labelled` the folders mean nothing. `progress(done, total)` is called now and then.

    Raises: DataError if there are no classes, or if nothing can be decoded, or if the pixels fit neither cache nor
    memory. A single bad file never raises.

    >>> from epochal.data.sources import open_source
    >>> first = scan(open_source("digits"), limit=100)
    >>> len(first.table), first.table.counts()["7"]
    (100, 10)
    """
    pictures = source if isinstance(source, Catalogue) else catalogue(source, labelled=labelled)
    if limit is not None and limit < len(pictures.entries):
        pictures = pictures.select(fair_sample(pictures, limit))
        cache = False
    square = (size, size) if isinstance(size, int) else size
    key = None
    if cache and sum(entry.size for entry in pictures.entries) > WORTH_KEEPING:
        key = _key(pictures, size=square, channels=channels)
        found = _restored(key, pictures)
        if found is not None:
            return found
    way = _way(pictures, size=square, channels=channels)
    return _decoded(pictures, way, key=key, progress=progress)


def fair_sample(pictures: Catalogue, limit: int) -> list[int]:
    """Choose positions of about `limit` pictures, the same share of each split and class, spread by a fixed draw.

    >>> from epochal.data.sources import open_source
    >>> len(fair_sample(catalogue(open_source("digits")), 50))
    50
    """
    count = len(pictures.entries)
    codes = np.fromiter((SPLITS.index(split) for split in pictures.splits), np.int64, count)
    _, stratum = np.unique(codes * (len(pictures.classes) + 1) + np.asarray(pictures.labels), return_inverse=True)
    by_draw = np.argsort(mix(np.arange(count, dtype=np.uint64)), kind="stable")
    by_stratum = by_draw[np.argsort(stratum[by_draw], kind="stable")]
    sizes = np.bincount(stratum)
    rank = np.arange(count) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    # Position within the stratum, from 0 to 1: the lowest of all strata together are the fair sample.
    depth = (rank + 0.5) / np.repeat(sizes, sizes)
    chosen: list[int] = np.sort(by_stratum[np.argsort(depth, kind="stable")[:limit]]).tolist()
    return chosen


def _key(pictures: Catalogue, *, size: tuple[int, int] | None, channels: int | None) -> str:
    parts = (
        pictures.fingerprint(),
        pictures.classes,
        size,
        channels,
        DECODER_VERSION,
        PIL.__version__,
        kept.LAYOUT_VERSION,
    )
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _restored(key: str, pictures: Catalogue) -> Scan | None:
    found = kept.look_up(key)
    if found is None:
        return None
    try:
        table = table_file.from_bytes(found[1])
    except (ValueError, KeyError, OSError, TypeError):
        return None
    return Scan(catalogue=pictures, table=table, images=found[0], from_cache=True)


def _way(pictures: Catalogue, *, size: tuple[int, int] | None, channels: int | None) -> Way:
    if size is None or channels is None:
        headers = _headers(pictures)
        if not headers:
            raise _nothing(pictures)
        size = size or working_size([(header.height, header.width) for header in headers])
        channels = channels or (1 if all(header.grey for header in headers) else 3)
    return Way(size=size, channels=channels, pixel_limit=PIXEL_LIMIT)


def _headers(pictures: Catalogue) -> list[Header]:
    """Headers of up to 2,000 pictures, spread evenly; of those that can be read."""
    count = len(pictures.entries)
    headers = []
    for number in np.unique(np.linspace(0, count - 1, min(count, PROBED)).astype(int)).tolist():
        entry = pictures.entries[number]
        try:
            try:
                headers.append(probe(pictures.source.peek(entry, PROBE_BYTES)))
            except Unreadable:
                if entry.size > PROBE_BYTES:  # some formats keep their header at the end
                    headers.append(probe(pictures.source.read(entry)))
        except Unreadable:
            continue
    return headers


def _nothing(pictures: Catalogue) -> DataError:
    entry = pictures.entries[0]
    try:
        probe(pictures.source.read(entry))
        reason = "damaged"
    except Unreadable as error:
        reason = str(error)
    return DataError(
        f"None of the {len(pictures.entries):,} images in {pictures.source.where} can be read; {entry.key}: {reason}.",
        expected="pictures in a format such as JPEG or PNG.",
        remedy="open one of them in a picture viewer; fetch them again if it cannot be shown.",
    )


def _decoded(pictures: Catalogue, way: Way, *, key: str | None, progress: Progress | None) -> Scan:
    count = len(pictures.entries)
    shape = (count, *way.size, way.channels)
    columns = Columns(pictures, way=way)
    with ExitStack() as stack:
        store = Store(shape, key=key, where=pictures.source.where, stack=stack)
        for chunk in _chunks(pictures, way):
            store.write(chunk.pixels)
            columns.take(chunk)
            if progress is not None:
                progress(columns.filled, count)
        table = columns.table()
        if not table.usable.any():
            raise _nothing(pictures)
        images = store.finish(table)
    return Scan(catalogue=pictures, table=table, images=images, remarks=tuple(store.remarks))


def _chunks(pictures: Catalogue, way: Way) -> Iterator[Chunk]:
    """Decode in as many threads as there are cores, and give the parts in order; few are in memory at once."""
    per_image = way.size[0] * way.size[1] * way.channels
    step = max(1, min(CHUNK_FILES, CHUNK_BYTES // per_image))
    threads = cores()
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        waiting: deque[Future[Chunk]] = deque()
        try:
            for start in range(0, len(pictures.entries), step):
                entries = pictures.entries[start : start + step]
                waiting.append(pool.submit(decode_chunk, pictures.source, entries, start=start, way=way))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def cores() -> int:
    """Count the processor cores that this process may use.

    >>> cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
