"""`teach`: without noise the plain ensemble, with noise its promise; answers are given once."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import beta
from sklearn.linear_model import LogisticRegression

from reticent.data import Records, load
from reticent.errors import BudgetExhausted, DataError, IntegrityError, ModelError, UsageError
from reticent.evidence import Record
from reticent.privacy import GaussianFilter, GNMax, Guarantee, LNMax, Relation, Unit, VoteTest, Voting
from reticent.randomness import Randomness
from reticent.training import Recipe, Taught, teach, train_teachers
from reticent.training.state import save_state
from reticent.training.votes_kept import KeptVotes

DIGITS = load("digits")
PRIVATE, PUBLIC, UNSEEN = DIGITS.take(range(900)), DIGITS.take(range(900, 1000)), DIGITS.take(range(1000, 1797))
SOURCE = Randomness.simulated(3)
CAREFUL = Voting(4.0, threshold=18.0, threshold_noise=6.0)


def fit(records, randomness):
    return LogisticRegression(max_iter=50, tol=0.1).fit(records.features, records.labels)


def quick(records, randomness):
    """The nearest class mean: a teacher that takes no time."""
    means = np.stack(
        [
            records.features[records.labels == label].mean(axis=0)
            if (records.labels == label).any()
            else np.full(64, 9.0)
            for label in range(records.classes)
        ]
    )
    return lambda x: -((np.asarray(x)[:, None] - means) ** 2).sum(axis=-1)


def lesson(voting=CAREFUL, *, records=PRIVATE, public=PUBLIC, teachers=30, trainer=quick, seed=3, **options):
    source = Randomness.simulated(seed)
    return teach(records, public, trainer, teachers=teachers, voting=voting, randomness=source, jobs=1, **options)


# What comes out ---------------------------------------------------------------------------------------------------


def test_without_noise_the_labels_are_those_of_the_plain_ensemble():
    taught = lesson(Voting(0.0))
    teachers = train_teachers(PRIVATE, quick, teachers=30, randomness=Randomness.simulated(3), jobs=1)
    counts = teachers.votes(PUBLIC.features)
    assert (taught.uncovered.votes == counts).all()
    top = counts.max(axis=1)
    alone = (counts == top[:, None]).sum(axis=1) == 1
    assert (taught.labels[alone] == counts.argmax(axis=1)[alone]).all()
    assert (counts[np.arange(len(counts)), taught.labels] == top).all()
    assert taught.uncovered.agreement == 1.0
    assert taught.guarantee.epsilon(1e-5) == math.inf


def test_ties_are_broken_by_lot():
    """Two teachers who never agree: over many questions both win as often, whichever class is the smaller."""
    source, marked = Randomness.simulated(1), Records(np.arange(40)[:, None], [0, 1] * 20)

    def stubborn(records, randomness):
        return lambda x: np.eye(2)[np.full(len(x), int(0 in records.features[:, 0]))]

    x = np.arange(100, 2100)[:, None]
    taught = teach(marked, x, stubborn, teachers=2, voting=Voting(0.0), randomness=source, jobs=1, student=quick_none)
    assert (taught.uncovered.votes == 1).all()
    assert abs(int(taught.labels.sum()) - 1000) < 4 * math.sqrt(500)


def quick_none(records, randomness):
    return len(records)


def test_the_student_learns_from_public_inputs_and_answers_alone():
    given = []

    def student(records, randomness):
        given.append(records)
        return fit(records, randomness)

    taught = lesson(CAREFUL, student=student, epsilon=9.0, delta=1e-4)
    (own,) = given
    assert (own.features == PUBLIC.features[taught.answered]).all()
    assert (own.labels == taught.labels[taught.answered]).all()
    assert own.classes == 10
    assert 0 < taught.answered.sum() < len(PUBLIC)
    assert (taught.student.predict(UNSEEN.features) == UNSEEN.labels).mean() > 0.4


def test_a_recipe_teaches_and_learns():
    recipe = Recipe(lambda: torch.nn.Linear(64, 10), lambda p: torch.optim.Adam(p, lr=0.05), epochs=8, batch_size=16)
    taught = lesson(Voting(2.0), trainer=recipe, teachers=6)
    assert isinstance(taught.student, torch.nn.Linear)
    assert taught.record.body["student"] == {"type": "Linear", "parameters": 650}


def test_too_few_answers_teach_nobody():
    taught = lesson(Voting(1.0, threshold=1000.0, threshold_noise=1.0))
    assert taught.student is None
    assert not taught.answered.any()
    assert math.isnan(taught.uncovered.agreement)


# What is promised -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("relation", Relation)
def test_the_guarantee_is_of_what_was_done(relation):
    plain = lesson(Voting(10.0), relation=relation, answers=40)
    assert plain.guarantee.mechanisms == (GNMax(10.0, 40),)
    assert (plain.asked, int(plain.answered.sum())) == (40, 40)
    assert (plain.labels[40:] == -1).all()
    assert plain.guarantee.relation is relation
    assert plain.guarantee.dataset_size == (900 if relation is Relation.REPLACE_ONE else None)
    assert plain.guarantee.simulated
    assert teach(PRIVATE, PUBLIC, quick, teachers=5, voting=Voting(10.0), jobs=1).guarantee.simulated is False
    assert lesson(Voting(10.0, law="laplace")).guarantee.mechanisms == (LNMax(10.0, 100),)


def test_the_promise_is_met_and_nearly_used_up():
    for voting in (None, Voting(8.0), Voting(8.0, law="laplace")):
        taught = lesson(voting, epsilon=5.0, delta=1e-4)
        cost = taught.guarantee.epsilon(1e-4)
        assert 4.8 < cost <= 5.0
    calibrated = lesson(None, epsilon=5.0, delta=1e-4, answers=30)
    assert calibrated.answered.sum() == 30
    assert calibrated.voting.noise < lesson(None, epsilon=5.0, delta=1e-4).voting.noise


def test_thresholds_are_charged_to_a_filter_or_in_full():
    filtered = lesson(CAREFUL, epsilon=9.0, delta=1e-4)
    (only,) = filtered.guarantee.mechanisms
    assert isinstance(only, GaussianFilter)
    assert filtered.guarantee.epsilon(1e-4) <= 9.0
    assert "everything that was released was charged to the budget first" in filtered.guarantee.assumptions
    # What was really done, composed as if it had been fixed before.
    done = Guarantee((VoteTest(6.0, filtered.asked), GNMax(4.0, int(filtered.answered.sum()))))
    assert 7.0 < done.epsilon(1e-4) <= 9.0
    # Without a promise, what may happen is charged, not what did.
    full = lesson(CAREFUL, answers=20)
    assert full.guarantee.mechanisms == (VoteTest(6.0, 100), GNMax(4.0, 20))
    assert full.answered.sum() == 20
    assert full.asked < 100


def test_people_are_protected_whole():
    owned = Records(PRIVATE.features, PRIVATE.labels, unit=Unit.PERSON, owners=np.arange(900) // 3)
    taught = lesson(Voting(20.0), records=owned)
    assert taught.guarantee.unit is Unit.PERSON
    assert not any("owns one row" in text for text in taught.guarantee.assumptions)
    text = taught.guarantee.text(1e-4)
    assert "everything that one person contributed" in text
    assert "not covered: the public inputs" in text
    assert "not covered: votes without noise" in text


def test_agreement_costs_less_and_is_no_promise():
    taught = lesson(Voting(3.0), teachers=20)
    cost = taught.data_dependent_cost(1e-4)
    assert cost.epsilon <= taught.guarantee.renyi_epsilon(1e-4)
    assert "not a promise" in str(cost)


def test_the_record_shows_nothing_of_the_private_records():
    taught = lesson(CAREFUL, epsilon=9.0, delta=1e-4)
    assert Record.from_json(taught.record.to_json()).body == taught.record.body
    body = taught.record.body
    assert body["answers"] == int(taught.answered.sum())
    assert body["questions"]["given"] == 100
    assert PRIVATE.digest() not in taught.record.to_json().decode()
    assert "votes" not in body
    assert repr(taught) == f"Taught(by 30 teachers: {body['answers']} of 100 questions answered)"


@pytest.mark.parametrize(("quieter", "caught"), [(1, False), (4, True)])
def test_an_attack_on_the_whole_learns_no_more_than_promised(monkeypatch, quieter, caught):
    """One person more or less, whose teacher votes otherwise: 40 teachings of 1000 questions each way.

    Every answer is a trial of one GNMax; Clopper-Pearson bounds, wrong in at most 1e-4 of the runs. Planted: a quarter
    of the noise.
    """
    real = Randomness.normal
    monkeypatch.setattr(
        Randomness,
        "normal",
        lambda self, shape, *, standard_deviation=1.0: real(
            self, shape, standard_deviation=standard_deviation / quieter
        ),
    )

    def credulous(records, randomness):
        vote = int(9 in records.features[:, 0])
        return lambda x: np.eye(2)[np.full(len(x), vote)]

    features = np.array([1.0] * 11 + [9.0])[:, None]
    with_it = Records(features, [0, 1] * 6, unit=Unit.PERSON)
    questions, noise, runs = np.arange(10.0, 1010.0)[:, None], 1.5, 40
    counts = []
    for records in (with_it, with_it.take(range(11))):
        hits = 0
        for seed in range(runs):
            source = Randomness.simulated(seed + 1000 * len(records))
            taught = teach(
                records,
                questions,
                credulous,
                teachers=2,
                voting=Voting(noise),
                randomness=source,
                jobs=1,
                student=quick_none,
            )
            hits += int((taught.labels == 1).sum())
        counts.append(hits)
    trials, delta = 1000 * runs, 1e-5
    low = beta.ppf(5e-5, counts[0], trials - counts[0] + 1)
    high = beta.ppf(1 - 5e-5, counts[1] + 1, trials - counts[1])
    bound = math.log((low - delta) / high)
    assert bound > 0.3
    assert (bound > Guarantee((GNMax(noise),)).epsilon(delta)) == caught


# State ------------------------------------------------------------------------------------------------------------


class StopError(Exception):
    pass


def same(one: Taught, other: Taught) -> bool:
    return bool((one.labels == other.labels).all()) and (one.uncovered.votes == other.uncovered.votes).all()


def test_a_stop_changes_nothing(tmp_path: Path):
    def stop(done, total):
        if done == 11:
            raise StopError

    path, trained = tmp_path / "votes.state", []

    def counted(records, randomness):
        trained.append(len(records))
        return quick(records, randomness)

    with pytest.raises(StopError):
        lesson(trainer=counted, state=path, progress=stop)
    assert len(trained) == 11
    seen = []
    taken_up = lesson(trainer=counted, state=path, progress=lambda *done: seen.append(done))
    assert len(trained) == 30 + 1  # the student
    assert seen == [(k, 30) for k in range(12, 31)]
    assert same(taken_up, lesson())


@pytest.mark.parametrize("checked", [True, False])
def test_who_goes_on_has_one_teacher_for_each_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checked):
    """The same rows in another order, after 3 of 6 teachers. Planted: without the check, one owner has several."""

    def stop(done, total):
        if done == 3:
            raise StopError

    behind: dict[int, set[int]] = {}
    trained = []

    def watched(records, randomness):
        trained.append(len(records))
        for owner in records.owners:
            behind.setdefault(int(owner), set()).add(len(trained))
        return quick(records, randomness)

    def run(order, **options):
        records = Records(PRIVATE.features[order], PRIVATE.labels[order], unit=Unit.PERSON, owners=order // 30)
        return lesson(
            Voting(9.0), records=records, teachers=6, trainer=watched, state=path, student=quick_none, **options
        )

    path, order = tmp_path / "votes.state", np.arange(900)
    with pytest.raises(StopError):
        run(order, progress=stop)
    if not checked:
        monkeypatch.setattr(
            KeptVotes, "_take_assignment", lambda self, teacher, owner: setattr(self, "teacher", teacher)
        )
        run(order.reshape(30, 30).T.reshape(-1))
        assert max(map(len, behind.values())) > 1
        return
    with pytest.raises(UsageError, match="Expected the same records in the same order"):
        run(order.reshape(30, 30).T.reshape(-1))
    taught = run(order)
    assert len(trained) == 6
    assert set(map(len, behind.values())) == {1}
    assert any("in the same order, in every run" in text for text in taught.guarantee.assumptions)
    assert run(order).guarantee == taught.guarantee  # also when there is nothing left to train
    whole = lesson(Voting(9.0), teachers=6, state=tmp_path / "whole.state", student=quick_none)
    assert not any("in every run" in text for text in whole.guarantee.assumptions)


def test_answers_are_given_once(tmp_path: Path):
    """With secure randomness a second call would draw other noise, and so be a second release."""
    path = tmp_path / "votes.state"
    calls = [
        teach(PRIVATE, PUBLIC, quick, teachers=10, voting=Voting(20.0), jobs=1, state=path, student=quick_none)
        for _ in range(2)
    ]
    assert same(*calls)
    assert calls[0].guarantee == calls[1].guarantee
    anew = teach(PRIVATE, PUBLIC, quick, teachers=10, voting=Voting(20.0), jobs=1, student=quick_none)
    assert not same(calls[0], anew)


def test_a_student_that_fails_loses_no_answers(tmp_path: Path):
    def clumsy(records, randomness):
        raise StopError

    path = tmp_path / "votes.state"
    with pytest.raises(StopError):
        teach(PRIVATE, PUBLIC, quick, teachers=10, voting=Voting(20.0), jobs=1, state=path, student=clumsy)
    first, second = (
        teach(PRIVATE, PUBLIC, quick, teachers=10, voting=Voting(20.0), jobs=1, state=path) for _ in range(2)
    )
    assert same(first, second)


def test_foreign_states_are_refused(tmp_path: Path):
    path = tmp_path / "votes.state"
    lesson(state=path, student=quick_none)
    for changes, what in (
        ({"voting": Voting(4.0)}, "voting"),
        ({"teachers": 29}, "teachers"),
        ({"public": PUBLIC.take(range(99))}, "questions"),
        ({"records": PRIVATE.take(range(899))}, "records"),
        ({"seed": 4}, "randomness"),
        ({"answers": 7}, "voting"),
    ):
        with pytest.raises(UsageError, match=f"its {what} differ"):
            lesson(state=path, student=quick_none, **changes)
    save_state(path, {"kind": "another"})
    with pytest.raises(IntegrityError, match="votes of a teaching"):
        lesson(state=path)


# Refusals ---------------------------------------------------------------------------------------------------------


def test_what_cannot_be_is_refused_before_anything_is_trained():
    def never(records, randomness):
        raise AssertionError("trained")

    def refused(kind, message, public=PUBLIC, records=PRIVATE, **options):
        with pytest.raises(kind, match=message):
            teach(records, public, never, **{"teachers": 5, "jobs": 1, **options})

    some = {"voting": Voting(5.0)}
    refused(UsageError, "Expected epsilon and delta, or a voting")
    refused(UsageError, "Expected epsilon and delta, or a voting", epsilon=3.0, **some)
    refused(UsageError, "Expected epsilon and delta, or a voting", delta=1e-4)
    refused(UsageError, "Expected a Voting, got voting=5.0", voting=5.0)
    refused(UsageError, "delta < 1/n", epsilon=3.0, delta=0.01)
    refused(UsageError, "answers >= 1", answers=0, **some)
    refused(UsageError, "at most as many teachers", records=PRIVATE.take(range(4)), **some)
    refused(DataError, "two classes", records=PRIVATE.take(PRIVATE.labels == 1), **some)
    refused(DataError, "like the private records", public=PUBLIC.features[:, :9], **some)
    refused(DataError, "like the private records", public=np.zeros((3, 64), dtype=int), **some)
    refused(DataError, "NaN", public=np.full((3, 64), np.nan), **some)
    both = np.concatenate([PUBLIC.features, PRIVATE.features[3:5]])
    refused(DataError, r"not among the private records, got 2 of 102", public=both, **some)
    refused(BudgetExhausted, "Expected room for an answer", epsilon=1.0, delta=1e-4, voting=Voting(0.5))
    refused(BudgetExhausted, "Expected room for an answer", epsilon=1.0, delta=1e-4, voting=Voting(0.0))
    refused(BudgetExhausted, "Expected room", epsilon=1.0, delta=1e-4, voting=Voting(50.0, 9.0, 0.5))
    refused(UsageError, "Expected a Randomness", randomness=3, **some)


def test_zeros_of_either_sign_are_one_number():
    private = Records([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])
    with pytest.raises(DataError, match="got 1 of 2"):
        teach(private, [[-0.0], [9.0]], quick, teachers=2, voting=Voting(1.0), jobs=1)


def test_every_teacher_failing_is_said():
    def broken(records, randomness):
        raise ValueError("no")

    with pytest.raises(ModelError, match="all 5 failed; the first said: ValueError: no"):
        teach(PRIVATE, PUBLIC, broken, teachers=5, voting=Voting(5.0), jobs=1)
