"""Attacks that learn what to expect: they find leaks and no others, and where they cannot be run they say why."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import torch
from scipy.stats import binom
from sklearn.neighbors import KNeighborsClassifier
from tests.audits.test_queried import CHANCE, case_of, sides

import reticent as rt
from reticent.audits.learned import Quantile, Trajectory
from reticent.audits.queried import Gap, findings_without_shadows
from reticent.data import Records
from reticent.errors import UsageError
from reticent.evidence import Status
from reticent.randomness import Randomness


def net(columns=10):
    return torch.nn.Sequential(torch.nn.Linear(columns, 32), torch.nn.ReLU(), torch.nn.Linear(32, 2))


FIT = rt.Recipe(net, functools.partial(torch.optim.Adam, lr=0.02), epochs=40, batch_size=32)


class Plain:
    """Log-odds that are the features' and, for those it was trained on, so much higher at each of its snapshots."""

    def __init__(self, gains):
        self.gains = gains

    def snapshots(self, records, randomness, count):
        known = {row.tobytes() for row in records.features}
        return [functools.partial(self.answer, known, gain) for gain in self.gains[:count]]

    @staticmethod
    def answer(known, gain, features):
        """Answers speak for class 1, which is the label of all who matter."""
        extra = gain * np.array([row.tobytes() in known for row in features])
        return np.column_stack([np.zeros(len(features)), features[:, 0] + extra])


def labelled(seed, size=200):
    x = Randomness.simulated(seed).normal((2 * size, 3)).astype(np.float32)
    records = Records(x, np.arange(2 * size) % 10 > 0)
    return records.take(range(size)), records.take(range(size, 2 * size))


def watched(trainer, members, count, seed=0):
    return tuple(trainer.snapshots(members, Randomness.simulated(seed), count))


# Trajectory ---------------------------------------------------------------------------------------------------------


def test_a_course_gives_away_what_the_last_answers_do_not():
    """Members stood out in the middle of the training, and do not at its end."""
    members, others = labelled(1)
    trainer = Plain((0.0, 3.0, 0.0))
    course = watched(trainer, members, 3)
    case = case_of(course[-1], members, others)
    confidence, found = findings_without_shadows(
        case, ["confidence", Trajectory(snapshots=course, trainer=trainer, shadows=2)]
    )
    assert confidence.estimates["auc"].contains(0.5)
    assert found.estimates["auc"].low > 0.7
    assert found.estimates["true_positive_rate_at_0.1"].low > 0.3
    assert (found.status, found.exposure) == (Status.EXECUTED, "logits of 3 snapshots")
    assert found.details["shadow_models"] == 2
    assert found.details["queries"] == 3 * 400


@pytest.mark.slow
def test_a_recipe_is_watched_and_its_network_found_out():
    members, others = sides(2, 100)
    course = watched(FIT, members, 4)
    audit = rt.audit(
        course[-1],
        members,
        others,
        trainer=FIT,
        shadows=4,
        attacks=("trajectory",),
        snapshots=course,
        limit=20,
        jobs=1,
        randomness=Randomness.simulated(3),
    )
    (found,) = audit.others
    assert found.estimates["auc"].low > 0.5
    assert found.details["records_left_out"] == 0  # parts of the records would make other trainings
    assert audit.record.body["others"] == [found.as_dict()]


def alarms(seeds, leak):
    count = 0
    for seed in seeds:
        members, others = labelled(seed, 60)
        trainer = Plain((0.0, leak, 0.0))
        course = watched(trainer, members, 3)
        case = case_of(course[-1], members, others, confidence=0.8, seed=seed)
        blank = dataclasses.replace(Trajectory(snapshots=course, trainer=trainer, shadows=2))
        (found,) = findings_without_shadows(case, [blank])
        count += not found.estimates["auc"].contains(0.5)
    return count


@pytest.mark.slow
def test_courses_of_a_training_without_a_leak_seldom_accuse_it():
    """At 80 % confidence, more than `most` of 60 intervals off chance have probability 1e-6; a leak is noticed."""
    most = binom.ppf(1 - 1e-6, 60, 0.2)
    assert alarms(range(60), 0.0) <= most
    assert alarms(range(60), 2.0) > most


@pytest.mark.parametrize(
    ("snapshots", "trainer", "reason"),
    [
        ((), Plain((0.0, 0.0)), "without snapshots"),
        ("course", None, "no trainer was given"),
        ("course", lambda records, randomness: None, "it has no method snapshots"),
        ("other", Plain((0.0, 9.0)), "does not answer like the model"),
    ],
)
def test_where_it_cannot_be_run_it_says_why(snapshots, trainer, reason):
    members, others = labelled(4, 30)
    course = watched(Plain((0.0, 1.0)), members, 2)
    given = {"course": course, "other": watched(Plain((0.0, 9.0)), members, 2), (): ()}[snapshots]
    case = case_of(course[-1], members, others)
    gap, found = findings_without_shadows(case, [Gap(), Trajectory(snapshots=given, trainer=trainer)])
    assert (gap.status, found.status) == (Status.EXECUTED, Status.NOT_RUN)
    assert reason in found.reason
    assert gap.details["attacks_sharing_the_confidence"] == 1


def test_a_trainer_that_gives_too_few_snapshots_is_refused():
    members, others = labelled(5, 30)
    course = watched(Plain((0.0, 1.0, 0.5)), members, 3)
    case = case_of(course[-1], members, others)
    with pytest.raises(UsageError, match="Expected 3 snapshots from the trainer, got 2"):
        findings_without_shadows(case, [Trajectory(snapshots=course, trainer=Plain((0.0, 1.0)))])


def test_snapshots_that_mean_nothing_are_refused_by_the_front_door():
    members, others = labelled(6, 30)
    course = watched(Plain((0.0, 1.0)), members, 2)
    for options, message in (
        ({"snapshots": course}, "snapshots for the attack"),
        ({"snapshots": net(), "attacks": ("trajectory",)}, "Expected a list of snapshots, got Sequential"),
    ):
        with pytest.raises(UsageError, match=message):
            rt.audit(course[-1], members, others, **options)


# Quantile -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_records_are_compared_with_records_like_them():
    """What is easy for any model hides the members from an attacker who does not know what to expect."""
    source = Randomness.simulated(7)
    x = source.normal((1200, 2)).astype(np.float32)
    records = Records(x, np.arange(1200) % 10 > 0)
    members, others = records.take(range(600)), records.take(range(600, 1200))
    known = {row.tobytes() for row in members.features}

    def model(features):
        extra = 1.5 * np.array([row.tobytes() in known for row in features])
        return np.column_stack([np.zeros(len(features)), 8 * features[:, 0] + extra])

    case = case_of(model, members, others)
    confidence, quantile, levels = findings_without_shadows(
        case, ["confidence", "quantile", Quantile("levels", kind="quantile")], limit=200
    )
    assert quantile.estimates["auc"].low > confidence.estimates["auc"].high
    assert levels.estimates["auc"].low > confidence.estimates["auc"].high
    assert confidence.details["records_left_out"] == 800
    assert (quantile.details["records_left_out"], quantile.details["queries"]) == (0, 1200)
    assert quantile.exposure == "logits"


def off_chance(seeds, gain):
    count = 0
    for seed in seeds:
        source = Randomness.simulated(seed)
        x = source.normal((300, 2)).astype(np.float32)
        records = Records(x, np.arange(300) % 10 > 0)
        members, others = records.take(range(150)), records.take(range(150, 300))
        known = {row.tobytes() for row in members.features}
        case = case_of(functools.partial(Plain.answer, known, gain), members, others, confidence=0.8, seed=seed)
        noisy = dataclasses.replace(
            case, signals=dataclasses.replace(case.signals, odds=case.signals.odds + source.normal((1, 300)))
        )
        (found,) = findings_without_shadows(noisy, ["quantile"])
        count += not found.estimates["auc"].contains(0.5)
    return count


@pytest.mark.slow
def test_models_without_a_leak_are_seldom_accused():
    """As above: what is expected is learned from non-members, and still they do not look more expected than members."""
    most = binom.ppf(1 - 1e-6, 40, 0.2)
    assert off_chance(range(40), 0.0) <= most
    assert off_chance(range(40), 2.0) > most


@pytest.mark.slow
def test_no_record_learns_from_its_own_membership():
    """To call a non-member a member changes what others are compared with, and not what it is compared with itself."""
    members, others = labelled(8)
    case = case_of(lambda x: np.column_stack([0 * x[:, 0], x[:, 0]]), members, others)
    truth = case.truth.copy()
    truth[250] = True
    first, second = (
        Quantile().scores(one, Randomness.simulated(1)) for one in (case, dataclasses.replace(case, truth=truth))
    )
    assert first[250] == second[250]
    assert (first != second).any()


@pytest.mark.slow
def test_owners_are_dealt_as_a_whole():
    """Copies of a non-member's row in another fold would say what to expect of it, and of no member."""
    source = Randomness.simulated(9)
    x = np.repeat(source.normal((200, 3)), 2, axis=0)
    signal = np.repeat(source.normal(200), 2)
    owners = np.repeat(np.arange(200), 2)
    records = Records(x, np.arange(400) // 2 % 10 > 0, owners=owners)
    case = case_of(
        lambda features: np.column_stack([0 * signal[: len(features)], signal[: len(features)]]),
        records.take(range(200)),
        records.take(range(200, 400)),
    )
    case = dataclasses.replace(case, signals=dataclasses.replace(case.signals, odds=signal[None]))
    scores = Quantile().scores(case, Randomness.simulated(2))
    np.testing.assert_array_equal(scores[::2], scores[1::2])
    alone = dataclasses.replace(case, pool=Records(x, case.pool.labels))
    apart = Quantile().scores(alone, Randomness.simulated(2))
    assert np.abs(apart[200:]).mean() < np.abs(scores[200:]).mean()


def test_too_few_non_members_to_learn_from():
    members, others = sides(10, 60)
    model = KNeighborsClassifier(1).fit(members.features, members.labels)
    (found,) = findings_without_shadows(case_of(model, members, others, blind=CHANCE), ["quantile"])
    assert (found.status, found.reason) == (
        Status.NOT_RUN,
        "it takes 100 non-members to learn from, and there are 60",
    )
