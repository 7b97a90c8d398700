"""From the names of folders to splits and classes: pure, it opens nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from epochal.errors import DataError

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}

EXPECTED = "one folder for each class with its images inside; train, val and test folders may stand above them."


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where each file belongs: its split (`""` where folders do not say) and its class, or why it has no place.

    >>> layout = arrange(["pets/cat/1.jpg", "pets/dog/1.jpg", "pets/readme.jpg"], where="pets.zip")
    >>> layout.classes, layout.labels, layout.splits
    (('cat', 'dog'), (0, 1, -1), ('', '', ''))
    >>> layout.stray
    ('pets/readme.jpg',)
    """

    classes: tuple[str, ...]
    labels: tuple[int, ...]
    splits: tuple[str, ...]
    stray: tuple[str, ...]


def arrange(keys: Sequence[str], *, where: str) -> Layout:
    """Read splits and classes from the paths of image files.

    Folders that all files share are passed over. If a `train` folder with class folders stands at the top, the first
    folder is the split and the second the class; else the first is the class. Deeper folders belong to their class.

    Raises: DataError if there are no images, no class folders, one class only, or one image only.

    >>> layout = arrange(["Train/cat/1.jpg", "Train/dog/1.jpg", "test/cat/9.jpg"], where="pets")
    >>> layout.splits, layout.labels
    (('train', 'train', 'test'), (0, 1, 0))
    """
    _refuse_too_few(keys, where=where)
    paths = _without_shared_top([key.split("/") for key in keys])
    with_splits = _has_split_folders(paths)
    depth = 1 if with_splits else 0
    names: list[str | None] = []
    splits: list[str] = []
    for path in paths:
        split = SPLIT_FOLDERS.get(path[0].lower(), "") if with_splits else ""
        placed = len(path) > depth + 1 and (bool(split) or not with_splits)
        names.append(path[depth] if placed else None)
        splits.append(split if placed else "")
    classes = tuple(sorted({name for name in names if name is not None}))
    _refuse_few_classes(classes, where=where)
    number = {name: label for label, name in enumerate(classes)}
    return Layout(
        classes=classes,
        labels=tuple(-1 if name is None else number[name] for name in names),
        splits=tuple(splits),
        stray=tuple(key for key, name in zip(keys, names, strict=True) if name is None),
    )


def _has_split_folders(paths: list[list[str]]) -> bool:
    """Tell a split called train from a class of locomotives: classes lie inside it, or only splits lie beside it."""
    tops = {path[0].lower() for path in paths if len(path) > 1}
    if "train" not in {SPLIT_FOLDERS.get(top) for top in tops}:
        return False
    return tops <= SPLIT_FOLDERS.keys() or any(
        len(path) > 2 and SPLIT_FOLDERS.get(path[0].lower()) == "train" for path in paths
    )


def _without_shared_top(paths: list[list[str]]) -> list[list[str]]:
    """Drop the folder above all class folders, such as the one that a zip made of a folder begins with.

    Files straight inside that folder (a licence picture) do not hide it; but the folder above two levels is a class
    or a split as soon as another folder stands beside it.
    """
    while True:
        tops = {path[0] for path in paths if len(path) > 1}
        deep = any(len(path) > 2 for path in paths)
        if len(tops) != 1 or not deep or next(iter(tops)).lower() in SPLIT_FOLDERS:
            return paths
        paths = [path[1:] if len(path) > 1 else path for path in paths]


def _refuse_too_few(keys: Sequence[str], *, where: str) -> None:
    if not keys:
        raise DataError(
            f"{where} holds no images.",
            expected=EXPECTED,
            remedy="check the path; images are known by their content or by endings such as .jpg and .png.",
        )
    if len(keys) == 1:
        raise DataError(
            f"{where} holds a single image, {keys[0]}.",
            expected="at least two classes with a few images each, better dozens.",
            remedy="add images, one folder for each class.",
        )


def _refuse_few_classes(classes: tuple[str, ...], *, where: str) -> None:
    if not classes:
        raise DataError(
            f"{where} holds images but no class folders.",
            expected=EXPECTED,
            remedy="move the images of each class into a folder named after it.",
        )
    if len(classes) == 1:
        raise DataError(
            f"{where} holds one class only, {classes[0]}.",
            expected="at least two classes: with one, every answer is right.",
            remedy="add a folder with images of another class, such as everything that is not of the first.",
        )
