"""Files of any order and kind of name give the same ratings; what is wrong is refused without showing it."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reticent.data.ratings import parts as module
from reticent.data.ratings import read_packaged_ratings, read_ratings
from reticent.data.ratings.store import Ratings
from reticent.errors import DataError, FetchError, UsageError


def alike(left: Ratings, right: Ratings) -> bool:
    pairs = [(left.starts, right.starts), (left.people, right.people), (left.values, right.values)]
    for a, b in ((left.scores, right.scores), (left.days, right.days)):
        assert (a is None) == (b is None)
        pairs += [(a, b)] if a is not None and b is not None else []
    return all(np.array_equal(a, b) for a, b in pairs) and left.first_day == right.first_day


@pytest.mark.parametrize("names", ["numbers", "large numbers", "texts"])
def test_a_file_in_pieces_gives_what_arrays_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    draw = np.random.default_rng(1)
    size = 700
    who, what = draw.integers(0, 40, size), draw.integers(0, 30, size)
    _, first = np.unique(who * 100 + what, return_index=True)
    who, what = who[first], what[first]
    order = draw.permutation(len(who))
    who, what = who[order], what[order]
    stars, when = draw.choice([0.5, 1.0, 4.5], len(who)), draw.integers(12_000, 12_900, len(who))
    people = {
        "numbers": who * 3,
        "large numbers": who.astype(np.int64) * 10**12,
        "texts": np.array([f"user {n:03}" for n in who]),
    }[names]
    table = pa.table(
        {"person": people, "item": what, "rating": stars, "date": pa.array(when, pa.int32()).cast(pa.date32())}
    )
    path = tmp_path / "ratings.parquet"
    pq.write_table(table, path, row_group_size=100)
    monkeypatch.setattr(module, "_ROWS", 64)
    _, numbered = np.unique(who if names == "numbers" else people.astype(str), return_inverse=True)
    steps: list[int] = []
    read = read_ratings(path, progress=steps.append)
    assert alike(read, Ratings.of(numbered, what, scores=stars, days=when))
    assert steps[-1] == len(who)


def test_seconds_days_and_dates_are_the_same_days(tmp_path: Path) -> None:
    lines = ["p,i,r,s,n,d", "a,x,1,86400,1,1970-01-02", "a,y,2,259199,2,1970-01-03 23:59:59"]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines) + "\n")
    ways = [("s", "seconds"), ("n", "days"), ("d", "dates")]
    found = [read_ratings(path, person="p", item="i", rating="r", date=c, dates_are=u) for c, u in ways]
    assert all(alike(found[0], other) for other in found[1:])
    assert (found[0].first_day, found[0].span) == (1, 2)


def test_values_and_dates_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("person,item\n1,1\n1,1\n2,5\n")
    read = read_ratings(path, rating=None, date=None)
    assert (len(read), read.repeated, read.scores, read.days) == (2, 1, None, None)


@pytest.mark.parametrize(
    ("text", "more", "error", "said"),
    [
        ("person,item,rating\n1,1,secret\n", {"date": None}, DataError, "Expected numbers in column 'rating'"),
        ("person,item,rating,date\n1,1,1,secret\n", {}, DataError, "Expected dates"),
        ("person,item,rating\n1,1,1\n", {"date": None, "item": "itm"}, UsageError, "itm"),
        ("person,item,rating\n", {"date": None}, DataError, "at least one rating"),
        ("person,item,rating\n1,1,1\n", {"dates_are": "hours"}, UsageError, "dates_are"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, text: str, more: dict[str, str], error: type[Exception], said: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(error, match=said) as caught:
        read_ratings(path, **more)  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


def test_numbers_are_no_dates_until_somebody_says_so(tmp_path: Path) -> None:
    pq.write_table(pa.table({"person": [1], "item": [1], "rating": [1], "date": [881250949]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="Say what they count"):
        read_ratings(tmp_path / "t.parquet")


def test_empty_cells_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"person": [1, None], "item": [1, 2]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="no empty cell in column 'person', got 1"):
        read_ratings(tmp_path / "t.parquet", rating=None, date=None)


@pytest.mark.fetched
def test_movielens_is_whole() -> None:
    try:
        read = read_packaged_ratings("movielens-100k")
    except FetchError:
        pytest.skip("the data set movielens-100k is not in the cache; run: reticent data fetch movielens-100k")
    assert (len(read), read.count, read.item_count, read.span) == (100_000, 943, 1682, 215)
    assert read.values.tolist() == [1, 2, 3, 4, 5]
    assert read.sizes.min() == 20
    with pytest.raises(UsageError, match="movielens-100k"):
        read_packaged_ratings("netflix")


@pytest.mark.slow
def test_rows_that_are_lost_and_empty_names_are_refused(tmp_path: Path) -> None:
    rows = [f"{who},{who % 7},3,2020-01-01\n" for who in range(30_000)]
    packed = gzip.compress("".join(["person,item,rating,date\n", *rows]).encode(), mtime=0)
    whole = zlib.decompressobj(31)
    cut = next(  # where what can be unpacked ends with a row: nothing else tells that rows are missing
        size
        for size in range(len(packed) // 2, len(packed))
        if whole.copy().decompress(packed[:size]).endswith(b"2020-01-01\n")
    )
    (tmp_path / "r.csv.gz").write_bytes(packed[:cut])
    with pytest.raises(DataError, match="cut off"):
        read_ratings(tmp_path / "r.csv.gz")
    (tmp_path / "r.csv").write_text("person,item,rating,date\n,1,3,2020-01-01\n,2,3,2020-01-01\na,2,3,2020-01-01\n")
    with pytest.raises(DataError, match="column 'person', got 2"):
        read_ratings(tmp_path / "r.csv")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("date", ["1000000000000", "nan", "-99999999"])
def test_days_that_are_none_are_refused(tmp_path: Path, date: str) -> None:
    (tmp_path / "r.csv").write_text(f"person,item,rating,date\na,1,3,{date}\nb,1,3,5\n")
    with pytest.raises(DataError, match="beyond the year 9999"):
        read_ratings(tmp_path / "r.csv", dates_are="days")


def test_a_file_without_a_header(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("ann,alien\nbob,brazil\n")
    columns = {"person": "column 1", "item": "column 2", "rating": None, "date": None}
    assert len(read_ratings(tmp_path / "r.csv", header=False, **columns)) == 2
