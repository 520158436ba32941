"""A scan from files to findings."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import reticent as rt
from reticent.data.scan import scan
from reticent.data.scan.tally import masked
from reticent.data.tables import Table
from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness

PEOPLE = {
    "name": ["Ann Lee", "Bo Kim", "Cy Doe", None],
    "mail": ["ann@example.org", "bo@example.org", "", "cy@example.org"],
    "zip": ["02139", "03601", "10001", "10001"],
    "diagnosis": ["E11.9", "I10", "J45.909", "I10"],
    "comment": ["paid by card 4111 1111 1111 1111 on site", "no answer today, try again", "all went well then", "-"],
    "points": ["1.5", "2.5", "3.5", "2.5"],
}


def test_one_door_to_tables_files_and_frames(tmp_path) -> None:
    table = Table.of(PEOPLE)
    csv, parquet = table.save(tmp_path / "p.csv"), table.save(tmp_path / "p.parquet")
    found = [scan(source) for source in (PEOPLE, table, str(csv), parquet, table.to_arrow())]
    assert rt.scan is scan
    kinds = [[(one.column, one.kind, one.cells) for one in each.found] for each in found]
    assert all(each == kinds[0] for each in kinds)
    both = scan([csv, parquet])
    assert [one.name for one in both.sources] == ["p.csv", "p.parquet"]
    assert len(both.found) == 2 * len(found[0].found)
    with pytest.raises(UsageError, match=r"nowhere"):
        scan(tmp_path / "nowhere.csv")
    (tmp_path / "none.csv").write_text("")
    with pytest.raises((DataError, UsageError, pa.ArrowInvalid)):
        scan(tmp_path / "none.csv")


def test_sources_of_one_name_are_numbered_and_empty_ones_say_so(tmp_path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    (tmp_path / "a" / "p.csv").write_text("email,n\nx@example.org,1\n")
    (tmp_path / "b" / "p.csv").write_text("n\n1\n")
    found = scan([tmp_path / "a" / "p.csv", tmp_path / "b" / "p.csv"])
    assert [one.name for one in found.sources] == ["p.csv [1]", "p.csv [2]"]
    assert [one.source for one in found.found] == ["p.csv [1]"]
    with pytest.raises(DataError, match="got none"):
        scan({"email": pa.array([], pa.string())})


def test_findings_point_and_show_nothing() -> None:
    found = scan(PEOPLE)
    by_column = {(one.column, one.kind): one for one in found.found}
    mail = by_column["mail", "e-mail address"]
    assert (mail.cells, mail.first_row, mail.share.n, mail.share.value) == (3, 1, 3, 1.0)
    card = by_column["comment", "payment card number"]
    assert (card.in_text, card.cells, card.confidence) == (True, 1, "checksum")
    assert ("points", "unique code") not in by_column
    written = json.dumps(found.as_dict()) + str(found) + repr(found)
    cells = {cell for column in PEOPLE.values() for cell in column if cell and len(cell) > 3}
    assert not [cell for cell in cells if cell in written]


def test_examples_only_by_name(tmp_path) -> None:
    shown = scan(PEOPLE, show=2)
    assert {one.kind: one.examples for one in shown.found}["e-mail address"] == (
        "xxx@xxxxxxx.xxx",
        "xx@xxxxxxx.xxx",
    )
    assert masked("A1é") == "X9x"
    plain = scan(PEOPLE, show=1, plain=True)
    assert {one.kind: one.examples for one in plain.found}["e-mail address"] == ("ann@example.org",)
    with pytest.raises(UsageError, match="plain"):
        scan(PEOPLE, plain=True)


def test_counts_in_many_pieces_are_those_of_one(tmp_path) -> None:
    """70,001 rows: more than one piece; counts as by hand."""
    rows = 70_001
    mails = [f"u{place}@example.org" if place % 7 == 0 else "" for place in range(rows)]
    found = scan({"c": mails, "n": [str(place) for place in range(rows)]})
    (one,) = found.found
    assert (one.kind, one.cells, one.first_row) == ("e-mail address", len(range(0, rows, 7)), 1)
    late = scan({"c": [None] * 66_000 + ["a@b.org"]})
    assert late.found[0].first_row == 66_001
    assert found.sources[0].columns[1].distinct == rows


def test_a_sample_says_what_it_may_have_missed() -> None:
    rows = 5000
    rng = np.random.default_rng(1)
    table = {"c": ["x" if one else "a@b.org" for one in rng.random(rows) < 0.5], "n": rng.integers(0, 9, rows)}
    found = scan(table, sample=400, randomness=Randomness.simulated(1))
    (source,) = found.sources
    assert (source.rows, source.looked_at) == (rows, 400)
    assert not any(each.whole for each in source.singled_out)
    assert all(each.first_row is None for each in found.found)
    (one,) = (one for one in found.found if one.column == "c")
    assert one.share.low < one.share.value < one.share.high
    bounds = {column.name: column.missed_at_most for column in source.columns}
    assert bounds["c"] is None
    assert bounds["n"] == pytest.approx(1 - 0.05 ** (1 / 400))
    assert all(column.missed_at_most is None for column in scan(table).sources[0].columns)


def test_columns_of_several_types() -> None:
    pandas = pytest.importorskip("pandas")
    found = scan(pandas.DataFrame({"x": [1, "a@example.org", None], "n": [1, 2, 3]}))
    assert {(one.column, one.kind, one.cells) for one in found.direct} == {("x", "e-mail address", 1)}
    assert any("several types" in one["what"] for one in found.sources[0].problems)


def test_gates() -> None:
    found = scan(PEOPLE)
    assert found.fails(["direct", "sensitive", "direct"]) == ("direct", "sensitive")
    assert scan({"n": [1, 1, 2, 2]}).fails(["direct", "quasi", "sensitive"]) == ()
    alone = {"a": [f"x{place % 50}" for place in range(600)], "b": [f"y{place // 50}" for place in range(600)]}
    assert scan(alone).fails(["quasi"]) == ("quasi",)
    with pytest.raises(UsageError, match="group"):
        found.fails(["all"])


def test_the_two_lists() -> None:
    found = scan({**PEOPLE, "age": ["91", "20", "30", "40"], "photo": ["a.jpg"] * 4})
    rows = {row["letter"]: row for row in found.safe_harbor}
    assert "".join(rows) == "ABCDEFGHIJKLMNOPQR"
    assert rows["A"]["status"] == "found"
    assert rows["C"]["hits"] == 1
    assert (rows["P"]["status"], rows["Q"]["status"]) == ("looked for by columns' names only", "found")
    assert rows["E"]["status"] == "no column is called so"
    assert rows["F"]["cells"] >= 24
    special = {row["special"]: row["status"] for row in found.special}
    assert (special["health"], special["union"], special["religion"]) == ("found", "names of columns only", "not found")


def test_what_cannot_be_looked_into_is_said(tmp_path) -> None:
    mails = [[f"someone{k}@example.org", "c"] for k in range(40)]
    table = pa.table({"blob": pa.array([b"\xff", *[b"y"] * 39]), "tags": pa.array(mails)})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    found = scan(tmp_path / "t.parquet")
    assert any("bytes" in one["what"] for one in found.sources[0].as_dict()["problems"])
    assert {(one.column, one.kind) for one in found.direct} == {("tags", "e-mail address")}
    assert scan(PEOPLE, texts="none").settings["texts"] == "not read"
    assert "payment card number" not in {one.kind for one in scan(PEOPLE, texts="none").found}
    with pytest.raises(UsageError, match="texts"):
        scan(PEOPLE, texts="magic")


def test_pseudonyms_and_codes() -> None:
    rng = np.random.default_rng(2)
    codes = [f"K{one}" for one in rng.choice(10**6, 300, replace=False)]
    digests = ["".join(rng.choice(list("0123456789abcdef"), 64)) for _ in range(300)]
    found = {one.column: one for one in scan({"k": codes, "d": digests, "row": list(range(300))}).found}
    assert (found["k"].kind, found["k"].group) == ("unique code", "quasi")
    assert "pseudonym" in found["d"].note
    assert "row" not in found
