"""Facts about entries and their fingerprint."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from epochal.data.entries import Entry, fingerprint

entries = st.lists(
    st.builds(Entry, key=st.text(min_size=1), size=st.integers(0, 10**12), stamp=st.integers(0, 10**19)),
    unique_by=lambda entry: entry.key,
    max_size=6,
)


@given(entries, st.randoms())
def test_order_does_not_matter(found: list[Entry], random: object) -> None:
    """The same files in another order have the same fingerprint."""
    shuffled = sorted(found, key=lambda entry: hash((entry.key, id(random))))
    assert fingerprint(shuffled) == fingerprint(found)


@given(entries.filter(bool), st.integers(0, 5), st.sampled_from(["size", "stamp", "key"]))
def test_any_change_shows(found: list[Entry], at: int, what: str) -> None:
    """A file with another name, size or stamp, and one file fewer, change the fingerprint."""
    before, number = fingerprint(found), at % len(found)
    other = found[number]
    replaced = {
        "key": dataclasses.replace(other, key=other.key + "x"),
        "size": dataclasses.replace(other, size=other.size + 1),
        "stamp": dataclasses.replace(other, stamp=other.stamp + 1),
    }[what]
    assert fingerprint([*found[:number], replaced, *found[number + 1 :]]) != before
    assert fingerprint([*found[:number], *found[number + 1 :]]) != before
