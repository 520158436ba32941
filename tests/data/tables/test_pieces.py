"""Problems are added up and said with their places."""

from __future__ import annotations

import pytest

from reticent.data.tables.pieces import Notes, Problem, chosen, text_column, unique_names
from reticent.errors import UsageError


def test_only_the_first_places_are_kept_and_all_are_counted():
    notes = Notes()
    for line in range(1, 1001):
        notes.add("odd", line)
    notes.add("once", "byte 7")
    notes.add("gone", lost=True)
    assert notes.problems() == (
        Problem("odd", "lines 1, 2, 3, 4, 5, and 995 more", 1000),
        Problem("once", "byte 7", 1),
        Problem("gone", "", 1, lost=True),
    )


def test_names_differ_whatever_they_were():
    notes = Notes()
    assert unique_names([" a", "a", "a (2)", "", "a", "column 4"], notes) == [
        "a",
        "a (3)",
        "a (2)",
        "column 4 (2)",
        "a (4)",
        "column 4",
    ]
    assert [problem.count for problem in notes.problems()] == [2, 1]


def test_columns_are_checked():
    assert chosen(["a", "b"], None, "t") == ["a", "b"]
    assert chosen(["a", "b"], ["b"], "t") == ["b"]
    for wrong in ([], ["a", "a"], ["c"]):
        with pytest.raises(UsageError):
            chosen(["a", "b"], wrong, "t")


def test_texts_that_mean_nothing_are_missing():
    column = text_column("a", ["10", "", "?", "7"], ("", "?"))
    assert (column.kind, column.cells().tolist()) == ("text", ["10", None, None, "7"])
