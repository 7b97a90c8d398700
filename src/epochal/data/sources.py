"""From what the user names to a source of files."""

import difflib
import os
import zipfile
from pathlib import Path

from epochal.data.archive import Archive
from epochal.data.digits import Digits
from epochal.data.entries import Entry, Source, Unreadable, fingerprint
from epochal.data.folder import Folder
from epochal.data.formats import has_image_ending
from epochal.errors import DataError

__all__ = ["Entry", "Source", "Unreadable", "fingerprint", "open_source"]

EXPECTED = "a folder, a .zip file, or the word digits."


def open_source(where: str | Path) -> Source:
    """Open what the user named: `digits` (built in), a folder, a zip (not unpacked), or one picture (to predict).

    Opening lists and decodes nothing yet. A folder called `digits` beside the user is reached as `./digits`.

    Raises: DataError if there is no such path (with near matches), or if it is no folder, zip or picture.

    >>> open_source("digits").name
    'digits'
    """
    if str(where) == "digits":
        return Digits()
    path = Path(where).expanduser()
    try:
        if path.is_dir():
            with os.scandir(path):  # a closed folder is not an empty one
                return Folder(root=path)
        if path.is_file():
            return _single(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be looked at ({error.strerror}).",
            expected=EXPECTED,
            remedy="check the path and its permissions.",
        ) from None
    raise _missing(path)


def _single(path: Path) -> Source:
    if path.suffix.lower() == ".zip" or _is_zip(path):
        return Archive(path=path)
    if has_image_ending(path.name):
        return Folder(root=path.parent, only=(path.name,))
    raise DataError(
        f"{path} is neither a folder nor a zip.",
        expected=EXPECTED,
        remedy="unpack other archives, and give the folder above the class folders.",
    )


def _is_zip(path: Path) -> bool:
    try:
        return zipfile.is_zipfile(path)
    except OSError:
        return False


def _missing(path: Path) -> DataError:
    parent = path.parent
    names = [child.name for child in parent.iterdir()] if parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
    if near:
        remedy = f"did you mean {' or '.join(str(parent / name) for name in near)}?"
    elif not parent.is_dir():
        remedy = f"the folder {parent} does not exist either: check the path."
    else:
        remedy = "check the spelling and the folder you are in."
    return DataError(f"There is no {path}.", expected=EXPECTED, remedy=remedy)
