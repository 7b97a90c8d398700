"""What the stages of one run share: the folder, the journal, the recipe as far as it is decided, the budget."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from epochal import __version__
from epochal.errors import CheckFailed, EpochalError, RunError
from epochal.findings import Finding, Rule, Severity
from epochal.recipe.config import Settings, write
from epochal.recipe.journal import Journal, Origin
from epochal.stages.folder import RunFolder, write_json
from epochal.stages.progress import Progress, Quiet
from epochal.training.machine import cpu_name, usable_cores, usable_memory
from epochal.writing import clear_leftovers, write_atomically


class Session:
    """One start of the program at work on one run.

    Stages read and write the run through it: `measure` and `decide` go to the journal, `stage` times and resumes,
    `judge` examines rules. It holds state and calls; what is measured or judged is computed elsewhere.
    """

    def __init__(
        self,
        folder: RunFolder,
        settings: Settings,
        *,
        request: Mapping[str, Any],
        progress: Progress | None = None,
        started: float | None = None,
    ) -> None:
        """Take up the run in `folder`, or begin it. Units: `started` is a reading of `time.monotonic`."""
        for place in (folder.path, folder.checkpoint.parent):
            clear_leftovers(place)
        self.folder = folder
        self.present_evidence: np.ndarray | None = None  # of the model on disk, on the validation split
        self.at = "run"  # the stage that is at work, which every event names
        self.chosen = settings.chosen
        self.progress: Progress = progress or Quiet()
        self.journal = Journal(folder.journal, started=started)
        self.resumed = self.journal.resumed
        self.source = str(request["source"])
        self.recipe = settings.recipe.replace(
            {event["key"]: event["value"] for event in self.journal.select("decision")}
        )
        self.journal.write(
            "session",
            stage="run",
            request=dict(request),
            resumed=self.resumed,
            argv=command(),
            versions=versions(),
            machine=machine(),
        )
        if not self.resumed:
            for key in sorted(self.chosen):
                self.write("decision", key=key, value=self.recipe[key], origin="user", reason="asked for")
            self.save_recipe()

    @property
    def budget(self) -> float:
        """Wall-clock seconds for the whole run."""
        return self.recipe.budget_seconds

    @property
    def left(self) -> float:
        """Seconds of the budget that are not used yet; negative once it is overrun."""
        return self.budget - self.journal.spent

    def write(self, kind: str, **fields: Any) -> None:
        """Append an event to the journal in the name of the stage that is at work."""
        self.journal.write(kind, stage=self.at, **fields)

    def measure(self, name: str, value: Any, *, unit: str = "", note: str = "") -> None:
        """Write down what was measured."""
        self.write("measurement", name=name, value=value, unit=unit, note=note)

    def decide(
        self,
        key: str,
        value: Any,
        *,
        reason: str,
        origin: Origin = "measured",
        evidence: Any = None,
    ) -> Any:
        """Settle one key of the recipe, unless the user or an earlier start of this run has; returns what stands."""
        if key in self.chosen:
            return self.recipe[key]
        earlier = self.journal.last("decision", key=key)
        if earlier is not None:
            return self.recipe[key]
        self.write("decision", key=key, value=value, origin=origin, reason=reason, evidence=evidence)
        self.recipe = self.recipe.replace({key: value})
        return value

    def revise(self, key: str, value: Any, *, reason: str) -> None:
        """Settle a key anew, because what was settled has failed."""
        self.write("decision", key=key, value=value, origin="measured", reason=reason)
        self.recipe = self.recipe.replace({key: value})
        self.progress.line(f"  {key} = {value:g}: {reason}")

    def save_recipe(self) -> None:
        """Write `recipe.toml` as it stands, each value with its origin and reason."""
        reasons = {event["key"]: f"{event['origin']}: {event['reason']}" for event in self.journal.select("decision")}
        write_atomically(self.folder.recipe, write(self.recipe, reasons))

    @contextmanager
    def stage(self, name: str, *, title: str) -> Iterator[None]:
        """Time a stage and mark its beginning and end in the journal."""
        self.progress.line(title)
        self.journal.write("stage", stage=name, event="begin")
        before, outer, self.at = self.journal.spent, self.at, name
        try:
            yield
        except EpochalError as error:
            self.journal.write(
                "stage", stage=name, event="stopped", seconds=self.journal.spent - before, reason=str(error)
            )
            raise
        finally:
            self.at = outer
        self.journal.write("stage", stage=name, event="end", seconds=round(self.journal.spent - before, 3))
        self.save_recipe()

    def skip(self, name: str, *, reason: str) -> None:
        """Leave a stage out, and say why."""
        self.journal.write("stage", stage=name, event="skipped", seconds=0.0, reason=reason)
        self.progress.line(f"{name}: skipped, {reason}")

    def judge(self, rules: Iterable[Rule[Any]], evidence: object) -> list[Finding]:
        """Examine `rules` on `evidence`; write every finding, and every rule that passed, to the journal."""
        found: list[Finding] = []
        for rule in rules:
            findings = list(rule(evidence))
            for finding in findings:
                self.write("finding", **finding.to_json())
                self.progress.line(f"  {finding.severity.value}  {finding.rule}: {finding.where}: {finding.measured}")
            self.write(
                "check",
                rule=rule.name,
                code=rule.code,
                passed=not findings,
                measured="; ".join(each.measured for each in findings[:3]),
                expected=findings[0].expected if findings else "",
                about=rule.doc.splitlines()[0],
                tips=list(rule.tips),
            )
            found += findings
        return found

    def save_findings(self) -> None:
        """Write `findings.json`: one object per finding."""
        keys = ("rule", "code", "severity", "where", "measured", "expected", "remedy", "cause", "tips")
        write_json(
            self.folder.findings, [{key: event[key] for key in keys} for event in self.journal.select("finding")]
        )


def stop_on(findings: Iterable[Finding]) -> None:
    """Stop the run at the first finding that says so.

    Raises: CheckFailed.

    >>> stop_on([])
    """
    for finding in findings:
        if finding.severity is Severity.STOP:
            raise CheckFailed(
                f"{finding.rule}: {finding.where}: {finding.measured}.",
                expected=finding.expected,
                remedy=finding.remedy,
            )


def refuse_inside(folder: Path, source: str) -> None:
    """Stop before anything is written into the user's data.

    Raises: RunError if `folder` is the data folder or lies in it.
    """
    data = Path(source)
    if data.is_dir() and folder.resolve().is_relative_to(data.resolve()):
        raise RunError(
            f"The run would be written to {folder}, which lies in the data folder {source}.",
            expected="a place outside the data: epochal never writes into them.",
            remedy="choose another folder with --out, or start from another directory.",
        )


def command() -> str:
    """The command line of this process, as a person would type it."""
    return shlex.join(["epochal", *sys.argv[1:]])


def versions() -> dict[str, str]:
    """Versions that a result depends on, without importing anything heavy."""
    found = {"epochal": __version__, "python": platform.python_version()}
    for package in ("torch", "numpy", "pillow", "safetensors"):
        found[package] = metadata.version(package)
    return found


def machine() -> dict[str, Any]:
    """What the run was measured on."""
    return {
        "system": platform.platform(terse=True),
        "processor": cpu_name(),
        "cores": usable_cores(),
        "memory_gib": round(usable_memory() / 2**30, 1),
    }
