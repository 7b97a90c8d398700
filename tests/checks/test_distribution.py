"""Facts about the rules on classes, splits, sizes and brightness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.checks.distribution import (
    RULES,
    class_imbalance,
    class_missing_in_split,
    coarse_score,
    property_tells_class,
    split_shift,
)
from epochal.checks.specimens import Specimen, many, table_of
from epochal.data.table import SampleTable
from epochal.findings import Rule, Severity
from epochal.testing import assert_rule_holds


@pytest.mark.parametrize("subject", RULES, ids=lambda subject: subject.name)
def test_rule_holds(subject: Rule[SampleTable]) -> None:
    """The rule fires on its bad cases and is silent on its good ones."""
    assert_rule_holds(subject)


@pytest.mark.parametrize("subject", RULES, ids=lambda subject: subject.name)
def test_an_empty_table_is_silent(subject: Rule[SampleTable]) -> None:
    """Without files there is nothing to find."""
    assert not list(subject(table_of(many(1)).select([])))


def test_a_class_missing_from_train_is_graver() -> None:
    """A class that cannot be learnt is an error, one that is not examined a warning."""
    table = table_of([*many(40), *many(10, split="test")], classes=("cat", "dog", "eel"))
    assert [(f.where, f.severity) for f in class_missing_in_split(table)] == [
        ("train", Severity.ERROR),
        ("test", Severity.WARN),
    ]


@given(st.integers(1, 60), st.integers(1, 60))
def test_imbalance_is_the_ratio(cats: int, dogs: int) -> None:
    """The rule fires exactly above ten to one, whichever class is the larger."""
    table = table_of([Specimen(key=str(n), label=int(n >= cats)) for n in range(cats + dogs)])
    assert bool(list(class_imbalance(table))) == (max(cats, dogs) > 10 * min(cats, dogs))


def test_coarse_score_turns_at_its_formula() -> None:
    """About 140 samples give five points: 130 are too few, 150 are enough."""
    assert list(coarse_score(table_of(many(130, split="test"))))
    assert not list(coarse_score(table_of(many(150, split="test"))))


def test_split_shift_rarely_alarms_by_chance() -> None:
    """Of 200 pairs of splits drawn from one source, small and large, none alarms."""
    source = np.random.default_rng(0)
    for trial in range(200):
        sizes = {"train": 300, "test": (5, 30, 300)[trial % 3]}
        rows = [
            Specimen(key=f"{split}{n}", split=split, mean=(value,) * 3)
            for split, count in sizes.items()
            for n, value in enumerate(source.gamma(2.0, 0.2, count))
        ]
        assert not list(split_shift(table_of(rows)))


def test_unique_sizes_are_no_shortcut() -> None:
    """Where every file has a size of its own, a size seen once teaches nothing about the next."""
    rows = [Specimen(key=str(n), label=n % 2, side=(100 + n, 100)) for n in range(300)]
    assert not list(property_tells_class(table_of(rows)))


def test_shortcut_says_how_well_it_guesses() -> None:
    """The finding quotes both shares, judged on the half that did not teach."""
    rows = [
        Specimen(key=str(n), label=int(n >= 100), format="PNG" if n >= 100 else "JPEG", mode="RGB") for n in range(200)
    ]
    (finding,) = property_tells_class(table_of(rows))
    assert finding.where == "format"
    assert "100%" in finding.measured
    assert "50%" in finding.measured
