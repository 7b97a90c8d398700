"""Forward passes end where they are told, and leave no trace."""

import pytest
import torch
from torch import nn

from epochal.errors import SettingError
from epochal.models.early_exit import idle_behind, still, stopped
from epochal.models.resnet import resnet
from epochal.models.simple import SmallConvNet
from models.transformer import Transformer


def test_a_pass_ends_where_it_is_told() -> None:
    """Nothing behind the module is computed, and the output is the module's own."""
    model = resnet(3, 4, image_size=16, width=8).eval()
    called: list[str] = []
    model.head.register_forward_hook(lambda *_: called.append("head"))
    images = torch.randn(2, 3, 16, 16)
    got = stopped(model, images, at="rectify")
    assert torch.equal(got, model.rectify(model.stem(images)))
    assert called == []


def test_an_unused_module_is_told() -> None:
    """A pass cannot end at a module that has no part in it."""
    model = SmallConvNet(channels_in=3, classes=2, image_size=16)
    model.spare = nn.Linear(1, 1)
    with pytest.raises(SettingError, match="spare"):
        stopped(model, torch.zeros(1, 3, 16, 16), at="spare")


def test_what_lies_behind_is_idle() -> None:
    """Behind a block all later ones, the norm and the head are idle; what is used through its parent is not."""
    idle = idle_behind(Transformer(), torch.zeros(1, 3, 32, 32), at="blocks.3")
    assert idle == ["blocks.4", "blocks.5", "blocks.6", "blocks.7", "norm", "head"]


def test_still_restores_mixed_modes() -> None:
    """A frozen part that was in evaluation mode is so afterwards, too."""
    model = nn.Sequential(nn.BatchNorm2d(2), nn.Dropout())
    model[0].eval()
    with still(model):
        assert not model[1].training
    assert [layer.training for layer in model] == [False, True]
