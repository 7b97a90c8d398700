"""Which files of a source are pictures and where each belongs, before any is decoded."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

from epochal.data.entries import Entry, Source, Unreadable, fingerprint
from epochal.data.formats import begins_like_image, has_image_ending
from epochal.data.layout import arrange

# Bytes that tell one format from another.
BEGINNING = 64
# Files that nobody put there on purpose; dot-files are passed over by the sources.
CLUTTER = frozenset({"thumbs.db", "desktop.ini", "icon\r"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The pictures of a source by name, with split and label; and what was passed over.

    `labels` count `classes`, -1 for a picture without a class. `ignored` are files that are no pictures, `stray` are
    pictures outside any class folder.

    >>> from epochal.data.sources import open_source
    >>> pictures = catalogue(open_source("digits"))
    >>> len(pictures.entries), pictures.classes[:3], pictures.ignored
    (1797, ('0', '1', '2'), ())
    """

    source: Source
    entries: tuple[Entry, ...]
    classes: tuple[str, ...]
    labels: tuple[int, ...]
    splits: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    stray: tuple[str, ...] = field(default=())

    def fingerprint(self) -> str:
        """Tell in one word whether any picture was added, removed or changed."""
        return fingerprint(self.entries)

    def select(self, numbers: Sequence[int]) -> "Catalogue":
        """Keep the pictures at these positions.

        >>> from epochal.data.sources import open_source
        >>> catalogue(open_source("digits")).select([0, 5]).labels
        (0, 0)
        """
        return dataclasses.replace(
            self,
            entries=tuple(self.entries[number] for number in numbers),
            labels=tuple(self.labels[number] for number in numbers),
            splits=tuple(self.splits[number] for number in numbers),
        )


def catalogue(source: Source, *, labelled: bool = True) -> Catalogue:
    """List the pictures of a source; with `labelled`, read classes and splits from the folders.

    A file is a picture by its ending, or by its first bytes where the ending says nothing. Without `labelled` every
    picture is taken wherever it lies, as for prediction.

    Raises: DataError if a class layout is needed and there is none.

    >>> from epochal.data.sources import open_source
    >>> set(catalogue(open_source("digits"), labelled=False).labels)
    {-1}
    """
    pictures, ignored = _sorted_out(source)
    if not labelled:
        count = len(pictures)
        return Catalogue(
            source=source, entries=tuple(pictures), classes=(), labels=(-1,) * count, splits=("",) * count,
            ignored=tuple(ignored),
        )  # fmt: skip
    layout = arrange([entry.key for entry in pictures], where=source.where)
    placed = [number for number, label in enumerate(layout.labels) if label >= 0]
    return Catalogue(
        source=source,
        entries=tuple(pictures[number] for number in placed),
        classes=layout.classes,
        labels=tuple(layout.labels[number] for number in placed),
        splits=tuple(layout.splits[number] for number in placed),
        ignored=tuple(ignored),
        stray=layout.stray,
    )


def _sorted_out(source: Source) -> tuple[Sequence[Entry], list[str]]:
    pictures, ignored = [], []
    for entry in source.entries():
        if has_image_ending(entry.key) or _looks_like_image(source, entry):
            pictures.append(entry)
        elif entry.key.rsplit("/", 1)[-1].lower() not in CLUTTER:
            ignored.append(entry.key)
    return pictures, ignored


def _looks_like_image(source: Source, entry: Entry) -> bool:
    if entry.problem is not None or entry.size == 0:
        return False
    try:
        return begins_like_image(source.peek(entry, BEGINNING))
    except Unreadable:
        return False
