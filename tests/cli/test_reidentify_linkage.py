"""The linkage command, from files to exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from reticent.cli.reidentify_linkage import linkage
from reticent.data.tables import Column, Table, read
from reticent.errors import UsageError

RUN = CliRunner()
APP = typer.Typer()
APP.command()(linkage)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    generator = np.random.default_rng(3)
    row = np.arange(150)
    register = Table.of(
        {
            "id": [f"p{one}" for one in row],
            "zip": generator.integers(10_000, 10_200, 150),
            "year": generator.integers(1930, 2000, 150),
            "street": [f"street {one}" for one in generator.integers(0, 60, 150)],
        }
    )
    release = register.take(row[:90])
    return [str(release.save(tmp_path / "release.csv")), str(register.save(tmp_path / "register.csv"))]


@pytest.mark.slow
def test_links_a_page_and_a_limit(files: list[str], tmp_path: Path) -> None:
    page, links = tmp_path / "found.html", tmp_path / "links.csv"
    options = ["--truth", "id", "--seed", "1", "--output", str(page), "--links", str(links), "--at-most", "0.5"]
    done = RUN.invoke(APP, [*files, *options])
    assert done.exit_code == 1, done.output
    assert "Guessing finds 0.67 %" in " ".join(done.output.split())
    table = read(links)
    assert table.names == ("release", "register", "probability")
    assert (table["release"].cells() == table["register"].cells()).mean() > 0.95
    assert "<script" not in page.read_text("utf-8")


@pytest.mark.slow
def test_without_truth_the_record_is_inconclusive(files: list[str]) -> None:
    done = RUN.invoke(APP, [*files, "--columns", "zip,year,street", "--kind", "street=name", "--json"])
    body = json.loads(done.stdout)["body"]
    assert body["finding"]["status"] == "inconclusive"
    assert body["finding"]["details"]["fields"]["street"] == "name"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--effects"], "--truth"),
        (["--truth", "nobody"], "column of both tables or a file"),
        (["--truth-keys", "id"], "--truth only"),
        (["--without", "name"], "without"),
        (["--truth-pattern", "x"], "--truth only"),
        (["--kind", "zip"], "COLUMN=KIND"),
        (["--output", "found.pdf"], "ends in"),
        (["--columns", "name"], "column"),
    ],
)
def test_what_cannot_be_is_refused(files: list[str], options: list[str], text: str) -> None:
    done = RUN.invoke(APP, [*files, *options])
    assert isinstance(done.exception, UsageError)
    assert text in str(done.exception)


@pytest.mark.slow
def test_without_truth_a_limit_cannot_be_told(files: list[str]) -> None:
    done = RUN.invoke(APP, [*files, "--without", "id", "--at-most", "0.1"])
    assert done.exit_code == 3, done.output
    assert "NOT RESOLVABLE" in done.output
    assert "rows of release.csv were linked" in " ".join(done.output.split())


@pytest.mark.slow
def test_a_column_of_the_release_alone_is_no_obstacle(files: list[str]) -> None:
    release = read(files[0])
    Path(files[0]).unlink()
    weight = Column.of("weight_kg", np.arange(len(release)) % 40 + 0.2)
    release.replaced([weight]).save(files[0])
    done = RUN.invoke(APP, [*files, "--truth", "id", "--seed", "1", "--json"])
    assert done.exit_code == 0, done.output
    details = json.loads(done.stdout)["body"]["finding"]["details"]
    assert set(details["fields"]) == {"zip", "year", "street"}
    assert details["columns left out"] == ["id"]


@pytest.mark.slow
def test_the_truth_may_be_a_file_of_pairs(files: list[str], tmp_path: Path) -> None:
    row = np.arange(90)
    by_number = Table.of({"release": row, "register": row}).save(tmp_path / "numbers.csv")
    by_key = Table.of({"a": row, "of": [f"p{one}" for one in row], "is": [f"p{one}" for one in row]})
    keyed = [str(by_key.save(tmp_path / "keys.csv")), "--truth-columns", "of,is", "--truth-keys", "id"]
    found = []
    for truth in (["id"], [str(by_number), "--without", "id"], keyed):
        done = RUN.invoke(APP, [*files, "--seed", "1", "--json", "--truth", *truth])
        assert done.exit_code == 0, done.output
        found.append(json.loads(done.stdout)["body"]["finding"]["estimates"])
    assert found[0] == found[1] == found[2]


@pytest.mark.slow
def test_effects(files: list[str], tmp_path: Path) -> None:
    done = RUN.invoke(APP, [*files, "--truth", "id", "--effects", "--output", str(tmp_path / "e.json"), "--seed", "2"])
    assert done.exit_code == 0, done.output
    assert "“generalised”" in done.output
    forms = json.loads((tmp_path / "e.json").read_text())["body"]["forms"]
    assert forms[0]["name"] == "plain"
