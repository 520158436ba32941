"""Commitments: proofs show what is so, and nothing else can be made to pass."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.manifests import Commitment, Kept, Proof, commit, shown
from reticent.data.manifests.persons import token
from reticent.errors import IntegrityError, ReticentError, UsageError

KEY = bytes(range(32))


def slowly(tokens: set[bytes], prefix: str = "") -> bytes:
    """The tree as the page describes it, by splitting sets on text."""
    bits = {one: "".join(f"{byte:08b}" for byte in one) for one in tokens}
    inside = {one for one in tokens if bits[one].startswith(prefix)}
    if not inside:
        return hashlib.sha256(b"\x02").digest()
    if len(inside) == 1:
        return hashlib.sha256(b"\x00" + inside.pop()).digest()
    return hashlib.sha256(b"\x01" + slowly(inside, prefix + "0") + slowly(inside, prefix + "1")).digest()


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 10_000), max_size=40), st.integers(0, 10_000))
def test_anybodys_absence_or_presence_is_shown(people: set[int], asked: int) -> None:
    kept = commit(KEY, people)
    tree = slowly({token(KEY, one) for one in people})
    root = hashlib.sha256(b"\x03" + len(people).to_bytes(8, "big") + tree).hexdigest()
    assert kept.commitment.root == root
    assert kept.commitment.people == len(people)
    proof = Proof.from_dict(kept.proof(KEY, asked).as_dict())
    assert shown(proof, kept.commitment, KEY, asked) == ("present" if asked in people else "absent")


def test_the_set_and_not_its_order_is_committed_to() -> None:
    assert commit(KEY, ["a", "b", "a", "c"]) == commit(KEY, ["c", "a", "b"])
    assert commit(KEY, ["a", "b"]).commitment != commit(KEY, ["a", "c"]).commitment
    assert commit(bytes(32), ["a", "b"]).commitment != commit(KEY, ["a", "b"]).commitment


def test_nothing_else_passes() -> None:
    kept = commit(KEY, range(200))
    proof, commitment = kept.proof(KEY, "nobody"), kept.commitment
    assert shown(proof, commitment, KEY, "nobody") == "absent"
    stranger = token(KEY, 7).hex()
    forged = [
        dataclasses.replace(proof, there=stranger),
        dataclasses.replace(proof, there=None if proof.there else stranger),
        dataclasses.replace(proof, beside=proof.beside[:-1]),
        dataclasses.replace(proof, beside=(*proof.beside, "00" * 32)),
        dataclasses.replace(proof, beside=("00" * 32, *proof.beside[1:])),
        kept.proof(KEY, 7),
        commit(KEY, range(100)).proof(KEY, "nobody"),
        Proof(("00" * 32,) * 300, None),
    ]
    for one in forged:
        with pytest.raises(IntegrityError):
            shown(one, commitment, KEY, "nobody")
    # Somebody who is there cannot be shown to be absent: of all places, only their own fits.
    for other in (*range(50), "nobody", "x", "y"):
        if other != 7:
            with pytest.raises(IntegrityError):
                assert shown(kept.proof(KEY, other), commitment, KEY, 7) == "present"
    with pytest.raises(IntegrityError, match="key of this commitment"):
        shown(proof, commitment, bytes(32), "nobody")
    with pytest.raises(IntegrityError):
        shown(proof, Commitment(commitment.root, 199, commitment.key_check), KEY, "nobody")


def test_a_proof_names_at_most_one_other_and_is_short() -> None:
    kept = commit(KEY, range(5000))
    proofs = [kept.proof(KEY, f"absent {i}") for i in range(50)]
    tokens = {one.hex() for one in kept.tokens}
    for proof in proofs:
        assert not tokens & set(proof.beside)  # hashes of parts, not tokens
        assert len(proof.beside) < 40
    assert sum(len(one.beside) for one in proofs) / 50 == pytest.approx(13, abs=2)


def test_it_comes_back_and_shows_nothing(tmp_path: object) -> None:
    kept = commit(KEY, ["ann", "bob"])
    assert Kept.from_dict(kept.as_dict()) == kept
    assert repr(kept) == "Kept(2 people)"
    for wrong in ({}, {"format": "reticent-proof/1", "beside": "x", "there": None}, 7):
        with pytest.raises(UsageError):
            Proof.from_dict(wrong)
    with pytest.raises(ReticentError):
        Proof.from_dict({"format": "reticent-proof/1", "beside": ["zz"], "there": None})
    with pytest.raises(UsageError):
        Kept.from_dict({})


@pytest.mark.parametrize("tokens", [None, 5, [5], ["zz"]])
def test_kept_people_that_are_none_are_refused(tokens: object) -> None:
    with pytest.raises(UsageError):
        Kept.from_dict({"format": "reticent-kept/1", "key_check": "", "tokens": tokens})
