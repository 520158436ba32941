"""One-hot columns put together, against pandas' own taking apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from reticent.data import load
from reticent.data.minimisation import regrouped
from reticent.data.tables import Table
from reticent.errors import FetchError


def test_what_pandas_took_apart_comes_together() -> None:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": draw.integers(0, 90, 200),
            "marital_status": draw.choice(["a_b", "c d", "e-f"], 200),
            "home_city": draw.choice(["Lund", "Bonn"], 200),
            "home_kind": draw.choice(["rent", "own", "other"], 200),
        }
    )
    apart = pd.get_dummies(frame, columns=["marital_status", "home_city", "home_kind"])
    whole = regrouped(Table.of(apart))
    assert whole.names == tuple(frame.columns)
    for name in frame.columns:
        assert whole[name].cells().tolist() == frame[name].tolist()


def test_flags_that_are_no_block_stay() -> None:
    table = Table.of({"has_car": [1, 0, 1], "has_dog": [0, 1, 1], "x_a": [1, 0, 2], "x_b": [0, 1, 0], "y_a": [1, 1, 1]})
    assert regrouped(table).names == table.names
    missing = Table.of({"s_f": [1, None], "s_m": [0, 1]})
    assert regrouped(missing).names == ("s_f", "s_m")
    taken = Table.of({"s": [1, 2], "s_f": [1, 0], "s_m": [0, 1]})
    assert regrouped(taken).names == ("s", "s_f", "s_m")


@pytest.mark.fetched
def test_adult_has_its_fourteen_columns() -> None:
    try:
        records = load("adult")
    except FetchError:
        pytest.skip("the data set adult is not in the cache; run: reticent data fetch adult")
    table = regrouped(Table.of(dict(zip(records.feature_names, records.features.T, strict=True))))
    assert len(table.names) == 14
    assert len(table["native-country"].values) == 41
