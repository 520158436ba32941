"""What every command that keeps its result lets one say: where it goes, and whether a file may be replaced.

Promise: no file is written over unless --overwrite was said; a place that cannot be written to is told before the work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reticent.cli._output import writable
from reticent.errors import UsageError

__all__ = ["PAGES", "TABLES", "Json", "Output", "Overwrite", "new"]

PAGES = (".html", ".json")
TABLES = (".csv", ".parquet", ".jsonl")

Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write the page (.html) or the record (.json) there.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that are there already.")]
Json = Annotated[bool, typer.Option("--json", help="Print the record as JSON.")]


def new(path: Path | None, endings: tuple[str, ...] = PAGES, *, overwrite: bool = False) -> Path | None:
    """The path, if a file can be written there; None if none was asked for.

    Raises:
        UsageError: as `writable`; or there is a file already, and it is not to be replaced.
    """
    if path is not None and writable(path, endings).exists() and not overwrite:
        raise UsageError(
            f"Expected a new file, got {str(path)!r}, which exists.", "Choose another name, or say --overwrite."
        )
    return path
