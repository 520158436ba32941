"""What the commands of `reticent manifest` share: where they may write, the list of objections, and days.

Promise: no command writes over a file unless `--overwrite` is given, and none ever over what it reads.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reticent.cli._output import errors, writable
from reticent.errors import UsageError

if TYPE_CHECKING:
    from reticent.data.manifests import Loaded, Manifest, Objections

__all__ = [
    "Json",
    "Key",
    "List",
    "Place",
    "Results",
    "Today",
    "free",
    "listed_with",
    "loaded_with",
    "needed",
    "parsed",
    "quietly",
    "today_or",
    "warn",
    "write_json",
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Key = Annotated[Path | None, typer.Option(help="The file with the key of the list of objections.")]
List = Annotated[Path | None, typer.Option(help="The list.  [default: as the manifest names it]")]
Place = Annotated[Path, typer.Argument(help="The manifest.", metavar="MANIFEST")]
Results = Annotated[Path | None, typer.Option("--output", "-o", help="Where to write what is found (.json).")]
Today = Annotated[str | None, typer.Option(help="The day of use, YYYY-MM-DD.  [default: today]")]


def free(
    path: Path, overwrite: bool, *, reading: Iterable[Path | None] = (), endings: tuple[str, ...] | None = None
) -> Path:
    """The path, if it may be written.

    Raises:
        UsageError: it is there already, it is one of those that are read, or nothing can be written there.
    """
    writable(path, endings or (path.suffix.lower(),))
    if any(one is not None and one.exists() and path.exists() and one.samefile(path) for one in reading):
        raise UsageError(
            f"Expected an output other than what is read, got {str(path)!r} for both.", "Choose another name."
        )
    if path.exists() and not overwrite:
        raise UsageError(
            f"Expected an output that does not exist yet, got {str(path)!r}.",
            "Choose another name, or say --overwrite.",
        )
    return path


def write_json(path: Path, value: Any, *, for_owner_only: bool = False) -> None:
    """Canonical JSON and a newline."""
    from reticent.evidence import canonical_json, write_whole

    write_whole(path, canonical_json(value) + b"\n", for_owner_only=for_owner_only)


def parsed(path: Path) -> Any:
    """The JSON in a file.

    Raises:
        UsageError: no such file, or no JSON in it.
    """
    from reticent.evidence import parse

    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise UsageError(f"Expected a file at {str(path)!r}, found none.", "Check the name.") from error


def needed(key: Any) -> Any:
    """The key.

    Raises:
        UsageError: there is none.
    """
    if key is None:
        raise UsageError(
            "Expected --key, got none.", "Make one with `reticent manifest key FILE` (or pass --plain to object)."
        )
    return key


def today_or(given: str | None) -> Any:
    """The day that was given, or the computer's, in UTC.

    Raises:
        DataError: no day.
    """
    import datetime

    from reticent.data.manifests.objections import day

    return datetime.datetime.now(datetime.UTC).date() if given is None else day(today=given)


def listed_with(found: Manifest, place: Path, listed: Path | None) -> Objections | None:
    """The list of objections: the one that was named, or the one that the manifest names."""
    from reticent.data.manifests import Objections
    from reticent.data.manifests.lists import list_of

    return Objections.read(listed) if listed is not None else list_of(found, place)


def loaded_with(
    place: Path, data: Path, *, purposes: list[str], today: str | None, listed: Path | None, key: Path | None
) -> Loaded:
    """What a manifest lets one load."""
    from reticent.data.manifests import load_with, read_key, read_manifest

    found = read_manifest(place)
    secret = None if key is None else read_key(key)
    objections = listed_with(found, place, listed)
    with quietly():
        return load_with(found, data, purpose=purposes, today=today, objections=objections, key=secret)


@contextmanager
def quietly() -> Iterator[None]:
    """Keep the warning about people who match nobody to the command, which says it in its own way."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".* nobody in this file, as spelt in the list")
        yield


def warn(text: str) -> None:
    """Print a warning to standard error."""
    from rich.text import Text

    errors.print(Text.assemble(("warning: ", "bold yellow"), text))
