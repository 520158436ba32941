"""A release of somebody else: found as often as one of our own, and nothing said of what nobody can tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reticent.attacks.reidentification import Knowledge, Likelihood, Method, Scoreboard, ScoreboardRH
from reticent.audits.reidentification import reidentify, reidentify_given
from reticent.data.ratings import Columns, Given, Ratings, Release, read_given, releases, simulated_ratings
from reticent.errors import NotEnoughEvidence
from reticent.evidence import Record
from reticent.randomness import Randomness
from reticent.reports import render, sentences_of

MADE = simulated_ratings(600, 200, 24_000, Randomness.simulated(1))
COLUMNS = Columns(dates_are="days")
FEW: dict[str, Any] = {"targets": 150, "calibration": 120, "level": 0.02, "knowledge": [Knowledge(6, days=14)]}
ORDER = np.random.default_rng(5).permutation(600)  # the pseudonym of each person


def cells(ratings: Ratings, names: np.ndarray | None = None) -> dict[str, Any]:
    assert ratings.scores is not None
    found = {
        "person": ratings.people if names is None else names[ratings.people],
        "item": ratings.items_of_ratings(),
        "rating": ratings.values[ratings.scores],
    }
    return found if ratings.days is None else {**found, "date": ratings.days.astype(int) + ratings.first_day}


def given(release: Release, *, known: bool = True) -> Given:
    truth = {"pseudonym": ORDER, "person": np.arange(600)}
    theirs = COLUMNS if release.ratings.days is not None else Columns(date=None)
    return read_given(
        cells(MADE), cells(release.ratings, ORDER), truth if known else None, columns=COLUMNS, released_columns=theirs
    )


@pytest.mark.slow
def test_a_file_is_found_in_as_often_as_the_release_it_came_from() -> None:
    for release in (releases.as_it_is(MADE), releases.with_dates(MADE, "month"), releases.with_dates(MADE, "none")):
        read = given(release)
        assert read.release.blur.period == release.blur.period
        ours = reidentify(MADE, [release], randomness=Randomness.simulated(3), **FEW).rows[0].finding
        theirs = reidentify_given(read, randomness=Randomness.simulated(3), **FEW).rows[0].finding
        for name in ("re-identified", "best fit is right"):
            one, two = ours.estimates[name], theirs.estimates[name]
            assert one.low <= two.high, (release.name, name)
            assert two.low <= one.high, (release.name, name)
    assert theirs.estimates["re-identified"].low > theirs.baseline["re-identified"].value


@pytest.mark.slow
def test_people_who_are_not_in_it_are_looked_for_in_vain() -> None:
    """A threshold that names 2 % of absent people names few of 150 who are outside: five times as many never."""
    half = releases.sampled(MADE, 0.5, Randomness.simulated(2), of="people")
    found = reidentify_given(given(half), randomness=Randomness.simulated(4), **{**FEW, "calibration": 100})
    (row,) = found.rows
    assert row.outside is not None
    assert row.outside.n == 150
    assert row.outside.value < 0.1
    assert row.finding.estimates["re-identified"].low > 0.5  # of those who are in it, and not of everybody
    assert 250 < found.data["people known not to be in it"] < 350
    everybody = reidentify_given(given(releases.as_it_is(MADE)), randomness=Randomness.simulated(4), **FEW)
    assert everybody.rows[0].outside is None
    assert "people who are really not in it" in everybody.as_dict()["not_tested"]


def test_without_a_truth_nothing_is_said_to_be_found() -> None:
    found = reidentify_given(
        given(releases.with_dates(MADE, "month"), known=False), randomness=Randomness.simulated(5), **FEW
    )
    (row,) = found.rows
    assert set(row.finding.estimates) == {"named", "named though absent"}
    assert row.finding.estimates["named"].low > row.finding.baseline["named"].high
    assert row.finding.estimates["named though absent"].value < 0.1
    record = found.record()
    assert Record.from_json(record.to_json()).body == record.body
    assert "how many names are right" in record.body["not_tested"]
    said = " ".join(sentences_of(record))
    assert "Truth unknown" in said
    assert "were re-identified" not in said
    assert "were re-identified" not in render(record)


def test_people_whom_a_strange_release_does_not_have_are_named_as_rarely_as_stand_ins() -> None:
    """The stand-ins' rate is that of people who really are not there, where both are drawn alike."""
    inside = np.zeros(600, dtype=bool)
    inside[:300] = True
    theirs = releases.as_it_is(MADE.keeping(inside[MADE.people]))
    others = MADE.keeping(~inside[MADE.people])
    read = read_given(cells(others), cells(theirs.ratings, ORDER), None, columns=COLUMNS)
    few = {**FEW, "targets": 110, "calibration": 110, "level": 0.05}
    (row,) = reidentify_given(read, randomness=Randomness.simulated(6), **few).rows
    named, stand_ins = row.finding.estimates["named"], row.finding.estimates["named though absent"]
    assert named.low <= stand_ins.high
    assert named.value < 0.3  # beside the 80 % and more whom it would name if they were there


@pytest.mark.slow
def test_the_same_seed_gives_the_same_figures() -> None:
    for known in (True, False):
        read = given(releases.as_it_is(MADE), known=known)
        one, two = (reidentify_given(read, randomness=Randomness.simulated(7), **FEW).as_dict() for _ in range(2))
        assert one == two


@pytest.mark.slow
def test_gaps_take_away_less_than_the_whole_rating() -> None:
    """Half of the dates and half of the values are missing: more is found than if all were, and fewer than if none."""
    whole = cells(MADE, ORDER)
    draw = np.random.default_rng(8)
    holes = {**whole}
    for name in ("rating", "date"):
        holes[name] = [
            None if gone else float(one) for one, gone in zip(whole[name], draw.random(len(MADE)) < 0.5, strict=True)
        ]
    truth = {"pseudonym": ORDER, "person": np.arange(600)}
    shares = []
    for made, columns in ((whole, COLUMNS), (holes, COLUMNS), (whole, Columns(rating=None, date=None))):
        read = read_given(cells(MADE), made, truth, columns=COLUMNS, released_columns=columns)
        (row,) = reidentify_given(read, randomness=Randomness.simulated(9), **FEW).rows
        shares.append(row.finding.estimates["re-identified"])
    assert shares[0].value > shares[1].value > shares[2].value
    assert shares[1].low > shares[2].high


def test_too_few_people_are_said_to_be_too_few() -> None:
    for known in (True, False):
        with pytest.raises(NotEnoughEvidence, match="with enough ratings"):
            reidentify_given(
                given(releases.as_it_is(MADE), known=known), targets=900, randomness=Randomness.simulated(1)
            )


@pytest.mark.parametrize("method", [Scoreboard(), ScoreboardRH(), Likelihood(0.4)], ids=lambda one: one.name)
def test_few_distinct_scores_do_not_name_strangers(method: Method) -> None:
    """With items alone many fits are equally clear, but for a row more or less: such a tie must not name anybody."""
    inside = np.arange(600) < 300
    parts = [cells(MADE.keeping(who[MADE.people])) for who in (~inside, inside)]
    bare = Columns(rating=None, date=None)
    read = read_given(*parts, None, columns=bare)
    asked = {**FEW, "knowledge": [Knowledge(8, days=None)], "targets": 120, "calibration": 100, "level": 0.05}
    (row,) = reidentify_given(read, methods=[method], randomness=Randomness.simulated(10), **asked).rows
    named, stand_ins = row.finding.estimates["named"], row.finding.estimates["named though absent"]
    assert named.low <= stand_ins.high
