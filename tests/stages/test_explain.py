"""Facts about the pages of rules in the terminal: complete, true to the rules, and free of heavy imports."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

from epochal.errors import SettingError
from epochal.findings import Rule
from epochal.stages.explain import explain, known_rules, listing


def test_pages_tell_what_the_rules_are() -> None:
    """Names, codes, severities, tips, texts and cases read from the sources are those of the rule objects."""
    rules = {}
    for room in ("epochal.checks", "epochal.monitors"):
        for info in pkgutil.iter_modules(importlib.import_module(room).__path__):
            for each in vars(importlib.import_module(f"{room}.{info.name}")).values():
                if isinstance(each, Rule):
                    rules[each.name] = each
    pages = {page.name: page for page in known_rules()}
    assert pages.keys() == rules.keys()
    for name, page in pages.items():
        each = rules[name]
        assert (page.code, page.severity, page.tips) == (each.code, each.severity.value, each.tips)
        assert page.doc.split() == each.doc.split()
        assert set(page.fires) == {case.name for case in each.firing}
        assert set(page.silent) == {case.name for case in each.silent}


def test_thresholds_come_with_their_reason() -> None:
    """The constants that a rule uses, with the comment and the benchmark above them."""
    page = explain("EP203")
    assert "STRAY_FACTOR = 2.0" in page
    assert "benchmarks/healthy/batch.md" in page
    assert "divide by the training spread" in page


def test_a_wrong_name_has_neighbours() -> None:
    """The nearest rules stand in the error."""
    with pytest.raises(SettingError, match="double-softmax"):
        explain("doubled-softmax")


def test_all_rules_are_listed() -> None:
    """One line each."""
    assert all(page.code in listing() for page in known_rules())


def test_explaining_loads_no_torch() -> None:
    """Nor numpy: the sources are read, not imported."""
    code = "import sys\nfrom epochal.stages.explain import explain\nexplain('dead-start')\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy"} & set(loaded)
