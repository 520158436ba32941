"""Paired differences of accuracy: the loop, the coverage, and what pairing is for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from reticent.audits.paired import accuracy_difference
from reticent.errors import NotEnoughEvidence, UsageError
from reticent.randomness import Randomness

SOURCE = Randomness.simulated(2)


def draws(rng, *, cost, models=24, records=80):
    """Answers whose difference in accuracy is `cost`, on records of very different difficulty."""
    ease = rng.beta(0.6, 0.3, records)
    this = rng.random((models, records)) < np.clip(ease - cost, 0, 1)
    other = rng.random((models, records)) < ease
    return this, other, rng.random((models, records)) < 0.5, float((np.clip(ease - cost, 0, 1) - ease).mean())


@pytest.mark.parametrize("owned", [False, True])
def test_the_value_is_the_loop(owned):
    this, other, inside, _ = draws(np.random.default_rng(0), cost=0.2)
    owners = np.arange(80) // 4 if owned else None
    total = [int(this[m, r]) - int(other[m, r]) for m in range(24) for r in range(80) if not inside[m, r]]
    found = accuracy_difference(this, other, inside, randomness=SOURCE, owners=owners)
    assert found.value == pytest.approx(np.mean(total))
    assert found.n == len(total)
    swapped = accuracy_difference(other, this, inside, randomness=SOURCE, owners=owners)
    assert swapped.value == pytest.approx(-found.value)


@pytest.mark.slow
@pytest.mark.parametrize("cost", [0.0, 0.1])
def test_intervals_cover_and_see(cost):
    """95 % intervals in 120 repetitions: fewer than 105 covering would happen in 1 of 10,000 at 95 %."""
    rng = np.random.default_rng(3)
    covered = seen = 0
    for _ in range(120):
        ease = np.random.default_rng(9).beta(0.6, 0.3, 5000)
        this, other, inside, _ = draws(rng, cost=cost)
        truth = float((np.clip(ease - cost, 0, 1) - ease).mean())
        found = accuracy_difference(this, other, inside, randomness=SOURCE, replicates=200)
        covered += found.contains(truth)
        seen += found.high < 0
    assert covered >= binom.ppf(1e-4, 120, 0.95)
    assert seen <= 12 if cost == 0 else seen > 110  # a planted cost is seen


def test_pairing_sees_what_two_intervals_hide():
    rng = np.random.default_rng(5)
    hard = rng.random(60) < 0.5  # no model gets these right, so accuracies over draws of records differ widely
    other = np.broadcast_to(~hard, (30, 60))
    this = other & (rng.random((30, 60)) < 0.93)
    inside = rng.random((30, 60)) < 0.5
    found = accuracy_difference(this, other, inside, randomness=SOURCE)
    assert found.high < 0
    assert found.high - found.low < 0.05 < 2 * 1.96 * np.sqrt(0.25 / 60)


def test_what_is_refused():
    flags = np.ones((3, 4), dtype=bool)
    with pytest.raises(UsageError, match="one shape"):
        accuracy_difference(flags, flags[:2], flags, randomness=SOURCE)
    with pytest.raises(NotEnoughEvidence, match="outside"):
        accuracy_difference(flags, flags, flags, randomness=SOURCE)
