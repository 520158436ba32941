"""Discrete Laplace and Gaussian sums against sums over all outputs, in one and in two dimensions."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from reticent.errors import UsageError
from reticent.privacy import DiscreteGaussian, DiscreteLaplace, Guarantee, Relation, SampledGaussian
from reticent.privacy.mechanisms import Mechanism
from reticent.privacy.renyi import ORDERS

ADD, REPLACE = Relation.ADD_OR_REMOVE_ONE, Relation.REPLACE_ONE
Floats = npt.NDArray[np.float64]
EPSILONS = [0.0, 0.1, 0.5, 1.0, 2.0, 4.0]


def divergence(p: Floats, q: Floats, epsilon: float) -> float:
    """The hockey-stick divergence, by definition."""
    return float(np.maximum(p - math.exp(epsilon) * q, 0.0).sum())


def laplace_law(scale: float, shift: int, reach: int) -> Floats:
    x = np.arange(-reach, reach + 1)
    weights = np.exp(-np.abs(x - shift) / scale)
    return weights * math.tanh(0.5 / scale)  # (1 - r) / (1 + r) with r = e^(-1 / scale)


def gaussian_law(deviation: float, shift: int, reach: int) -> Floats:
    x = np.arange(-reach, reach + 1)
    total = np.exp(-0.5 * (np.arange(-4 * reach, 4 * reach + 1) / deviation) ** 2).sum()
    return np.asarray(np.exp(-0.5 * ((x - shift) / deviation) ** 2) / total)


def both(p: Floats, q: Floats, epsilon: float) -> float:
    return max(divergence(p, q, epsilon), divergence(q, p, epsilon))


def moment(p: Floats, q: Floats, order: float) -> float:
    """The Renyi divergence, by definition."""
    keep = (p > 1e-290) & (q > 1e-290)
    return float(logsumexp(order * np.log(p[keep]) + (1 - order) * np.log(q[keep]))) / (order - 1)


def covers(mechanism: Mechanism, relation: Relation, p: Floats, q: Floats, above: float | None = None) -> None:
    """The promise is at or above the truth, and at most `above` over it (None: anything)."""
    promise = Guarantee((mechanism,), relation=relation)
    for epsilon in EPSILONS:
        exact, found = both(p, q, epsilon), promise.delta(epsilon)
        assert found >= exact - 1e-12
        if above is not None:
            assert found <= exact + above


# One dimension ----------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.floats(0.3, 30.0), st.integers(1, 12), st.sampled_from([ADD, REPLACE]))
def test_laplace_is_the_sum_over_all_outputs(scale: float, most: int, relation: Relation) -> None:
    moved = most if relation is ADD else 2 * most
    reach = math.ceil(40 * scale) + moved
    for shift in {1, moved // 2 or 1, moved}:
        p, q = laplace_law(scale, shift, reach), laplace_law(scale, 0, reach)
        covers(DiscreteLaplace(scale, most), relation, p, q, above=2e-4 if shift == moved else None)
    assert Guarantee((DiscreteLaplace(scale, most),), relation=relation).epsilon(1e-13) == pytest.approx(
        moved / scale, abs=1e-4
    )


@settings(max_examples=60, deadline=None)
@given(st.floats(0.3, 30.0), st.integers(1, 12), st.sampled_from([1.0, 0.5, 0.03]), st.sampled_from([ADD, REPLACE]))
def test_gaussian_is_the_sum_over_all_outputs(deviation: float, most: int, rate: float, relation: Relation) -> None:
    if relation is REPLACE:
        rate = 1.0
    moved = most if relation is ADD else 2 * most
    reach = math.ceil(12 * deviation) + moved
    mechanism = DiscreteGaussian(deviation, most, rate)
    for shift in {1, moved // 2 or 1, moved}:
        q = gaussian_law(deviation, 0, reach)
        p = (1 - rate) * q + rate * gaussian_law(deviation, shift, reach)
        covers(mechanism, relation, p, q, above=3e-4 if shift == moved else None)


@pytest.mark.parametrize("rate", [1.0, 0.2])
def test_two_sums_are_the_sum_over_all_pairs_of_outputs(rate: float) -> None:
    q = gaussian_law(1.7, 0, 30)
    p = (1 - rate) * q + rate * gaussian_law(1.7, 2, 30)
    covers(DiscreteGaussian(1.7, 2, rate, count=2), ADD, np.outer(p, p), np.outer(q, q), above=1e-3)
    p, q = laplace_law(2.5, 3, 120), laplace_law(2.5, 0, 120)
    covers(DiscreteLaplace(2.5, 3, count=2), ADD, np.outer(p, p), np.outer(q, q), above=1e-3)


def test_half_steps_are_for_what_is_seen_from_the_middle() -> None:
    """A number between 0 and 5 moves by at most five steps."""
    p, q = laplace_law(2.0, 5, 200), laplace_law(2.0, 0, 200)
    covers(DiscreteLaplace(2.0, 2.5), REPLACE, p, q, above=1e-4)
    p, q = gaussian_law(3.0, 5, 60), gaussian_law(3.0, 0, 60)
    covers(DiscreteGaussian(3.0, 2.5), REPLACE, p, q, above=1e-4)


@pytest.mark.parametrize("relation", [ADD, REPLACE])
def test_renyi_divergences_are_above_the_sums(relation: Relation) -> None:
    moved = 3 if relation is ADD else 6
    for rate in (1.0, 0.1):
        if relation is REPLACE and rate < 1:
            continue
        q = gaussian_law(2.0, 0, 250)
        p = (1 - rate) * q + rate * gaussian_law(2.0, moved, 250)
        for order, found in zip(ORDERS.tolist(), DiscreteGaussian(2.0, 3, rate).renyi(relation).tolist(), strict=True):
            if order > 9:
                continue
            removed, added = moment(p, q, order), moment(q, p, order)
            assert max(removed, added) <= found + 1e-9
            if abs(order - round(order)) < 1e-9:
                assert removed == pytest.approx(found, rel=1e-6)
    p, q = laplace_law(2.0, moved, 400), laplace_law(2.0, 0, 400)
    for order, found in zip(ORDERS.tolist(), DiscreteLaplace(2.0, 3).renyi(relation).tolist(), strict=True):
        if order < 12:
            assert found == pytest.approx(moment(p, q, order), rel=1e-6)


def test_the_reflected_direction_never_costs_more() -> None:
    """The inequality of the docstring, on a grid of ratios, rates and orders."""
    r = np.exp(np.linspace(0.0, 8.0, 200))[:, None]
    for rate in (0.001, 0.1, 0.5, 0.99):
        a, c = 1 + rate * (r - 1), 1 / (1 - rate * (r - 1) / r)
        n = np.linspace(1.0, 30.0, 60)[None, :]
        left, right = n * np.log(a), (n - 1) * np.log(c) + np.log(r)
        assert (np.logaddexp(left, np.log(r) - n * np.log(c)) >= np.logaddexp((1 - n) * np.log(a), right) - 1e-12).all()


# Two dimensions ---------------------------------------------------------------------------------------------------


def plane_law(deviation: float, shift: tuple[int, int], reach: int) -> Floats:
    return np.outer(gaussian_law(deviation, shift[0], reach), gaussian_law(deviation, shift[1], reach))


def shifts(most: float) -> list[tuple[int, int]]:
    """All whole vectors of at most this length, one of each that differ by sign or order."""
    side = range(math.floor(most) + 1)
    return [(a, b) for a, b in itertools.product(side, side) if a >= b and 0 < a * a + b * b <= most**2]


@pytest.mark.parametrize("rate", [1.0, 0.2])
@pytest.mark.parametrize(
    ("deviation", "most"), [(0.6, 1.0), (1.0, 1.5), (2.5, 2.0), (6.9, 3.0), (7.1, 3.0), (12.0, 6.0)]
)
def test_no_shift_in_the_plane_costs_more_than_promised(deviation: float, most: float, rate: float) -> None:
    """Renyi divergences below a deviation of seven steps, a continuous sum from there on."""
    reach = math.ceil(9 * deviation) + math.ceil(most)
    q = plane_law(deviation, (0, 0), reach)
    mechanism = DiscreteGaussian(deviation, most, rate, dimensions=2)
    for shift in shifts(most):
        p = (1 - rate) * q + rate * plane_law(deviation, shift, reach)
        covers(mechanism, ADD, p, q)
    if rate == 1.0:
        covers(DiscreteGaussian(deviation, most / 2, dimensions=2), REPLACE, p, q)


@pytest.mark.parametrize("deviation", [1.5, 8.0])
def test_two_sums_in_the_plane(deviation: float) -> None:
    """Two sums: pairs of outputs, of which only the inner products with the shift matter."""
    rate, reach = 0.3, math.ceil(7 * deviation) + 2
    one = np.convolve(gaussian_law(deviation, 0, reach), gaussian_law(deviation, 0, reach))
    # The shift (1, 1): its inner product with the output tells everything; the law of that, without and with the unit.
    moved = np.convolve(gaussian_law(deviation, 1, reach), gaussian_law(deviation, 1, reach))
    p = (1 - rate) * one + rate * moved
    covers(
        DiscreteGaussian(deviation, math.sqrt(2), rate, dimensions=2, count=2), ADD, np.outer(p, p), np.outer(one, one)
    )


def test_a_planted_shortcut_is_caught() -> None:
    """Charging a coarse grid as a continuous sum with all of its noise would promise too much."""
    q = plane_law(0.6, (0, 0), 20)
    worst = max(
        both(plane_law(0.6, shift, 20), q, epsilon) - Guarantee((SampledGaussian(0.6 / 1.0),)).delta(epsilon)
        for shift in shifts(1.0)
        for epsilon in np.linspace(0.0, 6.0, 61).tolist()
    )
    assert worst > 1e-3


# Many dimensions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("relation", [ADD, REPLACE])
def test_fine_grids_cost_nothing(relation: Relation) -> None:
    for rate, count in ((1.0, 1), (0.01, 1000)):
        fine = Guarantee((DiscreteGaussian(2.0**20, 2.0**20, rate, 10**6, count),), relation=relation)
        continuous = Guarantee((SampledGaussian(1.0, rate, count),), relation=relation)
        assert fine.epsilon(1e-5) == pytest.approx(continuous.epsilon(1e-5), rel=1e-6)
        coarse = Guarantee((DiscreteGaussian(8.0, 8.0, rate, 10**6, count),), relation=relation)
        assert continuous.epsilon(1e-5) < coarse.epsilon(1e-5) < 1.1 * continuous.epsilon(1e-5)


def test_coarse_grids_compose_by_renyi_divergences() -> None:
    for rate, count in ((1.0, 5), (0.01, 1000)):
        coarse = Guarantee((DiscreteGaussian(2.0, 2.0, rate, 1000, count),))
        assert coarse.epsilon(1e-5) == pytest.approx(coarse.renyi_epsilon(1e-5), rel=5e-3)
        assert coarse.epsilon(1e-5) > Guarantee((SampledGaussian(1.0, rate, count),)).epsilon(1e-5)
    twice = Guarantee((DiscreteGaussian(2.0, 2.0, 0.1, 9, 20), DiscreteGaussian(2.0, 2.0, 0.1, 9, 30)))
    once = Guarantee((DiscreteGaussian(2.0, 2.0, 0.1, 9, 50),))
    assert twice.epsilon(1e-5) == pytest.approx(once.epsilon(1e-5), rel=1e-9)


def test_what_they_say_and_refuse() -> None:
    for one in (DiscreteGaussian(5.0, 2.5, 0.1, 3, 7), DiscreteLaplace(5.0, 2.5, 7), DiscreteGaussian(5.0, 2.5)):
        promise = Guarantee((one,))
        assert Guarantee.from_dict(json.loads(json.dumps(promise.as_dict()))) == promise
        assert "whole number" in one.text()
        assert promise.epsilon(1e-5) < math.inf
        assert one.times(0).is_free
    with pytest.raises(UsageError, match="noise of 3 steps"):
        Guarantee((DiscreteGaussian(2.0, 1.0, 0.1, 2),), relation=REPLACE).epsilon(1e-5)
    for wrong in ((0.0, 1.0), (1.0, 0.2), (1.0, 1.0, 2.0), (1.0, 1.0, 1.0, 0)):
        with pytest.raises(UsageError, match=r"^Expected"):
            DiscreteGaussian(*wrong)  # type: ignore[arg-type]
    for wrong in ((0.0, 1.0), (1.0, 0.2), (1.0, 1e9)):
        with pytest.raises(UsageError, match=r"^Expected"):
            DiscreteLaplace(*wrong)  # type: ignore[arg-type]
    assert Guarantee((DiscreteLaplace(1.0, 500.0),)).epsilon(1e-5) == math.inf
