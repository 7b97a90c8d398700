"""Schedule-Free AdamW: an average of the path takes the place of a falling rate."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from epochal.errors import SettingError
from epochal.optim.groups import check_groups, evaluated, split


def schedule_free(
    model: nn.Module, *, lr: float = 0.0025, weight_decay: float = 0.0, norm_bias_lr: float = 1.0, **options: Any
) -> "ScheduleFreeAdamW":
    """Make a `ScheduleFreeAdamW` over two groups: weights, which decay, and norms and biases, which do not.

    `norm_bias_lr` multiplies the rate of norms and biases.

    >>> schedule_free(nn.Linear(3, 2), weight_decay=0.1).param_groups[1]["weight_decay"]
    0.0
    """
    decaying, sparing = split(model)
    groups = [
        {"params": decaying, "weight_decay": weight_decay},
        {"params": sparing, "weight_decay": 0.0, "lr": lr * norm_bias_lr},
    ]
    return ScheduleFreeAdamW([group for group in groups if group["params"]], lr=lr, **options)


class ScheduleFreeAdamW(Optimizer):
    """AdamW that averages its own path instead of lowering its rate, so the end need not be known beforehand.

        y = (1 - b1) z + b1 x                       the gradient g is taken here
        v <- b2 v + (1 - b2) g^2;  r = lr sqrt(1 - b2^t)
        z <- z - r (g / (sqrt(v) + eps) + decay y)  the fast path
        x <- (1 - c) x + c z,  c = R^2 / sum R^2    the average, to be used; R is the largest r so far

    While training, the model holds y. Evaluate and save under `applied(model)` (as an `EMA` has it), or between
    `eval()` and `train()`, where it holds x. Batch-norm statistics belong to y: gather them for x before relying on
    them (`epochal.ensembles.swa.update_batchnorm`). Warm up over some steps; the schedule stays constant after that.

    Raises: SettingError for settings that cannot work; stepping while the average is applied.
    Source: Defazio et al. 2024, "The Road Less Scheduled", algorithm 1; tips L4, S11.

    >>> weight = nn.Parameter(torch.tensor([1.0])); optimizer = ScheduleFreeAdamW([weight], lr=0.1)
    >>> weight.grad = torch.tensor([2.0]); optimizer.step()
    >>> optimizer.eval(); round(weight.item(), 4)
    0.9
    """

    def __init__(
        self,
        params: Iterable[Any],
        *,
        lr: float = 0.0025,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        """Keep the settings, and per group what the average needs to know."""
        counts = {"steps": 0, "largest_lr": 0.0, "weight_sum": 0.0, "training": True}
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay} | counts)
        check_groups(self.param_groups)
        for group in self.param_groups:
            group.setdefault("initial_lr", group["lr"])

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move all parameters that have a gradient."""
        loss = evaluated(closure)
        for group in self.param_groups:
            if not group["training"]:
                raise SettingError(
                    "A step is asked for while the model holds the average.",
                    expected="the point at which gradients are taken.",
                    remedy="optimizer.train() before training goes on, or leave the `with optimizer.applied(model)`.",
                )
            group["steps"] += 1
            lr = group["lr"] * math.sqrt(1 - group["betas"][1] ** group["steps"])
            group["largest_lr"] = max(lr, group["largest_lr"])
            weight = group["largest_lr"] ** 2
            group["weight_sum"] += weight
            share = weight / group["weight_sum"] if group["weight_sum"] else 0.0
            for p in group["params"]:
                if p.grad is not None:
                    self._move(p, p.grad, group=group, lr=lr, share=share)
        return loss

    def _move(self, y: Tensor, gradient: Tensor, *, group: dict[str, Any], lr: float, share: float) -> None:
        state, (beta1, beta2) = self.state[y], group["betas"]
        if not state:
            state |= {"z": y.detach().clone(), "square": torch.zeros_like(y)}
        square, z = state["square"], state["z"]
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        update = gradient / square.sqrt().add_(group["eps"])
        if group["weight_decay"]:
            update.add_(y, alpha=group["weight_decay"])
        # x' and z' put into y' = (1 - b1) z' + b1 x': x itself is never needed
        y.lerp_(z, share).add_(update, alpha=lr * (beta1 * (1 - share) - 1))
        z.sub_(update, alpha=lr)

    def eval(self) -> None:
        """Put the average x into the model, for evaluation and for saving."""
        self._turn(training=False)

    def train(self) -> None:
        """Put y back, where gradients are taken."""
        self._turn(training=True)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[nn.Module]:
        """Put the average into the model for the length of a `with`, then leave it as it was found."""
        before = [group["training"] for group in self.param_groups]
        self.eval()
        try:
            yield model
        finally:
            if any(before):
                self.train()

    @torch.no_grad()
    def _turn(self, *, training: bool) -> None:
        for group in self.param_groups:
            beta1 = group["betas"][0]
            if group["training"] != training:
                for p in group["params"]:
                    if p in self.state:  # y = x + (1 - b1) (z - x), and x = y + (1 - 1 / b1) (z - y)
                        p.lerp_(self.state[p]["z"], 1 - beta1 if training else 1 - 1 / beta1)
            group["training"] = training
