"""Who is spelt how: by the rule of loading, and without saying a cell."""

from __future__ import annotations

import datetime

import pytest

from reticent.data.manifests import Objections
from reticent.data.manifests.matching import matched, said_of_unmatched, sought
from reticent.data.tables import Table
from reticent.errors import DataError

DAY = datetime.date(2026, 6, 1)


@pytest.mark.parametrize(
    ("cells", "person", "rows", "alike"),
    [
        ([7, 7, 8], "7.0", 2, ()),
        (["07", "7 "], "7", 0, ("one that differs in zeros in front, 2", "one that differs in blanks, 2")),
        (["ab.cd"], "ABCD", 0, ("one that differs in several of",)),
        (["a-b"], "ab", 0, ("one that differs in dashes",)),
        (["x"], "y", 0, ()),
        (["000"], "00", 0, ()),
    ],
)
def test_spellings(cells: list[object], person: str, rows: int, alike: tuple[str, ...]) -> None:
    found = sought(Table.of({"who": cells}), "who", person)
    assert found.rows == rows
    assert len(found.alike) == len(alike)
    assert all(one.startswith(start) for one, start in zip(found.alike, alike, strict=True))


def test_two_spellings_that_are_one_count_once() -> None:
    listed = Objections.plain().objecting("7", on="2026-01-01", purposes=["marketing"]).objecting("9", on="2026-01-01")
    table = Table.of({"who": ["7", "7.0", "x"]})
    anything = matched(table, "who", listed, None, purposes=None, on=DAY)
    assert anything.objects.tolist() == [True, True, False]
    assert anything.counts == {"people": 2, "found": 1, "unmatched": 1}
    research = matched(table, "who", listed, None, purposes=["research"], on=DAY)
    assert research.counts == {"people": 1, "found": 0, "unmatched": 1}
    both = matched(table, "who", listed, None, purposes=["research", "marketing"], on=DAY)
    assert both.counts == anything.counts
    assert not matched(table, "who", None, None, purposes=None, on=DAY).objects.any()
    with pytest.raises(DataError, match="got none for 1 of 2"):
        matched(Table.of({"who": ["a", None]}), "who", listed, None, purposes=None, on=DAY)


def test_the_sentence_counts_as_people_do() -> None:
    assert said_of_unmatched({"people": 3, "found": 3, "unmatched": 0}) == ""
    assert said_of_unmatched({"people": 1, "unmatched": 1}).startswith("1 of 1 person who objects matches nobody")
    assert said_of_unmatched({"people": 9, "unmatched": 2}).startswith("2 of 9 people who object match nobody")
