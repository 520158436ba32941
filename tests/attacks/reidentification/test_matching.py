"""Decisions and lineups are what sorting all scores gives; absent people are not found, and ties are fair."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.attacks.reidentification import (
    CANDIDATES,
    Knowledge,
    Known,
    Likelihood,
    Method,
    ScoreboardRH,
    learned,
    match,
)
from reticent.data.ratings import Ratings, Release, releases, simulated_ratings
from reticent.data.ratings.store import Block, assembled
from reticent.errors import UsageError
from reticent.randomness import Randomness

MADE = simulated_ratings(80, 30, 900, Randomness.simulated(1), days=200)
KNOWN = Knowledge(4, days=5)
TARGETS = np.flatnonzero(MADE.sizes >= 4)[:25]
AUX = learned(MADE, TARGETS, KNOWN, Randomness.simulated(2))
HALF = releases.sampled(MADE, 0.6, Randomness.simulated(3), of="people")


@pytest.mark.parametrize("absent", [False, True])
@pytest.mark.parametrize("release", [releases.as_it_is(MADE), HALF], ids=lambda one: one.name)
def test_scoreboard_decisions_are_those_of_all_scores(release: Release, absent: bool) -> None:
    found = match(release, TARGETS, AUX, KNOWN, ScoreboardRH(), Randomness.simulated(4), absent=absent)
    scorer = ScoreboardRH().prepared(release, KNOWN)
    there = np.flatnonzero(release.ratings.sizes > 0)
    assert AUX.days is not None
    for row, target in enumerate(TARGETS.tolist()):
        people = there[there != target] if absent else there
        every = scorer.scores(AUX.items[row], AUX.scores[row], AUX.days[row], without=target if absent else -1)
        scores = every[people].astype(np.float64)
        if absent and target in there:
            scores = np.append(scores, 0.0)  # a row that fits nothing, in the place of the target's
        best, second = np.sort(scores)[::-1][:2]
        assert found.clear[row] == pytest.approx((best - second) / scores.std(), rel=1e-4, abs=1e-4)
        lineup = np.exp((scores - best) / scores.std())
        lineup /= lineup.sum()
        assert found.bits[row] == pytest.approx(-(lineup * np.log2(lineup)).sum(), rel=1e-4)
        if target in people:
            own = scores[people == target][0]
            above, alike = (scores > own).sum(), (scores == own).sum()
            assert above < found.place[row] <= above + alike
            assert found.mass[row] == pytest.approx(lineup[people == target][0], rel=1e-4)
        else:
            assert found.place[row] == 0
            assert found.mass[row] == 0


@pytest.mark.parametrize("absent", [False, True])
def test_odds_are_against_everybody_and_against_not_being_there(absent: bool) -> None:
    method = Likelihood(0.1)
    found = match(HALF, TARGETS, AUX, KNOWN, method, Randomness.simulated(4), absent=absent)
    scorer = method.prepared(HALF, KNOWN)
    there = np.flatnonzero(HALF.ratings.sizes > 0)
    assert AUX.days is not None
    for row, target in enumerate(TARGETS.tolist()):
        people = there[there != target] if absent else there
        every = scorer.scores(AUX.items[row], AUX.scores[row], AUX.days[row], without=target if absent else -1)
        ratios = np.exp(every[people])
        if absent and target in there:
            ratios = np.append(ratios, method.doubt**KNOWN.items)  # a row that fits nothing
        # prior: half that the target is not there, the other half shared by everybody
        posterior = ratios / (ratios.sum() + len(there))
        best = posterior.max()
        if best < 1 - 1e-9:
            assert found.clear[row] == pytest.approx(np.log(best / (1 - best)), abs=1e-4)
        else:
            assert found.clear[row] > 15


@pytest.mark.parametrize("method", CANDIDATES, ids=lambda one: one.name)
@pytest.mark.parametrize("knowledge", [KNOWN, Knowledge(2, days=None, values=False)], ids=lambda one: one.text)
def test_a_row_that_is_left_out_is_one_that_fits_nothing(method: Method, knowledge: Knowledge) -> None:
    """As clear as where the target never was, and somebody with as many ratings, of other items, is there instead."""
    known = learned(MADE, TARGETS, knowledge, Randomness.simulated(2))
    gone = match(releases.as_it_is(MADE), TARGETS, known, knowledge, method, Randomness.simulated(4), absent=True)
    assert MADE.scores is not None
    assert MADE.days is not None
    for row, target in enumerate(TARGETS.tolist()):
        items = MADE.items_of_ratings().astype(np.int64)
        own = np.flatnonzero(MADE.people == target)
        items[own] = MADE.item_count + np.arange(len(own))
        block = Block(MADE.people, items, MADE.scores, MADE.days)
        other = assembled(
            [block], values=MADE.values, first_day=MADE.first_day, count=MADE.count, items=MADE.item_count + len(own)
        )
        one = Known(*(None if part is None else part[[row]] for part in known))  # type: ignore[arg-type]
        seen = match(releases.as_it_is(other), [target], one, knowledge, method, Randomness.simulated(4))
        assert gone.clear[row] == pytest.approx(seen.clear[0], rel=1e-9, abs=1e-9)
        assert gone.bits[row] == pytest.approx(seen.bits[0], rel=1e-6, abs=1e-6)


def test_equal_rows_are_picked_alike_often() -> None:
    """Four people with the same row: each place one time in four, and never a clear match."""
    people, items = np.repeat(np.arange(6), 3), np.array([0, 1, 2] * 4 + [3, 4, 5] * 2)
    same = Ratings.of(people, items)
    knowledge = Knowledge(2, days=None)
    known = learned(same, [0], knowledge, Randomness.simulated(1))
    for method in (ScoreboardRH(), Likelihood(0.1)):
        coin = Randomness.simulated(5)
        found = [match(releases.as_it_is(same), [0], known, knowledge, method, coin) for _ in range(2000)]
        places = np.bincount([int(one.place[0]) for one in found], minlength=5)
        assert places[0] == 0
        assert len(places) == 5
        # 2000 draws of a quarter: 6 deviations are 116
        assert np.abs(places[1:] - 500).max() < 116
        assert max(one.clear[0] for one in found) <= 0


def test_a_planted_row_that_is_not_the_targets_is_found_when_the_target_is_absent() -> None:
    """The wrong-match rate sees wrong matches: a twin of each target is in the release."""
    twins = Ratings.of(
        np.concatenate((MADE.people, MADE.people + MADE.count)),
        np.tile(MADE.items_of_ratings(), 2),
        scores=np.tile(MADE.values[MADE.scores], 2),
        days=np.tile(MADE.days.astype(int) + MADE.first_day, 2),  # type: ignore[union-attr]
    )
    gone = match(releases.as_it_is(twins), TARGETS, AUX, KNOWN, ScoreboardRH(), Randomness.simulated(1), absent=True)
    alone = match(releases.as_it_is(MADE), TARGETS, AUX, KNOWN, ScoreboardRH(), Randomness.simulated(1), absent=True)
    assert np.median(gone.clear) > 2 * np.median(alone.clear)


def test_groups_are_found_as_groups() -> None:
    groups = np.arange(MADE.count) // 40
    release = Release("two halves", MADE, "", groups=groups)
    found = match(release, TARGETS, AUX, KNOWN, Likelihood(0.1), Randomness.simulated(1))
    right = found.place == 1
    assert found.own_group[right].all()
    assert right.mean() > 0.8


def test_nobody_cannot_be_mistaken() -> None:
    with pytest.raises(UsageError, match="at least two people"):
        match(
            releases.as_it_is(Ratings.of([0, 0], [0, 1], days=[1, 2])),
            [0],
            learned(Ratings.of([0, 0], [0, 1], days=[1, 2]), [0], Knowledge(1), Randomness.simulated(1)),
            Knowledge(1),
            ScoreboardRH(),
            Randomness.simulated(1),
        )
