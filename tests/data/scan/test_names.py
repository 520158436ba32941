"""Names by lists: whole values, and columns of them beside columns of what is none."""

from __future__ import annotations

import pytest

from reticent.data.scan import names, scan
from reticent.data.scan.names import Lists, fold, is_name, lists, names_among
from reticent.data.scan.rules import not_names

KNOWN = Lists(frozenset({"anna", "jose", "ana", "rose", "john"}), frozenset({"muller", "garcia", "brown"}), "")


@pytest.mark.parametrize(
    "value",
    ["Anna", "José", "Müller", "Anna Müller", "Müller, Anna", "A. Müller", "J.R. Garcia", "Ana-Clara", "Dr. Anna Quux",
     "Anna van den Quux", "John Brown", "Garcia A."],
)  # fmt: skip
def test_names(value: str) -> None:
    assert is_name(value, KNOWN)


@pytest.mark.parametrize(
    "value", ["Rose", "Brown", "Quux", "Rose Brown", "", "A.", "Brown Bread", "a b c d e f g", "I."]
)
def test_no_names(value: str) -> None:
    assert not is_name(value, KNOWN)


def test_folding_and_the_lists() -> None:
    folded = [fold(one) for one in ("Łódź", "Straße", "Øre", "Þór", "O\u2019Neil")]
    assert folded == ["lodz", "strasse", "ore", "thor", "o'neil"]
    known = lists()
    assert known is not None
    assert {"mary", "wojciech", "bjork"} <= known.given
    assert all(known.has_family(one) for one in ("smith", "nguyen", "kowalska", "kowalski", "novakova"))
    assert all(word == fold(word) for word in not_names())


GIVEN = ["Anna", "John", "Maria", "Wei", "Pedro", "Ingrid", "Olga", "Ahmed", "Sophie", "Lars", "Giulia", "Kenji"] * 3
FAMILY = ["Nguyen", "Smith", "Kowalska", "Garcia", "Müller", "Okafor", "Rossi", "Dubois", "Jansen", "Silva"] * 3


def found(column: str, values: list[str]):
    return next((one for one in scan({column: values}).found if one.kind == "name"), None)


@pytest.mark.parametrize(
    "values", [GIVEN, FAMILY, [f"{a} {b}" for a, b in zip(GIVEN, FAMILY, strict=False)],
               [f"{b}, {a}" for a, b in zip(GIVEN, FAMILY, strict=False)]]
)  # fmt: skip
def test_a_column_of_names_without_a_hint(values: list[str]) -> None:
    one = found("x1", values)
    assert one is not None
    assert (one.group, one.confidence, one.cells, one.named) == ("direct", "pattern", len(values), False)
    assert f"of {len(set(values))} different values are in lists" in one.note
    assert "95 %" in one.note


def test_a_column_that_is_called_so_says_what_the_lists_say() -> None:
    assert found("surname", FAMILY).confidence == "pattern"
    odd = found("surname", ["Xqzt", "Wkrm", "Vbnj"] * 9)
    assert (odd.confidence, odd.cells) == ("name only", 27)
    assert "no list of names has any" in odd.note


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("x1", ["London", "Paris", "Houston", "Madison", "Sydney", "Florence", "Austin", "Berlin", "Vienna", "Lima"]),
        ("x1", ["Brown", "Green", "White", "Black", "Gray", "Amber", "Ruby", "Rose", "Violet", "Olive", "Silver"]),
        ("x1", ["Baker", "Cook", "Miller", "Smith", "Turner", "Hunter", "Mason", "Porter", "Farmer", "Judge"]),
        ("x1", ["Aspirin", "Xanax", "Valium", "Lipitor", "Zoloft", "Prozac", "Ritalin", "Advil", "Humira", "Plavix"]),
        ("x1", ["April", "May", "June", "August", "January", "March", "July"]),
        ("x1", ["Anna", "John"]),  # too few to tell
        ("city", GIVEN),  # the column's name says something else
        ("hurricane", GIVEN),
        ("breed_of_horse", GIVEN),
    ],
)
def test_a_column_of_other_things(column: str, values: list[str]) -> None:
    assert found(column, values * 3) is None


def test_without_lists_only_columns_that_are_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("names", "tally", "judging", "legal", "scanning"):
        monkeypatch.setattr(f"reticent.data.scan.{place}.installed", lambda: False)
    names.lists.cache_clear()
    try:
        assert lists() is None
        assert names_among(["Anna"]) is None
        assert found("x1", GIVEN) is None
        one = found("first_name", GIVEN)
        assert (one.confidence, one.note) == ("name only", "by the column's name: no list of names is installed")
        whole = scan({"first_name": GIVEN, "note": ["We met Anna Smith at the old mill"] * 36})
        assert "no list of names" in whole.settings["names"]
        assert not any(one.kind == "name" and one.in_text for one in whole.found)
    finally:
        names.lists.cache_clear()
