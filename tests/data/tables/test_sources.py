"""Sources give what is there, in pieces."""

from __future__ import annotations

import pytest

from reticent.data.tables import open_sources, read
from reticent.errors import DataError, UsageError


def test_a_table_in_pieces_and_whole(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("age,zip\n34,02139\n,10001\n")
    (source,) = open_sources(path)
    assert [piece.batch.to_pydict() for piece in source.pieces(["zip"])] == [{"zip": ["02139", "10001"]}]
    table = read(path)
    assert table["age"].cells().tolist() == [34, None]
    assert table["zip"].cells().tolist() == ["02139", "10001"]
    table.save(tmp_path / "people.parquet")
    assert read(tmp_path / "people.parquet")["age"].cells().tolist() == [34, None]


def test_nothing_to_read(tmp_path):
    with pytest.raises(UsageError, match=r"people\.doc"):
        open_sources(tmp_path / "people.doc")
    (tmp_path / "empty.csv").write_text("age\n")
    with pytest.raises(DataError, match="at least one row"):
        read(tmp_path / "empty.csv")
