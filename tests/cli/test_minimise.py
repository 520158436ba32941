"""`reticent minimise`: from a file to a page, a map and a smaller file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reticent.cli import main
from reticent.data.minimisation import Generalisation
from reticent.evidence import Record

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    draw = np.random.default_rng(0)
    age = draw.integers(18, 90, 2500)
    frame = pd.DataFrame({"age": age, "zip": [f"{k:05d}" for k in draw.integers(0, 900, 2500)], "ill": age > 60})
    frame.to_csv("people.csv", index=False)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["reticent", "minimise", *words])
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return int(code or 0), out, err

    return call


QUICK = ("people.csv", "--label", "ill", "--seed", "1", "--tolerance", "0.03", "--no-coarsen")


@pytest.mark.slow
def test_from_a_file_to_a_smaller_file(ask: Ask) -> None:
    names = ("--map", "less.json", "-o", "page.html", "-o", "record.json", "-o", "columns.csv")
    code, out, err = ask(*QUICK, "--prefer-dropping", "zip=2", *names)
    assert (code, err) == (0, "")
    assert "Confirmed" in out
    assert "had better go: 2" in out
    assert "Written: page.html" in out
    assert Record.from_json(Path("record.json").read_bytes()).kind == "minimisation"
    assert Path("columns.csv").read_text().startswith("column,needed,")
    assert Generalisation.load("less.json").dropped == ("zip",)
    code, out, err = ask("apply", "less.json", "people.csv", "-o", "less.csv")
    assert (code, out, err) == (0, "Written: less.csv, 2\u202f500 rows, 2 columns.\n", "")
    assert list(pd.read_csv("less.csv").columns) == ["age", "ill"]
    before = Path("page.html").read_bytes()
    code, _, err = ask(*QUICK, "-o", "page.html")
    assert (code, "--overwrite" in err) == (2, True)
    assert Path("page.html").read_bytes() == before
    code, _, err = ask("apply", "less.json", "people.csv", "-o", "less.csv")
    assert (code, "--overwrite" in err) == (2, True)
    code, out, _ = ask("apply", "less.json", "less.csv", "-o", "less.csv", "--overwrite", "--json")
    assert json.loads(out) == {"path": "less.csv", "rows": 2500, "columns": ["age", "ill"], "problems": []}


def test_the_record_as_json(ask: Ask) -> None:
    code, out, err = ask("find", *QUICK, "--keep", "zip", "--json")
    assert (code, err) == (0, "")
    body = json.loads(out)
    assert body["repeatable"]
    assert [one["why"] for one in body["columns"] if one["name"] == "zip"] == ["kept by request"]


@pytest.mark.slow
def test_what_cannot_be_told_ends_with_3(ask: Ask) -> None:
    code, out, err = ask("people.csv", "--label", "ill", "--tolerance", "0.001")
    assert (code, out) == (3, "")
    assert "at least 3838 people" in err
    frame = pd.read_csv("people.csv")
    draw = np.random.default_rng(1)
    chance = np.where(frame["age"] > 60, 0.7, 0.4)
    frame.assign(ill=draw.random(2500) < chance).to_csv("people.csv", index=False)
    code, out, _ = ask("people.csv", "--label", "ill", "--tolerance", "0.006", "--seed", "1", "--no-coarsen")
    assert code == 3
    assert "Not " in out


def test_what_is_refuted_ends_with_1(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    from reticent.data.minimisation import minimising

    monkeypatch.setattr(minimising, "status_of", lambda *_: "refuted")
    code, _, _ = ask(*QUICK, "--seconds", "0.001")
    assert code == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("people.csv",), "--label"),
        (("nowhere.csv", "--label", "ill"), "nowhere.csv"),
        (("people.csv", "--label", "il"), "il"),
        (("people.csv", "--label", "ill", "--prefer-dropping", "zip=x"), "a number as the weight of 'zip'"),
        (("people.csv", "--label", "ill", "-o", "page.pdf"), ".html"),
        (("apply", "people.csv", "people.csv", "-o", "x.csv"), "Expected"),
        (("apply", "nowhere.json", "people.csv", "-o", "x.csv"), "nowhere.json"),
    ],
)
def test_misuse_is_told_and_writes_nothing(ask: Ask, words: tuple[str, ...], says: str) -> None:
    code, out, err = ask(*words)
    assert (code, out) == (2, "")
    assert says in err
    assert sorted(path.name for path in Path().iterdir()) == ["people.csv"]


def test_one_hot_columns_come_together(ask: Ask) -> None:
    frame = pd.read_csv("people.csv", dtype={"zip": str})
    frame["zone"] = frame["zip"].str[2]
    pd.get_dummies(frame.drop(columns="zip"), columns=["zone"], dtype=int).to_csv("people.csv", index=False)
    code, out, _ = ask(*QUICK, "--regroup", "--json")
    assert code == 0
    assert [one["name"] for one in json.loads(out)["columns"]] == ["age", "zone"]
