"""`reticent duplicates`: rows that stand several times in a table, or in a second one as well."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reticent.cli._reading import Header
from reticent.cli._tables import ADDRESS, Dates, Kinds, said
from reticent.cli._writing import new

if TYPE_CHECKING:
    from reticent.data.duplicates import Duplicates

__all__ = ["duplicates"]

GATE_FAILED = 1
NOT_RESOLVABLE = 3


def duplicates(
    file: Annotated[str, typer.Argument(help=f"The table: {ADDRESS}.")],
    against: Annotated[
        str | None, typer.Option(help="A second table, for testing, whose rows are looked for in the first one.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Columns to compare, with commas between; by default all but the owner's.")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Column that says whose row it is.")] = None,
    way: Annotated[str, typer.Option(help="What near means: text, cells, numbers, or auto.")] = "auto",
    threshold: Annotated[
        float | None,
        typer.Option(help="Least similarity of texts and cells (0.8), or largest distance of numbers (0.1)."),
    ] = None,
    recall: Annotated[float, typer.Option(help="Least probability of finding a pair at the threshold.")] = 0.99,
    exact: Annotated[bool, typer.Option("--exact", help="Look for equal rows only.")] = False,
    checked: Annotated[
        int, typer.Option(help="How many rows to compare with all others, to see what was missed.")
    ] = 500,
    keep: Annotated[
        Path | None, typer.Option(help="Write the table with one row of each group there (.csv, .parquet, .jsonl).")
    ] = None,
    at_most: Annotated[
        float | None,
        typer.Option(
            help="Exit with 1 if more of the rows are too many (with --against: if a larger share of the second "
            "table's rows has a copy in the first one; 3 if that cannot be told)."
        ),
    ] = None,
    kind: Kinds = None,
    dates: Dates = None,
    seed: Annotated[int | None, typer.Option(help="Make the run repeatable.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the page (.html) or the record (.json) there.")] = None,
    header: Header = None,
    json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
) -> None:
    """Find rows that stand several times, exactly or nearly.

    Example: reticent duplicates train.csv --against test.csv --owner patient --output copies.html
    """
    from reticent import _checks
    from reticent.cli._output import bars, errors, print_json
    from reticent.cli._output import output as shown
    from reticent.data.duplicates import find_duplicates
    from reticent.data.tables import read_all
    from reticent.evidence import parse
    from reticent.randomness import Randomness
    from reticent.reports import save, sentences_of

    page, kept = new(output, (".html", ".json")), new(keep, (".csv", ".parquet", ".jsonl"))
    if at_most is not None:
        _checks.fraction(at_most=at_most)
    table, *second = read_all([file, *([against] if against else [])], **said(kind, dates, header))
    with bars(quiet=json) as report:
        found = find_duplicates(
            table,
            Randomness.secure() if seed is None else Randomness.simulated(seed),
            against=second[0] if second else None,
            columns=None if columns is None else [part.strip() for part in columns.split(",") if part.strip()],
            owner=owner,
            way=way,
            threshold=threshold,
            recall=recall,
            near=not exact,
            checked=checked,
            progress=report,
        )
    record = found.record()
    if kept is not None:
        left = found.deduplicated(table)
        left.data.save(kept)
        gone = f"{left.removed['exact']} exact and {left.removed['near']} near copies"
        errors.print(f"Written without {gone}: {kept}", markup=False)
    if page is not None:
        save(record, page)
    if json:
        print_json(parse(record.to_json()))
    else:
        for sentence in sentences_of(record):
            shown.print(sentence, markup=False, soft_wrap=False)
        if page is not None:
            shown.print(f"Written: {page}", markup=False)
    _judge(found, at_most)


def _judge(found: Duplicates, limit: float | None) -> None:
    from reticent.cli._output import errors

    if limit is None:
        return
    if found.against is None:
        if found.counts(found.group)["surplus"] > limit * found.first:
            errors.print(f"EXCEEDED: more than {limit:g} of the rows are too many.", markup=False)
            raise typer.Exit(GATE_FAILED)
        return
    share = list(found.leakage().values())[1]
    if share.low > limit:
        errors.print(f"EXCEEDED: more than {limit:g} of the second table has a copy in the first one.", markup=False)
        raise typer.Exit(GATE_FAILED)
    if share.high > limit:
        errors.print(f"NOT RESOLVABLE: more than {limit:g} may have one; more rows would tell.", markup=False)
        raise typer.Exit(NOT_RESOLVABLE)
