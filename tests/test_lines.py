"""JSON lines survive a kill at any byte."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import RunError
from epochal.lines import LineWriter, append_durably, cut_torn_tail, read_lines

rows = st.lists(
    st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=9), max_size=3), min_size=1, max_size=4
)


@given(rows=rows, data=st.data())
def test_a_file_cut_anywhere_keeps_its_whole_lines(
    rows: list[dict[str, object]], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever byte a kill falls on, only the line being written is lost, and writing can go on."""
    path = tmp_path_factory.mktemp("lines") / "rows.jsonl"
    writer = LineWriter(path)
    for row in rows:
        writer.write(row)
    writer.close()
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    whole = content[:cut].count(b"\n")
    assert list(read_lines(path)) == rows[:whole]
    cut_torn_tail(path)
    append_durably(path, {"after": 1})
    assert list(read_lines(path)) == [*rows[:whole], {"after": 1}]


def test_damage_in_the_middle_is_named(tmp_path: Path) -> None:
    """A broken line that no kill can explain is an error with its number."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\nnonsense\n{"b": 2}\n')
    with pytest.raises(RunError, match="Line 2"):
        list(read_lines(path))


def test_nan_is_written_as_a_word(tmp_path: Path) -> None:
    """Strict JSON readers in other languages can read every line."""
    path = tmp_path / "rows.jsonl"
    writer = LineWriter(path)
    writer.write({"loss": float("nan"), "list": [float("inf"), 1.5], "deep": {"x": float("-inf")}})
    writer.flush()
    writer.close()
    assert json.loads(path.read_text(), parse_constant=pytest.fail) == {
        "loss": "nan",
        "list": ["inf", 1.5],
        "deep": {"x": "-inf"},
    }
