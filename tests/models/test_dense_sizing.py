import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import SettingError
from epochal.losses.mask_choice import MASK_LOSSES
from epochal.models.dense_sizing import LOSS, MOST_EPOCHS, OPTIMIZER, TRANSFORMS, dense_sized_for, relative_time
from epochal.models.encoder_decoder import WIDTH, encoder_decoder
from epochal.optim.optimizer import NAMES as OPTIMIZERS
from epochal.transforms.by_name import AUGMENTATIONS

counts = st.integers(1, 100_000)
seconds = st.floats(0.1, 1e6)
speeds = st.floats(0.1, 1e5)


@given(counts, seconds, speeds)
def test_plan_fits_into_its_time(samples: int, seconds: float, speed: float) -> None:
    """No plan takes longer than it may, nor more passes than are of use; its epochs are what its time makes."""
    sized = dense_sized_for(train_samples=samples, seconds=seconds, images_per_second=speed)
    assert 0 < sized.seconds <= seconds * (1 + 1e-9)
    assert 0 < sized.epochs <= MOST_EPOCHS * (1 + 1e-9)
    made = sized.seconds * speed / relative_time(sized.width) / samples
    assert sized.epochs == pytest.approx(made)
    assert 0 < sized.ema_decay < 1
    assert sized.batch_size in {2, 4, 8}


@given(counts, seconds, speeds, st.floats(1, 100))
def test_more_time_never_means_a_narrower_network(samples: int, seconds: float, speed: float, longer: float) -> None:
    """Width grows with time alone."""
    short = dense_sized_for(train_samples=samples, seconds=seconds, images_per_second=speed)
    long = dense_sized_for(train_samples=samples, seconds=seconds * longer, images_per_second=speed)
    assert short.width <= long.width


def test_time_is_that_of_the_default_network_at_its_width() -> None:
    """Times are relative to the default width, and grow with width."""
    assert relative_time(WIDTH) == pytest.approx(1)
    times = [relative_time(width) for width in range(8, 200, 8)]
    assert times == sorted(times)


def test_every_width_can_be_built() -> None:
    """Whatever time there is, the width is one that the network takes."""
    for seconds in (1, 10, 100, 1000, 10_000):
        sized = dense_sized_for(train_samples=330, seconds=seconds, images_per_second=70)
        encoder_decoder(3, 11, image_size=64, width=sized.width)


def test_few_images_make_small_batches() -> None:
    """Twenty images still make several steps an epoch; a short time many steps."""
    assert dense_sized_for(train_samples=20, seconds=60, images_per_second=70).batch_size == 4
    assert dense_sized_for(train_samples=330, seconds=5, images_per_second=70).batch_size == 2


def test_names_are_known() -> None:
    """The optimizer, the loss and the transforms that go with a sizing are among those that a recipe names."""
    assert OPTIMIZER in OPTIMIZERS
    assert LOSS in MASK_LOSSES
    assert set(TRANSFORMS) <= set(AUGMENTATIONS)
    assert all("segmentation" not in AUGMENTATIONS[name].refused for name in TRANSFORMS)


@pytest.mark.parametrize("nothing", ["train_samples", "seconds", "images_per_second"])
def test_nothing_to_train_with_is_refused(nothing: str) -> None:
    """No image, no time, no speed: an error that says so."""
    given_ = {"train_samples": 10, "seconds": 1.0, "images_per_second": 1.0} | {nothing: 0}
    with pytest.raises(SettingError, match="more than 0 of each"):
        dense_sized_for(**given_)  # type: ignore[arg-type]  # a count among seconds
