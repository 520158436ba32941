"""Exposure: ranks by a loop, a false-positive rate that is known, and a bound that covers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import beta

from reticent.audits.bounds import exposure_bound, exposure_of
from reticent.errors import DataError, UsageError


def test_exposures_are_ranks_and_ties_count_against_the_canary():
    others = np.array([3.0, 1.0, 2.0])
    for score in (0.0, 1.0, 1.5, 3.0, 4.0):
        rank = 1 + sum(other >= score for other in others)
        assert exposure_of(score, others) == pytest.approx(math.log2(4 / rank))
    rows = np.array([[3.0, 1.0, 2.0], [0.0, 0.0, 0.0]])
    assert exposure_of(np.array([2.0, 1.0]), rows) == pytest.approx([math.log2(4 / 3), 2.0])


def test_an_untrained_canary_is_seldom_exposed():
    """2^-x is the false-positive rate, with ties too: more than 50 of 2,000 at 1/64 have probability 1e-3."""
    draw = np.random.default_rng(0)
    for levels in (None, 4):
        values = draw.normal(size=(2000, 1024))
        values = values if levels is None else np.round(values * levels)
        found = exposure_of(values[:, 0], values[:, 1:])
        assert (found >= 6.0).sum() <= 50


def test_the_bound_is_its_formula():
    exposures = np.repeat([10.0, 2.0], [40, 10])
    bound = exposure_bound(exposures, at=[4.0, 8.0], delta=1e-3)
    rate = beta.ppf(0.025, 40, 11) - 1e-3
    assert bound.epsilon == pytest.approx(8 * math.log(2) + math.log(rate))
    assert bound.details["found"] == [40, 40]
    assert exposure_bound(np.zeros(5), at=[3.0], delta=1e-3).epsilon == 0.0


def test_the_bound_covers_a_mechanism_that_publishes_a_secret_with_noise():
    """Randomised response over 64 secrets at epsilon 2: no test of it is sharper than the answer itself."""
    epsilon, secrets = 2.0, 64
    true = math.exp(epsilon) / (math.exp(epsilon) + secrets - 1)
    draw = np.random.default_rng(1)
    false = 0
    for _ in range(300):
        found = np.where(draw.random(400) < true, 6.0, 0.0)
        false += exposure_bound(found, at=[6.0], delta=1e-9).epsilon > epsilon
    assert false <= 33  # of 300 at 5 %: probability 2e-5


@pytest.mark.parametrize(
    ("exposures", "at", "error"),
    [([], [1.0], DataError), ([math.nan], [1.0], DataError), ([1.0], [], UsageError), ([1.0], [0.0], UsageError)],
)
def test_arguments_that_mean_nothing_are_refused(exposures, at, error):
    with pytest.raises(error, match="Expected"):
        exposure_bound(exposures, at=at, delta=1e-5)


def test_references_that_are_none_are_refused():
    for references in ([], 3.0, [math.nan]):
        with pytest.raises(DataError, match="other candidates"):
            exposure_of(1.0, references)
