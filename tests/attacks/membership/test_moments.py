"""Moments against their definitions, and without a model against the same of the others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.attacks.membership.moments import Moments


def world(seed, models, records, scale=1.0, offset=0.0):
    draw = np.random.default_rng(seed)
    return offset + scale * draw.normal(size=(models, records)), draw.random((models, records)) < 0.5


def by_definition(values, membership):
    rows = []
    for side in (True, False):
        for record in range(values.shape[1]):
            own = values[membership[:, record] == side, record]
            rows.append(
                (len(own), own.mean() if len(own) else 0.0, ((own - own.mean()) ** 2).sum() if len(own) else 0.0)
            )
    return np.array(rows).T.reshape(3, 2, -1)


@pytest.mark.parametrize(("models", "records"), [(1, 1), (3, 5), (8, 5000), (64, 17)])
@pytest.mark.parametrize("offset", [0.0, 1e7])
def test_are_what_the_definitions_say(models, records, offset):
    values, membership = world(models, models, records, offset=offset)
    kept = Moments.of(values, membership)
    count, mean, residual = by_definition(values, membership)
    np.testing.assert_array_equal(kept.count, count)
    np.testing.assert_allclose(np.where(count > 0, kept.mean, 0), mean, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(kept.residual, residual, rtol=1e-6 if offset else 1e-12, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), models=st.integers(2, 9), scale=st.sampled_from([1e-3, 1.0, 1e5]))
def test_without_a_model_is_what_the_others_have(seed, models, scale):
    values, membership = world(seed, models, 12, scale)
    kept = Moments.of(values, membership)
    for model in range(models):
        left = kept.without(model, values[model], membership[model])
        others = np.arange(models) != model
        expected = Moments.of(values[others], membership[others])
        np.testing.assert_array_equal(left.count, expected.count)
        seen = expected.count > 0
        np.testing.assert_allclose(left.mean[seen], expected.mean[seen], rtol=1e-9, atol=1e-9 * scale)
        np.testing.assert_allclose(left.residual, expected.residual, rtol=1e-8, atol=1e-11 * scale**2)
        assert (left.residual >= 0).all()


def test_the_variance_within_is_pooled_over_records_that_have_one():
    values = np.array([[0.0, 5.0, 1.0], [2.0, 9.0, 1.0], [4.0, 7.0, 1.0]])
    membership = np.array([[True, True, False], [True, False, False], [True, False, False]])
    kept = Moments.of(values, membership)
    assert kept.within(0) == pytest.approx(8.0 / 2)  # one record with three models, one with one
    assert kept.within(1) == pytest.approx(2.0 / 3)  # (9, 7) and (1, 1, 1)
    assert Moments.of(values[:1], membership[:1]).within(0) is None


def test_take():
    values, membership = world(0, 4, 9)
    kept, some = Moments.of(values, membership), Moments.of(values[:, 2:5], membership[:, 2:5])
    np.testing.assert_array_equal(kept.take(slice(2, 5)).mean, some.mean)
