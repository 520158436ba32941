"""`reticent scan`: what in tables and texts is about people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reticent.cli._reading import Header

if TYPE_CHECKING:
    from reticent.data.scan import Scan

__all__ = ["scan"]

GATE_FAILED = 1


def scan(
    files: Annotated[
        list[str], typer.Argument(help="Files, folders or databases.", metavar="FILE...", show_default=False)
    ],
    sample: Annotated[
        int | None, typer.Option(help="Look at so many rows of each source, drawn uniformly, instead of all.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="Of a sample's intervals and bounds.")] = 0.95,
    fail_on: Annotated[
        list[str] | None,
        typer.Option("--fail-on", help="Exit code 1 if any is found: direct, quasi or sensitive; several by commas."),
    ] = None,
    presidio: Annotated[
        bool, typer.Option("--presidio", help="Read texts with Presidio too; with a spaCy model it finds names.")
    ] = False,
    threshold: Annotated[float, typer.Option(help="Lowest score of Presidio's entities that count.")] = 0.4,
    no_text: Annotated[bool, typer.Option("--no-text", help="Do not look into texts.")] = False,
    show: Annotated[int, typer.Option(help="So many examples of each finding, by their form (Xxx 99).")] = 0,
    plain: Annotated[bool, typer.Option("--plain", help="With --show: examples as they are.")] = False,
    output: Annotated[
        Path | None, typer.Option(help="Write the page (.html) or the record (.json) here.", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over an output that exists.")] = False,
    seed: Annotated[int | None, typer.Option(help="Make the sample repeatable.")] = None,
    header: Header = None,
    json: Annotated[bool, typer.Option("--json", help="Print the scan as JSON.")] = False,
) -> None:
    """Find direct identifiers, quasi-identifiers and sensitive data in tables and texts; no value is shown.

    Example: reticent scan data/ --fail-on direct --output scan.html
    """
    from reticent.cli._output import bars, print_json, writable
    from reticent.data.scan import FAILING
    from reticent.data.scan import scan as look
    from reticent.errors import UsageError
    from reticent.randomness import Randomness

    groups = [one.strip() for each in fail_on or () for one in each.split(",") if one.strip()]
    for group in groups:
        if group not in FAILING:
            raise UsageError(f"Expected --fail-on with {', '.join(FAILING)}, got {group!r}.", "Choose some of them.")
    if presidio and no_text:
        raise UsageError("Expected --presidio or --no-text, got both.", "Leave one out.")
    if output is not None and writable(output, (".html", ".json")).exists() and not overwrite:
        raise UsageError(f"Expected an output that is not there yet, got {str(output)!r}.", "Add --overwrite.")
    with bars(quiet=json) as report:
        found = look(
            list(files),
            sample=sample,
            confidence=confidence,
            texts="none" if no_text else ("presidio" if presidio else "patterns"),
            threshold=threshold,
            show=show,
            plain=plain,
            randomness=Randomness.secure() if seed is None else Randomness.simulated(seed),
            progress=report,
            header=header,
        )
    failed = found.fails(groups)
    written = None if output is None else found.save(output)
    if json:
        print_json({**found.as_dict(), "failed": list(failed)})
    else:
        _tell(found, written)
    if failed:
        _failed(failed)
        raise typer.Exit(GATE_FAILED)


def _failed(groups: tuple[str, ...]) -> None:
    from reticent.cli._output import errors

    names = {"direct": "direct identifiers", "quasi": "quasi-identifiers", "sensitive": "sensitive data"}
    errors.print(f"Found what --fail-on names: {', '.join(names[group] for group in groups)}.", markup=False)


def _tell(found: Scan, written: Path | None) -> None:
    from reticent.cli._output import output
    from reticent.reports import sentences_of

    body = found.as_dict()
    for sentence in sentences_of(found.record()):
        output.print(sentence, markup=False, soft_wrap=False)
    output.print()
    output.print(str(found), markup=False)
    if examples := [one for one in found.found if one.examples]:
        output.print()
        for one in examples:
            output.print(f"{one.source}: {one.column}, {one.kind}: {'; '.join(one.examples)}", markup=False)
    output.print()
    output.print(_harbor(body["safe_harbor"]))
    output.print(_special(body["special"]))
    rules = body["settings"]["safe_harbor"]
    output.print(f"ZIP codes: {'; '.join(rules['zip3'])}. Not covered: {rules['not_covered']}.", markup=False)
    for source in body["sources"]:
        bounds = {one["missed_at_most"] for one in source["columns"] if one["missed_at_most"] is not None}
        for bound in bounds:
            output.print(
                f"{source['name']}: columns without a finding: at most {100 * bound:.3g} % of rows hold what detectors "
                f"would recognise, for each column at {100 * body['settings']['confidence']:g} % confidence.",
                markup=False,
            )
        for problem in source["problems"]:
            output.print(
                f"{source['name']}: {problem['what']} ({problem['where']}; {problem['count']} times).", markup=False
            )
        for column in source["columns"]:
            if column["skipped"]:
                output.print(f"{source['name']}: {column['name']} {column['skipped']}.", markup=False)
    if written is not None:
        output.print(f"Written: {written}", markup=False)


def _harbor(rows: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "HIPAA Safe Harbor", "cells looked at", "cells found", ""):
        table.add_column(heading, overflow="fold", justify="right" if heading.startswith("cells") else "left")
    for row in rows:
        table.add_row(row["letter"], row["title"], str(row["cells"]), str(row["hits"]), row["status"])
    return table


def _special(rows: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("GDPR", "", "cells found", ""):
        table.add_column(heading, overflow="fold", justify="right" if heading.startswith("cells") else "left")
    for row in rows:
        table.add_row(row["article"], row["title"], str(row["hits"]), row["status"])
    return table
