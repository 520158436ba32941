"""`reticent scan`: what in tables and texts is about people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reticent.cli._reading import Header
from reticent.cli._writing import Json, Output, Overwrite, new

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
    model: Annotated[
        str | None, typer.Option(help="An installed spaCy model that finds names in texts too.", show_default=False)
    ] = None,
    threshold: Annotated[float, typer.Option(help="Lowest score of Presidio's entities that count.")] = 0.4,
    no_text: Annotated[bool, typer.Option("--no-text", help="Do not look into texts.")] = False,
    show: Annotated[int, typer.Option(help="So many examples of each finding, by their form (Xxx 99).")] = 0,
    plain: Annotated[bool, typer.Option("--plain", help="With --show: examples as they are.")] = False,
    output: Output = None,
    overwrite: Overwrite = False,
    seed: Annotated[int | None, typer.Option(help="Make the sample repeatable.")] = None,
    file_names: Annotated[
        bool, typer.Option("--file-names", help="Show names of files that say something of people.")
    ] = False,
    header: Header = None,
    json: Json = False,
) -> None:
    """Find direct identifiers, quasi-identifiers and sensitive data in tables and texts; no value is shown.

    Example: reticent scan data/ --fail-on direct --output scan.html
    """
    from reticent.cli._output import bars, print_json
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
    new(output, overwrite=overwrite)
    with bars(quiet=json) as report:
        found = look(
            list(files),
            sample=sample,
            confidence=confidence,
            texts="none" if no_text else ("presidio" if presidio else "patterns"),
            model=model,
            threshold=threshold,
            show=show,
            plain=plain,
            randomness=Randomness.secure() if seed is None else Randomness.simulated(seed),
            progress=report,
            header=header,
            file_names=file_names,
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
    for line in _examples(body):
        output.print(line, markup=False)
    output.print()
    output.print(_harbor(body["safe_harbor"]))
    output.print(_special(body["special"]))
    rules = body["settings"]["safe_harbor"]
    output.print(f"ZIP codes: {'; '.join(rules['zip3'])}. Not covered: {rules['not_covered']}.", markup=False)
    for line in _limits(body):
        output.print(line, markup=False)
    if written is not None:
        output.print(f"Written: {written}", markup=False)


def _alone(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Sources that are in no group of alike files."""
    together = {name for group in body["alike"] for name in group["members"]}
    return [source for source in body["sources"] if source["name"] not in together]


def _examples(body: dict[str, Any]) -> list[str]:
    own = {source["name"] for source in _alone(body)}
    shown = [(one["source"], one) for one in body["found"] if one["source"] in own]
    shown += [(group["name"], one) for group in body["alike"] for one in group["found"]]
    lines = [
        f"{at}: {one['column']}, {one['kind']}: {'; '.join(one['examples'])}" for at, one in shown if one["examples"]
    ]
    return ["", *lines] if lines else []


def _limits(body: dict[str, Any]) -> list[str]:
    """What a sample may have missed, and what could not be read."""
    lines = []
    confidence = 100 * body["settings"]["confidence"]
    for source in (*body["alike"], *_alone(body)):
        bounds = {one["missed_at_most"] for one in source["columns"] if one["missed_at_most"] is not None}
        lines += [
            f"{source['name']}: columns without a finding: at most {100 * bound:.3g} % of rows hold what detectors "
            f"would recognise, for each column at {confidence:g} % confidence."
            for bound in bounds
        ]
        lines += [
            f"{source['name']}: {one['what']} ({one['where'] + '; ' if one.get('where') else ''}{one['count']} times)."
            for one in source["problems"]
        ]
        lines += [f"{source['name']}: {one['name']} {one['skipped']}." for one in source["columns"] if one["skipped"]]
    return lines


def _harbor(rows: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    texts = ["texts not searched"] if any(row["not_searched"] for row in rows) else []
    for heading in ("", "HIPAA Safe Harbor", "cells looked at", *texts, "cells found", ""):
        right = heading.startswith(("cells", "texts"))
        table.add_column(heading, overflow="fold", justify="right" if right else "left")
    for row in rows:
        not_searched = [str(row["not_searched"])] if texts else []
        table.add_row(row["letter"], row["title"], str(row["cells"]), *not_searched, str(row["hits"]), row["status"])
    return table


def _special(rows: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("GDPR", "", "cells found", ""):
        table.add_column(heading, overflow="fold", justify="right" if heading.startswith("cells") else "left")
    for row in rows:
        table.add_row(row["article"], row["title"], str(row["hits"]), row["status"])
    return table
