"""`reticent synthetic RELEASE`: what a synthetic table gives away about the rows it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reticent.cli._reading import Header

if TYPE_CHECKING:
    from reticent.audits.synthetic import SyntheticAudit

__all__ = ["synthetic"]

GATE_FAILED = 1
NOT_RESOLVABLE = 3


def synthetic(
    release: Annotated[Path, typer.Argument(help="The synthetic table: CSV, Parquet, or what else can be read.")],
    source: Annotated[Path, typer.Option(help="The rows that it was made from.", show_default=False)],
    control: Annotated[
        Path, typer.Option(help="Rows drawn like the source that it was not made from.", show_default=False)
    ],
    reference: Annotated[
        Path | None, typer.Option(help="Rows that the attacker has.  [default: half of the control]")
    ] = None,
    secret: Annotated[
        list[str] | None, typer.Option(help="A column to be guessed; repeat for several.  [default: each in turn]")
    ] = None,
    known: Annotated[
        list[str] | None, typer.Option(help="A column that is known when guessing; repeat.  [default: all others]")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="A column that is attacked at all; repeat.  [default: all of the release]")
    ] = None,
    owner: Annotated[
        str | None, typer.Option(help="The column of source and control that says whose a row is.")
    ] = None,
    generator: Annotated[
        str | None,
        typer.Option(
            help="file.py:function that makes a table from a table and a seed: it is called on random halves."
        ),
    ] = None,
    generations: Annotated[int, typer.Option(help="Releases that the generator is called for.")] = 16,
    most: Annotated[int, typer.Option(help="Rows that are judged on each side.")] = 2000,
    level: Annotated[float, typer.Option(help="Error rate of all tests together.")] = 0.05,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit with 1 if a leak is found, with 3 if none could have been.")
    ] = False,
    detect: Annotated[
        float, typer.Option(help="With --gate: the area under the ROC curve that has to be detectable.")
    ] = 0.6,
    seed: Annotated[int | None, typer.Option(help="Make the run repeatable.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a page (.html) or the record (.json).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an output that exists.")] = False,
    header: Header = None,
    json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
) -> None:
    """Attack a synthetic table: membership, secrets, links, singling out, copies; each against a control.

    Example: reticent synthetic fake.csv --source train.csv --control heldout.csv --secret diagnosis -o synthetic.html
    """
    import sys

    from reticent import _checks
    from reticent.audits.configuration import load_object
    from reticent.audits.synthetic import audit_release
    from reticent.cli._output import bars, writable
    from reticent.data.tables import read
    from reticent.errors import UsageError
    from reticent.randomness import Randomness

    _checks.open_fraction(detect=detect)
    target = None if output is None else writable(output, (".html", ".json"))
    if target is not None and target.exists() and not force:
        raise UsageError(f"Expected an output that does not exist yet, got {str(output)!r}.", "Pass --force.")
    make = None if generator is None else load_object(generator, Path.cwd())
    tables = {
        name: read(path, header=header)
        for name, path in (("release", release), ("source", source), ("control", control))
    }
    with bars(quiet=json) as report:
        found = audit_release(
            tables["release"],
            source=tables["source"],
            control=tables["control"],
            reference=None if reference is None else read(reference, header=header),
            generator=make,
            columns=column,
            secrets=secret,
            known=known,
            owner=owner,
            name=release.name,
            randomness=Randomness.secure() if seed is None else Randomness.simulated(seed),
            level=level,
            most=most,
            generations=generations,
            progress=report,
        )
    if target is not None:
        found.save(target)
    if json:
        sys.stdout.write(found.record().to_json().decode() + "\n")
    else:
        _tell(found, target)
    if gate:
        _judge(found, detect)


def _judge(found: SyntheticAudit, detect: float) -> None:
    if found.found:
        raise typer.Exit(GATE_FAILED)
    if not found.fair or found.power.area > detect:
        raise typer.Exit(NOT_RESOLVABLE)


def _tell(found: SyntheticAudit, target: Path | None) -> None:
    from rich.table import Table

    from reticent.cli._output import output
    from reticent.reports.synthetic import lines, sentences

    body: dict[str, Any] = found.as_dict()
    for sentence in sentences(body):
        output.print(sentence + "\n", markup=False, soft_wrap=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("attack", "on members", "on controls or without", "p, adjusted"):
        table.add_column(heading, overflow="fold")
    for line in lines(body):
        table.add_row(*line)
    output.print(table)
    if target is not None:
        output.print(f"\nWritten: {target}", markup=False)
