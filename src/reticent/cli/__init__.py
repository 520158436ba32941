"""The command line: one file per command, and the only place that prints.

Promise: exit code 0 when the command did what it was asked, otherwise the code of the error (`reticent.errors`), one
sentence on what went wrong and one on how to mend it, and nothing half-written; 70 for an error in reticent itself.
Results go to standard output, all else to standard error; colour and progress bars appear on a terminal only.
"""

from __future__ import annotations

import sys
import traceback
import warnings

import typer
import typer.core

from reticent.cli import (
    anonymise,
    audit,
    data,
    demo,
    duplicates,
    manifest,
    minimise,
    reidentify,
    reidentify_linkage,
    scan,
    synthetic,
)
from reticent.cli._output import fail
from reticent.errors import MissingExtra, ReticentError

__all__ = ["app", "main"]

typer.core.HAS_RICH = False  # else help without markup shows "\\[required]", escaped for markup

app = typer.Typer(
    name="reticent",
    help="Find out what a neural network gives away about its training data, and train it so that it does not.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.add_typer(data.app, name="data")
app.command("scan")(scan.scan)
app.command("duplicates")(duplicates.duplicates)
app.add_typer(minimise.app, name="minimise")
app.command("anonymise")(anonymise.anonymise)
reidentify.app.command("linkage")(reidentify_linkage.linkage)
app.add_typer(reidentify.app, name="reidentify")
app.command("synthetic")(synthetic.synthetic)
app.add_typer(manifest.app, name="manifest")
app.command("audit")(audit.audit)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        from reticent import __version__

        typer.echo(f"reticent {__version__}")
        raise typer.Exit


def _warned(message: Warning | str, category: type[Warning], *_where: object, **_more: object) -> None:
    """Warnings of reticent as sentences; of others with their kind."""
    typer.echo(f"{'warning' if category is UserWarning else category.__name__}: {message}", err=True)


def main() -> None:
    """Run the command line; every error that reticent raises on purpose becomes its exit code."""
    warnings.showwarning = _warned
    try:
        app(standalone_mode=True)
    except ReticentError as error:
        sys.exit(fail(error))
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "sklearn", "joblib"):
            raise
        sys.exit(fail(MissingExtra(error.name, "lab", "This command")))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception:  # Python's own exit code for these is 1, which here says that a limit was exceeded
        traceback.print_exc()
        typer.echo(
            "This is an error in reticent, and nothing was decided. Please report it with the lines above.", err=True
        )
        sys.exit(70)
