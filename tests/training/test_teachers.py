"""Teachers: parts are disjoint, respect owners and look at no record; nothing that one part does reaches the others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from sklearn.linear_model import LogisticRegression

from reticent.data import Records
from reticent.errors import DataError, MissingExtra, ModelError, UsageError
from reticent.privacy import Relation, Unit
from reticent.randomness import Randomness
from reticent.training import Recipe, train_teachers
from reticent.training.teachers import ABSTAINS, each_teacher, labels_of, split_by_owner, tally

N = 60
DRAW = np.random.default_rng(4)
DATA = Records(DRAW.normal(size=(N, 3)), np.arange(N) % 3, name="toy")
SOURCE = Randomness.simulated(1)


class Seen:
    """A trainer that notes what it was given, and votes for the first label that it sees."""

    def __init__(self) -> None:
        self.parts: list[Records] = []

    def __call__(self, records, randomness):
        self.parts.append(records)
        label = int(records.labels[0])
        return lambda x: np.eye(records.classes)[np.full(len(x), label)]


def split(records=DATA, *, teachers=5, relation=Relation.ADD_OR_REMOVE_ONE, seed=1, **options):
    source = Randomness.simulated(seed)
    return split_by_owner(records, teachers=teachers, randomness=source, relation=relation, **options)


# Parts ------------------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(0, 12), min_size=8, max_size=50),
    st.integers(2, 6),
    st.sampled_from(Relation),
    st.integers(0, 10**6),
)
def test_parts_are_disjoint_and_owners_stay_whole(owners, count, relation, seed):
    records = Records(np.zeros((len(owners), 2)), np.arange(len(owners)) % 2, unit=Unit.PERSON, owners=owners)
    if records.owner_count < count:
        with pytest.raises(UsageError, match="at most as many teachers as there are owners"):
            split(records, teachers=count, relation=relation, seed=seed)
        return
    parts = split(records, teachers=count, relation=relation, seed=seed)
    assert parts.teacher.shape == (len(owners),)  # every row in exactly one part
    assert ((parts.teacher >= 0) & (parts.teacher < count)).all()
    whose = {owner: set(parts.teacher[np.array(owners) == owner].tolist()) for owner in owners}
    assert all(len(teachers) == 1 for teachers in whose.values())
    if relation is Relation.REPLACE_ONE:  # as even as can be
        sizes = np.bincount([min(teachers) for teachers in whose.values()], minlength=count)
        assert sizes.max() - sizes.min() <= 1
        assert parts.dataset_size == records.owner_count
    else:
        assert parts.dataset_size is None


def test_one_owner_more_moves_nobody_else():
    owners = np.repeat(np.arange(30), 2)
    records = Records(DATA.features, DATA.labels, unit=Unit.PERSON, owners=owners)
    fewer = records.take(owners < 29)  # without the last in order
    assert (split(records).teacher[: len(fewer)] == split(fewer).teacher).all()


def test_parts_do_not_look_at_the_records():
    other = Records(DATA.features[::-1] * 7, 2 - DATA.labels)
    for relation in Relation:
        assert (split(relation=relation).teacher == split(other, relation=relation).teacher).all()
        assert (split(relation=relation).teacher != split(relation=relation, seed=2).teacher).any()


def test_every_teacher_is_equally_likely():
    """Dice of 60 owners in 500 draws, at an error rate of 1e-4."""
    counts = sum(np.bincount(split(seed=seed).teacher, minlength=5) for seed in range(500))
    assert ((counts - 6000.0) ** 2 / 6000.0).sum() < chi2.isf(1e-4, 4)


def test_whose_promise_it_is():
    people = Records(DATA.features, DATA.labels, unit=Unit.PERSON)
    owned = Records(DATA.features, DATA.labels, unit=Unit.CLIENT, owners=np.arange(N) // 2, public_facts=("scaled",))
    assert "every person owns one row" in split(people).assumptions
    assert "every person owns one row" in split(unit=Unit.PERSON).assumptions
    assert split(people).unit is Unit.PERSON
    clients = split(owned, relation=Relation.REPLACE_ONE)
    assert clients.unit is Unit.CLIENT
    assert {"the number of units, n = 30, is public", "scaled"} < set(clients.assumptions)
    assert not any("owns one row" in text for text in (*clients.assumptions, *split().assumptions))
    for records, unit in ((people, Unit.EXAMPLE), (owned, Unit.PERSON)):
        with pytest.raises(UsageError, match="Expected a promise to every"):
            split(records, unit=unit)
    assert split(Records(DATA.features, DATA.labels, owners=np.arange(N) // 2)).unit is Unit.PERSON
    several = Records(DATA.features, DATA.labels, owners=np.arange(N) // 2, unit=Unit.EXAMPLE)
    with pytest.raises(UsageError, match=r"promise to people or clients, got Unit\.EXAMPLE for 60 rows of 30 owners"):
        split(several)
    assert split(several, unit=Unit.PERSON).unit is Unit.PERSON
    with pytest.raises(UsageError, match="teachers >= 2"):
        split(teachers=1)


# Trainings --------------------------------------------------------------------------------------------------------


def test_every_row_is_given_to_its_teacher_and_no_other():
    seen, marked = Seen(), Records(np.arange(N)[:, None] * 1.0, DATA.labels)
    teachers = train_teachers(marked, seen, teachers=4, randomness=SOURCE, jobs=1)
    rows = [part.features[:, 0].astype(int).tolist() for part in seen.parts]
    assert rows == [np.flatnonzero(teachers.parts.teacher == k).tolist() for k in range(4)]
    assert sorted(row for part in rows for row in part) == list(range(N))


def test_teachers_have_randomness_of_their_own():
    def note(records, randomness):
        drawn.append(randomness.seed())
        return lambda x: np.zeros((len(x), 3))

    drawn: list[int] = []
    train_teachers(DATA, note, teachers=6, randomness=SOURCE, jobs=1)
    assert len(set(drawn)) == 6
    first = list(drawn)
    drawn.clear()
    # Taken up in the middle, the others draw what they would have drawn.
    list(each_teacher(note, DATA, split(teachers=6), Randomness.simulated(1), range(3, 6), jobs=1))
    assert drawn == first[3:]


def test_votes_are_counted_by_hand():
    def fit(records, randomness):
        return LogisticRegression().fit(records.features, records.labels)

    teachers = train_teachers(DATA, fit, teachers=5, randomness=SOURCE, jobs=1)
    x = DRAW.normal(size=(20, 3))
    votes = np.stack([model.predict(x) for model in teachers.models])
    by_hand = [[int((votes[:, row] == label).sum()) for label in range(3)] for row in range(20)]
    assert teachers.votes(x).tolist() == by_hand
    assert repr(teachers) == "Teachers(5 of toy, 3 classes, unit example)"
    for wrong in (x[0], x[:, :2], x[:, :, None]):
        with pytest.raises(DataError, match=r"inputs of shape \(n, 3\)"):
            teachers.votes(wrong)


@pytest.mark.slow
def test_processes_change_nothing():
    recipe = Recipe(lambda: torch.nn.Linear(3, 3), lambda p: torch.optim.SGD(p, lr=0.5), epochs=3, batch_size=4)
    x, progress = DRAW.normal(size=(50, 3)), []
    one, two = (
        train_teachers(
            DATA, recipe, teachers=6, randomness=SOURCE, jobs=jobs, progress=lambda *done: progress.append(done)
        )
        for jobs in (1, 2)
    )
    assert (one.votes(x) == two.votes(x)).all()
    assert progress == 2 * [(k, 6) for k in range(1, 7)]


# What goes wrong stays with one teacher ---------------------------------------------------------------------------


def failing(records, randomness):
    if 7.0 in records.features:
        raise ValueError("a secret about row 7")
    return Seen()(records, randomness)


def test_a_teacher_that_fails_abstains_and_the_others_are_as_before():
    clean = Records(np.ones((N, 1)), DATA.labels)
    marked = Records(np.where(np.arange(N) == 5, 7.0, 1.0)[:, None], DATA.labels)
    one, two = (train_teachers(records, failing, teachers=4, randomness=SOURCE, jobs=1) for records in (clean, marked))
    moved = np.abs(one.votes(np.ones((1, 1))) - two.votes(np.ones((1, 1))))
    assert moved.sum() == 1
    assert sum(model is None for model in two.models) == 1


def test_parts_of_one_class_and_empty_parts():
    few = Records(np.zeros((4, 1)), [0, 1, 1, 1])
    for seed in range(12):
        seen = Seen()
        teachers = train_teachers(few, seen, teachers=4, randomness=Randomness.simulated(seed), jobs=1)
        sizes = np.bincount(teachers.parts.teacher, minlength=4)
        assert teachers.votes(np.zeros((1, 1))).sum() == (sizes > 0).sum()
        assert all(len(np.unique(part.labels)) == 2 for part in seen.parts)


@pytest.mark.parametrize(
    ("model", "votes"),
    [
        (None, [ABSTAINS, ABSTAINS]),
        (lambda x: np.full((len(x), 3), np.nan), [ABSTAINS, ABSTAINS]),
        (lambda x: np.zeros((len(x), 2)), [ABSTAINS, ABSTAINS]),
        (lambda x: np.tile([0.0, 1.0, 0.0, 9.0], (len(x), 1)), [1, 1]),  # a fourth class is none
        (torch.nn.Linear(1, 5), None),
    ],
)
def test_answers_that_are_none(model, votes):
    found = labels_of(model, np.array([[1.0], [2.0]], dtype=np.float32), 3)
    assert (found.tolist() == votes) if votes is not None else ((found >= 0) & (found < 3)).all()


@pytest.mark.parametrize("answer", [[0, 3], [-2, 1], [0.5, 1.0], [np.nan, 1], ["a", "b"], [[0], [1]], 1])
def test_predictions_that_are_no_classes_abstain(answer):
    class Odd:
        def predict(self, x):
            return np.array(answer)

    found = labels_of(Odd(), np.zeros((2, 1)), 3)
    wanted = {(0, 3): [0, -1], (-2, 1): [-1, 1], (0.5, 1.0): [-1, 1]}.get(tuple(np.ravel(answer)))
    if wanted is None:
        wanted = [-1, 1] if np.shape(answer) == (2,) and answer[1] == 1 else [-1, -1]
    assert found.tolist() == wanted


def test_what_is_wrong_with_the_code_is_said():
    def never(records, randomness):
        raise ValueError("no luck.")

    def extra(records, randomness):
        raise MissingExtra("joblib", "lab", "This")

    with pytest.raises(ModelError, match=r"all 4 failed; the first said: ValueError: no luck\. Train one"):
        train_teachers(DATA, never, teachers=4, randomness=SOURCE, jobs=1)
    with pytest.raises(ModelError, match="all 4 failed; the first said: its answers are no answers"):
        train_teachers(DATA, lambda r, s: lambda x: np.nan * x, teachers=4, randomness=SOURCE, jobs=1)
    with pytest.raises(MissingExtra):
        train_teachers(DATA, extra, teachers=4, randomness=SOURCE, jobs=1)
    with pytest.raises(UsageError, match=r"called as trainer\(records, randomness\)"):
        train_teachers(DATA, lambda records: None, teachers=4, randomness=SOURCE, jobs=1)  # type: ignore[misc,arg-type]
    with pytest.raises(UsageError, match="Expected a trainer that can be called, got Linear"):
        train_teachers(DATA, torch.nn.Linear(1, 2), teachers=4, randomness=SOURCE, jobs=1)
    with pytest.raises(DataError, match="two classes"):
        train_teachers(DATA.take(DATA.labels == 0), Seen(), teachers=4, randomness=SOURCE, jobs=1)
    with pytest.raises(UsageError, match="jobs >= 1"):
        train_teachers(DATA, Seen(), teachers=4, randomness=SOURCE, jobs=0)


def test_tally_counts_no_abstentions():
    votes = [np.array([0, 2]), np.array([ABSTAINS, 2]), np.array([1, ABSTAINS])]
    assert tally(votes, 3).tolist() == [[1, 1, 0], [0, 0, 2]]
