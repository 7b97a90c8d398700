"""Stochastic weight averaging: the mean of a network's weights over the last part of its run."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from epochal.errors import CheckpointError, SettingError


class SWA:
    """Mean of the weights at every `every`-th step from `start` on, one of `after_update`: `a <- a + (w - a) / n`.

    Where an `EMA` follows the run, this is the centre of the region it wanders through, which a high constant or cyclic
    rate in the last quarter makes wide. Means are kept in float32 or wider, so that the thousandth bfloat16 weight
    still counts. Buffers stay the model's own: after training, batch-norm statistics belong to other weights, and
    `update_batchnorm` gathers those of the mean.

    Raises: SettingError if `start` is below 0 or `every` below 1.
    Source: Izmailov et al. 2018, "Averaging weights leads to wider optima and better generalization"; tip K6.1.

    >>> model = nn.Linear(1, 1, bias=False); swa = SWA(start=1)
    >>> for value in (9.0, 1.0, 2.0):
    ...     with torch.no_grad(): _ = model.weight.fill_(value)
    ...     swa(model)
    >>> with swa.applied(model): model.weight.item()
    1.5
    >>> model.weight.item()
    2.0
    """

    def __init__(self, *, start: int = 0, every: int = 1) -> None:
        """Begin with no weights at all: the first ones taken are the mean."""
        if start < 0 or every < 1:
            raise SettingError(
                f"The mean shall begin at step {start} and take every {every}.",
                expected="a start of 0 or more, at every 1 or more steps.",
                remedy="start at 3/4 of the run, every = steps of an epoch.",
            )
        self.start, self.every = start, every
        self.calls, self.taken = 0, 0
        self.mean: dict[str, Tensor] = {}

    @torch.no_grad()
    def __call__(self, model: nn.Module) -> None:
        """Count the step, and take the model's present weights into the mean where it is their turn."""
        due = self.calls >= self.start and (self.calls - self.start) % self.every == 0
        self.calls += 1
        if not due:
            return
        self.taken += 1
        if self.taken == 1:
            self.mean = {
                name: weight.detach().to(_wide(weight), copy=True) for name, weight in model.named_parameters()
            }
            return
        weights = {name: weight.detach().to(_wide(weight)) for name, weight in model.named_parameters()}
        torch._foreach_lerp_([self.mean[name] for name in weights], list(weights.values()), 1 / self.taken)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[nn.Module]:
        """Put the mean into the model for the length of a `with`, then its own weights and buffers again.

        Batch-norm statistics gathered inside belong to the mean, so they are put back as well.

        Raises: SettingError where no weights were taken yet.
        """
        entries = dict(model.named_parameters()) | dict(model.named_buffers())
        own = {name: tensor.detach().clone() for name, tensor in entries.items()}
        self.copy_to(model)
        try:
            yield model
        finally:
            with torch.no_grad():
                for name, tensor in entries.items():
                    tensor.copy_(own[name])

    @torch.no_grad()
    def copy_to(self, model: nn.Module) -> None:
        """Write the mean over the weights of `model`, for good.

        Raises: SettingError where no weights were taken yet.
        """
        if not self.taken:
            raise SettingError(
                f"After {self.calls} steps no weights are in the mean.",
                expected=f"more than {self.start} steps.",
                remedy="an earlier start.",
            )
        for name, weight in model.named_parameters():
            weight.copy_(self.mean[name])

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on averaging as if never interrupted."""
        return {"calls": self.calls, "taken": self.taken, "mean": dict(self.mean)}

    def load_state_dict(self, state: dict[str, Any], *, model: nn.Module) -> None:
        """Take up a saved mean of `model`.

        Raises: CheckpointError where the saved names or shapes are another network's.
        """
        mean: dict[str, Tensor] = state["mean"]
        own = {name: weight.shape for name, weight in model.named_parameters()}
        if mean and {name: tensor.shape for name, tensor in mean.items()} != own:
            raise CheckpointError(
                "The saved mean of weights belongs to another network.",
                expected="the same names and shapes as the model's.",
                remedy="resume with the recipe that the run began with, or start a new run.",
            )
        devices = {name: weight.device for name, weight in model.named_parameters()}
        self.mean = {name: tensor.to(devices[name], copy=True) for name, tensor in mean.items()}
        self.calls, self.taken = int(state["calls"]), int(state["taken"])


@torch.no_grad()
def update_batchnorm(model: nn.Module, batches: Iterable[Tensor]) -> int:
    """Gather the statistics of batch normalisation anew, over these images; gives how many images there were.

    Needed after any averaging of weights that leaves the buffers out. Every image counts alike, those of a shorter last
    batch too. Only the normalisation layers run as in training: dropout stays off, which torch's own function forgets.
    In place; the model keeps its mode.

    Raises: SettingError where there is batch normalisation with statistics, but no image.
    Source: Izmailov et al. 2018, section 3.1; tip K6.1.

    >>> model = nn.Sequential(nn.BatchNorm1d(1))
    >>> update_batchnorm(model, [torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0], [7.0]])]), model[0].running_mean
    (4, tensor([4.]))
    """
    layers = [layer for layer in model.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats]
    if not layers:
        return 0
    modes, momenta = {each: each.training for each in model.modules()}, {layer: layer.momentum for layer in layers}
    seen = 0
    model.eval()
    for layer in layers:
        layer.train()
    try:
        for images in filter(len, batches):
            seen += len(images)
            for layer in layers:
                if seen == len(images):
                    layer.reset_running_stats()
                layer.momentum = len(images) / seen  # the weight of the new batch
            model(images)
    finally:
        for each, mode in modes.items():
            each.training = mode
        for layer, momentum in momenta.items():
            layer.momentum = momentum
    if not seen:
        raise SettingError("No image came to gather statistics from.", expected="one or more.", remedy="training data.")
    return seen


def _wide(weight: Tensor) -> torch.dtype:
    return torch.promote_types(weight.dtype, torch.float32)
