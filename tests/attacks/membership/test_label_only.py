"""Attacks that see labels only: what they ask, and that nothing but labels reaches them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from reticent.attacks.membership.label_only import agreement, gap, noisy, perturbations_for, shifted
from reticent.errors import UsageError
from reticent.models import Target
from reticent.randomness import Randomness

DRAW = np.random.default_rng(3)
X = DRAW.normal(size=(300, 2))
Y = (X[:, 0] > 0).astype(int)


def line(scale=1.0):
    return Target(lambda x: scale * np.column_stack([-x[:, 0], x[:, 0]]), classes=2, exposure="label")


def test_gap_names_what_the_model_is_right_about():
    target, wrong = line(), DRAW.random(300) < 0.3
    np.testing.assert_array_equal(gap(target, X, np.where(wrong, 1 - Y, Y)), 1.0 * ~wrong)
    assert target.queries == 300


def test_agreement_is_the_share_that_stays_on_its_side():
    """Of a line, the chance that a copy stays is known: Phi(distance / deviation), averaged over the noise."""
    source = Randomness.simulated(1)
    deviation = X[:, 0].std()
    found = agreement(line(), X, Y, randomness=source)
    strengths = np.repeat([0.05, 0.1, 0.2, 0.4, 0.8], 4)
    stays = norm.cdf(np.abs(X[:, [0]]) / (strengths * deviation))
    expected = (1 + stays.sum(axis=1)) / 21
    spread = np.sqrt((stays * (1 - stays)).sum(axis=1)) / 21
    assert np.abs(found - expected).max() < 5.5 * max(spread.max(), 1 / 21)
    assert abs((found - expected).mean()) < 5.5 * np.sqrt((spread**2).sum()) / 300
    np.testing.assert_array_equal(found, agreement(line(1e6), X, Y, randomness=Randomness.simulated(1)))


def test_a_label_is_all_that_counts():
    """Any model with the same labels gives the same scores; one that is always wrong gives none."""
    kinked = Target(lambda x: np.column_stack([0 * x[:, 0], np.sign(x[:, 0]) * x[:, 1] ** 2]), classes=2)
    np.testing.assert_array_equal(
        agreement(line(), X, Y, randomness=Randomness.simulated(2)),
        agreement(kinked, X, Y, randomness=Randomness.simulated(2)),
    )
    far = np.abs(X[:, 0]) > 3.0 * X[:, 0].std() * 0.8
    assert agreement(line(), X, 1 - Y, randomness=Randomness.simulated(2))[far].max(initial=0) == 0


def test_perturbations_of_ones_own():
    target, seen = line(), []

    def away(features, randomness):
        seen.append(randomness.uniform(1)[0])
        return features - 100

    found = agreement(target, X, Y, randomness=Randomness.simulated(3), perturbations=[away, lambda x, _: x, away])
    np.testing.assert_allclose(found, np.where(Y == 1, 0.5, 1.0))
    assert target.queries == 4 * 300
    assert len(set(seen)) == 2
    with pytest.raises(UsageError, match="keep the shape"):
        agreement(target, X, Y, randomness=Randomness.simulated(3), perturbations=[lambda x, _: x[:, :1]])


def test_images_are_moved_and_mirrored():
    image = np.arange(24.0).reshape(1, 2, 3, 4)
    source = Randomness.simulated(0)
    np.testing.assert_array_equal(shifted(0, 0, True)(image, source), image[..., ::-1])
    down = shifted(1, 0)(image, source)
    np.testing.assert_array_equal(down[..., 1:, :], image[..., :-1, :])
    np.testing.assert_array_equal(down[..., 0, :], image[..., 0, :])
    left = shifted(0, -1)(image, source)
    np.testing.assert_array_equal(left[..., :-1], image[..., 1:])
    tried = perturbations_for(image)
    assert len(tried) == 17
    assert len({perturb(image, source).tobytes() for perturb in tried} | {image.tobytes()}) == 18


def test_constant_columns_stay_as_they_are():
    x = np.column_stack([X, np.full(300, 7.0)])
    for perturb in perturbations_for(x):
        moved = perturb(x, Randomness.simulated(4))
        assert (moved[:, 2] == 7).all()
        assert (moved[:, 0] != x[:, 0]).all()
    assert noisy(np.zeros(3))(x, Randomness.simulated(4)).tolist() == x.tolist()


def test_token_ids_have_no_neighbours():
    with pytest.raises(UsageError, match="token ids"):
        agreement(line(), X.astype(int), Y, randomness=Randomness.simulated(0))
