"""Bounds and verdicts say what they rest on, survive being written, and are refused when they cannot be."""

from __future__ import annotations

import copy
import math
import pickle

import pytest

from reticent.errors import UsageError
from reticent.evidence import canonical_json, parse
from reticent.evidence.bounds import Conclusion, LowerBound, Verdict
from reticent.privacy import Relation, Unit


def bound(**changed):
    fields = {
        "epsilon": 1.23999,
        "delta": 1e-5,
        "confidence": 0.95,
        "method": "a method",
        "trials": 1000,
        "unit": Unit.PERSON,
        "relation": Relation.REPLACE_ONE,
        "assumptions": ("the sun shines",),
        "mu": 0.3,
        "details": {"guesses": [10, 20]},
    }
    return LowerBound(**{**fields, **changed})


def test_a_bound_is_rounded_down_and_names_everything():
    assert str(bound()) == "epsilon >= 1.239 at delta 1e-05 (95 %, a method, n=1000; one person exchanged for another)"
    assert str(bound(epsilon=2.99999)).startswith("epsilon >= 2.999 ")
    assert str(bound(epsilon=0)).startswith("epsilon >= 0 ")


def test_bounds_and_verdicts_survive_being_written():
    verdict = Verdict(Conclusion.VIOLATION, ("One.", "Two."), bound(), math.inf, p_value=0.01, power=None)
    for one in (bound(), bound(mu=None, assumptions=())):
        assert LowerBound.from_dict(parse(canonical_json(one.as_dict()))) == one
        assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one  # noqa: S301
    assert Verdict.from_dict(parse(canonical_json(verdict.as_dict()))) == verdict
    assert str(verdict) == "One. Two."


@pytest.mark.parametrize(
    "changed",
    [
        {"epsilon": math.inf},
        {"epsilon": -0.1},
        {"epsilon": math.nan},
        {"delta": 2.0},
        {"confidence": 1.0},
        {"method": ""},
        {"trials": 0},
        {"mu": math.inf},
        {"unit": "person"},
    ],
)
def test_bounds_that_cannot_be_are_refused(changed):
    with pytest.raises(UsageError, match="Expected"):
        bound(**changed)


def test_what_was_not_written_by_them_is_refused():
    for kind, values in ((LowerBound, bound().as_dict()), (Verdict, {})):
        with pytest.raises(UsageError, match="fields of"):
            kind.from_dict({**values, "more": 1})
        with pytest.raises(UsageError, match="fields of"):
            kind.from_dict(None)
    with pytest.raises(UsageError, match="as written by as_dict"):
        LowerBound.from_dict({**bound().as_dict(), "unit": "house"})
    good = Verdict(Conclusion.CONSISTENT, ("Fine.",), bound(), 2.0).as_dict()
    with pytest.raises(UsageError, match="as written by as_dict"):
        Verdict.from_dict({**good, "conclusion": "private"})
    with pytest.raises(UsageError, match="conclusion and its words"):
        Verdict(Conclusion.CONSISTENT, (), bound(), 2.0)
