"""Shadow models are drawn by fair coins, trained apart from each other, and fail with their own words."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from reticent.audits.shadows import draw_membership, train_shadows
from reticent.data import Records
from reticent.errors import DataError, ModelError
from reticent.models import Exposure
from reticent.randomness import Randomness

DRAW = np.random.default_rng(2)
POOL = Records(DRAW.normal(size=(60, 3)), np.arange(60) % 2)
ALPHA = 1e-6  # probability of a false alarm, of each test


def memorise(records, randomness):
    """A model that is certain of the rows it was trained on, and else guesses with noise of its own."""
    known = {row.tobytes(): label for row, label in zip(records.features, records.labels, strict=True)}
    lean = float(randomness.normal(1)[0])

    def answer(features):
        logits = np.zeros((len(features), records.classes))
        for row, values in zip(logits, features, strict=True):
            row[0] = lean
            if values.tobytes() in known:
                row[known[values.tobytes()]] += 20
        return logits

    return answer


def fail(records, randomness):
    raise DataError("Expected a working trainer, got this one.", "Mend it.")


def fail_inside(records, randomness):
    return None + 1


def without_randomness(records):
    return memorise(records, Randomness.simulated(0))


def shadows(trainer=memorise, pool=POOL, *, count=6, seed=1, jobs=1, **options):
    return train_shadows(trainer, pool, count=count, randomness=Randomness.simulated(seed), jobs=jobs, **options)


def draw(pool=POOL, count=500, inclusion=0.5, seed=3):
    return draw_membership(pool, count, inclusion, Randomness.simulated(seed))


@pytest.mark.parametrize("inclusion", [0.5, 0.2])
def test_every_record_has_a_fair_coin(inclusion):
    """Exact binomial bounds, split over the records."""
    counts = draw(count=2000, inclusion=inclusion).sum(axis=0)
    tail = ALPHA / (2 * len(POOL))
    assert counts.min() >= binom.ppf(tail, 2000, inclusion)
    assert counts.max() <= binom.isf(tail, 2000, inclusion)


def test_coins_are_independent_between_records_and_between_models():
    """Correlations of 2000 flips have standard error 0.022, those of 60 flips 0.13; bounds for all pairs at once."""
    table = draw(count=2000).astype(float)
    between_records = np.corrcoef(table.T)[np.triu_indices(60, 1)]
    assert np.abs(between_records).max() < 6.5 * 2000**-0.5
    between_models = np.corrcoef(table[:100])[np.triu_indices(100, 1)]
    assert np.abs(between_models).max() < 6.5 * 60**-0.5


def test_model_sizes_vary_as_coins_do():
    """Exact halves would make a record's membership tell about the others'."""
    sizes = draw(count=2000).sum(axis=1)
    assert 12 < sizes.var() < 18.5  # 15 +- 7 standard errors of 0.47


def test_owners_are_drawn_as_a_whole():
    owners = np.array(["a", "b", "c"])[np.arange(60) % 3]
    table = draw(Records(POOL.features, POOL.labels, owners=owners), count=300)
    for owner in "abc":
        own = table[:, owners == owner]
        assert (own == own[:, :1]).all()
        # Three owners are left out together, and then no class is left, once in eight draws; those are drawn again.
        assert binom.ppf(ALPHA, 300, 4 / 7) <= own[:, 0].sum() <= binom.isf(ALPHA, 300, 4 / 7)
    assert len(np.unique(table, axis=0)) == 7


def test_every_draw_holds_two_classes():
    rare = Records(np.eye(12), [1, 1, *[0] * 10])
    table = draw(rare, count=200)
    assert all(len(np.unique(rare.labels[row])) == 2 for row in table)


@pytest.mark.parametrize("labels", [[0] * 12, [1] + [0] * 11])
def test_a_class_that_is_hardly_ever_drawn_is_refused(labels):
    pool = Records(np.eye(12), labels, classes=2)
    with pytest.raises(ValueError, match="to hold two classes, but they hardly ever do"):
        draw_membership(pool, 10, 0.005, Randomness.simulated(1))


def test_more_draws_leave_the_first_as_they_are():
    np.testing.assert_array_equal(draw(count=64)[:16], draw(count=16))
    assert len({row.tobytes() for row in draw(count=64)}) == 64


def test_asking_for_more_trains_what_is_new_only(tmp_path):
    seen = []

    def trainer(records, randomness):
        seen.append(len(records))
        return memorise(records, randomness)

    trainer.fingerprint = "counts what it sees"
    first = shadows(trainer, count=6, store=tmp_path)
    more = shadows(trainer, count=10, store=tmp_path)
    assert len(seen) == 10
    np.testing.assert_array_equal(more.scores[:6], first.scores)
    np.testing.assert_array_equal(more.scores, shadows(count=10).scores)


def test_secure_shadows_go_on_with_the_parts_that_were_drawn(tmp_path):
    """A first call that fails on its third model has drawn six parts; they are all used, in order."""
    seen = []

    def trainer(records, randomness):
        if len(seen) == 3 and fails:
            raise DataError("Expected room, got none.", "Make some.")
        seen.append(records.features)
        return memorise(records, randomness)

    trainer.fingerprint = "fails once"

    def go(count, inclusion=0.5):
        return train_shadows(
            trainer, POOL, count=count, inclusion=inclusion, randomness=Randomness.secure(), jobs=1, store=tmp_path
        )

    fails = True
    with pytest.raises(DataError, match="Expected room"):
        go(6)
    fails = False
    fleet = go(8)
    assert len(seen) == 8
    for features, inside in zip(seen, fleet.membership, strict=True):
        np.testing.assert_array_equal(features, POOL.features[inside])
    again = go(4)
    np.testing.assert_array_equal(again.scores, fleet.scores[:4])
    assert len(seen) == 8
    other = go(4, inclusion=0.6)
    assert len(seen) == 12
    assert not (other.membership[:, None] == fleet.membership).all(axis=2).any()


def test_networks_side_by_side_are_those_one_by_one():
    import torch

    import reticent as rt

    recipe = rt.Recipe(
        lambda: torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)).double(),
        lambda p: torch.optim.Adam(p, lr=0.01),
        epochs=5,
        batch_size=8,
    )
    stacked, single = (shadows(recipe, ways=ways) for ways in ("stacked", "one by one"))
    np.testing.assert_allclose(stacked.scores, single.scores, rtol=0, atol=1e-5)  # answers are kept in float32
    np.testing.assert_array_equal(stacked.membership, single.membership)


def test_a_fleet_is_what_its_parts_say():
    fleet = shadows(count=8)
    assert fleet.scores.shape == fleet.membership.shape == fleet.correct.shape == (8, 60)
    assert (fleet.scores[fleet.membership] > 10).all()
    assert (np.abs(fleet.scores[~fleet.membership]) < 10).all()
    assert fleet.correct[fleet.membership].all()
    leans = {round(abs(row[~inside][0]), 9) for row, inside in zip(fleet.scores, fleet.membership, strict=True)}
    assert len(leans) == 8, "two models shared their randomness"


def test_models_see_exactly_their_own_records():
    seen = []

    def trainer(records, randomness):
        seen.append(records.features)
        return memorise(records, randomness)

    fleet = shadows(trainer)
    for features, inside in zip(seen, fleet.membership, strict=True):
        np.testing.assert_array_equal(features, POOL.features[inside])


def test_repeats_under_a_simulation_only():
    first, second, other = shadows(), shadows(), shadows(seed=2)
    np.testing.assert_array_equal(first.scores, second.scores)
    assert not np.array_equal(first.membership, other.membership)
    secure = [train_shadows(memorise, POOL, count=4, randomness=Randomness.secure(), jobs=1) for _ in range(2)]
    assert not np.array_equal(secure[0].membership, secure[1].membership)


@pytest.mark.slow
def test_processes_change_nothing():
    one, two = shadows(), shadows(jobs=2)
    np.testing.assert_array_equal(one.membership, two.membership)
    np.testing.assert_allclose(one.scores, two.scores, rtol=1e-12)
    np.testing.assert_array_equal(one.correct, two.correct)


def test_draws_made_before_are_used():
    table = draw(count=5)
    np.testing.assert_array_equal(shadows(count=5, membership=table).membership, table)
    for wrong in (table[:4], table[:, :59], table.astype(int)):
        with pytest.raises(ValueError, match=r"True and False of shape \(5, 60\)"):
            shadows(count=5, membership=wrong)


def test_exposure_and_inclusion_are_used():
    labels = shadows(exposure=Exposure.LABEL)
    assert set(np.unique(labels.scores)) == {-1.0, 1.0}
    assert shadows(inclusion=0.05, count=20).membership.mean() < 0.15


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_progress_is_told(jobs):
    told = []
    shadows(count=4, jobs=jobs, progress=lambda *args: told.append(args))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_failing_trainers_own_message_comes_through(jobs):
    with pytest.raises(DataError, match=r"Expected a working trainer, got this one\. Mend it\."):
        shadows(fail, jobs=jobs)
    with pytest.raises(TypeError, match="unsupported operand"):
        shadows(fail_inside, jobs=jobs)


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_trainer_with_other_parameters_is_refused(jobs):
    with pytest.raises(ValueError, match=r"trainer\(records, randomness\), but: without_randomness\(\) takes 1"):
        shadows(without_randomness, jobs=jobs)


def test_a_model_with_wrong_answers_is_refused():
    with pytest.raises(ValueError, match="Expected a shadow model to answer 60 records"):
        shadows(lambda records, randomness: lambda features: np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"count": 3}, "shadows >= 4"),
        ({"inclusion": 0.0}, "0 < inclusion < 1"),
        ({"inclusion": 1.0}, "0 < inclusion < 1"),
        ({"jobs": 0}, "jobs >= 1"),
        ({"trainer": "fit"}, "a trainer that can be called, got str"),
    ],
)
def test_bad_values_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        shadows(**options)


def test_randomness_must_be_a_randomness():
    with pytest.raises(ValueError, match="Expected a Randomness"):
        train_shadows(memorise, POOL, count=4, randomness=1, jobs=1)


def rounded(records, randomness):
    """A model whose probabilities have one digit: taken for nothing unless somebody says what they are."""
    exact = memorise(records, randomness)

    def answer(features):
        logits = exact(features)
        return np.round(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), 1)

    return answer


def test_what_answers_are_may_be_said():
    pool = Records(DRAW.normal(size=(60, 3)), np.arange(60) % 3)

    def doubtful(records, randomness):
        model = rounded(records, randomness)
        return lambda features: model(features) * [1.0, 1.0, 0.97]

    with pytest.raises(ModelError, match="answers="):
        shadows(doubtful, pool)
    told = shadows(doubtful, pool, answers="probabilities")
    assert (told.scores[told.membership] > told.scores[~told.membership].max()).mean() > 0.5
