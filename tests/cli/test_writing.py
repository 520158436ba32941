"""Where commands write: alike in all of them, and never over a file in silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from reticent.cli import app
from reticent.cli._writing import new
from reticent.errors import UsageError


def test_a_file_is_replaced_only_if_that_was_said(tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    assert new(None) is None
    assert new(place) == place
    place.write_text("mine")
    with pytest.raises(UsageError, match="say --overwrite"):
        new(place)
    assert new(place, overwrite=True) == place
    with pytest.raises(UsageError, match=r"ends in \.html or \.json"):
        new(tmp_path / "page.txt", overwrite=True)


@pytest.mark.parametrize(
    "command",
    [
        *("scan", "duplicates", "anonymise", "synthetic", "minimise find", "minimise apply"),
        *(f"reidentify {what}" for what in ("ratings", "released", "unicity", "singling-out", "linkage")),
        *(f"manifest {what}" for what in ("init", "check", "show", "object", "load", "prove", "verify", "purposes")),
    ],
)
def test_every_command_that_keeps_a_result_says_so_alike(command: str) -> None:
    found = CliRunner().invoke(app, [*command.split(), "--help"])
    assert found.exit_code == 0, command
    assert "-o, --output" in found.output
    assert "--overwrite" in found.output
