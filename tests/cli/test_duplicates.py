"""`reticent duplicates`, from files to exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reticent.cli import app
from reticent.data.tables import Table, read
from reticent.errors import UsageError

RUN = CliRunner()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    notes = ["a cough since Monday morning", "a broken arm from the fall", "A cough since Monday  morning", "x y z"]
    train = Table.of({"note": [*notes, notes[1]], "who": [1, 2, 3, 4, 2]}).save(tmp_path / "train.csv")
    test = Table.of({"note": ["a cough since monday morning", "nothing at all"], "who": [9, 2]})
    return train, test.save(tmp_path / "test.csv")


def test_copies_are_counted_written_and_shown(files: tuple[Path, Path], tmp_path: Path) -> None:
    page, kept = tmp_path / "page.html", tmp_path / "kept.csv"
    done = RUN.invoke(
        app, ["duplicates", str(files[0]), "--owner", "who", "--seed", "1", "--output", str(page), "--keep", str(kept)]
    )
    assert done.exit_code == 0, done.output
    assert "1 repeat another row of the same person and 1 one of somebody else" in " ".join(done.output.split())
    assert len(read(kept)) == 3
    assert "<svg" in page.read_text("utf-8")
    again = RUN.invoke(app, ["duplicates", str(files[0]), "--output", str(page)])
    assert isinstance(again.exception, UsageError)


def test_json_and_limits(files: tuple[Path, Path]) -> None:
    train, test = map(str, files)
    done = RUN.invoke(app, ["duplicates", train, "--columns", "note", "--against", test, "--json", "--exact"])
    assert json.loads(done.stdout)["body"]["against"] == 2
    assert RUN.invoke(app, ["duplicates", train, "--columns", "note", "--at-most", "0.3"]).exit_code == 1
    assert RUN.invoke(app, ["duplicates", train, "--columns", "note", "--at-most", "0.5"]).exit_code == 0
    for limit, code in (("0.01", 1), ("0.5", 3), ("1", 0)):
        done = RUN.invoke(app, ["duplicates", train, "--columns", "note", "--against", test, "--at-most", limit])
        assert done.exit_code == code, (limit, done.output)
