"""Facts about the rules on a batch, on batches made wrong in the usual ways."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from epochal.checks.batch import BatchFacts, describe_batch
from epochal.checks.input import RULES
from epochal.findings import Rule, examine
from epochal.testing import assert_rule_holds


@pytest.mark.parametrize("subject", RULES, ids=lambda subject: subject.name)
def test_rule_holds(subject: Rule[BatchFacts]) -> None:
    """The rule fires on its bad cases and is silent on its good ones."""
    assert_rule_holds(subject)


def _photographs(n: int = 32) -> Tensor:
    """Colour images of 0 to 1 with a smooth brightness and a colour cast each, like photographs."""
    source = torch.Generator().manual_seed(0)
    coarse = torch.rand(n, 1, 4, 4, generator=source)
    smooth = torch.nn.functional.interpolate(coarse, size=(32, 32), mode="bilinear", align_corners=False)
    cast = 0.3 * torch.rand(n, 3, 1, 1, generator=source)
    return (0.7 * smooth + cast).clamp(0, 1)


MEAN, STD = float(_photographs().mean()), float(_photographs().std())


def _found(images: Tensor, labels: Tensor | None = None) -> set[str]:
    labels = torch.arange(len(images)) % 4 if labels is None else labels
    facts = describe_batch(images, labels, prior=[0.25] * 4, pixel_mean=MEAN, pixel_std=STD)
    return {finding.rule for finding in examine(RULES, facts)}


FAULTS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "raw bytes": (lambda x: 255 * x, "input-not-normalised"),
    "zero to one": (lambda x: x, "input-not-normalised"),
    "divided twice": (lambda x: x / 255, "input-not-normalised"),
    "normalised twice": (lambda x: ((x - MEAN) / STD - MEAN) / STD, "normalised-twice"),
    "bytes with the statistics of 0 to 1": (lambda x: (255 * x - MEAN) / STD, "input-not-normalised"),
    "channels last": (lambda x: ((x - MEAN) / STD).permute(0, 2, 3, 1), "channels-not-first"),
    "reshaped": (lambda x: ((x - MEAN) / STD).permute(0, 2, 3, 1).reshape(x.shape), "scrambled-pixels"),
    "one image": (lambda x: ((x - MEAN) / STD)[:1].repeat(32, 1, 1, 1), "constant-input"),
    "a logarithm of nought": (lambda x: torch.log(x - x.amin((2, 3), keepdim=True)), "broken-input"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_named(fault: str) -> None:
    """Each usual mistake on the way to the network is found under its own name, and no other rule fires."""
    spoil, name = FAULTS[fault]
    assert name in _found(spoil(_photographs()))
    assert _found(spoil(_photographs())) <= {name, "input-not-normalised"}


def test_healthy_batches_are_silent() -> None:
    """Normalised photographs and digits, whole or cropped, raise no alarm."""
    healthy = (_photographs() - MEAN) / STD
    assert not _found(healthy)
    assert not _found(healthy.flip(3))
    digits = torch.tensor(np.stack(load_digits().images[:64]) / 16, dtype=torch.float32)[:, None]
    assert not _found((digits - digits.mean()) / digits.std())


def test_wrong_labels_are_named() -> None:
    """Labels from 1, one-hot rows and sorted classes each have a rule."""
    healthy = (_photographs() - MEAN) / STD
    assert _found(healthy, torch.arange(32) % 4 + 1) == {"label-out-of-range"}
    assert _found(healthy, torch.rand(32)) == {"label-out-of-range"}
    assert _found(healthy, torch.zeros(32, dtype=torch.long)) == {"unshuffled-batch"}


def test_cause_is_said() -> None:
    """The finding on raw bytes says that they are raw bytes."""
    facts = describe_batch(255 * _photographs(), torch.arange(32) % 4, prior=[0.25] * 4, pixel_mean=MEAN, pixel_std=STD)
    (finding,) = examine(RULES, facts)
    assert finding.cause == "raw bytes"
