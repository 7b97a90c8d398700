"""Runtimes: what is refused, what they do to tensors and models, and that they differ by rounding alone."""

import pytest
import torch
from torch import nn

from epochal.errors import SettingError
from epochal.losses.classification import cross_entropy
from epochal.optim.optimizer import build
from epochal.training.loop import Update, train
from epochal.training.pace import FixedSteps
from epochal.training.reference import MemoryLoader, small_data, small_network
from epochal.training.runtime import Runtime


def test_float16_on_a_cpu_is_refused() -> None:
    """It would take minutes per pass; the remedy names bfloat16."""
    with pytest.raises(SettingError, match="bf16"):
        Runtime(autocast_dtype=torch.float16)


def test_is_a_value() -> None:
    """Equal fields are equal runtimes, usable as a key, and survive the journal."""
    runtime = Runtime(autocast_dtype=torch.bfloat16, channels_last=True, threads=2)
    assert Runtime.from_description(runtime.describe()) == runtime
    assert hash(Runtime.from_description(runtime.describe())) == hash(runtime)


@pytest.mark.parametrize("channels_last", [True, False])
def test_lays_images_and_kernels_out(channels_last: bool) -> None:
    """Layout changes memory, never values; images already laid out are not copied."""
    runtime = Runtime(channels_last=channels_last)
    images = torch.randn(2, 3, 4, 5)
    wanted = torch.channels_last if channels_last else torch.contiguous_format
    laid = runtime.layout(images)
    assert laid.is_contiguous(memory_format=wanted)
    assert torch.equal(laid, images)
    assert runtime.layout(laid).data_ptr() == laid.data_ptr()
    weight = runtime.place(nn.Sequential(nn.Conv2d(3, 4, 3))).get_parameter("0.weight")
    assert weight.is_contiguous(memory_format=wanted)


def test_tables_have_no_layout() -> None:
    """Inputs that are not images pass through."""
    table = torch.randn(3, 4)
    assert Runtime(channels_last=True).layout(table) is table


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
@pytest.mark.parametrize("channels_last", [True, False])
def test_runtimes_differ_by_rounding_alone(dtype: torch.dtype | None, channels_last: bool) -> None:
    """Precision and layout change losses by no more than their digits: 7 of float32, about 2 of bfloat16."""
    loader = MemoryLoader(*small_data(), batch_size=10)
    losses = []
    for runtime in (Runtime(), Runtime(autocast_dtype=dtype, channels_last=channels_last)):
        model = small_network(norm="group")
        update = Update(loss=cross_entropy, optimizer=build(model, lr=0.1))
        steps = train(model, loader, update=update, runtime=runtime, pace=FixedSteps(6))
        losses.append([step.loss.item() for step in steps])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5 if dtype is None else 1e-2)


def test_autocast_reaches_the_network_but_not_the_loss() -> None:
    """Layers compute in bfloat16; the loss gets float32."""
    seen: list[torch.dtype] = []

    class Spy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x.dtype)
            return x

    def loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        seen.append(outputs.dtype)
        return cross_entropy(outputs, labels)

    model = nn.Sequential(small_network(), Spy())
    update = Update(loss=loss, optimizer=build(model, lr=0.1))
    runtime = Runtime(autocast_dtype=torch.bfloat16)
    next(
        iter(
            train(model, MemoryLoader(*small_data(), batch_size=8), update=update, runtime=runtime, pace=FixedSteps(1))
        )
    )
    assert seen == [torch.bfloat16, torch.float32]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: nothing to compare with the processor")
@pytest.mark.parametrize("dtype", [None, torch.bfloat16, torch.float16])
def test_a_gpu_agrees_with_the_processor(dtype: torch.dtype | None) -> None:
    """The same losses to the digits of the precision, with loss scaling where that is float16."""
    loader = MemoryLoader(*small_data(), batch_size=10)
    losses = []
    for runtime in (Runtime(), Runtime(device=torch.device("cuda", 0), autocast_dtype=dtype, channels_last=True)):
        model = runtime.place(small_network(norm="group"))
        update = Update(loss=cross_entropy, optimizer=build(model, lr=0.1), scaler=runtime.scaler())
        steps = train(model, loader, update=update, runtime=runtime, pace=FixedSteps(6))
        losses.append([step.loss.item() for step in steps])
    assert losses[1] == pytest.approx(losses[0], rel=2e-2)
