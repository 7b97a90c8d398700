"""Which files of a source are pictures and where each belongs, before any is decoded."""

from collections.abc import Sequence

from epochal.data.choosing import KINDS, Kind
from epochal.data.contents import Catalogue
from epochal.data.entries import Entry, Source, Unreadable
from epochal.data.formats import begins_like_image, has_image_ending
from epochal.data.layout import Layout, arrange
from epochal.data.mask_layout import pairs
from epochal.data.masked import catalogue_of_masks
from epochal.data.tabled import catalogue_of_table
from epochal.data.target_table import TargetTable, find_table
from epochal.errors import DataError, MissingExtra, SettingError

__all__ = ["Catalogue", "Kind", "catalogue"]

# Bytes that tell one format from another.
BEGINNING = 64
# Files that nobody put there on purpose; dot-files are passed over by the sources.
CLUTTER = frozenset({"thumbs.db", "desktop.ini", "icon\r"})
# A table of such a name that names at least this share of the pictures is the word on them, whatever the folders are
# called; any other table beside class folders is a remark (sizes, photographers), as it has always been.
TARGET_TABLES = frozenset({"target", "targets", "label", "labels", "value", "values", "annotation", "annotations"})
WHOLE = 0.9


def catalogue(source: Source, *, labelled: bool = True, task: Kind | None = None) -> Catalogue:
    """List the pictures of a source; with `labelled`, find out what their targets are.

    Targets are masks (folders of images and of masks with the same names), class folders, or a table that names the
    pictures: values to measure, classes, or several labels for each. `Catalogue.reason` says what was found; `task`
    asks for one kind and no other. A file is a picture by its ending, or by its first bytes where the ending says
    nothing. Without `labelled` every picture is taken wherever it lies, as for prediction.

    Raises: DataError if targets are needed and none are found, or none for the task; SettingError for a task that is
    none.

    >>> from epochal.data.sources import open_source
    >>> catalogue(open_source("digits")).reason
    '1,797 pictures lie in 10 class folders (0, 1, ..., 9).'
    >>> set(catalogue(open_source("digits"), labelled=False).labels)
    {-1}
    """
    if task is not None and task not in KINDS:
        raise SettingError(
            f"The task is {task!r}.", expected=f"one of {', '.join(KINDS)}.", remedy="leave it out: the data say it."
        )
    pictures, ignored = _sorted_out(source)
    if not labelled:
        count = len(pictures)
        return Catalogue(
            source=source, entries=tuple(pictures), classes=(), labels=(-1,) * count, splits=("",) * count,
            ignored=tuple(ignored),
        )  # fmt: skip
    found = pairs([entry.key for entry in pictures]) if task in (None, "segmentation") else None
    if found is not None:
        return catalogue_of_masks(source, pictures, found=found, ignored=ignored)
    if task == "segmentation":
        raise _no_masks(source)
    return _by_folder_or_table(source, pictures, ignored=ignored, task=task)


def _no_masks(source: Source) -> DataError:
    return DataError(
        f"{source.where} holds no pairs of image and mask.",
        expected="a folder images and a folder masks with the same file names, below train, val and test if you like.",
        remedy="name the folders so, or leave --task out.",
    )


def _by_folder_or_table(
    source: Source, pictures: Sequence[Entry], *, ignored: Sequence[str], task: Kind | None
) -> Catalogue:
    """Class folders where there are any and they fit the task, unless a table has the word."""
    keys = [entry.key for entry in pictures]
    layout: Layout | None = None
    no_folders: DataError | None = None
    try:
        layout = arrange(keys, where=source.where)
    except DataError as error:
        no_folders = error
    try:
        table = find_table(source, keys) if len(keys) > 1 else None
        if table is not None and (
            layout is None or task in ("regression", "multi-label") or _has_the_word(table, keys)
        ):
            return catalogue_of_table(source, pictures, table=table, ignored=ignored, task=task)
    except (DataError, MissingExtra):
        if layout is None or task in ("regression", "multi-label"):
            raise
        table = None
    if layout is None:
        assert no_folders is not None
        raise no_folders
    if task in ("regression", "multi-label"):
        raise _no_table(source, task)
    return _of_folders(source, pictures, layout=layout, ignored=ignored, table=table)


def _has_the_word(table: TargetTable, keys: Sequence[str]) -> bool:
    stem = table.entries[0].key.rsplit("/", 1)[-1].rsplit(".", 1)[0].lower()
    return stem in TARGET_TABLES and table.named >= WHOLE * len(keys)


def _no_table(source: Source, task: Kind) -> DataError:
    return DataError(
        f"{source.where} has class folders and no table with targets for {task}.",
        expected="a CSV or Parquet file beside the pictures with a column of file names and one or more of targets.",
        remedy="add the table, or leave --task out.",
    )


def _of_folders(
    source: Source, pictures: Sequence[Entry], *, layout: Layout, ignored: Sequence[str], table: TargetTable | None
) -> Catalogue:
    placed = [number for number, label in enumerate(layout.labels) if label >= 0]
    names = layout.classes
    shown = ", ".join(names if len(names) <= 4 else (*names[:2], "...", names[-1]))
    beside = "" if table is None else f"; {table.name} also names pictures: --task regression or multi-label reads it"
    return Catalogue(
        source=source,
        entries=tuple(pictures[number] for number in placed),
        classes=layout.classes,
        labels=tuple(layout.labels[number] for number in placed),
        splits=tuple(layout.splits[number] for number in placed),
        ignored=tuple(ignored),
        stray=layout.stray,
        reason=f"{len(placed):,} pictures lie in {len(names)} class folders ({shown}){beside}.",
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
