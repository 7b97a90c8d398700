"""Fine-tuning by data size and similarity: what of a trained network is kept, what is trained, and how fast (tip W4.4).

                few images                          many images
similar         linear classifier on the features   the last stage and the head, small rate
different       SVM on an earlier stage's features  every stage but the first, small rate
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from epochal.errors import SettingError
from epochal.models.adapted import Adapted
from epochal.stats.intervals import Interval
from epochal.stats.linear import LinearMap

Kind = Literal["linear", "last-layers", "many-layers", "svm"]
KINDS: tuple[Kind, ...] = ("linear", "last-layers", "many-layers", "svm")

MANY = 100.0  # images of a class, or of a measured value; benchmarks/results/finetuning.md
RATE = 9e-4  # L5 wants less than 1e-3; the largest tried was the best: benchmarks/results/finetuning.md
SHRINK = 1.0  # of the rate from one stage to the one before it; 0.5 lost each comparison: the same table
WEIGHT_DECAY = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """What is done with a trained network, and why."""

    kind: Kind
    reason: str

    @property
    def trains(self) -> bool:
        """Whether steps of gradient descent follow; otherwise the head is fitted once on fixed features."""
        return self.kind in {"last-layers", "many-layers"}


def strategy_for(*, samples_per_class: float, gain: Interval, many: float = MANY) -> Strategy:
    """Decide by the number of images and by what the last stage knows beyond the best earlier one.

    `gain` is `stats.similarity.Similarity.gain`, both measured on images left out. The task is similar where the last
    stage is not behind an earlier one: then it has kept what this task needs.

    Raises: SettingError for fewer than one image of a class.  Source: tip W4.4; benchmarks/results/finetuning.md.

    >>> from epochal.stats.intervals import mean_interval
    >>> import numpy as np
    >>> behind = mean_interval(np.array([-0.2, -0.3, -0.2]))
    >>> strategy_for(samples_per_class=20, gain=behind).kind, strategy_for(samples_per_class=500, gain=behind).kind
    ('svm', 'many-layers')
    """
    if not samples_per_class >= 1:
        raise SettingError(
            f"There are {samples_per_class:g} images of a class.", expected="1 or more.", remedy="add images."
        )
    similar = gain.value >= 0
    plenty = samples_per_class >= many
    kinds: Mapping[tuple[bool, bool], Kind] = {
        (True, False): "linear",
        (True, True): "last-layers",
        (False, True): "many-layers",
        (False, False): "svm",
    }
    told = "similar" if similar else "different"
    lead = (
        f"the last stage explains {gain.value:+.1%} ({gain.low:+.1%} to {gain.high:+.1%}) beyond the best earlier one"
    )
    amount = f"{samples_per_class:,.0f} images a class are {'many' if plenty else 'few'} (from {many:g})"
    return Strategy(kind=kinds[similar, plenty], reason=f"{told} task: {lead}; {amount} (W4.4)")


def freeze_(model: Adapted, *, upto: int) -> int:
    """Freeze every parameter that is used before `upto` stages have ended; gives how many numbers still learn.

    What was frozen before stays so. The frozen part goes into evaluation mode at the next `model.train()`.

    >>> from epochal.models.adapted import Sight
    >>> from epochal.models.resnet import resnet
    >>> sight = Sight(side=32, mean=(0.5,) * 3, std=(0.25,) * 3)
    >>> model = Adapted(resnet(3, 10, image_size=32, width=8), sight=sight, channels_in=3, outputs=4)
    >>> freeze_(model, upto=len(model.anatomy.stages)) == 32 * 4 + 4  # the head alone learns
    True
    """
    for name, parameter in model.named_parameters():
        if model.depth(name) < upto:
            parameter.requires_grad_(False)  # noqa: FBT003  torch's positional flag
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def prepare_(model: Adapted, kind: Kind) -> int:
    """Freeze what the strategy keeps as it is; gives how many numbers still learn.

    `last-layers` trains the last stage and the head; `many-layers` all but the first stage, whose filters for edges
    and colours serve any picture; the other two only the head.

    >>> from epochal.models.adapted import Sight
    >>> from epochal.models.simple import SmallConvNet
    >>> net = SmallConvNet(channels_in=3, classes=10, image_size=32)
    >>> model = Adapted(net, sight=Sight(side=32, mean=(0.5,) * 3, std=(0.25,) * 3), channels_in=3, outputs=2)
    >>> prepare_(model, "many-layers") > prepare_(model, "last-layers") > prepare_(model, "linear")
    True
    """
    stages = len(model.anatomy.stages)
    return freeze_(model, upto={"last-layers": max(stages - 1, 1), "many-layers": 1}.get(kind, stages))


def layered_groups(
    model: Adapted, *, lr: float = RATE, shrink: float = SHRINK, weight_decay: float = WEIGHT_DECAY
) -> list[dict[str, Any]]:
    """Groups of parameters for an optimizer: the head at `lr`, each stage before it at `shrink` times the next's rate.

    Weights of two axes or more decay, the rest does not. Frozen parameters are left out.

    Raises: SettingError for a rate of 1e-3 or more: fine-tuning wants less (tip L5).

    >>> from epochal.models.adapted import Sight
    >>> from epochal.models.simple import SmallConvNet
    >>> net = SmallConvNet(channels_in=3, classes=10, image_size=32)
    >>> model = Adapted(net, sight=Sight(side=32, mean=(0.5,) * 3, std=(0.25,) * 3), channels_in=3, outputs=2)
    >>> [group["lr"] for group in layered_groups(model, lr=4e-4, shrink=0.5) if group["weight_decay"]]
    [5e-05, 0.0001, 0.0004]
    """
    if not 0 < lr < 1e-3 or not 0 < shrink <= 1:
        raise SettingError(
            f"Fine-tuning at a rate of {lr:g}, shrunk by {shrink:g}.",
            expected="a rate above 0 and below 1e-3, and a factor above 0 and at most 1 (L5).",
            remedy=f"{RATE:g} and {SHRINK:g}.",
        )
    deepest = len(model.anatomy.stages)
    found: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            found.setdefault((model.depth(name), parameter.ndim > 1), []).append(parameter)
    groups = []
    for (depth, decays), parameters in sorted(found.items(), key=lambda item: item[0]):
        rate = lr * shrink ** (deepest - depth)
        decay = weight_decay if decays else 0.0
        groups.append({"params": parameters, "lr": rate, "initial_lr": rate, "weight_decay": decay})
    return groups


def layered_optimizer(
    model: Adapted, *, lr: float = RATE, shrink: float = SHRINK, weight_decay: float = WEIGHT_DECAY
) -> Optimizer:
    """AdamW over `layered_groups`.

    Raises: SettingError for a rate of 1e-3 or more, or where nothing is left to learn.

    >>> from epochal.models.adapted import Sight
    >>> from epochal.models.simple import SmallConvNet
    >>> net = SmallConvNet(channels_in=3, classes=10, image_size=32)
    >>> model = Adapted(net, sight=Sight(side=32, mean=(0.5,) * 3, std=(0.25,) * 3), channels_in=3, outputs=2)
    >>> max(group["lr"] for group in layered_optimizer(model, lr=4e-4).param_groups)
    0.0004
    """
    groups = layered_groups(model, lr=lr, shrink=shrink, weight_decay=weight_decay)
    if not groups:
        raise SettingError("Every parameter is frozen.", expected="a head that learns.", remedy="freeze fewer stages.")
    return AdamW(groups, lr=lr, fused=True)


@torch.no_grad()
def set_head_(model: Adapted, fitted: LinearMap) -> None:
    """Put a fitted linear map in place of the head.

    Raises: SettingError where the sizes differ.

    >>> import numpy as np
    >>> from epochal.models.adapted import Sight
    >>> from epochal.models.simple import SmallConvNet
    >>> net = SmallConvNet(channels_in=3, classes=10, image_size=32)
    >>> model = Adapted(net, sight=Sight(side=32, mean=(0.5,) * 3, std=(0.25,) * 3), channels_in=3, outputs=2)
    >>> set_head_(model, LinearMap(weight=np.ones((2, 128), np.float32), bias=np.zeros(2, np.float32)))
    >>> model.head.weight.sum().item()
    256.0
    """
    head = model.head
    if tuple(head.weight.shape) != fitted.weight.shape:
        raise SettingError(
            f"A map of {fitted.weight.shape} for a head of {tuple(head.weight.shape)}.",
            expected="the features that this head reads.", remedy="fit it on `model.features`.",
        )  # fmt: skip
    head.weight.copy_(torch.from_numpy(fitted.weight))
    head.bias.copy_(torch.from_numpy(fitted.bias))
