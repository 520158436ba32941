"""`reticent reidentify linkage`: whose rows of a register are those of a release, by what both know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reticent.cli._reading import Header

if TYPE_CHECKING:
    from reticent.attacks.reidentification.linkage import Linkage, People
    from reticent.data.tables import Table
    from reticent.evidence import Estimate

__all__ = ["linkage"]

GATE_FAILED = 1
NOT_RESOLVABLE = 3


def linkage(
    release: Annotated[Path, typer.Argument(help="The table that is, or may be, given to others.")],
    register: Annotated[Path, typer.Argument(help="The table of named people that an attacker may have.")],
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
    at_most: Annotated[
        float | None,
        typer.Option(help="Exit with 1 if a larger share of people was found again, with 3 if that cannot be told."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Make the run repeatable.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the page (.html) or the record (.json) there.")] = None,
    header: Header = None,
    json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
) -> None:
    """Link a release to a register of named people, without labels.

    Example: reticent reidentify linkage released.csv register.csv --truth person --output found.html
    """
    from reticent import _checks
    from reticent.attacks.reidentification.linkage import effects as attack_forms
    from reticent.attacks.reidentification.linkage import link
    from reticent.cli._output import bars, errors
    from reticent.data.tables import read
    from reticent.errors import UsageError
    from reticent.randomness import Randomness

    page = _new(output, (".html", ".json"))
    table = _new(links, (".csv", ".parquet", ".jsonl"))
    if effects and (truth is None or links is not None or at_most is not None):
        raise UsageError("Expected --effects with --truth, and without --links and --at-most.", "Run them apart.")
    if at_most is not None:
        _checks.fraction(at_most=at_most)
        if truth is None:
            raise UsageError("Expected --at-most with --truth only.", "Name the column of the truth.")
    released, known = read(release, header=header), read(register, header=header)
    people = _people(released, known, truth, truth_pattern)
    chosen = _columns(released, columns, truth)
    source = Randomness.secure() if seed is None else Randomness.simulated(seed)
    settings: dict[str, Any] = {
        "threshold": threshold,
        "present": present,
        "one_to_one": not several,
        "most": most,
    }
    with bars(quiet=json) as report:
        if effects and people is not None:
            forms = attack_forms(released, known, source, truth=people, columns=chosen, progress=report, **settings)
            _tell(forms.record(), page, json=json)
            return
        found = link(
            released,
            known,
            source,
            columns=chosen,
            kinds=_kinds(kind),
            truth=people,
            name=release.name,
            progress=report,
            **settings,
        )
    if table is not None:
        _links(found).save(table)
        errors.print(f"Links written: {table}", markup=False)
    _tell(found.record(), page, json=json)
    if at_most is not None:
        _judge(found.finding.estimates["people re-identified"], at_most)


def _new(path: Path | None, endings: tuple[str, ...]) -> Path | None:
    from reticent.cli._output import writable
    from reticent.errors import UsageError

    if path is not None and writable(path, endings).exists():
        raise UsageError(f"Expected a new file, got {str(path)!r}, which exists.", "Choose another name.")
    return path


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
        return [part.strip() for part in asked.split(",") if part.strip()]
    return None if truth is None else [name.strip() for name in released.names if name.strip() != truth]


def _kinds(asked: list[str] | None) -> dict[str, str]:
    from reticent.errors import UsageError

    found = {}
    for text in asked or []:
        name, equals, kind = text.rpartition("=")
        if not equals or not name:
            raise UsageError(f"Expected COLUMN=KIND, got {text!r}.", "Write it as zip=code.")
        found[name] = kind
    return found


def _links(found: Linkage) -> Table:
    from reticent.data.tables import Table

    return Table.of({"release": found.release, "register": found.register, "probability": found.probability})


def _tell(record: Any, place: Path | None, *, json: bool) -> None:
    from reticent.cli._output import output, print_json
    from reticent.evidence import parse
    from reticent.reports import save, sentences_of

    if place is not None:
        save(record, place)
    if json:
        print_json(parse(record.to_json()))
        return
    for sentence in sentences_of(record):
        output.print(sentence, markup=False, soft_wrap=False)
    if place is not None:
        output.print(f"Written: {place}", markup=False)


def _judge(share: Estimate, limit: float) -> None:
    from reticent.cli._output import errors

    if share.low > limit:
        errors.print(f"EXCEEDED: more than {limit:g} of the people were found again.", markup=False)
        raise typer.Exit(GATE_FAILED)
    if share.high > limit:
        errors.print(f"NOT RESOLVABLE: more than {limit:g} may be found again; more people would tell.", markup=False)
        raise typer.Exit(NOT_RESOLVABLE)
