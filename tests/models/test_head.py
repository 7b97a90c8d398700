import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from epochal.errors import SettingError
from epochal.models.head import ScaledLinear, find, log_prior, set_bias_, set_prior_bias_


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=50))
def test_prior_is_a_distribution_in_the_order_of_the_counts(counts: list[int]) -> None:
    """Probabilities sum to one, none is zero, and a more frequent class is never less likely."""
    prior = log_prior(counts).double().exp().numpy()
    assert abs(prior.sum() - 1) < 1e-5
    assert (prior > 0).all()
    np.testing.assert_allclose(prior, (np.array(counts) + 1) / (sum(counts) + len(counts)), rtol=1e-5)


@pytest.mark.parametrize("factor", [1.0, 1 / 9, 3.0])
def test_first_loss_is_the_entropy_of_the_prior(factor: float) -> None:
    """With the weights at zero the first loss is the entropy of the classes, whatever the head's factor."""
    counts = [80, 15, 5]
    model = nn.Sequential(nn.Flatten(), ScaledLinear(4, 3, factor=factor))
    set_prior_bias_(model, counts, zero_weights=True)
    labels = torch.tensor([0] * 80 + [1] * 15 + [2] * 5)
    loss = nn.functional.cross_entropy(model(torch.randn(100, 4)), labels).item()
    smoothed = (np.array(counts) + 1) / 103
    assert abs(loss - float(-(np.array(counts) / 100 * np.log(smoothed)).sum())) < 1e-5


def test_weights_stay_unless_asked() -> None:
    """Only the bias moves by default."""
    model = nn.Linear(4, 2)
    before = model.weight.detach().clone()
    set_prior_bias_(model, [1, 2])
    assert torch.equal(model.weight, before)


def test_last_layer_is_found_inside_others() -> None:
    """The head is the last linear layer or convolution however deep it lies; layers without weights do not hide it."""
    head = nn.Conv2d(8, 3, 1)
    assert find(nn.Sequential(nn.Linear(2, 2), nn.Sequential(head, nn.Dropout()), nn.ReLU())) is head


@pytest.mark.parametrize("model", [nn.ReLU(), nn.Linear(2, 5), nn.Linear(2, 3, bias=False)])
def test_heads_of_another_size_are_refused(model: nn.Module) -> None:
    """No layer, another number of classes, no bias: each is an error."""
    with pytest.raises(SettingError):
        set_prior_bias_(model, [1, 2, 3])


def test_a_head_begins_at_any_outputs() -> None:
    """Given outputs come out of a plain and of a scaled head, whose weights stay unless they are to be zero."""
    wanted = torch.tensor([0.5, -2.0, 3.0])
    for head in (nn.Linear(4, 3), ScaledLinear(4, 3, factor=0.125)):
        before = head.weight.clone()
        set_bias_(head, wanted)
        torch.testing.assert_close(head(torch.zeros(1, 4))[0], wanted)
        assert torch.equal(head.weight, before)
        set_bias_(head, wanted, zero_weights=True)
        torch.testing.assert_close(head(torch.randn(1, 4))[0], wanted)


def test_counts_must_be_counts() -> None:
    """No class at all or a negative count is an error."""
    for counts in ([], [1, -1]):
        with pytest.raises(SettingError):
            log_prior(counts)


def test_factor_multiplies_the_usual_layer() -> None:
    """The output is the plain layer's times the factor, and the factor is shown."""
    layer = ScaledLinear(3, 2, factor=0.25)
    x = torch.randn(4, 3)
    torch.testing.assert_close(layer(x), 0.25 * nn.functional.linear(x, layer.weight, layer.bias))
    assert "factor=0.25" in repr(layer)
