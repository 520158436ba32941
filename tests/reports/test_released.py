"""The page of a release that somebody made says what was counted, and no more."""

from __future__ import annotations

import re

import pytest

from reticent.attacks.reidentification import Knowledge
from reticent.audits.reidentification import reidentify_given
from reticent.data.ratings import Columns, read_given, simulated_ratings
from reticent.evidence import Record
from reticent.randomness import Randomness
from reticent.reports import render, sentences_of
from reticent.reports.released import page, sentences


@pytest.fixture(scope="module", params=["kept", None])
def record(request: pytest.FixtureRequest) -> Record:
    made = simulated_ratings(120, 60, 2400, Randomness.simulated(1))
    cells = {"person": made.people, "item": made.items_of_ratings(), "rating": made.scores, "date": made.days}
    read = read_given(cells, cells, request.param, columns=Columns(dates_are="days"), name="<b>given</b>")
    asked = [Knowledge(2, days=3), Knowledge(4, days=3), Knowledge(4, days=None)]
    found = reidentify_given(
        read, knowledge=asked, targets=40, calibration=40, level=0.05, randomness=Randomness.simulated(2)
    )
    return found.record()


def test_every_share_is_on_the_page_with_its_interval(record: Record) -> None:
    text = page(record)
    assert text == render(record)
    assert "<script" not in text
    assert "<b>given</b>" not in text  # a name is text
    known = record.body["truth"] != "unknown"
    assert ("re-identified were" in text or "were re-identified" in text) == known
    assert len(re.findall(r"<svg", text)) == 2  # one for dates within 3 days, one for none
    for row in record.body["rows"]:
        for one in row["finding"]["estimates"].values():
            assert one["low"] <= one["value"] <= one["high"]
    assert text.count("Strangers") >= 1


def test_sentences_end_with_what_was_understood_and_what_could_be_seen(record: Record) -> None:
    said = sentences(record.body)
    assert said == sentences_of(record)
    assert said[-2] == record.body["release"]["meaning"]
    assert "40 were tried" in said[-1]
