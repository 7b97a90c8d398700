"""What the first stage found out."""

import numpy as np

from epochal.stages.inspected import Inspected
from epochal.stages.session import Session


def test_batches_come_from_the_split_that_was_asked_for(begun: tuple[Session, Inspected]) -> None:
    """Every sample of the split once, normalised by the training statistics, whatever batch size was wished for."""
    _, inspected = begun
    batches = list(inspected.loader(inspected.val, batch_size=10_000).epoch(0))
    assert len(batches) == 1
    assert sorted(batches[0].index.tolist()) == sorted(inspected.val.index.tolist())
    pixels = inspected.val.images[inspected.val.index[0]] / 255
    expected = (pixels - np.asarray(inspected.mean)) / np.asarray(inspected.std)
    row = batches[0].index.tolist().index(int(inspected.val.index[0]))
    np.testing.assert_allclose(batches[0].images[row].permute(1, 2, 0).numpy(), expected, atol=1e-5)


def test_weights_say_how_often_a_sample_is_drawn(begun: tuple[Session, Inspected]) -> None:
    """A sample of weight nought is never drawn."""
    _, inspected = begun
    weights = np.ones(len(inspected.train))
    weights[::2] = 0
    loader = inspected.loader(inspected.train, batch_size=8, shuffle=True, weights=weights)
    drawn = {row for batch in loader.epoch(0) for row in batch.index.tolist()}
    assert drawn <= set(inspected.train.index[1::2].tolist())
