"""Sources give what is there, in pieces."""

from __future__ import annotations

import pytest

from reticent.data.tables import open_sources, read
from reticent.data.tables.sources import NotRead, Problem, Sources
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
    (tmp_path / "people.doc").write_text("x")
    for place in ("people.doc", "nobody.csv"):
        with pytest.raises(UsageError, match=place.replace(".", r"\.")):
            open_sources(tmp_path / place)
    with pytest.raises(UsageError, match=r"none \(1 of a kind that is not read \(\.doc\)\)"):
        open_sources(tmp_path)
    (tmp_path / "empty.csv").write_text("age\n")
    with pytest.raises(DataError, match="at least one row"):
        read(tmp_path / "empty.csv")


def test_a_source_can_be_read_again(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1\n")
    (source,) = open_sources(path)
    for _ in range(2):
        assert sum(piece.batch.num_rows for piece in source.pieces()) == 1
        assert [problem.count for problem in source.problems] == [1]
    path.write_text("a,b\n1,2\n")
    list(source.pieces())
    assert source.problems == ()


def test_what_is_left_out_is_counted_by_its_reason():
    sources = Sources([], [NotRead(f"{number}.doc", "odd") for number in range(7)])
    assert sources.left_out == (
        Problem("not read: odd", "0.doc, 1.doc, 2.doc, 3.doc, 4.doc, and 2 more", 7, lost=True),
    )


def test_a_mistyped_address_is_not_shown():
    with pytest.raises(UsageError) as caught:
        open_sources("postgresql:user:hunter2@host/name")
    assert "hunter2" not in str(caught.value)
