"""Pseudonyms: identifiers exchanged for keyed hashes, so that rows of one person stay together without the identifier.

Promise: equal values of a domain get equal pseudonyms, of other domains others (HMAC-SHA-256 under a key of 256 bits
from the operating system, the domain hashed in with its length). The key is in no output, no record and no `repr`; a
key file that others may read is refused. Two values with one pseudonym are refused, not hidden.

Pseudonyms remain personal data: whoever has the key, or can link what else is in the rows, finds the person (GDPR,
Article 4(5) and recital 26). Nothing is claimed for the rest of a row: generalise its quasi-identifiers, and measure.
Where few inputs are possible (dates, short numbers, postcodes), whoever gets hold of the key, or may ask for
pseudonyms, can try all of them; `notes` says how many there seem to be, and that names can be tried from lists however
many there might be. Texts are hashed as they are: "Ann" and "ann " have two pseudonyms, and so have two ways of
composing one accent. A whole number has that of its digits. A hash without a key is no pseudonym at all:
there is none here.

Example:
    >>> from reticent.data.anonymity.pseudonyms import Key, pseudonymise
    >>> from reticent.data.tables import Table
    >>> visits = Table.of({"patient": ["ann", "bob", "ann", None], "day": [1, 1, 2, 3]})
    >>> found = pseudonymise(visits, ["patient"], Key(bytes(32)))
    >>> found.table["patient"].cells().tolist()[::2] == [found.table["patient"].cells()[0]] * 2
    True
    >>> Key.new()
    Key(not shown)
"""

from __future__ import annotations

import dataclasses
import hmac
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from reticent import _checks
from reticent.data.anonymity.ladders import plain, shown
from reticent.data.tables import Column, Table
from reticent.errors import DataError, UsageError
from reticent.evidence import write_whole

__all__ = ["REMAIN", "Key", "Pseudonymised", "input_space", "pseudonymise"]

REMAIN: Final = (
    "Pseudonyms remain personal data: whoever has the key, or links what else is in the rows, finds the person."
)
_BYTES: Final = 32
_ENUMERABLE: Final = 2.0**40
_SOME: Final = 20


class Key:
    """A secret of 256 bits; build it with `new()`, or `read(path)`."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if not isinstance(secret, bytes) or len(secret) != _BYTES:
            raise UsageError(f"Expected a key of {_BYTES} bytes, got another.", "Make one with Key.new().")
        self._secret = secret

    def __repr__(self) -> str:
        return "Key(not shown)"

    def __reduce__(self) -> Any:
        raise UsageError("Expected a key to stay in its process, got a copy of it.", "Read the key file there.")

    @classmethod
    def new(cls) -> Key:
        """A fresh key from the operating system; once it is gone, nobody can make the same pseudonyms again."""
        return cls(os.urandom(_BYTES))

    @classmethod
    def read(cls, path: str | Path) -> Key:
        """The key in a file that only its owner may read.

        Raises:
            UsageError: no such file, not a key, or a file that others may read.
        """
        target = Path(path)
        try:
            mode, content = target.stat().st_mode, target.read_text("ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"Expected to read a key from {path}, but could not.", "Check the path.") from error
        if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            raise UsageError(
                f"Expected a key file that only its owner may read, got mode {stat.S_IMODE(mode):o}.",
                "Others may have it already: make a new key, or run chmod 600 on it.",
            )
        try:
            return cls(bytes.fromhex(content.strip()))
        except ValueError as error:
            raise UsageError(
                f"Expected {2 * _BYTES} hexadecimal digits in {path}, got others.", "Make a new key."
            ) from error

    def save(self, path: str | Path) -> Path:
        """Write it to a new file that only its owner may read.

        Raises:
            UsageError: something is there already: a key that is written over is lost, and its pseudonyms with it.
        """
        target = Path(path)
        if target.exists():
            raise UsageError(
                f"Expected a new file for the key, but {path} is there.", "Read that one, or move it away."
            )
        return write_whole(target, self._secret.hex().encode() + b"\n", for_owner_only=True)

    def pseudonym(self, value: str, domain: str, digits: int) -> str:
        """The pseudonym of a value within a domain."""
        name = domain.encode()
        text = b"reticent pseudonym/1 %d:%b%b" % (len(name), name, value.encode())
        return hmac.digest(self._secret, text, "sha256").hex()[:digits]


@dataclasses.dataclass(frozen=True, eq=False)
class Pseudonymised:
    """A table with pseudonyms.

    Attributes:
        table: with pseudonyms for the values of the columns.
        notes: what whoever gets the table should know.
        spaces: column to how many inputs seem possible.
    """

    table: Table
    notes: tuple[str, ...]
    spaces: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Plain values; neither key nor pseudonyms."""
        return {"columns": list(self.spaces), "notes": list(self.notes), "spaces": dict(self.spaces)}


def pseudonymise(
    table: Any,
    columns: Sequence[str],
    key: Key,
    *,
    domains: Mapping[str, str] | None = None,
    digits: int = 32,
) -> Pseudonymised:
    """Exchange the values of columns for pseudonyms; missing ones stay missing.

    Args:
        table: a `Table`, a frame, or a dictionary of columns.
        columns: of identifiers.
        key: the secret.
        domains: column to its domain, by default its name. Columns of one domain can be linked with each other, in this
            table and in others under the same key; columns of different domains cannot.
        digits: hexadecimal ones of a pseudonym, from 16 to 64.

    Raises:
        UsageError: a column is not there, or too few digits.
        DataError: two values would get one pseudonym.
    """
    rows = Table.of(table)
    rows.require(columns)
    if isinstance(columns, str) or not columns:
        raise UsageError("Expected a list of columns, got none.", "Pass columns=['name'].")
    if not isinstance(key, Key):
        raise UsageError("Expected a Key, got something else.", "Pass Key.read(path), or Key.new().")
    if not 16 <= _checks.at_least(16, digits=digits) <= 64:
        raise UsageError(f"Expected 16 to 64 digits, got digits={digits}.", "Choose 32.")
    named = dict(domains or {})
    for name in named:
        _checks.one_of(columns, domain=name)
    notes, spaces, made = [REMAIN], {}, []
    for name in columns:
        column = rows[name].compacted()
        texts = [_text(value) for value in column.values]
        found = [key.pseudonym(text, named.get(name, name), digits) for text in texts]
        if len(set(found)) < len(texts):
            raise DataError(f"Expected a pseudonym for each value of {name!r}, but two share one.", "Use more digits.")
        made.append(column.mapped(found) if found else column)
        spaces[name] = input_space(column)
        if spaces[name] < _ENUMERABLE:
            notes.append(
                f"Column {name!r}: about {spaces[name]:.2g} inputs seem possible; whoever gets the key can try them "
                "all. Keep the key apart from the table, and destroy it when it is no longer needed."
            )
        elif _are_words(texts):
            notes.append(
                f"Column {name!r}: many inputs seem possible, but names and addresses in use stand in lists; whoever "
                "gets the key can try those."
            )
    return Pseudonymised(rows.replaced(made), tuple(notes), spaces)


def _text(value: Any) -> str:
    one = plain(value)
    return shown(one) if isinstance(one, int | float) and not isinstance(one, bool) else str(one)


def input_space(column: Column) -> float:
    """About how many values a column might have, from how its values are written; never fewer than it has.

    Whole numbers and dates: the values between smallest and largest. Texts: at each position as many characters as the
    kinds of characters seen there have (10 digits, 26 letters of a case, 32 others), for the longest text; one where a
    character is the same in all of at least twenty texts, such as the hyphens of telephone numbers.
    """
    values = column.values
    if not len(values):
        return 0.0
    if column.kind == "date":
        days = values.astype("datetime64[D]").astype(np.int64)
        return float(max(days[-1] - days[0] + 1, len(values)))
    if column.kind == "number" and all(float(one).is_integer() for one in values):
        return float(max(int(values[-1]) - int(values[0]) + 1, len(values)))
    texts = [_text(value) for value in values]
    total = 1.0
    for i in range(min(max(map(len, texts)), 64)):
        letters = {text[i : i + 1] for text in texts}
        if len(letters) > 1 or len(texts) < _SOME:
            total *= sum({_kind(one) for one in letters if one}) + ("" in letters)
    return max(total, float(len(values)))


def _are_words(texts: Sequence[str]) -> bool:
    """Whether most of them could be names, or addresses for mail: lists of both go around."""
    return 2 * sum("@" in text or not any(map(str.isdigit, text)) for text in texts) > len(texts)


def _kind(letter: str) -> int:
    if letter.isdigit():
        return 10
    if letter.isalpha():
        return 26 if letter.islower() else 27  # told apart, and nearly as many
    return 32
