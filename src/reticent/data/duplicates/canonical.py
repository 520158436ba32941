"""Hashes of whole rows that say which rows are equal, within a table and between tables.

Promise: rows with equal values in the same columns have equal hashes, whatever the order of rows, columns and distinct
values; 1 and 1.0 are equal, a missing value equals a missing value, and texts are compared in Unicode's composed form
(NFC), blanks and case included. Different rows have equal hashes with probability 2^-128 per pair. The hash is not a
secret: whoever guesses a row can compute it.

Shapes: hashes (rows, 2) uint64.

Example:
    >>> from reticent.data.duplicates.canonical import row_hashes
    >>> from reticent.data.tables import Table
    >>> a = row_hashes(Table.of({"age": [34, 51], "zip": ["02139", "10001"]}))
    >>> b = row_hashes(Table.of({"zip": ["10001"], "age": [51.0]}))
    >>> (a[1] == b[0]).all(), (a[0] == b[0]).any()
    (np.True_, np.False_)
"""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.data.tables import Column, Table

__all__ = ["array_hashes", "cell_hashes", "groups_of", "row_hashes"]

Hashes = npt.NDArray[np.uint64]


def row_hashes(table: Table) -> Hashes:
    """(rows, 2) hashes of the rows."""
    total = np.zeros((len(table), 2), np.uint64)
    for column in table.columns:
        total += cell_hashes(column)
    return total


def cell_hashes(column: Column) -> Hashes:
    """(rows, 2) hashes of the cells of one column; of the column's name, too."""
    key = hashlib.blake2b(column.name.strip().encode(), digest_size=32).digest()
    texts = [_text(value, column.kind) for value in column.values]
    whole = b"".join(hashlib.blake2b(text, key=key, digest_size=16).digest() for text in [*texts, b""])
    found: Hashes = np.frombuffer(whole, "<u8").reshape(-1, 2).astype(np.uint64)[column.codes]
    return found


def array_hashes(features: npt.NDArray[Any]) -> Hashes:
    """(rows, 2) hashes of the rows of an array of numbers."""
    wide = np.ascontiguousarray(features.reshape(len(features), -1)) + 0  # -0.0 is 0.0
    whole = b"".join(hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in wide)
    return np.frombuffer(whole, "<u8").reshape(-1, 2).astype(np.uint64)


def groups_of(hashes: Hashes) -> npt.NDArray[np.int64]:
    """(rows,) numbers from 0, equal for rows of one hash, in order of first appearance."""
    pairs = np.ascontiguousarray(hashes).view([("a", np.uint64), ("b", np.uint64)]).reshape(-1)
    order = np.lexsort((pairs["b"], pairs["a"]))
    new = np.ones(len(order), bool)
    new[1:] = pairs[order][1:] != pairs[order][:-1]
    sorted_group = np.cumsum(new) - 1
    group = np.empty(len(order), np.int64)
    group[order] = sorted_group
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    place = np.empty(len(first), np.int64)
    place[np.argsort(first, kind="stable")] = np.arange(len(first))
    found: npt.NDArray[np.int64] = place[inverse.reshape(-1)]
    return found


def _text(value: Any, kind: str) -> bytes:
    """One way of writing for equal values; the first letter keeps kinds apart."""
    if kind == "number":
        number = float(value)
        return f"n{int(value)}".encode() if number.is_integer() else f"n{number!r}".encode()
    if kind == "date":
        return f"d{int(np.datetime64(value, 'us').astype(np.int64))}".encode()
    if kind == "yes or no":
        return f"b{int(value)}".encode()
    return f"t{unicodedata.normalize('NFC', str(value))}".encode("utf-8", "surrogatepass")
