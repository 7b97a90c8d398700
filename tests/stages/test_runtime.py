"""The arithmetic of a run is chosen once, by measurement or by the user, and kept."""

from pathlib import Path

import pytest
import torch

from epochal.errors import SettingError
from epochal.stages.inspected import Inspected
from epochal.stages.runtime import measure_runtime
from epochal.stages.session import Session
from stages.conftest import Prepared
from stages.whole import copied, inspected_on


def test_the_choice_is_measured_written_down_and_kept(begun: tuple[Session, Inspected]) -> None:
    """A later start computes as the first did, without measuring again."""
    session, inspected = begun
    (measured,) = session.journal.select("measurement", name="runtime")
    assert measured["value"]["runtime"]["precision"] == inspected.runtime.precision
    assert len(measured["value"]["trials"]) >= 3
    assert session.recipe.runtime.precision == session.journal.decided("runtime.precision")


@pytest.mark.parametrize(("precision", "short"), [("float32", "fp32"), ("bfloat16", "bf16")])
def test_the_user_may_choose(prepared: Prepared, tmp_path: Path, precision: str, short: str) -> None:
    """A precision and a number of threads that were asked for are used, whatever would be faster."""
    folder = copied(prepared.folder, tmp_path / "run")
    folder.journal.unlink()
    session, inspected = inspected_on(prepared.data, folder, runtime__precision=precision, runtime__threads=1)
    assert (inspected.runtime.precision, inspected.runtime.threads) == (short, 1)
    assert session.recipe.runtime.precision == precision


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU to be asked for")
def test_a_missing_device_is_named(prepared: Prepared, tmp_path: Path) -> None:
    """Asking for a GPU where there is none is an error before any work, not a slow run on the CPU."""
    folder = copied(prepared.folder, tmp_path / "run")
    folder.journal.unlink()
    with pytest.raises(SettingError, match="cuda"):
        inspected_on(prepared.data, folder, runtime__device="cuda")


def test_the_doctor_measures_the_same_way() -> None:
    """Without data, on images of noise, one sound way of computing is chosen."""
    choice = measure_runtime(image_size=8, channels=1, classes=3, seconds=0.2)
    assert any(trial.runtime == choice.runtime and trial.sound for trial in choice.trials)
