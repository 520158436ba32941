"""`reticent anonymise`, as a program."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from reticent.cli import app
from reticent.data.anonymity import Key, measures
from reticent.data.tables import Table, read
from reticent.errors import DataError, NotEnoughEvidence, UsageError

RUN = CliRunner()


@pytest.fixture
def people(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    table = Table.of(
        {
            "id": [f"p{i}" for i in range(300)],
            "age": rng.integers(20, 60, 300),
            "zip": [f"{one:05d}" for one in rng.integers(2100, 2110, 300)],
            "job": rng.choice(["nurse", "doctor", "clerk"], 300),
            "illness": rng.choice(["flu", "cold"], 300),
        }
    )
    return table.save(tmp_path / "people.csv")


def run(*arguments: object) -> tuple[int, str]:
    found = RUN.invoke(app, ["anonymise", *map(str, arguments)])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.output


def test_a_table_a_page_and_new_rows(people: Path, tmp_path: Path) -> None:
    out, page, fit = tmp_path / "out.csv", tmp_path / "out.html", tmp_path / "fit.json"
    code, said = run(
        people, "--quasi", "age,zip", "--sensitive", "illness", "--k", 4, "--l", 2, "--drop", "id",
        "--hierarchy", "age=widths:5,10,20", "--hierarchy", "zip=prefixes:4,3", "--attacker", "neighbour=age",
        "--to", out, "--output", page, "--save", fit,
    )  # fmt: skip
    assert code == 0
    assert "neighbour" in said
    table = read(out)
    assert measures(table, quasi=["age", "zip"], sensitive=["illness"]).k >= 4
    assert "id" not in table
    assert page.read_text().startswith("<!DOCTYPE html>")
    again = tmp_path / "again.csv"
    assert run(people, "--apply", fit, "--to", again)[0] == 0
    assert again.read_bytes() == out.read_bytes()
    before = out.read_bytes()
    with pytest.raises(UsageError, match="new file"):
        run(people, "--quasi", "age", "--to", out)
    assert out.read_bytes() == before


def test_limits_decide_the_exit_code(people: Path) -> None:
    quasi = ("--quasi", "age,zip,job", "--measure")
    assert run(people, *quasi)[0] == 0
    assert run(people, *quasi, "--max-risk", 0.5)[0] == 1
    assert run(people, *quasi, "--min-k", 2)[0] == 1
    assert run(people, "--quasi", "job", "--measure", "--min-k", 2, "--max-risk", 0.5)[0] == 0
    with pytest.raises(NotEnoughEvidence) as raised:
        run(people, "--quasi", "age", "--k", 301)
    assert raised.value.exit_code == 3


@pytest.mark.slow
def test_json_and_an_estimate(people: Path) -> None:
    code, said = run(people, "--quasi", "age,zip", "--measure", "--population", 5_000, "--json")
    assert code == 0
    body = json.loads(said)
    assert body["measures"]["rows"] == 300
    assert body["uniqueness"]
    code, said = run(people, "--quasi", "age,zip", "--json", "--method", "mondrian", "--population", people)
    assert json.loads(said)["after"]["attackers"][0]["population"] == 300


def test_trees_and_pseudonyms(people: Path, tmp_path: Path) -> None:
    tree, key, out = tmp_path / "jobs.csv", tmp_path / "key", tmp_path / "out.parquet"
    tree.write_text("nurse,health\ndoctor,health\nclerk,office\n")
    common = (
        people,
        "--quasi",
        "job",
        "--k",
        120,
        "--suppression",
        0.5,
        "--tree",
        f"job={tree}",
        "--pseudonymise",
        "id",
    )
    code, said = run(*common, "--key", key, "--to", out)
    assert code == 0
    assert "personal data" in said.replace("\n", " ")
    assert key.read_text().strip() not in said + out.read_bytes().hex()
    assert set(read(out)["job"].values) <= {"health", "office", "*"}
    assert len(read(out)["id"].values[0]) == 32
    run(*common, "--key", key, "--to", tmp_path / "twice.parquet")
    assert read(tmp_path / "twice.parquet")["id"].values.tolist() == read(out)["id"].values.tolist()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--quasi", "age", "--measure", "--to", "x.csv"),
        ("--quasi", "age", "--min-k", "2"),
        ("--quasi", "age", "--attacker", "neighbour"),
        ("--quasi", "age", "--hierarchy", "age=tall:3"),
        ("--quasi", "age", "--tree", "age=nowhere.csv"),
        ("--quasi", "age", "--pseudonymise", "id", "--key", "k"),
        ("--quasi", "age", "--key", "k", "--to", "x.csv"),
        ("--quasi", "nothing"),
        ("--apply", "nowhere.json"),
    ],
)
def test_what_is_refused(people: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(people.parent)
    with pytest.raises(UsageError):
        run(people, *arguments)
    assert sorted(one.name for one in people.parent.iterdir()) == ["people.csv"]


def test_new_rows_get_the_same_pseudonyms_or_are_not_given_out(people: Path, tmp_path: Path) -> None:
    key, fit, out = tmp_path / "key", tmp_path / "fit.json", tmp_path / "out.csv"
    asked = (people, "--quasi", "age,job", "--k", 3, "--hierarchy", "age=widths:20,40")
    code, said = run(*asked, "--pseudonymise", "id", "--key", key, "--to", out, "--save", fit, "--json")
    assert code == 0
    assert json.loads(said[said.index("{") : said.rindex("}") + 1])["pseudonyms"] == ["id"]
    new = tmp_path / "new.csv"
    for arguments, match in (
        ((), "got none"),
        (("--key", tmp_path / "nowhere"), "read a key"),
        (("--pseudonymise", "id", "--key", key), "pass --key alone"),
    ):
        with pytest.raises(UsageError, match=match):
            run(people, "--apply", fit, "--to", new, *arguments)
    Key.new().save(tmp_path / "other")
    with pytest.raises(UsageError, match="got another"):
        run(people, "--apply", fit, "--to", new, "--key", tmp_path / "other")
    assert not new.exists()
    assert run(people, "--apply", fit, "--to", new, "--key", key)[0] == 0
    assert new.read_bytes() == out.read_bytes()


def test_rows_that_are_left_out_and_columns_that_nobody_named_are_said(people: Path, tmp_path: Path) -> None:
    fit, new = tmp_path / "fit.json", tmp_path / "new.csv"
    assert run(people, "--quasi", "age,job", "--k", 5, "--drop", "id", "--save", fit)[0] == 0
    few = read(people).take(np.arange(200))
    few.replaced([few["id"].renamed("ssn")]).save(new)
    code, said = run(new, "--apply", fit, "--to", tmp_path / "out.csv", "--suppression", 1)
    assert code == 0
    assert "WARNING: columns that the fitted table did not have are left out: ssn" in said
    assert "ssn" not in read(tmp_path / "out.csv")
    code, said = run(new, "--apply", fit, "--to", tmp_path / "again.csv", "--suppression", 0)
    assert ("of 200 rows" in said) == (code == 1) == ("EXCEEDED: at most 0 %" in said)
    assert code == 1


def test_a_table_of_a_database_and_dates_written_in_several_ways(tmp_path: Path) -> None:
    days = [
        f"{1 + i % 28}.{1 + i % 12}.{1940 + i % 40}" if i % 2 else f"{1940 + i % 40}-0{1 + i % 9}-11"
        for i in range(200)
    ]
    with contextlib.closing(sqlite3.connect(tmp_path / "clinic.db")) as database:
        database.execute("create table visits (born text)")
        database.execute("create table wards (name text)")
        database.executemany("insert into visits values (?)", [(one,) for one in days])
        database.commit()
    address = f"sqlite:///{tmp_path}/clinic.db"
    with pytest.raises(UsageError, match="got 2: visits, wards") as raised:
        run(address, "--quasi", "born", "--measure")
    assert f"{address}#visits" in str(raised.value)
    with pytest.raises(UsageError, match="read by its address") as raised:
        run(tmp_path / "clinic.db", "--quasi", "born", "--measure")
    assert address in str(raised.value)
    with pytest.warns(UserWarning, match="could have the day or the month first"):
        code, _ = run(
            f"{address}#visits", "--quasi", "born", "--hierarchy", "born=dates:decade", "--to", tmp_path / "o.csv"
        )
    assert code == 0
    assert set(read(tmp_path / "o.csv")["born"].values) == {"1940s", "1950s", "1960s", "1970s"}
    with pytest.raises(DataError, match=r"dates in column 'born' .* got text \(200 of 200 cells look like dates"):
        run(f"{address}#visits", "--quasi", "born", "--hierarchy", "born=dates:decade", "--kind", "born=text")
