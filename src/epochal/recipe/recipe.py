"""The recipe: a frozen value that fully says how to train.

Every field has a default that is sound without measuring anything; stages replace some of them by what they
measured, and what the user sets stays as it is. `recipe.toml` says of each value which of the three it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt

from epochal.recipe.field import CLOSED, about
from epochal.recipe.learning import AveragingRecipe, LossRecipe, OptimizerRecipe, PenaltyRecipe, ScheduleRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRecipe:
    """What is learned from, and how it is split."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    image_size: Annotated[int, Ge(8), Le(512)] = about(
        64, "side of the square network input in pixels; by rule from the images' sizes (W4.1)"
    )
    validation_fraction: Annotated[float, Gt(0), Lt(0.5)] = about(
        0.1, "share of train carved off when there is no val folder"
    )
    test_fraction: Annotated[float, Gt(0), Lt(0.5)] = about(0.1, "share carved off when there is no test folder")
    sampling: Literal["none", "balanced", "square-root"] = about(
        "none", "how often classes are drawn in training: as they are, all alike, or half-way; answers suit that (W9)"
    )
    period: Annotated[float, Ge(-1)] = about(
        0.0, "length of the circle on which values lie, as 360 for degrees; 0: by a measurement; -1: no circle"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRecipe:
    """The first network: small, proven, nothing added (K3.1, K3.2, K3.4, K2.2)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    lr: Annotated[float, Gt(0)] = about(3e-4, "Adam's learning rate, constant (K3.2, K3.4)")
    batch_size: Annotated[int, Ge(2)] = about(128, "samples per step")
    budget_share: Annotated[float, Gt(0), Lt(1)] = about(0.025, "share of the budget for the baseline network")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRecipe:
    """The network that the train stage fits."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    name: Literal["auto", "resnet", "encoder-decoder"] = about(
        "auto", "the family of networks; auto: residual, with a decoder where each pixel is answered for (K3.1)"
    )
    head: Literal["fpn", "ppm", "aspp", "pan", "spp", "none"] = about(
        "fpn", "how an encoder-decoder joins its scales (L3, S1 to S5)"
    )
    width: Annotated[int, Ge(4), Le(1024)] = about(
        64, "channels of the first residual stage; by rule from images and budget"
    )
    depth: Annotated[int, Ge(1), Le(8)] = about(1, "convolutions in the residual block of each stage")
    norm: Literal["auto", "batch", "group", "layer", "layer_per_pixel", "instance", "by-batch-size"] = about(
        "auto", "normalisation; auto: over the batch; by-batch-size: over the batch where it holds 10 or more (L1)"
    )
    activation: Literal["relu", "leaky_relu", "prelu", "rrelu", "sigmoid", "tanh"] = about(
        "relu", "what stands behind each normalisation (W5.1, W5.2, W5.3)"
    )
    initialization: Literal["default", "zeros", "small", "calibrated", "xavier", "he", "data-dependent"] = about(
        "default", "where weights begin; default: as the identity; zeros: to see that it fails (W3.1 to W3.4, S12)"
    )
    dropout: Annotated[float, Ge(0), Lt(1)] = about(0.0, "share of features dropped before the last layer (S16)")
    spatial_dropout: Annotated[float, Ge(0), Lt(1)] = about(0.0, "share of channels dropped between stages (L2)")
    drop_path: Annotated[float, Ge(0), Lt(1)] = about(
        0.0, "chance that the last residual block is skipped, less for earlier ones (S17)"
    )
    separable: bool = about(False, "convolutions in two steps, over space and over channels (L9, S6)")  # noqa: FBT003
    start: str = about(
        "", "weights to begin from: a run folder, a model file, or LIBRARY:NAME of timm, torchvision or transformers"
    )
    strategy: Literal["auto", "linear", "last-layers", "many-layers", "svm"] = about(
        "auto", "what of them is trained; by rule from their measured fit and the number of images (W4.4)"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformsRecipe:
    """Augmentation in the train stage (W1.1, K4.2)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    flip: bool = about(True, "mirror left and right; off where a measurement says that mirroring changes the class")  # noqa: FBT003
    crop_padding: Annotated[int, Ge(0), Le(64)] = about(
        2, "pixels by which a crop may be shifted; by rule from the image size"
    )
    names: tuple[str, ...] = about((), 'more of them by name, in this order, such as ["hsv-jitter", "mixup"] (K4.3)')
    strength: Annotated[float, Gt(0), Le(4)] = about(1.0, "how strong the named ones are; 1: as their papers have it")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreprocessingRecipe:
    """What is done to pixels before the network sees them, by statistics of the training split alone."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    name: Literal["standardize", "center", "minus-one-to-one", "pca-whitening", "zca"] = about(
        "standardize", "mean 0 and deviation 1 for each channel, or another preparation by name (W2.1 to W2.4)"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeRecipe:
    """How the arithmetic is done; `auto` is settled by a short measurement."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    device: Literal["auto", "cpu", "cuda", "mps"] = about("auto", "where the network runs (L7)")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = about("auto", "number format of the forward pass")
    threads: Annotated[int, Ge(0)] = about(0, "CPU threads; 0: every core that this process may use")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides a run, beside the data themselves.

    >>> recipe = Recipe()
    >>> recipe.replace({"optimizer.lr": 0.2}).optimizer.lr
    0.2
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    task: Literal["auto", "classification", "multi-label", "regression", "segmentation"] = about(
        "auto", "what a target is; auto: from what the data look like"
    )
    seed: Annotated[int, Ge(0), Lt(2**31)] = about(0, "all randomness follows from it (K2.1)")
    budget_seconds: Annotated[float, Gt(0)] = about(300.0, "wall-clock seconds for everything")
    data: DataRecipe = field(default_factory=DataRecipe)
    baseline: BaselineRecipe = field(default_factory=BaselineRecipe)
    network: NetworkRecipe = field(default_factory=NetworkRecipe)
    loss: LossRecipe = field(default_factory=LossRecipe)
    optimizer: OptimizerRecipe = field(default_factory=OptimizerRecipe)
    schedule: ScheduleRecipe = field(default_factory=ScheduleRecipe)
    preprocessing: PreprocessingRecipe = field(default_factory=PreprocessingRecipe)
    transforms: TransformsRecipe = field(default_factory=TransformsRecipe)
    averaging: AveragingRecipe = field(default_factory=AveragingRecipe)
    penalty: PenaltyRecipe = field(default_factory=PenaltyRecipe)
    runtime: RuntimeRecipe = field(default_factory=RuntimeRecipe)

    def replace(self, changes: Mapping[str, Any]) -> Recipe:
        """Give this recipe with dotted keys changed, as in `{"network.width": 64}`."""
        recipe = self
        for key, value in changes.items():
            table, _, name = key.rpartition(".")
            part = dataclasses.replace(getattr(recipe, table), **{name: value}) if table else value
            recipe = dataclasses.replace(recipe, **{table or name: part})
        return recipe

    def items(self) -> Iterator[tuple[str, Any]]:
        """Every dotted key with its value."""
        for each in fields_of(Recipe):
            yield each.key, self[each.key]

    def __getitem__(self, key: str) -> Any:
        """The value of a dotted key."""
        value: Any = self
        for name in key.split("."):
            value = getattr(value, name)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeField:
    """One key of the recipe, for documentation and for `recipe.toml`."""

    key: str
    kind: Any
    default: Any
    about: str


def fields_of(kind: type, *, above: str = "") -> Iterator[RecipeField]:
    """Every key that a recipe has, tables opened, in the order in which they are written."""
    hints = {name: each for name, each in _hints(kind).items() if not name.startswith("_")}
    for each in dataclasses.fields(kind):
        inner = hints[each.name]
        if dataclasses.is_dataclass(inner):
            assert isinstance(inner, type)
            yield from fields_of(inner, above=f"{above}{each.name}.")
        else:
            yield RecipeField(key=above + each.name, kind=inner, default=each.default, about=each.metadata["about"])


def _hints(kind: type) -> dict[str, Any]:
    from typing import get_type_hints

    return get_type_hints(kind, include_extras=True)
