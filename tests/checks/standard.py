"""Healthy networks of usual kinds, written as textbooks and libraries write them: no rule may speak on any."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

from epochal.models.networks import build


def mlp() -> nn.Module:
    """Three layers on flattened pixels."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(3072, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Dropout(), nn.Linear(128, 10)
    )


def lenet() -> nn.Module:
    """LeNet-5 with sigmoid, as courses write it."""
    return nn.Sequential(
        *(nn.Conv2d(3, 6, 5), nn.Sigmoid(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def vgg() -> nn.Module:
    """Pairs of 3x3 convolutions with batch normalisation, halved thrice, pooled to a vector."""
    layers: list[nn.Module] = []
    for before, width in ((3, 32), (32, 64), (64, 128)):
        for entering in (before, width):
            layers += [nn.Conv2d(entering, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)]
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(128, 10))


class Basic(nn.Module):
    """ResNet's block of two convolutions, added in place."""

    def __init__(self, before: int, width: int, *, stride: int = 1) -> None:
        """Two convolutions, and a shortcut where shapes differ."""
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False)
        self.norm1, self.relu = nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        self.conv2, self.norm2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        nn.init.zeros_(self.norm2.weight)
        self.short = nn.Sequential(nn.Conv2d(before, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch to the shortcut."""
        out = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        out += self.short(x)
        answer: Tensor = self.relu(out)
        return answer


def resnet18() -> nn.Module:
    """A 7x7 stem, blocks, pooled to a vector."""
    stem = (nn.Conv2d(3, 16, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True))
    blocks = (Basic(16, 16), Basic(16, 32, stride=2), Basic(32, 64, stride=2))
    return nn.Sequential(
        *stem, nn.MaxPool2d(3, 2, 1), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)
    )


class Gated(nn.Module):
    """Squeeze and excitation: a sigmoid that multiplies."""

    def __init__(self, width: int) -> None:
        """Squeeze to a quarter."""
        super().__init__()
        self.gate = nn.Sequential(
            *(nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, width // 4, 1), nn.ReLU()),
            *(nn.Conv2d(width // 4, width, 1), nn.Sigmoid()),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Scale each channel."""
        answer: Tensor = x * self.gate(x)
        return answer


def mobilenet() -> nn.Module:
    """Depthwise 5x5 convolutions, gates after each, a mean over the map."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.Hardswish()]
    for _ in range(6):
        layers += [nn.Conv2d(64, 64, 5, padding=2, groups=64, bias=False), nn.BatchNorm2d(64), nn.ReLU(), Gated(64)]
        layers += [nn.Conv2d(64, 64, 1, bias=False), nn.BatchNorm2d(64)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def convnext() -> nn.Module:
    """A stem of 4x4 patches, depthwise 7x7, normalisation over channels, a zero scale at the end."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 4, stride=4), nn.GroupNorm(1, 64)]
    for _ in range(3):
        layers += [nn.Conv2d(64, 64, 7, padding=3, groups=64), nn.GroupNorm(1, 64), nn.Conv2d(64, 256, 1), nn.GELU()]
        layers += [nn.Conv2d(256, 64, 1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(64), nn.Linear(64, 10))


class UNet(nn.Module):
    """Down, up, and the early maps once more, concatenated."""

    def __init__(self) -> None:
        """Two scales."""
        super().__init__()
        self.fine, self.coarse = self._pair(3, 32), self._pair(32, 64)
        self.up, self.joined = nn.ConvTranspose2d(64, 32, 2, stride=2), self._pair(64, 32)
        self.head = nn.Conv2d(32, 5, 1)

    @staticmethod
    def _pair(before: int, width: int) -> nn.Sequential:
        return nn.Sequential(
            *(nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)),
            *(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits of each pixel."""
        fine = self.fine(x)
        up = self.up(self.coarse(nn.functional.max_pool2d(fine, 2)))
        answer: Tensor = self.head(self.joined(torch.cat([fine, up], 1)))
        return answer


class Transformer(nn.Module):
    """Patches as words, two encoder layers, a mean over the words, a head of zeros."""

    def __init__(self) -> None:
        """64 words of 8x8 pixels at most."""
        super().__init__()
        self.patches = nn.Conv2d(3, 64, 8, stride=8)
        self.places = nn.Parameter(torch.zeros(1, 16, 64))
        layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(64, 10)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of each image."""
        words = self.patches(x).flatten(2).transpose(1, 2) + self.places
        answer: Tensor = self.head(self.body(words).mean(1))
        return answer


def tanh_autoencoder() -> nn.Module:
    """Encoder and decoder that answer between 0 and 1 at the end."""
    return nn.Sequential(
        *(nn.Conv2d(3, 32, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(32, 8, 3, stride=2, padding=1), nn.Tanh()),
        *(nn.ConvTranspose2d(8, 32, 2, stride=2), nn.ReLU(), nn.ConvTranspose2d(32, 3, 2, stride=2), nn.Sigmoid()),
    )


def pre_activated() -> nn.Module:
    """Normalisation first, then ReLU, then the convolution; dropout at the end."""
    layers: list[nn.Module] = [nn.Conv2d(3, 32, 3, padding=1)]
    for _ in range(4):
        layers += [nn.GroupNorm(8, 32), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(32, 10))


def _own(name: str) -> Callable[[], nn.Module]:
    return lambda: build(name, 3, 10, image_size=32)


HEALTHY: Mapping[str, Callable[[], nn.Module]] = MappingProxyType(
    {
        "mlp": mlp, "lenet": lenet, "vgg": vgg, "resnet18": resnet18, "mobilenet": mobilenet, "convnext": convnext,
        "unet": UNet, "transformer": Transformer, "autoencoder": tanh_autoencoder, "pre-activated": pre_activated,
        **{f"own {name}": _own(name) for name in ("linear", "small", "resnet", "encoder-decoder", "small-dense")},
    }
)  # fmt: skip
