"""Courses of the loss: members whose last answers are like others' are told by how they got there."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from reticent.attacks.membership import spread_of_losses, trajectory_scores
from reticent.models import Signals


def signals_of(odds):
    return Signals(odds, -np.logaddexp(0, -odds), odds > 0)


def area(scores, truth):
    ranks = rankdata(scores)
    members = int(truth.sum())
    return (ranks[truth].sum() - members * (members + 1) / 2) / (members * (len(truth) - members))


def course(seed, models=1, records=1000, leak=1.0, epochs=6):
    """Members' answers rise late, others' do not; the last answers are drawn alike."""
    draw = np.random.default_rng(seed)
    inside = draw.random((models, records)) < 0.5
    start = draw.normal(size=(models, records))
    rows = []
    for epoch in range(epochs):
        rise = leak * inside * (epoch == epochs - 2)
        rows.append(signals_of(start + 0.3 * epoch + rise + 0.3 * draw.normal(size=(models, records))))
    return rows, inside


@pytest.mark.parametrize("models", [1, 3])
def test_members_are_told_by_their_course(models):
    target, truth = course(0)
    shadow, inside = course(1, models)
    found = trajectory_scores(target, shadow, inside)
    assert area(found, truth[0]) > 0.9
    assert area(target[-1].odds[0], truth[0]) < 0.6


def test_without_a_leak_there_is_nothing_to_find():
    """The standard error of the area is 0.0183: beyond five of them below 1e-6."""
    target, truth = course(2, leak=0.0)
    shadow, inside = course(3, leak=0.0)
    assert abs(area(trajectory_scores(target, shadow, inside), truth[0]) - 0.5) < 5 * 0.0183


def test_the_spread_is_the_interquartile_range_of_the_losses():
    rows, _ = course(4, 2, 20, epochs=7)
    losses = np.stack([-row.logs for row in rows])
    from scipy.stats import iqr

    np.testing.assert_allclose(spread_of_losses(rows), iqr(losses, axis=0))


def test_refusals():
    rows, inside = course(5, 2, 30)
    target, _ = course(6, 1, 30)
    with pytest.raises(ValueError, match="two epochs or more"):
        spread_of_losses(rows[:1])
    with pytest.raises(ValueError, match="two epochs or more"):
        spread_of_losses([rows[0], rows[1].model(0)])
    with pytest.raises(ValueError, match="as many epochs"):
        trajectory_scores(target[:-1], rows, inside)
    with pytest.raises(ValueError, match="as many epochs"):
        trajectory_scores(rows, rows, inside)
    with pytest.raises(ValueError, match="only one kind"):
        trajectory_scores(target, rows, np.ones_like(inside))
    with pytest.raises(ValueError, match="of one shape"):
        trajectory_scores(target, rows, inside[:1])
