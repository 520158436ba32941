"""Manifests made from files: counted right, without a cell."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from reticent.data.manifests import content_digest, describe
from reticent.data.manifests.describing import file_hash
from reticent.data.tables import Table, read
from reticent.errors import DataError, UsageError


def test_what_is_counted(tmp_path: Path) -> None:
    table = Table.of({"who": ["ann", "bob", "ann"], "age": [34, 51, 35], "weight": [60.5, 80.0, 61.0]})
    for ending in (".csv", ".parquet"):
        path = table.save(tmp_path / f"people{ending}")
        found = describe(path, owner="who")
        (file,) = found.files
        assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert file.bytes == path.stat().st_size
        assert file.content == content_digest(read(path)) == content_digest(table)
        assert file.columns == (("who", "text"), ("age", "whole number"), ("weight", "number"))
        assert found.people is not None
        assert found.people.count == 2
        assert "ann" not in str(found.as_dict())


def test_each_row_is_a_person_where_no_owner_is_named(tmp_path: Path) -> None:
    path = Table.of({"age": [1, 2, 3]}).save(tmp_path / "a.csv")
    assert describe(path).people.count == 3  # type: ignore[union-attr]
    assert describe(path, unit="nobody").people.count is None  # type: ignore[union-attr]


def test_what_is_no_table_is_a_file_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(bytes(3_000_000))
    found = describe(path)
    assert found.files[0].columns == ()
    assert found.files[0].content is None
    assert file_hash(path) == (hashlib.sha256(bytes(3_000_000)).hexdigest(), 3_000_000)
    with pytest.raises(UsageError, match=r"table in 'weights\.bin'"):
        describe(path, owner="who")


def test_rows_without_an_owner_and_files_that_are_not_there(tmp_path: Path) -> None:
    path = Table.of({"who": ["ann", None], "x": [1, 2]}).save(tmp_path / "a.csv")
    with pytest.raises(DataError, match="owner for every row, got none for 1 of 2"):
        describe(path, owner="who")
    with pytest.raises(UsageError, match="file at"):
        describe(tmp_path / "absent.csv")
    with pytest.raises(UsageError, match="column"):
        describe(path, owner="whom")
