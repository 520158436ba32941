"""`reticent duplicates`: rows that stand several times in a table, or in a second one as well."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reticent.cli._reading import Header
from reticent.cli._tables import ADDRESS, Dates, Kinds, names, said
from reticent.cli._writing import TABLES, Json, Output, Overwrite, new

if TYPE_CHECKING:
    from reticent.data.duplicates import Duplicates
    from reticent.data.tables import Table
    from reticent.randomness import Randomness

__all__ = ["duplicates"]

GATE_FAILED = 1
NOT_RESOLVABLE = 3
_WAYS = ("auto", "cells", "text", "numbers")  # a table has no pictures


def duplicates(
    file: Annotated[str, typer.Argument(help=f"The table: {ADDRESS}.")],
    against: Annotated[
        str | None, typer.Option(help="A second table, for testing, whose rows are looked for in the first one.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Columns to compare, with commas between; by default all but the owner's.")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Column that says whose row it is.")] = None,
    way: Annotated[
        str,
        typer.Option(
            help="What near means: cells (few of them differ), text (one column of texts), numbers (their distance), "
            "or auto: text for a single column of texts, else cells."
        ),
    ] = "auto",
    differ: Annotated[
        int | None,
        typer.Option(help="Of cells: how many may differ; by default one, or a tenth of them if that is more."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Least similarity of texts (0.8), or largest distance of numbers in robust standard deviations (at "
            "most 0.1)."
        ),
    ] = None,
    chance: Annotated[
        float | None,
        typer.Option(
            help="Of cells and numbers: the largest share of the near pairs that chance may explain (0.05); 1 names "
            "all of them, whatever chance gives."
        ),
    ] = None,
    recall: Annotated[float, typer.Option(help="Least probability of finding a pair at the threshold.")] = 0.99,
    exact: Annotated[bool, typer.Option("--exact", help="Look for equal rows only.")] = False,
    checked: Annotated[
        int, typer.Option(help="How many rows to compare with all others, to see what was missed.")
    ] = 500,
    keep: Annotated[
        Path | None, typer.Option(help="Write the first table without copies there (.csv, .parquet, .jsonl); see drop.")
    ] = None,
    drop: Annotated[
        str | None,
        typer.Option(
            help="What keep leaves out, with commas between: copies (of a row that stays, whoever's), own (of a row of "
            "the same person), leaked (of a row of the second table). By default own with an owner and else copies, "
            "and with --against leaked as well."
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(help="Write which row is a copy of which there, by row numbers (.csv, .parquet, .jsonl)."),
    ] = None,
    split: Annotated[
        float | None,
        typer.Option(
            help="Divide the first table, this share of its rows for testing; copies, and all rows of a person, stay "
            "together. Needs train-to and test-to."
        ),
    ] = None,
    train_to: Annotated[Path | None, typer.Option(help="Where the rows for training go.")] = None,
    test_to: Annotated[Path | None, typer.Option(help="Where the rows for testing go.")] = None,
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
    output: Output = None,
    overwrite: Overwrite = False,
    header: Header = None,
    json: Json = False,
) -> None:
    """Find rows that stand several times, exactly or nearly, and how many there would be by chance.

    Example: reticent duplicates train.csv --against test.csv --owner patient --output copies.html

    Example: reticent duplicates all.csv --owner patient --split 0.2 --train-to train.csv --test-to test.csv
    """
    from reticent import _checks
    from reticent.cli._output import bars, print_json
    from reticent.cli._output import output as shown
    from reticent.data.duplicates import find_duplicates
    from reticent.data.tables import read_all
    from reticent.evidence import parse
    from reticent.randomness import Randomness
    from reticent.reports import save, sentences_of

    _checks.one_of(_WAYS, way=way)
    page = new(output, overwrite=overwrite)
    kept, listed, train, test = (new(path, TABLES, overwrite=overwrite) for path in (keep, pairs, train_to, test_to))
    _together(drop, keep, split, train_to, test_to, against, owner)
    if at_most is not None:
        _checks.fraction(at_most=at_most)
    table, *second = read_all([file, *([against] if against else [])], **said(kind, dates, header))
    randomness = Randomness.secure() if seed is None else Randomness.simulated(seed)
    with bars(quiet=json) as report:
        found = find_duplicates(
            table,
            randomness,
            against=second[0] if second else None,
            columns=_listed(columns),
            owner=owner,
            way=way,
            differ=differ,
            threshold=threshold,
            chance=chance,
            recall=recall,
            near=not exact,
            checked=checked,
            progress=report,
        )
    record = found.record()
    if kept is not None:
        _keep(found, table, kept, _listed(drop))
    if listed is not None:
        found.listed().save(listed)
    if split is not None and train is not None and test is not None:
        _split(found, table, split, randomness, (train, test))
    if page is not None:
        save(record, page)
    if json:
        print_json(parse(record.to_json()))
    else:
        for sentence in sentences_of(record):
            shown.print(sentence, markup=False, soft_wrap=False)
        for path in (page, listed):
            if path is not None:
                shown.print(f"Written: {path}", markup=False)
    _judge(found, at_most)


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else names(text)


def _together(
    drop: str | None,
    keep: Path | None,
    split: float | None,
    train: Path | None,
    test: Path | None,
    against: str | None,
    owner: str | None,
) -> None:
    """Options that need each other, before anything is read."""
    from reticent import _checks
    from reticent.data.duplicates import DROPPED
    from reticent.errors import UsageError

    wanted = _listed(drop) or []
    for one in wanted:
        _checks.one_of(DROPPED, drop=one)
    if drop is not None and keep is None:
        raise UsageError("Expected a file to keep rows in, got drop alone.", "Name it with --keep.")
    if "own" in wanted and owner is None:
        raise UsageError("Expected an owner with --drop own, got none.", "Name the column with --owner.")
    if "leaked" in wanted and against is None:
        raise UsageError("Expected a second table with --drop leaked, got none.", "Name it with --against.")
    if len({split is None, train is None, test is None}) > 1:
        raise UsageError("Expected --split, --train-to and --test-to together.", "Give all three, or none.")
    if split is not None:
        _checks.open_fraction(split=split)
        if train == test:
            raise UsageError("Expected two files for the two parts, got one.", "Name another one.")


def _keep(found: Duplicates, table: Table, path: Path, drop: list[str] | None) -> None:
    from reticent.cli._output import errors

    left = found.deduplicated(table, drop=drop)
    left.data.save(path)
    removed = left.removed
    leaked = "" if found.against is None else f" and {removed['leaked']} rows that stand in the second table"
    whose = "of the same person " if found.owners is not None and (drop is None or "copies" not in drop) else ""
    errors.print(
        f"Written without {removed['exact']} exact and {removed['near']} near copies {whose}in it{leaked}: {path} "
        f"({len(left.rows)} of {found.first} rows)",
        markup=False,
    )


def _split(found: Duplicates, table: Table, share: float, randomness: Randomness, paths: tuple[Path, Path]) -> None:
    from reticent.cli._output import errors

    for rows, path in zip(found.split(share, randomness), paths, strict=True):
        table.take(rows).save(path)
        errors.print(f"Written: {path} ({len(rows)} of {found.first} rows)", markup=False)


def _judge(found: Duplicates, limit: float | None) -> None:
    from reticent.cli._output import errors

    if limit is None:
        return
    if found.against is None:
        if found.counts(found.group)["surplus"] > limit * found.first:
            errors.print(f"EXCEEDED: more than {limit:g} of the rows are too many.", markup=False)
            raise typer.Exit(GATE_FAILED)
        return
    leakage = found.leakage()
    share = leakage.get("rows with a copy, exact or near", leakage["rows with an exact copy"])
    if share.low > limit:
        errors.print(f"EXCEEDED: more than {limit:g} of the second table has a copy in the first one.", markup=False)
        raise typer.Exit(GATE_FAILED)
    if share.high > limit:
        errors.print(f"NOT RESOLVABLE: more than {limit:g} may have one; more rows would tell.", markup=False)
        raise typer.Exit(NOT_RESOLVABLE)
