"""Facts about one value column: what it learns from labels, and that outputs and values say the same."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import DataError
from epochal.stats.circular import Circle
from epochal.tasks.value import Value

DIAL = Circle(period=10.0)
TENTHS = st.lists(st.integers(0, 99), min_size=2, max_size=60, unique=True).map(lambda tenths: np.array(tenths) / 10)


@given(TENTHS)
@pytest.mark.parametrize("circle", [None, DIAL])
def test_encoding_and_decoding_undo_each_other(circle: Circle | None, values: np.ndarray) -> None:
    """What is encoded is decoded to the same value, on a line and on a circle."""
    column = Value.of("v", values, circle=circle)
    encoded = column.encode(values)
    assert encoded.shape == (len(values), column.outputs)
    assert np.abs(column.errors(column.decode(encoded), values)).max() < 1e-9


@given(TENTHS)
def test_on_a_line_labels_are_standardised(values: np.ndarray) -> None:
    """Encoded training labels have mean 0 and deviation 1, and the constant is their mean."""
    column = Value.of("v", values)
    encoded = column.encode(values)
    assert (encoded.mean(), encoded.std()) == pytest.approx((0, 1), abs=1e-9)
    assert column.decode(column.constant[None]) == pytest.approx(values.mean())
    assert column.median == pytest.approx(np.median(values))


def test_on_a_circle_the_constant_is_the_mean_vector() -> None:
    """Labels on both sides of the seam have their mean on the seam, and their median among them."""
    values = np.array([9.5, 9.8, 0.1, 0.6, 9.9])
    column = Value.of("dial", values, circle=DIAL)
    assert DIAL.distance(column.decode(column.constant[None]), np.array([9.98]))[0] < 0.01
    assert column.median == pytest.approx(9.9)
    np.testing.assert_allclose(column.constant, DIAL.unit(values).mean(axis=0))


def test_a_description_is_plain_and_complete() -> None:
    """What is described survives JSON and is the same column when read back."""
    source = np.random.default_rng(0)
    for column in (Value.of("a", source.normal(size=999)), Value.of("b", source.uniform(0, 10, 999), circle=DIAL)):
        told = json.loads(json.dumps(column.describe(), allow_nan=False))
        assert Value.from_description(told) == column
        assert sum(column.counts) == 999


@pytest.mark.parametrize("circle", [None, DIAL])
@pytest.mark.parametrize("values", [[3.0, 3.0, 3.0], [1e7, 1e7 + 1e-6]])
def test_a_constant_column_is_refused(circle: Circle | None, values: list[float]) -> None:
    """Values that do not differ are an error that names the column."""
    with pytest.raises(DataError, match="of level are"):
        Value.of("level", np.array(values), circle=circle)
