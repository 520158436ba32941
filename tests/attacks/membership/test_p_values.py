"""P-values against a closed form, under the null at several numbers of models, and with a planted fault."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, kstest

from reticent.attacks.membership import leave_one_out_p_values, p_values
from reticent.models import Signals

LEVELS = (0.5, 0.1, 0.01)


def signals_of(odds):
    return Signals(odds, -np.logaddexp(0, -odds), odds > 0)


def world(seed, models, records, gap=2.0, heavy=False):
    """Records with means and deviations of their own; members answer higher. The last row saw no record."""
    draw = np.random.default_rng(seed)
    inside = draw.random((models + 1, records)) < 0.5
    inside[-1] = False
    noise = draw.standard_t(5, size=inside.shape) if heavy else draw.normal(size=inside.shape)
    middle, deviation = 3 * draw.normal(size=records), np.exp(0.3 * draw.normal(size=records))
    return signals_of(middle + gap * inside + deviation * noise), inside


def found(world_):
    signals, inside = world_
    models = len(inside) - 1
    return p_values(signals.model(models), signals.take(slice(models)), inside[:models])


def unlikely(values, level, slack=0.0):
    """Whether more values lie at or below the level than chance gives once in a million, `slack` of a level apart."""
    return int((values <= level).sum()) > binom.isf(1e-6, len(values), min(1.0, level * (1 + slack)))


@pytest.mark.parametrize("models", [2, 4, 8, 32])
@pytest.mark.parametrize("heavy", [False, True])
def test_uniform_for_models_not_trained_on_the_records(models, heavy):
    """4000 records: the distance of Kolmogorov and Smirnov exceeds 0.043 once in a million. A prior that is learned
    from few models is not exact: 0.05, and half of a level more at each."""
    values = found(world(models + heavy, models, 4000, heavy=heavy))
    assert kstest(values, "uniform").statistic < 0.05
    assert not any(unlikely(values, level, slack=0.5) for level in LEVELS)


@pytest.mark.parametrize("models", [2, 4, 8, 32])
@pytest.mark.parametrize(("shift", "scale"), [(0.7, 1.0), (0.0, 1.6)])
def test_a_target_that_differs_from_its_references_is_seen(models, shift, scale):
    """The planted fault: answers moved, or spread wider around the record's mean, than those of the references."""
    signals, inside = world(models, models, 4000)
    outside = ~inside[:models]
    middle = (signals.odds[:models] * outside).sum(axis=0) / np.maximum(outside.sum(axis=0), 1)
    middle = np.where(outside.any(axis=0), middle, signals.odds[-1])
    odds = signals.odds.copy()
    odds[-1] = middle + scale * (odds[-1] - middle) + shift
    values = found((signals_of(odds), inside))
    assert any(unlikely(values, level, slack=0.5) for level in LEVELS)


def test_small_for_members():
    signals, _ = world(0, 16, 2000, gap=6.0)
    inside = world(0, 16, 2000, gap=6.0)[1]
    raised = signals_of(signals.odds + np.where(np.arange(17) == 16, 6.0, 0.0)[:, None])
    assert (found((raised, inside)) < 0.01).mean() > 0.9


def test_with_many_models_it_is_the_records_own_tail():
    """With 2000 models the prior says nothing any more: P(answer above the value) for a known normal distribution."""
    from scipy.stats import norm

    draw = np.random.default_rng(3)
    middle = draw.normal(size=40) * 3
    odds = middle + draw.normal(size=(2001, 40))
    values = p_values(signals_of(odds[-1:]), signals_of(odds[:-1]), np.zeros((2000, 40), dtype=bool))
    np.testing.assert_allclose(values, norm.sf(odds[-1] - middle), atol=0.05)


@pytest.mark.parametrize("models", [2, 3, 9])
def test_leave_one_out_equals_leaving_one_out(models):
    signals, inside = world(models, models, 60)
    signals, inside = signals.take(slice(models)), inside[:models]
    every = leave_one_out_p_values(signals, inside)
    for m in range(models):
        kept = np.arange(models) != m
        np.testing.assert_allclose(every[m], p_values(signals.model(m), signals.take(kept), inside[kept]), rtol=1e-6)


def test_models_without_the_records_are_enough_and_models_with_them_are_not():
    signals, inside = world(1, 4, 500)
    nobody = np.zeros((4, 500), dtype=bool)
    lower = signals_of(np.where(inside, signals.odds - 2.0, signals.odds))
    values = p_values(lower.model(4), lower.take(slice(4)), nobody)
    assert kstest(values, "uniform").pvalue > 1e-6
    with pytest.raises(ValueError, match="without the records"):
        p_values(signals.model(4), signals.take(slice(4)), ~nobody)
    with pytest.raises(ValueError, match="without the records"):
        leave_one_out_p_values(signals.take([0, 1]), np.repeat([[True], [False]], 500, axis=1))


def test_one_model_gives_answers():
    signals, inside = world(2, 1, 300)
    values = found((signals, inside))
    assert ((values >= 0) & (values <= 1)).all()


def test_refusals():
    signals, inside = world(2, 3, 10)
    with pytest.raises(ValueError, match="at least 2 reference models, got 1"):
        leave_one_out_p_values(signals.model(0), inside[:1])
    with pytest.raises(ValueError, match="one target score per record"):
        p_values(signals, signals, inside)
