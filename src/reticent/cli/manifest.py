"""`reticent manifest`: what data may be used for, who objected, and loading that keeps to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reticent._numbers import counted
from reticent.cli._reading import Header

if TYPE_CHECKING:
    from reticent.data.manifests import Manifest, Objections

__all__ = ["app"]

app = typer.Typer(help="What data may be used for, and who objected.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Key = Annotated[Path | None, typer.Option(help="The file with the key of the list of objections.")]
Place = Annotated[Path, typer.Argument(help="The manifest.", metavar="MANIFEST")]
Today = Annotated[str | None, typer.Option(help="The day of use, YYYY-MM-DD.  [default: today]")]


@app.command("init")
def init(
    file: Annotated[Path, typer.Argument(help="The file that it is about.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write it.  [default: FILE.manifest.json]")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="The column that says whose a row is.")] = None,
    unit: Annotated[str, typer.Option(help="Whose the rows are: person, household, record or nobody.")] = "person",
    purpose: Annotated[list[str] | None, typer.Option(help="A purpose that is allowed; repeat.")] = None,
    never: Annotated[list[str] | None, typer.Option(help="A purpose that is prohibited; repeat.")] = None,
    basis: Annotated[str | None, typer.Option(help="The legal basis, as declared.")] = None,
    until: Annotated[str | None, typer.Option(help="The last day of use, YYYY-MM-DD.")] = None,
    licence: Annotated[str | None, typer.Option(help="Its address or name.")] = None,
    creator: Annotated[str | None, typer.Option(help="Who made the data set.")] = None,
    recipient: Annotated[list[str] | None, typer.Option(help="Who may have it; repeat.")] = None,
    description: Annotated[str, typer.Option(help="The data set in words.")] = "",
    header: Header = None,
    json: Json = False,
) -> None:
    """Write a manifest of a file: what can be counted, and what you declare.

    Example: reticent manifest init visits.csv --owner patient --purpose "health research" --basis consent \
    --until 2030-01-01
    """
    import dataclasses

    from reticent.cli._output import output as out
    from reticent.cli._output import print_json
    from reticent.data.manifests import Basis, describe, save_manifest

    made = dataclasses.replace(
        describe(file, owner=owner, unit=unit, header=header),
        allowed=tuple(purpose or ()),
        prohibited=tuple(never or ()),
        basis=None if basis is None else Basis(basis),
        until=until,
        licence=licence,
        creator=creator,
        recipients=tuple(recipient or ()),
        description=description,
    )
    target = _fresh(output or file.with_name(f"{file.name}.manifest.json"))
    save_manifest(made, target)
    if json:
        print_json({"manifest": str(target), "digest": made.digest, "lacking": list(made.lacking)})
        return
    out.print(f"Written: {target}", markup=False)
    if made.lacking:
        out.print(f"Still to be declared before it can be loaded: {', '.join(made.lacking)}.", markup=False)


@app.command("check")
def check(
    manifest: Place,
    data: Annotated[Path | None, typer.Option(help="A file: is it covered, unchanged?")] = None,
    purpose: Annotated[str | None, typer.Option(help="With --data: would it be loaded for this?")] = None,
    today: Today = None,
    objections: Annotated[Path | None, typer.Option(help="The list.  [default: as the manifest names it]")] = None,
    key: Key = None,
    mend: Annotated[bool, typer.Option("--mend", help="Write derived fields anew from the manifest's own.")] = False,
    json: Json = False,
) -> None:
    """Check that a manifest is complete and does not contradict itself; with --data, what loading would do.

    Example: reticent manifest check visits.csv.manifest.json --data visits.csv --purpose "health research"
    """
    from reticent.cli._output import output, print_json
    from reticent.data.manifests import mended, read_manifest, save_manifest
    from reticent.data.manifests.croissant import read_document
    from reticent.errors import DataError, UsageError

    if (data is None) != (purpose is None):
        raise UsageError("Expected --data and --purpose together, got one of them.", "Pass both, or neither.")
    if mend:
        save_manifest(mended(read_document(manifest)), manifest)
    found = read_manifest(manifest)
    if found.lacking:
        raise DataError(
            f"Expected a complete manifest, but it lacks {', '.join(found.lacking)}.", "Declare what is missing."
        )
    said: dict[str, Any] = {"digest": found.digest, "complete": True}
    if data is not None and purpose is not None:
        loaded = _loaded(found, manifest, data, purpose=purpose, today=today, listed=objections, key=key)
        said |= {name: loaded.body[name] for name in ("purpose", "date", "rows", "people", "objections")}
    if json:
        print_json(said)
        return
    output.print(f"Complete. Digest: {found.digest}", markup=False)
    if "rows" in said:
        output.print(_counted(said), markup=False)


@app.command("show")
def show(manifest: Place, json: Json = False) -> None:
    """Show what a manifest says."""
    from reticent.cli._output import output, print_json
    from reticent.data.manifests import read_manifest

    found = read_manifest(manifest)
    if json:
        print_json({**found.as_dict(), "digest": found.digest, "lacking": list(found.lacking)})
        return
    for line in _lines(found):
        output.print(line, markup=False)


@app.command("key")
def make_key(file: Annotated[Path, typer.Argument(help="Where to write the key.")]) -> None:
    """Draw a key for lists of objections and for proofs; only you can read the file. Losing it loses the proofs."""
    from reticent.cli._output import output
    from reticent.data.manifests import new_key, save_key

    output.print(f"Written: {save_key(new_key(), file)}", markup=False)


@app.command("object")
def objecting(
    manifest: Place,
    person: Annotated[str, typer.Option(help="The identifier in the owner column.", show_default=False)],
    purpose: Annotated[list[str] | None, typer.Option(help="Against what; repeat.  [default: every purpose]")] = None,
    on: Annotated[str | None, typer.Option(help="The date of the objection, YYYY-MM-DD.  [default: today]")] = None,
    key: Key = None,
    plain: Annotated[bool, typer.Option("--plain", help="Begin a list that names people instead of tokens.")] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take this person's objections back.")] = False,
    json: Json = False,
) -> None:
    """Add somebody's objection to the list of a manifest; the first one begins the list.

    Example: reticent manifest object visits.csv.manifest.json --person 1707 --key visits.key
    """
    from reticent.cli._output import output, print_json
    from reticent.data.manifests import Objections, read_key
    from reticent.data.manifests.lists import with_list

    secret = None if key is None else read_key(key)
    date = _today() if on is None else on

    def changed(listed: Objections | None) -> Objections:
        if listed is None:
            listed = Objections.plain() if plain else Objections.keyed(_needed(secret))
        if withdraw:
            return listed.withdrawing(person, on=date, key=secret)
        return listed.objecting(person, on=date, purposes=tuple(purpose or ()), key=secret)

    pinned, count = with_list(manifest, changed)
    name = pinned.objections.name if pinned.objections is not None else ""
    if json:
        print_json({"list": name, "objections": count, "digest": pinned.digest})
        return
    verb = "Taken back" if withdraw else "Noted"
    output.print(f"{verb}, as of {date}: {counted(count, 'objection')} in {name}.", markup=False)


@app.command("load")
def load(
    manifest: Place,
    data: Annotated[Path, typer.Argument(help="The file.", metavar="FILE")],
    purpose: Annotated[str, typer.Option(help="What it is loaded for.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Where to write the rows (.csv, .parquet, .jsonl).", show_default=False),
    ],
    record: Annotated[Path | None, typer.Option(help="Where to write the record (.json).")] = None,
    kept: Annotated[
        Path | None, typer.Option(help="Where to write tokens of the kept people, for proofs; needs --key.")
    ] = None,
    today: Today = None,
    objections: Annotated[Path | None, typer.Option(help="The list.  [default: as the manifest names it]")] = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Write the rows that may be used for a purpose, without those of people who objected, and a record of it.

    Example: reticent manifest load visits.csv.manifest.json visits.csv --purpose "health research" -o usable.csv
    """
    from reticent.cli._output import output as out
    from reticent.cli._output import print_json, writable
    from reticent.data.manifests import read_manifest
    from reticent.evidence import canonical_json, write_whole

    target = _fresh(writable(output, (".csv", ".parquet", ".jsonl")))
    others = [_fresh(one) for one in (record, kept) if one is not None]
    if kept is not None:
        _needed(key)
    loaded = _loaded(read_manifest(manifest), manifest, data, purpose=purpose, today=today, listed=objections, key=key)
    made = loaded.record()
    loaded.table.save(target)
    if record is not None:
        write_whole(record, made.to_json() + b"\n")
    if kept is not None and loaded.kept is not None:
        write_whole(kept, canonical_json(loaded.kept.as_dict()) + b"\n", for_owner_only=True)
    if json:
        print_json({"record": made.body, "id": made.id})
        return
    out.print(_counted(loaded.body), markup=False)
    for path in (target, *others):
        out.print(f"Written: {path}", markup=False)


@app.command("prove")
def prove(
    kept: Annotated[Path, typer.Argument(help="The tokens that `manifest load --kept` wrote.")],
    person: Annotated[str, typer.Option(help="Whose absence or presence is to be shown.", show_default=False)],
    key: Annotated[Path, typer.Option(help="The file with the key.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the proof.", show_default=False)],
) -> None:
    """Write a proof that somebody is not (or is) among the people who were kept, without naming the others."""
    from reticent.cli._output import output as out
    from reticent.data.manifests import Kept, read_key
    from reticent.evidence import canonical_json, write_whole

    found = Kept.from_dict(_json(kept)).proof(read_key(key), person)
    write_whole(_fresh(output), canonical_json(found.as_dict()) + b"\n")
    out.print(f"Written: {output}", markup=False)


@app.command("verify")
def verify(
    proof: Annotated[Path, typer.Argument(help="A proof of `manifest prove`.")],
    record: Annotated[Path, typer.Option(help="The record of the loading.", show_default=False)],
    person: Annotated[str, typer.Option(help="Whom it is about.", show_default=False)],
    key: Annotated[Path, typer.Option(help="The file with the key.", show_default=False)],
    json: Json = False,
) -> None:
    """Say what a proof shows about somebody: exit code 0 with "absent" or "present", 5 if it proves nothing."""
    from reticent.cli._output import output, print_json
    from reticent.data.manifests import Commitment, Proof, read_key, shown
    from reticent.errors import UsageError
    from reticent.evidence import Record

    body = Record.from_json(record.read_bytes()).body
    if not isinstance(body.get("commitment"), dict):
        raise UsageError("Expected the record of a loading with a commitment, got another.", "Pass that one.")
    said = shown(Proof.from_dict(_json(proof)), Commitment(**body["commitment"]), read_key(key), person)
    if json:
        print_json({"person": said, "purpose": body["purpose"], "date": body["date"]})
        return
    output.print(f"{said} from those kept for {body['purpose']} on {body['date']}" if said == "absent" else said)


def _loaded(
    found: Manifest,
    place: Path,
    data: Path,
    *,
    purpose: str,
    today: str | None,
    listed: Path | None,
    key: Path | None,
) -> Any:
    from reticent.data.manifests import Objections, load_with, read_key
    from reticent.data.manifests.lists import list_of

    objections = Objections.read(listed) if listed is not None else list_of(found, place)
    secret = None if key is None else read_key(key)
    return load_with(found, data, purpose=purpose, today=today, objections=objections, key=secret)


def _needed(key: Any) -> Any:
    from reticent.errors import UsageError

    if key is None:
        raise UsageError(
            "Expected --key, got none.", "Make one with `reticent manifest key FILE` (or pass --plain to object)."
        )
    return key


def _fresh(path: Path) -> Path:
    from reticent.errors import UsageError

    if path.exists():
        raise UsageError(f"Expected an output that does not exist yet, got {str(path)!r}.", "Choose another name.")
    return path


def _json(path: Path) -> Any:
    from reticent.errors import UsageError
    from reticent.evidence import parse

    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise UsageError(f"Expected a file at {str(path)!r}, found none.", "Check the name.") from error


def _today() -> str:
    import datetime

    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _counted(body: dict[str, Any]) -> str:
    rows, people = body["rows"], body["people"]
    said = f"For {body['purpose']} on {body['date']}: {rows['after']} of {rows['before']} rows"
    if people:
        said += f", {people['after']} of {people['before']} people"
    listed = body.get("objections") or {}
    if absent := listed.get("people", 0) - listed.get("found", 0):
        said += (
            f". Of {counted(listed['people'], 'person', 'people')} who object, {absent} "
            f"{'is' if absent == 1 else 'are'} not named in this file (as they are written in the list)"
        )
    return f"{said}."


def _lines(found: Manifest) -> list[str]:
    people, basis, pinned = found.people, found.basis, found.objections
    rows = [
        ("", f"{found.name} {found.version}: {found.description}".rstrip(": ")),
        ("people", "" if people is None else _people(people)),
        ("allowed", ", ".join(found.allowed)),
        ("prohibited", ", ".join(found.prohibited)),
        ("conditions", found.use),
        ("legal basis, as declared", "" if basis is None else f"{basis.kind} {basis.about}".strip()),
        ("until", found.until or ""),
        ("recipients", ", ".join(found.recipients)),
        ("licence", found.licence or ""),
        ("sources", "; ".join(one.name for one in found.sources)),
        ("files", "; ".join(f"{one.name} ({one.bytes} bytes, {one.sha256[:12]}...)" for one in found.files)),
        ("objections", "" if pinned is None else f"{pinned.name} ({pinned.kind})"),
        ("lacking", ", ".join(found.lacking)),
        ("digest", found.digest),
    ]
    return [f"{label}: {text}" if label else text for label, text in rows if text]


def _people(people: Any) -> str:
    count = "" if people.count is None else f", {people.count} of them"
    return f"one {people.unit} each{count}, by {people.owner}" if people.owner else f"one {people.unit} each row{count}"
