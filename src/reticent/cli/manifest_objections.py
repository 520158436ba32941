"""`reticent manifest object`: somebody's objection, looked up in the data before it is noted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reticent._numbers import counted
from reticent.cli._manifests import Json, Key, Place, free, needed, today_or, warn, write_json
from reticent.cli._writing import Overwrite

if TYPE_CHECKING:
    from reticent.data.manifests import Manifest, Objections
    from reticent.data.manifests.matching import Sought

__all__ = ["objecting"]


def objecting(
    manifest: Place,
    person: Annotated[str, typer.Option(help="The identifier, spelt as in the owner column.", show_default=False)],
    purpose: Annotated[list[str] | None, typer.Option(help="Against what; repeat.  [default: every purpose]")] = None,
    on: Annotated[str | None, typer.Option(help="The date of the objection, YYYY-MM-DD.  [default: today]")] = None,
    key: Key = None,
    data: Annotated[
        Path | None, typer.Option(help="Where to look for the person.  [default: the manifest's files beside it]")
    ] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Note it though nobody in the data is spelt so.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Begin a list that names people instead of tokens.")] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take this person's objections back.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write a receipt for the person (.json).")
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Add somebody's objection to the list of a manifest; the first one begins the list. Refused where the data are at
    hand and nobody in them is spelt so.

    Example: reticent manifest object visits.csv.manifest.json --person 1707 --key visits.key
    """
    from reticent.cli._output import output as out
    from reticent.cli._output import print_json
    from reticent.data.manifests import Objections, read_key, read_manifest
    from reticent.data.manifests.lists import with_list

    if output is not None:
        free(output, overwrite, reading=(manifest, key, data), endings=(".json",))
    secret, date = None if key is None else read_key(key), str(today_or(on))
    seen = {} if withdraw else _seen(read_manifest(manifest), manifest, person, data, anyway)

    def changed(listed: Objections | None) -> Objections:
        if listed is None:
            listed = Objections.plain() if plain else Objections.keyed(needed(secret))
        if withdraw:
            return listed.withdrawing(person, on=date, key=secret)
        return listed.objecting(person, on=date, purposes=tuple(purpose or ()), key=secret)

    pinned, count = with_list(manifest, changed)
    name = "" if pinned.objections is None else pinned.objections.name
    if output is not None:
        write_json(output, _receipt(pinned, person, secret, date, purpose or [], withdraw))
    rows = {where: one.rows for where, one in seen.items()}
    if json:
        print_json({"list": name, "objections": count, "digest": pinned.digest, "rows": rows if seen else None})
        return
    verb = "Taken back" if withdraw else "Noted"
    out.print(f"{verb}, as of {date}: {counted(count, 'objection')} in {name}.", markup=False)
    for where, number in rows.items():
        out.print(f"{person!r} has {counted(number, 'row')} in {where}.", markup=False)


def _seen(found: Manifest, place: Path, person: str, data: Path | None, anyway: bool) -> dict[str, Sought]:
    """Who is spelt so in the data, by file; says it where there is none to look in.

    Raises:
        DataError: nobody, and it was not said that this does not matter.
    """
    import contextlib

    from reticent.data.manifests.loading import covered
    from reticent.data.manifests.matching import sought
    from reticent.errors import DataError, ReticentError

    owner = None if found.people is None else found.people.owner
    if owner is None:
        if not anyway:
            raise DataError(
                "Expected a manifest that says in which column people stand, got one without: nobody can be found.",
                "Make it anew with --owner COLUMN, or say --anyway; with an objection and no owner nothing is loaded.",
            )
        return {}
    seen: dict[str, Sought] = {}
    if data is not None:
        seen[data.name] = sought(covered(found, data)[0], owner, person)
    for one in found.files if data is None else ():
        with contextlib.suppress(ReticentError):  # not beside it, or other bytes: not the data
            seen[one.name] = sought(covered(found, place.parent / one.name)[0], owner, person)
    if not seen:
        warn(
            f"not looked up: no file of this manifest is beside it, unchanged. If nobody in the data is spelt "
            f"{person!r}, this objection removes nothing; --data FILE looks."
        )
    elif not any(one.rows for one in seen.values()):
        alike = "; ".join(text for one in seen.values() for text in one.alike)
        said = f"nobody in {', '.join(seen)} is spelt {person!r} in column {owner!r}"
        nearly = f" Nearly so: {alike}." if alike else ""
        if not anyway:
            raise DataError(
                f"Expected a person of the data, but {said}.{nearly}",
                "Spell it as the data do (zeros in front, blanks and capitals count), or note it with --anyway.",
            )
        warn(f"{said}: as long as this is so, the objection removes nothing.{nearly}")
    return seen


def _receipt(
    pinned: Manifest, person: str, key: bytes | None, date: str, purposes: list[str], withdrawn: bool
) -> dict[str, Any]:
    """What the person is given: their token, which fits their proofs, and the list's digest."""
    from reticent.data.manifests import persons

    return {
        "format": "reticent-receipt/1",
        "manifest": pinned.name,
        "token": None if key is None else persons.token(key, person).hex(),
        "key_check": None if key is None else persons.check(key),
        "date": date,
        "purposes": purposes,
        "withdrawn": withdrawn,
        "list": None if pinned.objections is None else pinned.objections.sha256,
    }
