"""Which arithmetic a run uses, by a short measurement on its own network and images."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from torch import nn

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.losses.classification import cross_entropy
from epochal.models.resnet import resnet
from epochal.training.allocator import keep_freed_memory
from epochal.training.choice import Choice, Trial, choose
from epochal.training.environment import activate, detect
from epochal.training.loop import Loss
from epochal.training.runtime import Runtime

if TYPE_CHECKING:
    from epochal.stages.session import Session

_DTYPES = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}
_SHARE = 0.01  # of the budget that the measurement may take
_LONGEST = 4.0  # seconds; more measures the same


def settle_runtime(session: Session, model: nn.Module, *, batch: Batch, loss: Loss) -> Runtime:
    """The runtime of this run: as the user says, as an earlier start measured, or as measured now.

    Raises: SettingError for a device that is not there.
    """
    base = _base(session)
    earlier = session.journal.measured("runtime")
    if earlier is not None:
        runtime = Runtime.from_description(earlier["runtime"])
    else:
        choice = choose(model, batch, loss=loss, base=base, seconds=min(_SHARE * session.budget, _LONGEST))
        choice = _as_asked(session, choice, base=base)
        session.measure("runtime", choice.describe(), note=choice.reason)
        session.decide("runtime.device", str(base.device.type), reason="the fastest device found")
        session.decide(
            "runtime.precision",
            _name(choice.runtime),
            reason=choice.reason,
            evidence=[each.describe() for each in choice.trials],
        )
        session.decide("runtime.threads", choice.runtime.threads, reason=choice.reason)
        session.progress.line(f"  computing with {choice.reason}")
        runtime = choice.runtime
    if "runtime.threads" in session.chosen and session.recipe.runtime.threads:
        runtime = dataclasses.replace(runtime, threads=session.recipe.runtime.threads)
    activate(runtime)
    return runtime


def measure_runtime(*, image_size: int, channels: int, classes: int, seconds: float) -> Choice:
    """What `settle_runtime` would choose on images of this size: for `epochal doctor`."""
    keep_freed_memory()
    model = resnet(channels_in=channels, classes=classes, image_size=image_size)
    images = torch.randn(256, channels, image_size, image_size)
    labels = torch.arange(len(images)) % classes
    batch = Batch(images=images, labels=labels, index=torch.arange(len(images)), seed=0)
    return choose(model, batch, loss=cross_entropy, base=detect(), seconds=seconds)


def _base(session: Session) -> Runtime:
    wanted = session.recipe.runtime
    found = detect()
    if wanted.device != "auto" and "runtime.device" in session.chosen:
        if wanted.device == "cuda" and not torch.cuda.is_available():
            raise SettingError(
                "runtime.device is cuda.",
                expected="a GPU that torch can use.",
                remedy="leave it out to use what is there.",
            )
        found = dataclasses.replace(found, device=torch.device(wanted.device))
    return found if wanted.threads == 0 else dataclasses.replace(found, threads=wanted.threads)


def _as_asked(session: Session, choice: Choice, *, base: Runtime) -> Choice:
    """The fastest sound trial of the precision that the user asked for, if they did.

    Raises: SettingError where the device cannot compute so.
    """
    precision = session.recipe.runtime.precision
    if "runtime.precision" not in session.chosen or precision == "auto":
        return choice
    dtype = _DTYPES[precision]
    usable = [
        trial for trial in choice.trials if trial.runtime.autocast_dtype is dtype and trial.seconds_per_step is not None
    ]
    best: Trial | None = min(usable, key=lambda trial: trial.seconds_per_step or 0.0, default=None)
    runtime = dataclasses.replace(base, autocast_dtype=dtype) if best is None else best.runtime
    return dataclasses.replace(choice, runtime=runtime, reason=f"{precision}, as asked for")


def _name(runtime: Runtime) -> str:
    return next(name for name, dtype in _DTYPES.items() if dtype is runtime.autocast_dtype)
