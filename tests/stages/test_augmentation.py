"""The recipe's transforms become callables that fit the data, and soft labels reach every loss."""

import dataclasses

import numpy as np
import pytest
import torch

from epochal.errors import SettingError
from epochal.losses.by_name import FITTING
from epochal.stages.augmentation import data_facts, transforms_for
from epochal.stages.baseline import facts_for
from epochal.stages.inspected import Inspected
from epochal.stages.network import make_fit
from epochal.stages.session import Session
from epochal.tasks.regression import Regression
from epochal.transforms.fancy_pca import FancyPCA
from epochal.transforms.geometry import HorizontalFlip, Translate
from epochal.transforms.hsv import HsvPower
from epochal.transforms.mixing import Mixup


def _asked(session: Session, **changes: object) -> None:
    session.recipe = session.recipe.replace({f"transforms.{key}": value for key, value in changes.items()})


def test_without_names_all_is_as_it_was(begun: tuple[Session, Inspected]) -> None:
    """The default recipe mirrors in turns and shifts; switched off, nothing is left."""
    session, inspected = begun
    _asked(session, flip=True, crop_padding=3)
    assert transforms_for(session, inspected) == (HorizontalFlip(alternating=True), Translate(reach=3))
    _asked(session, flip=False, crop_padding=0)
    assert transforms_for(session, inspected) == ()


def test_named_transforms_follow_in_order(begun: tuple[Session, Inspected]) -> None:
    """Names come behind the usual ones as they stand, with the statistics by which these images are normalised."""
    session, inspected = begun
    _asked(session, flip=True, crop_padding=2, names=("hsv-jitter", "mixup"), strength=0.5)
    made = transforms_for(session, inspected)
    assert [type(each) for each in made] == [HorizontalFlip, Translate, HsvPower, Mixup]
    assert made[2] == HsvPower(
        mean=inspected.mean, std=inspected.std, power=(0.5, 2.0), factor=(0.7**0.5, 1.4**0.5), shift=0.05, hue=0.05
    )
    assert made[3] == Mixup(classes=2, alpha=0.1)


def test_a_name_takes_the_place_of_its_kind(begun: tuple[Session, Inspected]) -> None:
    """Mirroring and shifting twice would be neither the one nor the other: the name decides where it stands."""
    session, inspected = begun
    _asked(session, flip=True, crop_padding=2, names=("translate", "flip"))
    assert [type(each) for each in transforms_for(session, inspected)] == [Translate, HorizontalFlip]


def test_mirroring_that_was_measured_to_harm_is_refused(begun: tuple[Session, Inspected]) -> None:
    """Where `transforms.flip` came out false, "flip" by name is an error with that reason; other names are not."""
    session, inspected = begun
    _asked(session, flip=False, crop_padding=0, names=("flip",))
    with pytest.raises(SettingError, match=r"mirrored images are not what they were \(transforms.flip\)"):
        transforms_for(session, inspected)
    _asked(session, names=("blur",))
    assert len(transforms_for(session, inspected)) == 1


def test_values_on_a_circle_are_known(begun: tuple[Session, Inspected]) -> None:
    """A period among the values of a regression forbids mixing; without one it is allowed."""
    session, inspected = begun
    labels = np.array([[0.0], [9.9], [5.0]], np.float32)
    for periods, circular in (([10.0], True), (None, False)):
        here = dataclasses.replace(inspected, task=Regression.of(["dial"], labels, periods=periods))
        facts = data_facts(session, here)
        assert (facts.task, facts.labels, facts.circular) == ("regression", 1, circular)
        _asked(session, names=("mixup",))
        if circular:
            with pytest.raises(SettingError, match="values on a circle"):
                transforms_for(session, here)
        else:
            assert transforms_for(session, here)[-1] == Mixup(classes=1)


def test_colours_are_those_of_the_training_pixels(begun: tuple[Session, Inspected]) -> None:
    """The streamed PCA is numpy's over all training pixels in [0, 1], and over no other's."""
    session, inspected = begun
    _asked(session, names=("fancy-pca",))
    made = transforms_for(session, inspected)[-1]
    assert isinstance(made, FancyPCA)
    pixels = np.asarray(inspected.train.images)[inspected.train.index].reshape(-1, inspected.channels) / 255
    values, vectors = np.linalg.eigh(np.cov(pixels.T, bias=True))
    np.testing.assert_allclose(made.eigenvalues, values[::-1], rtol=1e-9, atol=1e-12)
    alike = np.abs(np.array(made.eigenvectors).T @ vectors[:, ::-1])
    np.testing.assert_allclose(alike, np.eye(inspected.channels), atol=1e-6)
    known = session.journal.measured("transforms.colors")
    assert known["variances"] == list(made.eigenvalues)


@pytest.mark.parametrize("name", FITTING["classification"])
def test_soft_labels_reach_every_loss(begun: tuple[Session, Inspected], name: str) -> None:
    """Mixed twice, labels are shares of classes: each loss of classes takes them, and steps go on learning."""
    session, inspected = begun
    _asked(session, names=("mixup", "cutmix", "noise"))
    session.recipe = session.recipe.replace({"optimizer.batch_size": 16, "loss.name": name})
    fit = make_fit(session, inspected, facts=facts_for(inspected, "resnet", width=8), seconds=3.0)
    step = next(fit.steps())
    assert step.labels.shape == (16, 2)
    torch.testing.assert_close(step.labels.sum(1), torch.ones(16))
    assert bool(step.loss.isfinite())
    assert fit.look().loss > 0
