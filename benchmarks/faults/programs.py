"""Faulty training programs and their repaired twins, rebuilt in PyTorch from published descriptions; and healthy ones.

Numbers are question ids of Stack Overflow; the rest are the injected faults of TheDeepChecker on a table and on digits,
and AutoTrainer's models of circles. Weights begin as Keras makes them: Glorot's uniform, zero bias.
Each program is a function of a seed that returns what `epochal check` takes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

Build = Callable[[int], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A faulty program, its repair, and the rules that name the cause."""

    name: str
    faulty: Build
    repaired: Build
    right: tuple[str, ...]


def glorot(model: nn.Module, *, weights: Callable[[Tensor], Any] = nn.init.xavier_uniform_) -> nn.Module:
    """Keras's beginning, or another one for the weights."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            weights(layer.weight)
            nn.init.zeros_(layer.bias)
    return model


def mlp(*widths: int, act: type[nn.Module] = nn.ReLU, last: nn.Module | None = None) -> nn.Sequential:
    """Dense layers with an activation between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), act()]
    layers.pop()
    return nn.Sequential(*layers, *([last] if last else []))


def program(  # noqa: PLR0913, PLR0917 - the parts of a program are as many
    model: nn.Module, x: Tensor, y: Tensor, *, loss: Any, lr: float = 1e-3, optimizer: Any = torch.optim.Adam,
    batch: int = 32, **options: Any,
) -> dict[str, Any]:  # fmt: skip
    """The parts, with a shuffling loader."""
    loader = DataLoader(TensorDataset(x, y), batch_size=batch, shuffle=True)
    return {"model": model, "train": loader, "loss": loss, "optimizer": optimizer(model.parameters(), lr=lr, **options)}


def keras_cross_entropy(p: Tensor, y: Tensor) -> Tensor:
    """Categorical cross-entropy of probabilities, as Keras has it."""
    p = (p / p.sum(1, keepdim=True)).clamp(1e-7, 1 - 1e-7)
    return -(F.one_hot(y, p.shape[1]) * p.log()).sum(1).mean()


def standard(x: np.ndarray) -> Tensor:
    """Mean 0 and spread 1, column by column."""
    return torch.tensor((x - x.mean(0)) / x.std(0).clip(1e-9), dtype=torch.float32)


def _seeded(seed: int) -> np.random.Generator:
    torch.manual_seed(seed)
    return np.random.default_rng(seed)


def diabetes() -> tuple[Tensor, Tensor, Tensor]:
    """A bundled table of ten inputs: standardised inputs, standardised target, raw target."""
    x, y = datasets.load_diabetes(return_X_y=True)
    return standard(x), standard(y[:, None]), torch.tensor(y[:, None], dtype=torch.float32)


def digits() -> tuple[Tensor, Tensor]:
    """Digits of 8x8, normalised."""
    x, y = datasets.load_digits(return_X_y=True)
    images = torch.tensor(x.reshape(-1, 1, 8, 8), dtype=torch.float32)
    return (images - images.mean()) / images.std(), torch.tensor(y)


def regression(change: str = "") -> Build:  # noqa: C901 - a branch for each fault
    """TheDeepChecker's network on a table, with one of its faults."""

    def build(seed: int) -> dict[str, Any]:
        _seeded(seed)
        x, y, raw = diabetes()
        model = glorot(mlp(10, 64, 64, 1), weights=nn.init.kaiming_normal_)
        loss: Any = nn.MSELoss()
        lr = {"low_lr": 1e-6, "high_lr": 3.0}.get(change, 1e-3)
        if change == "wrong_loss2":
            y = y[:, 0]
        elif change == "inapp_act":
            model.append(nn.Sigmoid())  # type: ignore[operator]
        elif change == "wrong_act":
            model.append(nn.Softmax(1))  # type: ignore[operator]
        elif change == "miss_norm":
            x, y = x * 300 + 2000, raw
        elif change == "constant":
            glorot(model, weights=lambda w: nn.init.constant_(w, 0.01))
        elif change == "flip_sign":
            loss = lambda z, t: -F.mse_loss(z, t)  # noqa: E731
        elif change == "wrong_lbl":
            y = y[torch.randperm(len(y))]
        elif change == "inap_loss":
            loss = keras_multi
        elif change == "dead":
            nn.init.constant_(model[2].bias, -100.0)  # type: ignore[index]
        return program(model, x, y, loss=loss, lr=lr)

    return build


def keras_multi(p: Tensor, y: Tensor) -> Tensor:
    """-sum y log(clip p), which is meant for probabilities."""
    return -(y * p.clamp(1e-7, 1 - 1e-7).log()).sum(1).mean()


def cnn(change: str = "") -> Build:  # noqa: C901 - a branch for each fault
    """TheDeepChecker's network of two convolutions, on digits of 8x8, with one of its faults."""

    def build(seed: int) -> dict[str, Any]:  # noqa: C901, PLR0912 - a branch for each fault
        _seeded(seed)
        x, y = digits()
        convolutions = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1)]
        model = nn.Sequential(*convolutions, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), *mlp(128, 128, 10))
        glorot(model, weights=nn.init.kaiming_normal_)
        loss: Any = nn.CrossEntropyLoss()
        if change == "red_softmax":
            model.append(nn.Softmax(1))
        elif change == "relu_out":
            model.append(nn.ReLU())
        elif change == "miss_norm":
            x = (x - x.min()) * 60
        elif change == "dbl_norm":
            x = (x - x.min()) / 255
        elif change == "nll":
            loss = nn.NLLLoss()
        elif change == "batch_softmax":
            model.append(nn.Softmax(0))
        elif change == "constant":
            glorot(model, weights=lambda w: nn.init.constant_(w, 0.01))
        elif change == "random":
            glorot(model, weights=lambda w: nn.init.normal_(w, std=0.5))
        elif change == "one_based":
            y = y + 1
        elif change == "wrong_lbl":
            y = y[torch.randperm(len(y))]
        parts = program(model, x, y, loss=loss, lr=0.05, optimizer=torch.optim.SGD, batch=64, momentum=0.9)
        if change == "frozen":
            model.requires_grad_(requires_grad=False)
        elif change == "new_head":
            model[-1] = nn.Linear(128, 10)
        elif change == "stale_optimizer":
            parts["model"] = cnn()(seed)["model"]
        elif change == "sorted":
            order = y.argsort()
            parts["train"] = DataLoader(TensorDataset(x[order], y[order]), batch_size=64)
        return parts

    return build


def circle(depth: int, act: type[nn.Module], *, weights: Any = nn.init.kaiming_uniform_) -> Build:
    """AutoTrainer's stacks of five units on circles."""

    def build(seed: int) -> dict[str, Any]:
        _seeded(seed)
        x, y = datasets.make_circles(1000, noise=0.1, random_state=1)
        model = glorot(mlp(2, *(5,) * depth, 1, act=act), weights=weights)
        target = torch.tensor(y[:, None], dtype=torch.float32)
        return program(model, standard(x), target, loss=nn.BCEWithLogitsLoss(), batch=128)

    return build


class Exp(nn.Module):
    """An exponential as activation."""

    def forward(self, x: Tensor) -> Tensor:
        """Raise e to the x."""
        return x.exp()


def constant_rows(last: nn.Module) -> Build:
    """31880720: rows of 128 ones or zeros; two dense layers, then a softmax over one unit, or a sigmoid."""

    def build(seed: int) -> dict[str, Any]:
        source = _seeded(seed)
        y = source.integers(0, 2, 2000)
        x = torch.tensor(np.repeat(y[:, None], 128, 1), dtype=torch.float32)
        hidden = [nn.Linear(128, 50), nn.ReLU(), nn.Dropout(0.2), nn.Linear(50, 50), nn.ReLU(), nn.Dropout(0.2)]
        model = glorot(nn.Sequential(*hidden, nn.Linear(50, 1), last))
        target = torch.tensor(y[:, None], dtype=torch.float32)
        return program(model, x, target, loss=nn.BCELoss(), optimizer=torch.optim.RMSprop, batch=24)

    return build


def noise(last: nn.Module) -> Build:
    """45337371: labels that have nothing to do with the inputs, and a softmax over one unit, or a sigmoid."""

    def build(seed: int) -> dict[str, Any]:
        source = _seeded(seed)
        x = torch.tensor(source.random((1000, 5)), dtype=torch.float32)
        y = torch.tensor(source.integers(0, 2, (1000, 1)), dtype=torch.float32)
        return program(glorot(mlp(5, 60, 50, 1, last=last)), x, y, loss=nn.BCELoss(), batch=8)

    return build


def parabola(*, repaired: bool) -> Build:
    """48221692: y = x² + 3 with a sigmoid at the end, or without."""

    def build(seed: int) -> dict[str, Any]:
        _seeded(seed)
        x = torch.arange(-10, 10, 0.1)[:, None]
        model = glorot(mlp(1, 5, 1, act=nn.Sigmoid, last=None if repaired else nn.Sigmoid()))
        return program(model, x, x**2 + 3, loss=nn.MSELoss(), lr=0.01, optimizer=torch.optim.SGD, batch=200)

    return build


def noisy_square(*, lr: float) -> Build:
    """48934338: y = 5x² + noise, by plain steps of 0.1, or of 1e-4."""

    def build(seed: int) -> dict[str, Any]:
        source = _seeded(seed)
        x = np.arange(0, 5, 0.1)[:, None]
        y = 5 * x**2 + source.normal(size=x.shape) ** 3
        data = (torch.tensor(each, dtype=torch.float32) for each in (x, y))
        model = glorot(mlp(1, 50, 30, 1))
        return program(model, *data, loss=nn.MSELoss(), lr=lr, optimizer=torch.optim.SGD)

    return build


def quartic(*, scaled: bool) -> Build:
    """52800582: y = x⁴ for x from -100 to 100, as it is, or standardised."""

    def build(seed: int) -> dict[str, Any]:
        _seeded(seed)
        x = np.arange(-100, 100, 0.5)[:, None]
        y = x**4
        data = [standard(each) if scaled else torch.tensor(each, dtype=torch.float32) for each in (x, y)]
        model = nn.Sequential(nn.Linear(1, 50), nn.Sigmoid(), nn.Linear(50, 50), nn.ELU(), nn.Linear(50, 1))
        return program(glorot(model), *data, loss=nn.MSELoss(), batch=400)

    return build


def one_unit(*, repaired: bool) -> Build:
    """50079585: three classes for a single unit with a binary loss; repaired, three units and a cross-entropy."""

    def build(seed: int) -> dict[str, Any]:
        _seeded(seed)
        raw, y = datasets.load_iris(return_X_y=True)
        x, labels = standard(raw), torch.tensor(y)
        if repaired:
            return program(glorot(mlp(4, 16, 3)), x, labels, loss=nn.CrossEntropyLoss(), lr=5e-3)
        return program(glorot(mlp(4, 16, 1)), x, labels[:, None].float(), loss=nn.BCEWithLogitsLoss(), lr=5e-3)

    return build


def bool_of_thousands(*, repaired: bool) -> Build:
    """45442843: one value of 15 to 25 thousand, the answer yes or no; absolute error on a sigmoid unit."""

    def build(seed: int) -> dict[str, Any]:
        source = _seeded(seed)
        raw = source.uniform(15_000, 25_000, (1000, 1))
        y = torch.tensor(raw > 20_000, dtype=torch.float32)
        if repaired:
            return program(glorot(mlp(1, 8, 1, act=nn.Tanh)), standard(raw), y, loss=nn.BCEWithLogitsLoss(), lr=1e-2)
        model = glorot(mlp(1, 1, 1, act=nn.Sigmoid, last=nn.Sigmoid()))
        return program(
            model, torch.tensor(raw, dtype=torch.float32), y, loss=nn.L1Loss(), optimizer=torch.optim.RMSprop
        )

    return build


def line(*, lr: float) -> Build:
    """51181393: y = 5x by one weight, at a rate of 0.001, or of 0.1."""

    def build(seed: int) -> dict[str, Any]:
        _seeded(seed)
        x = torch.linspace(1, 2, 100)[:, None]
        model = glorot(mlp(1, 1))
        return program(model, x, 5 * x, loss=nn.MSELoss(), lr=lr, optimizer=torch.optim.RMSprop)

    return build


PAIRS = (
    Pair(name="31880720 softmax over one unit", faulty=constant_rows(nn.Softmax(1)),
         repaired=constant_rows(nn.Sigmoid()), right=("constant-output",)),
    Pair(name="48221692 sigmoid for values", faulty=parabola(repaired=False), repaired=parabola(repaired=True),
         right=("targets-out-of-reach",)),
    Pair(name="48934338 rate too high", faulty=noisy_square(lr=0.1), repaired=noisy_square(lr=1e-4),
         right=("steps-too-long",)),
    Pair(name="52800582 nothing scaled", faulty=quartic(scaled=False), repaired=quartic(scaled=True),
         right=("input-not-normalised", "targets-not-scaled")),
    Pair(name="50079585 three classes, one unit", faulty=one_unit(repaired=False), repaired=one_unit(repaired=True),
         right=("targets-outside-loss",)),
    Pair(name="45442843 absolute error on classes", faulty=bool_of_thousands(repaired=False),
         repaired=bool_of_thousands(repaired=True), right=("regression-loss-on-classes", "input-not-normalised")),
    Pair(name="51181393 rate too low", faulty=line(lr=0.001), repaired=line(lr=0.1), right=("steps-too-short",)),
    *(
        Pair(name=f"regrNN {change}", faulty=regression(change), repaired=regression(), right=right)
        for change, right in {
            "low_lr": ("steps-too-short",),
            "high_lr": ("steps-too-long",),
            "wrong_loss2": ("shapes-broadcast",),
            "inapp_act": ("targets-out-of-reach",),
            "wrong_act": ("constant-output",),
            "miss_norm": ("input-not-normalised", "targets-not-scaled"),
            "constant": ("symmetric-units",),
            "flip_sign": ("steps-too-long", "falls-without-end"),
            "wrong_lbl": ("no-learnable-signal",),
            "inap_loss": ("targets-outside-loss", "logits-as-probabilities"),
            "dead": ("dead-start", "input-unreached"),
        }.items()
    ),
    *(
        Pair(name=f"baseCNN {change}", faulty=cnn(change), repaired=cnn(), right=right)
        for change, right in {
            "red_softmax": ("double-softmax",),
            "relu_out": ("squashed-logits",),
            "miss_norm": ("input-not-normalised",),
            "dbl_norm": ("input-not-normalised", "normalised-twice"),
            "nll": ("logits-as-probabilities",),
            "batch_softmax": ("samples-mixed",),
            "constant": ("symmetric-units",),
            "random": ("initial-loss-off",),
            "one_based": ("label-out-of-range",),
            "wrong_lbl": ("no-learnable-signal",),
            "frozen": ("nothing-trains",),
            "new_head": ("parameters-outside-optimizer",),
            "stale_optimizer": ("optimizer-of-another-model",),
            "sorted": ("unshuffled-batch",),
        }.items()
    ),
    Pair(name="circle, 11 layers of sigmoid", faulty=circle(11, nn.Sigmoid), repaired=circle(3, nn.ReLU),
         right=("saturating-activations", "vanishing-gradient")),
    Pair(name="circle, 11 layers of exp", faulty=circle(11, Exp), repaired=circle(3, nn.ReLU),
         right=("exploding-gradient", "loss-not-a-number")),
    Pair(name="circle, 8 layers of weights within 0.05", repaired=circle(8, nn.ELU), faulty=circle(
        8, nn.ReLU, weights=lambda w: nn.init.uniform_(w, -0.05, 0.05)), right=("vanishing-gradient", "dead-start")),
)  # fmt: skip
