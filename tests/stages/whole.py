"""One run of the whole way on a data set that takes seconds, made once for all tests that only look at it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from epochal.data.sources import open_source
from epochal.models import sizing
from epochal.recipe.config import settle
from epochal.stages.folder import RunFolder
from epochal.stages.inspect import inspect
from epochal.stages.inspected import Inspected
from epochal.stages.session import Session
from epochal.stages.walk import Outcome, canonical, start
from stages.striped import striped_folder

# More time than is needed, so that a slow machine trains as well: on so few images training ends by itself.
SETTINGS: Mapping[str, Any] = {
    "budget_seconds": 120.0,
    "network.width": 16,
    "baseline.budget_share": 0.004,
    "runtime.threads": 1,
}
EPOCHS = 16  # enough for stripes


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A finished run, and what it was made from."""

    data: Path
    outcome: Outcome

    @property
    def folder(self) -> RunFolder:
        """Where it lies. Other tests look at it, too: copy before changing anything."""
        return self.outcome.folder


def finish(top: Path) -> Whole:
    """Make the data and run the whole way on them."""
    data = striped_folder(top / "stripes")
    with mock.patch.object(sizing, "MOST_EPOCHS", EPOCHS):
        return Whole(data=data, outcome=start(data, settle(options=SETTINGS), out=top / "run"))


def copied(folder: RunFolder, top: Path) -> RunFolder:
    """A copy of a run that a test may change."""
    shutil.copytree(folder.path, top, dirs_exist_ok=True)
    return RunFolder(top)


def session_on(data: Path, folder: RunFolder, **more: Any) -> Session:
    """A start of the program on `data`, in `folder`; `more` are keys of the recipe, dots as double underscores."""
    options = {**SETTINGS, "budget_seconds": 40.0} | {key.replace("__", "."): value for key, value in more.items()}
    settings = settle(options=options)
    request = {"source": canonical(str(data)), "settings": {key: settings.recipe[key] for key in settings.chosen}}
    return Session(folder, settings, request=request)


def inspected_on(data: Path, folder: RunFolder, **more: Any) -> tuple[Session, Inspected]:
    """The same, with the first stage done."""
    session = session_on(data, folder, **more)
    return session, inspect(session, open_source(data))
