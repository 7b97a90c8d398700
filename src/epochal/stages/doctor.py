"""What epochal will use on this machine and why, and whether its engine keeps its promises here."""

from __future__ import annotations

from collections.abc import Callable

from epochal.ensembles import selftest as ensembles
from epochal.stages.runtime import measure_runtime
from epochal.stages.session import machine, versions
from epochal.training import selftest as engine
from epochal.training.selftest import prove


def examine_machine(*, say: Callable[[str], object], tests: bool = True) -> bool:
    """Print environment, choices with their reasons, and the results of the engine's equality tests.

    False if one of the tests failed.
    """
    say("Environment")
    for name, value in {**machine(), **versions()}.items():
        say(f"  {name:<12} {value}")
    say("\nWhat a run will use here")
    choice = measure_runtime(image_size=32, channels=3, classes=10, seconds=6.0)
    for name, value in choice.runtime.describe().items():
        say(f"  {name:<14} {value}")
    say(f"  {choice.reason}")
    for trial in choice.trials:
        speed = (
            "not sound"
            if trial.seconds_per_step is None
            else f"{choice.samples / trial.seconds_per_step:,.0f} images/s"
        )
        layout = "channels last" if trial.runtime.channels_last else "channels first"
        optimizer = "fused" if trial.runtime.fused else "plain"
        how = f"{trial.runtime.precision}, {layout}, {optimizer} optimizer, {trial.runtime.threads} thread(s)"
        rounding = f"rounding {trial.rounding:.2f} of the batch's noise"
        say(f"    {how}: {speed}; {rounding} {trial.note}".rstrip())
    return _prove(say) if tests else True


def _prove(say: Callable[[str], object]) -> bool:
    say("\nThe engine against hand-written loops, on this machine")
    promises = (*engine.PROMISES, *ensembles.PROMISES)
    failed = 0
    for each in prove(promises):
        failed += not each.held
        verdict = "ok  " if each.held else "FAIL"
        said = each.error or f"differs by {each.difference:.1e}, {each.allowed:.0e} allowed"
        say(f"  {verdict}  {each.name}: {said} ({each.seconds:.1f} s)")
    say("Please report what failed." if failed else f"All {len(promises)} hold.")
    return not failed
