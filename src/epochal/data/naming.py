"""From the names that a table gives to the pictures of a source."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from epochal.data.formats import has_image_ending
from epochal.data.tabular import Sheet

# A column names files when at least this share of its filled cells names a picture that exists: half of the pictures
# of a download may be missing, a column of numbers that happen to be file names should not be taken.
NAMED = 0.5
# Cells of a column at which a glance is taken first.
GLANCE = 1_000
# A column whose cells look like names of pictures, found or not: the nearest miss in a message.
LOOKS_NAMED = 0.5


class Names:
    r"""Pictures by every way in which a table may name them.

    By path from the table's folder, by path from the top, by file name alone where only one picture has it, and each
    of these without the ending; `\` counts as `/`, and capitals count where two files differ in nothing else.

    >>> names = Names(["images/a.jpg", "images/b.png"], top="")
    >>> [names.find(cell) for cell in ("images/a.jpg", "a.jpg", "b", "./images/b.png", "c")]
    [0, 0, 1, 1, None]
    """

    def __init__(self, keys: Sequence[str], *, top: str) -> None:
        """Know the pictures `keys` of a source, for a table that lies in the folder `top` (`""`, or with a `/`)."""
        self._top = top
        ways: list[list[str]] = [[], []]
        for key in keys:
            ways[0].append(key)
            ways[1].append(key.rsplit("/", 1)[-1])
        self._maps = [_single(way) for way in ways]
        self._maps += [_single([_stem(name) for name in way]) for way in ways]
        self._maps += [_single([name.lower() for name in way]) for way in ways]

    def find(self, cell: str) -> int | None:
        """Position of the picture that a cell names, None if there is none, or more than one."""
        if not cell:
            return None
        path = cell.replace("\\", "/").removeprefix("./")
        name = path.rsplit("/", 1)[-1]
        tries = (self._top + path, path, name)
        for by_path, by_name, change in (
            (self._maps[0], self._maps[1], str),
            (self._maps[2], self._maps[3], _bare),
            (self._maps[4], self._maps[5], str.lower),
        ):
            for where, word in ((by_path, tries[0]), (by_path, tries[1]), (by_name, tries[2])):
                found = where.get(change(word))
                if found is not None and found >= 0:
                    return found
        return None


def _single(words: Iterable[str]) -> dict[str, int]:
    """Position of each word; -1 for one that stands twice."""
    found: dict[str, int] = {}
    for number, word in enumerate(words):
        found[word] = -1 if word in found else number
    return found


def _stem(name: str) -> str:
    return name.rsplit(".", 1)[0] if "." in name.rsplit("/", 1)[-1] else name


def _bare(name: str) -> str:
    """The name without an ending, where it ends as a picture does; `17.5` is no file called 17."""
    return _stem(name) if has_image_ending(name) else name


@dataclass(frozen=True, slots=True, kw_only=True)
class FileColumn:
    r"""Which column of a sheet names files, and the picture of each row (None where there is none).

    >>> from epochal.data.tabular import parse
    >>> sheet = parse(b"n,photo\n1,a\n2,b\n", name="t.csv")
    >>> file_column(sheet, Names(["a.jpg", "b.jpg"], top=""))
    FileColumn(at=1, rows=(0, 1))
    """

    at: int
    rows: tuple[int | None, ...]

    @property
    def named(self) -> int:
        """How many different pictures it names."""
        return len(set(self.rows) - {None})


def file_column(sheet: Sheet, names: Names) -> FileColumn | None:
    """The column that names most pictures, the first of equals; None where none does.

    Where a column looks like names of pictures, numbers that happen to be file names are none.
    """
    best: FileColumn | None = None
    looks = [_looks(cells[:: max(1, len(cells) // GLANCE)]) for cells in sheet.cells]
    for at, cells in enumerate(sheet.cells):
        if any(looks) and not looks[at]:
            continue
        if _share(cells[:: max(1, len(cells) // GLANCE)], names) < NAMED / 2:
            continue  # a column of a million numbers is not looked up cell by cell
        rows = tuple(names.find(cell) for cell in cells)
        filled = sum(1 for cell in cells if cell)
        if sum(row is not None for row in rows) < NAMED * filled:
            continue
        found = FileColumn(at=at, rows=rows)
        if best is None or found.named > best.named:
            best = found
    return best


def _looks(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and sum(map(has_image_ending, filled)) >= LOOKS_NAMED * len(filled)


def _share(cells: Sequence[str], names: Names) -> float:
    """How many of the filled cells name a picture."""
    filled = [cell for cell in cells if cell]
    return sum(names.find(cell) is not None for cell in filled) / max(1, len(filled))


def nearest_miss(sheet: Sheet, names: Names) -> str:
    r"""What came closest to a column of file names, in words, for a message.

    >>> from epochal.data.tabular import parse
    >>> nearest_miss(parse(b"photo,x\na.jpg,1\nc.jpg,2\nd.jpg,4\n", name="t.csv"), Names(["a.jpg"], top=""))
    "'photo' names 1 picture of 3, not for example c.jpg"
    """
    told: list[tuple[bool, int, str]] = []
    for column, cells in zip(sheet.columns, sheet.cells, strict=True):
        filled = [cell for cell in cells if cell]
        missed = [cell for cell in filled if names.find(cell) is None]
        hit = len(filled) - len(missed)
        if missed and (hit or _looks(cells)):
            count = f"{hit:,} picture{'' if hit == 1 else 's'} of {len(filled):,}"
            told.append((_looks(cells), hit, f"{column!r} names {count}, not for example {missed[0]}"))
    if not told:
        return "no cell of " + ", ".join(repr(column) for column in sheet.columns) + " is the name of a picture"
    return max(told, key=lambda one: one[:2])[2]
