"""Names of records: counted from where, in which table, and no identifier."""

from __future__ import annotations

import numpy as np

from reticent.audits.naming import row_names
from reticent.data import Records, load
from reticent.data.origin import Origin


def records(origin: Origin | None) -> Records:
    return Records(np.eye(4), [0, 1, 0, 1], origin=origin)


def test_tables_and_columns_are_named_once():
    first = "row 0 is the first below the header"
    inside = records(Origin("members.csv", first, owner="patient", identifier="visit"))
    outside = records(Origin("others.csv", first, owner="patient"))
    found = row_names(inside, outside)
    assert found["text"] == (
        "“member 3” is row 3 of the members (members.csv), “other 7” row 7 of the others (others.csv); rows count from "
        "0: row 0 is the first below the header. The column “patient” says whose they are. The column “visit” says "
        "which they are."
    )
    assert found["members"]["identifier"] == "visit"
    assert found["nonmembers"]["identifier"] is None


def test_without_a_table_the_order_counts():
    found = row_names(records(None), records(None))
    assert found["members"] is None
    assert "rows count from 0, in the order in which the audit was given them." in found["text"]


def test_parts_say_that_they_are():
    data = load("wine")
    text = row_names(data.take([0, 1]), data.take([2, 3]))["text"]
    assert "the members (a part drawn from the packaged set wine)" in text
