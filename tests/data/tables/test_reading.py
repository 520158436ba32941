"""Whole tables are whole, or refused; samples are uniform."""

from __future__ import annotations

import gzip
import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import chi2

from reticent.data.tables import Column, open_sources, read, reading, sample, streams
from reticent.data.tables.pieces import Piece
from reticent.data.tables.reading import available_memory
from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness


class Numbers:
    """The numbers below `rows`, in pieces of one size."""

    name, kind, bytes, problems = "numbers", "frame", None, ()

    def __init__(self, rows, size):
        self.rows, self.size = rows, size

    def pieces(self, columns=None, *, rows=1 << 16):
        for first in range(0, self.rows, self.size):
            values = range(first, min(first + self.size, self.rows))
            yield Piece(pa.RecordBatch.from_pydict({"n": list(values)}), first)

    def column(self, name, cells, missing=("",)):
        return Column.of(name, cells)


def test_many_pieces_make_the_same_table_as_pandas(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK", 5_000)
    monkeypatch.setattr(reading, "_FRESH", 500)
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "age": rng.integers(0, 90, 20_000),
            "zip": [f"{zip:05d}" for zip in rng.integers(0, 99_999, 20_000)],
            "id": [f"person {number}" for number in range(20_000)],
            "pay": np.where(rng.random(20_000) < 0.1, np.nan, rng.normal(size=20_000).round(3)),
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    table = read(tmp_path / "t.csv")
    assert [column.kind for column in table.columns] == ["number", "text", "text", "number"]
    for name in frame:
        assert table[name].cells().tolist() == [None if pd.isna(value) else value for value in frame[name].tolist()]
        assert (np.diff(np.argsort(table[name].values, kind="stable")) == 1).all()
    assert table["age"].counts().sum() == 20_000
    assert (table["age"].counts() > 0).all()


def test_a_table_that_does_not_fit_is_refused_with_the_remedy(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join(f"{number},word {number}\n" for number in range(400_000)))
    with pytest.raises(DataError, match=r"10 MiB of memory.*columns=.*rows=.*randomness="):
        read(path, memory=10 << 20)
    assert read(path, rows=1000, randomness=Randomness.simulated(0), memory=10 << 20).rows == 1000
    same = tmp_path / "same.csv"
    same.write_text("a,b\n" + "x,y\n" * 400_000)
    assert read(same, memory=10 << 20).rows == 400_000  # few distinct values take little
    assert available_memory() > 1 << 25


def test_lost_rows_are_an_error_and_odd_ones_a_warning(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 100_000)[:-5])
    with pytest.raises(DataError, match=r"t\.csv\.gz whole, but the compressed file is cut off"):
        read(path)
    with pytest.raises(DataError, match="cut off"):
        read(path, rows=10, randomness=Randomness.simulated(0))
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n3\n")
    with pytest.warns(UserWarning, match=r"odd\.csv: rows with fewer cells .*\(line 3\)"):
        assert read(tmp_path / "odd.csv")["b"].cells().tolist() == [2, None]


def test_exactly_one_table(tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x\n1\n")
    with pytest.raises(UsageError, match=r"got 2: a\.csv, b\.csv"):
        read(tmp_path)
    assert read(open_sources(tmp_path)[1])["x"].cells().tolist() == [1]
    assert read({"x": ["?", "7"]}, missing=("?",))["x"].cells().tolist() == [None, "7"]
    with pytest.raises(UsageError, match="randomness"):
        read(tmp_path / "a.csv", rows=3)


# Samples ----------------------------------------------------------------------------------------------------------


def test_a_sample_does_not_depend_on_the_pieces():
    drawn = [sample(Numbers(5_000, size), 100, Randomness.simulated(3)) for size in (1, 7, 1_000, 10_000)]
    for one in drawn:
        assert one.numbers.tolist() == drawn[0].numbers.tolist() == one.table["n"].cells().tolist()
        assert one.seen == 5_000
        assert (np.diff(one.numbers) > 0).all()
    assert sample(Numbers(5_000, 7), 100, Randomness.simulated(4)).numbers.tolist() != drawn[0].numbers.tolist()


def test_all_rows_if_there_are_not_more():
    for rows in (10, 11, 1_000):
        assert sample(Numbers(10, 3), rows, Randomness.simulated(0)).numbers.tolist() == list(range(10))
    with pytest.raises(DataError, match="at least one row"):
        sample(Numbers(0, 3), 1, Randomness.simulated(0))
    with pytest.raises(UsageError, match="rows"):
        sample(Numbers(10, 3), 0, Randomness.simulated(0))


def subset_statistic(draws):
    """Chi square of how often each of the 20 subsets of 3 of 6 rows was drawn."""
    counts = dict.fromkeys(itertools.combinations(range(6), 3), 0)
    for one in draws:
        counts[tuple(one)] += 1
    expected = len(draws) / 20
    return sum((count - expected) ** 2 / expected for count in counts.values())


def test_every_subset_is_drawn_as_often():
    """False alarm at most 1e-6; a reservoir that keeps the first row too often is found."""
    randomness = Randomness.simulated(5)
    draws = [sample(Numbers(6, 2), 3, randomness).numbers.tolist() for _ in range(2_000)]
    limit = chi2.isf(1e-6, 19)
    assert subset_statistic(draws) < limit
    rng = np.random.default_rng(0)
    biased = [sorted(rng.choice(6, 3, replace=False, p=[0.25, *[0.15] * 5])) for _ in range(2_000)]
    assert subset_statistic(biased) > limit
