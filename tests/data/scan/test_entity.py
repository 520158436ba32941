"""Kinds of pieces of texts."""

from __future__ import annotations

import pytest

from reticent.data.scan.entity import Entity, Kind, announced, compiled


@pytest.mark.parametrize("gap", [": ", " ", "#", " no. ", " number ", " is: ", " no.: ", "="])
def test_a_word_announces_what_follows(gap: str) -> None:
    text = f"the acct{gap}1234"
    (one,) = announced("account", "direct", "acct", r"\d{4}", "J").search(text)
    assert (text[one.start : one.end], one.named, one.kind) == ("1234", True, "account")
    assert not list(announced("account", "direct", "acct", r"\d{4}", "J").search(text.replace("acct", "xacct")))


def test_checks_groups_and_functions() -> None:
    even = Kind("even", "quasi", "", r"\d", lambda text: int(text) % 2 == 0, sure=True)
    assert list(even.search("1 2 4")) == [Entity("even", 2, 3, True), Entity("even", 4, 5, True)]
    assert list(Kind("x", "quasi", "", "", find=lambda text: [(0, len(text))]).search("ab")) == [Entity("x", 0, 2)]
    assert compiled("a") is compiled("a")
