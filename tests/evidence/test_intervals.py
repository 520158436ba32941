"""Intervals by the incomplete beta function, against `scipy.stats`; and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from scipy.stats import beta

from reticent.evidence.intervals import clopper_pearson, rate


@pytest.mark.parametrize("trials", [1, 2, 7, 1000, 123_456, 10**9])
@pytest.mark.parametrize("confidence", [0.0, 0.5, 0.95, 0.999999, 1 - 1e-12, 1.0])
def test_the_ends_are_those_of_scipy_to_the_last_bit(trials: int, confidence: float) -> None:
    tail = (1 - confidence) / 2
    for hits in {0, 1, trials // 3, trials // 2, trials - 1, trials, trials / 3}:
        low = 0.0 if hits == 0 else beta.ppf(tail, hits, trials - hits + 1)
        high = 1.0 if hits == trials else beta.ppf(1 - tail, hits + 1, trials - hits)
        assert clopper_pearson(hits, trials, confidence) == (low, high)


def test_none_of_a_hundred_and_all_of_them() -> None:
    """Closed forms: 1 - (tail)^(1/n) at no hit, its mirror image at all hits."""
    assert rate(0, 100, method="x").high == pytest.approx(1 - 0.025 ** (1 / 100))
    assert rate(100, 100, method="x").low == pytest.approx(0.025 ** (1 / 100))


@pytest.mark.parametrize(
    "room", ["evidence.intervals", "privacy", "attacks.reidentification.linkage", "cli.scan", "cli.duplicates"]
)
def test_nobody_waits_for_scipy_stats(room: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", f"import sys, reticent.{room}; print('scipy.stats' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.strip() == "False"
