"""The likelihood-ratio attack against a loop over records, and against the best that statistics allows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from reticent.attacks.membership import leave_one_out, likelihood_ratio


def mean(values):
    return sum(values) / len(values)


def by_loops(target, reference, membership):
    """The same formulas record by record in plain Python."""
    models, records = reference.shape
    found = []
    for side in (True, False):
        own = [[float(reference[m, r]) for m in range(models) if membership[m, r] == side] for r in range(records)]
        seen = [values for values in own if values]
        residual = sum((value - mean(values)) ** 2 for values in seen for value in values)
        within = max(residual / max(sum(map(len, seen)) - len(seen), 1), 1e-12)
        grand = mean([mean(values) for values in seen])
        noise = mean([within / len(values) for values in seen])
        between = max(mean([(mean(values) - grand) ** 2 for values in seen]) - noise, 1e-12)
        logs = []
        for r, values in enumerate(own):
            if values:  # posterior of a normal mean under a normal prior
                precision = 1 / between + len(values) / within
                centre = (grand / between + sum(values) / within) / precision
                spread = within + 1 / precision
            else:
                centre, spread = grand, within + between
            logs.append(-0.5 * math.log(spread) - (float(target[r]) - centre) ** 2 / (2 * spread))
        found.append(logs)
    return np.array(found[0]) - np.array(found[1])


def area(scores, truth):
    ranks = rankdata(scores)
    members = int(truth.sum())
    return (ranks[truth].sum() - members * (members + 1) / 2) / (members * (len(truth) - members))


def world(seed, models=16, records=40, gap=1.0):
    """Scores of each record around its own mean, `gap` higher for members."""
    draw = np.random.default_rng(seed)
    membership = draw.random((models, records)) < 0.5
    scores = 2 * draw.normal(size=records) + gap * membership + draw.normal(size=(models, records))
    return scores, membership


@pytest.mark.parametrize(("models", "records"), [(4, 30), (8, 5), (17, 40), (64, 10)])
def test_equals_the_loop(models, records):
    scores, membership = world(models, models + 1, records)
    found = likelihood_ratio(scores[0], scores[1:], membership[1:])
    np.testing.assert_allclose(found, by_loops(scores[0], scores[1:], membership[1:]), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("models", [5, 16])
def test_leave_one_out_equals_leaving_one_out(models):
    scores, membership = world(3, models)
    found = leave_one_out(scores, membership)
    for m in range(models):
        kept = np.arange(models) != m
        expected = likelihood_ratio(scores[m], scores[kept], membership[kept])
        np.testing.assert_allclose(found[m], expected, rtol=1e-9, atol=1e-9)


def test_the_targets_own_membership_is_not_used():
    scores, membership = world(4)
    other = membership.copy()
    other[0] = ~other[0]
    np.testing.assert_allclose(leave_one_out(scores, membership)[0], leave_one_out(scores, other)[0], rtol=1e-9)


@pytest.mark.parametrize("offset", [1e6, -1e8])
def test_a_large_offset_changes_nothing(offset):
    """The difference of large squares would lose every digit. Scores themselves are rounded to 1e-8 here."""
    scores, membership = world(5)
    expected = leave_one_out(scores, membership)
    found = leave_one_out(scores + offset, membership)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_one_distant_record_does_not_blur_the_others():
    scores, membership = world(6)
    scores[:, 0] += 1e7
    found = likelihood_ratio(scores[0], scores[1:], membership[1:])
    np.testing.assert_allclose(found, by_loops(scores[0], scores[1:], membership[1:]), rtol=1e-5, atol=1e-5)


def test_the_order_of_models_and_records_does_not_matter():
    scores, membership = world(7)
    order, columns = np.random.default_rng(0).permutation(15), np.random.default_rng(1).permutation(40)
    expected = likelihood_ratio(scores[0], scores[1:], membership[1:])
    found = likelihood_ratio(scores[0], scores[1:][order], membership[1:][order])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    found = likelihood_ratio(scores[0][columns], scores[1:][:, columns], membership[1:][:, columns])
    np.testing.assert_allclose(found, expected[columns], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("gap", [0.5, 1.0, 2.0])
def test_finds_nearly_all_that_can_be_found(gap):
    """With known means the ratio of densities is best, with an area of Phi(gap / sqrt 2) (Neyman and Pearson).

    The sampling error over 32 000 trials is below 0.004; two per cent may be lost to estimated means.
    """
    scores, membership = world(8, 64, 500, gap)
    found = area(leave_one_out(scores, membership).reshape(-1), membership.reshape(-1))
    best = norm.cdf(gap / math.sqrt(2))
    assert best - 0.02 <= found <= best + 0.01


def test_knows_more_than_a_common_threshold():
    scores, membership = world(9, 64, 500, 1.0)
    flat = membership.reshape(-1)
    attack, threshold = area(leave_one_out(scores, membership).reshape(-1), flat), area(scores.reshape(-1), flat)
    assert attack > threshold + 0.1


def test_finds_nothing_where_nothing_is():
    """Under the null 32 000 trials have a standard error of 0.0033: beyond five of them below 1e-6."""
    scores, membership = world(10, 64, 500, 0.0)
    assert abs(area(leave_one_out(scores, membership).reshape(-1), membership.reshape(-1)) - 0.5) < 0.0165


@pytest.mark.parametrize("models", [5, 16])
def test_a_memoriser_is_found_out(models):
    scores, membership = world(11, models, 200, 30.0)
    assert area(leave_one_out(scores, membership).reshape(-1), membership.reshape(-1)) > 0.999


def test_records_seen_on_one_side_only_get_a_sensible_score():
    scores, membership = world(12, 12, 60, 6.0)
    membership[1:, 3], membership[1:, 4] = True, False
    scores[1:, 3], scores[1:, 4] = 6.0, 0.0
    for high, sign in ((6.0, 1), (0.0, -1)):
        target = np.full(60, high)
        found = likelihood_ratio(target, scores[1:], membership[1:])
        np.testing.assert_allclose(found, by_loops(target, scores[1:], membership[1:]), rtol=1e-9, atol=1e-9)
        assert np.isfinite(found).all()
        if sign > 0:
            assert found[3] > found[4] - 50


def test_models_that_agree_to_the_last_bit():
    membership = np.array([[True, False], [False, True], [True, True], [False, False]])
    found = likelihood_ratio(np.array([1.0, 0.0]), np.where(membership, 1.0, 0.0), membership)
    assert np.isfinite(found).all()
    assert found[0] > 0 > found[1]


SCORES, MEMBERSHIP = world(13, 6, 5)


@pytest.mark.parametrize(
    ("target", "reference", "membership", "text"),
    [
        (SCORES[0, :4], SCORES, MEMBERSHIP, "one target score per record"),
        (SCORES[0], SCORES, MEMBERSHIP[:, :4], "one shape"),
        (SCORES[0], SCORES[0], MEMBERSHIP[0], "one shape"),
        (SCORES[0], SCORES[:3], MEMBERSHIP[:3], "at least 4 reference models, got 3"),
        (SCORES[0], SCORES * np.nan, MEMBERSHIP, "Expected finite scores"),
        (SCORES[0] * np.inf, SCORES, MEMBERSHIP, "Expected finite target scores"),
        (SCORES[0], SCORES, MEMBERSHIP.astype(int), "membership as True and False, got int64"),
        (SCORES[0], SCORES, np.ones_like(MEMBERSHIP), "got only one kind"),
    ],
)
def test_what_does_not_fit_is_refused(target, reference, membership, text):
    with pytest.raises(ValueError, match=text):
        likelihood_ratio(target, reference, membership)


def test_leave_one_out_refuses_the_same():
    with pytest.raises(ValueError, match="one shape"):
        leave_one_out(SCORES, MEMBERSHIP[:4])
    with pytest.raises(ValueError, match="True and False"):
        leave_one_out(SCORES, MEMBERSHIP.astype(int))
