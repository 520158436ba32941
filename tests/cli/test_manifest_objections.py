"""`reticent manifest object`: looked up before it is noted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.test_commands import Ask, ask

__all__ = ["ask"]

NAME = "pad.csv.manifest.json"


@pytest.fixture
def pad(tmp_path: Path, ask: Ask) -> Path:
    path = tmp_path / "pad.csv"
    path.write_text("patient,age\n000227,34\n000227,35\n002010,51\nAb-9,20\n")
    assert ask("manifest", "init", "pad.csv", "--owner", "patient").code == 0
    assert ask("manifest", "key", "key").code == 0
    return path


@pytest.mark.parametrize(
    ("person", "said"),
    [
        ("227", "one that differs in zeros in front, 6 characters long"),
        ("02010", "one that differs in zeros in front, 6 characters long"),
        ("2010.0", "one that differs in zeros in front, 6 characters long"),
        (" 002010", "one that differs in blanks, 6 characters long"),
        ("AB-9", "one that differs in capital letters, 4 characters long"),
        ("99999", "column 'patient'.\n"),
    ],
)
def test_nobody_of_that_spelling(ask: Ask, pad: Path, tmp_path: Path, person: str, said: str) -> None:
    refused = ask("manifest", "object", NAME, "--person", person, "--key", "key")
    assert refused.code == 2
    assert f"nobody in pad.csv is spelt {person!r}" in refused.err
    assert said in refused.err
    assert "000227" not in refused.err
    assert not (tmp_path / "pad.csv.manifest.objections.json").exists()
    noted = ask("manifest", "object", NAME, "--person", person, "--key", "key", "--anyway")
    assert noted.code == 0
    assert "warning: nobody in pad.csv" in noted.err


def test_somebody_is_found_and_gets_a_receipt(ask: Ask, pad: Path, tmp_path: Path) -> None:
    noted = ask("manifest", "object", NAME, "--person", "000227", "--key", "key", "-o", "receipt.json")
    assert noted.code == 0
    assert "'000227' has 2 rows in pad.csv." in noted.out
    receipt = json.loads((tmp_path / "receipt.json").read_text())
    (entry,) = json.loads((tmp_path / "pad.csv.manifest.objections.json").read_text())["objections"]
    assert receipt["token"] == entry["person"]
    assert "000227" not in (tmp_path / "receipt.json").read_text()
    again = ask("manifest", "object", NAME, "--person", "000227", "--key", "key", "-o", "receipt.json")
    assert again.code == 2
    assert len(json.loads((tmp_path / "pad.csv.manifest.objections.json").read_text())["objections"]) == 1


def test_without_the_data_it_is_said_and_they_can_be_named(ask: Ask, pad: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    moved = pad.rename(tmp_path / "elsewhere" / "pad.csv")
    noted = ask("manifest", "object", NAME, "--person", "227", "--key", "key")
    assert noted.code == 0
    assert "warning: not looked up" in noted.err
    told = ask("manifest", "object", NAME, "--person", "228", "--key", "key", "--data", "elsewhere/pad.csv", "--json")
    assert told.code == 2
    moved.write_text(moved.read_text() + "1,1\n")
    assert ask("manifest", "object", NAME, "--person", "1", "--key", "key", "--data", "elsewhere/pad.csv").code == 5
    back = ask("manifest", "object", NAME, "--person", "227", "--key", "key", "--withdraw", "--json")
    assert json.loads(back.out)["rows"] is None


def test_without_an_owner_nobody_can_be_found(ask: Ask, pad: Path) -> None:
    assert ask("manifest", "init", "pad.csv", "-o", "none.json").code == 0
    refused = ask("manifest", "object", "none.json", "--person", "000227", "--key", "key")
    assert refused.code == 2
    assert "in which column people stand" in refused.err
    assert ask("manifest", "object", "none.json", "--person", "000227", "--plain", "--anyway").code == 0
