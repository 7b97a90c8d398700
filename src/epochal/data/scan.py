"""One pass over the files of a source: each is decoded once, measured, and kept."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import numpy as np
import PIL
from jaxtyping import Shaped

from epochal.data import cache as kept
from epochal.data import table_file
from epochal.data.arrays import ImageArray, MaskArray, Stored
from epochal.data.catalogue import Catalogue, Kind, catalogue
from epochal.data.chunk import Chunk, Way, decode_chunk
from epochal.data.columns import Columns, with_targets
from epochal.data.decode import DECODER_VERSION, PIXEL_LIMIT, Header, probe
from epochal.data.entries import Source, Unreadable, fingerprint
from epochal.data.masks import MASK_VERSION
from epochal.data.order import mix
from epochal.data.properties import channel_moments
from epochal.data.size import dense_size, working_size
from epochal.data.store import Store
from epochal.data.table import SPLITS, SampleTable
from epochal.data.threads import cores
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
    masks: MaskArray | None = None
    from_cache: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def targets(self) -> Shaped[np.ndarray, "n ..."]:
        """What a network is to say of each image: its class, its values or marks, or its mask (255: to be ignored).

        Shapes: int64 (n,); float32 (n, k); uint8 (n, h, w).
        """
        if self.masks is not None:
            return self.masks.array
        return self.table.labels if self.table.values is None else self.table.values

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
    task: Kind | None = None,
) -> Scan:
    """Decode every picture of a source (or of its catalogue) once, into a table and one array of 8-bit pixels.

    `size` (a side, or height and width) and `channels` (1 or 3) follow from the pictures unless given: see
    `working_size`; one channel where all are grey. With masks `size` is the longer side, and the proportions of the
    pictures are kept: `dense_size`. `limit` takes a fair sample of so many files, uncached, for a first look. Without
    `labelled` nothing but pictures counts; `task` asks for one kind of target. `progress(done, total)` is called now
    and then.

    Raises: DataError if there are no classes, or if nothing can be decoded, or if the pixels fit neither cache nor
    memory. A single bad file never raises.

    >>> from epochal.data.sources import open_source
    >>> first = scan(open_source("digits"), limit=100)
    >>> len(first.table), first.table.counts()["7"]
    (100, 10)
    """
    pictures = source if isinstance(source, Catalogue) else catalogue(source, labelled=labelled, task=task)
    if limit is not None and limit < len(pictures.entries):
        pictures = pictures.select(fair_sample(pictures, limit))
        cache = False
    sides = (size, size) if isinstance(size, int) and pictures.masks is None else size
    key = None
    if cache and sum(entry.size for entry in pictures.entries) > WORTH_KEEPING:
        key = _key(pictures, size=sides, channels=channels)
        found = _restored(key, pictures)
        if found is not None:
            return found
    way = _way(pictures, size=sides, channels=channels)
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


def _key(pictures: Catalogue, *, size: int | tuple[int, int] | None, channels: int | None) -> str:
    """A name for these files decoded in this way; what tables say of them is laid over it, so it is not part of it."""
    masks = pictures.masks
    parts = (
        fingerprint(pictures.entries if masks is None else (*pictures.entries, *masks.entries)),
        None if masks is None else (masks.meaning, [mask.key for mask in masks.entries], MASK_VERSION),
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
    return _scanned(pictures, table, stored=found[0], from_cache=True)


def _scanned(
    pictures: Catalogue, table: SampleTable, *, stored: Stored, from_cache: bool = False, remarks: Sequence[str] = ()
) -> Scan:
    """Bring together what was decoded and what the catalogue says of it."""
    table = with_targets(table, pictures)
    if not table.usable.any():
        raise _nothing(pictures, table)
    return Scan(
        catalogue=pictures, table=table, images=stored.images, masks=stored.masks, from_cache=from_cache,
        remarks=tuple(remarks),
    )  # fmt: skip


def _way(pictures: Catalogue, *, size: int | tuple[int, int] | None, channels: int | None) -> Way:
    if not isinstance(size, tuple) or channels is None:
        headers = _headers(pictures)
        if not headers:
            raise _nothing(pictures)
        size = size if isinstance(size, tuple) else _size(pictures, headers, asked=size)
        channels = channels or (1 if all(header.grey for header in headers) else 3)
    meaning = None if pictures.masks is None else pictures.masks.meaning
    return Way(size=size, channels=channels, pixel_limit=PIXEL_LIMIT, meaning=meaning, classes=len(pictures.classes))


def _size(pictures: Catalogue, headers: Sequence[Header], *, asked: int | None) -> tuple[int, int]:
    sizes = [(header.height, header.width) for header in headers]
    return working_size(sizes) if pictures.masks is None else dense_size(sizes, longer=asked)


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


def _nothing(pictures: Catalogue, table: SampleTable | None = None) -> DataError:
    entry = pictures.entries[0]
    try:
        probe(pictures.source.read(entry))
        reason = "damaged"
    except Unreadable as error:
        reason = str(error)
    if table is not None:
        reason = table.problems.get(0, reason)
    used, also = ("read", "") if pictures.kind == "classification" else ("used", ", each with its target")
    return DataError(
        f"None of the {len(pictures.entries):,} images in {pictures.source.where} can be {used};"
        f" {entry.key}: {reason}.",
        expected=f"pictures in a format such as JPEG or PNG{also}.",
        remedy="open one of them in a picture viewer; fetch them again if it cannot be shown.",
    )


def _decoded(pictures: Catalogue, way: Way, *, key: str | None, progress: Progress | None) -> Scan:
    count = len(pictures.entries)
    shape = (count, *way.size, way.channels)
    columns = Columns(pictures, way=way)
    with ExitStack() as stack:
        masked = pictures.masks is not None
        store = Store(shape, key=key, where=pictures.source.where, stack=stack, masked=masked)
        for chunk in _chunks(pictures, way):
            store.write(chunk.pixels, chunk.masks)
            columns.take(chunk)
            if progress is not None:
                progress(columns.filled, count)
        table = columns.table()
        if not table.usable.any():
            raise _nothing(pictures, table)
        stored = store.finish(table)
    return _scanned(pictures, table, stored=stored, remarks=store.remarks)


def _chunks(pictures: Catalogue, way: Way) -> Iterator[Chunk]:
    """Decode in as many threads as there are cores, and give the parts in order; few are in memory at once."""
    per_image = way.size[0] * way.size[1] * way.channels
    step = max(1, min(CHUNK_FILES, CHUNK_BYTES // per_image))
    threads = cores()
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        waiting: deque[Future[Chunk]] = deque()
        try:
            for start in range(0, len(pictures.entries), step):
                part = slice(start, start + step)
                masks = None if pictures.masks is None else pictures.masks.entries[part]
                work = partial(decode_chunk, pictures.source, pictures.entries[part], start=start, way=way, masks=masks)
                waiting.append(pool.submit(work))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
