"""Facts about rows of values: order of columns, sizes of errors, and tables that survive JSON."""

import json

import numpy as np
import pytest

from epochal.stats.circular import Circle
from epochal.tasks import value_rows as rows
from epochal.tasks.value import Value

SOURCE = np.random.default_rng(0)
LABELS = np.stack([SOURCE.normal(40, 9, 800), SOURCE.uniform(0, 360, 800), SOURCE.normal(0, 0.1, 800)], axis=1)
VALUES = (
    Value.of("age", LABELS[:, 0]),
    Value.of("angle", LABELS[:, 1], circle=Circle(period=360.0)),
    Value.of("tilt", LABELS[:, 2]),
)


def test_columns_keep_their_order() -> None:
    """A circle between two lines takes outputs two and three, and all come back in their own column."""
    encoded = rows.encoded(VALUES, LABELS)
    assert encoded.shape == (800, 4)
    np.testing.assert_allclose(np.hypot(encoded[:, 1], encoded[:, 2]), 1)
    np.testing.assert_allclose(rows.decoded(VALUES, encoded), LABELS, atol=1e-9)


def test_sizes_of_several_columns_count_in_deviations() -> None:
    """An error of one deviation in one of three columns is a third of one; of a single column it is itself."""
    wrong = np.zeros((1, 3))
    wrong[0, 0] = -VALUES[0].deviation
    assert rows.sizes(VALUES, wrong)[0] == pytest.approx(1 / 3)
    assert rows.sizes(VALUES[:1], wrong[:, :1])[0] == pytest.approx(VALUES[0].deviation)


def test_errors_on_the_circle_go_the_shorter_way() -> None:
    """350 degrees for given 10 are 20 too few, while 350 years for given 10 are 340 too many."""
    said, given = np.array([[350.0, 350.0, 0.0]]), np.array([[10.0, 10.0, 0.0]])
    assert rows.errors(VALUES, said, given=given)[0].tolist() == pytest.approx([340, -20, 0])


def test_what_is_drawn_is_plain_and_small() -> None:
    """At most 500 points per column, all from the data; histograms count every sample; no NaN anywhere."""
    said = LABELS + SOURCE.normal(size=LABELS.shape)
    said[5, 0] = np.nan
    drawn = json.loads(json.dumps(rows.drawn(VALUES, said, given=LABELS), allow_nan=False))
    assert set(drawn["scatter"]) == {"age", "angle", "tilt"}
    assert 490 <= len(drawn["scatter"]["angle"]) <= 500
    assert all(given in LABELS[:, 1] for given, _ in drawn["scatter"]["angle"][:20])
    assert sum(drawn["residuals"]["angle"]["counts"]) == 800
    assert len(drawn["residuals"]["angle"]["edges"]) == len(drawn["residuals"]["angle"]["counts"]) + 1


def test_no_sample_is_drawn_as_nothing() -> None:
    """An empty split gives empty tables and no error."""
    none = np.zeros((0, 3))
    assert rows.drawn(VALUES, none, given=none)["scatter"]["age"] == []
    assert rows.told(VALUES, none, given=none) == []


def test_several_columns_carry_their_names() -> None:
    """Of several columns each cell is named after its column, and the caption lists them all."""
    (row,) = rows.told(VALUES, np.array([[41.0, 1.0, 0.0]]), given=np.array([[40.0, 359.0, 0.1]]))
    assert (row["label.age"], row["predicted.angle"], row["error.angle"]) == (40.0, 1.0, 2.0)
    short, long = rows.caption(VALUES, row)
    assert short == "40, 359, 0.1 → 41, 1, 0"
    assert long.count("off by") == 3
    assert "angle: given 359, predicted 1, off by +2" in long


def test_figures_of_the_unknown_are_null() -> None:
    """A column judged on no sample has no figure, and none of them is NaN."""
    (found,) = rows.judged_columns(VALUES[:1], np.zeros((0, 1)), given=np.zeros((0, 1)))
    assert set(rows.plain(found).values()) == {None, 0.0}  # the interval of an unknown size begins at 0
