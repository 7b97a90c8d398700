"""Orders and draws that depend on numbers alone: the same on every machine, with every version of numpy."""

import numpy as np
from jaxtyping import Int64, UInt64

# SplitMix64: increment and multipliers of Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
GOLDEN = 0x9E3779B97F4A7C15
FIRST, SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
MASK = (1 << 64) - 1


def mix(numbers: UInt64[np.ndarray, " n"], *keys: int) -> UInt64[np.ndarray, " n"]:
    """Scramble each number together with the keys: evenly spread, and the same for the same numbers and keys.

    Source: the finalizer of SplitMix64, applied once more for each key.

    >>> mix(np.array([0], dtype=np.uint64))
    array([16294208416658607535], dtype=uint64)
    >>> bool(mix(np.array([1], np.uint64), 5) == mix(np.array([1], np.uint64), 6))
    False
    """
    state = numbers.astype(np.uint64)
    for key in (0, *keys):
        state ^= np.uint64(key & MASK)
        state += np.uint64(GOLDEN)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(FIRST)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(SECOND)
        state ^= state >> np.uint64(31)
    return state


def permutation(count: int, *, seed: int, epoch: int) -> Int64[np.ndarray, " n"]:
    """Shuffle 0 to count - 1; a pure function of seed and epoch.

    >>> permutation(5, seed=0, epoch=0).tolist() == permutation(5, seed=0, epoch=0).tolist()
    True
    >>> sorted(permutation(5, seed=3, epoch=1).tolist())
    [0, 1, 2, 3, 4]
    """
    return np.argsort(mix(np.arange(count, dtype=np.uint64), seed, epoch), kind="stable")
