"""What holds for every method: leave-one-out is the loop, order does not matter, unseen records get scores."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from reticent.attacks.membership import CANDIDATES, METHODS
from reticent.attacks.membership.simple import Population
from reticent.models import Signals

EVERY = [*METHODS.values(), *(one for one in CANDIDATES if one not in METHODS.values())]
LABELS = np.arange(40) % 3


def signals_of(odds):
    return Signals(odds, -np.logaddexp(0, -odds), odds > 0)


def area(scores, truth):
    ranks = rankdata(scores)
    members = int(truth.sum())
    return (ranks[truth].sum() - members * (members + 1) / 2) / (members * (len(truth) - members))


def world(seed, models=9, records=40, gap=3.0):
    draw = np.random.default_rng(seed)
    membership = draw.random((models, records)) < 0.5
    odds = 2 * draw.normal(size=records) + gap * membership + draw.normal(size=(models, records))
    return signals_of(odds), membership


def rest(signals, membership, target=0):
    kept = np.arange(len(signals)) != target
    return signals.model(target), signals.take(kept), membership[kept]


@pytest.mark.parametrize("method", [*EVERY, Population(LABELS)], ids=str)
@pytest.mark.parametrize("models", [2, 3, 9])
def test_leave_one_out_is_the_loop(method, models):
    signals, membership = world(models, models)
    signals = signals_of(np.round(signals.odds, 1) if "population" in method.name else signals.odds)
    membership[:, 0], membership[:, 1] = True, False  # records that no model was trained without, or with
    found = method.leave_one_out(signals, membership)
    for target in range(models):
        expected = method.score(*rest(signals, membership, target))
        np.testing.assert_allclose(found[target], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("method", EVERY, ids=str)
def test_the_targets_own_membership_is_not_used(method):
    signals, membership = world(1)
    other = membership.copy()
    other[0] = ~other[0]
    found = [method.leave_one_out(signals, inside)[0] for inside in (membership, other)]
    np.testing.assert_allclose(*found, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("method", EVERY, ids=str)
def test_the_order_of_models_and_records_does_not_matter(method):
    signals, membership = world(2)
    draw = np.random.default_rng(0)
    models, records = draw.permutation(8), draw.permutation(40)
    target, references, inside = rest(signals, membership)
    expected = method.score(target, references, inside)
    found = method.score(
        target.of_records(records), references.take(models).of_records(records), inside[models][:, records]
    )
    np.testing.assert_allclose(found, expected[records], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("method", EVERY, ids=str)
@pytest.mark.parametrize("models", [1, 2, 16])
def test_members_score_higher_with_any_number_of_models(method, models):
    """A gap of four deviations in 400 records; with one model the records' own means are known for half of them only,
    and for many scores all that is left is a common threshold (an area of 0.9 for this spread of means)."""
    signals, membership = world(3 + models, models + 1, 400, gap=6.0)
    scores = method.score(*rest(signals, membership))
    assert scores.shape == (400,)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    least = {1: 0.6, 2: 0.7, 16: 0.95}[models]
    if method.name in {"calibrated", "reference", "rmia_offline"}:  # probabilities near one say little
        least = min(least, 0.85)
    assert area(scores, membership[0]) > (min(least, 0.75) if method.name in {"loss", "population"} else least)


@pytest.mark.parametrize("method", EVERY, ids=str)
def test_records_seen_on_one_side_only_are_ranked_like_others(method):
    """Members among the records that no reference was trained with, or none without, still score higher."""
    signals, membership = world(4, 12, 600, gap=6.0)
    membership[1:, :150], membership[1:, 150:300] = True, False
    odds = signals.odds.copy()
    odds[1:, :300] = world(4, 12, 600, gap=0.0)[0].odds[1:, :300] + 6.0 * membership[1:, :300]
    scores = method.score(signals_of(odds[:1]), signals_of(odds[1:]), membership[1:])
    for part in (slice(0, 150), slice(150, 300)):
        assert np.isfinite(scores[part]).all()
        if method.name == "reference" and part == slice(0, 150):
            assert (scores[part] == 0.5).all()  # it knows nothing without such models, and says so
        else:
            assert area(scores[part], membership[0, part]) > 0.8


@pytest.mark.parametrize("method", EVERY, ids=str)
def test_models_that_agree_to_the_last_bit(method):
    membership = np.array([[True, False], [False, True], [True, True], [False, False]])
    references = signals_of(np.where(membership, 1.0, 0.0))
    found = method.score(signals_of(np.array([[1.0, 0.0]])), references, membership)
    assert np.isfinite(found).all()
    assert found[0] > found[1]
    same = method.score(signals_of(np.ones((1, 2))), signals_of(np.ones((4, 2))), membership)
    assert np.isfinite(same).all()
    assert same[0] == pytest.approx(same[1], abs=1e-6)


@pytest.mark.parametrize("method", EVERY, ids=str)
def test_answers_of_a_label_only(method):
    """Signals of +1 and -1: mostly ties."""
    draw = np.random.default_rng(5)
    membership = draw.random((9, 500)) < 0.5
    right = draw.random((9, 500)) < np.where(membership, 1.0, draw.random(500))
    signals = Signals(np.where(right, 1.0, -1.0), np.where(right, 0.0, -1.0), right)
    scores = method.score(*rest(signals, membership))
    assert np.isfinite(scores).all()
    assert area(scores, membership[0]) > 0.6


@pytest.mark.parametrize("method", EVERY, ids=str)
def test_refusals(method):
    signals, membership = world(6, 4)
    target = signals.model(0)
    with pytest.raises(ValueError, match="one target score per record"):
        method.score(signals, signals, membership)
    with pytest.raises(ValueError, match="one target score per record"):
        method.score(target.of_records(slice(3)), signals, membership)
    with pytest.raises(ValueError, match="of one shape"):
        method.score(target, signals, membership[:3])
    with pytest.raises(ValueError, match="True and False, got int64"):
        method.score(target, signals, membership.astype(int))
    with pytest.raises(ValueError, match="at least 1 reference model, got 0"):
        method.score(target, signals.take([]), membership[:0])
    with pytest.raises(ValueError, match="at least 2 reference models, got 1"):
        method.leave_one_out(target, membership[:1])
    with pytest.raises(ValueError, match="at least one record"):
        method.score(target.of_records([]), signals.of_records([]), membership[:, :0])


@pytest.mark.parametrize("method", EVERY, ids=str)
@pytest.mark.parametrize(("kind", "value"), [("in-models", False), ("out-models", True)])
def test_a_kind_of_model_that_is_needed_must_be_there(method, kind, value):
    signals, membership = world(7, 5)
    target, references, inside = rest(signals, np.full_like(membership, value))
    only_one = inside.copy()
    only_one[2] = ~only_one[2]
    if kind in method.needs:
        with pytest.raises(ValueError, match="got only"):
            method.score(target, references, inside)
        with pytest.raises(ValueError, match="got only"):
            method.leave_one_out(references, only_one)
    else:
        assert np.isfinite(method.score(target, references, inside)).all()
        assert np.isfinite(method.leave_one_out(references, only_one)).all()
