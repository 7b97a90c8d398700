"""Small made-up tables of samples: the cases on which the rules about data are proven."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from epochal.data.table import Sample, SampleTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """One made-up file; `picture` names its pixels, so two files with the same picture are duplicates.

    Left empty, the picture is the key: every file has its own.  A spread of 0 makes it constant.
    """

    key: str
    label: int = 0
    split: str = "train"
    picture: str = ""
    side: tuple[int, int] = (32, 32)
    mode: str = "RGB"
    format: str = "JPEG"
    mean: tuple[float, float, float] = (0.4, 0.5, 0.6)
    std: tuple[float, float, float] = (0.2, 0.2, 0.2)
    problem: str | None = None
    notes: tuple[str, ...] = ()

    def sample(self) -> Sample:
        """The row that a scan of such a file would give.

        >>> Specimen(key="a.jpg", std=(0, 0, 0)).sample().high
        (102, 128, 153)
        """
        middle = tuple(round(255 * value) for value in self.mean)
        constant = not any(self.std)
        name = hashlib.blake2b((self.picture or self.key).encode(), digest_size=16).hexdigest()
        return Sample(
            key=self.key,
            split=self.split,
            label=self.label,
            width=self.side[0],
            height=self.side[1],
            mode=self.mode,
            format=self.format,
            file_bytes=1000,
            content_hash=name,
            pixel_hash=name,
            mean=self.mean,
            std=self.std,
            low=middle if constant else (0, 0, 0),
            high=middle if constant else (255, 255, 255),
            problem=self.problem,
            notes=self.notes,
        )


def table_of(specimens: Sequence[Specimen], *, classes: Sequence[str] = ("cat", "dog")) -> SampleTable:
    """The table that a scan of such files would give.

    >>> table_of([Specimen(key="a.jpg"), Specimen(key="b.jpg", problem="empty: no bytes")]).usable.tolist()
    [True, False]
    """
    return SampleTable.of([each.sample() for each in specimens], classes=tuple(classes), size=(32, 32))


def many(count: int, *, classes: int = 2, split: str = "train") -> list[Specimen]:
    """So many different healthy files, dealt evenly over the classes.

    >>> [each.label for each in many(4)]
    [0, 1, 0, 1]
    """
    return [
        Specimen(key=f"{split}/{row % classes}/{row}.jpg", label=row % classes, split=split) for row in range(count)
    ]
