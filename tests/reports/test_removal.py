"""Audits side by side: never without the control, nor without what follows."""

from __future__ import annotations

import math
from typing import Any

import pytest
from tests.audits.test_removal import Striking, audited

from reticent.reports import render, sentences_of
from reticent.reports.parts import parts_of, sentences_about
from reticent.reports.removal import about_removal, removal_table
from reticent.reports.tables import html
from reticent.reports.words import estimate


@pytest.fixture(scope="module")
def audit() -> Any:
    return audited(Striking(most=20))


@pytest.mark.slow
def test_three_audits_stand_side_by_side(audit: Any) -> None:
    table = removal_table(audit.record.body)
    everybody, without, control = table.rows
    assert (everybody[1], without[1], control[1]) == ("240", *2 * (str(240 - audit.removal.removed),))
    assert everybody[2] == str(audit.risks.count)
    assert everybody[3] == estimate(audit.repeated.estimates["auc"].as_dict())
    assert without[3] == estimate(audit.removal.auc.as_dict())
    assert without[4] == estimate(audit.removal.newly_listed.as_dict())
    assert control[4] == estimate(audit.removal.control.as_dict())
    value = audit.removal.difference
    low, high = math.floor(value.low * 1000) / 10, math.ceil(value.high * 1000) / 10  # outwards
    assert f"{value.value * 100:+.1f} points ({low:+.1f} to {high:+.1f}), p = " in without[5]
    assert f"the same {audit.removal.stayed} who stayed" in table.caption


@pytest.mark.slow
def test_the_page_and_the_sentences_say_that_it_protects_nobody(audit: Any) -> None:
    said = " ".join(sentences_of(audit.record))
    assert "put others in their place" in said
    assert "protects nobody reliably" in said
    page = render(audit.record)
    assert "If those at risk were taken out" in page
    assert html(removal_table(audit.record.body)) in page


@pytest.mark.slow
def test_what_was_asked_for_and_not_run_says_why() -> None:
    body = audited(Striking(above=10_000)).record.body
    (sentence,) = about_removal(body)
    assert sentence.startswith("Taking out those at risk: not run (")
    assert sentence in sentences_about(body)
    (part,) = [one for one in parts_of(body) if one.title == "If those at risk were taken out"]
    assert (part.sentences, part.figures) == ((sentence,), ())
