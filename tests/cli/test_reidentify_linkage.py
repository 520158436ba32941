"""The linkage command, from files to exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from reticent.cli.reidentify_linkage import linkage
from reticent.data.tables import Table, read
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


def test_without_truth_the_record_is_inconclusive(files: list[str]) -> None:
    done = RUN.invoke(APP, [*files, "--columns", "zip,year,street", "--kind", "street=name", "--json"])
    body = json.loads(done.stdout)["body"]
    assert body["finding"]["status"] == "inconclusive"
    assert body["finding"]["details"]["fields"]["street"] == "name"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--effects"], "--truth"),
        (["--at-most", "0.1"], "--truth only"),
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
def test_effects(files: list[str], tmp_path: Path) -> None:
    done = RUN.invoke(APP, [*files, "--truth", "id", "--effects", "--output", str(tmp_path / "e.json"), "--seed", "2"])
    assert done.exit_code == 0, done.output
    assert "“generalised”" in done.output
    forms = json.loads((tmp_path / "e.json").read_text())["body"]["forms"]
    assert forms[0]["name"] == "plain"
