"""The command line: each command a few lines over `stages`, which are imported only when it runs."""

import errno
import io
import os
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from epochal import __version__
from epochal.errors import EpochalError

STARTED = time.monotonic()  # the budget counts from here: importing torch is part of it
INTERRUPTED = 130  # what a shell reports for a process ended by Ctrl-C
_MENDABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EACCES, errno.EPERM, errno.EROFS}

app = typer.Typer(
    name="epochal",
    help="Train a network on your images by the practitioners' guides: every step done, checked and measured.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: `epochal run digits` (bundled, no download), then `epochal run photos/ --budget 10m`.",
)


class ExportFormat(StrEnum):
    """What `epochal export` can write."""

    ONNX = "onnx"
    TORCH = "torch"


class TableFormat(StrEnum):
    """What `epochal predict` can write."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, as in runs/digits.")]
TaskOption = Annotated[
    str | None,
    typer.Option(
        help="What a target is: classification, multi-label, regression or segmentation.  [default: from the data]"
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]


def _version(*, value: bool) -> None:
    if value:
        typer.echo(f"epochal {__version__}")
        raise typer.Exit


@app.callback()
def epochal(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The practitioners' guides to training deep networks, made executable."""


@app.command()
def run(  # noqa: PLR0913 - each is an option of the command line; a test freezes the set
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A folder with one sub-folder per class, a table of targets, or masks; a zip of one; or 'digits'.",
        ),
    ],
    *,
    budget: Annotated[
        str | None, typer.Option("--budget", "-b", help="Time for everything: 90s, 10m, 1h30m.  [default: 5m]")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Run folder.  [default: runs/NAME]")] = None,
    seed: Annotated[int | None, typer.Option(help="All randomness follows from it.  [default: 0]")] = None,
    task: TaskOption = None,
    image_size: Annotated[
        int | None, typer.Option(help="Side of the network's input in pixels.  [default: from the images]")
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe.toml with any of its keys.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set one key of the recipe; repeatable.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew even if the same run exists.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Take a folder of images through the whole recipe; leave a trained, checked, explained model.

    The same command continues an interrupted run where it stopped.

    Examples:
        epochal run digits

        epochal run photos/ --budget 10m

        epochal run cifar10.zip --budget 10m --set network.width=64

    """
    from epochal.recipe.config import settle
    from epochal.recipe.duration import parse_duration
    from epochal.stages.progress import choose_progress
    from epochal.stages.walk import start

    options = {
        "budget_seconds": None if budget is None else parse_duration(budget),
        "seed": seed,
        "task": task,
        "data.image_size": image_size,
    }
    settings = settle(file=recipe, overrides=overrides or (), options=options)
    outcome = start(source, settings, out=out, fresh=fresh, progress=choose_progress(quiet=quiet), started=STARTED)
    raise typer.Exit(outcome.exit_code)


@app.command()
def predict(
    run_folder: RunArgument,
    images: Annotated[Path, typer.Argument(help="An image, a folder of images at any depth, or a zip.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Table (.csv, .json, .parquet) or folder to write.  [default: standard output]"
        ),
    ] = None,
    table: Annotated[
        TableFormat | None, typer.Option("--format", help="csv, json or parquet.  [default: from --output, else csv]")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Say of each image what the run has learned: its class, its labels, its values, or the mask of its classes.

    Unreadable files are listed with what is wrong with them; they never stop the rest. Masks need a folder: the table
    then lies in it as predictions.csv, the masks under masks/ with the names of their images.

    Examples:
        epochal predict runs/photos new_images/ --output predictions.csv

        epochal predict runs/streets drive.zip --output drive/

    """
    from epochal.stages.predict import predict_files
    from epochal.stages.prediction_table import destination, write_table
    from epochal.stages.progress import choose_progress

    where = destination(output, kind=table.value if table else None)
    progress = choose_progress(quiet=quiet, stream=sys.stderr)
    rows = predict_files(run_folder, images, output=where.folder, progress=progress)
    write_table(rows, where)


@app.command()
def report(run_folder: RunArgument) -> None:
    """Draw report.html again, from the journal alone."""
    from epochal.stages.folder import existing_run
    from epochal.stages.report import write_report

    folder = existing_run(run_folder)
    write_report(folder)
    typer.echo(f"Wrote {folder.report}")


@app.command()
def export(
    run_folder: RunArgument,
    *,
    kind: Annotated[
        ExportFormat, typer.Option("--format", help="onnx, or torch for a torch.export program.")
    ] = ExportFormat.ONNX,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write.  [default: RUN/model.onnx or RUN/model.pt2]")
    ] = None,
) -> None:
    """Write the model for use without epochal, and check that it gives the same outputs."""
    from epochal.stages.export import export_model

    exported = export_model(run_folder, kind=kind.value, output=output)
    typer.echo(f"Wrote {exported.path}")
    difference = f"{exported.difference:.1e} (allowed {exported.allowed:.0e})"
    number = exported.output.removesuffix("s")
    typer.echo(f"Checked on {exported.samples} images: largest difference of a {number} {difference}")


@app.command()
def check(
    target: Annotated[str, typer.Argument(metavar="PROGRAM", help="MODULE:FUNCTION or FILE.py:FUNCTION.")],
    *,
    kind: Annotated[str, typer.Option("--format", help="text, json, sarif or junit.")] = "text",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File.  [default: standard output]")] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="RULE", help="Leave a rule out; repeatable.")
    ] = None,
    select: Annotated[
        list[str] | None, typer.Option("--select", metavar="RULE", help="Ask this rule only; repeatable.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.0, help="Time for the trials of learning.")] = 10.0,
) -> None:
    """Check your own PyTorch program before its first step: data, model, loss and optimizer.

    The function takes no arguments and returns a dict with any of `model`, `data` (or `batch`, `train`, `validation`),
    `loss`, `optimizer`, or an object with such attributes. Nothing of it is changed. Ends with 3 if an error is found.

    Example:
        epochal check my_package.training:build --format sarif --output epochal.sarif

    """
    from epochal.stages.check import check_program, parts_of
    from epochal.stages.check_output import check_format, rendered
    from epochal.stages.check_target import build

    check_format(kind)
    report = check_program(parts_of(build(target)), seconds=seconds, ignore=ignore or (), select=select or ())
    told = rendered(report, kind, target=target)
    if output is None:
        typer.echo(told)
    else:
        output.write_text(told, encoding="utf-8")
    raise typer.Exit(0 if report.ok else 3)


@app.command()
def explain(
    name: Annotated[
        str | None, typer.Argument(metavar="RULE", help="Name or code of a rule.  [default: list all]")
    ] = None,
) -> None:
    """Tell what a rule looks for, why it matters, when it speaks, and what to do."""
    from epochal.stages.explain import explain as page
    from epochal.stages.explain import listing

    typer.echo(listing() if name is None else page(name))


@app.command()
def doctor(
    *,
    tests: Annotated[
        bool, typer.Option("--tests/--no-tests", help="Also run the engine's equality tests here (about 15 s).")
    ] = True,
) -> None:
    """Print what epochal will use on this machine and why, and prove its engine here."""
    from epochal.stages.doctor import examine_machine

    healthy = examine_machine(say=typer.echo, tests=tests)
    raise typer.Exit(0 if healthy else 3)


def main() -> None:
    """The entry point: errors become three lines and an exit code, never a traceback."""
    from epochal.training.threads import wait_politely

    wait_politely()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file may be called what this terminal cannot spell
    try:
        app()
    except EpochalError as error:
        _complain(error.happened, expected=error.expected, remedy=error.remedy)
        sys.exit(error.exit_code)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:  # typer turns Ctrl-C into this
            _complain("Interrupted.", expected="", remedy="the same command continues where this one stopped.")
        raise
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader of our output has gone, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        if error.errno not in _MENDABLE:
            raise
        place = f" ({error.filename})" if error.filename else ""
        _complain(
            f"{error.strerror}{place}.",
            expected="room and permission to write.",
            remedy="mend that; the same command then continues the run.",
        )
        sys.exit(2)


def _complain(happened: str, *, expected: str, remedy: str) -> None:
    lines = [f"epochal: {happened}"]
    if expected:
        lines.append(f"  expected:   {expected}")
    lines.append(f"  what to do: {remedy}")
    sys.stderr.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
