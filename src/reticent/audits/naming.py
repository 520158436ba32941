"""What the names of records in an audit mean: in which table a row is counted, from where, and which column says whose.

Promise: names of files and columns, never an identifier: a report that named people would have to be guarded like the
records. Whoever has the records finds them by the row.

Example:
    >>> from reticent.audits.naming import row_names
    >>> from reticent.data import load
    >>> from reticent.data.origin import Origin
    >>> data = load("diabetes")
    >>> row_names(data.take(range(200)), data.take(range(200, 400)))["counted_from"]
    0
"""

from __future__ import annotations

from typing import Any

from reticent.data import Records
from reticent.data.origin import Origin

__all__ = ["row_names"]


def row_names(inside: Records, outside: Records) -> dict[str, Any]:
    """How "member 3" and "other 7" are found: plain values, and in words under "text"."""
    sides = {"members": inside.origin, "nonmembers": outside.origin}
    return {
        "counted_from": 0,
        **{name: None if origin is None else origin.as_dict() for name, origin in sides.items()},
        "text": _said(inside.origin, outside.origin),
    }


def _said(members: Origin | None, others: Origin | None) -> str:
    named = [f" ({one.text})" if one is not None else "" for one in (members, others)]
    text = f"“member 3” is row 3 of the members{named[0]}, “other 7” row 7 of the others{named[1]}; rows count from 0"
    known = [one for one in (members, others) if one is not None]
    if len(known) < 2:
        text += ", in the order in which the audit was given them"
    first = {one.first for one in known if not one.drawn}
    if len(first) == 1 and (said := first.pop()):
        text += f": {said}"
    for column, what in (("owner", "whose they are"), ("identifier", "which they are")):
        names = list(dict.fromkeys(f"“{getattr(one, column)}”" for one in known if getattr(one, column) is not None))
        if names:
            text += f". The column {' and '.join(names)} says {what}"
    return f"{text}."
