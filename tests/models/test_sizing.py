import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import SettingError
from epochal.models.cost import cost
from epochal.models.resnet import resnet
from epochal.models.sizing import MOST_EPOCHS, _forward_flops, mirror_keeps_labels, sized_for


@pytest.mark.parametrize(
    ("size", "channels", "width"), [(8, 1, 64), (32, 3, 64), (64, 3, 32), (224, 3, 16), (37, 1, 96)]
)
def test_operations_from_the_shape_equal_the_measured(size: int, channels: int, width: int) -> None:
    """The count that the rule makes equals the one made through hooks, without the head."""
    model = resnet(channels, 2, image_size=size, width=width)
    measured = cost(model, (channels, size, size)).forward_flops - 2 * model.head.weight.numel()
    assert _forward_flops(channels, image_size=size, width=width) == measured


@given(
    size=st.integers(8, 512), channels=st.sampled_from([1, 3]), samples=st.integers(1, 10**6),
    seconds=st.floats(0.1, 10**5), speed=st.floats(1, 10**5),
)  # fmt: skip
def test_rule_never_asks_for_the_impossible(
    size: int, channels: int, samples: int, seconds: float, speed: float
) -> None:
    """Never more time than there is, nor more passes than pay; batches are powers of two from 8 to 512."""
    sizing = sized_for(
        image_size=size, channels=channels, train_samples=samples, seconds=seconds, images_per_second=speed
    )
    assert 0 < sizing.seconds <= seconds * (1 + 1e-9)
    assert sizing.epochs <= MOST_EPOCHS * (1 + 1e-9)
    assert 8 <= sizing.batch_size <= 512
    assert sizing.batch_size & (sizing.batch_size - 1) == 0
    assert 0.5 <= sizing.ema_decay < 1
    assert sizing.translate < size


def test_more_time_makes_larger_networks_and_batches() -> None:
    """On 45,000 small images an hour pays for a wider network than ten minutes, and ten for larger batches than 3."""
    three, ten, sixty = (
        sized_for(image_size=32, channels=3, train_samples=45_000, seconds=s, images_per_second=1400)
        for s in (130, 500, 3400)
    )
    assert (three.width, ten.width) == (64, 64)
    assert sixty.width > 64
    assert three.batch_size < ten.batch_size
    assert sixty.epochs >= 14


def test_nothing_to_train_on_is_refused() -> None:
    """No images, no time, no speed: each is an error."""
    good = {"image_size": 32, "channels": 3, "train_samples": 100, "seconds": 1.0, "images_per_second": 1.0}
    for name in ("train_samples", "seconds", "images_per_second"):
        with pytest.raises(SettingError):
            sized_for(**(good | {name: 0}))  # type: ignore[arg-type]


def test_mirrors_are_judged_by_what_was_learnt() -> None:
    """A lost fifth of what is beyond chance is the limit; a network that knows nothing forbids nothing."""
    assert mirror_keeps_labels(0.60, 0.55, chance=0.1)
    assert not mirror_keeps_labels(0.60, 0.45, chance=0.1)
    assert mirror_keeps_labels(0.1, 0.1, chance=0.1)
