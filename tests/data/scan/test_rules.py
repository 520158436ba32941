"""The lists are whole, dated, and say what they leave out."""

from __future__ import annotations

from reticent.data.scan.rules import restricted_zip3, safe_harbor, special_categories


def test_safe_harbor() -> None:
    rules = safe_harbor()
    assert "".join(letter for letter, _ in rules["rows"]) == "ABCDEFGHIJKLMNOPQR"
    assert rules["oldest_age"] == 89
    assert [len(one["prefixes"]) for one in rules["zip3"]["lists"]] == [17, 18]
    assert "2020" in rules["zip3"]["not_covered"]
    assert {"036", "831", "772"} <= set(restricted_zip3())
    assert len(special_categories()["rows"]) == 10
