"""What a source holds: pictures with their targets, and what was passed over."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32

from epochal.data.choosing import Kind
from epochal.data.entries import Entry, Source, fingerprint
from epochal.data.mask_layout import Masks


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Catalogue:
    """The pictures of a source by name, with split and target; and what was passed over.

    `kind` is the task and `reason` says in one sentence what was found and why that means this task. `names` are what
    is told apart or measured: classes, labels, or the columns of values. `labels` count `classes`, -1 for a picture
    without one: for classification they are the target; elsewhere they are strata, by which pictures are dealt to
    splits: the rarest label, or equal parts of the values (named by `classes`), or nothing for segmentation.
    `targets` are the values of regression and the marks of multi-label; `masks` the files of segmentation.

    `problems` and `notes` are those known before anything is decoded, by position. `ignored` are files that are no
    pictures, `stray` are pictures without a place or a target, `companions` the tables, lists of names and masks
    from which the targets come.

    Shapes: targets (n, k), row i for entry i.

    >>> from epochal.data.catalogue import catalogue
    >>> from epochal.data.sources import open_source
    >>> pictures = catalogue(open_source("digits"))
    >>> len(pictures.entries), pictures.classes[:3], pictures.ignored, pictures.kind
    (1797, ('0', '1', '2'), (), 'classification')
    """

    source: Source
    entries: tuple[Entry, ...]
    classes: tuple[str, ...]
    labels: tuple[int, ...]
    splits: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    stray: tuple[str, ...] = field(default=())
    kind: Kind = "classification"
    reason: str = ""
    columns: tuple[str, ...] = ()
    targets: Float32[np.ndarray, "n k"] | None = None
    masks: Masks | None = None
    problems: Mapping[int, str] = field(default_factory=dict)
    notes: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    companions: tuple[Entry, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Classes, labels, or value columns."""
        return self.columns if self.kind == "regression" else self.classes

    @property
    def files(self) -> tuple[Entry, ...]:
        """Every file on which a run depends: pictures, masks, tables and lists of names."""
        masks = () if self.masks is None else tuple(entry for entry in self.masks.entries if entry.problem is None)
        return (*self.entries, *masks, *self.companions)

    def fingerprint(self) -> str:
        """Tell in one word whether any picture, mask, table or list of names was added, removed or changed."""
        return fingerprint(self.files)

    def select(self, numbers: Sequence[int]) -> "Catalogue":
        """Keep the pictures at these positions.

        >>> from epochal.data.catalogue import catalogue
        >>> from epochal.data.sources import open_source
        >>> catalogue(open_source("digits")).select([0, 5]).labels
        (0, 0)
        """
        return dataclasses.replace(
            self,
            entries=tuple(self.entries[number] for number in numbers),
            labels=tuple(self.labels[number] for number in numbers),
            splits=tuple(self.splits[number] for number in numbers),
            targets=None if self.targets is None else self.targets[list(numbers)],
            masks=None if self.masks is None else self.masks.select(numbers),
            problems={new: self.problems[old] for new, old in enumerate(numbers) if old in self.problems},
            notes={new: self.notes[old] for new, old in enumerate(numbers) if old in self.notes},
        )
