"""Predictions over a whole split, against the network called on all of it at once."""

import pytest
import torch
from torch import nn

from epochal.errors import DataError
from epochal.training.evaluation import Predictions, predict
from epochal.training.reference import MemoryLoader, small_data, small_network
from epochal.training.runtime import Runtime


def _all_at_once(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model.eval()(images)
    return logits


@pytest.mark.parametrize("batch_size", [1, 7, 20, 64])
def test_equals_all_samples_at_once(batch_size: int) -> None:
    """Every sample once, whatever the batch size, with its own label and row beside it (K2.3)."""
    images, labels = small_data(20)
    model = small_network()
    said = predict(model, MemoryLoader(images, labels, batch_size=batch_size), runtime=Runtime())
    assert sorted(said.index.tolist()) == list(range(20))
    expected = _all_at_once(model, images)
    torch.testing.assert_close(said.outputs, expected[said.index], rtol=1e-4, atol=1e-5)
    assert torch.equal(said.labels, labels[said.index])


def test_the_last_batch_weighs_by_its_size() -> None:
    """Accuracy is over samples: one wrong sample alone in the last batch of 1 is one in four, not one in two."""
    images = torch.tensor([1.0, 1.0, 1.0, -1.0]).view(4, 1, 1, 1).repeat(1, 2, 1, 1) * torch.tensor([1.0, 0.0]).view(
        2, 1, 1
    )
    said = predict(nn.Flatten(), MemoryLoader(images, torch.zeros(4).long(), batch_size=3), runtime=Runtime())
    assert float((said.outputs.argmax(1) == said.labels).double().mean()) == 0.75


def test_flipping_is_the_mean_over_both_sides() -> None:
    """Logits of an image and of its mirror image, averaged."""
    images, labels = small_data(6)
    model = small_network()
    loader = MemoryLoader(images, labels, batch_size=4)
    said = predict(model, loader, runtime=Runtime(), flip=True)
    both = (_all_at_once(model, images) + _all_at_once(model, images.flip(3))) / 2
    torch.testing.assert_close(said.outputs, both[said.index], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_the_models_mode_is_put_back(training: bool) -> None:
    """Dropout is off while predicting, statistics stay, and the mode afterwards is the one before, errors included."""
    model = small_network(dropout=0.5).train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    loader = MemoryLoader(*small_data(6), batch_size=4)
    first, second = (predict(model, loader, runtime=Runtime()).outputs for _ in range(2))
    assert torch.equal(first, second)
    assert model.training is training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(RuntimeError):
        predict(model, MemoryLoader(torch.zeros(2, 5, 8, 8), torch.zeros(2).long(), batch_size=2), runtime=Runtime())
    assert model.training is training


def test_half_precision_gives_float32() -> None:
    """Whatever the network computes in, logits come back as float32, close to the full ones."""
    loader, model = MemoryLoader(*small_data(6), batch_size=4), small_network()
    runtime = Runtime(autocast_dtype=torch.bfloat16, channels_last=True)
    half, full = predict(model, loader, runtime=runtime), predict(model, loader, runtime=Runtime())
    assert half.outputs.dtype == torch.float32
    torch.testing.assert_close(half.outputs, full.outputs, rtol=0.05, atol=0.02)


def test_an_empty_split_is_told() -> None:
    """No sample is an error with a remedy, not an accuracy of nothing."""
    empty = MemoryLoader(torch.zeros(0, 3, 8, 8), torch.zeros(0).long(), batch_size=2)
    with pytest.raises(DataError, match="no sample"):
        predict(small_network(), empty, runtime=Runtime())


def test_predictions_know_their_number() -> None:
    """Length is in samples."""
    said = Predictions(outputs=torch.zeros(3, 2), labels=torch.zeros(3).long(), index=torch.arange(3))
    assert len(said) == 3


def test_what_is_kept_is_asked_for() -> None:
    """Of large outputs only a row per sample is gathered; masks are not gathered at all."""
    masks = torch.randint(0, 2, (5, 8, 8))
    model = nn.Conv2d(3, 2, 1)
    loader = MemoryLoader(small_data(5)[0], masks, batch_size=2)
    said = predict(
        model, loader, runtime=Runtime(), keep=lambda outputs, labels: (outputs.argmax(1) == labels).sum((1, 2))
    )
    assert said.outputs.shape == (5,)
    assert said.labels.shape == (5, 0)


def test_flipped_answers_for_pixels_are_turned_back() -> None:
    """A network that copies its input says the same whether images are mirrored for it or not."""
    images = small_data(4)[0]
    loader = MemoryLoader(images, torch.zeros(4).long(), batch_size=3)
    said = predict(nn.Identity(), loader, runtime=Runtime(), flip=True)
    torch.testing.assert_close(said.outputs, images[said.index])
