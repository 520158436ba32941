"""Noise in whole numbers: the laws are the stated ones, to the last bit that a test can see.

Every statistical test compares a p-value with `ALPHA` = 1e-6 on fresh, secure randomness. Some sixty are taken, so a
correct sampler fails this file less often than once in 15 000 runs. Each test also rejects planted faults.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reticent.errors import UsageError
from reticent.privacy import discrete
from reticent.privacy.discrete import answers, discrete_gaussian, discrete_laplace, honest_weight, on_lattice
from reticent.randomness import Randomness

ALPHA = 1e-6
N = 200_000
Floats = npt.NDArray[np.float64]
secure = Randomness.secure


def gaussian_masses(s: float) -> tuple[npt.NDArray[np.int64], Floats]:
    """All whole numbers that matter, and their probabilities: the definition."""
    x = np.arange(-math.ceil(12 * s) - 2, math.ceil(12 * s) + 3)
    weights = np.exp(-0.5 * (x / s) ** 2)
    return x, weights / weights.sum()


def laplace_masses(t: float) -> tuple[npt.NDArray[np.int64], Floats]:
    x = np.arange(-math.ceil(40 * t) - 2, math.ceil(40 * t) + 3)
    weights = np.exp(-np.abs(x) / t)
    return x, weights / weights.sum()


def fits(drawn: npt.NDArray[np.int64], x: npt.NDArray[np.int64], masses: Floats) -> float:
    """The p-value of Pearson's test; neighbours are joined until forty or more are expected in each cell."""
    cells, expected, edges = 0.0, [], []
    for value, mass in zip(x.tolist(), masses.tolist(), strict=True):
        cells += mass
        if cells * len(drawn) >= 40 and (cells >= 1 / 400 or len(x) < 400):
            expected.append(cells)
            edges.append(value)
            cells = 0.0
    expected[-1] += cells
    edges[-1] = x[-1]
    counts = np.bincount(np.searchsorted(edges, np.clip(drawn, x[0], x[-1])), minlength=len(edges))
    wanted = np.array(expected) / sum(expected) * len(drawn)
    return float(stats.chisquare(counts, wanted).pvalue)


GAUSSIANS = [0.25, 0.6, 1.0, 2.5, 7.3, 64.0, 1000.0, 12345.6]
LAPLACES = [0.2, 1.0, 3.7, 64.0, 1000.0, 54321.0]


@pytest.mark.parametrize("s", GAUSSIANS)
def test_gaussian_numbers_have_their_law(s: float) -> None:
    drawn = discrete_gaussian(N, deviation=s, randomness=secure())
    assert drawn.dtype == np.int64
    x, masses = gaussian_masses(float(on_lattice(s)))
    assert fits(drawn, x, masses) > ALPHA
    wider = discrete_gaussian(N, deviation=s * 1.05, randomness=secure())
    if s >= 0.6:
        assert fits(wider, x, masses) < ALPHA


@pytest.mark.slow
@pytest.mark.parametrize("t", LAPLACES)
def test_laplace_numbers_have_their_law(t: float) -> None:
    drawn = discrete_laplace(N, scale=t, randomness=secure())
    x, masses = laplace_masses(float(on_lattice(t)))
    assert fits(drawn, x, masses) > ALPHA
    wider = discrete_laplace(N, scale=t * 1.1, randomness=secure())
    if t >= 1:
        assert fits(wider, x, masses) < ALPHA


FAULTS: list[tuple[str, Callable[[npt.NDArray[np.int64]], npt.NDArray[Any]]]] = [
    ("a continuous number, rounded", lambda x: np.rint(secure().normal(len(x), standard_deviation=2.5))),
    ("a continuous number, cut off", lambda x: np.trunc(secure().normal(len(x), standard_deviation=2.8))),
    ("two zeros", lambda x: np.where((x == 1) & (secure().bernoulli(0.1, len(x))), 0, x)),
    ("never odd", lambda x: x - x % 2),
    ("one sign a little more often", lambda x: np.where(secure().bernoulli(0.03, len(x)), np.abs(x), x)),
    ("ends at two deviations", lambda x: np.clip(x, -5, 5)),
]


@pytest.mark.parametrize(("fault", "plant"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_planted_faults_are_rejected(fault: str, plant: Callable[..., Any]) -> None:
    """At 1e6 draws; a rounded continuous number differs by its variance, 1/12 of a step's square."""
    drawn = discrete_gaussian(1_000_000, deviation=2.5, randomness=secure())
    x, masses = gaussian_masses(float(on_lattice(2.5)))
    assert fits(drawn, x, masses) > ALPHA
    assert fits(plant(drawn).astype(np.int64), x, masses) < ALPHA, fault


@pytest.mark.parametrize("power", [20, 28])
def test_wide_laws_have_the_right_moments_and_last_bits(power: int) -> None:
    s = float(1 << power)
    drawn = discrete_gaussian(N, deviation=s, randomness=secure())
    assert stats.kstest(drawn / s, "norm").pvalue > ALPHA
    squares = float(((drawn / s) ** 2).sum())
    assert ALPHA < stats.chi2.cdf(squares, N) < 1 - ALPHA
    for bits in (drawn % 64, (drawn >> 8) % 64):
        assert stats.chisquare(np.bincount(bits, minlength=64)).pvalue > ALPHA
    laplace = discrete_laplace(N, scale=s, randomness=secure())
    assert stats.kstest(laplace / s, "laplace").pvalue > ALPHA
    assert stats.chisquare(np.bincount(laplace % 64, minlength=64)).pvalue > ALPHA


@pytest.mark.parametrize("draw", [discrete_gaussian, discrete_laplace])
def test_draws_do_not_depend_on_one_another(draw: Any) -> None:
    scale = {"deviation" if draw is discrete_gaussian else "scale": 100}
    drawn = draw(N, **scale, randomness=secure()).astype(float)
    for lag in (1, 2, 1 << 14):
        for values in (drawn, np.abs(drawn) - np.abs(drawn).mean()):
            z = float((values[:-lag] * values[lag:]).sum()) / (values.var() * math.sqrt(N - lag))
            assert 2 * stats.norm.sf(abs(z)) > ALPHA


EXPONENTS = [(0, 0.0), (0, 0.3), (0, 0.999), (1, 0.0), (1, 0.5), (3, 0.25)]


@pytest.mark.parametrize(("whole", "fraction"), EXPONENTS)
def test_coins_of_e_have_their_probability(whole: int, fraction: float) -> None:
    n = 400_000
    word = np.full(n, int(fraction * 2**64), dtype=np.uint64)
    heads = int(discrete._survives(np.full(n, whole, dtype=np.uint64), word, secure()).sum())
    truth = math.exp(-whole - fraction)
    assert stats.binomtest(heads, n, truth).pvalue > ALPHA
    if truth < 1:
        assert stats.binomtest(heads, n, min(1.0, truth * 1.06)).pvalue < ALPHA


@pytest.mark.parametrize("weight", [discrete._gaussian_weight, discrete._laplace_weight])
@pytest.mark.parametrize("bits", [3, 35, 99, 163])
def test_cumulative_probabilities_are_right_to_the_last_bit(weight: Any, bits: int) -> None:
    """Against mpmath, with far more digits."""
    with mpmath.workprec(4 * bits + 200):
        exponent = (lambda k: -(mpmath.mpf(k) ** 2) / 2) if weight is discrete._gaussian_weight else (lambda k: -k)
        terms = [mpmath.exp(exponent(k)) for k in range(200 + bits)]
        total = mpmath.fsum(terms)
        found = discrete._cumulative(weight, bits)
        for k, limit in enumerate(found):
            assert limit == min(int(mpmath.floor(mpmath.fsum(terms[: k + 1]) / total * 2**bits)), 2**bits - 1)
        assert found[-1] == 2**bits - 1


def test_where_the_first_bits_do_not_decide_more_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """With three bits in place of 35 most draws are undecided, and the law is the same."""
    monkeypatch.setattr(discrete, "_TABLE", 3)
    source = secure()
    first = source.bits(20_000) >> np.uint64(61)
    k, unsure = discrete._chosen(first, discrete._gaussian_weight)
    assert len(unsure) > 2000
    for place in unsure:
        k[place] = discrete._decided(int(first[place]), source, discrete._gaussian_weight)
    weights = np.exp(-0.5 * np.arange(4) ** 2)
    weights = np.append(weights, np.exp(-0.5 * np.arange(4, 20) ** 2).sum())
    counts = np.bincount(np.minimum(k, 4).astype(np.int64), minlength=5)
    assert stats.chisquare(counts, weights / weights.sum() * len(k)).pvalue > ALPHA


def test_a_draw_of_words_that_never_decide_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first word agrees with the limit to its last bit, the second decides."""
    limit = discrete._cumulative(discrete._gaussian_weight, 99)[0]
    source = secure()
    for second, wanted in ((limit % 2**64 - 1, 0), (limit % 2**64 + 1, 1)):
        monkeypatch.setattr(source, "bits", lambda count, second=second: np.array([second] * count, dtype=np.uint64))
        assert discrete._decided(limit >> 64, source, discrete._gaussian_weight) == wanted


@settings(max_examples=200, deadline=None)
@given(st.fractions(min_value=Fraction(1, 4096), max_value=1 << 28))
def test_scales_are_rounded_up_to_the_next_fraction(scale: Fraction) -> None:
    found = on_lattice(scale)
    b = Fraction(1 << 28) / found
    assert b.denominator == 1
    assert found >= scale
    assert Fraction(1 << 28, int(b) + 1) < scale


def test_scales_beyond_the_lattice_are_refused() -> None:
    for scale in (0, -1.0, math.nan, math.inf, 1e-9, (1 << 28) + 1, "3"):
        with pytest.raises(UsageError, match=r"^Expected .*scale"):
            on_lattice(scale)
    for size in (-1, 1.5):
        with pytest.raises(UsageError, match="size >= 0"):
            discrete_gaussian(size, deviation=1, randomness=secure())  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="Randomness"):
        discrete_gaussian(1, deviation=1, randomness=3)  # type: ignore[arg-type]


def test_sizes_and_repetition() -> None:
    for size in (0, 1, 63, 64, 65, 40_000):
        one = discrete_gaussian(size, deviation=9.5, randomness=Randomness.simulated(3))
        assert one.shape == (size,)
        assert (one == discrete_gaussian(size, deviation=9.5, randomness=Randomness.simulated(3))).all()
        other = discrete_laplace(size, scale=9.5, randomness=Randomness.simulated(3))
        assert other.shape == (size,)


# Answers ----------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-6, 60.0), st.integers(2, 1000))
def test_weights_are_whole_and_never_too_honest(epsilon: float, categories: int) -> None:
    honest, lie = honest_weight(epsilon, categories)
    assert honest + (categories - 1) * lie == 1 << 62
    assert 1 <= lie <= honest
    assert Decimal(honest) / Decimal(lie) <= Decimal(epsilon).exp()
    if epsilon < 20:
        assert math.log(honest / lie) == pytest.approx(epsilon, rel=1e-8, abs=1e-12)


def test_an_epsilon_that_words_cannot_express_is_refused() -> None:
    for epsilon in (0.0, 1e-20, -1.0, math.nan):
        with pytest.raises(UsageError, match="epsilon"):
            honest_weight(epsilon, 3)


@pytest.mark.parametrize(("epsilon", "categories"), [(0.5, 2), (1.0, 5), (3.0, 10)])
def test_answers_have_their_law(epsilon: float, categories: int) -> None:
    truth = np.full(N, 1)
    given_ = answers(truth, categories=categories, epsilon=epsilon, randomness=secure())
    lie = 1 / (math.exp(epsilon) + categories - 1)
    wanted = np.full(categories, lie)
    wanted[1] = math.exp(epsilon) * lie
    assert stats.chisquare(np.bincount(given_, minlength=categories), wanted * N).pvalue > ALPHA
    bolder = answers(truth, categories=categories, epsilon=epsilon * 1.1, randomness=secure())
    assert stats.chisquare(np.bincount(bolder, minlength=categories), wanted * N).pvalue < ALPHA


def test_answers_among_different_numbers_of_categories() -> None:
    counts = np.repeat([1, 2, 3, 4], 50_000)
    truth = np.tile([0, 5], 100_000)  # 5 is none of the categories
    found = answers(truth, categories=counts, epsilon=2.0, randomness=secure())
    assert (found < counts).all()
    for count in (2, 3, 4):
        own = counts == count
        honest = found[own & (truth == 0)]
        p = math.exp(2) / (math.exp(2) + count - 1)
        assert stats.binomtest(int((honest == 0).sum()), len(honest), p).pvalue > ALPHA
        other = np.bincount(found[own & (truth == 5)], minlength=count)
        assert stats.chisquare(other).pvalue > ALPHA
    assert not found[counts == 1].any()


def test_a_large_epsilon_gives_the_truth() -> None:
    truth = secure().integers(7, 10_000)
    assert (answers(truth, categories=7, epsilon=60.0, randomness=secure()) == truth).all()
