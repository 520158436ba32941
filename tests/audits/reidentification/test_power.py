"""Numbers of targets are the least that do; differences cover the truth."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.audits.reidentification import none_needed, paired_difference, power_of, targets_needed
from reticent.evidence.intervals import clopper_pearson


@pytest.mark.parametrize(("within", "share"), [(0.05, 0.5), (0.1, 0.5), (0.03, 0.1)])
def test_enough_is_enough_and_one_less_is_not(within: float, share: float) -> None:
    def width(trials: int) -> float:
        found = round(share * trials)
        low, high = clopper_pearson(found, trials, 0.95)
        return max(found / trials - low, high - found / trials)

    needed = targets_needed(within, share=share)
    assert width(needed) <= within < width(needed - 1)


def test_none_of_so_many() -> None:
    needed = none_needed(0.01)
    assert clopper_pearson(0, needed, 0.95)[1] <= 0.01 < clopper_pearson(0, needed - 1, 0.95)[1]
    said = power_of(600)
    assert said["least_share_excluded_by_none"] == pytest.approx(0.00613, abs=1e-4)
    assert said["needed"]["0.05"] == 402


def test_differences_cover_the_truth() -> None:
    """Both in 0.3 of the cases, one alone in 0.2, the other alone in 0.05: the difference is 0.15."""
    draw = np.random.default_rng(1)
    missed = 0
    for _ in range(2000):
        kind = draw.choice(4, 150, p=[0.3, 0.2, 0.05, 0.45])
        found = paired_difference(np.isin(kind, (0, 1)), np.isin(kind, (0, 2)), what="x")
        missed += not found.contains(0.15)
    # at 5 % at most; 6 deviations above it are 0.08
    assert missed / 2000 < 0.08
    same = np.ones(20, dtype=bool)
    assert paired_difference(same, same, what="x").value == 0
