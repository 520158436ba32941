"""`reticent reidentify linkage`: whose rows of a register are those of a release, by what both know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reticent.cli._reading import Header
from reticent.cli._reidentifying import NOT_RESOLVABLE, AtMost, Seed, judge, pairs, source, tell
from reticent.cli._tables import ADDRESS, Dates, names, said
from reticent.cli._writing import TABLES, Json, Output, Overwrite, new

if TYPE_CHECKING:
    from reticent.attacks.reidentification.linkage import Linkage, People
    from reticent.data.tables import Table

__all__ = ["linkage"]


def linkage(
    release: Annotated[str, typer.Argument(help=f"What is, or may be, given to others: {ADDRESS}.")],
    register: Annotated[str, typer.Argument(help="The table of named people that an attacker may have.")],
    truth: Annotated[
        str | None,
        typer.Option(
            help="Column of both that says whose row it is, or a file of pairs of rows of one person; it only judges."
        ),
    ] = None,
    truth_pattern: Annotated[
        str | None, typer.Option(help="A regular expression; its first group, found in that column, is the person.")
    ] = None,
    truth_columns: Annotated[
        str | None,
        typer.Option(
            help="Columns of that file: of the release, of the register; by default those called so, or both."
        ),
    ] = None,
    truth_keys: Annotated[
        str | None,
        typer.Option(
            help="Columns of release and register whose values it holds; by default those called as its own are."
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(help="Columns to compare, with commas between; by default all that both have but the truth's."),
    ] = None,
    without: Annotated[
        str | None, typer.Option(help="Columns to leave out, with commas between: what an attacker does not have.")
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
    released, known = read_all([release, register], **said(None, dates, header))
    people = _people(released, known, truth, truth_pattern, truth_columns, truth_keys)
    randomness = source(seed)
    settings: dict[str, Any] = {
        "columns": None if columns is None else names(columns),
        "without": names(without or ""),
        "kinds": pairs(kind or [], str, what="COLUMN=KIND", example="zip=code"),
        "threshold": threshold,
        "present": present,
        "one_to_one": not several,
        "most": most,
    }
    with bars(quiet=json) as report:
        if effects and people is not None:
            forms = attack_forms(released, known, randomness, truth=people, progress=report, **settings)
            tell(forms.record(), page, json=json)
            return
        found = link(released, known, randomness, truth=people, name=called(release), progress=report, **settings)
    if table is not None:
        _links(found).save(table)
        errors.print(f"Links written: {table}", markup=False)
    tell(found.record(), page, json=json)
    _judged(found, at_most)


def _judged(found: Linkage, at_most: float | None) -> None:
    """Whether few enough people are found again, by an attacker who minds being wrong and by one who does not."""
    from reticent.cli._output import errors
    from reticent.evidence import Status

    if at_most is not None and found.finding.status is not Status.EXECUTED:
        errors.print(
            "NOT RESOLVABLE: it is not known whose rows these are, so no link could be checked; --truth would tell.",
            markup=False,
        )
        raise typer.Exit(NOT_RESOLVABLE)
    judge([one for name, one in found.finding.estimates.items() if name.startswith("people re-identified")], at_most)


def _people(
    released: Table, known: Table, truth: str | None, pattern: str | None, columns: str | None, keys: str | None
) -> People | None:
    from reticent.attacks.reidentification.linkage import People
    from reticent.data.tables import read
    from reticent.errors import UsageError

    of_pairs = columns is not None or keys is not None
    if truth is None:
        if pattern is not None or of_pairs:
            raise UsageError(
                "Expected --truth-pattern, --truth-columns and --truth-keys with --truth only.",
                "Name the column of the truth, or the file.",
            )
        return None
    both = [name.strip() for name in released.names if name.strip() in {one.strip() for one in known.names}]
    if truth.strip() in both and not of_pairs:
        return People.of(released, known, truth, pattern)
    if not Path(truth).is_file():
        raise UsageError(
            f"Expected --truth to be a column of both tables or a file of pairs, got {truth!r}.",
            f"Name a file, or one of {', '.join(both) or 'the columns of both (they have none in common)'}.",
        )
    if pattern is not None:
        raise UsageError("Expected --truth-pattern with a column, got it with a file.", "Leave it out.")
    return People.of_pairs(
        released,
        known,
        read(truth),
        columns=None if columns is None else _two("--truth-columns", columns),
        keys=None if keys is None else _two("--truth-keys", keys),
    )


def _two(option: str, text: str) -> tuple[str, str]:
    """A name for each table; one name is that of both."""
    from reticent.errors import UsageError

    found = names(text)
    if len(found) not in (1, 2):
        raise UsageError(f"Expected two names in {option}, got {text!r}.", "Write them as RELEASE,REGISTER.")
    return found[0], found[-1]


def _links(found: Linkage) -> Table:
    from reticent.data.tables import Table

    return Table.of({"release": found.release, "register": found.register, "probability": found.probability})
