"""What stands for a network in training when it is judged and kept: an average of its weights, or its last moment.

All of them are called after each step, put themselves into the model for the length of a `with`, and can be saved.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from epochal.ensembles.swa import SWA, update_batchnorm
from epochal.optim.schedule_free import ScheduleFreeAdamW


class Average(Protocol):
    """What `EMA`, `LateMean`, `PathAverage` and `LastWeights` have in common."""

    def __call__(self, model: nn.Module) -> None:
        """Take notice of the weights after a step."""

    def applied(self, model: nn.Module) -> AbstractContextManager[nn.Module]:
        """Put into the model what it is to be judged by, for the length of a `with`."""

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on as if never interrupted."""

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Go on from a saved state."""


class LastWeights:
    """No average: the network is judged and kept as it is at the moment.

    >>> model = nn.Linear(1, 1)
    >>> with LastWeights().applied(model) as judged: judged is model
    True
    """

    def __call__(self, model: nn.Module) -> None:
        """Nothing is kept."""

    def applied(self, model: nn.Module) -> AbstractContextManager[nn.Module]:
        """The model as it is."""
        return nullcontext(model)

    def state_dict(self) -> dict[str, Any]:
        """Nothing to save."""
        return {}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Nothing to go on from."""


class LateMean:
    """Mean of the weights over the last part of a run whose length in steps nobody knows: SWA from when it is `due`.

    Every `every`-th step counts from the first at which `due()` holds. Before that the network is judged as it is.

    Source: Izmailov et al. 2018, algorithm 1; tip K6.1.

    >>> model, progress = nn.Linear(1, 1, bias=False), 0.0
    >>> mean = LateMean(model, due=lambda: progress >= 0.75)
    >>> for progress, value in ((0.5, 9.0), (0.75, 1.0), (1.0, 2.0)):
    ...     with torch.no_grad(): _ = model.weight.fill_(value)
    ...     mean(model)
    >>> with mean.applied(model): model.weight.item()
    1.5
    """

    def __init__(self, model: nn.Module, *, due: Callable[[], bool], every: int = 1) -> None:
        """Begin without any weights; `model` is the one whose saved mean may be taken up."""
        self._model, self._due = model, due
        self._mean = SWA(every=every)

    @property
    def taken(self) -> int:
        """How often weights were taken into the mean."""
        return self._mean.taken

    def __call__(self, model: nn.Module) -> None:
        """Take the weights where it is their turn."""
        if self._mean.calls or self._due():
            self._mean(model)

    def applied(self, model: nn.Module) -> AbstractContextManager[nn.Module]:
        """The mean, or the model as it is before there is one."""
        return self._mean.applied(model) if self._mean.taken else nullcontext(model)

    def state_dict(self) -> dict[str, Any]:
        """The mean, and how many weights are in it."""
        return self._mean.state_dict()

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Take up a saved mean.

        Raises: CheckpointError where the saved names or shapes are another network's.
        """
        self._mean.load_state_dict(state, model=self._model)


class PathAverage:
    """The average that a schedule-free optimizer keeps by itself; the optimizer's state holds it.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> optimizer = ScheduleFreeAdamW(model.parameters(), lr=0.1)
    >>> model(torch.ones(1, 1)).sum().backward(); optimizer.step()
    >>> before = model.weight.item()
    >>> with PathAverage(optimizer).applied(model): changed = model.weight.item() != before
    >>> changed, model.weight.item() == before
    (False, True)
    """

    def __init__(self, optimizer: ScheduleFreeAdamW) -> None:
        """Keep the optimizer."""
        self._optimizer = optimizer

    def __call__(self, model: nn.Module) -> None:
        """The optimizer has done it already."""

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[nn.Module]:
        """The average; afterwards the weights of training again, to the last bit."""
        own = [(p, p.detach().clone()) for p in model.parameters()]  # there and back by arithmetic would round
        try:
            with self._optimizer.applied(model):
                yield model
        finally:
            with torch.no_grad():
                for parameter, weights in own:
                    parameter.copy_(weights)

    def state_dict(self) -> dict[str, Any]:
        """Nothing beside what the optimizer saves."""
        return {}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Nothing beside what the optimizer takes up."""


class WithStatistics:
    """An average whose batch-norm statistics are gathered for it: those of the run belong to other weights.

    `images` gives batches as the model takes them; the fewer, the cheaper is each look. They are asked for once after
    each step at most, however often the average is applied. An average of statistics, as `EMA` has it, needs no such
    thing.

    Source: Izmailov et al. 2018, section 3.1; Defazio et al. 2024, section 4.4; tip K6.1.

    >>> model = nn.Sequential(nn.BatchNorm1d(1))
    >>> average = WithStatistics(LastWeights(), images=lambda: [torch.tensor([[1.0], [3.0]])])
    >>> with average.applied(model): model[0].running_mean
    tensor([2.])
    >>> model[0].running_mean
    tensor([0.])
    """

    def __init__(
        self,
        average: Average,
        *,
        images: Callable[[], Iterable[Tensor]],
        arithmetic: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        """Keep the parts; `arithmetic` is the context of the forward pass, such as autocast."""
        self._average, self._images, self._arithmetic = average, images, arithmetic
        self._gathered: dict[str, Tensor] | None = None

    def __call__(self, model: nn.Module) -> None:
        """Pass the step on; what was gathered before it no longer holds."""
        self._gathered = None
        self._average(model)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[nn.Module]:
        """The average with statistics of its own; afterwards those of the run again."""
        with self._average.applied(model):
            statistics = _statistics(model)
            own = {name: value.clone() for name, value in statistics.items()}
            if self._gathered is None and statistics:
                with self._arithmetic():
                    update_batchnorm(model, self._images())
                self._gathered = {name: value.clone() for name, value in statistics.items()}
            _put(self._gathered or {}, statistics)
            try:
                yield model
            finally:
                _put(own, statistics)

    def state_dict(self) -> dict[str, Any]:
        """That of the average; statistics are gathered anew."""
        return self._average.state_dict()

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Take up a saved average."""
        self._gathered = None
        self._average.load_state_dict(state)


def _statistics(model: nn.Module) -> dict[str, Tensor]:
    return {
        f"{place}.{name}": value
        for place, layer in model.named_modules()
        if isinstance(layer, _BatchNorm)
        for name, value in layer.named_buffers(recurse=False)
    }


@torch.no_grad()
def _put(values: dict[str, Tensor], places: dict[str, Tensor]) -> None:
    for name, value in values.items():
        places[name].copy_(value)
