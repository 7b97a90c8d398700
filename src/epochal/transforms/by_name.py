"""Transforms by name: what a recipe lists becomes callables, of a strength that one number turns up or down.

`AUGMENTATIONS` is the one table: what each name makes, and which data it does not suit, with the reason. What is not in
it is yours to write: any callable from batch to batch is a transform, and `epochal.transforms.policy.Simulated` lets a
simulator of your own fill part of each batch.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeAlias

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.stats.pca import PrincipalComponents
from epochal.transforms.color import ColorJitter, Grayscale
from epochal.transforms.corruption import Blur, Cutout, Erasing, Noise
from epochal.transforms.fancy_pca import FancyPCA
from epochal.transforms.geometry import HorizontalFlip, Translate, VerticalFlip
from epochal.transforms.hsv import HsvPower
from epochal.transforms.mixing import Cutmix, Mixup
from epochal.transforms.policy import RandAugment, TrivialAugment
from epochal.transforms.scene import ClassPaste, DomainRandomization
from epochal.transforms.warp import Affine, ResizedCrop

Transform: TypeAlias = Callable[[Batch], Batch]
_STRONGEST = 4.0

SEGMENTATION, CIRCLE, VALUES, WHOLE = "segmentation", "values on a circle", "regression", "labels of whole images"
ONE_SIDED, COLORLESS, ODD = "one-sided", "without colour", "neither grey nor red, green and blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """What transforms must know of the data.

    `labels` counts classes, or the columns of labels that are rows; `size` is (height, width) of the network's input.
    `circular` are values such as angles; `mirrors` says whether a mirrored image keeps its label. `colors` are the
    principal components of training pixels, which "fancy-pca" needs.

    Units: `mean` and `std` by which the images are normalised, and `colors`, of colours in [0, 1].

    >>> DataFacts(task="regression", labels=1, size=(32, 32), mean=(0.5,), std=(0.2,), circular=True).situations
    ('regression', 'values on a circle', 'labels of whole images', 'without colour')
    """

    task: str
    labels: int
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    circular: bool = False
    mirrors: bool = True
    colors: PrincipalComponents | None = field(default=None, compare=False)

    @property
    def situations(self) -> tuple[str, ...]:
        """What an augmentation may not suit."""
        channels = len(self.mean)
        holds = {
            self.task: True, CIRCLE: self.circular, WHOLE: self.task != SEGMENTATION, ONE_SIDED: not self.mirrors,
            COLORLESS: channels != 3, ODD: channels not in {1, 3},
        }  # fmt: skip
        return tuple(name for name, true in holds.items() if true)


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """One row of the table: what a name makes at a strength, and the data it does not suit, each with its reason.

    >>> AUGMENTATIONS["mixup"].refused["segmentation"]
    'a pixel of two blended images has two classes'
    """

    about: str
    make: Callable[[DataFacts, float], tuple[Transform, ...]]
    refused: Mapping[str, str] = field(default_factory=dict)


def transforms(names: Sequence[str], *, facts: DataFacts, strength: float = 1.0) -> tuple[Transform, ...]:
    """Make the transforms called `names`, in this order; neighbours that resample (rotate, zoom, shear) become one.

    `strength` multiplies how far each goes: 1 as in its paper, or as is usual where that is meant for long trainings.

    Raises: SettingError for unknown names or names given twice, for a strength outside (0, 4], and where a name does
    not suit the data.  Source: tips W1.1, W1.2, W1.3, L6, K4.2, K4.3.

    >>> facts = DataFacts(task="classification", labels=10, size=(32, 32), mean=(0.5,) * 3, std=(0.2,) * 3)
    >>> [type(each).__name__ for each in transforms(["rotate", "zoom", "hsv-jitter", "mixup"], facts=facts)]
    ['Affine', 'HsvPower', 'Mixup']
    """
    check_names(names)
    if not 0 < strength <= _STRONGEST:
        raise SettingError(
            f"The strength of transforms is {strength}.", expected=f"above 0, at most {_STRONGEST:g}.", remedy="1."
        )
    for name in names:
        reason = why_not(name, facts)
        if reason is not None:
            raise SettingError(
                f"{name} does not suit these data: {reason}.",
                expected=f"some of {', '.join(each for each in AUGMENTATIONS if why_not(each, facts) is None)}.",
                remedy=f"take {name} out of transforms.names.",
            )
    return tuple(_in_one([each for name in names for each in AUGMENTATIONS[name].make(facts, strength)]))


def check_names(names: Sequence[str]) -> None:
    """Refuse names that no transform has, with the nearest that one has, and names that stand there twice.

    Raises: SettingError.

    >>> check_names(["flip", "mixup"])
    """
    for place, name in enumerate(names):
        if name not in AUGMENTATIONS:
            raise SettingError.unknown("transform", name, known=AUGMENTATIONS)
        if name in names[:place]:
            raise SettingError(
                f"{name} stands twice among the transforms.",
                expected="each once: the second would draw what the first drew.",
                remedy="once, with a higher transforms.strength.",
            )


def why_not(name: str, facts: DataFacts) -> str | None:
    """Say why a transform does not suit the data; None where it does.

    >>> facts = DataFacts(task="segmentation", labels=11, size=(192, 256), mean=(0.5,) * 3, std=(0.2,) * 3)
    >>> why_not("mixup", facts), why_not("cutmix", facts)
    ('a pixel of two blended images has two classes', None)
    """
    refused = AUGMENTATIONS[name].refused
    return next((refused[each] for each in facts.situations if each in refused), None)


def _in_one(made: Sequence[Transform]) -> Iterator[Transform]:
    """Join neighbouring motions that set different things: one resampling in place of several."""
    waiting: Affine | None = None
    for each in made:
        if isinstance(each, Affine) and waiting is not None and not _settings(waiting).keys() & _settings(each).keys():
            waiting = replace(waiting, **_settings(each))
            continue
        if waiting is not None:
            yield waiting
        waiting = each if isinstance(each, Affine) else None
        if waiting is None:
            yield each
    if waiting is not None:
        yield waiting


def _settings(motion: Affine) -> dict[str, Any]:
    return {
        each.name: getattr(motion, each.name) for each in fields(Affine) if getattr(motion, each.name) != each.default
    }


def _translate(facts: DataFacts, strength: float) -> tuple[Transform, ...]:
    side = min(facts.size)
    return (Translate(reach=min(max(1, round(side / 16 * strength)), side - 1)),)


def _crop(facts: DataFacts, strength: float) -> tuple[Transform, ...]:
    high, wide = facts.size
    shape = wide / high
    return (ResizedCrop(size=facts.size, area=(0.35**strength, 1.0), aspect=(shape * 3 / 4, shape * 4 / 3)),)


def _color_jitter(facts: DataFacts, strength: float) -> tuple[Transform, ...]:
    reach, hue = 0.4 * strength, min(0.5, 0.1 * strength) if len(facts.mean) == 3 else 0.0
    jitter = ColorJitter(brightness=reach, contrast=reach, saturation=reach, hue=hue, mean=facts.mean, std=facts.std)
    return (jitter,)


def _hsv_jitter(facts: DataFacts, strength: float) -> tuple[Transform, ...]:
    reach = min(1.0, 0.1 * strength)
    power, factor = ((low**strength, high**strength) for low, high in ((0.25, 4.0), (0.7, 1.4)))
    return (HsvPower(power=power, factor=factor, shift=reach, hue=reach, mean=facts.mean, std=facts.std),)


def _fancy_pca(facts: DataFacts, strength: float) -> tuple[Transform, ...]:
    if facts.colors is None:
        raise SettingError(
            "fancy-pca knows nothing of the colours of the training images.",
            expected="their principal components.",
            remedy="measure them with epochal.stats.pca, and pass them as `colors`.",
        )
    axes = tuple(tuple(row) for row in facts.colors.directions.T.tolist())
    values = tuple(facts.colors.variances.tolist())
    return (FancyPCA(eigenvectors=axes, eigenvalues=values, std=facts.std, sigma=0.1 * strength),)


def _blur(facts: DataFacts, strength: float) -> tuple[Transform, ...]:
    side = min(facts.size)
    widest = min(max(0.5, 2 * side / 224) * strength, side / 4)  # its kernel reaches 3 sigma, inside the image
    return (Blur(sigma=(min(0.1, widest), widest)),)


def _domain_randomization(facts: DataFacts, strength: float) -> tuple[Transform, ...]:
    light = DomainRandomization(mean=facts.mean, std=facts.std, light=min(0.5, 0.3 * strength))
    return (light, *_color_jitter(facts, strength), Noise(std=facts.std, sigma=(0.0, 0.05 * strength)))


_TURNED = {CIRCLE: "turned images have other values where these lie on a circle"}
_GREY = {COLORLESS: "these images have no colour to change"}
_TONELESS = {ODD: "brightness is known of grey images, and of red, green and blue"}

AUGMENTATIONS: Mapping[str, Augmentation] = {
    "flip": Augmentation(
        about="mirrored left and right in every second epoch",
        make=lambda _facts, _strength: (HorizontalFlip(alternating=True),),
        refused={ONE_SIDED: "mirrored images are not what they were (transforms.flip)"},
    ),
    "vertical-flip": Augmentation(
        about="half of all images mirrored upside down: for those without an up and down",
        make=lambda _facts, _strength: (VerticalFlip(),),
    ),
    "translate": Augmentation(about="shifted by whole pixels, up to a sixteenth of the side", make=_translate),
    "crop": Augmentation(about="a part of 35 % or more of the area, resized", make=_crop),
    "rotate": Augmentation(
        about="turned by up to 15 degrees",
        make=lambda _facts, strength: (Affine(degrees=15 * strength),),
        refused=_TURNED,
    ),
    "zoom": Augmentation(
        about="magnified by 0.8 to 1.25",
        make=lambda _facts, strength: (Affine(zoom=(1.25**-strength, 1.25**strength)),),
    ),
    "shear": Augmentation(
        about="leaning by up to 10 degrees", make=lambda _facts, strength: (Affine(shear=10 * strength),)
    ),
    "color-jitter": Augmentation(
        about="brightness, contrast and saturation times 0.6 to 1.4, hue by a tenth of the circle", make=_color_jitter,
        refused=_TONELESS,
    ),
    "hsv-jitter": Augmentation(
        about="saturation and value to powers of 0.25 to 4 (W1.2)", make=_hsv_jitter, refused=_GREY
    ),
    "fancy-pca": Augmentation(about="colours along the main colours of all images (W1.3)", make=_fancy_pca),
    "grayscale": Augmentation(
        about="a fifth of all images without their colour",
        make=lambda facts, strength: (Grayscale(chance=min(1.0, 0.2 * strength), mean=facts.mean, std=facts.std),),
        refused=_GREY,
    ),
    "blur": Augmentation(about="half of all images blurred, by up to a hundredth of the side", make=_blur),
    "noise": Augmentation(
        about="noise of up to a tenth of the range on half of all images",
        make=lambda facts, strength: (Noise(std=facts.std, sigma=(0.0, 0.1 * strength)),),
    ),
    "erasing": Augmentation(
        about="a rectangle of half of all images gone",
        make=lambda _facts, strength: (Erasing(chance=min(1.0, 0.5 * strength)),),
    ),
    "cutout": Augmentation(
        about="a square gone, a quarter of the side long",
        make=lambda facts, strength: (Cutout(side=max(1, round(min(facts.size) / 4 * min(2.0, strength)))),),
    ),
    "mixup": Augmentation(
        about="two images and their labels blended",
        make=lambda facts, strength: (Mixup(classes=facts.labels, alpha=0.2 * strength),),
        refused={
            SEGMENTATION: "a pixel of two blended images has two classes",
            CIRCLE: "between two values on a circle lie two middles",
        },
    ),
    "cutmix": Augmentation(
        about="a rectangle of another image over half of all images, with its share of the label",
        make=lambda facts, strength: (Cutmix(classes=facts.labels, chance=min(1.0, 0.5 * strength)),),
        refused={VALUES: "a part of an image does not hold a part of its value"},
    ),
    "copy-paste": Augmentation(
        about="half of the classes of another image pasted into each, with their masks",
        make=lambda facts, strength: (ClassPaste(classes=facts.labels, share=min(1.0, 0.5 * strength)),),
        refused={WHOLE: "there are no masks to paste by"},
    ),
    "randaugment": Augmentation(
        about="2 of 14 operations on each image, of magnitude 9",
        make=lambda facts, strength: (RandAugment(mean=facts.mean, std=facts.std, magnitude=min(30, 9 * strength)),),
        refused=_TURNED | _TONELESS,
    ),
    "trivialaugment": Augmentation(
        about="1 of 14 operations on each image, of any strength: there is nothing to tune",
        make=lambda facts, _strength: (TrivialAugment(mean=facts.mean, std=facts.std),),
        refused=_TURNED | _TONELESS,
    ),
    "domain-randomization": Augmentation(
        about="light from a side, colours and noise", make=_domain_randomization, refused=_TONELESS
    ),
}  # fmt: skip
NAMES: tuple[str, ...] = tuple(AUGMENTATIONS)
