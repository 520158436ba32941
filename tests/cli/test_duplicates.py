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
    assert len(read(kept)) == 4  # the equal row of the same person is gone; somebody else's stays
    assert "<svg" in page.read_text("utf-8")
    again = RUN.invoke(app, ["duplicates", str(files[0]), "--output", str(page)])
    assert isinstance(again.exception, UsageError)


@pytest.mark.slow
def test_json_and_limits(files: tuple[Path, Path]) -> None:
    train, test = map(str, files)
    done = RUN.invoke(app, ["duplicates", train, "--columns", "note", "--against", test, "--json", "--exact"])
    assert json.loads(done.stdout)["body"]["against"] == 2
    assert RUN.invoke(app, ["duplicates", train, "--columns", "note", "--at-most", "0.3"]).exit_code == 1
    assert RUN.invoke(app, ["duplicates", train, "--columns", "note", "--at-most", "0.5"]).exit_code == 0
    for limit, code in (("0.01", 1), ("0.5", 3), ("1", 0)):
        done = RUN.invoke(app, ["duplicates", train, "--columns", "note", "--against", test, "--at-most", limit])
        assert done.exit_code == code, (limit, done.output)


def test_what_stands_in_the_second_table_can_be_left_out_and_pairs_are_listed(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    train, test = map(str, files)
    kept, pairs, everyone = tmp_path / "kept.csv", tmp_path / "pairs.csv", tmp_path / "everyone.csv"
    common = ["duplicates", train, "--against", test, "--owner", "who", "--columns", "note"]
    done = RUN.invoke(app, [*common, "--keep", str(kept), "--pairs", str(pairs)])
    assert done.exit_code == 0, done.output
    assert "1 exact and 0 near copies of the same person in it and 2 rows that stand in the second table" in done.output
    assert read(kept)["note"].cells().tolist() == ["a broken arm from the fall", "x y z"]
    listed = read(pairs)
    assert listed.names == ("kind", "set", "row", "of set", "of row")
    assert listed["kind"].cells().tolist() == ["exact", "near", "near", "near"]
    assert "cough" not in pairs.read_text("utf-8")
    RUN.invoke(app, [*common, "--keep", str(everyone), "--drop", "copies"])
    assert len(read(everyone)) == 3
    assert read(kept).names == ("note", "who")


def test_a_split_keeps_copies_and_people_together(files: tuple[Path, Path], tmp_path: Path) -> None:
    parts = [tmp_path / "a.csv", tmp_path / "b.csv"]
    where = ["--train-to", str(parts[0]), "--test-to", str(parts[1])]
    done = RUN.invoke(app, ["duplicates", str(files[0]), "--columns", "note", "--seed", "1", "--split", "0.4", *where])
    assert done.exit_code == 0, done.output
    train, test = (set(read(part)["note"].cells().tolist()) for part in parts)
    assert len(read(parts[0])) + len(read(parts[1])) == 5
    assert not {one.lower().replace("  ", " ") for one in train} & {one.lower().replace("  ", " ") for one in test}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--way", "image"], "auto"),
        (["--way", "images"], "cells, text"),
        (["--drop", "copies"], "--keep"),
        (["--drop", "mine", "--keep", "new.csv"], "leaked"),
        (["--drop", "leaked", "--keep", "new.csv"], "--against"),
        (["--drop", "own", "--keep", "new.csv"], "--owner"),
        (["--split", "0.2"], "--test-to"),
        (["--split", "0.2", "--train-to", "new.csv", "--test-to", "new.csv"], "another"),
    ],
)
def test_options_that_do_not_fit_are_refused_and_say_what_would(
    files: tuple[Path, Path], options: list[str], text: str
) -> None:
    done = RUN.invoke(app, ["duplicates", str(files[0]), *options])
    assert isinstance(done.exception, UsageError)
    assert text in str(done.exception)
    assert not Path("new.csv").exists()


def test_exact_says_nothing_about_near_copies(files: tuple[Path, Path]) -> None:
    done = RUN.invoke(app, ["duplicates", str(files[0]), "--against", str(files[1]), "--exact"])
    assert "exact or near" not in done.output
    assert "Near copies were not looked for" in done.output
