"""Folders of images and masks, brought together pair by pair."""

from collections.abc import Sequence

from epochal.data.contents import Catalogue
from epochal.data.entries import Entry, Source, Unreadable
from epochal.data.mask_layout import Masks, Pair, meaning, meaning_of_numbers
from epochal.data.masks import numbers_in
from epochal.data.threads import cores
from epochal.errors import DataError

# Lists of names, one for each number from 0 on, by the names that people give them.
NAME_LISTS = frozenset({"classes.txt", "class_names.txt", "names.txt", "labels.txt", "classes.names", "obj.names"})


def catalogue_of_masks(
    source: Source, pictures: Sequence[Entry], *, found: Sequence[Pair], ignored: Sequence[str]
) -> Catalogue:
    """The catalogue of pictures that have masks.

    Class names come from a list such as classes.txt, one name a line from number 0 on; without one, every mask is read
    once to learn which numbers there are. A picture without a mask is a problem, a mask without a picture is `stray`.

    Raises: DataError if the list is no text, or fewer than two classes are left.
    """
    by_key = {entry.key: entry for entry in pictures}
    masks = tuple(_mask(pair, by_key) for pair in found)
    listed = _name_list(source)
    if listed is None:
        numbers = numbers_in(source, [mask for mask in masks if mask.problem is None], threads=cores())
        classes, meant, rule = meaning_of_numbers(numbers)
        origin = "no classes.txt names them, so they are called by the numbers found"
    else:
        classes, meant, rule = meaning(_names(source, listed))
        origin = f"named by {listed.key}"
    if len(classes) < 2:
        raise DataError(
            f"The masks of {source.where} know {len(classes)} class: {', '.join(classes) or 'none'}.",
            expected="at least two classes to tell apart, 254 at most.",
            remedy="check what numbers the masks hold, and the list of names.",
        )
    used = {pair.image for pair in found} | {mask.key for mask in masks}
    return Catalogue(
        source=source,
        entries=tuple(by_key[pair.image] for pair in found),
        classes=classes,
        labels=(-1,) * len(found),
        splits=tuple(pair.split for pair in found),
        ignored=tuple(key for key in ignored if listed is None or key != listed.key),
        stray=tuple(entry.key for entry in pictures if entry.key not in used),
        kind="segmentation",
        reason=_reason(found, classes, origin=origin, rule=rule),
        masks=Masks(
            entries=masks,
            meaning=meant,
            numbers=tuple(meant.index(label) for label in range(len(classes))),
            rule=rule,
        ),
        problems={number: mask.problem for number, mask in enumerate(masks) if mask.problem is not None},
        companions=() if listed is None else (listed,),
    )


def _reason(found: Sequence[Pair], classes: Sequence[str], *, origin: str, rule: str) -> str:
    pair = next(pair for pair in found if pair.mask is not None)
    told = f"; {rule}" if rule else ""
    return (
        f"{sum(pair.mask is not None for pair in found):,} pictures have a mask of the same name ({pair.image},"
        f" {pair.mask}), so each pixel is told apart into {len(classes)} classes, {origin}{told}."
    )


def _mask(pair: Pair, by_key: dict[str, Entry]) -> Entry:
    if pair.mask is not None:
        return by_key[pair.mask]
    return Entry(key=f"{pair.image} (mask)", size=0, stamp=0, problem=f"no-mask: no mask has the name of {pair.image}")


def _name_list(source: Source) -> Entry | None:
    found = [entry for entry in source.entries() if entry.key.rsplit("/", 1)[-1].lower() in NAME_LISTS]
    return min(found, key=lambda entry: (entry.key.count("/"), entry.key), default=None)


def _names(source: Source, listed: Entry) -> list[str]:
    """One name a line; `3 road`, `3: road` and `3,road` are understood where every line begins with its number."""
    try:
        lines = [line.strip() for line in source.read(listed).decode("utf-8-sig").splitlines() if line.strip()]
    except (UnicodeDecodeError, Unreadable) as error:
        raise DataError(
            f"{listed.key} in {source.where} cannot be read: {error}.",
            expected="one class name a line, in UTF-8.",
            remedy="save it as UTF-8 text.",
        ) from None
    cut = [line.replace(":", " ", 1).replace(",", " ", 1).replace("\t", " ", 1).split(" ", 1) for line in lines]
    if all(len(parts) == 2 and parts[0] == str(number) for number, parts in enumerate(cut)):
        return [parts[1].strip() for parts in cut]
    return lines
