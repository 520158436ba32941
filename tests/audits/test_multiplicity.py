"""Adjusted p-values are those of the definitions, and lists have the error rates that they state."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, norm

from reticent.audits.multiplicity import benjamini_hochberg, benjamini_yekutieli, holm, selected_confidence
from reticent.errors import UsageError

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30).map(np.array)


def rejected_by_holm(p, level):
    """Step down, one hypothesis after the other, as the paper says it."""
    rejected = np.zeros(len(p), dtype=bool)
    for step, which in enumerate(np.argsort(p, kind="stable")):
        if p[which] * (len(p) - step) > level:
            break
        rejected[which] = True
    return rejected


@given(p=P_VALUES, level=st.floats(0.001, 0.5))
def test_holm_steps_down(p, level):
    np.testing.assert_array_equal(holm(p) <= level, rejected_by_holm(p, level))


@given(p=P_VALUES)
def test_false_discovery_lists_are_scipys(p):
    np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p, method="bh"), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(benjamini_yekutieli(p), false_discovery_control(p, method="by"), rtol=1e-12, atol=1e-300)


@given(p=P_VALUES)
def test_the_stricter_list_is_inside_the_other(p):
    assert (benjamini_hochberg(p) <= holm(p) + 1e-15).all()
    assert (benjamini_hochberg(p) <= benjamini_yekutieli(p)).all()


def test_intervals_of_a_selection_miss_as_rarely_as_promised():
    """2,000 times the five largest of 40 are shown: the mean share of misses is below 10 % (it would be 43 % for
    intervals that do not know that they were selected)."""
    source = np.random.default_rng(1)
    found = source.normal(size=(2000, 40))
    shown = np.sort(found, axis=1)[:, -5:]  # every true value is 0
    missed = [
        (np.abs(shown) > norm.ppf(0.5 + confidence / 2)).mean() for confidence in (selected_confidence(0.9, 5, 40), 0.9)
    ]
    assert missed[0] < 0.1
    assert missed[1] > 0.3


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg, benjamini_yekutieli])
@pytest.mark.parametrize("p", [np.array([0.1, np.nan]), np.array([1.1]), np.array([[0.1]])])
def test_what_is_no_list_of_p_values_is_refused(adjust, p):
    with pytest.raises(UsageError, match="p-values"):
        adjust(p)
