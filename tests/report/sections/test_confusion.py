from __future__ import annotations

import pytest

from epochal.report.sections.confusion import Confusion, build


def matrix(counts: object, *, noun: str = "image", labels: object = ("a", "b", "c")) -> Confusion:
    """The confusion of these counts."""
    found = build({"labels": labels, "counts": counts}, known=[], noun=noun)
    assert found is not None
    return found


def test_strength_follows_the_share() -> None:
    """Right answers are as strong as their share of the row; the worst error is the strongest of the errors."""
    (_, first), (_, second) = matrix([[90, 10], [40, 60]]).matrix
    assert (first[0].strength, second[1].strength) == ("0.900", "0.600")
    assert float(second[0].strength) == 0.8
    assert 0.12 < float(first[1].strength) < float(second[0].strength)


def test_the_most_confused_pairs_come_first() -> None:
    """Pairs are ordered by count, right answers and zeros are none."""
    pairs = matrix([[90, 10, 0], [40, 60, 0], [0, 2, 98]]).pairs
    assert [(given, said, amount) for given, said, amount, _ in pairs] == [
        ("b", "a", "40"),
        ("a", "b", "10"),
        ("c", "b", "2"),
    ]


def test_missing_names_are_numbers() -> None:
    """A matrix without labels is drawn all the same."""
    assert matrix([[1, 0], [0, 1]], labels=None).labels == ("class 0", "class 1")


@pytest.mark.parametrize("counts", [None, [], [[5]], [[1, 2], []], "text"])
def test_a_broken_matrix_is_left_out(counts: object) -> None:
    """What is not a square of two or more is not drawn."""
    assert build({"labels": ["a", "b"], "counts": counts}, known=["a", "b"]) is None


def test_millions_of_pixels_are_shown_as_shares() -> None:
    """Where counts do not fit their cells, these hold per cent of the row, and the tooltip tells the count."""
    found = matrix([[2_000_000, 500_000], [1, 99_999]], noun="pixel")
    (_, first), (_, second) = found.matrix
    assert [[cell.count for cell in row] for row in (first, second)] == [["80", "20"], ["0", "100"]]
    assert "Numbers are per cent of the pixels of their row." in found.lead
    assert first[1].tip == "a, taken for b: 500,000 pixels (20.0\xa0%)"
    assert second[0].kind == "none"  # rounds to nothing, and is not tinted as if it were something
    assert found.pairs[0][2] == "500,000"


def test_counts_of_images_stay_counts() -> None:
    """What fits is shown as it was counted."""
    found = matrix([[90, 10], [0, 100]])
    assert not found.shares
    assert "per cent" not in found.lead
    assert found.matrix[1][1][0].kind == "none"
