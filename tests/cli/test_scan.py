"""`reticent scan`."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from reticent.cli import app
from reticent.errors import UsageError


@pytest.fixture
def people(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("email,zip\na@example.org,02139\nb@example.org,10001\n,10001\n")
    return path


def run(*arguments: object):
    return CliRunner().invoke(app, ["scan", *map(str, arguments)])


def test_a_scan_in_words(people, tmp_path) -> None:
    done = run(people, "--output", tmp_path / "scan.html", "--show", 1)
    assert done.exit_code == 0, done.output
    assert "email: e-mail address, direct, 2 cells" in done.output
    assert "HIPAA Safe Harbor" in done.output
    assert "a@example.org" not in done.output
    assert "x@xxxxxxx.xxx" in done.output
    assert (tmp_path / "scan.html").exists()
    again = run(people, "--output", tmp_path / "scan.html")
    assert isinstance(again.exception, UsageError)
    assert run(people, "--output", tmp_path / "scan.html", "--overwrite").exit_code == 0


def test_a_gate_and_json(people) -> None:
    done = run(people, "--json", "--fail-on", "direct,sensitive")
    assert done.exit_code == 1
    body = json.loads(done.stdout)
    assert body["failed"] == ["direct"]
    assert run(people, "--fail-on", "sensitive").exit_code == 0
    assert run(people, "--sample", 2, "--seed", 1).exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("--fail-on", "everything"),
        ("--presidio", "--no-text"),
        ("--model", "nonsense"),
        ("--no-text", "--model", "nonsense"),
        ("--output", "x.txt"),
        ("--plain",),
    ],
)
def test_what_does_not_fit_together(people, arguments: tuple[str, ...]) -> None:
    assert isinstance(run(people, *arguments).exception, UsageError)
