"""What every test stands on: calm threads, a cache of its own, the shared data where there are any."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch reads these two when it is imported: no torch above this line
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads of two test processes starve each other

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from stages.whole import Whole

# No test is decided by time: a slow machine is no fault of the code. Nor by luck: properties are tried on the same
# examples each time, unless EPOCHAL_EXPLORE asks for new ones.
settings.register_profile("house", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", settings.get_profile("house"), derandomize=True)
settings.load_profile("house" if os.environ.get("EPOCHAL_EXPLORE") else "repeatable")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds pyproject.toml."""
    return REPOSITORY


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Decoded images of the tests never land in the user's cache, nor do old ones come from there."""
    os.environ["EPOCHAL_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> "Whole":
    """A finished run on a small data set, made once: copy it before changing anything."""
    from stages.whole import finish

    return finish(tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; tests that need it are skipped on a machine without it."""
    folder = Path(os.environ.get("EPOCHAL_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "cifar10.zip").is_file():
        pytest.skip(f"no real data in {folder}; EPOCHAL_SHARED_DATA names another place")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what tests measured, as `record_property("measured", ...)`: facts for the reader, never verdicts."""
    reports = [each for each in terminalreporter.stats.get("passed", []) if each.when == "call"]
    told = [value for each in reports for name, value in each.user_properties if name == "measured"]
    if told:
        terminalreporter.section("measured")
        terminalreporter.write("".join(f"{line}\n" for line in told))
