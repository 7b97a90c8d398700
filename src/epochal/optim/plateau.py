"""A rate that falls when the validation score stops improving: the one schedule that must look at the run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from epochal.errors import SettingError
from epochal.optim.schedule import Schedule, constant

Better: TypeAlias = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateauRule:
    """When the rate is divided, and by how much.

    `patience` is how many values in a row may fail to improve; one more divides. A value improves when it beats the
    best so far by more than `margin` times the best's size. After a division `cooldown` values are not counted. The
    factor never falls below `smallest`.

    Raises: SettingError for values with which the rate would not fall, or at once.
    Source: tips W4.3 (divide by 2 or 5), S10; the rule is that of torch's ReduceLROnPlateau.

    >>> PlateauRule(divide_by=5).patience
    5
    """

    divide_by: float = 2.0
    patience: int = 5
    better: Better = "lower"
    margin: float = 1e-4
    cooldown: int = 0
    smallest: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a rule that cannot work."""
        fine = self.divide_by > 1 and self.patience >= 0 and self.cooldown >= 0
        if (
            not fine
            or not 0 <= self.margin < 1
            or not 0 <= self.smallest <= 1
            or self.better not in {"lower", "higher"}
        ):
            raise SettingError(
                f"{self}.",
                expected="divide_by above 1, patience and cooldown 0 or more, margin in [0, 1), smallest in [0, 1].",
                remedy="PlateauRule() divides by 2 after 6 values without improvement.",
            )


def plateau_factor(values: Sequence[float], *, rule: PlateauRule | None = None) -> float:
    """Factor on the rate after these validation values, from the first to the last: 1, then divided at each plateau.

    A pure function of the history: it can be drawn, and resumed from a saved history alone. A NaN improves nothing.

    Raises: SettingError as `PlateauRule`.  Source: tips W4.3, S10.

    >>> rule = PlateauRule(divide_by=5, patience=1)
    >>> plateau_factor([1.0, 0.9, 0.9], rule=rule), plateau_factor([1.0, 0.9, 0.9, 0.9], rule=rule)
    (1.0, 0.2)
    """
    rule = rule or PlateauRule()
    sign = 1.0 if rule.better == "lower" else -1.0
    best, failed, resting, factor = math.inf, 0, 0, 1.0
    for value in values:
        improved = sign * value < best - (rule.margin * abs(best) if math.isfinite(best) else 0.0)
        best = sign * value if improved else best
        failed = 0 if improved or resting else failed + 1
        resting = max(0, resting - 1)
        if failed > rule.patience:
            factor = max(factor / rule.divide_by, rule.smallest)
            failed, resting = 0, rule.cooldown
    return factor


@dataclass(slots=True, kw_only=True)
class Plateau:
    """A schedule that falls where validation stalls: `schedule(progress)` times `plateau_factor` of what was observed.

    `schedule` carries a warm-up or a final fall. Values observed before the point `since` of progress are not judged:
    during a warm-up nothing has stalled yet.

    Raises: SettingError as `PlateauRule`.  Source: tips W4.3, S9, S10.

    >>> rate = Plateau(rule=PlateauRule(divide_by=2, patience=0))
    >>> rate.observe(0.7); rate.observe(0.7); rate(0.5)
    0.5
    """

    rule: PlateauRule = field(default_factory=PlateauRule)
    schedule: Schedule = field(default_factory=constant)
    since: float = 0.0
    values: list[float] = field(default_factory=list)

    def observe(self, value: float, *, progress: float = 1.0) -> None:
        """Take in one validation value, measured at `progress`."""
        if progress >= self.since:
            self.values.append(float(value))

    def __call__(self, progress: float) -> float:
        """Factor on the base rate at this point of the run, by what has been observed so far."""
        return self.schedule(progress) * plateau_factor(self.values, rule=self.rule)

    def state_dict(self) -> dict[str, list[float]]:
        """What to save: the values that were observed."""
        return {"values": list(self.values)}

    def load_state_dict(self, state: dict[str, list[float]]) -> None:
        """Go on from saved values."""
        self.values = list(state["values"])
