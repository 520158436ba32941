"""A short commitment to a set of people, in which anybody's absence (or presence) can be shown without the others.

Promise: the root fixes the set: two different sets of tokens with one root would be a collision of SHA-256. Where a
token can stand is fixed by its own bits, so a proof of absence needs no trust in how the others were ordered: it shows
the place where the token would have to be, and that it is empty or holds another one. A proof holds hashes of about
log2(n) parts of the set and at most one token of another person, which says nothing without the key; it shows the
number of its own levels, from which about how many there are can be guessed.

What a proof shows: that the person's token is not (or is) among those committed to. To whoever has the key (the
holder, an auditor, and, if they are given it, the person) that is the person; who has it can also try identifiers
against the one other token. Without the key it is about a token that the holder names. The record that names the root
also names the key's check, so that one key only fits.

What it does not show: that whatever was done later used these people and no others; that the same person does not stand
there under another identifier; and when the commitment was made (a record with a date in a place that cannot be
rewritten shows that).

How: a binary tree over the tokens' bits, cut off where a part holds one token or none (as key directories have it).
Hashes begin with a byte that says what they are of, so no part can pass for another.

Sources: Merkle (1987); Melara et al. (2015, CONIKS) for prefix trees and absence; HMAC: RFC 2104.

Example:
    >>> from reticent.data.manifests import commit, shown
    >>> key = bytes(32)
    >>> kept = commit(key, ["ann", "bob", "eve"])
    >>> proof = kept.proof(key, "dan")
    >>> shown(proof, kept.commitment, key, "dan"), shown(kept.proof(key, "bob"), kept.commitment, key, "bob")
    ('absent', 'present')
"""

from __future__ import annotations

import bisect
import dataclasses
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from reticent.data.manifests import persons
from reticent.errors import IntegrityError, UsageError

__all__ = ["Commitment", "Kept", "Proof", "commit", "shown", "shown_of"]

_LEAF, _NODE, _EMPTY, _ROOT = b"\x00", b"\x01", b"\x02", b"\x03"
_BITS = 256


@dataclasses.dataclass(frozen=True)
class Commitment:
    """What is published of the set.

    Attributes:
        root: of the tree and the number of people, in hexadecimal.
        people: how many there are.
        key_check: what the key is recognised by.
    """

    root: str
    people: int
    key_check: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: object) -> Commitment:
        """The commitment that `as_dict` wrote.

        Raises:
            UsageError: something else.
        """
        if (
            not isinstance(values, Mapping)
            or set(values) != {"root", "people", "key_check"}
            or not isinstance(values["people"], int)
            or not 0 <= values["people"] < 1 << 64
        ):
            raise UsageError("Expected a record of a loading with its commitments, got another.", "Pass that one.")
        return cls(str(values["root"]), values["people"], str(values["key_check"]))

    def require_key(self, key: bytes) -> None:
        """Refuse another key.

        Raises:
            IntegrityError: another one.
        """
        _same_key(key, self.key_check)


@dataclasses.dataclass(frozen=True)
class Proof:
    """Where a token would stand, and what stands there.

    Attributes:
        beside: hashes of the other halves, from the root down, in hexadecimal.
        there: the token that stands there, in hexadecimal, or None where nobody does.
    """

    beside: tuple[str, ...]
    there: str | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"format": "reticent-proof/1", "beside": list(self.beside), "there": self.there}

    @classmethod
    def from_dict(cls, values: object) -> Proof:
        """The proof that `as_dict` wrote.

        Raises:
            UsageError: something else.
        """
        fields = {"format", "beside", "there"}
        if (
            not isinstance(values, Mapping)
            or set(values) != fields
            or values["format"] != "reticent-proof/1"
            or not isinstance(values["beside"], list)
        ):
            raise UsageError("Expected a proof as written by as_dict(), got something else.", "Check the file.")
        found = cls(tuple(values["beside"]), values["there"])
        for one in (*found.beside, *([] if found.there is None else [found.there])):
            persons.from_hex(one)
        return found


@dataclasses.dataclass(frozen=True, repr=False)
class Kept:
    """The set itself, for whoever has to give proofs later: keep it as safe as the key.

    Attributes:
        tokens: sorted.
        key_check: what the key is recognised by.
    """

    tokens: tuple[bytes, ...]
    key_check: str

    def __repr__(self) -> str:
        return f"Kept({len(self.tokens)} people)"

    def as_dict(self) -> dict[str, Any]:
        """Plain values: tokens, which name nobody to whoever lacks the key."""
        return {"format": "reticent-kept/1", "key_check": self.key_check, "tokens": [one.hex() for one in self.tokens]}

    @classmethod
    def from_dict(cls, values: object) -> Kept:
        """The set that `as_dict` wrote.

        Raises:
            UsageError: something else.
        """
        if (
            not isinstance(values, Mapping)
            or values.get("format") != "reticent-kept/1"
            or not isinstance(values.get("tokens"), list)
            or not isinstance(values.get("key_check"), str)
        ):
            raise UsageError("Expected people as written by as_dict(), got something else.", "Check the file.")
        return cls(tuple(sorted({persons.from_hex(one) for one in values["tokens"]})), values["key_check"])

    @property
    def commitment(self) -> Commitment:
        """What is published of it."""
        tree = _tree(self.tokens, 0, len(self.tokens), 0)
        return Commitment(_root(tree, len(self.tokens)).hex(), len(self.tokens), self.key_check)

    def proof(self, key: bytes, person: object) -> Proof:
        """A proof that the person is in the set, or is not.

        Raises:
            IntegrityError: another key.
        """
        _same_key(key, self.key_check)
        asked = persons.token(key, person)
        low, high, beside = 0, len(self.tokens), []
        for depth in range(_BITS):
            if high - low <= 1:
                break
            middle = _split(self.tokens, low, high, depth)
            inside, outside = ((middle, high), (low, middle)) if _bit(asked, depth) else ((low, middle), (middle, high))
            beside.append(_tree(self.tokens, *outside, depth + 1).hex())
            low, high = inside
        return Proof(tuple(beside), self.tokens[low].hex() if high > low else None)


def commit(key: bytes, people: Iterable[object]) -> Kept:
    """The set of these people under a key; identifiers that stand several times count once."""
    return Kept(tuple(sorted({persons.token(key, person) for person in people})), persons.check(key))


def shown(proof: Proof, commitment: Commitment, key: bytes, person: object) -> str:
    """What a proof shows of a person: "present" or "absent".

    Raises:
        IntegrityError: the proof is not of this commitment, or the key is another.
    """
    commitment.require_key(key)
    return shown_of(proof, commitment, persons.token(key, person))


def shown_of(proof: Proof, commitment: Commitment, asked: bytes) -> str:
    """What a proof shows of a token, whosever it is: "present" or "absent". It takes no key.

    Raises:
        IntegrityError: the proof is not of this commitment, or about another token's place.
    """
    depth = len(proof.beside)
    there = None if proof.there is None else persons.from_hex(proof.there)
    if depth > _BITS or (there is not None and any(_bit(there, one) != _bit(asked, one) for one in range(depth))):
        raise IntegrityError("Expected a proof about this person's place, got one about another.", "Ask for it anew.")
    found = _EMPTY_HASH if there is None else _hash(_LEAF, there)
    for level in range(depth - 1, -1, -1):
        other = persons.from_hex(proof.beside[level])
        found = _hash(_NODE, other, found) if _bit(asked, level) else _hash(_NODE, found, other)
    if not hmac.compare_digest(_root(found, commitment.people).hex(), commitment.root):
        raise IntegrityError("Expected a proof of this commitment, got one of another.", "Ask for it anew.")
    return "present" if there == asked else "absent"


def _tree(tokens: tuple[bytes, ...], low: int, high: int, depth: int) -> bytes:
    if high == low:
        return _EMPTY_HASH
    if high - low == 1:
        return _hash(_LEAF, tokens[low])
    middle = _split(tokens, low, high, depth)
    return _hash(_NODE, _tree(tokens, low, middle, depth + 1), _tree(tokens, middle, high, depth + 1))


def _split(tokens: tuple[bytes, ...], low: int, high: int, depth: int) -> int:
    """The first of some tokens, alike in their first bits, whose next bit is set."""
    return bisect.bisect_left(tokens, 1, low, high, key=lambda one: _bit(one, depth))


def _bit(value: bytes, place: int) -> int:
    return value[place >> 3] >> (7 - (place & 7)) & 1


def _hash(kind: bytes, *parts: bytes) -> bytes:
    return hashlib.sha256(kind + b"".join(parts)).digest()


def _root(tree: bytes, people: int) -> bytes:
    return _hash(_ROOT, people.to_bytes(8, "big"), tree)


_EMPTY_HASH = _hash(_EMPTY)


def _same_key(key: bytes, check: str) -> None:
    if not hmac.compare_digest(persons.check(key), check):
        raise IntegrityError("Expected the key of this commitment, got another.", "Pass the one it was made with.")
