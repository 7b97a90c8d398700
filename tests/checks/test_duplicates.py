"""Facts about the rules on samples with equal pixels."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.checks.duplicates import RULES, conflicting_labels, duplicate_samples, duplicates_across_splits
from epochal.checks.specimens import Specimen, many, table_of
from epochal.data.table import SampleTable
from epochal.findings import Rule, Severity
from epochal.testing import assert_rule_holds


@pytest.mark.parametrize("subject", RULES, ids=lambda subject: subject.name)
def test_rule_holds(subject: Rule[SampleTable]) -> None:
    """The rule fires on its bad cases and is silent on its good ones."""
    assert_rule_holds(subject)


ROWS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.integers(0, 1), st.sampled_from(["train", "val", "test"])), max_size=12
)


@given(ROWS)
def test_rules_agree_with_a_loop_over_pairs(rows: list[tuple[str, int, str]]) -> None:
    """Each rule fires exactly where some pair of rows, compared one by one, has its fault."""
    specimens = [
        Specimen(key=str(row), picture=picture, label=label, split=split)
        for row, (picture, label, split) in enumerate(rows)
    ]
    pairs = [pair for pair in itertools.combinations(rows, 2) if pair[0][0] == pair[1][0]]
    table = table_of(specimens) if specimens else table_of(many(1)).select([])
    assert bool(list(duplicates_across_splits(table))) == any(a[2] != b[2] for a, b in pairs)
    assert bool(list(conflicting_labels(table))) == any(a[1] != b[1] for a, b in pairs)


def test_leaked_samples_are_counted_in_the_judged_split() -> None:
    """Two copies in train of one test image are one leaked test sample, and all names are given."""
    copies = [Specimen(key=f"train/{row}", picture="x") for row in range(2)]
    table = table_of([*copies, Specimen(key="test/x", picture="x", split="test"), *many(9, split="test")])
    (finding,) = duplicates_across_splits(table)
    assert finding.where == "train and test"
    assert finding.measured.startswith("1 sample of test (10.0%)")
    assert "train/0, train/1, test/x" in finding.measured
    assert finding.severity is Severity.ERROR


def test_share_of_copies_decides_how_much_it_matters() -> None:
    """One copy in two hundred is a note, ten are a warning."""
    few = table_of([*many(200), Specimen(key="copy", picture="train/0/0.jpg")])
    plenty = table_of([*many(200), *(Specimen(key=f"copy{n}", picture="train/0/0.jpg") for n in range(10))])
    assert [finding.severity for finding in duplicate_samples(few)] == [Severity.NOTE]
    (finding,) = duplicate_samples(plenty)
    assert finding.severity is Severity.WARN
    assert finding.measured.startswith("10 superfluous copies among 210")


def test_unreadable_files_are_no_copies_of_each_other() -> None:
    """Broken files share the hash of nothing and must not count as duplicates."""
    table = table_of([Specimen(key=str(row), picture="", problem="empty", label=row) for row in range(2)])
    assert not any(list(subject(table)) for subject in RULES)
