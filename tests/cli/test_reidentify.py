"""`reticent reidentify`: results, gates, and nothing written over."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import typer

from reticent.cli import main
from reticent.cli._reidentifying import judge
from reticent.data.ratings import simulated_ratings
from reticent.data.tables import Table
from reticent.evidence import Record
from reticent.evidence.intervals import rate
from reticent.randomness import Randomness

QUICK = ("--targets", "50", "--calibration", "40", "--level", "0.05", "--seed", "1", "--known", "2,6", "--within", "14")


class Answer(NamedTuple):
    code: int
    out: str
    err: str


Ask = Callable[..., Answer]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("RETICENT_CACHE", str(tmp_path / "cache"))

    def call(*words: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["reticent", "reidentify", *words])
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        said = capsys.readouterr()
        return Answer(int(code), re.sub(r" ?\n(?=\S)", " ", said.out), said.err)  # however wide the console is

    return call


@pytest.fixture
def films(tmp_path: Path) -> str:
    made = simulated_ratings(300, 80, 6000, Randomness.simulated(1), days=300)
    assert made.scores is not None
    assert made.days is not None
    day = (made.days.astype("timedelta64[D]") + np.datetime64("2005-01-01")).astype("datetime64[us]")
    table = Table.of(
        {"person": made.people, "item": made.items_of_ratings(), "rating": made.values[made.scores], "date": day}
    )
    return str(table.save(tmp_path / "films.parquet"))


@pytest.mark.slow
def test_ratings_give_a_record_and_a_page(ask: Ask, films: str, tmp_path: Path) -> None:
    done = ask("ratings", films, *QUICK, "--release", "month", "--release", "groups:5", "--output", "found.html")
    assert done.code == 0, done.err
    assert "re-identified by an attacker who knows" in done.out
    assert "3 releases" in done.err
    assert "<svg" in (tmp_path / "found.html").read_text()
    again = ask("ratings", films, *QUICK, "--output", "found.html")
    assert (again.code, "which exists" in again.err) == (2, True)
    as_json = ask("ratings", films, *QUICK, "--json", "--output", "found.json")
    body = json.loads(as_json.out)["body"]
    assert [row["knowledge"]["items"] for row in body["rows"]] == [2, 6]
    assert Record.from_json((tmp_path / "found.json").read_bytes()).body == body


def test_gates_are_exit_codes(ask: Ask, films: str) -> None:
    assert ask("ratings", films, *QUICK, "--at-most", "0.05").code == 1
    assert ask("ratings", films, *QUICK, "--at-most", "1").code == 0
    few = ("--targets", "3", "--calibration", "40", "--level", "0.05", "--seed", "1", "--known", "6", "--within", "14")
    assert ask("ratings", films, *few, "--at-most", "0.9").code == 3
    assert ask("ratings", films, "--targets", "300", "--calibration", "40", "--seed", "1").code == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--release", "decade"), "release"),
        (("--release", "groups"), "Expected 1 numbers"),
        (("--release", "km:5"), "Expected 2 numbers"),
        (("--release", "km:five,2"), "whole numbers"),
        (("--known", "two"), "known='two'"),
        (("--date", "whenn"), "column"),
        (("--at-most", "3"), "at_most"),
    ],
)
def test_what_cannot_be_meant_is_refused(ask: Ask, films: str, words: tuple[str, ...], said: str) -> None:
    done = ask("ratings", films, *QUICK, *words)
    assert (done.code, said in done.err) == (2, True), done.err


def test_every_release_can_be_asked_for(ask: Ask, films: str) -> None:
    asked = ("week", "year", "no-dates", "noise", "common:5", "half-ratings", "half-people", "km:3,1", "km-items:3,2")
    words = [word for one in asked for word in ("--release", one)]
    few = ("--targets", "40", "--calibration", "30", "--level", "0.1", "--seed", "1", "--known", "2", "--within", "14")
    done = ask("ratings", films, *few, *words, "--json")
    assert done.code == 0, done.err
    assert len(json.loads(done.out)["body"]["releases"]) == 10


def test_ratings_without_dates_and_values(ask: Ask, tmp_path: Path) -> None:
    made = simulated_ratings(200, 60, 4000, Randomness.simulated(1))
    Table.of({"person": made.people, "item": made.items_of_ratings()}).save(tmp_path / "bare.csv")
    done = ask("ratings", "bare.csv", "--rating", "", "--date", "", *QUICK, "--json")
    assert done.code == 0, done.err
    assert "no dates" in json.loads(done.out)["body"]["rows"][0]["knowledge"]["text"]


def test_unicity_of_traces_and_rows(ask: Ask, tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    trips = {"who": np.repeat(np.arange(60), 8), "where": draw.integers(0, 9, 480), "hour": draw.integers(0, 99, 480)}
    Table.of(trips).save(tmp_path / "trips.csv")
    done = ask("unicity", "trips.csv", "--person", "who", "--precision", "hour=24,where=3", "--points", "1,4", "--json")
    assert done.code == 0, done.err
    curves = json.loads(done.out)["body"]["curves"]
    assert [curve["name"] for curve in curves] == ["as it is", "hour=24,where=3"]
    rows = ask("unicity", "trips.csv", "--columns", "where,hour", "--at-most", "0.01", "--seed", "1")
    assert rows.code == 1
    assert "are alone with 2 of their points" in rows.out
    assert ask("unicity", "trips.csv", "--precision", "hour").code == 2


def test_singling_out(ask: Ask, tmp_path: Path) -> None:
    draw = np.random.default_rng(1)

    def people(rows: int) -> Table:
        return Table.of({f"a{i}": draw.integers(0, 30, rows) for i in range(5)})

    for name, rows in (("secret", 100), ("others", 9000), ("few", 200)):
        people(rows).save(tmp_path / f"{name}.csv")
    words = ("singling-out", "secret.csv", "secret.csv")
    done = ask(*words, "others.csv", "--attempts", "40", "--seed", "1", "--at-most", "0.1", "--output", "s.html")
    assert done.code == 1, done.err
    assert "single out one of 100 people" in done.out
    assert ask(*words, "few.csv", "--attempts", "40", "--seed", "1").code == 3


def test_a_limit_is_not_kept_to_by_attempts_that_nobody_could_weigh(ask: Ask, tmp_path: Path) -> None:
    Table.of({"a": [f"x{i}" for i in range(100)]}).save(tmp_path / "secret.csv")
    # One value is seen nowhere else; the others weigh 3 in 15,000 each: too seldom to be shown to be much or little.
    others = [f"x{i}" for i in range(1, 100)] * 12
    Table.of({"a": [*others, *["z"] * (15_000 - len(others))]}).save(tmp_path / "others.csv")
    words = ("singling-out", "secret.csv", "secret.csv", "others.csv", "--attempts", "100", "--seed", "1")
    done = ask(*words, "--at-most", "0.1")
    assert (done.code, "NOT RESOLVABLE" in done.err) == (3, True)
    assert ask(*words, "--at-most", "1").code == 0


def test_one_of_many_shares_is_exceeded_only_beyond_what_so_many_reach() -> None:
    """A share of 10 % each, measured 60 times on 600: in most runs the lower end of one of them is above 10 %."""
    draw, exits = np.random.default_rng(2), {1: 0, 3: 0}
    for _ in range(200):
        shares = [rate(int(count), 600, method="shares") for count in draw.binomial(600, 0.1, 60)]
        with pytest.raises(typer.Exit) as stopped:
            judge(shares, 0.1)
        exits[stopped.value.exit_code] += 1
    assert exits[1] < 200 * 0.05 + 6 * (200 * 0.05 * 0.95) ** 0.5  # one by one it would be 2.5 % of 60: three in four


def test_help_has_examples(ask: Ask) -> None:
    for command in ("ratings", "unicity", "singling-out"):
        done = ask(command, "--help")
        assert done.code == 0
        assert "Example: reticent reidentify" in " ".join(done.out.split())
