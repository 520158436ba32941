"""What is said beforehand to be found in four of five audits is found in about four of five."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from reticent.audits.synthetic import power
from reticent.audits.synthetic.exact import area_test, gain_test


@pytest.mark.slow
@pytest.mark.parametrize(("members", "controls"), [(200, 200), (100, 300)])
def test_by_simulation(members: int, controls: int) -> None:
    plan = power(members, controls, tests=5)
    rng = np.random.default_rng(0)
    apart = np.sqrt(2) * norm.ppf(plan.area)
    found = {"area": 0, "share": 0}
    for _ in range(800):
        scores = area_test(rng.normal(apart, 1, members), rng.normal(0, 1, controls))
        found["area"] += scores.more <= 0.01
        hits = (rng.random(members) < plan.share).astype(int)
        found["share"] += gain_test(hits, np.zeros(controls, int)).more <= 0.01
    # Six standard errors, and a little for normal scores not being Hanley and McNeil's exponential ones.
    for name, count in found.items():
        assert abs(count / 800 - 0.8) < 6 * np.sqrt(0.16 / 800) + 0.03, (name, count)


def test_more_rows_see_more_and_more_tests_see_less() -> None:
    base = power(500, 500, tests=10)
    assert power(2000, 2000, tests=10).area < base.area < power(500, 500, tests=100).area
    assert power(2000, 2000, tests=10).share < base.share
    assert power(20, 1, tests=10).share == 1.0  # one control can never tell
    assert power(2, 2, tests=10).area == 1.0
