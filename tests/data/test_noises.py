"""Noise on single attributes: laws and charges of both samplers, against each other and against formulas.

Statistical tests compare p-values with `ALPHA` = 1e-6 on secure randomness; some twenty are taken. Each also rejects a
planted fault.
"""

from __future__ import annotations

import json
import math
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reticent.data import _opendp
from reticent.data.noises import Answers, ColumnNoise, GaussianNoise, LaplaceNoise, OneHot
from reticent.errors import DataError, MissingExtra, UsageError
from reticent.privacy import Guarantee, Relation
from reticent.privacy.renyi import ORDERS
from reticent.randomness import Randomness

ALPHA = 1e-6
N = 20_000
SAMPLERS = ["exact", "opendp"]


def drawn(noise: ColumnNoise, value: float, sampler: str, size: int = N):
    return noise.applied(np.full(size, value), Randomness.secure(), sampler, "x")


def epsilon(noise: ColumnNoise, delta: float = 1e-12) -> float:
    return Guarantee((noise.mechanism,), relation=Relation.REPLACE_ONE).epsilon(delta)


def law_p(counts, masses) -> float:
    keep = masses * counts.sum() >= 5
    seen = np.append(counts[keep], counts[~keep].sum())
    wanted = np.append(masses[keep], masses[~keep].sum())
    if wanted[-1] * counts.sum() < 1e-9:
        seen, wanted = seen[:-1], wanted[:-1]
    return float(stats.chisquare(seen, wanted / wanted.sum() * seen.sum()).pvalue)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_answers_have_the_law_that_is_charged(sampler: str) -> None:
    noise = Answers(1.5, categories=4)
    found = drawn(noise, 2, sampler)[:, 0]
    counts = np.bincount(found, minlength=4).astype(float)
    assert law_p(counts, noise.transition()[2]) > ALPHA
    assert law_p(counts, Answers(2.0, categories=4).transition()[2]) < ALPHA
    assert epsilon(noise) == pytest.approx(1.5, abs=1e-6)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_bits_are_turned_independently(sampler: str) -> None:
    noise = OneHot(2.0, categories=3)
    found = drawn(noise, 1, sampler, size=8000).astype(np.int64)
    assert found.shape == (8000, 3)
    turn = 1 / (1 + math.exp(1.0))
    turned = found ^ np.array([0, 1, 0])
    both = turned @ np.array([1, 2, 4])
    masses = np.array([turn ** bin(k).count("1") * (1 - turn) ** (3 - bin(k).count("1")) for k in range(8)])
    counts = np.bincount(both, minlength=8).astype(float)
    assert law_p(counts, masses) > ALPHA
    other = 1 / (1 + math.exp(1.3))
    wrong = np.array([other ** bin(k).count("1") * (1 - other) ** (3 - bin(k).count("1")) for k in range(8)])
    assert law_p(counts, wrong) < ALPHA
    assert epsilon(noise) == pytest.approx(2.0, abs=1e-3)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_laplace_numbers_have_the_law_that_is_charged(sampler: str) -> None:
    noise = LaplaceNoise(2.0, low=-5.0, high=15.0, steps=10)
    found = drawn(noise, 5.0, sampler)[:, 0]
    steps = np.rint((found - 5.0) / 2.0).astype(np.int64)
    np.testing.assert_allclose(found, 5.0 + 2.0 * steps, atol=1e-9)
    x = np.arange(-60, 61)

    def masses(scale: float):
        weights = np.exp(-np.abs(x) / scale)
        return weights / weights.sum()

    counts = np.bincount(np.clip(steps, -60, 60) + 60, minlength=121).astype(float)
    assert law_p(counts, masses(noise.mechanism.scale)) > ALPHA
    assert law_p(counts, masses(0.9 * noise.mechanism.scale)) < ALPHA
    assert noise.mechanism.scale == pytest.approx(5.0, rel=1e-7)
    assert epsilon(noise) <= 2.0 + 1e-4


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_gaussian_numbers_have_the_law_that_is_charged(sampler: str) -> None:
    noise = GaussianNoise(3.0, low=0.0, high=20.0, steps=20)
    found = drawn(noise, 20.0, sampler)[:, 0]
    steps = np.rint(found - 20.0).astype(np.int64)
    x = np.arange(-40, 41)

    def masses(deviation: float):
        weights = np.exp(-0.5 * (x / deviation) ** 2)
        return weights / weights.sum()

    counts = np.bincount(np.clip(steps, -40, 40) + 40, minlength=81).astype(float)
    assert law_p(counts, masses(3.0)) > ALPHA
    assert law_p(counts, masses(2.8)) < ALPHA
    # The whole range is 20 / 3 deviations.
    assert noise.mechanism.deviation == pytest.approx(3.0, rel=1e-7)
    wanted = Guarantee((noise.mechanism,), relation=Relation.REPLACE_ONE).delta(5.0)
    mu = 20 / 3
    analytic = stats.norm.cdf(mu / 2 - 5 / mu) - math.exp(5) * stats.norm.cdf(-mu / 2 - 5 / mu)
    assert wanted == pytest.approx(analytic, rel=0.05)


@settings(max_examples=100, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(1, 5000), st.floats(0.05, 20.0))
def test_any_number_is_cut_to_its_bounds(value: float, low: float, width: float, steps: int, amount: float) -> None:
    noise = LaplaceNoise(amount, low=low, high=low + width, steps=steps)
    (found,) = noise.applied(np.array([value]), Randomness.simulated(3), "exact", "x")[:, 0]
    (at_end,) = noise.applied(np.array([min(max(value, low), low + width)]), Randomness.simulated(3), "exact", "x")[
        :, 0
    ]
    assert found == at_end
    assert epsilon(noise) <= amount * (1 + 1e-6) + 2e-4 * max(1.0, amount)


def test_what_opendp_charges_is_never_more_than_what_is_charged_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for amount in (0.01, 0.7, 3.0, 25.0):
        for count in (2, 3, 50):
            made = _opendp._within(
                amount, lambda p, count=count: _opendp._answers(count, p), _opendp._honest(amount, count)
            )
            assert amount * (1 - 1e-6) <= made.map(1) <= amount
    dp = _opendp._opendp()
    noise = LaplaceNoise(2.0, low=0.0, high=1.0, steps=100).mechanism
    theirs = dp.m.make_laplace(
        dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64"), scale=noise.scale
    ).map(100)
    assert Guarantee((noise,), relation=Relation.REPLACE_ONE).epsilon(1e-14) == pytest.approx(theirs, abs=1e-4)
    gaussian = GaussianNoise(0.5, low=0.0, high=1.0, steps=100).mechanism
    rho = dp.m.make_gaussian(
        dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="i64"), scale=gaussian.deviation
    ).map(100)
    np.testing.assert_allclose(gaussian.renyi(Relation.REPLACE_ONE), ORDERS * rho, rtol=1e-9)
    # A library that charged more would be refused.
    monkeypatch.setattr(_opendp, "_SLACK", -0.1)
    with pytest.raises(UsageError, match="OpenDP to charge no more"):
        _opendp.laplace(np.array([1]), noise.scale, 100)
    with pytest.raises(UsageError, match="OpenDP to charge no more"):
        _opendp.gaussian(np.array([1]), gaussian.deviation, 100)
    with pytest.raises(UsageError, match="OpenDP to charge no more"):
        _opendp._within(1.0, lambda p: _opendp._answers(2, 0.9), 0.9)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opendp", None)
    monkeypatch.setitem(sys.modules, "opendp.prelude", None)
    with pytest.raises(MissingExtra, match=r"pip install 'reticent\[local\]'"):
        _opendp.version()


def bound(noise: LaplaceNoise) -> float:
    """An epsilon that draws show to be reached, wrong with probability 1e-6; the event is an output at most `low`."""
    n, seen = 200_000, []
    for value in (noise.low, noise.high):
        found = noise.applied(np.full(n, value), Randomness.secure(), "exact", "x")[:, 0]
        seen.append(int((found <= noise.low).sum()))
    low = stats.beta.ppf(5e-7, seen[0], n - seen[0] + 1)
    high = stats.beta.isf(5e-7, seen[1] + 1, n - seen[1])
    return float(math.log(low / high))


def test_drawn_noise_keeps_its_promise_and_less_would_be_caught() -> None:
    assert bound(LaplaceNoise(1.0, low=0.0, high=1.0)) <= 1.0
    assert bound(LaplaceNoise(1.15, low=0.0, high=1.0)) > 1.0


KINDS = [
    Answers(1.0),
    Answers(1.0, 5),
    OneHot(2.0, 5),
    LaplaceNoise(1.0, 0.0, 5.0, 7),
    GaussianNoise(1.0, 0.0, 5.0),
]


@pytest.mark.parametrize("noise", KINDS, ids=lambda noise: noise.kind)
def test_noises_come_back_from_plain_values(noise: ColumnNoise) -> None:
    assert ColumnNoise.from_dict(json.loads(json.dumps(noise.as_dict()))) == noise


def test_what_cannot_be() -> None:
    for wrong in (
        lambda: Answers(0.0),
        lambda: Answers(1.0, 1),
        lambda: OneHot(-1.0, 3),
        lambda: LaplaceNoise(1.0, 3.0, 3.0),
        lambda: LaplaceNoise(1.0, 0.0, math.inf),
        lambda: LaplaceNoise(math.nan, 0.0, 1.0),
        lambda: LaplaceNoise(1.0, 0.0, 1.0, 1 << 21),
        lambda: LaplaceNoise(1e-9, 0.0, 1.0),
        lambda: GaussianNoise(0.0, 0.0, 1.0),
        lambda: GaussianNoise(1e9, 0.0, 1.0),
        lambda: Answers(1.0).mechanism,
        lambda: ColumnNoise.from_dict({"kind": "laplace", "epsilon": 1.0}),
        lambda: ColumnNoise.from_dict("laplace"),
    ):
        with pytest.raises(UsageError, match=r"^Expected"):
            wrong()
    for values in ([0, 3], [-1, 0], [0.5, 1]):
        with pytest.raises(DataError, match="from 0 to 2 in colour"):
            Answers(1.0, 3).applied(np.array(values), Randomness.secure(), "exact", "colour")


def test_transitions_are_laws() -> None:
    for classes in (2, 7):
        law = Answers(1.3).transition(classes)
        np.testing.assert_allclose(law.sum(1), 1.0, rtol=1e-12)
        assert law[0, 0] / law[0, 1] == pytest.approx(math.exp(1.3))
    assert Fraction(1, 3) < Answers(0.1, 3).transition()[0, 0] < 0.4
