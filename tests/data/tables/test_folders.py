"""Folders: every file is a source or is listed, with the reason."""

from __future__ import annotations

import gzip
import os

import pytest

from reticent.data.tables import open_sources
from reticent.data.tables.folders import ENDINGS, Options, sources_at
from reticent.errors import UsageError


def test_every_file_is_read_or_listed(tmp_path):
    for name, content in {
        "a.csv": b"x,y\n1,2\n",
        "b/c.tsv.gz": gzip.compress(b"x\ty\n1\t2\n"),
        "b/d.PARQUET": b"",
        "b/e/f.txt": b"hello\n",
        "g.json": b'{"a": 1}\n{"a": 2}\n',
        "h.json": b'[{"a": 1}]',
        "i.json": b'{\n  "a": 1\n}\n',
        "j.json.gz": gzip.compress(b'{"a": 1}\n'),
        ".hidden.csv": b"",
        ".git/x.csv": b"",
        "k.docx": b"",
        "noending": b"",
        "l.parquet.gz": b"",
        "m.db": b"",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "n.csv").symlink_to(tmp_path / "a.csv")
    (tmp_path / "o.csv").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "p.csv")
    sources = open_sources(tmp_path)
    assert [(source.name, source.kind) for source in sources] == [
        ("a.csv", "csv"),
        ("b/c.tsv.gz", "csv"),
        ("b/d.PARQUET", "parquet"),
        ("b/e/f.txt", "text"),
        ("g.json", "json lines"),
        ("j.json.gz", "json lines"),
        ("n.csv", "csv"),
    ]
    assert dict(sources.not_read) == {
        ".git": "a hidden folder",
        ".hidden.csv": "hidden",
        "h.json": "JSON that is not written in lines, an object on each",
        "i.json": "JSON that is not written in lines, an object on each",
        "k.docx": "of a kind that is not read (.docx)",
        "l.parquet.gz": "of a kind that is not read (.parquet.gz)",
        "loop": "a link to a folder",
        "m.db": "a database, which is read by its address",
        "noending": "of a kind that is not read (no ending)",
        "o.csv": "a link to nothing",
        "p.csv": "no ordinary file",
    }
    assert sum(problem.count for problem in sources.left_out) == 11
    assert all(problem.lost for problem in sources.left_out)
    assert [piece.batch.to_pylist() for source in sources[:2] for piece in source.pieces()] == [
        [{"x": "1", "y": "2"}]
    ] * 2


def test_a_file_by_itself_may_be_hidden_or_of_any_ending(tmp_path):
    for name in (".x.csv", "u.user"):
        (tmp_path / name).write_text("a|b\n1|2\n")
    assert open_sources(tmp_path / ".x.csv")[0].kind == "csv"
    assert open_sources(tmp_path / "u.user", kind="csv")[0].kind == "csv"
    with pytest.raises(UsageError, match=r"u\.user.*\.csv"):
        open_sources(tmp_path / "u.user")
    with pytest.raises(UsageError, match="kind"):
        open_sources(tmp_path / "u.user", kind="xml")


@pytest.mark.parametrize(("name", "remedy"), [("a.db", "sqlite:///"), ("a.json", "one object on each line")])
def test_the_remedy_fits(tmp_path, name, remedy):
    (tmp_path / name).write_text("[1]")
    with pytest.raises(UsageError, match=remedy):
        open_sources(tmp_path / name)


def test_a_first_line_too_long_to_see_is_taken_for_one(tmp_path):
    (tmp_path / "a.json").write_text('{"a": "' + "x" * 100_000 + '"}\n')
    assert [source.kind for source in open_sources(tmp_path / "a.json")] == ["json lines"]


def test_what_is_said_is_checked_and_passed_on(tmp_path):
    (tmp_path / "a.csv").write_text("1;2\n3;4\n")
    (tmp_path / "b.txt").write_text("x\ny\n\nz\n")
    for wrong in ({"delimiter": ";;"}, {"encoding": "utf-9"}, {"table": "x"}):
        with pytest.raises(UsageError):
            open_sources(tmp_path, **wrong)
    table, text = open_sources(tmp_path, delimiter=";", header=True, encoding="ascii", paragraphs=True)
    assert [piece.batch.to_pydict() for piece in table.pieces()] == [{"1": ["3"], "2": ["4"]}]
    assert [row for piece in text.pieces() for row in piece.batch.column(0).to_pylist()] == ["x\ny", "z"]


def test_a_folder_that_may_not_be_opened_is_listed(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("a\n")
    (tmp_path / "shut").mkdir()
    real = os.scandir

    def scandir(folder):
        if str(folder).endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    found, left = sources_at(tmp_path, Options())
    assert ([one.name for one in found], [tuple(one) for one in left]) == (
        ["a.csv"],
        [("shut", "a folder that cannot be opened: permission denied")],
    )


def test_endings_are_of_one_kind_each():
    every = [ending for endings in ENDINGS.values() for ending in endings]
    assert len(every) == len(set(every))
