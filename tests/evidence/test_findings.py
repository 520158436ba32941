"""Estimates and findings: no number without its interval, no attack without its baseline, no zero for "not run"."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent.errors import UsageError
from reticent.evidence import Estimate, Finding, Status, canonical_json

AUC = Estimate(0.8, 0.76, 0.84, confidence=0.95, n=442, method="bootstrap over records")
CHANCE = Estimate(0.51, 0.47, 0.55, 0.95, 442, "bootstrap over records", threshold="set on other records")
FINDING = Finding("likelihood ratio", "a network", "logits", {"auc": AUC}, {"auc": CHANCE}, details={"models": 64})


def estimate(**changes: Any) -> Estimate:
    return Estimate(**{**AUC.as_dict(), **changes})


@pytest.mark.parametrize("name", ["value", "low", "high", "confidence", "n", "method"])
def test_an_estimate_needs_every_part(name: str) -> None:
    parts = {key: value for key, value in AUC.as_dict().items() if key != name}
    with pytest.raises(TypeError, match=name):
        Estimate(**parts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": 0.75}, "Expected low <= value <= high, all finite, got 0.76, 0.75, 0.84"),
        ({"value": 0.85}, "Expected low <= value <= high"),
        ({"low": 0.9}, "Expected low <= value <= high"),
        ({"value": math.nan}, "Expected low <= value <= high, all finite, got 0.76, nan, 0.84"),
        ({"low": -math.inf}, "all finite"),
        ({"high": math.inf}, "all finite"),
        ({"value": None}, "all finite"),
        ({"high": "1"}, "all finite"),
        ({"value": np.array(0.8)}, "all finite"),
        ({"low": 0, "value": True, "high": 2}, "all finite"),
        ({"confidence": 1.0}, "Expected 0 < confidence < 1, got confidence=1.0"),
        ({"confidence": 95}, "Expected 0 < confidence < 1, got confidence=95"),
        ({"confidence": 0}, "Expected 0 < confidence < 1, got confidence=0"),
        ({"n": 0}, "Expected a whole number n >= 1, got n=0"),
        ({"n": 10.0}, "Expected a whole number n >= 1, got n=10.0"),
        ({"method": ""}, "Expected the method of the interval, got none"),
    ],
)
def test_impossible_estimates_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        estimate(**changes)


def test_an_interval_may_be_a_point() -> None:
    assert estimate(value=0.5, low=0.5, high=0.5).contains(0.5)


@given(st.lists(st.floats(-10, 10), min_size=4, max_size=4))
def test_contains_includes_both_ends(numbers: list[float]) -> None:
    probe, *three = numbers
    low, value, high = sorted(three)
    made = estimate(low=low, value=value, high=high)
    assert made.contains(low)
    assert made.contains(value)
    assert made.contains(high)
    assert made.contains(probe) == (low <= probe <= high)
    assert not made.contains(math.nan)


@pytest.mark.parametrize(
    ("confidence", "words"), [(0.95, "95 %"), (0.999, "99.9 %"), (0.975, "97.5 %"), (0.9999, "99.99 %"), (0.29, "29 %")]
)
def test_the_confidence_is_never_written_as_certainty(confidence: float, words: str) -> None:
    assert str(estimate(confidence=confidence)) == f"0.800 [0.760, 0.840] ({words}, n=442)"


def test_numpy_numbers_are_kept_as_python_numbers() -> None:
    made = estimate(value=np.float32(0.5), low=np.float64(0.25), high=np.int64(1), n=np.int64(3))
    assert canonical_json(made.as_dict()) == canonical_json(estimate(value=0.5, low=0.25, high=1, n=3).as_dict())
    assert type(made.value) is float
    assert type(made.n) is int


@pytest.mark.parametrize("made", [AUC, CHANCE])
def test_estimates_survive_json_and_cannot_be_changed(made: Estimate) -> None:
    assert Estimate.from_dict(json.loads(canonical_json(made.as_dict()))) == made
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.low = 0.0  # type: ignore[misc]


@pytest.mark.parametrize(("estimates", "baseline"), [({}, {}), ({"auc": AUC}, {}), ({}, {"auc": CHANCE})])
def test_an_executed_attack_needs_numbers_and_a_baseline(estimates: Any, baseline: Any) -> None:
    with pytest.raises(
        UsageError, match="Expected estimates and a no-access baseline for the executed attack 'lira', got"
    ):
        Finding("lira", "a network", "logits", estimates, baseline)


def test_not_run_carries_a_reason_and_no_number() -> None:
    finding = Finding.not_run("inversion", "a network", "gradients", reason="no gradients")
    assert finding.status is Status.NOT_RUN
    assert finding.reason == "no gradients"
    assert (dict(finding.estimates), dict(finding.baseline)) == ({}, {})
    with pytest.raises(UsageError, match="Expected the reason why 'inversion' is not_run, got none"):
        Finding.not_run("inversion", "a network", "gradients", reason="")
    for numbers in ({"estimates": {"auc": AUC}}, {"baseline": {"auc": CHANCE}}):
        with pytest.raises(UsageError, match="Expected no numbers for 'inversion', which was not run"):
            dataclasses.replace(finding, **numbers)


def test_inconclusive_needs_a_reason() -> None:
    with pytest.raises(UsageError, match="Expected the reason why 'a' is inconclusive, got none"):
        Finding("a", "b", "c", status=Status.INCONCLUSIVE)
    assert Finding("a", "b", "c", status=Status.INCONCLUSIVE, reason="too few records").reason == "too few records"
    kept = Finding("a", "b", "c", {"auc": AUC}, {}, Status.INCONCLUSIVE, "too few records")
    assert kept.estimates["auc"] == AUC


@pytest.mark.parametrize("bare", [0.8, (0.7, 0.9), None, {"value": 0.8}])
def test_every_number_is_an_estimate(bare: Any) -> None:
    for estimates, baseline in (({"auc": bare}, {"auc": CHANCE}), ({"auc": AUC}, {"auc": bare})):
        with pytest.raises(UsageError, match="Expected every number of 'a' as an Estimate"):
            Finding("a", "b", "c", estimates, baseline)


def test_findings_do_not_change_with_what_they_were_made_from() -> None:
    estimates, details = {"auc": AUC}, {"models": 64}
    finding = Finding("a", "b", "c", estimates, {"auc": CHANCE}, details=details)
    estimates["tpr"], details["models"] = CHANCE, 1
    assert dict(finding.estimates) == {"auc": AUC}
    assert dict(finding.details) == {"models": 64}
    with pytest.raises(TypeError, match="does not support item assignment"):
        finding.estimates["auc"] = CHANCE  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        finding.reason = "x"  # type: ignore[misc]
    finding.as_dict()["estimates"].clear()
    assert dict(finding.estimates) == {"auc": AUC}


@pytest.mark.parametrize(
    "finding",
    [
        FINDING,
        Finding.not_run("a", "b", "c", reason="why"),
        Finding("a", "b", "c", {"auc": AUC}, status=Status.INCONCLUSIVE, reason="why"),
    ],
    ids=lambda finding: finding.status.value,
)
def test_findings_survive_json(finding: Finding) -> None:
    assert Finding.from_dict(json.loads(canonical_json(finding.as_dict()))) == finding


def test_every_field_is_needed_and_no_other_is_read() -> None:
    whole = FINDING.as_dict()
    for name in whole:
        with pytest.raises(UsageError, match="Expected the fields of a finding"):
            Finding.from_dict({key: value for key, value in whole.items() if key != name})
    with pytest.raises(UsageError, match="Expected the fields of a finding"):
        Finding.from_dict({**whole, "verdict": "safe"})


@pytest.mark.parametrize(
    "change",
    [
        {"status": "done"},
        {"status": "not_run", "reason": "why"},
        {"estimates": None},
        {"estimates": {"auc": 0.8}},
        {"baseline": {}},
        {"estimates": {"auc": {"value": 0.8}}},
        {"estimates": {"auc": {**AUC.as_dict(), "p": 0.01}}},
        {"estimates": {"auc": {**AUC.as_dict(), "low": 0.9}}},
    ],
    ids=repr,
)
def test_foreign_dictionaries_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="Expected a finding as written by as_dict"):
        Finding.from_dict({**FINDING.as_dict(), **change})
