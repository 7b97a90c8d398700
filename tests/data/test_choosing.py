"""Facts about choosing task and columns of a table."""

import pytest

from epochal.data.cells import Column, judge
from epochal.data.choosing import Kind, choose
from epochal.errors import DataError

N = 60
COLUMNS: dict[str, Column] = {
    "angle": judge("angle", [f"{row / 7:.3f}" for row in range(N)]),
    "value": judge("value", [f"{row / 3:.3f}" for row in range(N)]),
    "grade": judge("grade", [str(row % 4) for row in range(N)]),
    "stars": judge("stars", [str(row % 5) for row in range(N)]),
    "breed": judge("breed", ["cat", "dog", "emu"] * (N // 3)),
    "food": judge("food", ["hay", "fish"] * (N // 2)),
    "label": judge("label", ["a", "b"] * (N // 2)),
    "tags": judge("tags", ["a;b", "b", "a", ""] * (N // 4)),
    "rain": judge("rain", ["0", "1"] * (N // 2)),
    "sun": judge("sun", ["1", "0", "1"] * (N // 3)),
    "dry": judge("dry", ["1", "0"] * (N // 2)),
    "id": judge("id", [str(row) for row in range(N)]),
    "same": judge("same", ["7"] * N),
    "remark": judge("remark", [f"remark {row}" for row in range(N)]),
}


def chosen(*names: str, task: Kind | None = None) -> tuple[str, list[str]]:
    """The task and the names of its columns."""
    choice = choose([COLUMNS[name] for name in names], table="t.csv", task=task)
    return choice.kind, [column.name for column in choice.columns]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["angle"], ("regression", ["angle"])),
        (["angle", "value"], ("regression", ["angle", "value"])),
        (["angle", "grade", "id", "same", "remark"], ("regression", ["angle", "grade"])),
        (["grade"], ("classification", ["grade"])),
        (["grade", "stars"], ("regression", ["grade", "stars"])),
        (["breed"], ("classification", ["breed"])),
        (["breed", "angle"], ("classification", ["breed"])),
        (["breed", "value"], ("regression", ["value"])),
        (["label", "value"], ("classification", ["label"])),
        (["breed", "label"], ("classification", ["label"])),
        (["tags"], ("multi-label", ["tags"])),
        (["rain", "sun"], ("multi-label", ["rain", "sun"])),
        (["rain", "dry"], ("classification", ["rain", "dry"])),
        (["rain"], ("classification", ["rain"])),
    ],
)
def test_the_data_say_the_task(names: list[str], expected: tuple[str, list[str]]) -> None:
    """Words are classes, lists are labels, marks are labels or one-hot classes, numbers are values."""
    assert chosen(*names) == expected


@pytest.mark.parametrize(
    ("names", "task", "expected"),
    [
        (["grade"], "regression", ["grade"]),
        (["breed", "angle"], "regression", ["angle"]),
        (["angle", "value"], "regression", ["value"]),
        (["rain"], "regression", ["rain"]),
        (["rain", "angle"], "regression", ["angle"]),
        (["angle", "breed"], "classification", ["breed"]),
        (["grade"], "classification", ["grade"]),
        (["breed"], "multi-label", ["breed"]),
        (["rain", "dry"], "multi-label", ["rain", "dry"]),
        (["rain"], "multi-label", ["rain"]),
    ],
)
def test_the_task_may_be_asked_for(names: list[str], task: Kind, expected: list[str]) -> None:
    """A task that is asked for takes the columns that fit it, and those called as targets before others."""
    assert chosen(*names, task=task) == (task, expected)


@pytest.mark.parametrize(
    ("names", "task", "said"),
    [
        (["breed"], "regression", "no target for regression: 'breed' holds words"),
        (["angle"], "multi-label", "no target for multi-label: 'angle' holds numbers"),
        (["same", "id"], "classification", "'same' never changes, 'id' counts the rows"),
        (["angle"], "segmentation", "no target for segmentation"),
        (["same", "remark"], None, "'same' never changes, 'remark' hardly ever says the same twice"),
        ([], None, "no other column"),
        (["breed", "food"], None, "several columns that could be the target: 'breed' and 'food'"),
        (["grade", "stars"], "classification", "several columns"),
    ],
)
def test_what_does_not_fit_is_refused(names: list[str], task: Kind | None, said: str) -> None:
    """The message names every column and what it holds."""
    with pytest.raises(DataError, match=said):
        chosen(*names, task=task)


def test_the_reason_says_why_and_what_else_there_is() -> None:
    """Whole numbers of few values are classes for a reason, and how to have it otherwise is told."""
    few = choose([COLUMNS["grade"]], table="t.csv")
    assert "whole numbers with 4 different values" in few.why
    assert "--task regression" in few.why
    beside = choose([COLUMNS["breed"], COLUMNS["angle"]], table="t.csv")
    assert "'angle' unused: --task regression takes measurements" in beside.why
    assert choose([COLUMNS["rain"], COLUMNS["dry"]], table="t.csv").one_hot


def test_many_columns_are_named_in_part() -> None:
    """A sentence names four of many columns and counts the others."""
    marks = [judge(f"m{number}", ["0", "1", "1"]) for number in range(9)]
    assert "'m0', 'm1', 'm2', 'm3' and 5 more" in choose(marks, table="t.csv").why
