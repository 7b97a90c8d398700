"""Averages of one network's weights over time, which predict better than its last moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from epochal.errors import CheckpointError, SettingError


def warmed_decay(updates: int, *, decay: float) -> float:
    """Decay of the average at its `updates`-th update: `min(decay, (1 + t) / (10 + t))`.

    Early weights are worth little, so the average forgets them quickly: after t updates it reaches back about t / 9.

    Source: `tf.train.ExponentialMovingAverage` with `num_updates`.

    >>> warmed_decay(0, decay=0.999), warmed_decay(90, decay=0.999), warmed_decay(10**6, decay=0.999)
    (0.1, 0.91, 0.999)
    """
    return min(decay, (1 + updates) / (10 + updates))


class EMA:
    """Exponential moving average of weights, one of `after_update`: `a <- d a + (1 - d) w`.

    Floating buffers (the running statistics of batch normalisation) are averaged alike, counters are copied. With
    `every` k the average is updated at each k-th step with the decay to the power k, which costs a k-th and differs
    little.

    Raises: SettingError if `decay` is outside [0, 1).  Source: tip K6.1; Polyak and Juditsky 1992.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> with torch.no_grad(): _ = model.weight.fill_(0.0)
    >>> ema = EMA(model, decay=0.5, warmup=False)
    >>> with torch.no_grad(): _ = model.weight.fill_(1.0)
    >>> ema(model)
    >>> with ema.applied(model): model.weight.item()
    0.5
    >>> model.weight.item()
    1.0
    """

    def __init__(self, model: nn.Module, *, decay: float = 0.999, warmup: bool = True, every: int = 1) -> None:
        """Begin the average at the model's weights as they are now."""
        if not 0 <= decay < 1 or every < 1:
            raise SettingError(
                f"The average has decay {decay}, every {every} steps.",
                expected="a decay from 0 to below 1, at every 1 or more steps.",
                remedy="0.999 every step; lower for runs of fewer than some thousand steps.",
            )
        self.decay, self.warmup, self.every = decay, warmup, every
        self.calls = 0
        self.shadow: dict[str, Tensor] = {name: value.detach().clone() for name, value in _entries(model)}

    @torch.no_grad()
    def __call__(self, model: nn.Module) -> None:
        """Take the model's present weights into the average."""
        self.calls += 1
        if self.calls % self.every:
            return
        updates = self.calls // self.every - 1
        decay = self.decay**self.every
        keep = warmed_decay(updates, decay=decay) if self.warmup else decay
        averages, values = [], []
        for name, value in _entries(model):
            if value.is_floating_point():
                averages.append(self.shadow[name])
                values.append(value.detach())
            else:
                self.shadow[name].copy_(value)
        torch._foreach_lerp_(averages, values, 1 - keep)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[nn.Module]:
        """Put the averaged weights into the model for the length of a `with`, then its own again, without copying.

        Do not train inside: what the optimizer would change is the average.
        """
        self._swap(model)
        try:
            yield model
        finally:
            self._swap(model)

    def copy_to(self, model: nn.Module) -> None:
        """Write the averaged weights over those of `model`, for good."""
        with torch.no_grad():
            for name, value in _entries(model):
                value.copy_(self.shadow[name])

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on averaging as if never interrupted."""
        return {"calls": self.calls, "shadow": dict(self.shadow)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a saved average.

        Raises: CheckpointError where the saved names or shapes are another network's.
        """
        shadow: dict[str, Tensor] = state["shadow"]
        if {k: v.shape for k, v in shadow.items()} != {k: v.shape for k, v in self.shadow.items()}:
            raise CheckpointError(
                "The saved weight average belongs to another network.",
                expected="the same names and shapes as the model's.",
                remedy="resume with the recipe that the run began with, or start a new run.",
            )
        for name, value in shadow.items():
            self.shadow[name].copy_(value)
        self.calls = int(state["calls"])

    def _swap(self, model: nn.Module) -> None:
        for name, value in _entries(model):
            value.data, self.shadow[name] = self.shadow[name], value.data


def _entries(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers by name, those shared by two names once."""
    yield from model.named_parameters()
    yield from model.named_buffers()
