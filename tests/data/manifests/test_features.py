"""Records of a table: no text of a record in the name of a feature."""

from __future__ import annotations

import pytest

from reticent.data.manifests.features import records_of
from reticent.data.tables import Table, to_records
from reticent.errors import DataError, UsageError

NOTES = [f"reports fatigue for {day} days" for day in range(200)]
TABLE = Table.of({"note": NOTES, "sex": ["f", "m"] * 100, "age": list(range(200)), "ill": ["no", "yes"] * 100})


def test_free_text_is_refused_without_saying_it() -> None:
    with pytest.raises(DataError) as refused:
        records_of(TABLE, "ill", owner=None)
    assert "column 'note', got 200 in 200 rows" in str(refused.value)
    assert "fatigue" not in str(refused.value)
    with pytest.raises(DataError, match="many rows share"):
        records_of(TABLE, "ill", owner=None, most=1000)
    many = TABLE.take(list(range(200)) * 3)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="at most 100 values in the text column 'note', got 200 in 600"):
        records_of(many, "ill", owner=None)
    assert records_of(many, "ill", owner=None, most=200).features.shape == (600, 202 + 1)


def test_names_are_those_of_to_records() -> None:
    ours = records_of(TABLE, "ill", owner=None, ignore=["note"])
    assert ours.feature_names == ("sex: f", "sex: m", "age")
    theirs = to_records(TABLE, label="ill", ignore=["note"]).records
    assert ours.feature_names == theirs.feature_names
    assert (ours.features == theirs.features).all()
    with pytest.raises(UsageError, match="got both"):
        records_of(TABLE, "ill", owner=None, ignore=["note"], features=["sex"])
    with pytest.raises(UsageError, match="column"):
        records_of(TABLE, "ill", owner=None, ignore=["notes"])
