"""What must stand in the environment before torch is imported: how waiting threads behave. No torch.

OpenMP threads that wait for work spin by default. Alone on a machine that saves a few per cent; beside other busy
processes they burn the time that the others, and so they themselves, need: a step of a small MLP beside two busy
processes took 165 to 400 ms with spinning threads, 6 to 9 ms with sleeping ones; alone, sleeping costs 5 to 9 %.
"""

import os
import sys
from collections.abc import MutableMapping

WAIT_POLICY = "OMP_WAIT_POLICY"


def wait_politely(environment: MutableMapping[str, str] | None = None) -> bool:
    """Make waiting threads sleep, unless the user has chosen otherwise; True where this took effect in time.

    It only works before torch is first imported, so the command line calls it at its very start.

    >>> fresh = {}
    >>> _ = wait_politely(fresh); fresh
    {'OMP_WAIT_POLICY': 'PASSIVE'}
    >>> wait_politely({"OMP_WAIT_POLICY": "ACTIVE"})
    False
    """
    values = os.environ if environment is None else environment
    if WAIT_POLICY in values:
        return values[WAIT_POLICY].upper() == "PASSIVE" and "torch" not in sys.modules
    values[WAIT_POLICY] = "PASSIVE"
    return "torch" not in sys.modules


def for_children(processes: int, *, cores: int) -> dict[str, str]:
    """Environment for each of several processes that share `cores`: an equal part of the threads, waiting politely.

    >>> for_children(2, cores=4)
    {'OMP_NUM_THREADS': '2', 'OMP_WAIT_POLICY': 'PASSIVE'}
    """
    return {"OMP_NUM_THREADS": str(max(1, cores // max(1, processes))), WAIT_POLICY: "PASSIVE"}
