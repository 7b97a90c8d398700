"""Dropping of channels and of whole residual branches while training; nothing happens in evaluation."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError


def spatial_dropout(maps: Float[Tensor, "n c *s"], ratio: float, *, training: bool = True) -> Float[Tensor, "n c *s"]:
    """Drop whole channels of each sample, scale the others by `1 / (1 - ratio)`; in evaluation, change nothing.

    Neighbouring pixels of a map say nearly the same, so ordinary dropout drowns no information there; this does.

    Shapes: n samples, c channels, and one to three axes of space; without any there are no maps.
    Raises: SettingError for a ratio outside [0, 1) or maps without space.
    Source: Tompson et al. 2015, section 3.2; tip L2.

    >>> dropped = spatial_dropout(torch.ones(1, 4, 2, 2), 0.5)
    >>> bool(((dropped == 0) | (dropped == 2)).all()), bool((dropped.std((2, 3)) == 0).all())
    (True, True)
    """
    _check_ratio(ratio, of="SpatialDropout")
    if not 3 <= maps.ndim <= 5:
        raise SettingError(
            f"SpatialDropout received a tensor of shape {tuple(maps.shape)}.",
            expected="samples, channels, then one to three axes of space.",
            remedy="nn.Dropout for vectors; add the batch axis to a single image.",
        )
    if not training or ratio == 0:
        return maps
    coins = maps.new_empty(*maps.shape[:2], *[1] * (maps.ndim - 2)).bernoulli_(1 - ratio)
    return maps * coins.div_(1 - ratio)


def drop_path(
    branch: Float[Tensor, "n *s"],
    drop_prob: float,
    *,
    training: bool = True,
    mode: str = "row",
    scale_by_keep: bool = True,
) -> Float[Tensor, "n *s"]:
    """Drop a residual branch whole, for some samples: those kept are divided by the probability of keeping.

    `mode` "row" throws a coin for each sample, as is done in practice; "batch" one for all, as in the paper. Without
    `scale_by_keep` the kept are left as they are, and evaluation sees a stronger branch than training on average.

    Raises: SettingError for a probability outside [0, 1).
    Source: Huang et al. 2016, "Deep networks with stochastic depth", section 3; tip S17.

    >>> drop_path(torch.ones(2, 3), 0.5, training=False).mean()
    tensor(1.)
    """
    coins = _coins(branch, drop_prob, training=training, mode=mode, scale_by_keep=scale_by_keep)
    return branch if coins is None else branch * coins


def add_drop_path(
    trunk: Float[Tensor, "n *s"],
    branch: Float[Tensor, "n *s"],
    *,
    drop_prob: float,
    training: bool = True,
    mode: str = "row",
    scale_by_keep: bool = True,
) -> Float[Tensor, "n *s"]:
    """Give `trunk + drop_path(branch)` in one pass over memory in place of two.

    Raises: SettingError for a probability outside [0, 1).  Source: tip S17.

    >>> add_drop_path(torch.ones(2, 3), torch.ones(2, 3), drop_prob=0.0).sum()
    tensor(12.)
    """
    coins = _coins(branch, drop_prob, training=training, mode=mode, scale_by_keep=scale_by_keep)
    return trunk + branch if coins is None else torch.addcmul(trunk, branch, coins)


def linear_drop_probs(depth: int, last: float, *, start: str = "paper") -> tuple[float, ...]:
    """Plan the drop probability of each of `depth` blocks: rising in a straight line to `last`.

    "paper": block l of L drops with `l / L last`, so the first already drops a little. "zero": `(l - 1) / (L - 1)
    last`, the first never drops, as timm and most code for transformers has it; a single block then never drops.

    Raises: SettingError for a probability outside [0, 1), or no block.  Source: Huang et al. 2016, eq. 4; tip S17.

    >>> linear_drop_probs(4, 0.2), linear_drop_probs(3, 0.2, start="zero")
    ((0.05, 0.1, 0.15, 0.2), (0.0, 0.1, 0.2))
    """
    _check_ratio(last, of="The last block")
    if depth < 1 or start not in {"paper", "zero"}:
        raise SettingError(
            f"A network of {depth} blocks, whose line starts at {start!r}.",
            expected="1 block or more; 'paper' or 'zero'.",
            remedy="count its residual blocks, and start as the paper does.",
        )
    if start == "paper":
        return tuple(block / depth * last for block in range(1, depth + 1))
    return tuple(block / max(1, depth - 1) * last for block in range(depth))


class SpatialDropout(nn.Module):
    """Drops whole channels while training: `spatial_dropout` as a layer, for concatenated maps of lower layers (L2).

    Raises: SettingError for a ratio outside [0, 1), when it is made.  Source: Tompson et al. 2015; tip L2.

    >>> SpatialDropout(0.2).eval()(torch.ones(1, 2, 2, 2)).sum()
    tensor(8.)
    """

    def __init__(self, ratio: float = 0.5) -> None:
        """Refuse what is no ratio, keep the rest."""
        super().__init__()
        _check_ratio(ratio, of="SpatialDropout")
        self.ratio = ratio

    def forward(self, maps: Float[Tensor, "n c *s"]) -> Float[Tensor, "n c *s"]:
        """Drop in training, pass on in evaluation."""
        return spatial_dropout(maps, self.ratio, training=self.training)

    def extra_repr(self) -> str:
        """Show the ratio."""
        return f"ratio={self.ratio:g}"


class DropPath(nn.Module):
    """Drops a residual branch for some samples while training: `x + DropPath(p)(f(x))`.

    Raises: SettingError for a probability outside [0, 1), when it is made.  Source: Huang et al. 2016; tip S17.

    >>> DropPath(0.3).eval()(torch.ones(2, 2)).sum()
    tensor(4.)
    """

    def __init__(self, drop_prob: float = 0.0, *, mode: str = "row", scale_by_keep: bool = True) -> None:
        """Refuse what is no probability, keep the rest."""
        super().__init__()
        _check_ratio(drop_prob, of="DropPath")
        _check_mode(mode)
        self.drop_prob, self.mode, self.scale_by_keep = drop_prob, mode, scale_by_keep

    def forward(self, branch: Float[Tensor, "n *s"]) -> Float[Tensor, "n *s"]:
        """Drop in training, pass on in evaluation."""
        return drop_path(
            branch, self.drop_prob, training=self.training, mode=self.mode, scale_by_keep=self.scale_by_keep
        )

    def extra_repr(self) -> str:
        """Show the probability, and the mode where it is the paper's."""
        return f"drop_prob={self.drop_prob:g}" + (", mode='batch'" if self.mode == "batch" else "")


class DropPathResidual(nn.Module):
    """A residual block that is sometimes skipped: `x + drop_path(branch(x))`, fused; in evaluation `x + branch(x)`.

    With `skip`, dropped samples do not pass through the branch at all, which saves `drop_prob` of its work. Batch
    normalisation inside then sees only the kept samples; where all are dropped the branch does not run and its
    parameters get no gradient in that step (`find_unused_parameters` in distributed training).

    Shapes: the branch keeps the shape of what it is given.
    Raises: SettingError for a probability outside [0, 1), when it is made.  Source: Huang et al. 2016; tip S17.

    >>> DropPathResidual(nn.Identity(), drop_prob=0.2).eval()(torch.ones(2, 2)).sum()
    tensor(8.)
    """

    def __init__(
        self, branch: Callable[[Tensor], Tensor], *, drop_prob: float, mode: str = "row", skip: bool = False
    ) -> None:
        """Refuse what is no probability, keep the rest."""
        super().__init__()
        _check_ratio(drop_prob, of="DropPathResidual")
        _check_mode(mode)
        self.branch, self.drop_prob, self.mode, self.skip = branch, drop_prob, mode, skip

    def forward(self, trunk: Float[Tensor, "n *s"]) -> Float[Tensor, "n *s"]:
        """Add the branch where it is not dropped."""
        if not (self.skip and self.training and self.drop_prob):
            return add_drop_path(
                trunk, self.branch(trunk), drop_prob=self.drop_prob, training=self.training, mode=self.mode
            )
        coins = _coins(trunk, self.drop_prob, training=True, mode=self.mode, scale_by_keep=False)
        assert coins is not None
        kept = coins.flatten().expand(len(trunk)).nonzero()[:, 0]
        if not len(kept):
            return trunk.clone(memory_format=torch.preserve_format)
        chosen = trunk if len(kept) == len(trunk) else trunk.index_select(0, kept)
        # index_add forgets the memory format of what it copies, its in-place form does not
        summed = trunk.clone(memory_format=torch.preserve_format)
        return summed.index_add_(0, kept, self.branch(chosen), alpha=1 / (1 - self.drop_prob))

    def extra_repr(self) -> str:
        """Show the probability and whether work is saved."""
        return f"drop_prob={self.drop_prob:g}, skip={self.skip}"


def norms_behind_dropout(model: nn.Module, images: Float[Tensor, "n ..."]) -> tuple[tuple[str, str], ...]:
    """Name each normalisation with running statistics that runs after a dropout, and the last dropout before it.

    Dropout makes activations vary more in training than in evaluation; running statistics, gathered in training, are
    then wrong in evaluation. Dropout belongs behind the last of them. Found by letting the model see `images` once, in
    evaluation mode: order of running, not of definition.

    Source: Li et al. 2019, "Understanding the disharmony between dropout and batch normalization"; tips S16, K4.7.

    >>> model = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    >>> norms_behind_dropout(model, torch.zeros(1, 1, 2, 2))
    (('2', '0'),)
    """
    names = {layer: place for place, layer in model.named_modules()}
    order: list[nn.Module] = []
    hooks = [
        layer.register_forward_hook(lambda layer, _in, _out: order.append(layer))
        for layer in names
        if _drops(layer) or getattr(layer, "running_var", None) is not None
    ]
    modes = {layer: layer.training for layer in names}
    try:
        with torch.no_grad():
            model.eval()(images)
    finally:
        for hook in hooks:
            hook.remove()
        for layer, mode in modes.items():
            layer.training = mode
    found: dict[str, str] = {}
    last = None
    for layer in order:
        if _drops(layer):
            last = names[layer]
        elif last is not None:
            found.setdefault(names[layer], last)
    return tuple(found.items())


def _drops(layer: nn.Module) -> bool:
    ratio = layer.ratio if isinstance(layer, SpatialDropout) else getattr(layer, "p", 0.0)
    kinds = (SpatialDropout, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
    return isinstance(layer, kinds) and float(ratio) > 0


def _coins(
    branch: Float[Tensor, "n *s"], drop_prob: float, *, training: bool, mode: str, scale_by_keep: bool
) -> Tensor | None:
    """One factor for each sample, or for all: 0, or what the kept are multiplied by; none where nothing drops."""
    _check_ratio(drop_prob, of="DropPath")
    _check_mode(mode)
    if not training or drop_prob == 0:
        return None
    rows = len(branch) if mode == "row" else 1
    coins = branch.new_empty(rows, *[1] * (branch.ndim - 1)).bernoulli_(1 - drop_prob)
    return coins.div_(1 - drop_prob) if scale_by_keep else coins


def _check_mode(mode: str) -> None:
    if mode not in {"row", "batch"}:
        raise SettingError(f"Coins are thrown by {mode!r}.", expected="'row' or 'batch'.", remedy="row.")


def _check_ratio(ratio: float, *, of: str) -> None:
    if not 0 <= ratio < 1:
        raise SettingError(
            f"{of} shall drop {ratio}.", expected="0 or more, below 1: something must be left.", remedy="0.2."
        )
