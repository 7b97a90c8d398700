"""What a source of files offers: entries by name, and their bytes."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


class Unreadable(Exception):
    """A file that cannot be used, as `kind: what is wrong`; it is left out and named, and never ends a run.

    The kinds: `empty`, `truncated`, `damaged`, `not-an-image`, `too-large`, `no-permission`, `broken-link`,
    `encrypted`, `unreadable`.

    >>> str(Unreadable("empty: the file holds no bytes"))
    'empty: the file holds no bytes'
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a source, known without opening it.

    `key` is its path inside the source, with `/` on every system. `stamp` changes when the content does: the
    modification time in nanoseconds in a folder, the CRC-32 in a zip. `problem` is what already stands in the way,
    such as a broken link.

    >>> Entry(key="train/cat/0001.jpg", size=924, stamp=7).key
    'train/cat/0001.jpg'
    """

    key: str
    size: int
    stamp: int
    problem: str | None = None


class Source(Protocol):
    """Where files come from: a folder, a zip, or what is built in. Reading is safe from several threads."""

    @property
    def name(self) -> str:
        """A short name, fit for a run folder."""

    @property
    def where(self) -> str:
        """What the user gave, for messages."""

    def entries(self) -> Sequence[Entry]:
        """Every visible file, sorted by key."""

    def read(self, entry: Entry) -> bytes:
        """All bytes of a file, or `Unreadable`."""

    def peek(self, entry: Entry, count: int) -> bytes:
        """The first `count` bytes of a file, or a few more; or `Unreadable`."""


def fingerprint(entries: Iterable[Entry]) -> str:
    """Tell in one word whether any of these files was added, removed or changed, without reading them.

    >>> cat = Entry(key="cat.png", size=10, stamp=1)
    >>> fingerprint([cat]) == fingerprint([Entry(key="cat.png", size=10, stamp=2)])
    False
    """
    digest = hashlib.blake2b(digest_size=16)
    for entry in sorted(entries, key=lambda entry: entry.key):
        digest.update(f"{entry.size} {entry.stamp} {entry.key}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
