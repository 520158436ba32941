"""Proofs about one person: right for everybody, and for nobody else; tampering is refused."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.manifests import Parted, PersonProof, commit, standing
from reticent.data.manifests.commitments import Commitment
from reticent.errors import IntegrityError, UsageError

KEY = bytes(range(32))


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_against_sets(kept: set[int], out: set[int]) -> None:
    out -= kept
    parted = Parted.from_dict(json.loads(json.dumps(Parted(commit(KEY, kept), commit(KEY, out)).as_dict())))
    for person in range(62):
        proof = PersonProof.from_dict(json.loads(json.dumps(parted.proof(KEY, person).as_dict())))
        expected = "kept" if person in kept else "left out" if person in out else "never in the file"
        assert standing(proof, *parted.commitments) == expected
        assert standing(proof, *parted.commitments, key=KEY, person=person) == expected


def test_what_does_not_fit_is_refused() -> None:
    parted = Parted(commit(KEY, range(20)), commit(KEY, range(20, 25)))
    held, out = parted.commitments
    proof = parted.proof(KEY, 3)
    other = dataclasses.replace(proof, token=parted.proof(KEY, 22).token)
    for values, commitments, more in (
        (other, (held, out), {"key": KEY, "person": 3}),  # another token than the person's
        (proof, (held, out), {"key": KEY, "person": 4}),
        (proof, (held, out), {"key": bytes(32), "person": 3}),
        (proof, (out, held), {}),  # the two sets swapped: the paths fit neither root
        (proof, (commit(KEY, range(19)).commitment, out), {}),
        (proof, (held, commit(bytes(32), range(20, 25)).commitment), {}),
    ):
        with pytest.raises(IntegrityError):
            standing(values, *commitments, **more)  # type: ignore[arg-type]
    for more in ({"key": KEY}, {"person": 3}):
        with pytest.raises(UsageError, match="key and the person together"):
            standing(proof, held, out, **more)  # type: ignore[arg-type]


def test_somebody_on_both_sides_is_refused() -> None:
    both = Parted(commit(KEY, [1, 2]), commit(KEY, [2, 3]))
    with pytest.raises(IntegrityError, match="both kept and left out"):
        standing(both.proof(KEY, 2), *both.commitments)


@pytest.mark.parametrize("values", [None, {}, {"format": "reticent-person-proof/1"}, {"format": "x", "kept": 1}])
def test_other_files_are_refused(values: object) -> None:
    for kind in (PersonProof, Parted, Commitment):
        with pytest.raises(UsageError):
            kind.from_dict(values)  # type: ignore[attr-defined]
