"""What a network costs: parameters, and multiplications counted while it runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Counts for one image. A multiplication with its addition counts as two operations.

    >>> Cost(parameters=10, trained=10, forward_flops=20).training_flops
    60
    """

    parameters: int
    trained: int
    forward_flops: int

    @property
    def training_flops(self) -> int:
        """Operations of one image's forward and backward pass: the backward makes two products for each forward one."""
        return 3 * self.forward_flops


def cost(model: nn.Module, shape: Sequence[int]) -> Cost:
    """Count what `model` needs for one image of `shape` (channels, height, width), by letting it see one.

    Convolutions (transposed ones too) and linear layers are counted as they are called, a shared one each time; the
    rest (normalisation, activations, pooling) costs memory traffic more than arithmetic and is left out. The model's
    mode and its random state are left as they were.

    Units: floating-point operations per image, two per multiply-and-add.  Source: tip K4.5.

    >>> cost(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False)), (3, 4, 4))
    Cost(parameters=216, trained=216, forward_flops=6912)
    """
    flops = 0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: PLR0917  torch's hook
        nonlocal flops
        flops += _flops(layer, entered=inputs[0], left=output)

    hooks = [layer.register_forward_hook(count) for layer in model.modules() if isinstance(layer, _COUNTED)]
    modes = {name: layer.training for name, layer in model.named_modules()}
    parameter = next(model.parameters(), torch.zeros(()))
    try:
        model.eval()
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            model(torch.zeros(1, *shape, device=parameter.device, dtype=parameter.dtype))
    finally:
        for hook in hooks:
            hook.remove()
        for name, layer in model.named_modules():
            layer.training = modes[name]
    parameters = list(model.parameters())
    return Cost(
        parameters=sum(p.numel() for p in parameters),
        trained=sum(p.numel() for p in parameters if p.requires_grad),
        forward_flops=flops,
    )


_COUNTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear)


def _flops(layer: nn.Module, *, entered: Tensor, left: Tensor) -> int:
    """Count two operations for each weight at each place where it is used.

    A convolution uses its whole kernel once per place of its output, a transposed one once per place of its input.
    """
    weight = layer.weight
    assert isinstance(weight, Tensor)
    if isinstance(layer, nn.Linear):
        return 2 * (left.numel() // layer.out_features) * weight.numel()
    spatial = entered if getattr(layer, "transposed", False) else left
    places = spatial.shape[0] * spatial[0, 0].numel()
    return 2 * int(places) * weight.numel()
