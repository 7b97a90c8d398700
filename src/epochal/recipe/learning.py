"""The part of the recipe that says how weights are moved: loss, optimizer, schedule, average and penalties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt

from epochal.recipe.field import CLOSED, about


@dataclass(frozen=True, slots=True, kw_only=True)
class LossRecipe:
    """What is minimised (S7, S8, W9)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    name: Literal[
        "auto", "cross-entropy", "focal", "dice", "cross-entropy+dice", "squared", "absolute", "smooth-l1", "huber"
    ] = about("auto", "the loss; auto: cross-entropy for what is told apart, smooth-l1 for what is measured")
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = about(0.2, "share of the target spread evenly over all classes")
    class_weights: Literal["none", "balanced", "median-frequency", "effective-number"] = about(
        "none",
        "weight of a class: alike, by 1 / its samples, the same of images it occurs in (masks), or by new samples (W9)",
    )
    effective_beta: Annotated[float, Ge(0), Lt(1)] = about(
        0.999, "effective-number: a class's samples repeat each other past about 1 / (1 - this) of them"
    )
    prior_correction: Annotated[float, Ge(0), Le(2)] = about(
        0.0, "times the logarithm of the class shares, added to the logits in training alone; 0: none, 1: in full (W9)"
    )
    gamma: Annotated[float, Ge(0), Le(10)] = about(2.0, "focal: how much it looks away from what is right (S7)")
    beta: Annotated[float, Gt(0)] = about(
        1.0, "smooth-l1 and huber: where the square becomes a line, in deviations of the value (S8)"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerRecipe:
    """The optimizer by name (L4, S11); decay on weights alone (W6.1). Its settings are by rule where it is not sgd."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    name: Literal["sgd", "adam", "adamw", "nadam", "rmsprop", "adagrad", "adadelta", "muon", "schedule-free"] = about(
        "sgd", "how a gradient moves the weights"
    )
    batch_size: Annotated[int, Ge(2)] = about(256, "samples per step; by rule smaller for small data sets")
    lr: Annotated[float, Gt(0)] = about(0.375, "peak learning rate; by rule of the optimizer and the batch size (W4.3)")
    momentum: Annotated[float, Ge(0), Lt(1)] = about(
        0.85, "momentum, Nesterov's form in sgd and muon; the first beta of the Adam family"
    )
    weight_decay: Annotated[float, Ge(0)] = about(1.33e-3, "decay of weights; never of norms and biases")
    norm_bias_lr: Annotated[float, Gt(0)] = about(64.0, "rate of norms and biases, as a multiple of lr")
    other_lr: Annotated[float, Ge(0)] = about(
        0.0, "muon: rate of what is no hidden weight (first and last layer, norms, biases); 0: 0.015 of lr"
    )
    clip_norm: Annotated[float, Ge(0)] = about(0.0, "longest gradient, longer ones are scaled back to it; 0: any")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRecipe:
    """The learning rate over the time that the train stage has (S9, S10), known before the run (K3.4)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    name: Literal["linear", "cosine", "constant", "step", "multi-step", "polynomial", "one-cycle", "plateau"] = about(
        "linear", "course of the rate after the warm-up"
    )
    warmup: Annotated[float, Ge(0), Lt(1)] = about(
        0.23, "share of the stage over which the rate rises (S9); one-cycle: where its peak is"
    )
    start: Annotated[float, Ge(0), Le(1)] = about(0.2, "rate of the first step, as a share of the peak")
    final: Annotated[float, Ge(0), Le(1)] = about(
        0.07, "rate at the end, as a share of the peak; plateau: it never falls below"
    )
    power: Annotated[float, Gt(0)] = about(2.0, "polynomial: exponent of what is left of the stage")
    divide_by: Annotated[float, Gt(1)] = about(
        5.0, "step, multi-step, plateau: what the rate is divided by, each time (W4.3: 2 or 5)"
    )
    every: Annotated[float, Gt(0), Lt(1)] = about(0.3, "step: share of the stage between two divisions")
    at: tuple[Annotated[float, Gt(0), Lt(1)], ...] = about(
        (0.5, 0.75), "multi-step: the shares of the stage at which the rate is divided"
    )
    patience: Annotated[int, Ge(0)] = about(
        3, "plateau: looks at the validation split in a row that may fail to improve before the rate is divided"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragingRecipe:
    """The average of the weights over time that is evaluated and saved (K6.1)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    name: Literal["ema", "swa", "none"] = about(
        "ema", "ema: follows the run; swa: the mean over its last part; none: the last weights"
    )
    decay: Annotated[float, Ge(0), Lt(1)] = about(
        0.99, "ema: share of the average that a step leaves in place; 0: none"
    )
    start: Annotated[float, Ge(0), Lt(1)] = about(0.75, "swa: share of the stage before the mean begins")


@dataclass(frozen=True, slots=True, kw_only=True)
class PenaltyRecipe:
    """What keeps weights small or few, beside the decay of the optimizer; never of norms and biases (W6.1, K4.8)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    l1: Annotated[float, Ge(0)] = about(0.0, "strength of the sum of sizes; with l2 an elastic net (W6.2)")
    l2: Annotated[float, Ge(0)] = about(
        0.0, "strength of half the sum of squares, in the loss: coupled, where weight_decay is the optimizer's (W6.1)"
    )
    proximal: bool = about(True, "l1: pull weights to 0 after each step, where they stay, not through the loss")  # noqa: FBT003
    max_norm: Annotated[float, Ge(0)] = about(
        0.0, "longest vector of weights that comes into a unit, 3 or 4 is usual; 0: any (W6.3)"
    )
