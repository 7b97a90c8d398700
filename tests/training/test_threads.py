"""Environment variables for polite threads."""

import subprocess
import sys

from epochal.training.threads import for_children, wait_politely


def test_the_users_choice_stands() -> None:
    """A policy that is already set is not overwritten."""
    environment = {"OMP_WAIT_POLICY": "active"}
    assert not wait_politely(environment)
    assert environment == {"OMP_WAIT_POLICY": "active"}


def test_takes_effect_before_torch_alone() -> None:
    """In a fresh process it is in time, after importing torch it says it is not; it imports no torch itself."""
    program = (
        "import sys; from epochal.training.threads import wait_politely as w\n"
        "assert 'torch' not in sys.modules; assert w({}); import torch; assert not w({})"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_children_share_the_cores() -> None:
    """N processes get floor(cores / n) threads each, one at least."""
    assert [for_children(n, cores=4)["OMP_NUM_THREADS"] for n in (1, 2, 3, 4, 9)] == ["4", "2", "1", "1", "1"]
