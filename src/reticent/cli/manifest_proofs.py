"""`reticent manifest load`, `prove`, `verify`: rows that may be used, and what became of one person."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reticent.cli._manifests import (
    Json,
    Key,
    List,
    Place,
    Results,
    Today,
    free,
    loaded_with,
    needed,
    parsed,
    warn,
    write_json,
)
from reticent.cli._writing import Overwrite

if TYPE_CHECKING:
    from reticent.data.manifests import PersonProof

__all__ = ["counted_in", "load", "prove", "verify"]

NOT_IN_IT = 3
_NEVER = "never in the file"


def load(
    manifest: Place,
    data: Annotated[Path, typer.Argument(help="The file.", metavar="FILE")],
    purpose: Annotated[list[str], typer.Option(help="What it is loaded for; repeat for several.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Where to write the rows (.csv, .parquet, .jsonl).", show_default=False),
    ],
    record: Annotated[Path | None, typer.Option(help="Where to write the record (.json).")] = None,
    kept: Annotated[
        Path | None,
        typer.Option(help="Where to write tokens of those kept and left out, for proofs; needs --key."),
    ] = None,
    today: Today = None,
    objections: List = None,
    key: Key = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Write the rows that may be used for a purpose, without those of people who objected, and a record of it.

    Example: reticent manifest load visits.csv.manifest.json visits.csv --purpose "health research" -o usable.csv
    """
    from reticent.cli._output import output as out
    from reticent.cli._output import print_json
    from reticent.data.manifests.matching import said_of_unmatched
    from reticent.evidence import write_whole

    reading = (manifest, data, objections, key)
    target = free(output, overwrite, reading=reading, endings=(".csv", ".parquet", ".jsonl"))
    others = [free(one, overwrite, reading=(*reading, output)) for one in (record, kept) if one is not None]
    if kept is not None:
        needed(key)
    loaded = loaded_with(manifest, data, purposes=purpose, today=today, listed=objections, key=key)
    made = loaded.record()
    loaded.table.save(target)
    if record is not None:
        write_whole(record, made.to_json() + b"\n")
    if kept is not None and loaded.parted is not None:
        write_json(kept, loaded.parted.as_dict(), for_owner_only=True)
    if loaded.unmatched:
        warn(said_of_unmatched(made.body["objections"]))
    if json:
        print_json({"record": made.body, "id": made.id})
        return
    out.print(counted_in(made.body), markup=False)
    for path in (target, *others):
        out.print(f"Written: {path}", markup=False)


def prove(
    kept: Annotated[Path, typer.Argument(help="The tokens that `manifest load --kept` wrote.")],
    person: Annotated[str, typer.Option(help="Whose standing is to be shown.", show_default=False)],
    key: Annotated[Path, typer.Option(help="The file with the key.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the proof.", show_default=False)],
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Write a proof that somebody was kept, left out, or never in the file, without naming the others.

    Example: reticent manifest prove kept.json --person 000227 --key visits.key -o proof.json
    """
    from reticent.cli._output import output as out
    from reticent.cli._output import print_json
    from reticent.data.manifests import Parted, read_key, standing
    from reticent.data.manifests.persons import written

    free(output, overwrite, reading=(kept, key), endings=(".json",))
    parted, secret = Parted.from_dict(parsed(kept)), read_key(key)
    found = parted.proof(secret, person)
    said, spelling = standing(found, *parted.commitments, key=secret, person=person), written(person)
    write_json(output, found.as_dict())
    if said == _NEVER:
        warn(_other_spelling(spelling))
    if json:
        print_json({"standing": said, "spelling": spelling, "proof": str(output)})
        return
    out.print(f"Written: {output}. It shows of {spelling!r}: {said}.", markup=False)


def verify(
    proof: Annotated[Path, typer.Argument(help="A proof of `manifest prove`.")],
    record: Annotated[Path, typer.Option(help="The record of the loading.", show_default=False)],
    person: Annotated[str | None, typer.Option(help="Whom it is about; needs --key.")] = None,
    key: Annotated[Path | None, typer.Option(help="The file with the key; needs --person.")] = None,
    receipt: Annotated[Path | None, typer.Option(help="What `manifest object --output` gave the person.")] = None,
    output: Results = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Say what a proof shows: exit code 0 for "kept" or "left out", 3 for "never in the file", 5 if it proves nothing.

    Without a key, roots and paths are checked for the token that the proof carries; whose it is rests on a receipt.

    Example: reticent manifest verify proof.json --record loading.json --person 000227 --key visits.key
    """
    from reticent.cli._output import output as out
    from reticent.cli._output import print_json
    from reticent.data.manifests import Commitment, PersonProof, read_key, standing
    from reticent.data.manifests.persons import written
    from reticent.errors import UsageError
    from reticent.evidence import Record

    if output is not None:
        free(output, overwrite, reading=(proof, record, key, receipt), endings=(".json",))
    parsed(record)
    made = Record.from_json(record.read_bytes())
    body = made.body
    if made.kind != "loading":
        raise UsageError("Expected the record of a loading, got another.", "Pass what `load --record` wrote.")
    held, left_out = (Commitment.from_dict(body.get(name)) for name in ("commitment", "left out"))
    found = PersonProof.from_dict(parsed(proof))
    secret = None if key is None else read_key(key)
    said: dict[str, Any] = {
        "standing": standing(found, held, left_out, key=secret, person=person),
        "spelling": None if person is None else written(person),
        "token": found.token,
        "person checked": person is not None,
        "receipt": None if receipt is None else _of_receipt(parsed(receipt), found, held),
        "purpose": body["purpose"],
        "date": body["date"],
        "file": body["file"]["name"],
        "record": made.id,
    }
    if output is not None:
        write_json(output, said)
    if json:
        print_json(said)
    else:
        for line in _told(said):
            out.print(line, markup=False)
    if said["standing"] == _NEVER:
        raise typer.Exit(NOT_IN_IT)


def _of_receipt(values: Any, proof: PersonProof, held: Any) -> dict[str, Any]:
    from reticent.errors import IntegrityError, UsageError

    if not isinstance(values, dict) or values.get("format") != "reticent-receipt/1" or not values.get("token"):
        raise UsageError("Expected a receipt with a token, as `manifest object --output` writes it.", "Check the file.")
    if values["token"] != proof.token or values.get("key_check") != held.key_check:
        raise IntegrityError(
            "Expected a proof about the token of this receipt, got one about another.",
            "Ask the office for a proof of that one: this one says nothing about whoever holds the receipt.",
        )
    return {"date": values["date"], "purposes": values["purposes"]}


def _told(said: dict[str, Any]) -> list[str]:
    use = f"for {said['purpose']} on {said['date']} from {said['file']}"
    who = f"the token {said['token'][:16]}…" if said["spelling"] is None else f"{said['spelling']!r}"
    lines = [
        {
            "kept": f"kept: {who} is among those who were loaded {use}.",
            "left out": f"left out: {who} was in the file, objected, and is not among those who were loaded {use}.",
            _NEVER: f"never in the file: {who} was not in what was loaded {use}, neither kept nor left out.",
        }[said["standing"]]
    ]
    if said["standing"] == _NEVER:
        lines.append(_other_spelling(said["spelling"]))
    if not said["person checked"]:
        lines.append(
            "Checked without the key: roots and paths, for this token. Not checked: whose token it is; that takes the "
            "key (--person and --key). A receipt (--receipt) ties it to what the person was given."
        )
    if said["receipt"] is not None:
        lines.append(
            f"It is the token of the receipt of {said['receipt']['date']}. That the receipt has the right token is the "
            "office's word."
        )
    return lines


def _other_spelling(spelling: str | None) -> str:
    who = "this token" if spelling is None else f"{spelling!r}, written exactly so,"
    return (
        f"This is about {who} alone: a person who is in the file under another spelling may have been kept. Look up "
        "how the file spells them."
    )


def counted_in(body: dict[str, Any]) -> str:
    """Rows and people before and after, in a sentence."""
    rows, people = body["rows"], body["people"]
    said = f"For {body['purpose']} on {body['date']}: {rows['after']} of {rows['before']} rows"
    if people:
        said += f", {people['after']} of {people['before']} people"
    return f"{said}."
