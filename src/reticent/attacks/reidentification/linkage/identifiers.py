"""Columns that name a person by themselves: codes that look like numbers, and identifiers that both tables share.

Promise: `reads_as_code` says of whole numbers whether they are marks (postcodes, numbers of persons), of which the
difference means nothing: some begin with a zero, nearly all are of one width, the column's name says so (zip, plz, id),
or they are a shared identifier. `shared_identifier` says that of a column in which nearly every row of either table has
a value of its own that holds a digit or an @ and no blank, if at least a tenth of the smaller table's values stand in
the other. Whoever has such a column needs no linkage; whoever has not finds fewer than a linkage with it says.
Not covered: identifiers of fewer than 50 rows (any column may be single there), and identifiers of which values stand
in several rows.

Example:
    >>> from reticent.attacks.reidentification.linkage.identifiers import counted, reads_as_code, shared_identifier
    >>> some = counted([f"{37 * one}" for one in range(100)], [1] * 100)
    >>> shared_identifier(some, some)
    1.0
    >>> reads_as_code("zip", some, single=False), reads_as_code("weight", some, single=False)
    (True, False)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

__all__ = ["counted", "reads_as_code", "shared_identifier"]

Counted = Mapping[str, int]

_LEAST: Final = 50  # rows
_SINGLE: Final = 0.99  # of the rows have a value of their own
_SHARED: Final = 0.1  # of the smaller table's values stand in the other
_MOST: Final = 0.9
_ZEROS: Final = 0.01  # of the rows begin with a zero
_WIDE: Final = 4
_MARK: Final = re.compile(r"(?=.*[\d@])\S+")
_FRACTION: Final = re.compile(r"[+-]?\d+[.,]\d+")
_WORD: Final = re.compile(
    r"zip(code)?|postal(code)?|postcode|plz|cep|code|(person|patient|user|customer|client|member|record|case|[pu])?ids?"
    r"|mrn|ssn|nhs|npi|iban|passport|(tele)?phone|tel|fax"
)


def counted(texts: Iterable[str | None], rows: Iterable[int]) -> Counted:
    """How many rows have each text, missing ones aside."""
    found: dict[str, int] = {}
    for text, count in zip(texts, rows, strict=True):
        if text is not None and count:
            found[text] = found.get(text, 0) + int(count)
    return found


def shared_identifier(release: Counted, register: Counted) -> float | None:
    """The share of the release's values that stand in the register, if they look like an identifier of both."""
    for side in (release, register):
        rows = sum(side.values())
        if rows < _LEAST or sum(count == 1 for count in side.values()) < _SINGLE * rows:
            return None
        marks = sum(bool(_MARK.fullmatch(text)) and not _FRACTION.fullmatch(text) for text in side)
        if marks < _MOST * len(side):
            return None
    both = len(release.keys() & register.keys())
    return both / len(release) if both >= _SHARED * min(len(release), len(register)) else None


def reads_as_code(name: str, values: Counted, *, single: bool) -> bool:
    """Whether whole numbers are marks, not amounts.

    Args:
        name: of the column.
        values: of both tables.
        single: whether they are an identifier that both share.
    """
    rows = np.array(list(values.values()))
    zeros = np.array([len(text) > 1 and text[0] == "0" for text in values])
    widths = np.bincount([len(text) for text in values], rows)
    usual = int(widths.argmax())
    return bool(
        single
        or rows[zeros].sum() >= _ZEROS * rows.sum()
        or (usual >= _WIDE and widths[usual] >= _MOST * rows.sum())
        or _named_as_code(name)
    )


def _named_as_code(name: str) -> bool:
    """Whether the name of a column has a word for codes: zip, home_zip, postalCode, PLZ, Patient ID."""
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return any(_WORD.fullmatch(word) for word in re.split(r"[^a-z]+", apart.casefold()))
