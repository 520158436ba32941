"""Correlated noise as one Gaussian mechanism, against the plain one and against what an attacker measures."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.privacy.test_toeplitz import dense

from reticent.errors import UsageError
from reticent.evidence import canonical_json
from reticent.privacy import (
    Banded,
    BufferedToeplitz,
    CorrelatedGaussian,
    Guarantee,
    Laplace,
    Relation,
    SampledGaussian,
    Unit,
)
from reticent.privacy.mechanisms import mechanism_from_dict, mechanism_to_dict

ENCODERS = [Banded.independent(), Banded.square_root(4), BufferedToeplitz((0.9, 0.5), (0.2, 0.4))]


@pytest.mark.parametrize("encoder", ENCODERS, ids=str)
@pytest.mark.parametrize("relation", Relation)
def test_it_is_one_gaussian_mechanism(encoder, relation):
    release = CorrelatedGaussian(5.0, encoder, steps=12, separation=4)
    plain = SampledGaussian(5.0 / encoder.sensitivity(12, separation=4))
    found, wanted = (Guarantee((mechanism,), relation=relation) for mechanism in (release, plain))
    for delta in (1e-3, 1e-6):
        assert found.epsilon(delta) == pytest.approx(wanted.epsilon(delta), rel=1e-6)
        assert found.renyi_epsilon(delta) == pytest.approx(wanted.renyi_epsilon(delta), rel=1e-9)
    assert found.true_positive_rate(0.01) == pytest.approx(wanted.true_positive_rate(0.01), rel=1e-6)


def test_independent_noise_is_a_composition_of_gaussians():
    release = Guarantee((CorrelatedGaussian(3.0, Banded.independent(), steps=100, separation=10),))
    composed = Guarantee((SampledGaussian(3.0, 1.0, 10),))
    assert release.epsilon(1e-5) == pytest.approx(composed.epsilon(1e-5), rel=1e-3)


@pytest.mark.parametrize("encoder", ENCODERS, ids=str)
def test_the_best_attack_on_the_outputs_is_as_good_as_the_curve_says(encoder):
    """Neyman and Pearson's test on the noisy outputs themselves, of the worst pattern: exact for Gaussians.

    Outputs are g + C^-1 w with w of deviation 2; the test statistic has mean difference |C dg| / 2 in deviations.
    """
    steps, separation, deviation = 9, 4, 2.0
    inverse = np.linalg.inv(dense(encoder.encoder(steps), steps))
    covariance = deviation**2 * inverse @ inverse.T
    moved = np.zeros(steps)
    moved[::separation] = 1.0
    distance = math.sqrt(moved @ np.linalg.solve(covariance, moved))
    release = CorrelatedGaussian(deviation, encoder, steps=steps, separation=separation)
    assert 1 / release.noise_multiplier == pytest.approx(distance, rel=1e-9)


def test_what_was_executed_is_charged_and_no_more():
    """A prefix of the outputs is what a shorter training releases, with the same independent noise."""
    encoder = BufferedToeplitz.optimal(100, 2, separation=10)
    releases = [CorrelatedGaussian(10.0, encoder, steps=steps, separation=10) for steps in (1, 10, 11, 50, 100)]
    epsilons = [Guarantee((release,)).epsilon(1e-5) for release in releases]
    assert epsilons == sorted(epsilons)
    assert len(set(epsilons)) == 5
    assert [release.participations for release in releases] == [1, 1, 2, 5, 10]


@settings(max_examples=30, deadline=None)
@given(deviation=st.floats(0.5, 50), steps=st.integers(1, 40), separation=st.integers(1, 40), k=st.integers(0, 5))
def test_records_round_trip(deviation, steps, separation, k):
    release = CorrelatedGaussian(deviation, ENCODERS[2], steps, separation, k, count=2)
    plain = json.loads(canonical_json(mechanism_to_dict(release)))
    assert mechanism_from_dict(plain) == release
    assert release.participations == min(k or steps, -(-steps // separation))
    guarantee = Guarantee((release, Laplace(3.0)), Unit.PERSON, Relation.REPLACE_ONE)
    assert Guarantee.from_dict(json.loads(canonical_json(guarantee.as_dict()))) == guarantee


def test_equal_releases_are_merged_and_add_up():
    release = CorrelatedGaussian(8.0, ENCODERS[1], steps=20, separation=5)
    twice = Guarantee((release,)).compose(Guarantee((release,)))
    assert twice.mechanisms == (release.times(2),)
    assert twice.epsilon(1e-5) == pytest.approx(
        Guarantee((SampledGaussian(release.noise_multiplier / math.sqrt(2)),)).epsilon(1e-5), rel=1e-3
    )


def test_edges():
    release = CorrelatedGaussian(0.0, ENCODERS[1], steps=20, separation=5)
    assert release.is_unbounded
    assert Guarantee((release,)).epsilon(1e-5) == math.inf
    assert release.times(0).is_free
    assert Guarantee((release.times(0),)).epsilon(1e-5) == 0.0
    assert "4 bands" in release.text()
    assert "at most 4 of them and at least 5 steps apart" in release.text()
    assert "2 times" in release.times(2).text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"deviation": -1.0}, "deviation >= 0"),
        ({"correlation": (1.0,)}, "Expected a Correlation"),
        ({"steps": 0}, "steps >= 1"),
        ({"separation": 0}, "separation >= 1"),
        ({"participations": -1}, "participations >= 0"),
        ({"correlation": Banded((1.0, 0.2, 0.5)), "separation": 2}, "bands that rise"),
    ],
)
def test_what_is_not_known_is_refused(changes, message):
    good = {"deviation": 1.0, "correlation": ENCODERS[1], "steps": 10, "separation": 5}
    with pytest.raises(UsageError, match=message):
        CorrelatedGaussian(**{**good, **changes})
