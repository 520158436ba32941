"""Laplace sums and proven numbers: exact where theory is."""

from __future__ import annotations

import math

import pytest

from reticent.privacy import EpsilonDelta, Guarantee, Laplace, Relation

ADD = Relation.ADD_OR_REMOVE_ONE
REPLACE = Relation.REPLACE_ONE


@pytest.mark.parametrize("scale", [0.5, 1.0, 4.0])
def test_laplace_is_purely_private(scale: float) -> None:
    """Dwork et al. (2006): epsilon = sensitivity / scale, and twice that when a unit is exchanged."""
    for relation, epsilon in ((ADD, 1 / scale), (REPLACE, 2 / scale)):
        guarantee = Guarantee((Laplace(scale),), relation=relation)
        assert guarantee.epsilon(1e-13) == pytest.approx(epsilon, abs=1e-6)
        assert guarantee.delta(epsilon + 1e-4) <= 1e-14
        assert guarantee.delta(0.0) == pytest.approx(1 - math.exp(-epsilon / 2), abs=1e-7)


def test_laplace_composes() -> None:
    three = Guarantee((Laplace(3.0, 3),))
    assert 1.0 - 1e-6 <= three.epsilon(1e-13) <= 1.0 + 3e-4  # rounded up by at most one interval for each use
    assert three.epsilon(1e-2) < 0.95


@pytest.mark.parametrize("relation", Relation)
def test_proven_numbers_are_given_back(relation: Relation) -> None:
    guarantee = Guarantee((EpsilonDelta(0.7, 1e-6),), relation=relation)
    assert 0.7 - 1e-9 <= guarantee.epsilon(1e-6 * (1 + 1e-9)) <= 0.7 + 1e-4
    assert guarantee.delta(0.7 + 1e-4) == pytest.approx(1e-6, rel=1e-6)
    assert guarantee.epsilon(0.9e-6) == math.inf
    assert Guarantee((EpsilonDelta(0.7),), relation=relation).epsilon(1e-12) == pytest.approx(0.7, abs=1e-4)


@pytest.mark.parametrize("epsilon", [0.00013, 0.5, 0.12345])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_uses_of_a_private_mechanism_compose_as_randomised_response(epsilon: float, count: int) -> None:
    """Kairouz, Oh and Viswanath (2015), theorem 3.3, for delta = 0: a sum over the number of truthful answers."""
    truth, at = 0.0, epsilon * 0.5
    for lies in range(count + 1):
        weight = math.comb(count, lies) / (1 + math.exp(epsilon)) ** count
        ours, theirs = math.exp((count - lies) * epsilon), math.exp(lies * epsilon)
        truth += weight * max(0.0, ours - math.exp(at) * theirs)
    got = Guarantee((EpsilonDelta(epsilon, 0.0, count),)).delta(at)
    assert truth - 1e-12 <= got <= truth + count * 1e-4


def test_losses_of_proven_numbers_add_up_at_most() -> None:
    assert Guarantee((EpsilonDelta(0.1, 1e-7, 10),)).epsilon(1.001e-6) <= 1.0 + 1e-3
    assert Guarantee((EpsilonDelta(0.1, 1e-7, 10),)).epsilon(1e-2) < 0.9
    assert Guarantee((EpsilonDelta(0.0, 0.1, 2),)).delta(0.0) == pytest.approx(1 - 0.9**2, rel=1e-6)
