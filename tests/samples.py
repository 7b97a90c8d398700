"""Rows of sample tables: any, for property tests, and a healthy one."""

from hypothesis import strategies as st

from epochal.data.table import SPLITS, Sample

words = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=";"), min_size=1, max_size=12)
channel = st.floats(0, 1)
hashes = st.binary(min_size=16, max_size=16).map(bytes.hex)


def samples(classes: int) -> st.SearchStrategy[Sample]:
    """Rows with every kind of content, for a table of three channels."""
    return st.builds(
        Sample,
        key=words,
        split=st.sampled_from(SPLITS),
        label=st.integers(-1, classes - 1),
        width=st.integers(0, 10**5),
        height=st.integers(0, 10**5),
        mode=st.sampled_from(["L", "RGB", "I;16"]),
        format=st.sampled_from(["PNG", "JPEG"]),
        file_bytes=st.integers(0, 2**40),
        content_hash=hashes,
        pixel_hash=hashes,
        mean=st.tuples(channel, channel, channel),
        std=st.tuples(channel, channel, channel),
        low=st.tuples(*[st.integers(0, 255)] * 3),
        high=st.tuples(*[st.integers(0, 255)] * 3),
        problem=st.none() | words,
        notes=st.lists(words, max_size=2).map(tuple),
    )


def one(**changes: object) -> Sample:
    """A healthy row."""
    facts: dict[str, object] = {
        "key": "cat/1.png", "split": "train", "label": 0, "width": 4, "height": 5, "mode": "RGB", "format": "PNG",
        "file_bytes": 77, "content_hash": "00" * 16, "pixel_hash": "11" * 16, "mean": (0.1, 0.2, 0.3),
        "std": (0.1, 0.1, 0.1), "low": (0, 1, 2), "high": (9, 9, 9), "problem": None, "notes": (),
    }  # fmt: skip
    return Sample(**(facts | changes))  # type: ignore[arg-type]
