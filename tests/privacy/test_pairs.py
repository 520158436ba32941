"""The pairs of distributions: masses that add up, and losses that are those of the two densities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, norm
from tests.tables import accounting as tables

from reticent.privacy import EpsilonDelta, FixedSizeGaussian, Guarantee, Laplace, Relation, SampledGaussian
from reticent.privacy.losses import compose
from reticent.privacy.pairs import binomial, gaussian, laplace, mixed, mixture, replaced_gaussian, two_point

ADD, REPLACE = Relation.ADD_OR_REMOVE_ONE, Relation.REPLACE_ONE
PAIRS = {
    "removed": gaussian(noise_multiplier=0.8, sample_rate=0.2, removed=True),
    "added": gaussian(noise_multiplier=0.8, sample_rate=0.2, removed=False),
    "everyone": gaussian(noise_multiplier=0.8, removed=True),
    "replaced": replaced_gaussian(noise_multiplier=0.8, sample_rate=0.2),
    "replaced, everyone": replaced_gaussian(noise_multiplier=0.8),
    "laplace": laplace(scale=0.7),
    "two points": two_point(epsilon=0.5, delta=0.0),
    "mixture removed": mixture(noise_multiplier=0.9, moves=(0, 1, 3), probabilities=(0.5, 0.3, 0.2), removed=True),
    "mixture added": mixture(noise_multiplier=0.9, moves=(0, 1, 3), probabilities=(0.5, 0.3, 0.2), removed=False),
    "mixture, all move": mixture(noise_multiplier=0.9, moves=(1, 2), probabilities=(0.4, 0.6), removed=True),
    "one of two": mixed(
        [(0.3, gaussian(noise_multiplier=1.0, removed=True)), (0.7, gaussian(noise_multiplier=2.0, removed=True))]
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_masses_add_up_and_differ_by_the_loss(name: str) -> None:
    """Between losses l and l' the P-mass lies between e^l and e^l' times the Q-mass."""
    loss = PAIRS[name]
    inner = np.linspace(max(loss.lowest, -8), min(loss.highest, 8), 400)
    p, q = loss.between(np.concatenate([[-np.inf], inner, [np.inf]]))
    assert p.sum() == pytest.approx(1.0, abs=1e-12)
    assert q.sum() == pytest.approx(1.0, abs=1e-12)
    assert (p[1:-1] <= np.exp(inner[1:]) * q[1:-1] * (1 + 1e-9) + 1e-15).all()
    assert (p[1:-1] >= np.exp(inner[:-1]) * q[1:-1] * (1 - 1e-9) - 1e-15).all()


def test_mixtures_by_dp_accounting() -> None:
    found = []
    for removed in (True, False):
        steps = [
            (mixture(noise_multiplier=s, moves=moves, probabilities=chances, removed=removed), count)
            for s, moves, chances, count in tables.MIXTURES
        ]
        found.append(compose(steps).epsilon(1e-6))
    assert max(found) == pytest.approx(tables.MIXTURES_EPSILON, abs=1e-5)


@pytest.mark.parametrize(("count", "probability"), [(1, 0.3), (7, 0.5), (40, 1.0), (1000, 1e-3), (100_000, 1e-5)])
def test_binomial_probabilities(count: int, probability: float) -> None:
    found = binomial(count, probability)
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(found[:-1], binom.pmf(np.arange(len(found) - 1), count, probability), rtol=1e-9)


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_replacement_by_densities(noise: float) -> None:
    """P-mass of the losses above a threshold, from the densities on a fine grid of outputs."""
    x = np.linspace(-15 * noise - 1, 15 * noise + 1, 400_001)
    p = 0.7 * norm.pdf(x, 0, noise) + 0.3 * norm.pdf(x, 1, noise)
    q = 0.7 * norm.pdf(x, 0, noise) + 0.3 * norm.pdf(x, -1, noise)
    loss = replaced_gaussian(noise_multiplier=noise, sample_rate=0.3)
    for threshold in (-0.3, 0.0, 0.1, 0.5):
        wanted = np.where(np.log(p / q) > threshold, p, 0.0).sum() * (x[1] - x[0])
        assert loss.between(np.array([threshold, np.inf]))[0][0] == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(
    ("mechanism", "relation"),
    [
        (SampledGaussian(0.03, 0.01), ADD),
        (SampledGaussian(0.02, 0.1, 30), ADD),
        (SampledGaussian(0.01, 0.5), REPLACE),
        (SampledGaussian(0.01), ADD),
        (FixedSizeGaussian(0.02, 0.1), REPLACE),
        (Laplace(0.0014), ADD),
        (Laplace(0.001), ADD),
        (EpsilonDelta(1.0, 0.9, 20), ADD),
        (EpsilonDelta(0.1, 0.01, 4000), ADD),
    ],
    ids=str,
)
def test_hardly_any_noise_has_an_answer(mechanism: SampledGaussian, relation: Relation) -> None:
    promise = Guarantee((mechanism,), relation=relation)
    assert promise.epsilon(1e-5) > 5
    assert promise.true_positive_rate(0.5) <= 1
    assert "epsilon" in promise.text(1e-5)


def test_epsilons_too_large_for_their_exponential_are_not_too_small() -> None:
    """mu = 36: the exact value of Balle and Wang is 800.59."""
    assert 800.5 <= Guarantee((SampledGaussian(4 / 36, 1.0, 16),)).epsilon(1e-5) <= 802


def test_tiny_atoms_do_not_ask_for_a_grid_of_their_own() -> None:
    for other in (EpsilonDelta(1e-10, 1e-8), EpsilonDelta(1e-7, 1e-7), Laplace(1e7)):
        together = Guarantee((SampledGaussian(1.0, 0.01, 1000), other))
        assert 1.828 <= together.epsilon(1e-5) <= 1.832
    assert Guarantee((EpsilonDelta(1e-300, 0.0, 3),)).epsilon(1e-9) <= 1e-9


@pytest.mark.parametrize(
    ("mechanisms", "truth"),
    [
        ((SampledGaussian(math.sqrt(1e8) / 6, 1.0, 10**8),), 0.99730020),
        ((SampledGaussian(math.sqrt(1e6) / 8, 1.0, 10**6),), 0.99993666),
        ((SampledGaussian(2.17027e6, 1.0, 10**8), Laplace(0.35981)), 0.75083060),
        ((SampledGaussian(1e3, 1.0, 10**6), EpsilonDelta(5.0)), 0.98661431),
    ],
)
def test_many_steps_do_not_round_below_the_truth(mechanisms: tuple, truth: float) -> None:
    """Powers multiply the rounding of a transform; what it may take away is added."""
    assert truth - 1e-8 <= Guarantee(mechanisms).advantage() <= truth * (1 + 1e-3)
