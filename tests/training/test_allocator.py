"""glibc keeps freed memory once told to."""

import platform
import subprocess
import sys

import pytest

from epochal.training.allocator import keep_freed_memory

PROGRAM = """
import ctypes, resource, sys
from epochal.training.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
for round in range(6):
    if round == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = libc.malloc(128 << 20)
    ctypes.memset(block, 1, 128 << 20)
    libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has no mallopt of this kind")
def test_large_blocks_are_reused() -> None:
    """Five more blocks of 128 MiB fault no page in again where by default each faults all of its 32,768."""

    def faults(mode: str) -> int:
        told = subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=True)
        return int(told.stdout)

    default, kept = faults("default"), faults("keep")
    assert kept < 1000
    assert default > 10 * max(kept, 1)


def test_asking_again_changes_nothing() -> None:
    """The answer of the first time stands."""
    assert keep_freed_memory() == keep_freed_memory()


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """On another system the answer is no."""
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    keep_freed_memory.cache_clear()
    assert not keep_freed_memory()
    keep_freed_memory.cache_clear()
