"""Predictive values are Bayes' rule, and their intervals cover whichever rate is off."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from reticent.audits.base_rates import BASE_RATES, advantage, at_thresholds, predictive_values
from reticent.audits.statistics import rate
from reticent.errors import UsageError
from reticent.evidence import Estimate


def share(successes, trials, confidence=0.975):
    return rate(successes, trials, method="counted", confidence=confidence)


@given(named=st.integers(0, 50), wrongly=st.integers(0, 80), prior=st.floats(0.001, 0.999))
def test_it_is_bayes_rule(named, wrongly, prior):
    found = predictive_values(share(named, 50), share(wrongly, 80), (prior,))[0].value
    if named == wrongly == 0:
        assert found is None
        return
    both = named / 50 * prior + wrongly / 80 * (1 - prior)
    assert found.value == pytest.approx(named / 50 * prior / both, abs=1e-12)
    assert found.low <= found.value <= found.high
    assert found.confidence == pytest.approx(0.95)


@given(named=st.integers(1, 50), wrongly=st.integers(1, 80))
def test_the_ends_are_the_extremes_of_all_rates_inside_their_intervals(named, wrongly):
    true, false = share(named, 50), share(wrongly, 80)
    one = predictive_values(true, false, (0.1,))[0].value
    t, f = np.meshgrid(np.linspace(true.low, true.high, 9), np.linspace(false.low, false.high, 9))
    values = 0.1 * t / (0.1 * t + 0.9 * f)
    assert one.low == pytest.approx(values.min(), abs=1e-12)
    assert one.high == pytest.approx(values.max(), abs=1e-12)


@pytest.mark.parametrize(("true", "false"), [(0.3, 0.01), (0.02, 0.02)])
def test_intervals_cover(true, false):
    """2,000 audits of 400 members and 400 others: misses above the limit have probability 1e-6; without the interval of
    the false-positive rate there are far more."""
    source = np.random.default_rng(1)
    truth = 0.1 * true / (0.1 * true + 0.9 * false)
    missed = careless = 0
    for _ in range(2000):
        named, wrongly = share(source.binomial(400, true), 400), share(source.binomial(400, false), 400)
        value = predictive_values(named, wrongly, (0.1,))[0].value
        missed += value is not None and not value.contains(truth)
        value = predictive_values(named, wrongly.value, (0.1,))[0].value
        careless += value is not None and not value.contains(truth)
    assert missed <= binom.isf(1e-6, 2000, 0.05)
    assert careless > binom.isf(1e-6, 2000, 0.05)


def test_where_nobody_is_named_there_is_no_value():
    found = predictive_values(share(0, 50), share(0, 50))
    assert [one.value for one in found] == [None] * 4
    assert str(found[0]) == "at a base rate of 0.5: nobody was named"
    assert found[0].as_dict() == {"base_rate": 0.5, "value": None}


def test_an_attack_that_guesses_is_worth_the_base_rate():
    for one in predictive_values(share(100, 1000), share(100, 1000)):
        assert one.value.value == pytest.approx(one.base_rate)
        assert one.value.low < one.base_rate < one.value.high


def test_a_rate_that_is_held_by_construction_costs_no_confidence():
    true = Estimate(0.2, 0.1, 0.3, 0.95, 100, "bootstrap")
    one = predictive_values(true, 0.01, (0.5,))[0].value
    assert (one.low, one.high, one.confidence) == (0.05 / 0.055, 0.15 / 0.155, 0.95)
    assert advantage(true, 0.01).low == pytest.approx(0.09)


def test_rates_at_thresholds_are_counts():
    source = np.random.default_rng(2)
    truth = np.arange(300) < 100
    scores = source.normal(size=300) + truth
    found = at_thresholds(scores, truth, {"a": 0.5, "b": 99.0})
    assert [one.threshold for one in found] == ["a", "b"]
    assert found[0].true_positive_rate.value == (scores[:100] > 0.5).mean()
    assert found[0].false_positive_rate.value == (scores[100:] > 0.5).mean()
    assert found[0].true_positive_rate.confidence == 0.975
    assert found[0].advantage.confidence == 0.95
    assert found[0].advantage.value == pytest.approx((scores[:100] > 0.5).mean() - (scores[100:] > 0.5).mean())
    assert tuple(one.base_rate for one in found[0].predictive) == BASE_RATES
    assert found[1].predictive[0].value is None
    assert json.loads(json.dumps(found[0].as_dict()))["threshold"] == "a"


def test_what_leaves_no_confidence_is_refused():
    with pytest.raises(UsageError, match="higher confidence"):
        predictive_values(share(1, 9, 0.5), share(1, 9, 0.5))
    with pytest.raises(UsageError, match="base_rate"):
        predictive_values(share(1, 9), share(1, 9), (1.0,))
    with pytest.raises(UsageError, match="false_positive_rate"):
        predictive_values(share(1, 9), 1.5)
