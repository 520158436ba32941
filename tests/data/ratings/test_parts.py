"""Columns with gaps, months and years are read as they are meant; what cannot be meant is refused unseen."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from reticent.data.ratings.parts import NO_DATE, Days, Names, Values, read_parts
from reticent.errors import DataError, UsageError


def since_1970(text: str) -> int:
    return (datetime.date.fromisoformat(text) - datetime.date(1970, 1, 1)).days


@pytest.mark.parametrize(
    ("cells", "unit", "meant"),
    [
        (["2005-03-09", None, ""], "days", ["2005-03-09", None, None]),
        (["2005-03", "2004-12", None], "months", ["2005-03-01", "2004-12-01", None]),
        (["2005", " ", "1999"], "years", ["2005-01-01", None, "1999-01-01"]),
        ([2005, 1999, None], "years", ["2005-01-01", "1999-01-01", None]),
        ([datetime.date(2005, 3, 9), None], "days", ["2005-03-09", None]),
        ([None, None], "days", [None, None]),
    ],
)
def test_dates_of_every_form(cells: list[Any], unit: str, meant: list[str | None]) -> None:
    days = Days("when", "dates", gaps=True)
    for piece in (cells[:1], cells[1:]):
        days.add(pa.array(piece, pa.array(cells).type))
    expected = [NO_DATE if one is None else since_1970(one) for one in meant]
    assert (days.unit, np.concatenate(days.in_days()).tolist()) == (unit, expected)
    assert days.distinct.tolist() == sorted({one for one in expected if one != NO_DATE})


def test_two_forms_in_one_column_are_refused() -> None:
    days = Days("when", "dates", gaps=True)
    days.add(pa.array(["2005-03"]))
    with pytest.raises(DataError, match="one form"):
        days.add(pa.array(["2005"]))


@pytest.mark.parametrize("cell", ["March 2005", "2005-13", "5/3/05"])
def test_what_is_no_date_is_refused_and_not_shown(cell: str) -> None:
    with pytest.raises(DataError) as error:
        Days("when", "dates", gaps=True).add(pa.array([cell]))
    assert cell not in str(error.value)


def test_years_are_no_dates_where_dates_are_needed() -> None:
    with pytest.raises(DataError, match="got numbers"):
        Days("when", "dates").add(pa.array([2005]))


def test_values_with_gaps_in_pieces() -> None:
    values = Values("stars", gaps=True)
    for piece in (pa.array(["4.5", "", None]), pa.array([1.0, float("nan"), 4.5]), pa.array([None, 2])):
        values.add(piece)
    known, codes = values.numbered()
    assert known.tolist() == [1.0, 2.0, 4.5]
    assert np.concatenate(codes).tolist() == [2, -1, -1, 0, -1, 2, -1, 1]


def test_without_gaps_an_empty_cell_is_refused_and_so_are_too_many_values() -> None:
    with pytest.raises(DataError, match="no empty cell"):
        Values("stars").add(pa.array([1.0, None]))
    with pytest.raises(DataError, match="at most 255"):
        Values("stars").add(pa.array(np.arange(300.0)))
    many = Values("stars", gaps=True)
    many.add(pa.array(np.arange(300.0)))
    assert len(many.numbered()[0]) == 300
    with pytest.raises(DataError, match="at most 65536"):
        many.add(pa.array(np.arange(70_000.0)))


@pytest.mark.parametrize("names", [[7, 3, 7], ["b", "a", "b"], [3 * 10**12, -4, 3 * 10**12]])
def test_names_are_given_back_in_the_order_of_their_numbers(names: list[Any]) -> None:
    column = Names("who")
    for one in names:
        column.add(pa.array([one]))
    pieces, found = column.numbered()
    assert [str(found[int(piece[0])]) for piece in pieces] == [str(one) for one in names]


def test_one_table_with_the_columns_that_are_named() -> None:
    with pytest.raises(UsageError, match="column"):
        read_parts({"a": [1]}, [Names("b")])
    with pytest.raises(DataError, match="at least one rating"):
        read_parts({"a": pa.array([], pa.int64())}, [Names("a")])
