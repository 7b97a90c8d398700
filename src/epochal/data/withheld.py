"""Labels of which some rows are not to be seen yet."""

from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

# What stands in the place of a label that is not to be seen: no class, no number, a pixel to be ignored.
IGNORED = 255


class Withheld:
    """An array of masks that gives 255 for some of its rows and copies nothing: the file under it may be huge.

    Reads as an array does, by one row, a slice, or an array of rows.

    Shapes: masks (n, h, w).

    >>> hidden = Withheld(np.zeros((3, 1, 2), np.uint8), np.array([1]))
    >>> hidden[np.array([0, 1])].tolist(), hidden.shape
    ([[[0, 0]], [[255, 255]]], (3, 1, 2))
    """

    __slots__ = ("__array", "__sealed", "dtype", "ndim", "shape")

    def __init__(self, array: Shaped[np.ndarray, "n ..."], rows: Int[np.ndarray, " sealed"]) -> None:
        """Keep `array` and hold back these rows of it."""
        self.__array = array
        self.__sealed = np.zeros(len(array), dtype=bool)
        self.__sealed[rows] = True
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __len__(self) -> int:
        return len(self.__array)

    def __getitem__(self, rows: Any) -> np.ndarray:
        given = np.array(self.__array[rows])
        given[self.__sealed[rows]] = IGNORED
        return given

    def __array__(self, dtype: Any = None, *, copy: bool | None = None) -> np.ndarray:
        """All of it, as a copy: what `np.asarray` asks for."""
        assert copy is not False, "what is withheld cannot be seen in place"
        return self[:].astype(dtype or self.dtype, copy=False)


# Row i belongs to image i: classes (n,), values (n, k), masks (n, h, w).
Labels = Shaped[np.ndarray, "n ..."] | Withheld


def withheld(labels: Shaped[np.ndarray, "n ..."], rows: Int[np.ndarray, " sealed"]) -> Labels:
    """Labels that say nothing in these rows: -1 for classes, NaN for values, 255 for masks.

    >>> withheld(np.array([3, 4]), np.array([1])), withheld(np.ones((2, 1), np.float32), np.array([0])).tolist()
    (array([ 3, -1]), [[nan], [1.0]])
    """
    if labels.ndim == 3:
        return Withheld(labels, rows)
    hidden: Shaped[np.ndarray, "n ..."] = labels.copy()
    hidden[rows] = np.nan if labels.dtype.kind == "f" else -1
    return hidden
