"""Where commands write: alike in all of them, and never over a file in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

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
