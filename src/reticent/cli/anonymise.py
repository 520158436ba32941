"""`reticent anonymise`: what a table gives away, and less of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reticent.cli._reading import Header

if TYPE_CHECKING:
    from reticent.data.anonymity import Anonymised, DisclosureRisk
    from reticent.data.tables import Table

__all__ = ["anonymise"]

EXCEEDED = 1
_TABLES = (".csv", ".parquet", ".jsonl")


def anonymise(
    file: Annotated[Path, typer.Argument(help="A table: CSV, Parquet, ...", metavar="FILE", show_default=False)],
    quasi: Annotated[str, typer.Option(help="Columns that somebody may know of people: age,zip,sex.")] = "",
    sensitive: Annotated[str, typer.Option(help="Columns that nobody should learn.")] = "",
    k: Annotated[int, typer.Option(help="Rows (people, with --person) of every class, at least.")] = 5,
    l: Annotated[  # noqa: E741 (the symbol of the literature)
        float | None, typer.Option("--l", help="Diversity of sensitive values, at least.")
    ] = None,
    diversity: Annotated[str, typer.Option(help="distinct, entropy or recursive (with --c).")] = "distinct",
    c: Annotated[float | None, typer.Option("--c", help="Of recursive diversity.")] = None,
    t: Annotated[
        float | None, typer.Option("--t", help="Distance of sensitive values from everybody's, at most.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="lattice (whole columns, at least cost) or mondrian (parts).")
    ] = "lattice",
    suppression: Annotated[float, typer.Option(help="Share of rows that may be left out, at most.")] = 0.05,
    hierarchy: Annotated[
        list[str] | None, typer.Option(help="age=widths:5,10,20; zip=prefixes:4,3; born=dates:month,year; ...")
    ] = None,
    tree: Annotated[
        list[str] | None, typer.Option(help="job=FILE: a CSV without a header: value, parent, grandparent, ...")
    ] = None,
    person: Annotated[str | None, typer.Option(help="The column that says whose row it is; not given out.")] = None,
    drop: Annotated[str, typer.Option(help="Columns that are not given out: names, numbers.")] = "",
    attacker: Annotated[list[str] | None, typer.Option(help="neighbour=age,zip: a risk for each of these.")] = None,
    population: Annotated[
        str | None, typer.Option(help="A register (a table), or how many people the rows are a random sample of.")
    ] = None,
    measure: Annotated[bool, typer.Option("--measure", help="Measure only; nothing is changed or written.")] = False,
    min_k: Annotated[int | None, typer.Option(help="With --measure: exit code 1 if a class is smaller.")] = None,
    max_risk: Annotated[
        float | None, typer.Option(help="Exit code 1 if some attacker finds somebody with a higher chance.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Where the table goes: .csv, .parquet or .jsonl.")] = None,
    output: Annotated[Path | None, typer.Option(help="Where the report goes: .html, or .json for the record.")] = None,
    save: Annotated[Path | None, typer.Option(help="Where what was decided goes: .json, for --apply.")] = None,
    apply: Annotated[
        Path | None, typer.Option(help="Say new rows as an earlier run decided (--save); needs --to.")
    ] = None,
    pseudonymise: Annotated[str, typer.Option(help="Columns to exchange for keyed hashes; needs --key.")] = "",
    key: Annotated[
        Path | None, typer.Option(help="Key file; made if it is not there. Keep it apart from the table.")
    ] = None,
    header: Header = None,
    json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
) -> None:
    """Say a table about people less exactly until it reaches a goal, and say what is left to find.

    Example: reticent anonymise people.csv --quasi age,zip,sex --sensitive illness --k 5 --to out.csv --output out.html

    Example: reticent anonymise people.csv --measure --quasi age,zip --attacker colleague=age --population 100000

    Exit code 1: a stated limit is exceeded. 3: nothing reaches the goal.
    """
    from reticent.cli._output import bars, errors, print_json
    from reticent.data.anonymity import Generalisation, disclosure_risk
    from reticent.data.anonymity import anonymise as run
    from reticent.data.tables import read

    _may_be_written(to, output, save)
    _paired(to, pseudonymise, key, required=apply is not None)
    if apply is not None:
        rows = read(file, header=header)
        done = Generalisation.load(apply).transform(rows)
        _finish(done.table, to, pseudonymise, key)
        errors.print(
            f"{done.table.rows} rows; left out: {done.unknown} with unknown values, {done.short} in small classes.",
            markup=False,
        )
        return
    _asked(quasi, measure=measure, writing=any((to, save, pseudonymise)), min_k=min_k)
    rows = read(file, header=header)
    attackers = {name: _listed(known) for name, known in map(_pair, attacker or [])} or None
    common: dict[str, Any] = {
        "quasi": _listed(quasi),
        "sensitive": _listed(sensitive),
        "attackers": attackers,
        "population": _population(population, header),
        "person": person,
        "data": file.name,
    }
    found: DisclosureRisk | Anonymised
    if measure:
        found = after = disclosure_risk(rows, **common)
    else:
        settings: dict[str, Any] = {
            "k": k,
            "l": l,
            "diversity": diversity,
            "c": c,
            "t": t,
            "method": method,
            "suppression": suppression,
        }
        with bars(quiet=json) as report:
            found = run(
                rows,
                **common,
                **settings,
                drop=_listed(drop),
                hierarchies=_hierarchies(hierarchy or [], tree or []),
                progress=lambda done, total: report(method, done, total),
            )
        after = found.after
        _finish(found.table, to, pseudonymise, key)
        if save is not None:
            found.generalisation.save(save)
    written = found.save(output) if output is not None else None
    print_json(found.record().body) if json else _tell(found, [one for one in (to, written, save) if one])
    _judge(after, min_k, max_risk)


def _asked(quasi: str, *, measure: bool, writing: bool, min_k: int | None) -> None:
    from reticent.errors import UsageError

    if not _listed(quasi):
        raise UsageError("Expected --quasi, got none.", "Name the columns that somebody may know: --quasi age,zip,sex.")
    if measure and writing:
        raise UsageError("Expected --measure without --to, --save and --pseudonymise.", "Leave --measure out.")
    if min_k is not None and not measure:
        raise UsageError("Expected --min-k with --measure only.", "Ask for classes with --k.")


def _may_be_written(to: Path | None, output: Path | None, save: Path | None) -> None:
    from reticent.cli._output import writable
    from reticent.errors import UsageError

    for place, endings in ((to, _TABLES), (output, (".html", ".json")), (save, (".json",))):
        if place is not None and writable(place, endings).exists():
            raise UsageError(
                f"Expected a new file, but {str(place)!r} is there.", "Move it away, or choose another name."
            )


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _pair(text: str) -> tuple[str, str]:
    from reticent.errors import UsageError

    name, found, rest = text.partition("=")
    if not found or not name.strip() or not rest.strip():
        raise UsageError(f"Expected NAME=..., got {text!r}.", "Write neighbour=age,zip, or age=widths:5,10.")
    return name.strip(), rest.strip()


def _population(text: str | None, header: bool | None) -> Any:
    from reticent.data.tables import read

    if text is None:
        return None
    return int(text) if text.isascii() and text.isdigit() else read(text, header=header)


def _hierarchies(words: list[str], trees: list[str]) -> dict[str, Any]:
    import csv

    from reticent.data.anonymity import Tree, hierarchy_in_words
    from reticent.errors import UsageError

    found: dict[str, Any] = {name: hierarchy_in_words(word) for name, word in map(_pair, words)}
    for name, place in map(_pair, trees):
        try:
            with Path(place).open(encoding="utf-8", newline="") as file:
                found[name] = Tree({row[0]: tuple(row[1:]) for row in csv.reader(file) if row})
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise UsageError(f"Expected to read a tree from {place!r}, but could not.", "Check the file.") from error
    return found


def _paired(to: Path | None, columns: str, key: Path | None, *, required: bool) -> None:
    from reticent.errors import UsageError

    if (columns or required) and to is None:
        raise UsageError("Expected --to, got none.", "Say where the table goes.")
    if bool(columns) != (key is not None):
        raise UsageError("Expected --pseudonymise and --key together, got one of them.", "Pass both.")


def _finish(table: Table, to: Path | None, columns: str, key: Path | None) -> None:
    """Exchange identifiers, if asked, and write the table."""
    from reticent.cli._output import errors
    from reticent.data.anonymity import Key
    from reticent.data.anonymity import pseudonymise as exchange

    if columns and key is not None:
        secret = Key.read(key) if key.exists() else Key.new()
        done = exchange(table, _listed(columns), secret)
        if not key.exists():
            secret.save(key)
            errors.print(f"A new key is in {key}: whoever has it can undo the pseudonyms.", markup=False)
        for note in done.notes:
            errors.print(note, markup=False)
        table = done.table
    if to is not None:
        table.save(to)


def _tell(found: DisclosureRisk | Anonymised, written: list[Path]) -> None:
    from reticent.cli._output import errors, output
    from reticent.reports import sentences_of

    for sentence in sentences_of(found.record()):
        output.print(sentence + "\n", markup=False, soft_wrap=False)
    for path in written:
        errors.print(f"Written: {path}", markup=False)


def _judge(after: DisclosureRisk, min_k: int | None, max_risk: float | None) -> None:
    from reticent.cli._output import errors

    exceeded = []
    if min_k is not None and after.measures.k < min_k:
        exceeded.append(f"The smallest class has {after.measures.k}, at least {min_k} were asked for.")
    worst = max(one.prosecutor_highest for one in after.attackers)
    if max_risk is not None and worst > max_risk:
        exceeded.append(f"An attacker finds somebody with chance {worst:.3g}, at most {max_risk:g} was allowed.")
    for one in exceeded:
        errors.print(f"EXCEEDED: {one}", markup=False)
    if exceeded:
        raise typer.Exit(EXCEEDED)
