"""A verdict in the formats that people and CI systems read: text, JSON, SARIF 2.1.0, JUnit XML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from epochal import __version__
from epochal.errors import SettingError
from epochal.findings import Finding, Severity
from epochal.stages.explain import known_rules
from epochal.stages.verdict import Report

FORMATS = ("text", "json", "sarif", "junit")
_LEVELS = {Severity.NOTE: "note", Severity.WARN: "warning", Severity.ERROR: "error", Severity.STOP: "error"}


def check_format(kind: str) -> None:
    """Refuse a format that is none, before any work is done.

    Raises: SettingError with the nearest format.

    >>> check_format("json")
    """
    if kind not in FORMATS:
        raise SettingError.unknown("format", kind, known=FORMATS)


def rendered(report: Report, kind: str, *, target: str) -> str:
    """The verdict as text in one of the formats.

    >>> rendered(Report(findings=(), passed=("flat-loss",)), "json", target="train.py:build").splitlines()[1]
    '  "ok": true,'
    """
    if kind == "json":
        return json.dumps({**report.to_json(), "target": target}, indent=2)
    if kind == "sarif":
        return json.dumps(_sarif(report, target=target), indent=2)
    if kind == "junit":
        return _junit(report, target=target)
    return str(report)


def _sarif(report: Report, *, target: str) -> dict[str, Any]:
    pages = {page.name: page for page in known_rules()}
    used = sorted({each.rule for each in report.findings})
    rules = [
        {
            "id": pages[name].code,
            "name": name,
            "shortDescription": {"text": pages[name].what},
            "fullDescription": {"text": pages[name].doc},
        }
        for name in used
    ]
    driver = {"name": "epochal", "version": __version__, "rules": rules}
    results = [_result(each, target=target, index=used.index(each.rule)) for each in report.findings]
    skipped = [
        {"level": "note", "message": {"text": f"Not checked: {what}: {why}"}} for what, why in report.not_checked
    ]
    run = {
        "tool": {"driver": driver},
        "results": results,
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": skipped}],
    }
    return {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}


def _result(finding: Finding, *, target: str, index: int) -> dict[str, Any]:
    uri = target.rpartition(":")[0] or target
    uri = uri if uri.endswith(".py") else uri.replace(".", "/") + ".py"
    return {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": _sentence(finding)},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": Path(uri).as_posix()}, "region": {"startLine": 1}},
                "logicalLocations": [{"fullyQualifiedName": finding.where}],
            }
        ],
    }


def _sentence(finding: Finding) -> str:
    cause = f" Cause: {finding.cause}." if finding.cause else ""
    return f"{finding.where}: {finding.measured}. Expected: {finding.expected}{cause} What to do: {finding.remedy}"


def _junit(report: Report, *, target: str) -> str:
    """One test case for each rule: errors fail, warnings and notes are told, what was not checked is skipped."""
    found = {each.rule: each for each in reversed(report.findings)}
    failing = [each for each in found.values() if each.severity.rank >= Severity.ERROR.rank]
    count = len(found) + len(report.passed) + len(report.not_checked)
    suite = ET.Element(
        "testsuite",
        name=f"epochal check {target}",
        tests=str(count),
        failures=str(len(failing)),
        errors="0",
        skipped=str(len(report.not_checked)),
        time=f"{report.seconds:.2f}",
    )
    for name, each in found.items():
        case = ET.SubElement(suite, "testcase", classname=target, name=name)
        if each in failing:
            ET.SubElement(case, "failure", message=each.measured, type=each.severity.value).text = _sentence(each)
        else:
            ET.SubElement(case, "system-out").text = f"{each.severity.value}: {_sentence(each)}"
    for name in report.passed:
        ET.SubElement(suite, "testcase", classname=target, name=name)
    for what, why in report.not_checked:
        ET.SubElement(ET.SubElement(suite, "testcase", classname=target, name=what), "skipped", message=why)
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"
