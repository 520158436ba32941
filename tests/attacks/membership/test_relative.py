"""RMIA, BASE and InfoRMIA: one ranking, sums that keep small probabilities, published formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import rankdata

from reticent.attacks.membership.relative import Relative, RelativeOffline
from reticent.models import Signals


def signals_of(odds):
    return Signals(odds, -np.logaddexp(0, -odds), odds > 0)


def world(seed, models=9, records=50):
    draw = np.random.default_rng(seed)
    membership = draw.random((models, records)) < 0.5
    return signals_of(3 * draw.normal(size=records) + membership + draw.normal(size=(models, records))), membership


def test_the_published_scores_rank_alike():
    """RMIA's share of population records that are dominated is a non-decreasing function of BASE's difference."""
    signals, membership = world(0)
    target, references, inside = signals.model(0), signals.take(slice(1, 9)), membership[1:]
    found = Relative().score(target, references, inside)
    base = target.logs[0] - (logsumexp(references.logs, axis=0) - np.log(8))
    np.testing.assert_allclose(found, base)
    ratio = np.exp(target.logs[0]) / np.exp(references.logs).mean(axis=0)
    for gamma in (1.0, 2.0):
        dominated = (ratio[:, None] / ratio[None] > gamma).mean(axis=1)
        assert (np.diff(dominated[np.argsort(found)]) >= 0).all()
    information = found - base.mean()  # InfoRMIA: less a constant of the model
    np.testing.assert_array_equal(rankdata(information), rankdata(found))


@pytest.mark.parametrize("alpha", [0.0, 0.33, 1.0])
def test_offline_by_the_formula(alpha):
    signals, membership = world(1)
    membership[0], membership[1:, 3] = False, False
    membership[1, :] = False  # every record has a model without it
    found = RelativeOffline(alpha).score(signals.model(0), signals.take(slice(1, 9)), membership[1:])
    outside = ~membership[1:]
    q = (np.exp(signals.logs[1:]) * outside).sum(axis=0) / outside.sum(axis=0)
    expected = np.log(np.exp(signals.logs[0]) / (0.5 * ((1 + alpha) * q + 1 - alpha)))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_balanced_by_the_formula():
    signals, membership = world(2)
    membership[1], membership[2] = True, False  # every record has both
    found = Relative(balanced=True).score(signals.model(0), signals.take(slice(1, 9)), membership[1:])
    p, inside = np.exp(signals.logs[1:]), membership[1:]
    sides = [(p * own).sum(axis=0) / own.sum(axis=0) for own in (inside, ~inside)]
    np.testing.assert_allclose(found, signals.logs[0] - np.log(np.mean(sides, axis=0)))


@pytest.mark.parametrize("method", [Relative(), Relative(balanced=True), RelativeOffline(1.0)], ids=str)
def test_leaving_out_the_one_that_outweighs_the_others_keeps_digits(method):
    """Sums of e^-600, e^-610 and 1: what is left without the last must be the first two's."""
    logs = np.array([[-600.0, -1.0], [-610.0, -2.0], [0.0, -3.0], [-605.0, -1.5]])
    signals = Signals(logs, logs, logs > -1)
    membership = np.array([[False, True], [False, True], [False, False], [True, False]])
    found = method.leave_one_out(signals, membership)
    for target in range(4):
        kept = np.arange(4) != target
        expected = method.score(signals.model(target), signals.take(kept), membership[kept])
        np.testing.assert_allclose(found[target], expected, rtol=1e-12)


def test_alpha_is_a_share():
    with pytest.raises(ValueError, match="alpha"):
        RelativeOffline(1.5)
