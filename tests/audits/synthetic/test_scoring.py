"""Scores to findings: thresholds from controls set aside, rates that so many controls resolve."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from tests.audits.synthetic.generators import copying, marginals, people

from reticent.audits.synthetic.preparing import prepared
from reticent.audits.synthetic.scoring import against_controls, estimates_of, memberships
from reticent.evidence import Estimate
from reticent.randomness import Randomness

BLIND = {"boosted trees": Estimate(0.5, 0.4, 0.6, confidence=0.99, n=9, method="a stand-in")}


def test_rates_of_a_known_separation() -> None:
    """Normal scores one deviation apart: rates are known, and lie in their intervals (each misses 1 in 20)."""
    rng = np.random.default_rng(0)
    found = estimates_of(rng.normal(1, 1, 3000), rng.normal(0, 1, 4000), Randomness.simulated(1), 0.999999)
    assert found["auc"].contains(norm.cdf(1 / np.sqrt(2)))
    for rate in (0.01, 0.1):
        at = found[f"true_positive_rate_at_{rate:g}"]
        assert at.threshold == "from 2000 controls set aside"
        assert at.contains(norm.sf(norm.isf(rate) - 1))
        assert found[f"false_positive_rate_at_{rate:g}"].contains(rate)


def test_rates_that_cannot_be_resolved_are_left_out() -> None:
    found = estimates_of(np.arange(50.0), np.arange(300.0), Randomness.simulated(1), 0.95)
    assert sorted(found) == ["auc", "false_positive_rate_at_0.1", "true_positive_rate_at_0.1"]
    assert sorted(estimates_of(np.arange(50.0), np.arange(30.0), Randomness.simulated(1), 0.95)) == ["auc"]


@pytest.mark.parametrize(("generator", "leaks"), [(copying(1.0), True), (marginals, False)])
def test_copies_are_found_and_marginals_are_not_accused(generator, leaks) -> None:
    rng = np.random.default_rng(1)
    source, control = people(300, rng), people(600, rng)
    ready = prepared(generator(source, 1), source, control, randomness=Randomness.simulated(2))
    for one in memberships(ready, BLIND):
        assert (one.tests["right one of two"].more < 1e-9) == leaks, one.finding.attack
        assert list(one.finding.baseline) == ["auc of boosted trees without the release"]


def test_who_is_among_the_top_is_asked_too() -> None:
    """Three members stand out; the area cannot see three of a thousand."""
    rng = np.random.default_rng(3)
    members, controls = rng.normal(size=1000), rng.normal(size=1000)
    members[:15] = 10.0
    found = against_controls(members, controls)
    assert found["members among the top 1 %"].more < 1e-3 < found["right one of two"].more
