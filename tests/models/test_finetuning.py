"""The strategy follows from the number of images and the lead; what is frozen stays, what learns has its rate."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import AdamW

from epochal.errors import SettingError
from epochal.models.adapted import FEATURES, Adapted, Sight
from epochal.models.finetuning import (
    KINDS,
    MANY,
    RATE,
    Kind,
    freeze_,
    layered_groups,
    layered_optimizer,
    prepare_,
    set_head_,
    strategy_for,
)
from epochal.models.resnet import resnet
from epochal.stats.intervals import Interval
from epochal.stats.linear import LinearMap


def _lead(value: float, *, half: float = 0.02) -> Interval:
    return Interval(value=value, low=value - half, high=value + half, confidence=0.95, method="t")


def _model() -> Adapted:
    torch.manual_seed(0)
    sight = Sight(side=32, mean=(0.5,) * 3, std=(0.25,) * 3)
    return Adapted(resnet(3, 10, image_size=32, width=8), sight=sight, channels_in=3, outputs=4)


def _learning(model: Adapted) -> set[str]:
    return {name for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize(
    ("lead", "images", "kind"),
    [
        (0.1, 20, "linear"),
        (0.1, MANY, "last-layers"),
        (-0.1, MANY, "many-layers"),
        (-0.1, 20, "svm"),
        (-0.01, 20, "svm"),  # the likelier side, within the noise
        (0.0, 1e6, "last-layers"),
    ],
)
def test_the_guides_table_is_followed(lead: float, images: float, kind: str) -> None:
    """Similar or not, few or many: each of the four corners has its strategy."""
    assert strategy_for(samples_per_class=images, gain=_lead(lead)).kind == kind


def test_the_reason_tells_both_measurements() -> None:
    """The sentence holds the lead with its interval, the number of images, and where many begins."""
    reason = strategy_for(samples_per_class=20, gain=_lead(-0.123)).reason
    for part in ("different", "-12.3%", "-14.3%", "20 images", "few", f"{MANY:g}", "W4.4"):
        assert part in reason


def test_no_images_are_refused() -> None:
    """Less than one image of a class, or none that could be counted, is an error."""
    for images in (0.0, float("nan")):
        with pytest.raises(SettingError, match="images of a class"):
            strategy_for(samples_per_class=images, gain=_lead(0.1))


@pytest.mark.parametrize("upto", range(6))
def test_freezing_goes_by_depth(upto: int) -> None:
    """What is used before that many stages have ended is frozen, the rest learns as before."""
    model = _model()
    before = _learning(model)
    count = freeze_(model, upto=upto)
    learning = _learning(model)
    assert learning == {name for name in before if model.depth(name) >= upto}
    assert count == sum(p.numel() for name, p in model.named_parameters() if name in learning)


def test_frozen_from_the_beginning_stays_frozen() -> None:
    """The whitening stem and the scales of the norms, which never learn, do not begin to."""
    model = _model()
    prepare_(model, "many-layers")
    assert not any("stem" in name for name in _learning(model))


@pytest.mark.parametrize("kind", KINDS)
def test_strategies_nest(kind: Kind) -> None:
    """The head always learns; the last layers are among the many, and the first stage is never among them."""
    parts = {each: _model() for each in KINDS}
    learnt = {each: prepare_(model, each) for each, model in parts.items()}
    assert {"network.head.weight", "network.head.bias"} <= _learning(parts[kind])
    assert learnt["linear"] == learnt["svm"] < learnt["last-layers"] < learnt["many-layers"]
    assert _learning(parts["last-layers"]) < _learning(parts["many-layers"])


def test_a_step_moves_only_what_learns() -> None:
    """After a step of the optimizer the frozen weights are bit for bit the same, and all others have moved."""
    model = _model()
    prepare_(model, "last-layers")
    nn.init.normal_(model.head.weight)
    optimizer = layered_optimizer(model.train())
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    torch.autograd.backward(nn.functional.cross_entropy(model(torch.randn(8, 3, 32, 32)), torch.arange(8) % 4))
    optimizer.step()
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert moved == _learning(model)


def test_rates_fall_towards_the_input() -> None:
    """Each stage has `shrink` times the rate of the next, the head the whole; only matrices decay; none is twice in."""
    model = _model()
    groups = layered_groups(model, lr=8e-4, shrink=0.5, weight_decay=0.1)
    deepest = len(model.anatomy.stages)
    names = {id(p): name for name, p in model.named_parameters()}
    seen = [names[id(p)] for group in groups for p in group["params"]]
    assert sorted(seen) == sorted(_learning(model))
    for group in groups:
        for parameter in group["params"]:
            assert group["lr"] == group["initial_lr"] == 8e-4 * 0.5 ** (deepest - model.depth(names[id(parameter)]))
            assert (group["weight_decay"] > 0) == (parameter.ndim > 1)


def test_the_rate_stays_below_a_thousandth() -> None:
    """L5: fine-tuning at 1e-3 or more is refused, and the default is below."""
    assert RATE < 1e-3
    assert isinstance(layered_optimizer(_model()), AdamW)
    for lr, shrink in ((1e-3, 1.0), (0.0, 1.0), (5e-4, 0.0), (5e-4, 1.5)):
        with pytest.raises(SettingError, match="Fine-tuning"):
            layered_groups(_model(), lr=lr, shrink=shrink)


def test_nothing_to_learn_is_refused() -> None:
    """An optimizer over frozen parameters alone would train nothing in silence."""
    model = _model()
    freeze_(model, upto=99)
    with pytest.raises(SettingError, match="frozen"):
        layered_optimizer(model)


def test_a_fitted_map_becomes_the_head() -> None:
    """The network's outputs are the map's on its last features; a map of other sizes is refused."""
    model, source = _model().eval(), np.random.default_rng(0)
    width = model.head.in_features
    fitted = LinearMap(
        weight=source.normal(size=(4, width)).astype(np.float32), bias=source.normal(size=4).astype(np.float32)
    )
    set_head_(model, fitted)
    images = torch.randn(3, 3, 32, 32)
    expected = fitted.logits(model.features(images)[FEATURES].detach().numpy())
    np.testing.assert_allclose(model(images).detach().numpy(), expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(SettingError, match="map of"):
        set_head_(model, LinearMap(weight=np.zeros((5, width), np.float32), bias=np.zeros(5, np.float32)))
