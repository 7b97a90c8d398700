"""How glibc hands out large blocks of memory: kept for the next step instead of given back after each. No torch.

By default glibc maps every block above 32 MiB afresh and unmaps it when freed, so that each step of a network with
large activations faults all its pages in again. Keeping them turns that off; the price is that the process does not
shrink when memory is freed.
"""

import ctypes
import platform
from functools import cache

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # malloc.h
_TOP_PAD_BYTES = 64 << 20  # the heap grows in strides of this size


@cache
def keep_freed_memory() -> bool:
    """Let glibc keep freed memory for the rest of the process; True where that took effect.

    Anywhere but on Linux with glibc nothing happens.

    Source: mallopt(3).

    >>> keep_freed_memory() == keep_freed_memory()
    True
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1), (_M_TOP_PAD, _TOP_PAD_BYTES))
    accepted = [mallopt(option, value) == 1 for option, value in settings]
    return all(accepted)
