"""`reticent anonymise`: what a table gives away, and less of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reticent.cli._reading import Header
from reticent.cli._tables import ADDRESS, Dates, Kinds, names, said
from reticent.cli._writing import PAGES, TABLES, Json, Output, Overwrite, new

if TYPE_CHECKING:
    from reticent.data.anonymity import Anonymised, DisclosureRisk, Key

__all__ = ["anonymise"]

EXCEEDED = 1


def anonymise(
    file: Annotated[str, typer.Argument(help=f"The table: {ADDRESS}.", metavar="FILE", show_default=False)],
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
    suppression: Annotated[
        float | None,
        typer.Option(help="Share of rows that may be left out, at most: 0.05, or with --apply as it was when fitted."),
    ] = None,
    hierarchy: Annotated[
        list[str] | None,
        typer.Option(
            help="How one column is said less exactly, as age=widths:5,10,20 or zip=prefixes:4,3 or "
            "born=dates:month,year; give it once for each column."
        ),
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
    output: Output = None,
    save: Annotated[Path | None, typer.Option(help="Where what was decided goes: .json, for --apply.")] = None,
    apply: Annotated[
        Path | None,
        typer.Option(help="Say new rows as an earlier run decided (--save); needs --to, and --key if it had one."),
    ] = None,
    pseudonymise: Annotated[str, typer.Option(help="Columns to exchange for keyed hashes; needs --key.")] = "",
    key: Annotated[
        Path | None,
        typer.Option(help="Key file; made if it is not there (not with --apply). Keep it apart from the table."),
    ] = None,
    kind: Kinds = None,
    dates: Dates = None,
    header: Header = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Say a table about people less exactly until it reaches a goal, and say what is left to find.

    Example: reticent anonymise people.csv --quasi age,zip,sex --sensitive illness --k 5 --to out.csv --output out.html

    Example: reticent anonymise people.csv --measure --quasi age,zip --attacker colleague=age --population 100000

    Exit code 1: a stated limit is exceeded (with --apply: more rows are left out than --suppression says). 3: nothing
    reaches the goal.
    """
    from reticent.cli._output import bars, print_json
    from reticent.data.anonymity import anonymise as run
    from reticent.data.anonymity import disclosure_risk
    from reticent.data.tables import called, read

    for place, endings in ((to, TABLES), (output, PAGES), (save, (".json",))):
        new(place, endings, overwrite=overwrite)
    if apply is not None:
        _again(file, apply, to, pseudonymise, key, suppression, header)
        return
    _paired(to, pseudonymise, key)
    _asked(quasi, measure=measure, writing=any((to, save, pseudonymise)), min_k=min_k)
    rows = read(file, **said(kind, dates, header))
    attackers = {name: names(known) for name, known in map(_pair, attacker or [])} or None
    common: dict[str, Any] = {
        "quasi": names(quasi),
        "sensitive": names(sensitive),
        "attackers": attackers,
        "population": _population(population, header),
        "person": person,
        "data": called(file),
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
            "suppression": 0.05 if suppression is None else suppression,
        }
        secret = _key(key)
        with bars(quiet=json) as report:
            found = run(
                rows,
                **common,
                **settings,
                drop=names(drop),
                hierarchies=_hierarchies(hierarchy or [], tree or []),
                pseudonymise=names(pseudonymise),
                key=secret,
                progress=lambda done, total: report(method, done, total),
            )
        after = found.after
        _keep(secret, key)
        if to is not None:
            found.table.save(to)
        if save is not None:
            found.generalisation.save(save)
    written = found.save(output) if output is not None else None
    print_json(found.record().body) if json else _tell(found, [one for one in (to, written, save) if one])
    _judge(after, min_k, max_risk)


def _asked(quasi: str, *, measure: bool, writing: bool, min_k: int | None) -> None:
    from reticent.errors import UsageError

    if not names(quasi):
        raise UsageError("Expected --quasi, got none.", "Name the columns that somebody may know: --quasi age,zip,sex.")
    if measure and writing:
        raise UsageError("Expected --measure without --to, --save and --pseudonymise.", "Leave --measure out.")
    if min_k is not None and not measure:
        raise UsageError("Expected --min-k with --measure only.", "Ask for classes with --k.")


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


def _paired(to: Path | None, columns: str, key: Path | None) -> None:
    from reticent.errors import UsageError

    if columns and to is None:
        raise UsageError("Expected --to, got none.", "Say where the table goes.")
    if bool(columns) != (key is not None):
        raise UsageError("Expected --pseudonymise and --key together, got one of them.", "Pass both.")


def _key(place: Path | None) -> Key | None:
    """The key in a file, or a new one if there is no such file."""
    from reticent.data.anonymity import Key

    if place is None:
        return None
    return Key.read(place) if place.exists() else Key.new()


def _keep(secret: Key | None, place: Path | None) -> None:
    from reticent.cli._output import errors

    if secret is not None and place is not None and not place.exists():
        secret.save(place)
        errors.print(f"A new key is in {place}: whoever has it can undo the pseudonyms.", markup=False)


def _again(
    file: str,
    apply: Path,
    to: Path | None,
    columns: str,
    key: Path | None,
    suppression: float | None,
    header: bool | None = None,
) -> None:
    """Say new rows as it was decided before."""
    from reticent import _checks
    from reticent.cli._output import errors
    from reticent.data.anonymity import Generalisation, Key
    from reticent.errors import UsageError

    if to is None:
        raise UsageError("Expected --to, got none.", "Say where the table goes.")
    if columns:
        raise UsageError(
            "Expected --pseudonymise when a generalisation is fitted, got it with --apply.",
            "The file that was saved says which columns are pseudonyms: pass --key alone.",
        )
    fitted = Generalisation.load(apply)
    limit = fitted.suppression if suppression is None else _checks.fraction(suppression=suppression)
    done = fitted.transform(fitted.read(file, header=header), key=None if key is None else Key.read(key))
    done.table.save(to)
    rows = len(done.kept)
    for note in done.notes:
        errors.print(note, markup=False)
    if done.unnamed:
        errors.print(
            f"WARNING: columns that the fitted table did not have are left out: {', '.join(done.unnamed)}.",
            markup=False,
        )
    if gone := rows - done.table.rows:
        errors.print(
            f"WARNING: {gone} of {rows} rows ({100 * gone / rows:.1f} %) were left out: {done.unknown} with values "
            f"that are not known or cannot be read, {done.short} in classes that miss the goal among these rows.",
            markup=False,
        )
    errors.print(f"Written: {to}, {done.table.rows} rows.", markup=False)
    if gone > limit * rows:
        errors.print(
            f"EXCEEDED: at most {100 * limit:g} % of the rows may be left out. What is left may say little of the "
            "others; transform more rows at once, or fit to them.",
            markup=False,
        )
        raise typer.Exit(EXCEEDED)


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
