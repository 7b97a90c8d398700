"""What a residual network is made of, by name: normalisation, activation, where weights begin, what is dropped.

The defaults are the network's own, each measured (`docs/decisions/network.md`); the others are the guides' building
blocks, to be compared with them in one line of a recipe.
"""

import warnings
from dataclasses import dataclass

from torch import nn

from epochal.errors import SettingError
from epochal.layers.activation import ACTIVATIONS, activation
from epochal.layers.convolution import separable
from epochal.layers.initialization import identity_
from epochal.layers.normalization import NORMS, BatchNorm2d, normalization
from epochal.layers.scaling import initialize_

INITIALIZATIONS = ("default", "zeros", "small", "calibrated", "xavier", "he", "data-dependent")
POOLS = ("early", "late")

# Weight of the new batch in the running statistics. Short trainings change the weights quickly, so the statistics must
# follow; torch's 0.1 lags by ten steps (docs/decisions/network.md).
_NORM_MOMENTUM = 0.4
_RULES = {"small": "gaussian", "data-dependent": "he"}  # the latter until the data have been seen


class Norm(BatchNorm2d):
    """Batch normalisation with a bias and no scale to learn: the convolution behind it has one.

    Source: hlb-CIFAR10 (Balsam 2023); Jordan 2024.

    >>> [name for name, p in Norm(4).named_parameters() if p.requires_grad]
    ['bias']
    """

    def __init__(self, channels: int) -> None:
        """Freeze the scale at one."""
        super().__init__(channels, momentum=_NORM_MOMENTUM)
        self.weight.requires_grad_(False)  # noqa: FBT003  torch's positional flag


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a residual network, by name.

    `norm` "auto" is batch normalisation, as is "batch"; all have a bias and no scale to learn. `initialization`
    "default" lets convolutions begin as the identity; "data-dependent" scales them once images are seen. `dropout` acts
    on the features before the last layer, `spatial_dropout` on channels between stages, `drop_path` skips residual
    blocks, the last with this probability and earlier ones less. `separable` parts convolutions into space and
    channels; `pool` "early" pools before normalisation, "late" after the activation, which costs more.

    Raises: SettingError for unknown names and for shares outside [0, 1).
    Source: tips L1, S14, W5.1, W5.2, W5.3, W3.1, W3.2, W3.3, W3.4, S12, S16, L2, S17, L9, S6, L8.

    >>> Parts(norm="group", activation="leaky_relu").norm_of(8)
    GroupNorm(4, 8, eps=1e-05, affine=True...)
    """

    norm: str = "auto"
    activation: str = "relu"
    initialization: str = "default"
    dropout: float = 0.0
    spatial_dropout: float = 0.0
    drop_path: float = 0.0
    separable: bool = False
    pool: str = "early"

    def __post_init__(self) -> None:
        """Refuse names that are none, and shares that leave nothing."""
        for what, name, known in (
            ("normalisation", self.norm, ("auto", *NORMS)),
            ("activation", self.activation, ACTIVATIONS),
            ("initialisation", self.initialization, INITIALIZATIONS),
            ("order of pooling", self.pool, POOLS),
        ):
            if name not in known:
                raise SettingError.unknown(what, name, known=known)
        for what in ("dropout", "spatial_dropout", "drop_path"):
            if not 0 <= getattr(self, what) < 1:
                raise SettingError(
                    f"{what} is {getattr(self, what)}.", expected="0 or more, below 1.", remedy="0.1, or leave it out."
                )

    def norm_of(self, channels: int) -> nn.Module:
        """Make the normalisation of maps with `channels` channels: a bias, and no scale to learn."""
        if self.norm in {"auto", "batch"}:
            return Norm(channels)
        made = normalization(self.norm, channels)
        assert isinstance(made.weight, nn.Parameter)
        made.weight.requires_grad_(False)  # noqa: FBT003  torch's positional flag
        return made

    def activation_of(self, channels: int) -> nn.Module:
        """Make the activation; PReLU learns a slope for each channel."""
        if self.activation == "relu":
            return nn.ReLU(inplace=True)
        return activation(self.activation, channels=channels)

    def convolution_of(self, channels_in: int, channels_out: int) -> nn.Module:
        """Make a 3x3 convolution that keeps the size of maps; by default it begins as the identity."""
        if self.separable:
            halves = separable(channels_in, channels_out, bias=False)
            if self.initialization == "default":
                identity_(halves.pointwise)
            return halves
        convolution = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        if self.initialization == "default":
            identity_(convolution)
        return convolution

    def initialize_(self, *layers: nn.Module) -> None:
        """Fill all weights of `layers` by the rule that is named; "default" leaves them as they are. In place.

        >>> layer = nn.Linear(4, 2)
        >>> Parts(initialization="zeros").initialize_(layer)
        >>> int(layer.weight.count_nonzero())
        0
        """
        if self.initialization == "default":
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # who asks for zeros by name knows that units stay alike
            for layer in layers:
                initialize_(layer, _RULES.get(self.initialization, self.initialization), activation=self.activation)
