"""`reticent minimise`: which columns, values and rows a model can do without; `apply` keeps the rest of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from reticent.cli._reading import Header
from reticent.cli._tables import ADDRESS, Dates, Kinds, names, said
from reticent.cli._writing import Overwrite, new

if TYPE_CHECKING:
    from reticent.data.minimisation import Minimisation

__all__ = ["app"]

REFUTED = 1
NOT_RESOLVABLE = 3
PAGES = (".html", ".json", ".csv")
_EXAMPLE = """Find out which columns, values and rows a model can do without, and confirm it on rows held out.

Example: reticent minimise people.csv --label income --prefer-dropping zip,age --map less.json -o page.html, and then
reticent minimise apply less.json people.csv -o less.csv. A file without a command is found out about ("find").
"""


class _FindFirst(TyperGroup):
    """`reticent minimise FILE` is `reticent minimise find FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "-h", "--help"}:
            args = ["find", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(help=_EXAMPLE, cls=_FindFirst, no_args_is_help=True)


@app.command("find")
def find(
    file: Annotated[str, typer.Argument(help=f"The table: {ADDRESS}.", metavar="FILE")],
    label: Annotated[str, typer.Option(help="The column that the model predicts.")],
    metric: Annotated[
        str | None, typer.Option(help="Accuracy, auc or r2; accuracy for classes, r2 for numbers by default.")
    ] = None,
    tolerance: Annotated[float, typer.Option(help="The largest loss of the metric that is accepted.")] = 0.01,
    confidence: Annotated[float, typer.Option(help="Confidence of all intervals, two-sided.")] = 0.95,
    prefer_dropping: Annotated[
        str, typer.Option(help="Columns that had better go, with commas; with weights as zip=2,age=1.")
    ] = "",
    keep: Annotated[str, typer.Option(help="Columns that stay as they are, with commas.")] = "",
    ignore: Annotated[str, typer.Option(help="Columns that no model is given, with commas; they are dropped.")] = "",
    person: Annotated[str | None, typer.Option(help="The column that says whose row it is.")] = None,
    regroup: Annotated[bool, typer.Option("--regroup", help="Put one-hot columns together by their names.")] = False,
    coarsen: Annotated[bool, typer.Option(help="Make coarser what cannot go.")] = True,
    fewer_rows: Annotated[
        bool, typer.Option("--fewer-rows", help="Claim that fewer training rows are enough.")
    ] = False,
    seconds: Annotated[float | None, typer.Option(help="Stop the search after so long; the rest comes on top.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Make the run repeatable.")] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", "-o", help="The page (.html), the record (.json), the table (.csv)."),
    ] = None,
    map_to: Annotated[Path | None, typer.Option("--map", help="Where to keep the map, for apply (.json).")] = None,
    overwrite: Overwrite = False,
    kind: Kinds = None,
    dates: Dates = None,
    header: Header = None,
    json: Annotated[bool, typer.Option("--json", help="Print the record's body as JSON.")] = False,
) -> None:
    """Search on some of the rows, confirm on the others how far it holds; exit code 1 if refuted, 3 if unclear."""
    from reticent.cli._output import bars, print_json
    from reticent.data.minimisation import minimise, regrouped
    from reticent.data.tables import called, read
    from reticent.randomness import Randomness

    for one in output or []:
        new(one, PAGES, overwrite=overwrite)
    new(map_to, (".json",), overwrite=overwrite)
    table = read(file, **said(kind, dates, header))
    with bars(quiet=json) as report:
        found = minimise(
            regrouped(table) if regroup else table,
            label,
            metric=metric,
            tolerance=tolerance,
            confidence=confidence,
            prefer_dropping=_weights(prefer_dropping),
            keep=names(keep),
            ignore=names(ignore),
            person=person,
            coarsen=coarsen,
            fewer_rows=fewer_rows,
            seconds=seconds,
            jobs=jobs,
            randomness=Randomness.secure() if seed is None else Randomness.simulated(seed),
            progress=report,
            name=called(file),
        )
    written = [found.save(one) for one in output or []] + ([found.map.save(map_to)] if map_to else [])
    if json:
        print_json(found.as_dict())
    else:
        _tell(found, written, seeded=seed is not None)
    if found.status == "refuted":
        raise typer.Exit(REFUTED)
    if found.status in ("not confirmed", "not resolvable"):
        raise typer.Exit(NOT_RESOLVABLE)


@app.command("apply")
def apply(
    less: Annotated[Path, typer.Argument(help="A map that was kept with --map.", metavar="MAP.json")],
    file: Annotated[
        str, typer.Argument(help=f"The table: {ADDRESS}. Columns that the map drops may be missing.", metavar="FILE")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write: .csv, .parquet or .jsonl.")],
    unreadable: Annotated[
        float,
        typer.Option(help="Exit with 1 if a larger share of a column's cells could not be read, and is missing."),
    ] = 0.05,
    overwrite: Overwrite = False,
    header: Header = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write what a map keeps of a file, in pieces, however large it is."""
    from reticent import _checks
    from reticent._numbers import count
    from reticent.cli._output import bars, errors, print_json
    from reticent.cli._output import output as out
    from reticent.data.minimisation import Generalisation, apply_file
    from reticent.data.minimisation.applying import ENDINGS

    _checks.fraction(unreadable=unreadable)
    new(output, ENDINGS, overwrite=overwrite)
    rules = Generalisation.load(less)
    with bars(quiet=json) as report:
        done = apply_file(rules, file, output, header=header, progress=report)
    if json:
        problems = [{"what": one.what, "where": one.where, "count": one.count} for one in done.problems]
        print_json({"path": str(done.path), "rows": done.rows, "columns": list(done.columns), "problems": problems})
    else:
        for one in done.problems:
            errors.print(f"WARNING: {count(one.count)} {one.what} ({one.where}).", markup=False)
        out.print(f"Written: {done.path}, {count(done.rows)} rows, {len(done.columns)} columns.", markup=False)
    if bad := [name for name, (unread, cells) in done.unreadable.items() if unread > unreadable * cells]:
        errors.print(
            f"EXCEEDED: more than {100 * unreadable:g} % of the cells of {', '.join(bad)} could not be read as they "
            "were when the map was made, and are missing in what was written.",
            markup=False,
        )
        raise typer.Exit(REFUTED)


def _tell(found: Minimisation, written: list[Path], *, seeded: bool) -> None:
    from rich.table import Table

    from reticent.cli._output import output
    from reticent.reports.minimisation import column_table, sentences

    body = found.as_dict()
    for sentence in sentences(body):
        output.print(sentence + "\n", markup=False, soft_wrap=False)
    listed = column_table(body, found.created)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in listed.columns[:4]:
        table.add_column(heading, overflow="fold")
    for row in listed.rows:
        table.add_row(*row[:4])
    output.print(table)
    if seeded:
        output.print("\nSeeded run: whoever knows the seed knows who was held out.", markup=False)
    for path in written:
        output.print(f"Written: {path}", markup=False)


def _weights(text: str) -> dict[str, float]:
    from reticent.errors import UsageError

    found = {}
    for one in names(text):
        name, _, weight = one.rpartition("=") if "=" in one else (one, "", "1")
        try:
            found[name.strip()] = float(weight)
        except ValueError:
            raise UsageError(f"Expected a number as the weight of {name!r}, got {weight!r}.", "Say name=2.") from None
    return found
