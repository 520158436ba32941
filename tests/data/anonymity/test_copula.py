"""The copula, against scipy's integrals and against populations whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from reticent.data.anonymity import Copula, copula_uniqueness
from reticent.data.anonymity.copula import rectangle
from reticent.data.tables import Table
from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness

TRUE = np.array([[1, 0.5, 0.3, 0], [0.5, 1, -0.2, 0.4], [0.3, -0.2, 1, 0.2], [0, 0.4, 0.2, 1]])


def population(people: int = 60_000, seed: int = 0) -> Table:
    z = np.random.default_rng(seed).multivariate_normal(np.zeros(4), TRUE, people)
    cut = (np.floor(z[:, 0] * 10), np.floor(z[:, 1] * 5), np.floor(np.exp(z[:, 2]) * 4), np.floor(z[:, 3] * 6))
    return Table.of({f"c{i}": one.astype(int) for i, one in enumerate(cut)})


def test_boxes_are_those_of_scipy() -> None:
    low = np.array([[-1, -0.5, -2.0], [0, 0, 0], [-np.inf, 1, -np.inf]])
    high = np.array([[0.5, 1, 0.3], [np.inf] * 3, [np.inf, 2, np.inf]])
    exact = stats.multivariate_normal(cov=TRUE[:3, :3], abseps=1e-7, releps=1e-7, maxpts=10**7)
    expected = [exact.cdf(b, lower_limit=a) for a, b in zip(low, high, strict=True)]
    assert rectangle(low, high, TRUE[:3, :3]) == pytest.approx(expected, abs=6e-4)
    assert rectangle(low, high, TRUE[:3, :3], points=20_000) == pytest.approx(expected, abs=1e-5)
    assert rectangle([[0.0]], [[1.0]], [[1.0]])[0] == pytest.approx(stats.norm.cdf(1) - 0.5)


def test_one_column_has_its_shares() -> None:
    model = Copula.fit(Table.of({"a": ["x", "x", "y", None]}), ["a"])
    assert model.probabilities(Table.of({"a": ["x", "y", None]})) == pytest.approx([0.5, 0.25, 0.25])
    with pytest.raises(DataError, match="values of column 'a'"):
        model.probabilities(Table.of({"a": ["z"]}))
    assert model.alone(Table.of({"a": ["y"]}), population=3)[0] == pytest.approx(0.75**2)
    # the mean of 1/(1 + how many others are like that), by a loop over the binomial
    by_loop = sum(stats.binom.pmf(i, 4, 0.25) / (i + 1) for i in range(5))
    assert model.right(Table.of({"a": ["y"]}), population=5)[0] == pytest.approx(by_loop)


def test_a_population_with_known_truth() -> None:
    people = population()
    classes = people.classes()
    there = classes.sizes[classes.of_rows]
    truth = float((there == 1).mean())
    chosen = np.random.default_rng(1).permutation(people.rows)[:3_000]
    sample = people.take(chosen)
    found = copula_uniqueness(sample, list(sample.names), population=people.rows, randomness=Randomness.simulated(1))
    assert found.value == pytest.approx(truth, abs=0.03)
    model = Copula.fit(sample, list(sample.names))
    assert np.abs(model.correlation - TRUE).max() < 0.1
    alone = model.alone(sample, population=people.rows)
    is_alone = there[chosen] == 1
    # single people: those with a chance of a half or more are alone far more often than the others
    assert is_alone[alone >= 0.5].mean() > 0.6
    assert is_alone[alone < 0.3].mean() < 0.3
    assert model.right(sample, population=people.rows).mean() == pytest.approx((1 / there[chosen]).mean(), abs=0.03)
    # a planted fault: columns taken for independent
    broken = Copula(model.names, model.values, model.cuts, np.eye(4))
    assert abs(broken.alone(sample, population=people.rows).mean() - truth) > 0.03


def test_columns_that_say_the_same_make_no_error() -> None:
    twin = Table.of({"a": [1, 2, 3, 4] * 50, "b": [1, 2, 3, 4] * 50, "c": ["x"] * 200})
    model = Copula.fit(twin, ["a", "b", "c"])
    assert np.linalg.eigvalsh(model.correlation).min() > 0
    assert model.correlation[0, 1] > 0.9
    assert model.correlation[0, 2] == 0
    three = Table.of({name: [1, 2, 3, 4, 5] * 40 for name in "abc"})
    assert (Copula.fit(three, list("abc")).probabilities(three) <= 1).all()


def test_what_is_refused() -> None:
    wide = Table.of({f"c{i}": [1, 2] for i in range(21)})
    with pytest.raises(UsageError):
        Copula.fit(wide, list(wide.names))
