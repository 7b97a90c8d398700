"""A training that ends between two steps, as a kill ends it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from epochal.stages.fit import Fit


class Stopped(Exception):
    """Stands for a kill: raised between two steps, it leaves the files as they are."""


@contextmanager
def stopped_after(saves: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the training end abruptly after so many saves."""
    whole, done = Fit.save, []

    def save(self: Fit, path: object) -> None:
        whole(self, path)  # type: ignore[arg-type]
        done.append(path)
        if len(done) == saves:
            raise Stopped

    with monkeypatch.context() as patched, pytest.raises(Stopped):  # noqa: PT012 - the body is what stops
        patched.setattr(Fit, "save", save)
        yield
