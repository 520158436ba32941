"""The page of a synthetic table: every figure with its interval, nothing of a cell, nothing unescaped."""

from __future__ import annotations

import copy
import dataclasses
import re

import numpy as np
import pytest
from tests.audits.synthetic.generators import interpolating, marginals, people

from reticent.audits.synthetic import audit_release
from reticent.data.tables import Table
from reticent.evidence import Record
from reticent.randomness import Randomness
from reticent.reports import render, sentences_of
from reticent.reports.synthetic import lines


def record(make, **settings) -> Record:
    rng = np.random.default_rng(0)
    source, control = people(120, rng), people(240, rng)
    return audit_release(
        make(source, 1),
        source=source,
        control=control,
        secrets=["job"],
        predicates=100,
        randomness=Randomness.simulated(1),
        **settings,
    ).record()


@pytest.fixture(scope="module")
def found() -> Record:
    return record(interpolating, name="a <b>release</b>", generator=interpolating, generations=4)


def test_the_page_is_one_file_that_runs_nothing(found: Record) -> None:
    page = render(found)
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert "a <b>release</b>" not in page
    assert "a &lt;b&gt;release&lt;/b&gt;" in page
    assert len(page) < 300_000


def test_every_figure_has_its_interval_and_its_baseline(found: Record) -> None:
    page = render(found)
    for one in found.body["findings"]:
        assert one["attack"] in page
        for value in (*one["estimates"].values(), *one["baseline"].values()):
            assert value["low"] <= value["value"] <= value["high"]
    assert len(re.findall(r"<svg", page)) == 2
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert "no test of privacy" in page
    assert "adjusted after Holm" in page


def test_no_cell_is_shown(found: Record) -> None:
    rng = np.random.default_rng(0)
    incomes = {str(int(value)) for value in people(120, rng)["income"].values}
    assert not incomes & set(re.findall(r"\b\d{5,}\b", re.sub(r"<svg.*?</svg>", "", render(found), flags=re.DOTALL)))


def test_sentences_and_lines(found: Record) -> None:
    said = sentences_of(found)
    assert "gives away rows" in said[0]
    assert "guessing gives 50 %" in said[1]
    assert all(len(line) == 4 for line in lines(found.body))
    quiet = sentences_of(record(marginals))
    assert quiet[0].startswith("No leak about the source was found")
    assert "100.0" not in quiet[0]


def test_a_reversed_difference_keeps_its_sign() -> None:
    """A release made from the control: attacks do better on controls, and the page says so."""
    rng = np.random.default_rng(2)
    source, control = people(150, rng), people(150, rng)
    twice = Table.of({name: [*control[name].cells()] for name in control.names})
    audit = audit_release(
        twice,
        source=source,
        control=control,
        reference=people(150, rng),
        secrets=["job"],
        predicates=100,
        randomness=Randomness.simulated(1),
    )
    assert audit.found == ()
    assert {"membership by calibrated distance", "copies"} <= set(audit.reversed)
    page = render(audit.record())
    assert "did better on controls than on members" in page
    assert re.search(r"-\d+\.\d points \(-\d+\.\d to -\d+\.\d", page)


def test_of_many_guessed_columns_the_most_telling_come_first_and_the_others_are_folded(found: Record) -> None:
    body = copy.deepcopy(dict(found.body))
    body["tests"], start = list(body["tests"]), "attribute inference of "
    (guess,) = (one for one in body["findings"] if one["attack"].startswith(start))
    (test, *_) = (one for one in body["tests"] if one["attack"] == guess["attack"])
    body["findings"] = [one for one in body["findings"] if one is not guess]
    body["findings"] += [guess | {"attack": f"{start}c{place:02}"} for place in range(20)]
    body["tests"] += [test | {"attack": f"{start}c{place:02}", "p_adjusted": 1 - place / 20} for place in range(20)]

    said = [line for line in lines(body) if line[0].startswith(start)]
    assert [line[0].removeprefix(start) for line in said] == [f"c{place:02}" for place in range(8, 20)] + [
        "8 other columns"
    ]
    assert said[-1][3] == "0.65 or more"

    page = render(dataclasses.replace(found, body=body))
    secrets = page[page.index("<h2>Secrets and links") :]
    before, fold = secrets[: secrets.index("<details>")], secrets[secrets.index("<details>") :]
    assert f"{start}c19" in before
    assert f"{start}c00" not in before
    assert f"{start}c00" in fold


def test_the_sentence_of_a_release_that_copies_says_how_many(found: Record) -> None:
    leaking = record(lambda source, _: Table.of({name: source[name].cells()[:60] for name in source.names}))
    assert "copies" in leaking.body["found"]
    (told,) = (one for one in sentences_of(leaking) if one.startswith("Shown one row"))
    assert "Copies: copied" in told
