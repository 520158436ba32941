"""Maps: the same for every table, in memory and in pieces, and nothing but plain values in the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reticent.data.minimisation import Generalisation, Mapped, apply_file
from reticent.data.minimisation.rules import OTHER, Banded, Dropped, Grouped, Kept, Prefixed, Truncated
from reticent.data.tables import Table, read
from reticent.errors import DataError, UsageError

LESS = Generalisation(
    (
        Mapped("age", "number", Banded((40.0,), (30.0, 60.0))),
        Mapped("name", "text", Dropped()),
        Mapped("zip", "text", Prefixed(3)),
        Mapped("town", "text", Grouped({"Lund": "north", "Bonn": "south"})),
        Mapped("born", "date", Truncated("year")),
        Mapped("member", "yes or no", Kept()),
        Mapped("weight", "number", Kept()),
    ),
    label="ill",
)


def people(rows: int = 1000) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "name": [f"n{k}" for k in range(rows)],
            "zip": [f"{k:05d}" for k in draw.integers(0, 99_999, rows)],
            "age": draw.integers(0, 90, rows).astype(float),
            "town": draw.choice(["Lund", "Bonn", "Rome"], rows),
            "born": pd.Timestamp("1950-01-01") + pd.to_timedelta(draw.integers(0, 20_000, rows), unit="D"),
            "member": draw.choice([True, False], rows),
            "weight": np.round(draw.normal(70, 10, rows), 1),
            "ill": draw.choice(["yes", "no"], rows),
        }
    )
    frame.loc[::7, "age"] = np.nan
    frame.loc[::5, "town"] = None
    return frame


def test_a_map_does_what_pandas_would() -> None:
    frame = people()
    table, problems = LESS.apply(frame)
    assert problems == ()
    assert table.names == ("age", "zip", "town", "born", "member", "weight", "ill")
    got = table.to_arrow().to_pandas()
    age = frame["age"].map(lambda one: one if np.isnan(one) else 60 if one >= 40 else 30)
    pd.testing.assert_series_equal(got["age"].astype(float), age)
    assert got["zip"].tolist() == frame["zip"].str[:3].tolist()
    town = frame["town"].map({"Lund": "north", "Bonn": "south", "Rome": OTHER}, na_action="ignore")
    assert got["town"].where(got["town"].notna(), None).tolist() == town.where(town.notna(), None).tolist()
    assert got["born"].dt.year.tolist() == frame["born"].dt.year.tolist()
    assert set(got["born"].dt.dayofyear) == {1}


def test_columns_that_are_dropped_need_not_be_collected_any_more() -> None:
    frame = people()
    more = frame.drop(columns=["name"]).assign(shoe=38)
    assert LESS.apply(more)[0].to_arrow() == LESS.apply(frame)[0].to_arrow()
    assert LESS.apply(frame.drop(columns=["ill"]))[0].names == LESS.apply(frame)[0].names[:-1]
    with pytest.raises(UsageError, match="none of the name 'zip', 'born'"):
        LESS.apply(frame.drop(columns=["zip", "born"]))


def test_mapping_twice_is_mapping_once_for_dates_and_prefixes() -> None:
    once = LESS.apply(people())[0]
    twice = LESS.apply(once)[0]
    for name in ("zip", "born", "age", "member", "weight"):
        assert twice[name].cells().tolist() == once[name].cells().tolist()


def test_a_map_comes_back_from_its_file(tmp_path: Path) -> None:
    path = LESS.save(tmp_path / "less.json")
    assert Generalisation.load(path) == LESS
    assert json.loads(path.read_text())["format"] == "reticent-minimisation-map/1"
    with pytest.raises(UsageError, match=r"ends in \.json"):
        LESS.save(tmp_path / "less.pkl")
    with pytest.raises(UsageError, match="can be read"):
        Generalisation.load(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    "change",
    [
        {"format": "reticent-minimisation-map/2"},
        {"more": 1},
        {"label": 3},
        {"label": "age"},
        {"columns": {}},
        {"columns": [1]},
        {"columns": [{"name": "a", "kind": "number"}]},
        {"columns": [{"name": "a", "kind": "numbers", "rule": {"kind": "kept"}}]},
        {"columns": [{"name": "a", "kind": "text", "rule": {"kind": "truncated", "unit": "day"}}]},
        {"columns": [{"name": "a", "kind": "text", "rule": {"kind": "kept"}}] * 2},
        {"columns": [{"name": 1, "kind": "text", "rule": {"kind": "kept"}}]},
        {"columns": [{"name": "a", "kind": "text", "rule": {"kind": "dropped"}}], "label": None},
    ],
)
def test_no_other_maps_are_read(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Generalisation.from_dict({**LESS.as_dict(), **change})


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("to", [".csv", ".parquet", ".jsonl"])
def test_pieces_give_what_the_whole_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, to: str
) -> None:
    frame = people(3000)
    source, target = tmp_path / f"all{ending}", tmp_path / f"less{to}"
    if ending == ".csv":
        frame.to_csv(source, index=False)
    else:
        frame.to_parquet(source, row_group_size=100)
    done = apply_file(LESS, source, target)
    assert (done.rows, done.problems) == (3000, ())
    expected = LESS.apply(read(source))[0]
    if to == ".jsonl":
        rows = [json.loads(line) for line in target.read_text().splitlines()]
        assert [row["zip"] for row in rows] == expected["zip"].cells().tolist()
        assert [row["age"] for row in rows] == expected["age"].cells().tolist()
        return
    got = read(target)
    assert got.names == expected.names
    for name in ("age", "weight", "born"):
        np.testing.assert_array_equal(got[name].numbers(), expected[name].numbers())
    for name in ("town", "ill"):
        assert got[name].cells().tolist() == expected[name].cells().tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source.name, target.name])


def test_a_first_piece_without_values_keeps_the_types(tmp_path: Path) -> None:
    less = Generalisation((Mapped("a", "number", Kept()), Mapped("b", "text", Kept())))
    lines = ["a,b", *([",x"] * 90_000), "1.5,"]
    (tmp_path / "all.csv").write_text("\n".join(lines) + "\n")
    done = apply_file(less, tmp_path / "all.csv", tmp_path / "less.parquet")
    got = read(tmp_path / "less.parquet")
    assert done.rows == 90_001
    assert got["a"].values.tolist() == [1.5]
    assert got["b"].cells().tolist()[-1] is None


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text("age,zip\n1,2\n")
    for less, target, error in (
        (LESS, "less.csv", UsageError),
        (Generalisation((Mapped("age", "number", Kept()),)), "less.txt", UsageError),
        (Generalisation((Mapped("age", "number", Kept()),)), "nowhere/less.csv", UsageError),
    ):
        with pytest.raises(error):
            apply_file(less, tmp_path / "all.csv", tmp_path / target)
    (tmp_path / "empty.csv").write_text("age\n")
    with pytest.raises(DataError, match="at least one row"):
        apply_file(Generalisation((Mapped("age", "number", Kept()),)), tmp_path / "empty.csv", tmp_path / "less.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.csv", "empty.csv"]


def test_unreadable_cells_are_counted(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text("age,b\n1,\nold,\n,\nolder,\n")
    rules = Generalisation((Mapped("age", "number", Kept()),))
    done = apply_file(rules, tmp_path / "all.csv", tmp_path / "less.csv", header=True)
    assert [(one.what, one.count) for one in done.problems] == [("cells of 'age' that cannot be read as number", 2)]
    assert (tmp_path / "less.csv").read_text() == 'age\n1\n""\n""\n""\n'


def test_tables_without_any_column_of_the_map_are_refused() -> None:
    with pytest.raises(UsageError):
        Generalisation((Mapped("a", "text", Dropped()),), label="y").apply(Table.of({"b": [1]}))
