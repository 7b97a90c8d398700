"""Training for the transfer benchmark: first on five classes, then each strategy on each task, by processor time."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from targets import SIDE, Drawn, Target
from torch import nn
from torch.optim import Optimizer

from epochal.data.loader import ArrayLoader
from epochal.ensembles.averaging import EMA
from epochal.losses.classification import cross_entropy
from epochal.models import sizing
from epochal.models.adapted import FEATURES, Adapted, Sight
from epochal.models.finetuning import Kind, layered_optimizer, prepare_, set_head_
from epochal.models.resnet import fit_stem_, resnet
from epochal.optim import schedule
from epochal.optim.optimizer import build
from epochal.stats.linear import fit_logistic
from epochal.stats.svm import fit_svm
from epochal.training.loop import Transform, Update, train
from epochal.training.pace import TimedSteps
from epochal.training.runtime import Runtime
from epochal.transforms.geometry import HorizontalFlip, Translate

RUNTIME = Runtime(autocast_dtype=torch.bfloat16, channels_last=True, threads=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Start:
    """A trained network, and how it saw its pictures."""

    weights: dict[str, torch.Tensor]
    classes: int
    sight: Sight

    def network(self) -> nn.Module:
        """The same again."""
        network = resnet(3, self.classes, image_size=SIDE)
        network.load_state_dict(self.weights)
        return network

    def adapted(self, drawn: Drawn) -> Adapted:
        """Ready for these pictures."""
        model = Adapted(
            self.network(), sight=self.sight, channels_in=drawn.images.shape[3], outputs=drawn.target.classes
        )
        model.rescale_(*moments(drawn.images))
        return model


def moments(images: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel."""
    pixels = images.reshape(-1, images.shape[3]) / 255
    return pixels.mean(0).tolist(), pixels.std(0).tolist()


def loader_for(images: np.ndarray, labels: np.ndarray, *, like: np.ndarray, batch: int, **more: object) -> ArrayLoader:
    """Batches normalised by the moments of `like`."""
    mean, std = moments(like)
    return ArrayLoader(images, labels, np.arange(len(labels)), batch_size=batch, mean=mean, std=std, **more)  # type: ignore[arg-type]


def pretrain(target: Target, *, seconds: float) -> tuple[Start, float]:
    """Train the house network on all of `target`; gives it with its accuracy on the images held out."""
    model = _scratch(target.whole, seconds=seconds)
    mean, std = moments(target.pool)
    sight = Sight(side=SIDE, mean=tuple(mean), std=tuple(std))
    score = float(right_on(model, target.whole).mean())
    return Start(weights=model.state_dict(), classes=target.classes, sight=sight), score


def from_scratch(drawn: Drawn, *, seconds: float) -> np.ndarray:
    """Train the house network with the house's rules; gives which of the images held out it names rightly."""
    return right_on(_scratch(drawn, seconds=seconds), drawn)


def _scratch(drawn: Drawn, *, seconds: float) -> nn.Module:
    torch.manual_seed(drawn.seed)
    _, side, _, channels = drawn.images.shape
    sized = sizing.sized_for(
        image_size=side, channels=channels, train_samples=len(drawn.labels), seconds=seconds, images_per_second=600
    )
    batch = min(sized.batch_size, len(drawn.labels) // 2)
    model = resnet(channels, drawn.target.classes, image_size=side)
    loader = _shuffled(drawn, batch=batch)
    fit_stem_(model, loader.batch(np.arange(min(len(drawn.labels), 5000))).images)
    optimizer = build(
        model, lr=sized.lr / sized.batch_size * batch, momentum=sizing.MOMENTUM, nesterov=True,
        weight_decay=sizing.WEIGHT_DECAY, norm_bias_lr=sizing.NORM_BIAS_LR,
    )  # fmt: skip
    falling = schedule.warmup_then(
        schedule.linear(end=sizing.LAST_FACTOR), share=sizing.WARMUP, start=sizing.FIRST_FACTOR
    )
    _train(model, loader, optimizer=optimizer, falling=falling, flips=drawn.target.flips, seconds=seconds)
    return model


def fine_tuned(start: Start, drawn: Drawn, *, kind: Kind, seconds: float, **rates: float) -> np.ndarray:
    """Fit a linear head, then train what the strategy trains, for so long altogether; gives what is right."""
    begun = time.process_time()
    torch.manual_seed(drawn.seed)
    model = start.adapted(drawn)
    features = read(model, drawn.images, like=drawn.images)[FEATURES]
    set_head_(model, fit_logistic(features, drawn.labels, classes=drawn.target.classes))
    prepare_(model, kind)
    loader = _shuffled(drawn, batch=128 if len(drawn.labels) >= 2000 else min(32, len(drawn.labels) // 2))
    falling = schedule.warmup_then(schedule.linear(end=0.02), share=0.1, start=0.1)
    left = max(seconds - (time.process_time() - begun), 0.1)
    optimizer = layered_optimizer(model, **rates)
    _train(model, loader, optimizer=optimizer, falling=falling, flips=drawn.target.flips, seconds=left, smoothing=0.1)
    return right_on(model, drawn)


def _shuffled(drawn: Drawn, *, batch: int) -> ArrayLoader:
    more = {"seed": drawn.seed, "shuffle": True, "drop_last": True}
    return loader_for(drawn.images, drawn.labels, like=drawn.images, batch=batch, **more)


def _train(  # noqa: PLR0913
    model: nn.Module, loader: ArrayLoader, *, optimizer: Optimizer, falling: schedule.Schedule, flips: bool,
    seconds: float, smoothing: float = sizing.LABEL_SMOOTHING,
) -> None:  # fmt: skip
    average = EMA(model, decay=0.98, every=5)
    side = loader.batch(np.array([0])).images.shape[2]
    transforms: list[Transform] = [Translate(reach=max(1, side // 16))]
    if flips:
        transforms.insert(0, HorizontalFlip(alternating=True))
    update = Update(
        loss=lambda logits, labels: cross_entropy(logits, labels, smoothing=smoothing),
        optimizer=optimizer, schedule=falling, transforms=transforms, after_update=(average,),
    )  # fmt: skip
    for _ in train(model, loader, update=update, runtime=RUNTIME, pace=TimedSteps(seconds, clock=time.process_time)):
        pass
    average.copy_to(model)


@torch.inference_mode()
def read(model: Adapted, images: np.ndarray, *, like: np.ndarray) -> dict[str, np.ndarray]:
    """The features of each stage, in evaluation mode."""
    RUNTIME.place(model).eval()
    loader = loader_for(images, np.zeros(len(images), np.int64), like=like, batch=250)
    parts: dict[str, list[np.ndarray]] = {}
    with RUNTIME.autocast():
        for batch in loader.epoch(0):
            for name, values in model.features(RUNTIME.layout(batch.images)).items():
                parts.setdefault(name, []).append(values.float().numpy())
    return {name: np.concatenate(each) for name, each in parts.items()}


@torch.inference_mode()
def right_on(model: nn.Module, drawn: Drawn) -> np.ndarray:
    """Which images held out are named rightly; the mirror image is asked too where it keeps its class."""
    RUNTIME.place(model).eval()
    right, target = [], drawn.target
    with RUNTIME.autocast():
        for batch in loader_for(target.test, target.test_labels, like=drawn.images, batch=250).epoch(0):
            images = RUNTIME.layout(batch.images)
            logits = model(images).float()
            if target.flips:
                logits = logits + model(images.flip(3)).float()
            right.append((logits.argmax(1) == batch.labels).numpy())
    return np.concatenate(right)


def on_features(start: Start, drawn: Drawn, *, kind: Kind, stage: str) -> np.ndarray:
    """Fit a classifier on the fixed features of `stage`, which is a head that a strategy keeps; gives what is right."""
    model, target = start.adapted(drawn), drawn.target
    fit = fit_svm if kind == "svm" else fit_logistic
    fitted = fit(read(model, drawn.images, like=drawn.images)[stage], drawn.labels, classes=target.classes)
    logits = fitted.logits(read(model, target.test, like=drawn.images)[stage])
    if target.flips:
        logits = logits + fitted.logits(read(model, target.test[:, :, ::-1].copy(), like=drawn.images)[stage])
    return logits.argmax(1) == target.test_labels
