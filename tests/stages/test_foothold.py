"""Where decoding everything takes long, a first model comes before it."""

from pathlib import Path

import pytest

from epochal.data.sources import open_source
from epochal.stages import foothold as foothold_module
from epochal.stages.artifact import load_model
from epochal.stages.folder import RunFolder
from epochal.stages.foothold import foothold
from stages.striped import striped_folder
from stages.whole import session_on


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 40 files count as many: the rule is about their share, not about thousands."""
    monkeypatch.setattr(foothold_module, "_FILES", 40)
    monkeypatch.setattr(foothold_module, "_SECONDS_PER_FILE", 1.0)


@pytest.mark.usefixtures("many")
def test_a_model_of_a_sample_is_on_disk_at_once(tmp_path: Path) -> None:
    """It knows the classes and the size, and the journal says on how many images its score was taken."""
    data = striped_folder(tmp_path / "data", 200, splits=())
    session = session_on(data, RunFolder(tmp_path / "run"))
    foothold(session, open_source(data))
    facts = load_model(session.folder.model)[1]
    assert (len(facts.kind.names), facts.size, facts.network) == (2, (12, 12), "linear")
    event = session.journal.last("model", adopted=True)
    assert event is not None
    assert event["name"] == "first linear"
    assert 0 <= event["low"] <= event["value"] <= event["high"] <= 1


@pytest.mark.usefixtures("many")
def test_it_is_done_once(tmp_path: Path) -> None:
    """With a model on disk there is nothing to hurry for."""
    data = striped_folder(tmp_path / "data", 100, splits=())
    session = session_on(data, RunFolder(tmp_path / "run"))
    for _ in range(2):
        foothold(session, open_source(data))
    assert len(list(session.journal.select("model"))) == 1


def test_few_files_need_none(tmp_path: Path) -> None:
    """What is decoded in a moment goes straight to the baselines."""
    data = striped_folder(tmp_path / "data", 10)
    session = session_on(data, RunFolder(tmp_path / "run"))
    foothold(session, open_source(data))
    assert not session.folder.model.exists()
    assert list(session.journal.select("stage")) == []
