import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from epochal.transforms.draws import coin, integers, uniform

MASK = (1 << 64) - 1


def _splitmix(x: int) -> int:
    """One output of splitmix64 whose state, after its increment, is `x`: on Python's unbounded integers."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def test_finaliser_is_splitmix64() -> None:
    """The tensor hash equals splitmix64: its first outputs from state 1234567 are the published ones."""
    from epochal.transforms import draws

    golden, state, seen = 0x9E3779B97F4A7C15, 1234567, []
    for _ in range(3):
        state = (state + golden) & MASK
        signed = torch.tensor([state - (1 << 64) if state >> 63 else state])
        seen.append(int(draws._mix(signed)) & MASK)
        assert seen[-1] == _splitmix(state)
    assert seen == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(
    rows=st.lists(st.integers(0, 2**40), min_size=1, max_size=20),
    seed=st.integers(0, 2**63 - 1),
    epoch=st.integers(0, 10_000),
    k=st.integers(1, 5),
)
def test_draw_ignores_the_rest_of_the_batch(rows: list[int], seed: int, epoch: int, k: int) -> None:
    """A sample draws the same numbers alone, among others, in another order, and when more numbers are drawn."""
    together = uniform(torch.tensor(rows), k, seed=seed, epoch=epoch, stream="s")
    reversed_ = uniform(torch.tensor(rows[::-1]), k + 1, seed=seed, epoch=epoch, stream="s")
    assert torch.equal(together, reversed_.flip(0)[:, :k])
    alone = uniform(torch.tensor(rows[:1]), k, seed=seed, epoch=epoch, stream="s")
    assert torch.equal(together[:1], alone)


@given(seed=st.integers(0, 2**63 - 1))
def test_draws_are_in_range(seed: int) -> None:
    """Every draw is at least 0 and below 1, and whole numbers stay below their limit."""
    rows = torch.arange(200)
    drawn = uniform(rows, 3, seed=seed, epoch=0, stream="range")
    assert bool(((drawn >= 0) & (drawn < 1)).all())
    whole = integers(rows, 3, below=5, seed=seed, epoch=0, stream="range")
    assert int(whole.min()) >= 0
    assert int(whole.max()) <= 4


def _chi_square(values: torch.Tensor, bins: int) -> float:
    counts = np.bincount((values.flatten().numpy() * bins).astype(int), minlength=bins)
    expected = values.numel() / bins
    return float(((counts - expected) ** 2 / expected).sum())


def test_draws_are_uniform_along_every_argument() -> None:
    """256 bins are filled evenly whichever argument counts up: chi-square stays below its 1 - 1e-6 quantile, 372."""
    rows, first = torch.arange(50_000), torch.tensor([3])
    along = {
        "sample": uniform(rows, 1, seed=1, epoch=1, stream="a"),
        "k": uniform(first, 50_000, seed=1, epoch=1, stream="a"),
        "epoch": torch.cat([uniform(rows[:50], 1, seed=1, epoch=e, stream="a") for e in range(1000)]),
        "seed": torch.cat([uniform(rows[:50], 1, seed=s, epoch=1, stream="a") for s in range(1000)]),
        "stream": torch.cat([uniform(rows[:50], 1, seed=1, epoch=1, stream=str(s)) for s in range(1000)]),
    }
    for name, values in along.items():
        assert _chi_square(values, 256) < 372, name


def test_neighbours_are_independent() -> None:
    """Draws of neighbouring samples, epochs, seeds, counters and streams are uncorrelated: |r| < 5 / sqrt(n)."""
    n = 100_000
    rows = torch.arange(n)
    here = uniform(rows, 2, seed=5, epoch=7, stream="a").numpy()
    others = {
        "next sample": np.roll(here[:, 0], 1),
        "next counter": here[:, 1],
        "next epoch": uniform(rows, 1, seed=5, epoch=8, stream="a")[:, 0].numpy(),
        "next seed": uniform(rows, 1, seed=6, epoch=7, stream="a")[:, 0].numpy(),
        "seed and epoch swapped": uniform(rows, 1, seed=7, epoch=5, stream="a")[:, 0].numpy(),
        "other stream": uniform(rows, 1, seed=5, epoch=7, stream="b")[:, 0].numpy(),
    }
    for name, other in others.items():
        assert abs(np.corrcoef(here[:, 0], other)[0, 1]) < 5 / n**0.5, name


def test_no_two_samples_share_their_numbers() -> None:
    """Among 100,000 samples, 10 epochs apart or not, no 53-bit draw occurs twice."""
    rows = torch.arange(100_000)
    drawn = torch.cat([uniform(rows, 1, seed=0, epoch=e, stream="x") for e in (0, 10)])
    assert len(np.unique(drawn.numpy())) == drawn.numel()


def test_coin_falls_as_often_as_asked() -> None:
    """The share of heads lies within five standard errors of the chance."""
    n = 100_000
    for chance in (0.1, 0.5, 0.9):
        heads = coin(torch.arange(n), seed=0, epoch=0, stream="coin", chance=chance).double().mean().item()
        assert abs(heads - chance) < 5 * (chance * (1 - chance) / n) ** 0.5
    assert not coin(torch.arange(100), seed=0, epoch=0, stream="coin", chance=0.0).any()
    assert coin(torch.arange(100), seed=0, epoch=0, stream="coin", chance=1.0).all()
