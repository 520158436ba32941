"""Tests share their error rate, and an unfair control accuses nobody."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from reticent.audits.multiplicity import holm
from reticent.audits.synthetic import SyntheticAudit, power
from reticent.audits.synthetic.exact import PValues
from reticent.audits.synthetic.outcome import adjusted
from reticent.evidence import Finding, Record

DETAILS = {
    "name": "r",
    "rows": {"members": 50, "controls": 50, "release": 50, "source": 50, "reference": 50},
    "columns": ["x"],
    "owner": None,
    "without": {},
    "description": {"note": "", "to the source": {}, "to the control": {}},
    "controls_equal_to_a_member": 0,
    "repeatable": True,
}


def audit(p: dict[tuple[str, str], PValues], *, fair: bool = True) -> SyntheticAudit:
    findings = tuple(
        Finding.not_run(name, target, "the release", reason="a test")
        for name, target in (("a", "the release"), ("b", "the release"), ("g", "the generator"))
    )
    return SyntheticAudit(findings, adjusted(p), power(50, 50, tests=max(len(p), 1)), 0.05, fair, DETAILS)


def test_p_values_are_adjusted_for_each_other() -> None:
    raw = {("a", str(i)): PValues(p, 1 - p) for i, p in enumerate((0.001, 0.02, 0.5, 0.9))}
    found = audit(raw)
    assert [one.p_adjusted for one in found.tests] == pytest.approx(holm(np.array([0.001, 0.02, 0.5, 0.9])).tolist())
    assert found.found == ("a",)
    assert audit({("a", "x"): PValues(0.04, 0.9), ("b", "y"): PValues(0.04, 0.9)}).found == ()


def test_what_controls_do_better_is_said_and_is_no_leak() -> None:
    found = audit({("a", "x"): PValues(1.0, 1e-9)})
    assert found.found == ()
    assert found.reversed == ("a",)
    assert "did better on controls than on members" in str(found)


def test_an_unfair_control_finds_nothing_and_says_so() -> None:
    found = audit({("a", "x"): PValues(1e-12, 1.0)}, fair=False)
    assert found.found == ()
    assert "Nothing can be said" in str(found)
    assert audit({("g", "x"): PValues(1e-12, 1.0)}, fair=False).found == ("g",)


def test_the_record_holds_plain_values_and_comes_back() -> None:
    found = audit({("a", "x"): PValues(1e-12, 1.0)})
    record = found.record()
    assert Record.from_json(record.to_json()) == record
    assert record.kind == "synthetic"
    assert record.body["found"] == ["a"]
    assert json.loads(json.dumps(record.body)) == record.body
    assert dataclasses.asdict(found.power)["members"] == 50
    assert audit({}).tests == ()
