"""Facts about stored lists of files and what changed between two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.entries import Entry
from epochal.data.listing import Changes, changes, pack, unpack
from epochal.errors import DataError

listings = st.dictionaries(
    st.text(st.characters(exclude_characters="\0"), min_size=1), st.tuples(st.integers(0), st.integers(0))
)


def of(listing: dict[str, tuple[int, int]]) -> list[Entry]:
    """Entries with these sizes and stamps."""
    return [Entry(key=key, size=size, stamp=stamp) for key, (size, stamp) in listing.items()]


@given(listings)
def test_round_trip(listing: dict[str, tuple[int, int]]) -> None:
    """What was packed is unpacked, names with spaces and of any script included."""
    assert unpack(pack(of(listing))) == listing


@given(listings, listings)
def test_changes_are_set_differences(old: dict[str, tuple[int, int]], new: dict[str, tuple[int, int]]) -> None:
    """Added, removed and changed files are what a comparison of the dictionaries says."""
    found = changes(pack(of(old)), pack(of(new)))
    assert set(found.added) == set(new) - set(old)
    assert set(found.removed) == set(old) - set(new)
    assert set(found.changed) == {key for key in set(old) & set(new) if old[key] != new[key]}
    assert bool(found) == (old != new)


def test_sentence_names_a_few() -> None:
    """A long list is cut after three names."""
    assert Changes(added=("a", "b", "c", "d")).sentence() == "4 added (a, b, c, ...)"
    assert Changes().sentence() == "nothing has changed"


@pytest.mark.parametrize("damaged", [b"", b"not a list", pack([Entry(key="a", size=1, stamp=1)])[:-3]])
def test_damaged_list_is_refused(damaged: bytes) -> None:
    """A torn list is an error of its own, not taken for an empty one."""
    with pytest.raises(DataError, match="damaged"):
        unpack(damaged)
