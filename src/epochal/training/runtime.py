"""How the arithmetic is done: device, precision, layout, threads, processes; one frozen value."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from epochal.errors import SettingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Where and how a network is computed; the same training on another runtime differs by rounding alone.

    `autocast_dtype` None is float32 throughout. `rank` and `world_size` count the processes that train together.

    Raises: SettingError for float16 on CPU, where one backward pass takes minutes.

    >>> Runtime(autocast_dtype=torch.bfloat16, channels_last=True).precision
    'bf16'
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    autocast_dtype: torch.dtype | None = None
    channels_last: bool = False
    compile: bool = False
    fused: bool = True
    threads: int | None = None
    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.autocast_dtype is torch.float16 and self.device.type == "cpu":
            raise SettingError(
                "float16 was asked for on a CPU.",
                expected="float32 or bfloat16: one float16 backward pass took 28 s against 0.06 s on a CPU.",
                remedy="set the precision to bf16, or to auto.",
            )

    @property
    def precision(self) -> str:
        """Short name of the arithmetic: fp32, bf16 or fp16."""
        return {None: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}.get(self.autocast_dtype, "other")

    def autocast(self) -> AbstractContextManager[Any]:
        """Context in which a forward pass runs."""
        if self.autocast_dtype is None:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.autocast_dtype)

    def scaler(self) -> torch.amp.GradScaler | None:
        """Loss scaling, which float16 alone needs.

        >>> Runtime(autocast_dtype=torch.bfloat16).scaler() is None
        True
        """
        return torch.amp.GradScaler(self.device.type) if self.autocast_dtype is torch.float16 else None

    def layout(self, images: Tensor) -> Tensor:
        """Lay images out in memory as the convolutions want them; free where they already are."""
        if images.ndim != 4:
            return images
        wanted = torch.channels_last if self.channels_last else torch.contiguous_format
        return images.contiguous(memory_format=wanted)

    def place(self, model: nn.Module) -> nn.Module:
        """Move a model to the device and lay its kernels out, in place.

        >>> model = Runtime(channels_last=True).place(nn.Conv2d(3, 8, 3))
        >>> model.weight.is_contiguous(memory_format=torch.channels_last)
        True
        """
        wanted = torch.channels_last if self.channels_last else torch.contiguous_format
        return model.to(self.device).to(memory_format=wanted)  # type: ignore[call-overload,no-any-return]

    def wrap(self, model: nn.Module) -> nn.Module:
        """Make what is called in a training step: the placed model, compiled or distributed where this says so."""
        called: nn.Module = self.place(model)
        if self.compile:
            called = cast("nn.Module", torch.compile(called))
        if self.world_size > 1:
            devices = [self.device] if self.device.type != "cpu" else None
            called = DistributedDataParallel(called, device_ids=devices, gradient_as_bucket_view=True)
        return called

    def describe(self) -> dict[str, object]:
        """Plain values for the journal.

        >>> Runtime(threads=2).describe()["precision"]
        'fp32'
        """
        return {
            "device": str(self.device), "precision": self.precision, "channels_last": self.channels_last,
            "compile": self.compile, "fused": self.fused, "threads": self.threads,
            "rank": self.rank, "world_size": self.world_size,
        }  # fmt: skip

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> "Runtime":
        """Read back what `describe` wrote, so that a resumed run computes exactly as before.

        >>> Runtime.from_description(Runtime(channels_last=True).describe()) == Runtime(channels_last=True)
        True
        """
        known = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
        rest = {key: value for key, value in description.items() if key not in {"precision", "device"}}
        return cls(device=torch.device(description["device"]), autocast_dtype=known[description["precision"]], **rest)
