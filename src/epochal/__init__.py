"""The practitioners' guides to training deep networks, made executable.

    import epochal

    outcome = epochal.run("photos/", budget="10m")
    print(outcome.result["value"], outcome.folder.report)
    epochal.predict("runs/photos", "new_images/")

Names are resolved on first use: importing epochal imports neither torch nor numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from epochal.api import check, export, predict, redraw, run
    from epochal.errors import EpochalError
    from epochal.findings import Finding, Rule, Severity, rule
    from epochal.history import History
    from epochal.recipe.recipe import Recipe

__version__ = "0.1.0"

_HOME = {
    "EpochalError": "epochal.errors",
    "Finding": "epochal.findings",
    "History": "epochal.history",
    "Recipe": "epochal.recipe.recipe",
    "Rule": "epochal.findings",
    "Severity": "epochal.findings",
    "check": "epochal.api",
    "export": "epochal.api",
    "predict": "epochal.api",
    "redraw": "epochal.api",
    "rule": "epochal.findings",
    "run": "epochal.api",
}

__all__ = [
    "EpochalError",
    "Finding",
    "History",
    "Recipe",
    "Rule",
    "Severity",
    "__version__",
    "check",
    "export",
    "predict",
    "redraw",
    "rule",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        message = f"module 'epochal' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
