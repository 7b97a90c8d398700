"""Facts about counting cores."""

import os

import pytest

from epochal.data import threads


def test_cores_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system restricts a process to some cores, only those count."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7}, raising=False)
    assert threads.cores() == 3


def test_systems_that_restrict_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere all cores count, and at least one where their number is unknown."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert threads.cores() == 1
