"""How wide, how long and how fast to train: from the images, the time and one measured speed to plain numbers.

Every number follows by a rule from what is known before training; `docs/decisions/network.md` holds the measurements
behind the rules, and says which of them rest on published ones.
"""

import math
from dataclasses import dataclass

from epochal.errors import SettingError
from epochal.models.resnet import shape_for

MOMENTUM = 0.85
WEIGHT_DECAY = 1.33e-3  # torch's convention (added to the mean gradient), on weights of two axes or more
NORM_BIAS_LR = 64.0  # biases behind a fixed scale learn this many times faster
LABEL_SMOOTHING = 0.2
# Jordan 2024, as `warmup_then(linear(end=LAST_FACTOR), share=WARMUP, start=FIRST_FACTOR)`
WARMUP, FIRST_FACTOR, LAST_FACTOR = 0.23, 0.2, 0.07
# For values instead of classes, docs/decisions/regression.md
VALUES_OPTIMIZER, VALUES_LR, VALUES_WEIGHT_DECAY = "adamw", 4e-3, 0.05
MOST_EPOCHS = 100  # more passes over the same images bring nothing that the time is worth
_LEAST_BATCH = 64  # in a minute on CIFAR-10, batches of 16 learnt nothing (31.7 %), see docs/decisions/network.md
_LR_PER_SAMPLE = 1.5 / 1024  # peak rate 1.5 at batch 1024, proportional to the batch
_REFERENCE_FLOPS = 2.4e8  # forward operations of the default network on a 32x32 image


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """Numbers for one training; the constants beside this class complete them.

    `width` is that of `resnet`; `seconds` of training make about `epochs` passes; `lr` is the peak rate of the weights;
    `ema_decay` is per step; `translate` is in pixels.
    """

    width: int
    batch_size: int
    seconds: float
    epochs: float
    lr: float
    ema_decay: float
    translate: int


def sized_for(
    *, image_size: int, channels: int, train_samples: int, seconds: float, images_per_second: float
) -> Sizing:
    """Decide a training of at most `seconds` on `train_samples` images.

    `images_per_second` is the measured training speed of the default network, `resnet(channels, classes,
    image_size=image_size)`; other widths are judged by their operations relative to it.

    Raises: SettingError for anything that is not positive.  Source: `docs/decisions/network.md`.

    >>> short = sized_for(image_size=32, channels=3, train_samples=45_000, seconds=130, images_per_second=1400)
    >>> short.width, short.batch_size, round(short.epochs, 1)
    (64, 256, 4.0)
    >>> tiny = sized_for(image_size=8, channels=1, train_samples=1_400, seconds=80, images_per_second=15_000)
    >>> tiny.batch_size, tiny.seconds < 10
    (64, True)
    """
    if min(train_samples, seconds, images_per_second) <= 0:
        raise SettingError(
            f"{train_samples} images, {seconds} seconds and {images_per_second} images a second were given.",
            expected="more than 0 of each.",
            remedy="raise the budget, or look why no image is left to train on.",
        )
    width, speed = _width(
        image_size, channels=channels, samples=train_samples, seconds=seconds, speed=images_per_second
    )
    shown = min(seconds * speed, MOST_EPOCHS * train_samples)
    flops = _forward_flops(channels, image_size=image_size, width=width)
    batch = _batch_size(train_samples, shown=shown, flops=flops)
    return Sizing(
        width=width,
        batch_size=batch,
        seconds=shown / speed,
        epochs=shown / train_samples,
        lr=_LR_PER_SAMPLE * batch,
        ema_decay=_ema_decay(shown / batch),
        translate=max(1, round(image_size / 16)),
    )


def mirror_keeps_labels(plain: float, mirrored: float, *, chance: float) -> bool:
    """Tell whether flips may be used: whether a network that never saw a mirrored image knows them nearly as well.

    Photographs lose a point or two of accuracy when mirrored, digits and letters half of it: the line is drawn where a
    fifth of what was learnt beyond chance is lost.

    Units: accuracies on the same held-out images, 0 to 1.  Source: tip L6, asked of the data instead of the user.

    >>> mirror_keeps_labels(0.62, 0.61, chance=0.1), mirror_keeps_labels(0.95, 0.40, chance=0.1)
    (True, False)
    """
    return mirrored - chance >= 0.8 * (plain - chance)


def _width(image_size: int, *, channels: int, samples: int, seconds: float, speed: float) -> tuple[int, float]:
    """Take the widest network that still makes enough passes over the data, and its estimated speed."""
    default = _forward_flops(channels, image_size=image_size, width=64)
    for width, least_epochs in ((128, 20.0), (96, 14.0)):
        slower = speed * default / _forward_flops(channels, image_size=image_size, width=width)
        if samples >= 10_000 and seconds * slower / samples >= least_epochs:
            return width, slower
    return 64, speed


def _batch_size(samples: int, *, shown: float, flops: float) -> int:
    """Take the largest power of two that leaves 600 steps in all, 16 in an epoch, and memory for the activations.

    Where time is too short for 600 steps, it is not fewer samples a step that help: batch statistics get noisy.
    """
    steps = max(shown / 600, _LEAST_BATCH)
    most = min(512, steps, samples / 16, 512 * _REFERENCE_FLOPS / flops)
    return int(2 ** max(3, math.floor(math.log2(max(most, 8)))))


def _ema_decay(steps: float) -> float:
    """Average over about the last twentieth of the steps, where the rate is low."""
    return 1 - 1 / max(2.0, min(steps / 20, 1000))


def _forward_flops(channels: int, *, image_size: int, width: int) -> float:
    """Count two operations per weight and place of the convolutions, from the shape alone."""
    shape = shape_for(channels, 2, image_size=image_size, width=width)
    side = (image_size - shape.stem_kernel) // shape.stem_stride + 1
    total = side * side * shape.stem_width * channels * shape.stem_kernel**2
    entering = shape.stem_width
    for leaving in shape.widths:
        total += side * side * 9 * entering * leaving
        side //= 2
        total += shape.depth * side * side * 9 * leaving * leaving
        entering = leaving
    return 2.0 * total
