"""The simple attacks against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.attacks.membership.simple import Calibrated, Loss, Population, Reference
from reticent.models import Signals


def signals_of(odds):
    return Signals(odds, -np.logaddexp(0, -odds), odds > 0)


def world(seed, models=7, records=30):
    draw = np.random.default_rng(seed)
    odds = np.round(2 * draw.normal(size=(models, records)), 0 if seed % 2 else 2)  # with and without many ties
    return signals_of(odds), draw.random((models, records)) < 0.5


def share(value, others):
    return (sum(o < value for o in others) + sum(o == value for o in others) / 2 + 0.5) / (len(others) + 1)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("labelled", [False, True])
def test_population_by_counting(seed, labelled):
    signals, membership = world(seed)
    labels = np.arange(30) % 3
    found = Population(labels if labelled else None).score(signals.model(0), signals.take(slice(1, 7)), membership[1:])
    for record in range(30):
        pool = [
            signals.odds[m, r]
            for m in range(1, 7)
            for r in range(30)
            if not membership[m, r] and (not labelled or labels[r] == labels[record])
        ]
        assert found[record] == pytest.approx(share(signals.odds[0, record], pool))


@pytest.mark.parametrize("seed", [2, 3])
def test_reference_by_counting(seed):
    signals, membership = world(seed)
    found = Reference().score(signals.model(0), signals.take(slice(1, 7)), membership[1:])
    for record in range(30):
        own = [signals.odds[m, record] for m in range(1, 7) if not membership[m, record]]
        assert found[record] == pytest.approx(share(signals.odds[0, record], own))


def test_calibrated_by_hand():
    signals, membership = world(4)
    membership[1:, 5] = True  # no model without it: the mean of the other records' means
    found = Calibrated().score(signals.model(0), signals.take(slice(1, 7)), membership[1:])
    means = [np.mean(signals.logs[1:, r][~membership[1:, r]]) for r in range(30) if r != 5]
    means.insert(5, np.mean(means))
    np.testing.assert_allclose(found, signals.logs[0] - means)


def test_loss_is_what_is_read():
    signals, membership = world(5)
    np.testing.assert_array_equal(Loss().score(signals.model(2), signals, membership), signals.logs[2])
    np.testing.assert_array_equal(Loss("odds").leave_one_out(signals, membership), signals.odds)


def test_refusals():
    signals, membership = world(6)
    with pytest.raises(ValueError, match="one label per record"):
        Population(np.zeros(3)).score(signals.model(0), signals, membership)
    with pytest.raises(ValueError, match="on"):
        Loss("probability")
