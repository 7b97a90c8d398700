"""Data for the transfer benchmark: five classes to learn first, and three tasks to move to.

Of CIFAR-10 only the train files are read: what is judged by is carved from them. CamVid gives patches that lie within
one class, of its train and its val pictures. The digits come with the package.
"""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from epochal.data.digits import HIGHEST_COUNT, load_digits

FIRST = ("bird", "cat", "deer", "dog", "horse")
SECOND = ("airplane", "automobile", "frog", "ship", "truck")
PATCHES = {0: "sky", 1: "building", 3: "road", 4: "pavement", 5: "tree", 8: "car"}
SIDE = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """A pool to draw training images from, and images to judge by; `flips` where a mirror image keeps its class.

    Shapes: images (n, h, w, c), labels (n,).
    """

    name: str
    pool: np.ndarray
    pool_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    flips: bool

    @property
    def classes(self) -> int:
        """How many there are."""
        return int(self.pool_labels.max()) + 1

    def few(self, each: int, *, seed: int) -> "Drawn":
        """At most `each` images of every class."""
        order = np.random.default_rng(seed).permutation(len(self.pool_labels))
        rows = np.concatenate([order[self.pool_labels[order] == label][:each] for label in range(self.classes)])
        return Drawn(target=self, images=self.pool[rows], labels=self.pool_labels[rows], seed=seed)

    @property
    def whole(self) -> "Drawn":
        """The whole pool."""
        return Drawn(target=self, images=self.pool, labels=self.pool_labels, seed=0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawn:
    """Training images of a target."""

    target: Target
    images: np.ndarray
    labels: np.ndarray
    seed: int


def cifar(archive: Path, names: tuple[str, ...], *, pool: slice, test: slice, called: str) -> Target:
    """Classes of CIFAR-10; `pool` and `test` say which of the train files of each class are used for what."""
    found: dict[str, list[tuple[np.ndarray, int]]] = {"pool": [], "test": []}
    with zipfile.ZipFile(archive) as file:
        listed = sorted(name for name in file.namelist() if name.startswith("train/") and name.endswith(".jpg"))
        for label, name in enumerate(names):
            own = [each for each in listed if each.split("/")[1] == name]
            for part, chosen in (("pool", own[pool]), ("test", own[test])):
                for each in chosen:
                    picture = np.asarray(Image.open(io.BytesIO(file.read(each))).convert("RGB"))
                    found[part].append((picture, label))
    return _target(called, pool=found["pool"], test=found["test"], flips=True)


def digits() -> Target:
    """Grey handwritten digits of 8 x 8 pixels."""
    images, labels = load_digits()
    pixels = np.rint(images * (255 / HIGHEST_COUNT)).astype(np.uint8)[..., None]
    samples = list(zip(pixels, labels.tolist(), strict=True))
    order = np.random.default_rng(0).permutation(len(samples)).tolist()
    return _target(
        "digits", pool=[samples[i] for i in order[500:]], test=[samples[i] for i in order[:500]], flips=False
    )


def patches(archive: Path) -> Target:
    """Squares of CamVid that lie within one class by nine tenths, at most eight of a class and a picture."""
    parts: dict[str, list[tuple[np.ndarray, int]]] = {"train": [], "val": []}
    source = np.random.default_rng(0)
    with zipfile.ZipFile(archive) as file:
        for split, samples in parts.items():
            listed = sorted(n for n in file.namelist() if n.startswith(f"{split}/images/") and n.endswith(".jpg"))
            for name in listed:
                picture = np.asarray(Image.open(io.BytesIO(file.read(name))).convert("RGB"))
                mask = np.asarray(Image.open(io.BytesIO(file.read(name.replace("images", "masks")[:-3] + "png"))))
                samples.extend(_cut(picture, mask, source=source))
    test = parts["val"]
    chosen = source.permutation(len(test))[:3000].tolist()
    return _target("street patches", pool=parts["train"], test=[test[i] for i in chosen], flips=True)


def _cut(picture: np.ndarray, mask: np.ndarray, *, source: np.random.Generator) -> list[tuple[np.ndarray, int]]:
    height, width = mask.shape
    taken = dict.fromkeys(PATCHES, 0)
    found = []
    for top, left in zip(
        source.integers(0, height - SIDE, 150).tolist(), source.integers(0, width - SIDE, 150).tolist(), strict=True
    ):
        inside = mask[top : top + SIDE, left : left + SIDE]
        kind = int(np.bincount(inside.ravel(), minlength=12).argmax())
        if kind in taken and taken[kind] < 8 and (inside == kind).mean() >= 0.9:
            taken[kind] += 1
            found.append((picture[top : top + SIDE, left : left + SIDE], list(PATCHES).index(kind)))
    return found


def _target(
    name: str, *, pool: list[tuple[np.ndarray, int]], test: list[tuple[np.ndarray, int]], flips: bool
) -> Target:
    return Target(
        name=name,
        pool=np.stack([image for image, _ in pool]), pool_labels=np.array([label for _, label in pool]),
        test=np.stack([image for image, _ in test]), test_labels=np.array([label for _, label in test]),
        flips=flips,
    )  # fmt: skip
