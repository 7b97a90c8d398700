"""Rules about single files: what could not be read, what is not what it says, what shows nothing."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from epochal.checks.listing import capped, counted, named
from epochal.checks.specimens import Specimen, many, table_of
from epochal.data.table import SampleTable
from epochal.findings import Observation, Severity, rule

# Above this share of unreadable files the fault is not in single files but in the copy, the disk or the program
# that wrote them. No healthy set looked at has any (CIFAR-10, CamVid, needle: 0 of 57,000 files).
SYSTEMATIC = 0.05

_REMEDIES = {
    "empty": "delete the file, or copy it again.",
    "truncated": "copy or download the file again: its end is missing.",
    "no-permission": "give yourself the right to read it.",
    "broken-link": "mend or delete the link.",
    "encrypted": "unpack the zip with its password and use the folder.",
    "too-large": "scale the image down, if it is honest.",
}

# What the decoder had to give up, by the kind of note, and what to do about it.
_LOSSES = {
    "animated": "keep the frame that matters, if it is not the first.",
    "sixteen-bit": "bring the values to 8 bits yourself if what matters lies in few of them.",
    "transparent": "paste the images on the background that they will have in use.",
    "cmyk": "convert to RGB with the printer's profile if colours matter.",
    "colour-made-grey": "ask for 3 channels if colour matters.",
    "own-range": "bring all images to one common range yourself.",
    "damaged-exif": "look whether the image stands upright.",
}


@rule("unreadable-file", code="EP101", severity=Severity.WARN, tips=["K1.3"])
def unreadable_file(table: SampleTable) -> Iterator[Observation]:
    """A file cannot be decoded: it is empty, cut short, damaged, or no image at all.

    It is left out, and training goes on with the others. A few are usually lost downloads. Many at once mean
    that the copy went wrong, and then the files that *can* be read deserve no trust either: that is an error.
    Copy the data again, or delete the files so that the next reader of the folder is not surprised.
    """
    broken = sorted(table.problems.items())
    if broken and len(broken) > SYSTEMATIC * len(table):
        yield Observation(
            "all files",
            f"{len(broken):,} of {len(table):,} files ({len(broken) / len(table):.0%}) cannot be read",
            expected=f"fewer than {SYSTEMATIC:.0%}.",
            remedy="copy the data again and compare checksums; the readable files may be damaged as well.",
            cause="the copy as a whole, rather than single files",
            severity=Severity.ERROR,
        )
    yield from capped((_unreadable(table.keys[row], problem) for row, problem in broken), total=len(broken))


@rule("wrong-extension", code="EP102", severity=Severity.NOTE, tips=["K1.3"])
def wrong_extension(table: SampleTable) -> Iterator[Observation]:
    """The name says one format, the bytes are another: a BMP called .jpg.

    epochal goes by the bytes, so nothing is lost here. Other programs go by the name, and such files are a sign
    of several sources poured together: look whether the odd ones belong to one class.
    """
    for remark, rows in _with_note(table, "wrong-extension").items():
        yield Observation(
            named([table.keys[row] for row in rows]),
            f"{counted(len(rows), 'file')}: {remark}",
            expected="the ending that belongs to the bytes.",
            remedy="rename them; they are used as they are.",
        )


@rule("constant-image", code="EP103", severity=Severity.WARN, tips=["K1.3"])
def constant_image(table: SampleTable) -> Iterator[Observation]:
    """All pixels of an image have one value: there is nothing to see, and the label cannot be learnt from it.

    Usually a failed export, a lens cap, or a placeholder for "image not available". It teaches the network that
    emptiness belongs to a class. Delete it, unless an empty image is a class of its own.
    """
    rows = np.flatnonzero(table.usable & (table.lows == table.highs).all(axis=1))
    if len(rows) == len(table):
        return  # nothing but such images: the batch as the network sees it will say so
    yield from capped(
        (
            Observation(
                table.keys[row],
                f"every pixel has the value {', '.join(f'{255 * value:.0f}' for value in table.means[row])}",
                expected="an image with something in it.",
                remedy="delete it, unless empty images are a class of their own.",
            )
            for row in rows
        ),
        total=len(rows),
    )


@rule("decoded-with-loss", code="EP104", severity=Severity.NOTE, tips=["K1.3", "K2.10"])
def decoded_with_loss(table: SampleTable) -> Iterator[Observation]:
    """Something in the file does not reach the network: frames, bits, transparency, colours.

    The network gets 8 bits, one frame, no transparency. Where the loss is the same for all files it rarely
    matters; where it hits one class only, the network may learn the conversion instead of the class.
    """
    for kind, remedy in _LOSSES.items():
        for remark, rows in _with_note(table, kind).items():
            yield Observation(
                named([table.keys[row] for row in rows]),
                f"{counted(len(rows), 'file')}, {kind}: {remark}",
                expected="8-bit images of one frame without transparency.",
                remedy=remedy,
            )


def _unreadable(key: str, problem: str) -> Observation:
    kind, _, told = problem.partition(": ")
    return Observation(
        key,
        f"{kind}: {told}" if told else kind,
        expected="an image that can be decoded.",
        remedy=_REMEDIES.get(kind, "delete the file, or copy it again."),
    )


def _with_note(table: SampleTable, kind: str) -> dict[str, list[int]]:
    """Rows that carry a note of this kind, by what it says."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, notes in sorted(table.notes.items()):
        for note in notes:
            name, _, told = note.partition(": ")
            if name == kind:
                rows[told or kind].append(row)
    return rows


_HEALTHY = many(40)

unreadable_file.fires_on(
    "an empty file", lambda: table_of([*_HEALTHY, Specimen(key="a.jpg", problem="empty: the file holds no bytes")])
).fires_on(
    "a third of all files",
    lambda: table_of([*_HEALTHY, *(Specimen(key=f"{n}.jpg", problem="truncated: cut") for n in range(20))]),
).silent_on("files that can all be read", lambda: table_of(_HEALTHY))
wrong_extension.fires_on(
    "a BMP named .jpg",
    lambda: table_of([*_HEALTHY, Specimen(key="a.jpg", notes=("wrong-extension: BMP inside, named .jpg",))]),
).silent_on(
    "another remark", lambda: table_of([*_HEALTHY, Specimen(key="a.jpg", notes=("exif-rotated: turned upright",))])
)
constant_image.fires_on(
    "a black image", lambda: table_of([*_HEALTHY, Specimen(key="a.jpg", mean=(0, 0, 0), std=(0, 0, 0))])
).silent_on(
    "a dark image", lambda: table_of([*_HEALTHY, Specimen(key="a.jpg", mean=(0.01, 0, 0), std=(0.01, 0, 0))])
).silent_on(
    "an unreadable file", lambda: table_of([*_HEALTHY, Specimen(key="a.jpg", std=(0, 0, 0), problem="empty: 0 bytes")])
)
decoded_with_loss.fires_on(
    "an animation",
    lambda: table_of([*_HEALTHY, Specimen(key="a.gif", notes=("animated: 9 frames, the first is used",))]),
).silent_on("plain files", lambda: table_of(_HEALTHY))

RULES = (unreadable_file, wrong_extension, constant_image, decoded_with_loss)
