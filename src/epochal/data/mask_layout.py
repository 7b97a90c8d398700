"""From the names of files to pairs of picture and mask: pure, it opens nothing."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from epochal.data.entries import Entry
from epochal.data.layout import SPLIT_FOLDERS

IMAGE_FOLDERS = frozenset({"images", "image", "imgs", "img", "jpegimages", "photos", "pictures", "frames", "input",
                           "inputs", "leftimg8bit"})  # fmt: skip
MASK_FOLDERS = frozenset({"masks", "mask", "labels", "label", "annotations", "annotation", "annot", "gt", "gts",
                          "groundtruth", "ground_truth", "segmentation", "segmentations", "segmentationclass",
                          "targets", "gtfine"})  # fmt: skip
# What some data sets hang on the name of a mask: horse_mask.png belongs to horse.jpg.
SUFFIXES = ("_mask", "-mask", "_masks", "_label", "_labels", "_labelids", "_gt", "_gtfine_labelids", "_seg",
            "_segmentation", "_l", "_annotation")  # fmt: skip
# Folders are pairs of images and masks when at least this share of the masks has its picture.
PAIRED = 0.5
# Classes that are not to be learnt: what nobody labelled, by the names that data sets give it.
VOID_NAMES = frozenset({"unlabelled", "unlabeled", "void", "ignore", "ignored", "ignore_label", "background-ignored",
                        "background_ignored", "unannotated"})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Masks:
    """The mask file of each picture, and what the numbers in it mean.

    `entries` has one for each picture; one with a problem stands where there is none. `meaning` gives for each number
    from 0 to 255 in a file its class, 255 where it is to be ignored, -1 where it has no meaning. `numbers` are the
    numbers in the files of class 0, 1, ...; `rule` says in words what is ignored.

    >>> Masks(entries=(), meaning=(0, 255) + (-1,) * 254, numbers=(0,)).ignored
    (1,)
    """

    entries: tuple[Entry, ...]
    meaning: tuple[int, ...]
    numbers: tuple[int, ...]
    rule: str = ""

    @property
    def ignored(self) -> tuple[int, ...]:
        """Numbers in the files that are to be ignored."""
        return tuple(number for number, meant in enumerate(self.meaning) if meant == 255)

    def select(self, positions: Sequence[int]) -> "Masks":
        """Keep the masks of the pictures at these positions."""
        return dataclasses.replace(self, entries=tuple(self.entries[position] for position in positions))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A picture, its mask (None where it has none) and its split (`""` where folders do not say)."""

    image: str
    mask: str | None
    split: str


def pairs(keys: Sequence[str]) -> list[Pair] | None:
    """Pair pictures with masks by folder and name, in the order of the pictures; None where there are no such folders.

    One folder on each path says what it holds (`images`, `masks` and their like, anywhere on the path); with that
    folder and the ending left out, the names must agree, apart from a suffix such as `_mask`.

    >>> pairs(["train/images/1.jpg", "train/masks/1.png", "train/images/2.jpg"])[0]
    Pair(image='train/images/1.jpg', mask='train/masks/1.png', split='train')
    >>> pairs(["cat/1.jpg", "dog/1.jpg"])
    """
    images: dict[str, tuple[str, str]] = {}
    masks: dict[str, str] = {}
    for key in keys:
        bare, holds = _placed(key)
        if holds == "image":
            images.setdefault(bare, (key, ""))
        elif holds == "mask":
            masks.setdefault(bare, key)
    if not images or not masks:
        return None
    found = {bare: mask for bare in images if (mask := _mask_of(bare, masks)) is not None}
    if len(found) < PAIRED * len(masks):
        return None
    splits = {bare: _split(bare) for bare in images}
    known = "train" in splits.values()
    return [
        Pair(image=key, mask=found.get(bare), split=splits[bare] if known else "")
        for bare, (key, _) in sorted(images.items(), key=lambda item: item[1])
    ]


def _placed(key: str) -> tuple[str, str]:
    """The path without ending and without the folder that says what it holds, and that; `""` where none says."""
    *folders, name = key.split("/")
    for at in range(len(folders) - 1, -1, -1):
        word = folders[at].lower()
        holds = "image" if word in IMAGE_FOLDERS else "mask" if word in MASK_FOLDERS else ""
        if holds:
            return "/".join((*folders[:at], *folders[at + 1 :], name.rsplit(".", 1)[0])), holds
    return key, ""


def _mask_of(bare: str, masks: dict[str, str]) -> str | None:
    if bare in masks:
        return masks[bare]
    for suffix in SUFFIXES:
        for written in (suffix, suffix.upper()):
            if bare + written in masks:
                return masks[bare + written]
    return None


def _split(bare: str) -> str:
    return next((SPLIT_FOLDERS[word.lower()] for word in bare.split("/")[:-1] if word.lower() in SPLIT_FOLDERS), "")


def meaning(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...], str]:
    """Classes, and what each number in a file means, from the list of names; and the rule by which some are ignored.

    Raises: nothing; 255 is ignored unless the list names it.

    >>> classes, meant, rule = meaning(["sky", "void", "road"])
    >>> classes, meant[:3], meant[255], rule
    (('sky', 'road'), (0, 255, 1), 255, "'void' (1) is ignored because of its name")
    """
    void = [number for number, name in enumerate(names) if name.strip().lower() in VOID_NAMES]
    classes = tuple(name for number, name in enumerate(names) if number not in void)
    meant = [-1] * 256
    for label, number in enumerate(number for number in range(len(names)) if number not in void):
        meant[number] = label
    for number in void:
        meant[number] = 255
    if len(names) <= 255:
        meant[255] = 255
    told = " and ".join(f"{names[number]!r} ({number})" for number in void)
    rule = f"{told} is ignored because of its name" if void else ""
    return classes, tuple(meant), rule


def meaning_of_numbers(found: Sequence[int]) -> tuple[tuple[str, ...], tuple[int, ...], str]:
    """The same from the numbers that stand in the files, where no list names them.

    255 beside two others or more marks what is to be ignored, as in Pascal VOC and Cityscapes; with 0 alone it is the
    other of two classes, as painting programs write black and white.

    >>> meaning_of_numbers([0, 255])[0], meaning_of_numbers([0, 1, 255])[0]
    (('0', '255'), ('0', '1'))
    """
    numbers = sorted(set(found))
    ignored = 255 in numbers and len(numbers) > 2
    kept = [number for number in numbers if not (ignored and number == 255)]
    meant = [-1] * 256
    for label, number in enumerate(kept):
        meant[number] = label
    if meant[255] < 0:
        meant[255] = 255
    rule = "255 is ignored, as is usual where other numbers name the classes" if ignored else ""
    return tuple(str(number) for number in kept), tuple(meant), rule
