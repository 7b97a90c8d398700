"""Two optimizers that won public comparisons, by name."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn
from torch.optim import Optimizer

from epochal.errors import SettingError
from epochal.optim.muon import muon
from epochal.optim.schedule_free import schedule_free


def build(model: nn.Module, *, name: str, lr: float, weight_decay: float = 0.0, **options: Any) -> Optimizer:
    """Make the optimizer `name`, "schedule-free" or "muon", with no decay on norms and biases.

    Usual rates: schedule-free 1e-3 to 1e-2 (1 to 10 times AdamW's) after a warm-up and no schedule; muon 0.02.

    Raises: SettingError for an unknown name, a rate that is not positive, or a decay below 0.  Source: tips L4, S11.

    >>> [len(group["params"]) for group in build(nn.Linear(3, 2), name="schedule-free", lr=0.003).param_groups]
    [1, 1]
    """
    kinds: Mapping[str, Callable[..., Optimizer]] = {"schedule-free": schedule_free, "muon": muon}
    if name not in kinds:
        raise SettingError(f"The optimizer is {name!r}.", expected=f"one of {', '.join(kinds)}.", remedy="muon.")
    return kinds[name](model, lr=lr, weight_decay=weight_decay, **options)
