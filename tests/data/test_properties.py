"""Facts about what a table says of all pictures together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.chunk import spread
from epochal.data.properties import channel_moments
from epochal.data.table import SampleTable
from epochal.stats.moments import Moments
from samples import one


def table_of(images: np.ndarray, splits: list[str]) -> SampleTable:
    """The table that a scan of these pictures gives."""
    found = spread(images)
    rows = [
        one(
            key=str(row), split=split, mean=tuple(found.means[row]), std=tuple(found.stds[row]),
            low=tuple(found.lows[row].tolist()), high=tuple(found.highs[row].tolist()),
        )
        for row, split in enumerate(splits)
    ]  # fmt: skip
    return SampleTable.of(rows, classes=("cat",), size=images.shape[1:3])


@given(st.lists(st.sampled_from(["train", "val", "test"]), min_size=1, max_size=12), st.integers(0, 99))
def test_equal_to_moments_of_the_pixels(splits: list[str], seed: int) -> None:
    """Moments from the table equal moments of all pixels at once, of the split asked for alone."""
    images = np.random.default_rng(seed).integers(0, 256, (len(splits), 5, 4, 3), dtype=np.uint8)
    table = table_of(images, splits)
    for split in ("train", None):
        rows = [row for row, name in enumerate(splits) if split in (None, name)]
        found, expected = channel_moments(table, split), Moments.of(images[rows] / 255)
        assert found.count == expected.count
        if rows:
            np.testing.assert_allclose(found.mean, expected.mean, atol=1e-12)
            np.testing.assert_allclose(found.std, expected.std, atol=1e-12)
            np.testing.assert_array_equal(found.lowest, expected.lowest)
            np.testing.assert_array_equal(found.highest, expected.highest)
