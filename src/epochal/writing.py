"""Files that are replaced as a whole or not at all, whatever happens while they are written. No torch."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

TEMPORARY = ".part"


def write_atomically(path: Path, content: str | bytes | Sequence[bytes | memoryview]) -> None:
    """Write aside, flush to the disk, and rename over `path`; the folder is flushed too.

    Text is written as UTF-8; names on disk need not be valid text, and what is not is written as escapes. A list of
    parts is written one after the other, without joining them in memory.

    Raises: OSError where that fails; nothing is left behind and the old file is untouched.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "deep" / "note.txt"
    >>> write_atomically(path, "grüße")
    >>> path.read_text(encoding="utf-8"), len(list(path.parent.iterdir()))
    ('grüße', 1)
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.open("wb") as file:
            for part in _parts(content):
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def clear_leftovers(folder: Path) -> list[Path]:
    """Delete temporary files that a killed process left in `folder`; gives their paths.

    >>> clear_leftovers(Path("no such folder"))
    []
    """
    left = [path for path in folder.glob(f".*{TEMPORARY}") if not _alive(path)]
    for path in left:
        path.unlink(missing_ok=True)
    return left


def _parts(content: str | bytes | Sequence[bytes | memoryview]) -> Sequence[bytes | memoryview]:
    if isinstance(content, str):
        return [content.encode("utf-8", "backslashreplace")]
    return [content] if isinstance(content, bytes) else content


def _alive(path: Path) -> bool:
    """Whether the process that writes this temporary file still runs: its number is in the name."""
    number = path.name.removesuffix(TEMPORARY).rpartition(".")[2]
    if not number.isdigit() or int(number) == os.getpid():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
