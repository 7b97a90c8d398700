"""A data set and the first stage on it, made once; copies of the finished run to change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from epochal.stages import network, watching
from epochal.stages.baseline import fit_baselines
from epochal.stages.folder import RunFolder
from epochal.stages.inspected import Inspected
from epochal.stages.session import Session
from stages.counted import Counted
from stages.striped import striped_folder
from stages.whole import Whole, copied, inspected_on


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A run whose data are inspected and that has done nothing else."""

    data: Path
    folder: RunFolder


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Forty pictures of stripes in each split, inspected."""
    top = tmp_path_factory.mktemp("prepared")
    data, folder = striped_folder(top / "stripes"), RunFolder(top / "run")
    inspected_on(data, folder)
    return Prepared(data=data, folder=folder)


@pytest.fixture
def begun(prepared: Prepared, tmp_path: Path) -> tuple[Session, Inspected]:
    """A start of the program of one's own, where the first stage is done."""
    return inspected_on(prepared.data, copied(prepared.folder, tmp_path / "run"))


@pytest.fixture
def ready(begun: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch) -> tuple[Session, Inspected]:
    """Baselines are on disk; training takes 25 steps, five epochs, each of which is saved."""
    monkeypatch.setattr(watching, "_SAVE_SECONDS", 0.0)
    monkeypatch.setattr(watching, "_GIVE_UP", 2.0)
    monkeypatch.setattr(network, "TimedSteps", lambda _seconds: Counted(25))
    session, inspected = begun
    fit_baselines(session, inspected)
    return session, inspected


@pytest.fixture
def finished_copy(finished: Whole, tmp_path: Path) -> RunFolder:
    """A copy of the finished run."""
    return copied(finished.folder, tmp_path / "run")
