"""Random numbers that belong to a sample, not to its batch.

A draw is a pure function of (seed, epoch, sample, stream, k): a counter is hashed, no generator has a state. So a
sample gets the same augmentation whatever its neighbours are, in whichever process it lands, and after any resume.
The hash is the finaliser of splitmix64 (Steele, Lea and Flood 2014), the same idea as counter-based generators
(Salmon et al. 2011), here over whole tensors of int64.
"""

import hashlib
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: the increment of splitmix64
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB  # multipliers of its finaliser ("mix13" of David Stafford)


def uniform(index: Int[Tensor, " n"], draws: int, *, seed: int, epoch: int, stream: str) -> Float[Tensor, "n draws"]:
    """Draw `draws` numbers from [0, 1) for each sample in `index`; `stream` keeps different uses apart.

    Shapes: n samples.  Units: float64 with 53 random bits, the top bits of the hash.
    Source: splitmix64, Steele, Lea and Flood 2014; tip L6.

    >>> both = uniform(torch.tensor([7, 4]), 2, seed=0, epoch=1, stream="crop")
    >>> alone = uniform(torch.tensor([4]), 2, seed=0, epoch=1, stream="crop")
    >>> both.shape, torch.equal(both[1:], alone)
    (torch.Size([2, 2]), True)
    """
    bits = _bits(index, draws, seed=seed, epoch=epoch, stream=stream)
    return _shifted(bits, 11).double() * 2.0**-53


def integers(
    index: Int[Tensor, " n"], draws: int, *, below: int, seed: int, epoch: int, stream: str
) -> Int[Tensor, "n draws"]:
    """Draw `draws` whole numbers from 0 to `below` - 1 for each sample in `index`.

    They are `floor(below * uniform)`: for `below` under 2^32 no value is favoured by more than one part in two million.

    Shapes: n samples.  Source: tip L6.

    >>> integers(torch.arange(6), 1, below=3, seed=0, epoch=0, stream="side").unique().tolist()
    [0, 1, 2]
    """
    return (uniform(index, draws, seed=seed, epoch=epoch, stream=stream) * below).long()


def coin(index: Int[Tensor, " n"], *, seed: int, epoch: int, stream: str, chance: float = 0.5) -> Tensor:
    """Throw one coin per sample, true with probability `chance`.

    >>> round(coin(torch.arange(100_000), seed=0, epoch=0, stream="flip", chance=0.25).double().mean().item(), 2)
    0.25
    """
    return uniform(index, 1, seed=seed, epoch=epoch, stream=stream)[:, 0] < chance


def _bits(index: Int[Tensor, " n"], draws: int, *, seed: int, epoch: int, stream: str) -> Int[Tensor, "n draws"]:
    """Hash the sample number, then each of its counters: two rounds, so that neighbours share nothing."""
    key = _mix_int(_mix_int(_mix_int(seed) ^ _stream_key(stream)) + epoch)
    sample = _mix(index.to(torch.int64) * _signed(_GOLDEN) + _signed(key))
    counters = torch.arange(1, draws + 1, device=index.device, dtype=torch.int64) * _signed(_GOLDEN)
    return _mix(sample[:, None] + counters)


def _mix(x: Tensor) -> Tensor:
    """Finalise splitmix64 on int64 tensors, whose products wrap as unsigned ones would."""
    x = (x ^ _shifted(x, 30)) * _signed(_FIRST)
    x = (x ^ _shifted(x, 27)) * _signed(_SECOND)
    return x ^ _shifted(x, 31)


def _mix_int(x: int) -> int:
    """Finalise splitmix64 on one Python integer, after one step of its counter."""
    x = (x + _GOLDEN) & _MASK
    x = ((x ^ (x >> 30)) * _FIRST) & _MASK
    x = ((x ^ (x >> 27)) * _SECOND) & _MASK
    return x ^ (x >> 31)


def _shifted(x: Tensor, bits: int) -> Tensor:
    """Shift right without the sign: torch's int64 shift copies the top bit."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _signed(x: int) -> int:
    """Read 64 bits as the signed number torch stores."""
    return x - (1 << 64) if x >> 63 else x


@lru_cache(maxsize=256)
def _stream_key(stream: str) -> int:
    return int.from_bytes(hashlib.blake2b(stream.encode(), digest_size=8).digest(), "little")
