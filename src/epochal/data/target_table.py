"""Finding the table of a source that names its pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

from epochal.data.cells import Column, judge
from epochal.data.entries import Entry, Source, Unreadable
from epochal.data.layout import SPLIT_FOLDERS
from epochal.data.naming import Names, file_column, nearest_miss
from epochal.data.tabular import Sheet, is_table, parse, without_names
from epochal.errors import DataError

SPLIT_COLUMNS = frozenset({"split", "set", "subset", "partition", "fold", "usage", "phase"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TargetTable:
    """The rows of one table (or of several of one form, such as train.csv and test.csv) that names pictures.

    For each row: `where` it stands, the `cells` of its file column, the `pictures` they name (positions, None where
    there is none), and its split. `columns` are the others.
    """

    name: str
    entries: tuple[Entry, ...]
    file_column: str
    where: tuple[str, ...]
    cells: tuple[str, ...]
    pictures: tuple[int | None, ...]
    splits: tuple[str, ...] | None
    columns: tuple[Column, ...]
    unused: tuple[str, ...] = ()

    @property
    def named(self) -> int:
        """How many different pictures it names."""
        return len(set(self.pictures) - {None})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    entry: Entry
    sheet: Sheet
    at: int
    rows: tuple[int | None, ...]


def find_table(source: Source, keys: Sequence[str]) -> TargetTable | None:
    r"""The table in the source's top, or just inside its split folders, that names most of the pictures `keys`.

    None where there is no table at all.

    Raises: DataError if there are tables and none names pictures; what `parse` raises.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from epochal.data.folder import Folder
    >>> with tempfile.TemporaryDirectory() as top:
    ...     _ = (Path(top) / "t.csv").write_text("photo,angle\na.jpg,1.5\n")
    ...     found = find_table(Folder(root=Path(top)), ["images/a.jpg"])
    >>> found.file_column, found.where, found.pictures
    ('photo', ('t.csv, row 2',), (0,))
    """
    candidates = _candidates(source.entries())
    if not candidates:
        return None
    read, misses = [], []
    for entry in candidates:
        sheet = parse(_bytes(source, entry), name=entry.key.rsplit("/", 1)[-1])
        names = Names(keys, top=entry.key.rpartition("/")[0] + "/" if "/" in entry.key else "")
        found = _with_files(entry, sheet, names=names)
        if found is None:
            misses.append(f"{sheet.name}: {nearest_miss(sheet, names)}")
        else:
            read.append(found)
    if not read:
        raise DataError(
            f"No table has a column that names files. {'; '.join(misses[:3])}.",
            expected="a column in which most cells name pictures, relative to the table, with or without the ending.",
            remedy="correct the names, or put the pictures where the table says.",
        )
    return _merged(read)


def _candidates(entries: Sequence[Entry]) -> list[Entry]:
    """Tables at the top, below folders that everything shares, or one deeper in folders named as splits."""
    if not any(is_table(entry.key) for entry in entries):
        return []
    paths = [entry.key.split("/") for entry in entries]
    shared = 0
    while paths and all(len(path) > shared + 1 and path[shared] == paths[0][shared] for path in paths):
        shared += 1
    found = []
    for entry, path in zip(entries, paths, strict=True):
        below = path[shared:-1]
        if is_table(entry.key) and (not below or (len(below) == 1 and below[0].lower() in SPLIT_FOLDERS)):
            found.append(entry)
    return found


def _bytes(source: Source, entry: Entry) -> bytes:
    try:
        return source.read(entry)
    except Unreadable as error:
        raise DataError(
            f"{entry.key} in {source.where} cannot be read: {error}.",
            expected="a whole table.",
            remedy="fetch it again, or check its permissions.",
        ) from None


def _with_files(entry: Entry, sheet: Sheet, *, names: Names) -> _Read | None:
    if any(names.find(cell) is not None for cell in sheet.columns):
        sheet = without_names(sheet)
    found = file_column(sheet, names)
    return None if found is None else _Read(entry=entry, sheet=sheet, at=found.at, rows=found.rows)


def _merged(read: Sequence[_Read]) -> TargetTable:
    """Join tables of one form; of several forms take that which names most pictures."""
    forms: dict[tuple[tuple[str, ...], int], list[_Read]] = {}
    for one in read:
        forms.setdefault((one.sheet.columns, one.at), []).append(one)
    (columns, at), chosen = max(forms.items(), key=lambda form: sum(len(one.rows) for one in form[1]))
    cells = [tuple(cell for one in chosen for cell in one.sheet.cells[number]) for number in range(len(columns))]
    split_at = _split_column(columns, cells)
    kept = [number for number in range(len(columns)) if number not in (at, split_at)]
    return TargetTable(
        name=" and ".join(one.sheet.name for one in chosen[:3]) + (", ..." if len(chosen) > 3 else ""),
        entries=tuple(one.entry for one in chosen),
        file_column=columns[at],
        where=tuple(f"{one.sheet.name}, row {number}" for one in chosen for number in one.sheet.numbers),
        cells=cells[at],
        pictures=tuple(picture for one in chosen for picture in one.rows),
        splits=_splits(chosen, None if split_at is None else cells[split_at]),
        columns=tuple(judge(columns[number], cells[number], decimal=chosen[0].sheet.decimal) for number in kept),
        unused=tuple(one.sheet.name for one in read if one not in chosen),
    )


def _split_column(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> int | None:
    for number, name in enumerate(columns):
        words = {cell.lower() for cell in cells[number] if cell}
        if name.lower() in SPLIT_COLUMNS and words and words <= SPLIT_FOLDERS.keys():
            return number
    return None


def _splits(chosen: Sequence[_Read], cells: Sequence[str] | None) -> tuple[str, ...] | None:
    """The split of each row: by its column, or by the name or folder of its table; None where neither says."""
    if cells is not None:
        return tuple(SPLIT_FOLDERS.get(cell.lower(), "") for cell in cells)
    by_table = [_split_of(one.entry) for one in chosen]
    if "train" not in by_table:
        return None
    return tuple(split for one, split in zip(chosen, by_table, strict=True) for _ in one.rows)


def _split_of(entry: Entry) -> str:
    *folders, name = entry.key.lower().split("/")
    words = (name.rsplit(".", 1)[0], *folders[-1:])
    return next((SPLIT_FOLDERS[word] for word in words if word in SPLIT_FOLDERS), "")
