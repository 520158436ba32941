"""`reticent reidentify linkage`: whose rows of a register are those of a release, by what both know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reticent.cli._reading import Header
from reticent.cli._reidentifying import AtMost, Seed, judge, names, pairs, source, tell
from reticent.cli._tables import ADDRESS, Dates, said
from reticent.cli._writing import TABLES, Json, Output, Overwrite, new

if TYPE_CHECKING:
    from reticent.attacks.reidentification.linkage import Linkage, People
    from reticent.data.tables import Table

__all__ = ["linkage"]


def linkage(
    release: Annotated[str, typer.Argument(help=f"What is, or may be, given to others: {ADDRESS}.")],
    register: Annotated[str, typer.Argument(help="The table of named people that an attacker may have.")],
    truth: Annotated[
        str | None, typer.Option(help="Column of both that says whose row it is; it only judges the links.")
    ] = None,
    truth_pattern: Annotated[
        str | None, typer.Option(help="A regular expression; its first group, found in that column, is the person.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Columns to compare, with commas between; by default all that both have.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="How to compare a column, as zip=code; several times if wanted.")
    ] = None,
    dates: Dates = None,
    threshold: Annotated[
        float | None, typer.Option(help="Least probability of a link; by default that with the largest expected F1.")
    ] = None,
    present: Annotated[
        float | None, typer.Option(help="Share of the release that is known to be in the register; else estimated.")
    ] = None,
    several: Annotated[bool, typer.Option("--several", help="People may have several rows of the release.")] = False,
    effects: Annotated[
        bool, typer.Option("--effects", help="Attack noised, nameless, generalised and k-anonymous forms, too.")
    ] = False,
    most: Annotated[int, typer.Option(help="How many pairs of rows may be looked at.")] = 5_000_000,
    links: Annotated[
        Path | None, typer.Option(help="Write the links there (.csv, .parquet, .jsonl), as row numbers from 0.")
    ] = None,
    at_most: AtMost = None,
    seed: Seed = None,
    output: Output = None,
    overwrite: Overwrite = False,
    header: Header = None,
    json: Json = False,
) -> None:
    """Link a release to a register of named people, without labels.

    Example: reticent reidentify linkage released.csv register.csv --truth person --output found.html
    """
    from reticent import _checks
    from reticent.attacks.reidentification.linkage import effects as attack_forms
    from reticent.attacks.reidentification.linkage import link
    from reticent.cli._output import bars, errors
    from reticent.data.tables import called, read_all
    from reticent.errors import UsageError

    page = new(output, overwrite=overwrite)
    table = new(links, TABLES, overwrite=overwrite)
    if effects and (truth is None or links is not None or at_most is not None):
        raise UsageError("Expected --effects with --truth, and without --links and --at-most.", "Run them apart.")
    if at_most is not None:
        _checks.fraction(at_most=at_most)
        if truth is None:
            raise UsageError("Expected --at-most with --truth only.", "Name the column of the truth.")
    released, known = read_all([release, register], **said(None, dates, header))
    people = _people(released, known, truth, truth_pattern)
    chosen = _columns(released, columns, truth)
    randomness = source(seed)
    settings: dict[str, Any] = {
        "threshold": threshold,
        "present": present,
        "one_to_one": not several,
        "most": most,
    }
    with bars(quiet=json) as report:
        if effects and people is not None:
            forms = attack_forms(released, known, randomness, truth=people, columns=chosen, progress=report, **settings)
            tell(forms.record(), page, json=json)
            return
        found = link(
            released,
            known,
            randomness,
            columns=chosen,
            kinds=pairs(kind or [], str, what="COLUMN=KIND", example="zip=code"),
            truth=people,
            name=called(release),
            progress=report,
            **settings,
        )
    if table is not None:
        _links(found).save(table)
        errors.print(f"Links written: {table}", markup=False)
    tell(found.record(), page, json=json)
    if at_most is not None:
        judge([found.finding.estimates["people re-identified"]], at_most)


def _people(released: Table, known: Table, truth: str | None, pattern: str | None) -> People | None:
    from reticent.attacks.reidentification.linkage import People
    from reticent.errors import UsageError

    if truth is None:
        if pattern is not None:
            raise UsageError("Expected --truth-pattern with --truth only.", "Name the column of the truth.")
        return None
    return People.of(released, known, truth, pattern)


def _columns(released: Table, asked: str | None, truth: str | None) -> list[str] | None:
    """The columns to compare; never the one that says the truth, unless it is asked for by name."""
    if asked is not None:
        return names(asked)
    return None if truth is None else [name.strip() for name in released.names if name.strip() != truth]


def _links(found: Linkage) -> Table:
    from reticent.data.tables import Table

    return Table.of({"release": found.release, "register": found.register, "probability": found.probability})
