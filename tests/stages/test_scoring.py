"""Logits of a saved model are those of its network on the same images."""

from pathlib import Path

import numpy as np
import pytest
import torch

from epochal.stages.artifact import Deployed, build_network, save_model
from epochal.stages.baseline import facts_for
from epochal.stages.inspected import Inspected
from epochal.stages.scoring import evidence_of
from epochal.stages.session import Session


@pytest.mark.parametrize("flip", [False, True])
def test_logits_are_those_of_the_network(begun: tuple[Session, Inspected], tmp_path: Path, *, flip: bool) -> None:
    """One row per sample in the order of the split, averaged over the mirror image where the facts say so."""
    _, inspected = begun
    facts = facts_for(inspected, "small", flip=flip)
    model, path = build_network(facts).eval(), tmp_path / "model.safetensors"
    save_model(path, model, facts=facts)
    said = evidence_of(path, inspected, samples=inspected.val)
    pixels = torch.from_numpy(inspected.val.images[inspected.val.index]).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        expected = Deployed(model, facts)(pixels).numpy()
    rounding = 0.05 if inspected.runtime.autocast_dtype else 1e-4  # bfloat16 keeps 8 bits
    np.testing.assert_allclose(said, expected, atol=rounding)
