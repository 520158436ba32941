"""Records and pages of whatever was found."""

from __future__ import annotations

import json

import pytest

from reticent.errors import UsageError
from reticent.reports.reported import Reported


class Nothing(Reported):
    """A kind without a page."""

    kind = "nothing"

    def as_dict(self):
        return {"a": 1}


def test_a_record_is_saved_and_a_page_needs_its_kind(tmp_path):
    path = Nothing().save(tmp_path / "a.json")
    assert json.loads(path.read_text())["body"] == {"a": 1}
    with pytest.raises(UsageError, match="kind"):
        Nothing().save(tmp_path / "a.html")
    with pytest.raises(TypeError):
        Reported()
