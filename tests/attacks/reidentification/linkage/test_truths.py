"""Lists of pairs, by row number and by key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.attacks.reidentification.linkage import People
from reticent.attacks.reidentification.linkage.truths import column_of
from reticent.data.tables import Table
from reticent.errors import DataError, DataWarning, UsageError

RELEASE = Table.of({"mrn": ["x", "y", "y", None], "zip": [1, 2, 3, 4]})
REGISTER = Table.of({"pid": [7.0, 8.0, 9.0], "zip": [1, 2, 3]})


def same(people: People) -> list[list[int]]:
    return (people.release[:, None] == people.register).astype(int).tolist()


NUMBERS = [[0, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("pairs", "how", "columns"),
    [
        ({"release": [0, 2], "register": [2, 1]}, {}, ()),
        ({"other": ["?", "?"], "register": [2, 1], "release": [0, 2]}, {}, ()),
        ({"a": [0, 2, 1], "b": [2.0, 1.0, np.nan]}, {}, ()),
        ({"a": ["0", "2"], "c": [5, 5], "b": ["2", "1"]}, {"columns": ("a", "b")}, ()),
    ],
)
def test_row_numbers(pairs: dict[str, list[object]], how: dict[str, object], columns: tuple[str, ...]) -> None:
    people = People.of_pairs(RELEASE, REGISTER, pairs, **how)  # type: ignore[arg-type]
    assert same(people) == NUMBERS
    assert people.columns == columns
    assert len(set(people.release)) == 4  # who is in no pair is a person of their own


def test_keys_of_which_rows_share_one() -> None:
    by_name = People.of_pairs(RELEASE, REGISTER, {"mrn": ["y"], "pid": [8]})
    assert same(by_name) == [[0, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert by_name.columns == ("mrn", "pid")
    named = People.of_pairs(RELEASE, REGISTER, {"a": ["y"], "b": [8]}, keys=("mrn", "pid"))
    assert same(named) == same(by_name)
    mixed = People.of_pairs(RELEASE, REGISTER, {"a": [2], "pid": [8]})
    assert same(mixed) == [[0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_files_and_frames(tmp_path: Path) -> None:
    place = tmp_path / "truth.csv"
    pd.DataFrame({"release": [0, 2, 3], "register": [2, 1, None]}).to_csv(place, index=False)
    people = People.of_pairs(RELEASE.save(tmp_path / "a.csv"), REGISTER.save(tmp_path / "b.csv"), place)
    assert same(people) == NUMBERS


def test_keys_that_no_row_has_are_warned_of() -> None:
    with pytest.warns(DataWarning, match="1 of 2 pairs"):
        people = People.of_pairs(RELEASE, REGISTER, {"mrn": ["y", "q"], "pid": [8, 9]})
    assert same(people)[1] == [0, 1, 0]


@pytest.mark.parametrize(
    ("pairs", "how", "error", "text"),
    [
        ({"a": [0, 4], "b": [0, 1]}, {}, DataError, "from 0 to 3 of the release"),
        ({"a": [0, 1], "b": [0, -1]}, {}, DataError, "from 0 to 2 of the register"),
        ({"a": ["x", "y"], "b": [0, 1]}, {}, DataError, "from 0 to 3 of the release"),
        ({"mrn": ["q"], "pid": [8]}, {}, DataError, "got none in 1"),
        ({"a": [None, 1.0], "b": [0, None]}, {}, DataError, "got none in 2"),
        ({"a": [0], "b": [0], "c": [0]}, {}, UsageError, "two columns"),
        ({"a": [0], "b": [0]}, {"columns": ("a", "z")}, UsageError, "column"),
        ({"a": [0], "b": [0]}, {"keys": ("zap", None)}, UsageError, "column"),
    ],
)
def test_what_cannot_be_is_refused(
    pairs: dict[str, list[object]], how: dict[str, object], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        People.of_pairs(RELEASE, REGISTER, pairs, **how)  # type: ignore[arg-type]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=8))
def test_people_are_what_hangs_together(pairs: list[tuple[int, int]]) -> None:
    tables = Table.of({"a": range(6)}), Table.of({"b": range(5)})
    people = People.of_pairs(*tables, {"release": [one for one, _ in pairs], "register": [two for _, two in pairs]})
    group = {("l", row): {("l", row)} for row in range(6)} | {("r", row): {("r", row)} for row in range(5)}
    for one, two in pairs:
        both = group["l", one] | group["r", two]
        for member in both:
            group[member] = both
    wanted = [[int(("r", two) in group["l", one]) for two in range(5)] for one in range(6)]
    assert same(people) == wanted


def test_names_may_have_blanks_around_them() -> None:
    assert column_of(Table.of({" a ": [1]}), "a").name == " a "
