"""JSON lines: every value of every line, and the same columns throughout."""

from __future__ import annotations

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from reticent.data.tables import read, streams
from reticent.data.tables.jsonlines import NO_OBJECT, JsonLines
from reticent.errors import UsageError

KEYS = st.sampled_from(["a", "b", "c", "a.b", "d é"])
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.just("2020-01-01"),
    st.lists(st.integers(0, 3), max_size=2),
)
OBJECTS = st.dictionaries(KEYS, st.one_of(LEAVES, st.dictionaries(KEYS, LEAVES, max_size=2)), max_size=3)


def rows_of(path, columns=None):
    source = JsonLines(path, path.name)
    found, names = [], set()
    for piece in source.pieces(columns, rows=5):
        assert piece.first == len(found)
        names.add(tuple(piece.batch.schema.names))
        found += piece.batch.to_pylist()
    assert len(names) <= 1
    return found, source


def flat(value, before=""):
    """Pairs of path and value, one after the other."""
    for key, one in value.items():
        if isinstance(one, dict):
            yield from flat(one, f"{before}{key}.")
        elif one is not None:
            yield f"{before}{key}", one


def keys(value):
    """Keys of what is no object, null included."""
    for one in value.values():
        if isinstance(one, dict):
            yield from keys(one)
        else:
            yield one


def same(text, value):
    if isinstance(value, str):
        return text == value
    return json.loads(text) == value and isinstance(json.loads(text), bool) == isinstance(value, bool)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(objects=st.lists(OBJECTS, max_size=12), block=st.integers(1, 200), ascii_only=st.booleans())
def test_every_value_is_there(tmp_path_factory, objects, block, ascii_only):
    path = tmp_path_factory.mktemp("j") / "t.jsonl"
    path.write_text("".join(json.dumps(one, ensure_ascii=ascii_only) + "\n" for one in objects), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "BLOCK", block)
        found, source = rows_of(path)
    if not any(piece for piece in objects if any(True for _ in keys(piece))):
        assert found == []
        return
    assert len(found) == len(objects)
    assert not [problem for problem in source.problems if problem.lost]
    for row, one in zip(found, objects, strict=True):
        left = {name: text for name, text in row.items() if text is not None}
        for name, value in flat(one):
            place = next(at for at in (name, f"{name} (2)") if at in left and same(left[at], value))
            del left[place]
        assert not left


def test_odd_lines_are_kept_and_said(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(
        '{"a": 1, "a": 2}\n[1, 2]\nbroken {\n\n{"a": {"b": [1, {"c": 1.50}]}}\n"\\ud800"\nnull\n{"s": "\\ud800"}\n'
    )
    found, source = rows_of(path)
    rows = [{name: text for name, text in row.items() if text is not None} for row in found]
    assert rows == [
        {"a": "1", "a (2)": "2"},
        {NO_OBJECT: "[1, 2]"},
        {NO_OBJECT: "broken {"},
        {"a.b": '[1, {"c": 1.50}]'},
        {NO_OBJECT: '"\\ud800"'},
        {},
        {"s": "\\ud800"},
    ]
    assert [(problem.where, problem.count) for problem in source.problems] == [
        ("line 1", 1),
        ("lines 2, 3, 6", 3),
        ("line 5", 1),
    ]


def test_deep_nesting_does_no_harm(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text("[" * 100_000 + "\n" + '{"a":' * 3000 + "1" + "}" * 3000 + "\n")
    found, _ = rows_of(path)
    assert len(found) == 2


def test_large_numbers_keep_their_digits(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"n": 12345678901234567890123}\n{"n": 1.5}\n')
    assert [row["n"] for row in rows_of(path)[0]] == ["12345678901234567890123", "1.5"]


def test_keys_that_come_late_are_columns_from_the_beginning(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK", 50)
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1}\n' * 50 + '{"late": "x"}\n')
    found, _ = rows_of(path)
    assert found[0] == {"a": "1", "late": None}
    assert found[-1] == {"a": None, "late": "x"}
    assert rows_of(path, ["late"])[0][-1] == {"late": "x"}
    with pytest.raises(UsageError, match="later"):
        rows_of(path, ["later"])


def test_types_are_those_of_json_when_read_whole(tmp_path):
    path = tmp_path / "t.jsonl"
    rows = [
        {"n": 1.5, "zip": "10001", "ok": True, "day": "2020-01-02", "mix": 1},
        {"n": 2, "zip": "20002", "ok": None, "day": "2020-02-03", "mix": "x"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = read(path)
    assert [column.kind for column in table.columns] == ["number", "text", "yes or no", "date", "text"]
    assert table["ok"].cells().tolist() == [True, None]
    again = read(table.save(tmp_path / "again.jsonl"))
    assert [column.cells().tolist() for column in again.columns] == [
        column.cells().tolist() for column in table.columns
    ]


def test_exponents_without_a_sign_are_numbers_in_json(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1e5, "b": [1]}\n{"a": 2, "b": []}\n')
    with pytest.warns(UserWarning, match="lists"):
        assert read(path)["a"].cells().tolist() == [100_000.0, 2.0]
