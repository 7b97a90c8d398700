import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.stats.pca import Covariance, PrincipalComponents, principal_components
from epochal.transforms.by_name import AUGMENTATIONS, NAMES, DataFacts, check_names, transforms, why_not
from epochal.transforms.color import ColorJitter
from epochal.transforms.hsv import HsvPower
from epochal.transforms.warp import Affine

TASKS = ("classification", "multi-label", "regression", "segmentation")


def _colors(channels: int) -> PrincipalComponents:
    return principal_components(Covariance.of(np.random.default_rng(0).random((100, channels))))


def _facts(task: str = "classification", *, channels: int = 3, size: tuple[int, int] = (32, 32)) -> DataFacts:
    return DataFacts(
        task=task, labels=4, size=size, mean=(0.5,) * channels, std=(0.2,) * channels, colors=_colors(channels)
    )


def _batch(facts: DataFacts, *, n: int = 48) -> Batch:
    g = torch.Generator().manual_seed(0)
    images = torch.rand(n, len(facts.mean), *facts.size, generator=g) * 4 - 2
    labels = {
        "classification": torch.arange(n) % 4,
        "multi-label": torch.randint(0, 2, (n, 4), generator=g).float(),
        "regression": torch.rand(n, 4, generator=g),
        "segmentation": torch.randint(0, 4, (n, *facts.size), generator=g, dtype=torch.uint8),
    }[facts.task]
    return Batch(images=images, labels=labels, index=torch.arange(n), seed=0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_name_either_works_or_says_why_not(name: str, task: str, channels: int) -> None:
    """Each name changes a batch of every task, keeping shapes and kinds of labels, or is refused with its reason."""
    facts = _facts(task, channels=channels, size=(24, 32))
    reason = why_not(name, facts)
    if reason is not None:
        with pytest.raises(SettingError, match=f"(?s){name} does not suit.*{reason.split('(')[0].strip()}"):
            transforms([name], facts=facts)
        return
    batch = _batch(facts)
    out = batch
    for each in transforms([name], facts=facts):
        out = each(out)
    assert not torch.equal(out.images, batch.images)
    assert out.images.shape == batch.images.shape
    assert bool(out.images.isfinite().all())
    mixed = task == "classification" and name in {"mixup", "cutmix"}
    assert out.labels.shape == ((48, 4) if mixed else batch.labels.shape)
    if task == "segmentation":
        assert out.labels.dtype == batch.labels.dtype
        assert set(torch.unique(out.labels).tolist()) <= {0, 1, 2, 3, 255}


@pytest.mark.parametrize(("name", "task", "change"), [
    ("mixup", "segmentation", {}), ("mixup", "regression", {"circular": True}), ("cutmix", "regression", {}),
    ("copy-paste", "classification", {}), ("rotate", "regression", {"circular": True}),
    ("flip", "classification", {"mirrors": False}), ("flip", "segmentation", {"mirrors": False}),
])  # fmt: skip
def test_what_changes_the_target_is_refused(name: str, task: str, change: dict[str, bool]) -> None:
    """Mixing where labels cannot be mixed, turning where turning changes the value, mirroring where it was measured."""
    facts = dataclasses.replace(_facts(task), **change)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match=rf"{name} does not suit these data: \w+"):
        transforms([name], facts=facts)


def test_a_straight_value_may_be_mixed() -> None:
    """Regression on a line blends values as it blends images."""
    facts = _facts("regression")
    batch = _batch(facts)
    (mix,) = transforms(["mixup"], facts=facts)
    out = mix(batch).labels
    assert not torch.equal(out, batch.labels)
    assert float(batch.labels.amin()) <= float(out.amin())
    assert float(out.amax()) <= float(batch.labels.amax())


def test_unknown_names_are_met_with_the_nearest() -> None:
    """A slip of the pen is answered with what was meant."""
    with pytest.raises(SettingError, match="did you mean hsv-jitter"):
        check_names(["flip", "hsv-jiter"])
    with pytest.raises(SettingError, match="flip stands twice"):
        check_names(["flip", "mixup", "flip"])


@pytest.mark.parametrize("strength", [0.0, -1.0, 4.5, float("nan")])
def test_strengths_out_of_range_are_refused(strength: float) -> None:
    """Above 0 and up to 4: nothing else is a strength."""
    with pytest.raises(SettingError, match="strength of transforms"):
        transforms(["flip"], facts=_facts(), strength=strength)


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from(NAMES), strength=st.floats(0.01, 4.0), channels=st.sampled_from([1, 3]),
    size=st.sampled_from([(8, 8), (12, 9), (64, 48)]), task=st.sampled_from(TASKS),
)  # fmt: skip
def test_every_strength_makes_transforms_that_run(
    name: str, strength: float, channels: int, size: tuple[int, int], task: str
) -> None:
    """From a hundredth to four times, on small and long images, nothing breaks."""
    facts = _facts(task, channels=channels, size=size)
    if why_not(name, facts) is None:
        batch = _batch(facts, n=3)
        for each in transforms([name], facts=facts, strength=strength):
            batch = each(batch)
        assert bool(batch.images.isfinite().all())


@pytest.mark.parametrize("name", ["rotate", "zoom", "shear", "color-jitter", "hsv-jitter", "fancy-pca", "noise"])
def test_strength_is_a_knob(name: str) -> None:
    """A tenth of the strength changes images less than the whole, the double more."""
    facts = _facts()
    batch = _batch(facts, n=32)
    far = []
    for strength in (0.1, 1.0, 2.0):
        (each,) = transforms([name], facts=facts, strength=strength)
        far.append(float((each(batch).images - batch.images).abs().mean()))
    assert far[0] < far[1] < far[2]


def test_neighbouring_motions_resample_once() -> None:
    """Rotation, zoom and shear side by side become one resampling; what stands between keeps them apart."""
    (one,) = transforms(["rotate", "zoom", "shear"], facts=_facts())
    assert one == Affine(degrees=15, zoom=(0.8, 1.25), shear=10)
    made = transforms(["rotate", "hsv-jitter", "zoom"], facts=_facts())
    assert [type(each) for each in made] == [Affine, HsvPower, Affine]


def test_the_guides_numbers_are_the_defaults() -> None:
    """Strength 1 of the HSV jitter is W1.2's: powers of 0.25 to 4, factors of 0.7 to 1.4, shifts and hue of 0.1."""
    (each,) = transforms(["hsv-jitter"], facts=_facts())
    assert each == HsvPower(mean=(0.5,) * 3, std=(0.2,) * 3)
    (jitter,) = transforms(["color-jitter"], facts=_facts())
    assert isinstance(jitter, ColorJitter)
    assert (jitter.brightness, jitter.hue) == (0.4, 0.1)


def test_fancy_pca_asks_for_the_colours() -> None:
    """Without principal components there is nothing to shift along."""
    with pytest.raises(SettingError, match="principal components"):
        transforms(["fancy-pca"], facts=dataclasses.replace(_facts(), colors=None))


def test_fancy_pca_shifts_along_the_measured_axes() -> None:
    """Shifts of all images vary as the pixels do, but for the strength: sigma^2 lambda^2 along each axis."""
    facts = dataclasses.replace(_facts(size=(8, 8)), std=(1.0,) * 3)
    assert facts.colors is not None
    (each,) = transforms(["fancy-pca"], facts=facts)
    images = torch.zeros(20_000, 3, 1, 1)
    batch = Batch(images=images, labels=torch.zeros(20_000).long(), index=torch.arange(20_000), seed=0)
    spread = principal_components(Covariance.of(each(batch).images.flatten(1).numpy())).variances
    np.testing.assert_allclose(spread, (0.1 * facts.colors.variances) ** 2, rtol=0.05)


def test_every_name_says_what_it_does() -> None:
    """The table is documentation, too: each row has its sentence, and reasons are given for data that exist."""
    known = set().union(*(
        dataclasses.replace(_facts(task, channels=channels), circular=True, mirrors=False).situations
        for task in TASKS for channels in (1, 2, 3)
    ))  # fmt: skip
    for row in AUGMENTATIONS.values():
        assert len(row.about) > 10
        assert set(row.refused) <= known
