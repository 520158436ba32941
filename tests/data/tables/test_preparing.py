"""Tables become records without losing what they said."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

from reticent.data.tables import Table, to_records
from reticent.errors import DataError, UsageError

PEOPLE = {
    "age": [34, None, 51, 20],
    "sex": ["f", "m", None, "f"],
    "smokes": [True, False, None, True],
    "born": [datetime.date(1970, 1, 2), datetime.date(1970, 1, 1), None, datetime.date(1969, 12, 31)],
    "who": ["ann", "bob", "cy", "ann"],
    "ill": ["no", "yes", "no", "maybe"],
}


def test_every_kind_of_column():
    records, words = to_records(Table.of(PEOPLE), label="ill", owner="who", name="people")
    assert words == ("maybe", "no", "yes")
    assert records.labels.tolist() == [1, 2, 1, 0]
    assert records.owners.tolist() == ["ann", "bob", "cy", "ann"]
    assert records.owner_count == 3
    assert records.feature_names == (
        *("age", "age: missing", "sex: f", "sex: m", "sex: missing"),
        *("smokes", "smokes: missing", "born", "born: missing"),
    )
    assert records.features.tolist() == [
        [34, 0, 1, 0, 0, 1, 0, 1, 0],
        [0, 1, 0, 1, 0, 0, 0, 0, 0],
        [51, 0, 0, 0, 1, 0, 1, 0, 1],
        [20, 0, 1, 0, 0, 1, 0, -1, 0],
    ]
    assert records.public_facts == (
        "which values occur in the columns sex",
        "that values are missing in the columns age, sex, smokes, born",
        "which classes occur in the column ill",
    )


def test_one_hot_is_that_of_pandas():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"a": rng.choice(list("xyz"), 200), "b": rng.choice(list("uv"), 200), "y": rng.integers(0, 2, 200)}
    )
    records, words = to_records(Table.of(frame), label="y")
    expected = pd.get_dummies(frame[["a", "b"]], prefix_sep=": ")
    assert records.feature_names == tuple(expected.columns)
    assert (records.features == expected.to_numpy(np.float32)).all()
    assert (words, records.labels.tolist()) == (("0", "1"), frame["y"].tolist())


def test_classes_in_the_order_that_is_said():
    table = Table.of(PEOPLE).take(np.array([0, 1, 2]))
    made = to_records(table, label="ill", classes=["yes", "no", "never"], ignore=["who"])
    assert (made.words, made.records.labels.tolist(), made.records.classes) == (("yes", "no", "never"), [1, 0, 1], 3)
    assert "which classes occur" not in "".join(made.records.public_facts)
    with pytest.raises(DataError, match="another in 1 rows"):
        to_records(Table.of(PEOPLE), label="ill", classes=["yes", "no"])
    with pytest.raises(UsageError, match="each once"):
        to_records(table, label="ill", classes=["no", "no"])


def test_values_that_no_row_has_are_no_columns():
    table = Table.of(PEOPLE).take(np.array([0, 3]))
    made = to_records(table, label="ill", ignore=["who"])
    assert made.words == ("maybe", "no")
    assert made.records.feature_names == ("age", "sex: f", "smokes", "born")


def test_what_cannot_be_records_is_refused_without_its_values():
    table = Table.of(PEOPLE)
    with pytest.raises(DataError, match="at most 2 values in column 'who', got 3") as caught:
        to_records(table, label="ill", most=2)
    assert "bob" not in str(caught.value)
    with pytest.raises(DataError, match="class for every row, got none in column 'sex' for 1 of 4"):
        to_records(table, label="sex")
    with pytest.raises(DataError, match="owner for every row"):
        to_records(table, label="ill", owner="sex")
    with pytest.raises(DataError, match="at least one feature"):
        to_records(table.select(["ill"]), label="ill")
    with pytest.raises(UsageError, match="one use"):
        to_records(table, label="ill", ignore=["ill"])
    with pytest.raises(UsageError, match="column"):
        to_records(table, label="sick")
