"""What commands that read tables share: what is said of columns, and reading with it.

Example:
    >>> from reticent.cli._tables import said
    >>> said(["DOB=date"], ["Admitted=%d.%m.%Y,%m/%d/%Y"])
    {'kinds': {'DOB': 'date'}, 'dates': {'Admitted': ['%d.%m.%Y', '%m/%d/%Y']}, 'header': None}
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["ADDRESS", "Dates", "Kinds", "names", "said"]

ADDRESS = "a file (CSV, Parquet, JSON lines), or a table of a database: sqlite:///path.db#table"

Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        help="What a column holds, as DOB=date (number, date, text or 'yes or no'), if it is not found out; several "
        "times if wanted.",
    ),
]
Dates = Annotated[
    list[str] | None,
    typer.Option(
        "--dates",
        help="How a column's dates are written, as DOB=%d.%m.%Y,%m/%d/%Y (the first that fits); several times if "
        "wanted.",
    ),
]


def names(text: str) -> list[str]:
    """Names with commas between."""
    return [part.strip() for part in text.split(",") if part.strip()]


def said(kinds: list[str] | None, dates: list[str] | None, header: bool | None = None) -> dict[str, Any]:
    """What `--kind`, `--dates` and `--header` say, as `reticent.data.tables.read` takes it.

    Raises:
        UsageError: no column, or nothing of it.
    """
    pairs = [_pair(text, "--kind", "DOB=date") for text in kinds or []]
    formats = [_pair(text, "--dates", "DOB=%d.%m.%Y") for text in dates or []]
    # a comma in a format ("%b %d, %Y") is followed by a space, one between formats by %
    return {
        "kinds": dict(pairs),
        "dates": {name: [one.strip() for one in rest.replace(",%", "\n%").split("\n")] for name, rest in formats},
        "header": header,
    }


def _pair(text: str, option: str, example: str) -> tuple[str, str]:
    from reticent.errors import UsageError

    name, found, rest = text.partition("=")
    if not found or not name.strip() or not rest.strip():
        raise UsageError(f"Expected {option} COLUMN=..., got {text!r}.", f"Write it as {example}.")
    return name.strip(), rest.strip()
