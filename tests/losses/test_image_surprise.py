"""Facts about the cross-entropy of masks whose slope is made in place."""

import pytest
import torch

from epochal.losses.image_surprise import image_surprise, is_fast


def _case(*, n: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(0)
    logits = torch.randn(n, 4, 5, 6, generator=source) * 3
    labels = torch.randint(0, 4, (n, 5, 6), generator=source)
    return logits.requires_grad_(), labels, torch.rand(n, 5, 6, generator=source)


def _plain(logits: torch.Tensor, labels: torch.Tensor, prices: torch.Tensor, smoothing: float) -> torch.Tensor:
    log_p = logits.log_softmax(1)
    own = (1 - smoothing) * log_p.gather(1, labels[:, None])[:, 0] + smoothing * log_p.mean(1)
    return -(own * prices).sum((1, 2))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_value_and_slope_are_those_of_the_formula(threads: int, smoothing: float) -> None:
    """By one thread image by image, or by several in one go."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        logits, labels, prices = _case()
        ours, plain = (
            image_surprise(logits, labels, prices=prices, smoothing=smoothing),
            _plain(logits, labels, prices, smoothing),
        )
        torch.testing.assert_close(ours, plain)
        share = torch.tensor([1.0, -2.0, 0.5])
        slopes = [torch.autograd.grad((each * share).sum(), logits)[0] for each in (ours, plain)]
        torch.testing.assert_close(slopes[0], slopes[1], atol=1e-5, rtol=1e-4)
    finally:
        torch.set_num_threads(before)


def test_a_kept_graph_gives_the_slope_again() -> None:
    """The memory that became the slope is made anew for a second use, and the logits are untouched."""
    logits, labels, prices = _case()
    before = logits.detach().clone()
    loss = image_surprise(logits, labels, prices=prices).sum()
    first, second = (torch.autograd.grad(loss, logits, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)
    assert first.data_ptr() != second.data_ptr()
    assert torch.equal(logits, before)


def test_second_derivatives_are_the_formulas() -> None:
    """The slope can be differentiated once more, as penalties of gradients need."""
    logits, labels, prices = _case()
    found = []
    for loss in (image_surprise(logits, labels, prices=prices), _plain(logits, labels, prices, 0.0)):
        (slope,) = torch.autograd.grad(loss.sum(), logits, create_graph=True)
        found.append(torch.autograd.grad(slope.square().sum(), logits)[0])
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-4)


def test_extreme_logits_stay_finite() -> None:
    """A pixel that is surely wrong costs what its logits say, and its slope is 1, not NaN."""
    logits = torch.tensor([[[[500.0]], [[-500.0]]]], requires_grad=True)
    loss = image_surprise(logits, torch.ones(1, 1, 1).long(), prices=torch.ones(1, 1, 1))
    (slope,) = torch.autograd.grad(loss.sum(), logits)
    assert loss.item() == 1000
    assert slope.flatten().tolist() == [1, -1]


def test_only_plain_numbers_of_a_cpu_take_this_way() -> None:
    """Double precision, channels last and slices go through torch's own formula."""
    logits = torch.zeros(2, 3, 4, 4)
    assert is_fast(logits)
    assert not is_fast(logits.double())
    assert not is_fast(logits.contiguous(memory_format=torch.channels_last))
    assert not is_fast(logits[..., :2])
