"""A stored list of the files that a run began with, and what has changed since."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from epochal.data.entries import Entry
from epochal.errors import DataError

# How many file names a sentence shows of each kind.
SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Files that came, went, or have another content now.

    >>> bool(Changes()), Changes(removed=("cat/1.jpg",)).sentence()
    (False, '1 removed (cat/1.jpg)')
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def sentence(self) -> str:
        """Say it in one line, with a few names of each kind."""
        kinds = {"added": self.added, "removed": self.removed, "changed": self.changed}
        parts = [f"{len(keys):,} {kind} ({_few(keys)})" for kind, keys in kinds.items() if keys]
        return ", ".join(parts) or "nothing has changed"


def _few(keys: tuple[str, ...]) -> str:
    return ", ".join(keys[:SHOWN]) + (", ..." if len(keys) > SHOWN else "")


def pack(entries: Iterable[Entry]) -> bytes:
    """Write key, size and stamp of each file, compressed: about 10 bytes a file.

    >>> unpack(pack([Entry(key="cat/1.jpg", size=924, stamp=7)]))
    {'cat/1.jpg': (924, 7)}
    """
    lines = (f"{entry.size} {entry.stamp} {entry.key}" for entry in sorted(entries, key=lambda entry: entry.key))
    return zlib.compress("\0".join(lines).encode("utf-8", "surrogatepass"), 6)


def unpack(listing: bytes) -> dict[str, tuple[int, int]]:
    """Read size and stamp by key.

    Raises: DataError if the bytes are no such list.
    """
    try:
        lines = zlib.decompress(listing).decode("utf-8", "surrogatepass").split("\0")
        parts = [line.split(" ", 2) for line in lines if line]
        return {key: (int(size), int(stamp)) for size, stamp, key in parts}
    except (zlib.error, ValueError) as error:
        raise DataError(
            f"The stored list of files is damaged ({error}).",
            expected="the list that was written when the run began.",
            remedy="start the run again in a new folder.",
        ) from None


def changes(before: bytes, after: bytes) -> Changes:
    """Compare two lists.

    >>> old = pack([Entry(key="a", size=1, stamp=1), Entry(key="b", size=1, stamp=1)])
    >>> new = pack([Entry(key="b", size=1, stamp=2), Entry(key="c", size=1, stamp=1)])
    >>> changes(old, new).sentence()
    '1 added (c), 1 removed (a), 1 changed (b)'
    """
    old, new = unpack(before), unpack(after)
    return Changes(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed=tuple(sorted(key for key in old.keys() & new.keys() if old[key] != new[key])),
    )
