"""Randomised response with a prior: the published law, and no two labels' answers are farther apart than epsilon."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reticent.data.priors import prior_answers
from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness

ALPHA = 1e-6
Floats = npt.NDArray[np.float64]


def law(prior: Floats, epsilon: float) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """(labels, answers) probabilities: the published algorithm, line by line."""
    classes = len(prior)
    order = sorted(range(classes), key=lambda label: (-prior[label], label))
    best = max(
        range(1, classes + 1),
        key=lambda k: (math.exp(epsilon) / (math.exp(epsilon) + k - 1) * sum(prior[label] for label in order[:k]), -k),
    )
    chosen = order[:best]
    table = np.zeros((classes, classes))
    for label in range(classes):
        for answer in chosen:
            if label not in chosen:
                table[label, answer] = 1 / best
            elif label == answer:
                table[label, answer] = math.exp(epsilon) / (math.exp(epsilon) + best - 1)
            else:
                table[label, answer] = 1 / (math.exp(epsilon) + best - 1)
    return table, np.isin(np.arange(classes), chosen)


priors = st.lists(st.floats(0.0, 1.0), min_size=2, max_size=7).filter(lambda values: sum(values) > 0)


@settings(max_examples=200, deadline=None)
@given(priors, st.floats(0.05, 8.0))
def test_the_labels_that_may_be_answered_are_the_published_ones(values: list[float], epsilon: float) -> None:
    prior = np.array(values) / sum(values)
    table, chosen = law(prior, epsilon)
    _, allowed = prior_answers([0], prior[None, :], epsilon=epsilon, randomness=Randomness.simulated(0))
    if len(set(values)) == len(values):
        weights = np.cumsum(np.sort(prior)[::-1]) / (1 + np.arange(len(prior)) * math.exp(-epsilon))
        if np.sort(weights)[-1] - np.sort(weights)[-2] > 1e-9:
            assert (allowed[0] == chosen).all()
    # Epsilon, for any two labels and any answer.
    used = table[:, table[0] > 0]
    assert (used.max(0) <= math.exp(epsilon) * used.min(0) * (1 + 1e-12)).all()


@pytest.mark.parametrize("sampler", ["exact", "opendp"])
@pytest.mark.parametrize("label", [0, 1, 2, 3])
def test_answers_have_the_published_law(label: int, sampler: str) -> None:
    n, prior, epsilon = 6000, np.array([0.1, 0.5, 0.05, 0.35]), 1.0
    table, chosen = law(prior, epsilon)
    assert chosen.tolist() == [False, True, False, True]
    answers, allowed = prior_answers(
        np.full(n, label), np.tile(prior, (n, 1)), epsilon=epsilon, randomness=Randomness.secure(), sampler=sampler
    )
    assert (allowed == chosen).all()
    counts = np.bincount(answers, minlength=4)
    assert not counts[~chosen].any()
    assert stats.chisquare(counts[chosen], n * table[label][chosen]).pvalue > ALPHA
    bolder, _ = law(prior, 1.6)
    if chosen[label]:
        assert stats.chisquare(counts[chosen], n * bolder[label][chosen]).pvalue < ALPHA


def test_ends() -> None:
    certain = np.eye(3)[[0, 1, 2]]
    answers, allowed = prior_answers([2, 2, 2], certain, epsilon=1.0, randomness=Randomness.secure(), sampler="opendp")
    assert answers.tolist() == [0, 1, 2]  # one label is left, whatever the truth
    assert allowed.sum() == 3
    answers, allowed = prior_answers([0, 1], np.ones((2, 3)) / 3, epsilon=50.0, randomness=Randomness.simulated(1))
    assert answers.tolist() == [0, 1]
    assert allowed.all()
    empty, _ = prior_answers([], np.ones((0, 3)), epsilon=1.0, randomness=Randomness.simulated(1))
    assert len(empty) == 0


def test_what_is_refused() -> None:
    good = np.ones((2, 3))
    for labels, likely in (([0], good), ([0, 3], good), ([0, -1], good), ([0, 1], -good), ([0, 1], good * np.nan)):
        with pytest.raises(DataError, match=r"^Expected"):
            prior_answers(labels, likely, epsilon=1.0, randomness=Randomness.secure(), sampler="exact")
    with pytest.raises(UsageError, match="epsilon > 0"):
        prior_answers([0, 1], good, epsilon=0.0, randomness=Randomness.secure(), sampler="exact")
