"""The settings with which each optimizer is usually begun, and where they come from."""

from collections.abc import Mapping
from dataclasses import dataclass

from epochal.errors import SettingError
from epochal.optim.scaling import ScalingRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """Where to begin with an optimizer, for a mean loss over batches of `batch_size`.

    `momentum` is that of sgd, rmsprop and muon and the first beta of the Adam family; None where there is none to set.
    `rule` carries the rate to other batch sizes; None where steps do not grow with the batch's gradient.
    """

    lr: float
    weight_decay: float
    momentum: float | None
    rule: ScalingRule | None
    source: str
    batch_size: int = 256


_USUAL: Mapping[str, Usual] = {
    "sgd": Usual(
        lr=0.1, weight_decay=5e-4, momentum=0.9, rule="linear", source="W4.3, L5; He et al. 2016, Goyal et al. 2017"
    ),
    "adam": Usual(lr=1e-3, weight_decay=0.0, momentum=0.9, rule="root", source="L5; Kingma and Ba 2015, algorithm 1"),
    "adamw": Usual(
        lr=1e-3, weight_decay=0.05, momentum=0.9, rule="root", source="L5; Loshchilov and Hutter 2019, Liu et al. 2022"
    ),
    "nadam": Usual(lr=2e-3, weight_decay=0.0, momentum=0.9, rule="root", source="Dozat 2016; torch"),
    "rmsprop": Usual(lr=1e-3, weight_decay=0.0, momentum=0.0, rule="root", source="L5; Tieleman and Hinton 2012"),
    "adagrad": Usual(lr=1e-2, weight_decay=0.0, momentum=None, rule="root", source="Duchi et al. 2011; torch"),
    "adadelta": Usual(lr=1.0, weight_decay=0.0, momentum=None, rule=None, source="Zeiler 2012, which has no rate"),
    "muon": Usual(lr=0.02, weight_decay=0.01, momentum=0.95, rule=None, source="Jordan 2024"),
    "schedule-free": Usual(
        lr=2.5e-3, weight_decay=0.05, momentum=0.9, rule="root", source="Defazio et al. 2024, section 4.4"
    ),
}


def usual(name: str) -> Usual:
    """Look up the usual settings of the optimizer `name`.

    Raises: SettingError for a name that is not there.  Source: tips L4, L5, W4.3; each entry names its own.

    >>> usual("muon").momentum
    0.95
    """
    if name not in _USUAL:
        raise SettingError.unknown("optimizer", name, known=_USUAL)
    return _USUAL[name]


def default_lr(name: str) -> float:
    """Look up the rate at which training from scratch with the optimizer `name` is begun, at batches of 256.

    Adam's is L5's 1e-3 for training from scratch; the baseline stage has K3.2's 3e-4, which is meant to be safe rather
    than fast. For fine-tuning L5 asks for less than 1e-3.

    Raises: SettingError for a name that is not there.  Source: tips L5, K3.2, W4.3.

    >>> default_lr("sgd"), default_lr("adamw")
    (0.1, 0.001)
    """
    return usual(name).lr
