"""What became of one person in a loading, shown without the others: kept, left out, or never in the file.

Promise: a loading commits to two sets of people: those who were kept, and those who were left out because they
objected. A proof about one person shows their place in both. "left out" means that somebody of this spelling was in the
file, objected, and is not among those who were kept; "never in the file" that nobody of this spelling was in it at all,
which says nothing about the person if the file has them under another spelling; "kept" that they are among those who
were used. A proof that puts somebody into both sets is refused.

With the key (an auditor, the office) the proof is about the spelling: its token is made again from it. Without the key
it is about the token that the proof carries: roots and paths are checked all the same, and everything is shown that the
proof says of *this token*. That it is the person's is then the office's word. What makes more of that word is a receipt
(`reticent manifest object --output`): it was given out with the token at the time of the objection, before anybody
loaded anything; a proof about another token does not fit it. An office that gave a wrong token from the beginning is
found by whoever has the key, and by nobody else: a keyed hash does not let outsiders check what it is of, which is what
keeps them from trying names.

Example:
    >>> from reticent.data.manifests.commitments import commit
    >>> from reticent.data.manifests.proofs import Parted, standing
    >>> key = bytes(32)
    >>> parted = Parted(commit(key, ["ann", "bob"]), commit(key, ["eve"]))
    >>> [standing(parted.proof(key, one), *parted.commitments) for one in ("ann", "eve", "Eve")]
    ['kept', 'left out', 'never in the file']
    >>> standing(parted.proof(key, "eve"), *parted.commitments, key=key, person="eve")
    'left out'
"""

from __future__ import annotations

import dataclasses
import hmac
from collections.abc import Mapping
from typing import Any, Final

from reticent.data.manifests import persons
from reticent.data.manifests.commitments import Commitment, Kept, Proof, shown_of
from reticent.errors import IntegrityError, UsageError

__all__ = ["STANDINGS", "Parted", "PersonProof", "standing"]

FORMAT: Final = "reticent-person-proof/1"
_PARTED: Final = "reticent-parted/1"
STANDINGS: Final = ("kept", "left out", "never in the file")


@dataclasses.dataclass(frozen=True)
class PersonProof:
    """A person's place among those who were kept and among those who were left out.

    Attributes:
        token: the person's, in hexadecimal; it names nobody to whoever lacks the key.
        kept: their place among those who were kept.
        left_out: their place among those who were left out.
    """

    token: str
    kept: Proof
    left_out: Proof

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "format": FORMAT,
            "token": self.token,
            "kept": self.kept.as_dict(),
            "left out": self.left_out.as_dict(),
        }

    @classmethod
    def from_dict(cls, values: object) -> PersonProof:
        """The proof that `as_dict` wrote.

        Raises:
            UsageError: something else.
        """
        fields = {"format", "token", "kept", "left out"}
        if not isinstance(values, Mapping) or set(values) != fields or values["format"] != FORMAT:
            raise UsageError("Expected a proof of `manifest prove`, got something else.", "Check the file.")
        return cls(
            persons.from_hex(values["token"]).hex(),
            Proof.from_dict(values["kept"]),
            Proof.from_dict(values["left out"]),
        )


@dataclasses.dataclass(frozen=True)
class Parted:
    """The people of a file, parted: for whoever has to give proofs later. Keep it as safe as the key.

    Attributes:
        kept: who was kept.
        left_out: who was left out, since they objected.
    """

    kept: Kept
    left_out: Kept

    @property
    def commitments(self) -> tuple[Commitment, Commitment]:
        """What is published of those who were kept, and of those who were left out."""
        return self.kept.commitment, self.left_out.commitment

    def proof(self, key: bytes, person: object) -> PersonProof:
        """A proof of what became of a person.

        Raises:
            IntegrityError: another key.
        """
        return PersonProof(
            persons.token(key, person).hex(), self.kept.proof(key, person), self.left_out.proof(key, person)
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values: tokens, which name nobody to whoever lacks the key."""
        return {"format": _PARTED, "kept": self.kept.as_dict(), "left out": self.left_out.as_dict()}

    @classmethod
    def from_dict(cls, values: object) -> Parted:
        """The people that `as_dict` wrote.

        Raises:
            UsageError: something else.
        """
        if not isinstance(values, Mapping) or values.get("format") != _PARTED:
            raise UsageError("Expected people as `manifest load --kept` writes them, got others.", "Check the file.")
        return cls(Kept.from_dict(values.get("kept")), Kept.from_dict(values.get("left out")))


def standing(
    proof: PersonProof,
    kept: Commitment,
    left_out: Commitment,
    *,
    key: bytes | None = None,
    person: object = None,
) -> str:
    """What a proof shows: one of `STANDINGS`.

    Args:
        proof: of `Parted.proof`.
        kept: the record's commitment to those who were kept.
        left_out: its commitment to those who were left out.
        key: with it, and the person, the proof is about the person; without, about the token that it carries.
        person: the spelling of the identifier.

    Raises:
        UsageError: a key without a person, or a person without a key.
        IntegrityError: the proof is of another loading or about another person, or the key is another.
    """
    if (key is None) != (person is None):
        raise UsageError(
            "Expected the key and the person together, got one of them.",
            "Pass both; or neither, and the proof is checked for the token that it carries.",
        )
    token = persons.from_hex(proof.token)
    if key is not None:
        kept.require_key(key)
        left_out.require_key(key)
        if not hmac.compare_digest(persons.token(key, person), token):
            raise IntegrityError(
                "Expected a proof about this spelling of this person, got one about another.",
                "Write the identifier as it was when the proof was made, or ask for it anew.",
            )
    if kept.key_check != left_out.key_check:
        raise IntegrityError("Expected both sets of a loading under one key, got two.", "Ask for the record anew.")
    among = [shown_of(one, of, token) == "present" for one, of in ((proof.kept, kept), (proof.left_out, left_out))]
    if all(among):
        raise IntegrityError("Expected nobody both kept and left out, got somebody.", "The record contradicts itself.")
    return STANDINGS[0] if among[0] else STANDINGS[1] if among[1] else STANDINGS[2]
