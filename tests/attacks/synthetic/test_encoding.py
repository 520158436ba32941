"""Equal cells are encoded alike, whatever else the tables hold."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from reticent.attacks.synthetic import Encoding
from reticent.data.tables import Table
from reticent.errors import DataError, UsageError


def test_equal_cells_get_equal_codes_in_every_table() -> None:
    rng = np.random.default_rng(0)
    words = np.array(["a", "b", "c", "d", None], dtype=object)
    tables = [
        Table.of({"x": rng.integers(0, 9, 50).tolist(), "w": words[rng.integers(0, 5, 50)].tolist()}) for _ in range(3)
    ]
    encoding = Encoding.fitted(tables[:1], tables)
    cells = [cell for table in tables for cell in zip(table["x"].cells(), table["w"].cells(), strict=True)]
    encoded = [encoding.of(table) for table in tables]
    rows = [
        (*number, *code)
        for one in encoded
        for number, code in zip(one.numbers.tolist(), one.codes.tolist(), strict=True)
    ]
    for i in range(0, len(rows), 7):
        for j in range(len(rows)):
            assert (cells[i] == cells[j]) == (rows[i] == rows[j])


def test_numbers_are_in_deviations_of_the_basis_alone() -> None:
    rng = np.random.default_rng(1)
    basis = Table.of({"x": rng.normal(10, 3, 20_000).tolist()})
    other = Table.of({"x": [10.0, 13.0, 1e9]})
    found = Encoding.fitted([basis], [basis, other]).of(other).numbers[:, 0]
    assert found[0] == pytest.approx(0.0, abs=0.05)
    assert found[1] == pytest.approx(1.0, abs=0.05)
    again = Encoding.fitted([basis], [basis]).of(other).numbers[:, 0]
    assert (again == found).all()


def test_a_value_that_was_not_there_when_it_was_fitted_equals_no_known_one() -> None:
    known, new = Table.of({"w": ["a", "b", None]}), Table.of({"w": ["zz", "a", "0"]})
    encoding = Encoding.fitted([known], [known])
    first, second = encoding.of(known).codes[:, 0], encoding.of(new).codes[:, 0]
    assert second[1] == first[0]
    assert second[0] == second[2]
    assert second[0] not in first
    assert second.max() < encoding.of(new).sizes[0]


def test_missing_numbers_and_dates_and_constant_columns() -> None:
    day = datetime.date(2020, 1, 1)
    table = Table.of({"d": [day, None, day], "c": [5, 5, 5], "all": [None, None, None], "b": [True, False, None]})
    found = Encoding.fitted([table], [table]).of(table)
    assert np.isfinite(found.numbers).all()
    assert found.codes.shape == (3, 3)  # an empty column, booleans, and whether the date is missing
    assert found.codes[:, -1].tolist() == [0, 1, 0]


def test_kinds_that_do_not_fit_and_columns_that_are_not_there() -> None:
    numbers, words = Table.of({"x": [1, 2]}), Table.of({"x": ["a", "b"]})
    with pytest.raises(DataError, match="column 'x' to be of one kind in all tables, got number and text"):
        Encoding.fitted([numbers], [words])
    with pytest.raises(UsageError, match="column"):
        Encoding.fitted([numbers], [numbers], ["y"])
    with pytest.raises(UsageError, match="at least one column"):
        Encoding.fitted([numbers], [numbers], [])
