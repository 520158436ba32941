"""Tables of databases: read as they are, without writing, and without a word about how they were reached."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import traceback

import pytest
import sqlalchemy
from sqlalchemy.exc import OperationalError

from reticent.data.tables import open_sources, read, sql
from reticent.data.tables.sql import tables
from reticent.errors import DataError, ReticentError, UsageError

SECRET = "hunter2"  # noqa: S105 - of a server that lives as long as its test


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "clinic.db"
    connection = sqlite3.connect(path)
    connection.executescript(
        """
        create table visits (patient text, cost real, day date, seen boolean, "odd ""name" blob, n integer);
        insert into visits values ('007', 1.5, '2020-01-02', 1, x'ff00', 1);
        insert into visits values ('10001', 3, '2020-01-03', 0, 'text', 'not a number');
        insert into visits values (null, null, null, null, null, null);
        insert into visits values (cast(x'4dfc' as text), 1e22, '', 'x', x'61', 9223372036854775807);
        create table empty (a text, b text);
        create view cheap as select patient from visits where cost < 2;
        """
    )
    connection.commit()
    connection.close()
    return path


def rows_of(source, columns=None, rows=1 << 16):
    return [row for piece in source.pieces(columns, rows=rows) for row in piece.batch.to_pylist()]


def test_every_cell_of_sqlite_whatever_its_type(path):
    before = path.read_bytes()
    empty, visits = open_sources(f"sqlite:///{path}")
    assert (empty.name, visits.name, visits.kind, visits.bytes) == ("empty", "visits", "sql", None)
    rows = rows_of(visits)
    assert [list(row.values()) for row in rows] == [
        ["007", "1.5", "2020-01-02", "1", "ff00", "1"],
        ["10001", "3.0", "2020-01-03", "0", "text", "not a number"],
        [None] * 6,
        ["4dfc", "1e+22", "", "x", "a", "9223372036854775807"],
    ]
    assert rows_of(visits, ['odd "name']) == [{'odd "name': row['odd "name']} for row in rows]
    (piece,) = empty.pieces()
    assert (piece.batch.num_rows, piece.batch.schema.names) == (0, ["a", "b"])
    assert path.read_bytes() == before
    assert sorted(os.listdir(path.parent)) == ["clinic.db"]


def test_pieces_are_streamed_in_order(path):
    with sqlite3.connect(path) as connection:
        connection.executemany("insert into empty values (?, 'x')", ((str(number),) for number in range(40_000)))
    connection.close()
    (source,) = open_sources(f"sqlite:///{path}", table="empty")
    at = 0
    for piece in source.pieces(rows=1000):
        assert piece.first == at
        assert piece.batch.column(0).to_pylist() == [str(number) for number in range(at, at + piece.batch.num_rows)]
        at += piece.batch.num_rows
    assert at == 40_000


def test_types_when_read_whole(path):
    with sqlite3.connect(path) as connection:
        connection.execute("delete from visits where seen = 'x' or patient is null")
    connection.close()
    table = read(f"sqlite:///{path}", table="visits", columns=["patient", "cost", "day"])
    assert [column.kind for column in table.columns] == ["text", "number", "date"]


def test_a_view_or_a_table_by_name(path):
    (source,) = tables(f"sqlite:///{path}", "cheap")
    assert rows_of(source) == [{"patient": "007"}]
    with pytest.raises(UsageError, match="visits"):
        tables(f"sqlite:///{path}", "visit")
    with pytest.raises(UsageError, match="column"):
        rows_of(source, ["cost"])


def test_a_table_that_goes_is_said(path):
    _, source = tables(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        connection.execute("drop table visits")
    connection.close()
    with pytest.raises(DataError, match="the table is not there"):
        rows_of(source)


def test_a_locked_database_is_said(path, monkeypatch):
    monkeypatch.setattr(sql, "_WAIT", 0.1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin exclusive")
    with pytest.raises(DataError, match="locked by another program"):
        tables(f"sqlite:///{path}")
    other.close()


def test_no_file_is_made_and_none_is_mistaken_for_a_database(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        tables(f"sqlite:///{tmp_path}/not.db")
    assert not list(tmp_path.iterdir())
    (tmp_path / "not.db").write_text("no database, but text" * 100)
    with pytest.raises(DataError, match="no SQLite database"):
        tables(f"sqlite:///{tmp_path}/not.db")
    sqlite3.connect(tmp_path / "empty.db").close()
    (tmp_path / "empty.db").touch()
    with pytest.raises(UsageError, match="at least one table"):
        tables(f"sqlite:///{tmp_path}/empty.db")


def test_nothing_can_be_written(path):
    (source,) = tables(f"sqlite:///{path}", "visits")
    with source.engine.connect() as connection, pytest.raises(OperationalError, match="readonly"):
        connection.execute(sqlalchemy.text("delete from visits"))


def closed_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+nothing://user:{}@host/name",
        "postgresql+psycopg2://user:{}@127.0.0.1:1/name",
        "mysql+pymysql://user:{}@127.0.0.1:1/name",
        "nothing://user:{}@host/name",
        "postgresql://user:{}@host:port/name",
        "postgresql:/user:{}@host/name",
        "postgres//user:{}@host/name",
        "://{}",
        "sqlite:///nowhere.db?password={}",
    ],
)
def test_no_error_holds_a_password(address):
    with pytest.raises(ReticentError) as caught:
        open_sources(address.format(SECRET))
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown
    assert "user" not in str(caught.value).replace("name://user@host/name", "").replace("user:password@host", "")


def test_a_missing_driver_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(UsageError, match="pip install psycopg2"):
        tables(f"postgresql+psycopg2://u:{SECRET}@host/name")


def test_nothing_of_the_address_is_in_a_source(path):
    for source in tables(f"sqlite:///{path}"):
        assert str(path.parent) not in repr(source) + source.name


def test_a_reading_that_breaks_off_is_said(path, monkeypatch):
    def parts(*_):
        yield [(b"x",)]
        raise OperationalError("select", None, Exception(f"server closed the connection to {SECRET}"))

    monkeypatch.setattr(sql, "_parts", parts)
    (source,) = tables(f"sqlite:///{path}", "cheap")
    assert rows_of(source) == [{"patient": "x"}]
    (problem,) = source.problems
    assert (problem.lost, problem.where) == (True, "after row 0")
    assert SECRET not in problem.what


def test_words_of_other_types():
    values = [
        True,
        decimal.Decimal("1.50"),
        datetime.datetime(2020, 1, 2, 3),
        {"a": [1, None]},
        "\ud800",
        memoryview(b"a"),
        7,
    ]
    assert [sql._word(value) for value in values] == [
        "true",
        "1.50",
        "2020-01-02T03:00:00",
        '{"a": [1, null]}',
        "\\ud800",
        "a",
        "7",
    ]


# PostgreSQL, where there is one ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    pytest.importorskip("psycopg")
    found = shutil.which("initdb") or shutil.which("initdb", path="/usr/lib/postgresql/15/bin")
    if not found:
        pytest.skip("no PostgreSQL")
    folder = tmp_path_factory.mktemp("pg")
    user = {"user": "nobody"} if os.getuid() == 0 else {}
    if user:
        for one in (folder, *folder.parents[:2]):
            one.chmod(0o755)
        shutil.chown(folder, "nobody")
    tools = os.path.dirname(os.path.realpath(found))
    (folder / "word").write_text(SECRET)
    data, port = folder / "data", closed_port()
    calm = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, **user}
    subprocess.run(
        [f"{tools}/initdb", "-D", data, "-U", "ann", "-A", "scram-sha-256", "--pwfile", folder / "word"],
        **calm,
        check=True,
    )
    run = [f"{tools}/postgres", "-D", data, "-p", str(port), "-k", folder, "-h", "127.0.0.1"]
    process = subprocess.Popen(run, **calm)
    address = f"postgresql+psycopg://ann:{SECRET}@127.0.0.1:{port}/postgres"
    engine = sqlalchemy.create_engine(address)
    for _ in range(300):
        with contextlib.suppress(OperationalError), engine.connect():
            break
        time.sleep(0.1)
    engine.dispose()
    yield address
    process.send_signal(signal.SIGINT)  # a fast shutdown
    process.wait(60)


@pytest.mark.slow
def test_postgresql(server):
    engine = sqlalchemy.create_engine(server)
    with engine.begin() as connection:
        for line in (
            "create table kinds (i int, n numeric, d date, t timestamptz, b bool, j jsonb, a int[], u uuid, x bytea, "
            "s text)",
            "insert into kinds values (1, 1.50, '2020-01-02', '2020-01-02 03:04:05+00', true, '{\"k\": 1}', '{1,2}', "
            "'00000000-0000-0000-0000-000000000001', '\\xff00', '007')",
            "insert into kinds values (null, 'NaN', null, null, false, null, null, null, null, null)",
            "create schema other",
            'create table other."Odd table" as select g as n from generate_series(1, 100000) g',
        ):
            connection.exec_driver_sql(line)
    kinds, odd = tables(server)
    assert (kinds.name, odd.name) == ("kinds", "other.Odd table")
    first, second = rows_of(kinds)
    assert first["t"].startswith("2020-01-02T")
    assert {name: value for name, value in first.items() if name != "t"} == {
        "i": "1",
        "n": "1.50",
        "d": "2020-01-02",
        "b": "true",
        "j": '{"k": 1}',
        "a": "[1, 2]",
        "u": "00000000-0000-0000-0000-000000000001",
        "x": "ff00",
        "s": "007",
    }
    assert (second["b"], second["n"], second["s"]) == ("false", "NaN", None)
    sizes = [piece.batch.num_rows for piece in odd.pieces(rows=10_000)]
    assert (sum(sizes), max(sizes)) == (100_000, 10_000)
    whole = read(server, table="kinds", columns=["i", "d", "b", "s"])
    assert [column.kind for column in whole.columns] == ["number", "date", "yes or no", "text"]
    wrong = server.replace(SECRET, "wrong-word")
    with pytest.raises(DataError, match="name or the password") as caught:
        tables(wrong)
    assert "wrong-word" not in "".join(traceback.format_exception(caught.value))
    assert "ann" not in str(caught.value)
    with engine.begin() as connection:  # a view that writes when it is read
        for line in (
            "create table log (n int)",
            "create function note() returns int as 'insert into log values (1) returning n' language sql",
            "create view sneaky as select note() as n",
        ):
            connection.exec_driver_sql(line)
    (sneaky,) = tables(server, "sneaky")
    with pytest.raises(DataError, match="ReadOnlySqlTransaction"):
        rows_of(sneaky)
    (log,) = tables(server, "log")
    assert rows_of(log) == []
    engine.dispose()
    with pytest.raises(DataError, match="did not answer"):
        tables(server.rpartition(":")[0] + f":{closed_port()}/postgres")


def test_a_source_may_be_read_in_another_thread(path):
    (source,) = tables(f"sqlite:///{path}", "cheap")
    found = []
    thread = threading.Thread(target=lambda: found.extend(rows_of(source)))
    thread.start()
    thread.join()
    assert found == [{"patient": "007"}]


def test_a_database_of_views_says_which_there_are(tmp_path):
    path = tmp_path / "v.db"
    with sqlite3.connect(path) as database:
        database.execute("create view young as select 7 as age")
    database.close()
    with pytest.raises(UsageError, match="views young"):
        tables(f"sqlite:///{path}")
    assert tables(f"sqlite:///{path}", "young")[0].name == "young"
