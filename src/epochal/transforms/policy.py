"""Policies: which operation each sample gets, and how strongly; and the place for a simulator of the user's own.

Samples of one kind of operation are gathered, changed together and put back: all turns, leans and shifts by one
resampling, all changes of colour by one product of matrices. So 14 operations cost a few passes over parts of the
batch, and none over single samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms import matrices as motion
from epochal.transforms import tone
from epochal.transforms.color import jitter_matrices, mean_luma, on_grays, recolored
from epochal.transforms.draws import coin, uniform
from epochal.transforms.moving import carried
from epochal.transforms.normalize import denormalized, normalized
from epochal.transforms.warp import warped

MOTIONS = ("shear-x", "shear-y", "translate-x", "translate-y", "rotate")
COLORS = ("brightness", "color", "contrast")
TONES = ("sharpness", "posterize", "solarize", "autocontrast", "equalize")
OPERATIONS = ("identity", *MOTIONS, *COLORS, *TONES)
_FIELDS = ("images", "labels", "boxes", "keypoints")
Simulator: TypeAlias = Callable[[Batch], Batch]
Statistics: TypeAlias = tuple[Sequence[float], Sequence[float]]  # mean and std of each channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What the full strength of each operation is.

    Units: `shear` as the tangent of the angle, `shift` as a share of the side, `degrees`, `factor` as the distance from
    1, `bits` taken from the 8.

    >>> Reach().degrees, WIDE.degrees
    (30.0, 135.0)
    """

    shear: float = 0.3
    shift: float = 150 / 331
    degrees: float = 30.0
    factor: float = 0.9
    bits: int = 4


NARROW = Reach()  # RandAugment's
WIDE = Reach(shear=0.99, shift=32 / 224, degrees=135.0, factor=0.99, bits=6)  # TrivialAugment's


def operated(
    images: Float[Tensor, "n c h w"],
    operations: Int[Tensor, " n"],
    *,
    strengths: Float[Tensor, " n"],
    reach: Reach,
    mean: Sequence[float],
    std: Sequence[float],
) -> Float[Tensor, "n c h w"]:
    """Apply to each image the operation of its number in `OPERATIONS`, by its strength; its sign says which way.

    What a motion uncovers gets the mean colour. Images of one channel have no colour to change, and keep it.

    Shapes: n images of 1 or 3 channels.  Units: strengths from -1 to 1; images normalised by `mean` and `std`.
    Raises: SettingError for a number that is no operation.  Source: Cubuk et al. 2020, figure 2; tip K4.3.

    >>> images, solarize = torch.tensor([0.25, 0.75]).view(1, 1, 1, 2), torch.tensor([OPERATIONS.index("solarize")])
    >>> operated(images, solarize, strengths=torch.tensor([0.5]), reach=NARROW, mean=[0.0], std=[1.0]).flatten()
    tensor([0.2500, 0.2500])
    """
    if operations.numel() and not (int(operations.min()) >= 0 and int(operations.max()) < len(OPERATIONS)):
        raise SettingError(
            f"Operations {int(operations.min())} to {int(operations.max())} are asked for.",
            expected=f"0 to {len(OPERATIONS) - 1}.",
            remedy="take the numbers from policy.OPERATIONS.",
        )
    out = images.clone(memory_format=torch.preserve_format)
    first = 1
    for names, change in ((MOTIONS, _moved), (COLORS, _colored), *(((name,), _toned) for name in TONES)):
        (which,) = ((operations >= first) & (operations < first + len(names))).nonzero(as_tuple=True)
        if len(which):
            kinds, strength = operations[which] - first, strengths[which].double()
            out[which] = change(
                images[which], names, kinds=kinds, strength=strength, reach=reach, statistics=(mean, std)
            )
        first += len(names)
    return out


def _moved(
    images: Tensor, names: Sequence[str], *, kinds: Tensor, strength: Tensor, reach: Reach, statistics: Statistics
) -> Tensor:
    """Lean, shift and turn, each sample in its own way, in one resampling."""
    del statistics, names  # 0 is the mean colour whatever it is
    size = (images.shape[2], images.shape[3])
    return warped(images, _motions(kinds, strength=strength, reach=reach, size=size))


def _motions(kinds: Tensor, *, strength: Tensor, reach: Reach, size: tuple[int, int]) -> Float[Tensor, "n 3 3"]:
    """The matrix of each sample, for the kinds as `MOTIONS` counts them; any other kind stays where it is."""
    height, width = size
    lean_x, lean_y, right, down, turn = (strength * (kinds == number) for number in range(len(MOTIONS)))
    matrices = motion.rotation(turn * reach.degrees)
    matrices[:, 0, 1] += lean_x * reach.shear
    matrices[:, 1, 0] += lean_y * reach.shear
    matrices = motion.centred(matrices, source=(height, width), target=(height, width))
    matrices[:, 0, 2] += right * reach.shift * width
    matrices[:, 1, 2] += down * reach.shift * height
    return matrices


def _operated_batch(
    batch: Batch, operations: Tensor, *, strengths: Tensor, reach: Reach, statistics: Statistics
) -> Batch:
    """Apply operations to a batch: masks, boxes and points move with the images that move."""
    mean, std = statistics
    images = operated(batch.images, operations, strengths=strengths, reach=reach, mean=mean, std=std)
    if not batch.dense and batch.boxes is None and batch.keypoints is None:
        return batch.replace(images=images)
    kinds = operations - OPERATIONS.index(MOTIONS[0])
    size = (images.shape[2], images.shape[3])
    return carried(batch, images, matrices=_motions(kinds, strength=strengths.double(), reach=reach, size=size))


def _colored(
    images: Tensor, names: Sequence[str], *, kinds: Tensor, strength: Tensor, reach: Reach, statistics: Statistics
) -> Tensor:
    """Brightness, saturation and contrast, each sample in its own way, by one product of matrices."""
    mean, std = statistics
    brightness, saturation, contrast = (1 + strength * reach.factor * (kinds == k) for k in range(len(names)))
    matrices = jitter_matrices(
        mean_luma(images, mean=mean, std=std).double(),
        brightness=brightness, contrast=contrast, saturation=saturation, yiq_turns=torch.zeros_like(strength),
    )  # fmt: skip
    if images.shape[1] == 1:
        matrices = on_grays(matrices)
    return recolored(images, matrices, mean=mean, std=std)


def _toned(
    images: Tensor, names: Sequence[str], *, kinds: Tensor, strength: Tensor, reach: Reach, statistics: Statistics
) -> Tensor:
    """Apply one change of tone to all of these images."""
    del kinds  # there is but one
    mean, std = statistics
    colors = denormalized(images, mean=mean, std=std).clamp_(0, 1)
    size = strength.abs()
    match names[0]:
        case "sharpness":
            colors = tone.sharpened(colors, 1 + strength * reach.factor)
        case "posterize":
            colors = tone.posterized(colors, 8 - (size * reach.bits).round().long())
        case "solarize":
            colors = tone.solarized(colors, torch.where(size > 0, 1 - size, 2))  # no strength, no change: not even of 1
        case "autocontrast":
            colors = tone.stretched(colors)
        case _:
            colors = tone.equalized(colors)
    return normalized(colors, mean=mean, std=std)


@dataclass(frozen=True, slots=True, kw_only=True)
class RandAugment:
    """Apply `number` operations to each image, each drawn evenly from all 14, all of the same strength.

    `magnitude` counts 31 steps, 0 to 30, from nothing to the full reach. Signed operations go either way by a coin.

    Units: `mean` and `std` are those by which the images were normalised.
    Raises: SettingError for a magnitude outside 0 to 30, or no operation.  Source: Cubuk et al. 2020; tip K4.3.

    >>> batch = Batch(images=torch.randn(4, 3, 16, 16), labels=torch.zeros(4).int(), index=torch.arange(4), seed=0)
    >>> RandAugment(mean=(0.5,) * 3, std=(0.25,) * 3)(batch).images.shape
    torch.Size([4, 3, 16, 16])
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    number: int = 2
    magnitude: float = 9
    reach: Reach = NARROW

    def __post_init__(self) -> None:
        """Refuse strengths that do not exist."""
        if not 0 <= self.magnitude <= 30:
            raise SettingError(f"The magnitude is {self.magnitude}.", expected="0 to 30.", remedy="9.")
        if self.number < 1:
            raise SettingError(f"{self.number} operations are asked for.", expected="1 or more.", remedy="2.")

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with each image changed by operations of its own."""
        drawn = uniform(batch.index, 2 * self.number, seed=batch.seed, epoch=batch.epoch, stream="rand-augment")
        statistics = (self.mean, self.std)
        for turn in range(self.number):
            strengths = torch.where(drawn[:, 2 * turn] < 0.5, -1.0, 1.0) * (self.magnitude / 30)
            operations = (drawn[:, 2 * turn + 1] * len(OPERATIONS)).long()
            batch = _operated_batch(batch, operations, strengths=strengths, reach=self.reach, statistics=statistics)
        return batch


@dataclass(frozen=True, slots=True, kw_only=True)
class TrivialAugment:
    """Apply one operation to each image, and its strength, both drawn evenly: nothing is left to tune.

    The strength is one of 31 steps from nothing to the full reach, which is wide. Signed operations go either way.

    Units: `mean` and `std` are those by which the images were normalised.
    Source: Müller and Hutter 2021, "TrivialAugment: tuning-free yet state-of-the-art data augmentation"; tip K4.3.

    >>> batch = Batch(images=torch.randn(4, 3, 16, 16), labels=torch.zeros(4).int(), index=torch.arange(4), seed=0)
    >>> TrivialAugment(mean=(0.5,) * 3, std=(0.25,) * 3)(batch).images.shape
    torch.Size([4, 3, 16, 16])
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    reach: Reach = WIDE

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with each image changed by one operation of its own."""
        drawn = uniform(batch.index, 3, seed=batch.seed, epoch=batch.epoch, stream="trivial-augment")
        strengths = torch.where(drawn[:, 2] < 0.5, -1.0, 1.0) * (drawn[:, 1] * 31).floor() / 30
        operations, statistics = (drawn[:, 0] * len(OPERATIONS)).long(), (self.mean, self.std)
        return _operated_batch(batch, operations, strengths=strengths, reach=self.reach, statistics=statistics)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """Let a callable of the user's fill part of each batch: a simulator, a renderer, a generative model.

    Each sample is handed over with probability `share`: `simulate` receives a batch of those samples alone (their
    index, seed and epoch serve it to draw from) and gives back as many, images normalised like those it got, with the
    labels they should have. Any transform is such a callable, so this also applies one to some of the samples.

    Raises: SettingError if `share` is no probability, or where what comes back does not fit into the batch.
    Source: tip K4.3.

    >>> def night(part):
    ...     return part.replace(images=torch.zeros_like(part.images), labels=torch.full_like(part.labels, 7))
    >>> batch = Batch(images=torch.ones(4, 1, 2, 2), labels=torch.arange(4), index=torch.arange(4), seed=0)
    >>> Simulated(simulate=night, share=1.0)(batch).labels
    tensor([7, 7, 7, 7])
    """

    simulate: Simulator
    share: float = 0.25

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not 0 <= self.share <= 1:
            raise SettingError(f"The share to simulate is {self.share}.", expected="0 to 1.", remedy="0.25.")

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with some samples replaced."""
        chosen = coin(batch.index, seed=batch.seed, epoch=batch.epoch, stream="simulated", chance=self.share)
        (which,) = chosen.nonzero(as_tuple=True)
        if not len(which):
            return batch
        fields = {name: each for name in _FIELDS if (each := getattr(batch, name)) is not None}
        part = batch.replace(index=batch.index[which], **{name: each[which] for name, each in fields.items()})
        made = self.simulate(part)
        changed = {}
        for name, whole in fields.items():
            asked, given = getattr(part, name), getattr(made, name)
            if given is None or asked.shape != given.shape or asked.is_floating_point() != given.is_floating_point():
                shown = "none" if given is None else f"of shape {tuple(given.shape)}, {given.dtype}"
                raise SettingError(
                    f"The simulator made {name} {shown}.",
                    expected=f"{tuple(asked.shape)}, {asked.dtype}.",
                    remedy="make as many as the batch has that it receives, of the same size.",
                )
            changed[name] = whole.clone(memory_format=torch.preserve_format)
            changed[name][which] = given.to(whole)
        return batch.replace(**changed)
