"""Records from files: the numbers that are there, and a refusal that names the place but not the contents."""

from __future__ import annotations

import contextlib
import csv
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from reticent.data.files import read_records
from reticent.errors import DataError, UsageError
from reticent.privacy import Unit


def written(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    x=hnp.arrays(np.float64, (6, 3), elements=st.floats(-1e9, 1e9)),
    y=hnp.arrays(np.int64, 6, elements=st.integers(0, 4)),
)
def test_a_table_comes_back(tmp_path, x, y):
    path = tmp_path / "t.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [["a", "b", "c", "label"], *([*row, label] for row, label in zip(x.tolist(), y, strict=True))]
        )
    read = read_records(path).records
    assert np.array_equal(read.features, x)
    assert np.array_equal(read.labels, y)
    assert read.feature_names == ("a", "b", "c")
    np.savez(tmp_path / "t.npz", features=x, labels=y)
    again = read_records(tmp_path / "t.npz").records
    assert np.array_equal(again.features, x)
    assert np.array_equal(again.labels, y)


def test_columns_have_their_parts(tmp_path):
    path = written(tmp_path, '\ufeffid, age,sex ,ill,note\n7,61,1,no,a b\n\n8,47,0,yes,"c,d"\n')
    read = read_records(path, label="ill", classes=["no", "yes"], owner="id", groups=["sex"], ignore=["note"], name="x")
    assert read.records.features.tolist() == [[61, 1], [47, 0]]  # a group of numbers is a feature too
    assert read.records.owners.tolist() == ["7", "8"]
    assert (read.records.name, read.records.unit) == ("x", Unit.PERSON)
    assert read.groups["sex"].tolist() == ["1", "0"]
    read = read_records(path, label="ill", classes=["no", "yes"], groups=["sex", "note"], ignore=["sex", "id"])
    assert read.records.feature_names == ("age",)


def test_arrays_have_their_parts(tmp_path):
    images = np.arange(24.0).reshape(4, 1, 2, 3)
    np.savez(tmp_path / "a.npz", features=images, labels=["x", "y", "x", "y"], owners=[1, 1, 2, 3], region=list("abab"))
    read = read_records(tmp_path / "a.npz", classes=["y", "x"], groups=["region"])
    assert read.records.features.shape == (4, 1, 2, 3)
    assert read.records.labels.tolist() == [1, 0, 1, 0]
    assert read.records.owner_count == 3
    assert read.groups["region"].tolist() == list("abab")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,label\n1,0\nsecret,1\n", {}, "numbers in column 'a' of t.csv, got text in line 3"),
        ("a,label\n1,0\n,1\n", {}, "an empty cell in line 3"),
        ("a,label\n1,0\n2,x\n", {}, "whole numbers from 0 in column 'label' of t.csv, got words"),
        ("a,label\n1,0\n2,1.5\n", {}, "whole numbers from 0"),
        ("a,label\n1,0\n2,secret\n", {"classes": ["0", "1"]}, "another word in 1 of 2 records, the first in line 3"),
        ("a,a\n1,0\n", {}, "a name of its own"),
        ("a,label\n1,0\n2,1,3\n", {}, "2 cells in every line of t.csv, got 3 in line 3"),
        ("a,label\n", {}, "at least one record"),
        ("a,b\n1,0\n", {}, "has no \\['label'\\]"),
        ("label\n1\n", {}, "at least one feature"),
        ('a,label\n1,0\n"2,1\n', {}, "comma-separated"),
    ],
)
def test_what_cannot_be_used_is_named_and_not_shown(tmp_path, text, options, message):
    with pytest.raises(DataError, match=message) as error:
        read_records(written(tmp_path, text), **options)
    assert "secret" not in str(error.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(UsageError, match=r"\.csv or \.npz"):
        read_records(tmp_path / "x.parquet")
    with pytest.raises(UsageError, match="is none"):
        read_records(tmp_path / "x.csv")
    with pytest.raises(DataError, match="arrays of numbers"):
        read_records(written(tmp_path, "no archive", "x.npz"))
    np.savez(tmp_path / "objects.npz", features=np.array([{}, {}]), labels=np.array([0, 1]))
    with pytest.raises(DataError, match="without Python objects"):
        read_records(tmp_path / "objects.npz")
    np.savez(tmp_path / "less.npz", features=np.eye(2))
    with pytest.raises(DataError, match="labels"):
        read_records(tmp_path / "less.npz")
    np.savez(tmp_path / "groups.npz", features=np.eye(2), labels=[0, 1], sex=[1])
    with pytest.raises(DataError, match="one group per record"):
        read_records(tmp_path / "groups.npz", groups=["sex"])


def test_damaged_archives(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, features=np.arange(4000.0).reshape(-1, 2), labels=np.arange(2000) % 2)
    whole = path.read_bytes()
    for place in (100, 200, 400):  # in the packed bytes
        path.write_bytes(whole[:place] + bytes(40) + whole[place + 40 :])
        with pytest.raises(DataError, match="arrays of numbers"):
            read_records(path)
    for kept in (0, 3, 40, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:kept])
        with pytest.raises(DataError, match="arrays of numbers"):
            read_records(path)
    with (tmp_path / "single.npy").open("wb") as stream:
        np.save(stream, np.eye(3))
    (tmp_path / "single.npy").rename(path)
    with pytest.raises(DataError, match="arrays of numbers"):
        read_records(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("features", "text")
        archive.writestr("labels", "text")
    with pytest.raises(DataError, match="arrays of numbers"):
        read_records(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_any_byte_may_be_wrong(tmp_path, place, byte):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, features=np.eye(20), labels=np.arange(20) % 2)
    content = bytearray(path.read_bytes())
    content[place % len(content)] = byte
    path.write_bytes(content)
    with warnings.catch_warnings(), contextlib.suppress(DataError):
        warnings.simplefilter("ignore")  # NumPy's, of a header that it could read all the same
        read_records(path)


@pytest.mark.parametrize(
    "labels", [np.array("ab"), np.array([["a"], ["b"]]), np.array([1j, 2j]), np.array([b"\xff", b"a"])]
)
def test_labels_that_are_none(tmp_path, labels):
    np.savez(tmp_path / "x.npz", features=np.eye(2), labels=labels)
    with pytest.raises(DataError):
        read_records(tmp_path / "x.npz", classes=["a", "b"])


def test_numbers_that_are_no_classes(tmp_path):
    rows = "".join(f"{i},{i % 2}\n" for i in range(9))
    for number in ("1e9", "10", "1000000000"):
        path = written(tmp_path, f"a,label\n{rows}0,{number}\n")
        with pytest.raises(
            DataError, match=r"as many classes as records in column 'label' of t\.csv, got 10 records"
        ) as error:
            read_records(path)
        assert number not in str(error.value).replace("10 records", "")
    for number in ("inf", "nan", "1e300"):
        for classes in (None, 5):
            with pytest.raises(DataError, match="whole numbers from 0"):
                read_records(written(tmp_path, f"a,label\n{rows}0,{number}\n"), classes=classes)
    path = written(tmp_path, f"a,label\n{rows}0,10\n")
    assert read_records(path, classes=20).records.classes == 20
    assert read_records(written(tmp_path, f"a,label\n{rows}0,9\n")).records.classes == 10
    np.savez(tmp_path / "x.npz", features=np.eye(3), labels=[0, 1, 10**9])
    with pytest.raises(DataError, match="as many classes as records"):
        read_records(tmp_path / "x.npz")
    assert read_records(tmp_path / "x.npz", classes=10**9 + 1).records.classes == 10**9 + 1


def test_lines_are_those_of_the_file(tmp_path):
    with pytest.raises(DataError, match="got text in line 6"):
        read_records(written(tmp_path, "\na,label\n\n1,0\n\nx,1\n"))
    with pytest.raises(DataError, match="got 3 in line 5"):
        read_records(written(tmp_path, "a,label\n1,0\n\n\n2,1,3\n"))
    with pytest.raises(DataError, match="an empty cell in line 6"):  # where the row begins
        read_records(written(tmp_path, 'a,label,note\n1,0,"one\ntwo\n"\n\n,1,"x\ny"\n'), ignore=["note"])
