"""Muon: momentum whose steps move every direction of a weight matrix alike."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from epochal.errors import SettingError
from epochal.optim.groups import check_groups, evaluated, split

UpdateScale: TypeAlias = Literal["shape", "adam"]
OTHER_SHARE = 0.015  # of Muon's rate for its AdamW: 3e-4 beside 0.02, as its author has them
_QUINTIC = (3.4445, -4.7750, 2.0315)  # steepest at 0, Jordan 2024: 0.01 becomes 0.7 to 1.2 within five rounds


def muon(  # the sixth is torch's usual way on to the class
    model: nn.Module,
    *,
    lr: float = 0.02,
    weight_decay: float = 0.0,
    other_lr: float | None = None,
    norm_bias_lr: float = 1.0,
    **options: Any,
) -> "Muon":
    """Make a `Muon` over hidden weights, its AdamW with `other_lr` over the rest.

    The rest is what the method is not for: the first and the last layer, embeddings, norms and biases. `other_lr` is
    `0.015 lr` unless given (3e-4 at the usual 0.02), times `norm_bias_lr` for norms and biases. A schedule's factor
    acts on all rates.

    Source: Jordan 2024, "Muon: an optimizer for hidden layers in neural networks".

    >>> model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2))
    >>> [(group["orthogonal"], len(group["params"])) for group in muon(model).param_groups]
    [(True, 1), (False, 2), (False, 3)]
    """
    hidden, other_lr = {id(p) for p in hidden_weights(model)}, OTHER_SHARE * lr if other_lr is None else other_lr
    decaying, sparing = split(model)
    groups = [
        {"params": [p for p in decaying if id(p) in hidden], "lr": lr, "weight_decay": weight_decay},
        {"params": [p for p in decaying if id(p) not in hidden], "lr": other_lr, "weight_decay": weight_decay},
        {"params": sparing, "lr": other_lr * norm_bias_lr, "weight_decay": 0.0},
    ]
    for number, group in enumerate(groups):
        group |= {"orthogonal": number == 0, "initial_lr": group["lr"]}
    return Muon([group for group in groups if group["params"]], lr=lr, **options)


def hidden_weights(model: nn.Module) -> list[nn.Parameter]:
    """Find the weights of linear layers and convolutions but the first and the last, in the order of definition.

    >>> [tuple(p.shape) for p in hidden_weights(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Linear(8, 2)))]
    [(8, 8, 3, 3)]
    """
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    found: dict[int, nn.Parameter] = {}
    for module in model.modules():
        if isinstance(module, kinds) and isinstance(module.weight, nn.Parameter):
            found.setdefault(id(module.weight), module.weight)
    outer = set(list(found)[:1] + list(found)[-1:])
    tied = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)}
    return [weight for key, weight in found.items() if weight.requires_grad and key not in outer | tied]


@torch.no_grad()
def orthogonalized(matrix: Tensor, *, rounds: int = 5, dtype: torch.dtype | None = None) -> Tensor:
    """Bring all singular values near 1, roughly and fast: `x <- a x + b (x x^T) x + c (x x^T)^2 x`, `rounds` times.

    A tensor of more than two axes counts as a matrix of its first axis by all others. The values end between about 0.7
    and 1.2, which trains as well as 1. Computed in `dtype`: by default bfloat16 where the machine multiplies it faster
    (GPUs, and CPUs with AMX, 2.7 times: benchmarks/results/blocks-training.md), else float32; float64 stays.

    Raises: SettingError for fewer than two axes or no round.  Source: Jordan 2024; Bernstein and Newhouse 2024.

    >>> values = torch.linalg.svdvals(orthogonalized(torch.diag(torch.tensor([5.0, 1.0, 0.5]))))
    >>> bool((values > 0.6).all() and (values < 1.3).all())
    True
    """
    if matrix.ndim < 2 or rounds < 1:
        raise SettingError(
            f"{rounds} rounds over a tensor of {matrix.ndim} axes.",
            expected="1 or more, 2 or more.",
            remedy="5 rounds.",
        )
    return _near_orthogonal(matrix, rounds=rounds, dtype=dtype or _quick(matrix)).to(matrix.dtype)


class Muon(Optimizer):
    """Momentum whose every step is made orthogonal: each direction of a weight matrix moves by as much.

        m <- beta m + (1 - beta) g;  u = g + beta (m - g), or m without nesterov
        w <- w - lr decay w - lr scale orthogonalized(u)

    `scale` "shape" is `sqrt(max(1, rows / columns))`; "adam" is `0.2 sqrt(max(rows, columns))`, with which rates and
    decays found for AdamW can be kept. Groups with `orthogonal=False` take steps of AdamW instead.

    Raises: SettingError for settings that cannot work, or an orthogonal group with parameters of fewer than two axes.
    Source: Jordan 2024; scale "adam": Liu et al. 2025, eq. 4; tips L4, S11.

    >>> weight = nn.Parameter(torch.zeros(2, 2)); weight.grad = torch.tensor([[100.0, 0.0], [0.0, 1.0]])
    >>> Muon([weight], lr=1.0).step()
    >>> bool((weight.diagonal().abs() > 0.6).all())
    True
    """

    def __init__(
        self,
        params: Iterable[Any],
        *,
        lr: float = 0.02,
        momentum: float = 0.95,
        nesterov: bool = True,
        scale: UpdateScale = "shape",
        **options: Any,
    ) -> None:
        """Keep the settings; `options`: weight_decay, rounds and dtype of the iteration, betas and eps of AdamW."""
        dtype = options.pop("dtype", None)
        usual: dict[str, Any] = {
            "weight_decay": 0.0,
            "rounds": 5,
            "betas": (0.9, 0.999),
            "eps": 1e-8,
            "orthogonal": True,
        }
        _check_options(options, known=usual)
        settings = usual | options | {"lr": lr, "momentum": momentum, "nesterov": nesterov, "scale": scale}
        if scale not in {"shape", "adam"} or not 0 <= momentum < 1 or settings["rounds"] < 1:
            raise SettingError(
                f"Muon has momentum {momentum}, scale {scale!r} and {settings['rounds']} rounds.",
                expected="a momentum in [0, 1), shape or adam, 1 round or more.",
                remedy="0.95, shape and 5.",
            )
        super().__init__(params, settings)
        self.dtype: torch.dtype | None = dtype
        check_groups(self.param_groups)
        for group in self.param_groups:
            flat = [tuple(p.shape) for p in group["params"] if group["orthogonal"] and p.ndim < 2]
            if flat:
                raise SettingError(
                    f"Parameters of shapes {flat[:4]} shall be moved orthogonally.",
                    expected="two axes or more.",
                    remedy="epochal.optim.muon.muon(model), which sorts them.",
                )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move all parameters that have a gradient."""
        loss = evaluated(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    (self._orthogonal if group["orthogonal"] else self._adamw)(p, p.grad, group=group)
        return loss

    def _orthogonal(self, p: Tensor, gradient: Tensor, *, group: dict[str, Any]) -> None:
        state, beta, lr = self.state[p], group["momentum"], group["lr"]
        if not state:
            state["momentum"] = torch.zeros_like(p)
        state["momentum"].lerp_(gradient, 1 - beta)
        update = gradient.lerp(state["momentum"], beta) if group["nesterov"] else state["momentum"]
        rows, columns = len(p), p.numel() // max(len(p), 1)
        scale = max(1.0, rows / columns) ** 0.5 if group["scale"] == "shape" else 0.2 * max(rows, columns) ** 0.5
        p.mul_(1 - lr * group["weight_decay"])
        p.add_(_near_orthogonal(update, rounds=group["rounds"], dtype=self.dtype or _quick(update)), alpha=-lr * scale)

    def _adamw(self, p: Tensor, gradient: Tensor, *, group: dict[str, Any]) -> None:
        state, (beta1, beta2), lr = self.state[p], group["betas"], group["lr"]
        if not state:
            state |= {"steps": 0, "mean": torch.zeros_like(p), "square": torch.zeros_like(p)}
        state["steps"] += 1
        state["mean"].lerp_(gradient, 1 - beta1)
        state["square"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = (state["square"] / (1 - beta2 ** state["steps"])).sqrt_().add_(group["eps"])
        p.mul_(1 - lr * group["weight_decay"])
        p.addcdiv_(state["mean"], root, value=-lr / (1 - beta1 ** state["steps"]))


def _near_orthogonal(matrix: Tensor, *, rounds: int, dtype: torch.dtype) -> Tensor:
    """The same in `dtype`, as it was computed: adding it to a weight converts it on the way."""
    x = matrix.flatten(1).to(dtype, copy=True)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x.div_(torch.linalg.vector_norm(x).clamp(min=1e-7))  # its largest singular value is then 1 at most
    a, b, c = _QUINTIC
    for _ in range(rounds):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.T if tall else x).reshape(matrix.shape)


def _quick(x: Tensor) -> torch.dtype:
    """The dtype in which this machine multiplies fastest and five rounds still come near 1."""
    if x.dtype == torch.float64:
        return torch.float64
    return torch.bfloat16 if x.device.type != "cpu" or _cpu_multiplies_bfloat16() else torch.float32


@lru_cache(maxsize=1)
def _cpu_multiplies_bfloat16() -> bool:
    ask = getattr(torch.cpu, "get_capabilities", None)  # not in older releases
    return ask is not None and bool(ask().get("amx_bf16", False))


def _check_options(options: Mapping[str, Any], *, known: Mapping[str, Any]) -> None:
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise SettingError(
            f"Muon knows no {', '.join(unknown)}.", expected=f"{', '.join(known)}, dtype.", remedy="leave it out."
        )
