"""A run's whole state as one value: where it is, and every part of it that learns or counts."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from epochal.errors import CheckpointError
from epochal.training.loop import Position


class Stateful(Protocol):
    """What can be saved and resumed: a model, an optimizer, an average, a pace, a loss scaler."""

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on."""

    def load_state_dict(self, state: dict[str, Any], /) -> Any:
        """Go on from there."""


def capture(position: Position, parts: Mapping[str, Stateful]) -> dict[str, Any]:
    """Gather the state of a run after a step; hand it to `checkpoint.save`.

    >>> from epochal.training.pace import FixedSteps
    >>> capture(Position(step=1), {"pace": FixedSteps(3)})["position"]
    {'step': 1, 'epoch': 0, 'batch': 0}
    """
    return {"position": asdict(position), "parts": {name: part.state_dict() for name, part in parts.items()}}


def restore(state: Mapping[str, Any], parts: Mapping[str, Stateful]) -> Position:
    """Put a gathered state back into its parts; gives the position from which `train` goes on.

    Raises: CheckpointError where the state lacks a part, has one too many, or holds another network's weights.

    >>> from epochal.training.pace import FixedSteps
    >>> saved, pace = capture(Position(step=1), {"pace": FixedSteps(3)}), FixedSteps(3)
    >>> restore(saved, {"pace": pace})
    Position(step=1, epoch=0, batch=0)
    """
    saved = state.get("parts", {})
    if set(saved) != set(parts) or "position" not in state:
        raise _foreign(f"The saved state has the parts {sorted(saved)}.", expected=f"{sorted(parts)}.")
    for name, part in parts.items():
        try:
            part.load_state_dict(saved[name])
        except (RuntimeError, ValueError, KeyError) as error:
            raise _foreign(
                f"The saved {name} does not fit: {error}", expected=f"the state of the same {name}."
            ) from error
    return Position.read(state["position"])


def _foreign(happened: str, *, expected: str) -> CheckpointError:
    return CheckpointError(
        happened, expected=expected, remedy="resume with the recipe that the run began with, or start a new run."
    )
