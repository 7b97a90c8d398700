"""How wide, how long and how fast to train a network that answers for each pixel.

From the images, the time and one measured speed to plain numbers, as `epochal.models.sizing` does for whole images.
`docs/decisions/segmentation-network.md` holds the measurements, all of them on street scenes of 192 by 256 pixels.
"""

import math
from dataclasses import dataclass

from epochal.errors import SettingError
from epochal.models.encoder_decoder import WIDTH

OPTIMIZER = "muon"
LR, OTHER_LR = 0.02, 2e-3  # of hidden weights, and of the rest: biases, norms, the first and the last layer
MOMENTUM, WEIGHT_DECAY, NORM_BIAS_LR = 0.95, 0.02, 1.0
LOSS, CLASS_WEIGHTS, LABEL_SMOOTHING = "cross-entropy+dice", "none", 0.0
TRANSFORMS, STRENGTH = ("zoom", "color-jitter"), 0.5  # beside flips: names of `epochal.transforms.by_name`
WARMUP, FIRST_FACTOR, LAST_FACTOR = 0.1, 0.05, 0.01
BATCH_SIZE = 8
MOST_EPOCHS = 400
_WIDTHS = (96, 64, 48, 32)
_LEAST_EPOCHS = {96: 120.0, 64: 40.0, 48: 25.0}  # 32 where there are fewer
_LEAST_STEPS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseSizing:
    """Numbers for one training of `encoder_decoder`; the constants beside this class complete them.

    `seconds` of training make about `epochs` passes; `lr` is the peak rate of the hidden weights; `ema_decay` is per
    step.
    """

    width: int
    batch_size: int
    seconds: float
    epochs: float
    lr: float
    ema_decay: float


def dense_sized_for(*, train_samples: int, seconds: float, images_per_second: float) -> DenseSizing:
    """Decide a training of at most `seconds` on `train_samples` images with masks.

    `images_per_second` is the measured training speed of the default network, `encoder_decoder(channels, classes,
    image_size=image_size)`, on these images; other widths are judged by the time they took beside it.

    Raises: SettingError for anything that is not positive.  Source: `docs/decisions/segmentation-network.md`.

    >>> quarter = dense_sized_for(train_samples=330, seconds=700, images_per_second=70)
    >>> quarter.width, quarter.batch_size, round(quarter.epochs)
    (64, 8, 148)
    >>> dense_sized_for(train_samples=330, seconds=60, images_per_second=70).width
    32
    """
    if min(train_samples, seconds, images_per_second) <= 0:
        raise SettingError(
            f"{train_samples} images, {seconds} seconds and {images_per_second} images a second were given.",
            expected="more than 0 of each.",
            remedy="raise the budget, or look why no image is left to train on.",
        )
    width, speed = _width(train_samples, seconds=seconds, speed=images_per_second)
    shown = min(seconds * speed, MOST_EPOCHS * train_samples)
    batch = _batch_size(train_samples, shown=shown)
    return DenseSizing(
        width=width,
        batch_size=batch,
        seconds=shown / speed,
        epochs=shown / train_samples,
        lr=LR,
        ema_decay=1 - 1 / max(2.0, min(shown / batch / 20, 1000)),
    )


def relative_time(width: int) -> float:
    """Time of a training step at `width` beside that of the default network: measured at 32 to 96, in between by rule.

    >>> [round(relative_time(width), 2) for width in (32, 48, 64, 96)]
    [0.49, 0.72, 1.0, 1.74]
    """
    wider = width / WIDTH
    return 0.2 + 0.35 * wider + 0.45 * wider * wider


def _width(samples: int, *, seconds: float, speed: float) -> tuple[int, float]:
    """Take the widest network that still makes enough passes over the data, and its estimated speed."""
    for width in _WIDTHS[:-1]:
        slower = speed / relative_time(width)
        if seconds * slower / samples >= _LEAST_EPOCHS[width]:
            return width, slower
    return _WIDTHS[-1], speed / relative_time(_WIDTHS[-1])


def _batch_size(samples: int, *, shown: float) -> int:
    """Take 8 images, or 4 or 2 where time or images are short: a step sees many thousand pixels all the same."""
    most = min(BATCH_SIZE, shown / _LEAST_STEPS, samples / 4)
    return int(2 ** max(1, math.floor(math.log2(max(most, 2)))))
