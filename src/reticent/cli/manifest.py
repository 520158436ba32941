"""`reticent manifest`: what data may be used for, who objected, and loading that keeps to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reticent._numbers import counted
from reticent.cli import manifest_objections, manifest_proofs
from reticent.cli._manifests import (
    Json,
    Key,
    List,
    Place,
    Results,
    Today,
    free,
    listed_with,
    loaded_with,
    parsed,
    today_or,
    warn,
    write_json,
)
from reticent.cli._reading import Header
from reticent.cli._writing import Overwrite

if TYPE_CHECKING:
    from reticent.data.manifests import Manifest, Objections, Origin

__all__ = ["app"]

app = typer.Typer(help="What data may be used for, and who objected.", no_args_is_help=True)


@app.command("init")
def init(
    file: Annotated[Path, typer.Argument(help="The file that it is about.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write it.  [default: FILE.manifest.json]")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="The column that says whose a row is.")] = None,
    unit: Annotated[str, typer.Option(help="Whose the rows are: person, household, record or nobody.")] = "person",
    source: Annotated[list[str] | None, typer.Option(help="Where the data come from; repeat.")] = None,
    source_url: Annotated[list[str] | None, typer.Option(help="Its address; one for each source.")] = None,
    collected: Annotated[list[str] | None, typer.Option(help="When, in words or as a date; for each source.")] = None,
    purpose: Annotated[list[str] | None, typer.Option(help="A purpose that is allowed; repeat.")] = None,
    never: Annotated[list[str] | None, typer.Option(help="A purpose that is prohibited; repeat.")] = None,
    basis: Annotated[str | None, typer.Option(help="The legal basis, as declared.")] = None,
    until: Annotated[str | None, typer.Option(help="The last day of use, YYYY-MM-DD.")] = None,
    licence: Annotated[str | None, typer.Option(help="Its address or name.")] = None,
    creator: Annotated[str | None, typer.Option(help="Who made the data set.")] = None,
    recipient: Annotated[list[str] | None, typer.Option(help="Who may have it; repeat.")] = None,
    description: Annotated[str, typer.Option(help="The data set in words.")] = "",
    header: Header = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Write a manifest of a file: what can be counted, and what you declare. Purposes: reticent manifest purposes.

    Example: reticent manifest init visits.csv --owner patient --source "ward 3" --collected 2025 \
    --purpose "health research" --basis consent --until 2030-01-01
    """
    import dataclasses

    from reticent.cli._output import output as out
    from reticent.cli._output import print_json
    from reticent.data.manifests import Basis, describe, read_manifest, save_manifest

    target = free(output or file.with_name(f"{file.name}.manifest.json"), overwrite, reading=(file,))
    sources = _sources(source or [], source_url or [], collected or [])
    made = dataclasses.replace(
        describe(file, owner=owner, unit=unit, header=header),
        sources=sources,
        allowed=tuple(purpose or ()),
        prohibited=tuple(never or ()),
        basis=None if basis is None else Basis(basis),
        until=until,
        licence=licence,
        creator=creator,
        recipients=tuple(recipient or ()),
        description=description,
        # a list of objections is not lost with the manifest that is replaced
        objections=read_manifest(target).objections if target.exists() else None,
    )
    save_manifest(made, target)
    if (made.days_left(today_or(None)) or 0) < 0:
        warn(f"the last day of use, {made.until}, has passed: nothing can be loaded with this manifest.")
    if json:
        print_json({"manifest": str(target), "digest": made.digest, "lacking": list(made.lacking)})
        return
    out.print(f"Written: {target}", markup=False)
    if made.lacking:
        out.print(f"Still to be declared before it can be loaded: {', '.join(made.lacking)}.", markup=False)


def _sources(names: list[str], addresses: list[str], days: list[str]) -> tuple[Origin, ...]:
    from reticent.data.manifests import Origin
    from reticent.errors import UsageError

    for what, values in (("--source-url", addresses), ("--collected", days)):
        if values and len(values) != len(names):
            raise UsageError(
                f"Expected {what} once for each --source, got {len(values)} for {len(names)}.",
                "Name every source with --source, and give all of them one, or none.",
            )
    return tuple(
        Origin(name, addresses[place] if addresses else None, days[place] if days else None)
        for place, name in enumerate(names)
    )


@app.command("purposes")
def purposes(output: Results = None, overwrite: Overwrite = False, json: Json = False) -> None:
    """List the purposes that can be declared and asked for; a broader one allows those below it."""
    from reticent.cli._output import output as out
    from reticent.cli._output import print_json
    from reticent.data.manifests.purposes import tree

    found = [{"purpose": one.name, "broader": one.broader, "identifier": one.identifier} for _, one in tree()]
    if output is not None:
        write_json(free(output, overwrite, endings=(".json",)), found)
    if json:
        print_json(found)
        return
    for depth, one in tree():
        out.print(f"{'  ' * depth + one.name:<32} {one.identifier}", markup=False)


@app.command("check")
def check(
    manifest: Place,
    data: Annotated[Path | None, typer.Option(help="A file: is it covered and unchanged, who matches nobody?")] = None,
    purpose: Annotated[list[str] | None, typer.Option(help="Would it be loaded for this? Repeat for several.")] = None,
    today: Today = None,
    objections: List = None,
    key: Key = None,
    mend: Annotated[bool, typer.Option("--mend", help="Write derived fields anew from the manifest's own.")] = False,
    output: Results = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Check that a manifest is complete, has not expired and does not contradict itself; with --data, what loading
    would do. Exit code 2: incomplete, 4: expired or not allowed, 5: other bytes than those it names.

    Example: reticent manifest check visits.csv.manifest.json --data visits.csv --purpose "health research"
    """
    from reticent.cli._output import output as out
    from reticent.cli._output import print_json
    from reticent.data.manifests import mended, read_manifest, save_manifest
    from reticent.data.manifests.croissant import read_document
    from reticent.data.manifests.loading import permitted
    from reticent.data.manifests.matching import said_of_unmatched

    if output is not None:
        free(output, overwrite, reading=(manifest, data, objections, key), endings=(".json",))
    if mend:
        save_manifest(mended(read_document(manifest)), manifest)
    found, date = read_manifest(manifest), today_or(today)
    permitted(found, purpose or (), date)
    said: dict[str, Any] = {"digest": found.digest, "complete": True, "date": str(date), "until": found.until}
    said |= {"days left": found.days_left(date), "purposes": purpose or []}
    if data is not None and purpose:
        loaded = loaded_with(manifest, data, purposes=purpose, today=today, listed=objections, key=key)
        said |= {name: loaded.body[name] for name in ("purpose", "rows", "people", "objections")}
    elif data is not None:
        said |= _looked(found, manifest, data, date, objections, key)
    if output is not None:
        write_json(output, said)
    if unmatched := said_of_unmatched(said.get("objections") or {}):
        warn(unmatched)
    if json:
        print_json(said)
        return
    left = counted(said["days left"], "day")
    out.print(f"Complete; {left} left on {date}. Digest: {found.digest}", markup=False)
    if "rows" in said:
        out.print(manifest_proofs.counted_in(said) if purpose else _covered(said, data), markup=False)


def _looked(
    found: Manifest, place: Path, data: Path, date: Any, listed: Path | None, key: Path | None
) -> dict[str, Any]:
    """A file held against the manifest for no purpose in particular: who objects to anything counts."""
    from reticent.data.manifests import read_key
    from reticent.data.manifests.loading import covered, the_list
    from reticent.data.manifests.matching import matched

    secret = None if key is None else read_key(key)
    objections = the_list(found, listed_with(found, place, listed), secret)
    table, _ = covered(found, data)
    said: dict[str, Any] = {"rows": table.rows, "people": None, "objections": None}
    if found.people is None or found.people.owner is None:
        return said
    seen = matched(table, found.people.owner, objections, secret, purposes=None, on=date)
    return said | {"people": len(seen.people), "objections": None if objections is None else seen.counts}


def _covered(said: dict[str, Any], data: Path | None) -> str:
    people = "" if said["people"] is None else f", {counted(said['people'], 'person', 'people')}"
    objecting = said["objections"]
    against = (
        ""
        if objecting is None
        else f"; {objecting['found']} of them {'objects' if objecting['found'] == 1 else 'object'} to some use or all"
    )
    return f"{data} is covered and unchanged: {counted(said['rows'], 'row')}{people}{against}."


@app.command("show")
def show(
    manifest: Place,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write a page (.html), or its record (.json).")
    ] = None,
    loading: Annotated[list[Path] | None, typer.Option(help="A record of a loading, for the page; repeat.")] = None,
    today: Annotated[str | None, typer.Option(help="The day on which it is seen.  [default: today]")] = None,
    objections: List = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Show what a manifest says; with --output as a page, with days left, objections counted and loadings.

    Example: reticent manifest show visits.csv.manifest.json --loading loading.json --output manifest.html
    """
    from reticent.cli._output import output as out
    from reticent.cli._output import print_json
    from reticent.data.manifests import overview, read_manifest
    from reticent.evidence import Record
    from reticent.reports import save

    if output is not None:
        reading = (manifest, objections, *(loading or ()))
        free(output, overwrite, reading=reading, endings=(".html", ".json"))
    found = read_manifest(manifest)
    for one in loading or ():
        parsed(one)
    seen = overview(
        found,
        today=today_or(today),
        objections=_at_hand(found, manifest, objections),
        loadings=[Record.from_json(one.read_bytes()) for one in loading or ()],
    )
    if output is not None:
        save(seen, output)
    if json:
        print_json({**found.as_dict(), "digest": found.digest, "lacking": list(found.lacking)})
        return
    for line in _lines(found, seen.body):
        out.print(line, markup=False)
    if output is not None:
        out.print(f"Written: {output}", markup=False)


def _at_hand(found: Manifest, place: Path, listed: Path | None) -> Objections | None:
    """The list of objections; None where there is none, or where its file is not here."""
    from reticent.errors import UsageError

    try:
        return listed_with(found, place, listed)
    except UsageError:
        if listed is not None:
            raise
        return None


@app.command("key")
def make_key(
    file: Annotated[Path | None, typer.Argument(help="Where to write the key.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The same.")] = None,
) -> None:
    """Draw a key for lists of objections and for proofs; only you can read the file. Losing it loses the proofs, so
    there is no --overwrite here."""
    from reticent.cli._output import output as out
    from reticent.data.manifests import new_key, save_key
    from reticent.errors import UsageError

    target = file if output is None else output
    if target is None or (file is not None and output is not None):
        raise UsageError("Expected one place for the key.", "Name it: `reticent manifest key FILE`.")
    out.print(f"Written: {save_key(new_key(), target)}", markup=False)


app.command("object")(manifest_objections.objecting)
app.command("load")(manifest_proofs.load)
app.command("prove")(manifest_proofs.prove)
app.command("verify")(manifest_proofs.verify)


def _lines(found: Manifest, body: dict[str, Any]) -> list[str]:
    people, basis, pinned = found.people, found.basis, found.objections
    rows = [
        ("", f"{found.name} {found.version}: {found.description}".rstrip(": ")),
        ("people", "" if people is None else _people(people)),
        ("allowed", ", ".join(found.allowed)),
        ("prohibited", ", ".join(found.prohibited)),
        ("conditions", found.use),
        ("legal basis, as declared", "" if basis is None else f"{basis.kind} {basis.about}".strip()),
        ("until", "" if found.until is None else f"{found.until} ({_left(body)})"),
        ("recipients", ", ".join(found.recipients)),
        ("licence", found.licence or ""),
        ("sources", "; ".join(_source(one) for one in found.sources)),
        ("files", "; ".join(f"{one.name} ({one.bytes} bytes, {one.sha256[:12]}...)" for one in found.files)),
        ("objections", "" if pinned is None else f"{pinned.name} ({pinned.kind}{_objecting(body)})"),
        ("lacking", ", ".join(found.lacking)),
        ("digest", found.digest),
    ]
    return [f"{label}: {text}" if label else text for label, text in rows if text]


def _people(people: Any) -> str:
    count = "" if people.count is None else f", {people.count} of them"
    return f"one {people.unit} each{count}, by {people.owner}" if people.owner else f"one {people.unit} each row{count}"


def _left(body: dict[str, Any]) -> str:
    days = body["days left"]
    return f"{counted(days, 'day')} left on {body['date']}" if days >= 0 else f"expired {counted(-days, 'day')} ago"


def _source(one: Any) -> str:
    more = [f"collected {one.collected}" if one.collected else "", one.url or "", one.how]
    said = ", ".join(text for text in more if text)
    return f"{one.name} ({said})" if said else str(one.name)


def _objecting(body: dict[str, Any]) -> str:
    counts = body["objections"]["counted"]
    return ", not at hand" if counts is None else f", {counted(counts['people'], 'person', 'people')}"
