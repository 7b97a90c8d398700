"""What becomes of the learning rate when the batch changes."""

import math
from typing import Literal, TypeAlias

from epochal.errors import SettingError

ScalingRule: TypeAlias = Literal["linear", "root"]


def scaled_lr(lr: float, *, batch_size: int, tuned_at: int = 256, rule: ScalingRule = "linear") -> float:
    """Carry a learning rate from the batch size it was tuned at to another, for a mean loss.

        linear   lr B / B0         as many samples move the weights as far; for SGD
        root     lr sqrt(B / B0)   the noise of a step keeps its size; for Adam and its kin

    The linear rule holds up to a batch at which the gradient's noise is no longer the limit, and wants a warm-up where
    B is much larger than B0. A loss that is summed instead of averaged needs no rule: its gradient grows by itself.

    Raises: SettingError for a rate or a batch size that is not above 0, or an unknown rule.
    Source: Goyal et al. 2017, section 2.1; Malladi et al. 2022 (root, for Adam); tip W4.3.

    >>> scaled_lr(0.1, batch_size=1024), scaled_lr(0.001, batch_size=1024, rule="root")
    (0.4, 0.002)
    """
    if not lr > 0 or not math.isfinite(lr) or batch_size < 1 or tuned_at < 1:
        raise SettingError(
            f"A rate of {lr} shall be carried from batches of {tuned_at} to {batch_size}.",
            expected="all above 0.",
            remedy="0.1 at 256 is the usual start of SGD.",
        )
    ratio = batch_size / tuned_at
    if rule == "linear":
        return lr * ratio
    if rule == "root":
        return lr * math.sqrt(ratio)
    raise SettingError(f"The rule is {rule!r}.", expected="linear or root.", remedy="linear for sgd, root for adam.")
