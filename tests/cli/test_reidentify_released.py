"""`reticent reidentify released`: the columns that are named, the gate, and what cannot be meant."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from reticent.cli import main
from reticent.data.ratings import simulated_ratings
from reticent.randomness import Randomness


class Answer(NamedTuple):
    code: int
    out: str
    err: str


Ask = Callable[..., Answer]

QUICK = (
    *("--person", "who", "--item", "film", "--rating", "stars", "--date", "when", "--released-person", "row"),
    *("--targets", "60", "--calibration", "50", "--level", "0.05", "--seed", "1", "--known", "6", "--within", "14"),
)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    """In a folder with an original, a release in months on a scale to 100, and the truth."""
    made = simulated_ratings(300, 80, 6000, Randomness.simulated(1))
    assert made.scores is not None
    assert made.days is not None
    when = (made.days.astype("timedelta64[D]") + np.datetime64("2003-01-01")).astype(str)
    cells = pd.DataFrame({"who": made.people, "film": made.items_of_ratings(), "stars": made.scores + 1, "when": when})
    cells.to_csv(tmp_path / "films.csv", index=False)
    names = np.random.default_rng(1).permutation(300)
    given = cells[cells.who < 200].assign(row=lambda one: names[one.who], when=lambda one: one.when.str[:7])
    given.assign(stars=given.stars * 20).drop(columns="who").to_parquet(tmp_path / "given.parquet", index=False)
    truth = pd.DataFrame({"pseudonym": names[:200], "person": np.arange(200)})
    truth.to_csv(tmp_path / "truth.csv", index=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["reticent", "reidentify", "released", "films.csv", "given.parquet", *words])
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        said = capsys.readouterr()
        return Answer(int(code), re.sub(r" ?\n(?=\S)", " ", said.out), said.err)

    return call


def test_with_a_truth_people_are_found(ask: Ask, tmp_path: Path) -> None:
    done = ask(*QUICK, "--truth", "truth.csv", "--output", "found.html")
    assert done.code == 0, done.err
    assert "of the people who are in the release were re-identified" in done.out
    assert "Dates are written as months" in done.err
    assert "For people who really are not in the release" in done.out
    assert "<svg" in (tmp_path / "found.html").read_text()
    assert ask(*QUICK, "--truth", "truth.csv", "--output", "found.html").code == 2
    body = json.loads(ask(*QUICK, "--truth", "truth.csv", "--json").out)["body"]
    assert body["data"]["people known not to be in it"] == 100
    assert body["release"]["blur"]["period"] == 31


def test_without_a_truth_nothing_is_said_of_who_is_found(ask: Ask) -> None:
    done = ask(*QUICK)
    assert done.code == 0, done.err
    assert "Truth unknown" in done.out
    assert "were re-identified" not in done.out
    refused = ask(*QUICK, "--at-most", "0.1")
    assert (refused.code, "--at-most with --truth only" in refused.err) == (2, True)


def test_the_gate_and_what_is_known_of_the_release(ask: Ask) -> None:
    known = ("--truth", "truth.csv", "--scale", "1=20,2=40,3=60,4=80,5=100", "--noise-days", "0", "--kept", "1")
    assert ask(*QUICK, *known, "--at-most", "0.01").code == 1
    assert ask(*QUICK, *known, "--at-most", "1").code == 0
    bare = ask(*QUICK, "--truth", "truth.csv", "--released-date", "", "--released-rating", "", "--json")
    assert json.loads(bare.out)["body"]["data"]["without a date"] > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--truth", "kept"), "are the released names really"),
        (("--truth", "truth.csv", "--truth-columns", "person"), "two columns"),
        (("--truth", "truth.csv", "--scale", "1"), "ORIGINAL=RELEASED"),
        (("--truth", "truth.csv", "--scale", "one=1"), "Expected a number"),
        (("--truth", "truth.csv", "--released-item", "movie"), "column"),
        (("--truth", "truth.csv", "--dates-stand-for", "noon"), "stands_for"),
        (
            (
                "--truth",
                "nothing.csv",
            ),
            "nothing.csv",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(ask: Ask, words: tuple[str, ...], said: str) -> None:
    done = ask(*QUICK, *words)
    assert done.code != 0
    assert said in done.err
