import torch
from torch import nn

from epochal.models.cost import cost
from epochal.models.resnet import resnet


def test_operations_equal_a_count_by_hand() -> None:
    """A strided, a grouped, a transposed convolution and a linear layer: two operations per weight and place."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),  # 8x8 -> 4x4: 16 places, 8 * 27 weights
        nn.Conv2d(8, 8, 3, padding=1, groups=8),  # 16 places, 8 * 9 weights
        nn.ConvTranspose2d(8, 2, 2, stride=2),  # 16 places of its input, 8 * 2 * 4 weights
        nn.Flatten(),
        nn.Linear(128, 5),  # 128 * 5 weights
    )
    assert cost(model, (3, 8, 8)).forward_flops == 2 * (16 * 216 + 16 * 72 + 16 * 64 + 640)


def test_shared_layer_counts_each_time() -> None:
    """A layer used twice costs twice and has its parameters once."""
    layer = nn.Linear(4, 4, bias=False)
    counted = cost(nn.Sequential(nn.Flatten(), layer, layer), (1, 2, 2))
    assert (counted.forward_flops, counted.parameters) == (64, 16)


def test_frozen_parameters_are_told_apart() -> None:
    """The network's stem is frozen: it is counted among the parameters, not among those trained."""
    model = resnet(3, 10, image_size=32)
    counted = cost(model, (3, 32, 32))
    frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    assert frozen >= model.stem.weight.numel()
    assert counted.parameters - counted.trained == frozen


def test_counting_leaves_no_trace() -> None:
    """Mode, running statistics, random state and hooks are afterwards as they were before."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout()).train()
    model[1].eval()
    before, state = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    cost(model, (1, 4, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert [layer.training for layer in model] == [True, False, True]
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert not model[0]._forward_hooks
