"""A file without a header can be read as one by every command that reads tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.test_commands import Ask, ask

__all__ = ["ask"]

COMMANDS = (
    "scan",
    "anonymise",
    "duplicates",
    "synthetic",
    "minimise find",
    "minimise apply",
    "manifest init",
    "reidentify ratings",
    "reidentify unicity",
    "reidentify singling-out",
    "reidentify linkage",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_reads_tables_can_be_told(ask: Ask, command: str) -> None:
    said = ask(*command.split(), "--help")
    assert said.code == 0
    assert "--no-header" in said.out


def test_the_first_row_is_data_if_that_is_said(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("ann,boston\nbob,paris\nann,boston\n")
    found = json.loads(ask("duplicates", "t.csv", "--no-header", "--seed", "1", "--json").out)
    assert found["body"]["rows"] == 3
    assert found["body"]["exact"]["surplus"] == 1
    (tmp_path / "u.csv").write_text("ann,boston\nbob,paris\n")
    scanned = json.loads(ask("scan", "u.csv", "--no-header", "--seed", "1", "--json").out)
    (source,) = scanned["sources"]
    assert source["rows"] == 2
    assert not source["problems"]
    (source,) = json.loads(ask("scan", "u.csv", "--seed", "1", "--json").out)["sources"]
    assert source["problems"][0]["what"].startswith("the first row was taken for the names of the columns")
