"""Facts about the rules on single files."""

import pytest

from epochal.checks.files import RULES, constant_image, decoded_with_loss, unreadable_file, wrong_extension
from epochal.checks.listing import MOST
from epochal.checks.specimens import Specimen, many, table_of
from epochal.data.table import SampleTable
from epochal.findings import Rule, Severity
from epochal.testing import assert_rule_holds


@pytest.mark.parametrize("subject", RULES, ids=lambda subject: subject.name)
def test_rule_holds(subject: Rule[SampleTable]) -> None:
    """The rule fires on its bad cases and is silent on its good ones."""
    assert_rule_holds(subject)


def test_each_broken_file_is_named() -> None:
    """Every unreadable file has a finding with its name and its own remedy."""
    table = table_of(
        [*many(98), Specimen(key="x/a.png", problem="truncated: ends early"), Specimen(key="x/b", problem="empty")]
    )
    findings = list(unreadable_file(table))
    assert [finding.where for finding in findings] == ["x/a.png", "x/b"]
    assert findings[0].measured == "truncated: ends early"
    assert "end is missing" in findings[0].remedy
    assert findings[1].measured == "empty"


def test_many_broken_files_are_one_fault() -> None:
    """Where more than one file in twenty is broken, the first finding is an error about the copy as a whole."""
    broken = [Specimen(key=f"{row}.jpg", problem="damaged: odd bytes") for row in range(300)]
    findings = list(unreadable_file(table_of([*many(300), *broken])))
    assert findings[0].severity is Severity.ERROR
    assert "300 of 600" in findings[0].measured
    assert len(findings) == 1 + MOST + 1
    assert "200 more" in findings[-1].measured


def test_same_remarks_share_a_finding() -> None:
    """A thousand BMPs named .jpg are one finding with a count, and other mismatches are another."""
    odd = [Specimen(key=f"{row}.jpg", notes=("wrong-extension: BMP inside, named .jpg",)) for row in range(1000)]
    other = Specimen(key="z.gif", notes=("wrong-extension: PNG inside, named .gif", "transparent: over white"))
    table = table_of([*odd, other])
    assert [finding.measured[:12] for finding in wrong_extension(table)] == ["1,000 files:", "1 file: PNG "]
    assert [finding.where for finding in decoded_with_loss(table)] == ["z.gif"]


def test_nothing_but_constant_images_is_no_fault_of_single_files() -> None:
    """Where all images are constant the files are not listed one by one."""
    assert not list(constant_image(table_of([Specimen(key=f"{row}", std=(0, 0, 0)) for row in range(5)])))


@pytest.mark.parametrize("subject", RULES, ids=lambda subject: subject.name)
def test_an_empty_table_is_silent(subject: Rule[SampleTable]) -> None:
    """Without files there is nothing to find."""
    table = table_of(many(1)).select([])
    assert not list(subject(table))
