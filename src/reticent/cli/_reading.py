"""What the commands that read tables let one say about how CSV files are to be read."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["Header"]

Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether the first row of CSV files names the columns.  [default: found out]",
        show_default=False,
    ),
]
