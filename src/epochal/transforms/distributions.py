"""Draws that are not even, each again a pure function of (seed, epoch, sample, stream): made from even ones."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from epochal.errors import SettingError
from epochal.transforms.draws import uniform


def normal(index: Int[Tensor, " n"], draws: int, *, seed: int, epoch: int, stream: str) -> Float[Tensor, "n draws"]:
    """Draw `draws` numbers from the normal distribution of mean 0 and deviation 1 for each sample in `index`.

    Box and Muller's pair, `sqrt(-2 log u) (cos, sin)(2 pi v)`; u and v are 27 and 26 bits of one draw, so values reach
    6.1 deviations.

    Shapes: n samples.  Units: float32.  Source: Box and Muller 1958.

    >>> values = normal(torch.arange(1000), 100, seed=0, epoch=0, stream="noise")
    >>> round(values.mean().item(), 2), round(values.std().item(), 2)
    (0.0, 1.0)
    """
    bits = uniform(index, (draws + 1) // 2, seed=seed, epoch=epoch, stream=stream).mul_(2.0**26)
    high = bits.floor()
    radius = bits.sub_(high).neg_().add_(1).float().log_().mul_(-2).sqrt_()  # 1 - u lies in (0, 1]
    angle = high.float().mul_(2 * math.pi / 2.0**26)
    pairs = torch.stack((angle.cos().mul_(radius), angle.sin_().mul_(radius)), dim=2)
    return pairs.flatten(1)[:, :draws]


def symmetric_beta(
    index: Int[Tensor, " n"], *, alpha: float, seed: int, epoch: int, stream: str
) -> Float[Tensor, " n"]:
    """Draw one share per sample from Beta(alpha, alpha): near 0 and 1 for a small `alpha`, near a half for a large one.

    `1/2 + t / (2 sqrt(2 alpha + t^2))` with t of Student's distribution of 2 alpha degrees of freedom, which is
    `sqrt(2 alpha (u^(-1 / alpha) - 1)) cos(2 pi v)`: exact for every alpha, without rejection.

    Shapes: n samples.  Units: a share, float64.  Raises: SettingError if `alpha` is not above 0.
    Source: Bailey 1994 (t by one polar pair); Devroye 1996, "Random variate generation in one line of code".

    >>> drawn = symmetric_beta(torch.arange(100_000), alpha=0.2, seed=0, epoch=0, stream="share")
    >>> round(drawn.mean().item(), 2), round(drawn.var().item(), 2), round(0.25 / (2 * 0.2 + 1), 2)
    (0.5, 0.18, 0.18)
    """
    if not 0 < alpha < math.inf:
        raise SettingError(
            f"Alpha is {alpha}.", expected="above 0.", remedy="0.2 for mixup on photographs, 1 for cutmix."
        )
    u, v = uniform(index, 2, seed=seed, epoch=epoch, stream=stream).unbind(1)
    cos = (2 * math.pi * v).cos()
    spread = torch.expm1(u.log().div(-alpha)) * cos**2  # t^2 / (2 alpha); infinite where u is 0, which gives 0 or 1
    return 0.5 + 0.5 * cos.sign() / (1 + 1 / spread).sqrt()
