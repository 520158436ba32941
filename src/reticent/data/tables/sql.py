"""Tables of databases in pieces, through SQLAlchemy, every cell as text.

Promise: nothing is written: tables are only selected from, in a transaction that is never committed, and in one that is
declared as reading only where the database has such (PostgreSQL, MySQL, SQLite). Rows are streamed. No message, name or
`repr` holds any part of the address but the name of a table: passwords and hosts stay where they are. What cannot be
reached is said: a driver that is missing, a database that is locked or not there, a table that is not there.

Numbers, dates and truth values come as they are written in ISO forms; bytes as text in UTF-8, or as hexadecimal digits;
what has parts as JSON; null is missing. SQLite lets every cell have a type of its own: all of them are kept. Read
whole, a column declared as text stays text, others are numbers or dates where all cells are.

Shapes: pieces of text columns; the order of rows is the database's.

Example:
    >>> import pathlib, sqlite3, tempfile
    >>> from reticent.data.tables.sql import tables
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "clinic.db"
    >>> with sqlite3.connect(path) as database:
    ...     _ = database.execute("create table visits (patient text, cost real)")
    ...     _ = database.execute("insert into visits values ('007', 1.5)")
    >>> database.close()
    >>> (source,) = tables(f"sqlite:///{path}")
    >>> source.name, [piece.batch.to_pydict() for piece in source.pieces()]
    ('visits', [{'patient': ['007'], 'cost': ['1.5']}])
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import decimal
import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from reticent import _checks
from reticent.data.tables.columns import Column, arrow
from reticent.data.tables.frames import as_text
from reticent.data.tables.pieces import (
    ROWS_AT_ONCE,
    Notes,
    Piece,
    Problem,
    chosen,
    empty,
    text_column,
    unique_names,
)
from reticent.errors import DataError, MissingExtra, UsageError

__all__ = ["SqlTable", "is_address", "tables"]

_AT_ONCE: Final = 1 << 14  # rows asked for at a time
_SYSTEM: Final = ("information_schema", "performance_schema", "mysql", "sys", "pg_catalog", "pg_toast")
_WAIT: Final = 5.0  # seconds that a locked SQLite database is waited for


def is_address(where: str) -> bool:
    """Whether a text is meant as the address of a database, and so may hold a password."""
    return "://" in where


def tables(address: str, table: str | Sequence[str] | None = None) -> list[SqlTable]:
    """The tables of a database.

    Args:
        address: as SQLAlchemy has it: `sqlite:///people.db`, `postgresql://user:password@host/name`.
        table: only this one or these, views included, perhaps as `schema.table`; by default all tables.

    Raises:
        MissingExtra: SQLAlchemy is not installed.
        UsageError: no address, no driver for it, a table that is not there, or no table at all.
        DataError: the database cannot be reached.
    """
    engine = _engine(address)
    from sqlalchemy import inspect

    with _plainly("be listed"):
        looked = inspect(engine)
        default = looked.default_schema_name
        schemas = [None, *(one for one in looked.get_schema_names() if one != default and not _is_system(one))]
        if engine.dialect.name == "sqlite":
            schemas = [None]
        found = [(schema, name) for schema in schemas for name in looked.get_table_names(schema=schema)]
        views = [(schema, name) for schema in schemas for name in looked.get_view_names(schema=schema)]
    if table is not None:
        both = {_shown(*one): one for one in [*found, *views]}
        asked = [table] if isinstance(table, str) else table
        found = [both[_checks.one_of(both, table=one)] for one in asked]
    if not found:
        named = f"; it has the views {', '.join(_shown(*one) for one in views[:8])}" if views else ""
        raise UsageError(
            f"Expected at least one table in the database, got none{named}.",
            "Name a view to read it (table=...)." if views else "Check the address.",
        )
    return [SqlTable(engine, name, schema) for schema, name in found]


def _is_system(schema: str) -> bool:
    return schema.lower() in _SYSTEM or schema.startswith(("pg_toast", "pg_temp"))


def _shown(schema: str | None, name: str) -> str:
    return name if schema is None else f"{schema}.{name}"


# Reaching the database --------------------------------------------------------------------------------------------


def _engine(address: str) -> Any:
    try:
        import sqlalchemy
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError
        from sqlalchemy.pool import NullPool
    except ImportError as error:
        raise MissingExtra("sqlalchemy", "data", "Reading databases") from error
    try:
        url = sqlalchemy.make_url(address)
        if url.get_backend_name() == "sqlite":
            return _sqlite(url.database, sqlalchemy, NullPool)
        return sqlalchemy.create_engine(url, poolclass=NullPool, hide_parameters=True)
    except UsageError:
        raise
    except NoSuchModuleError:
        raise UsageError(
            "Expected the address of a database that SQLAlchemy knows, got another kind.",
            "Install what connects SQLAlchemy to it, or check how the address begins.",
        ) from None
    except ImportError as error:
        raise UsageError(
            f"Expected a driver for this database, but the package {error.name} is not installed.",
            f"Install it with: pip install {error.name}",
        ) from None
    except (ArgumentError, ValueError):
        raise UsageError(
            "Expected the address of a database, got something that cannot be read as one.",
            "Write it as sqlite:///path or postgresql://user:password@host/name; encode special letters (%40 for @).",
        ) from None


def _sqlite(database: str | None, sqlalchemy: Any, pool: Any) -> Any:
    """An engine that can only read; SQLite itself would make a file that is not there."""
    import sqlite3

    path = Path((database or "").removeprefix("file:").partition("?")[0])
    if not path.is_file():
        raise UsageError("Expected an SQLite database, but there is no such file.", "Check the path.")
    uri = f"{path.absolute().as_uri()}?mode=ro"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, timeout=_WAIT, check_same_thread=False)

    return sqlalchemy.create_engine("sqlite://", creator=connect, poolclass=pool, hide_parameters=True)


@contextlib.contextmanager
def _plainly(what: str) -> Iterator[None]:
    """Errors of databases in words that hold nothing of theirs, which name users and hosts, and show cells."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        said, remedy = _reason(error)
        raise DataError(f"Expected the tables to {what}, but {said}.", remedy) from None


def _reason(error: Exception) -> tuple[str, str]:
    from sqlalchemy import exc

    text = str(getattr(error, "orig", "")).lower()
    for sign, said, remedy in (
        ("locked", "the database is locked by another program", "Try again when it is done, or read a copy."),
        ("not a database", "the file is no SQLite database, or an encrypted one", "Check the path."),
        ("malformed", "the file is damaged", "Restore it from a copy."),
        ("password", "the database refused the name or the password", "Check them."),
        ("permission", "the database does not allow it to this user", "Ask for the right to select from the tables."),
        ("denied", "the database does not allow it to this user", "Ask for the right to select from the tables."),
        ("does not exist", "it is not there", "Check the names of the database and the table."),
        ("no such table", "the table is not there", "Check its name."),
        ("unable to open", "the file cannot be opened", "Check the path, and whether you may read it."),
    ):
        if sign in text:
            return said, remedy
    if isinstance(error, exc.NoSuchTableError):
        return "the table is not there", "Check its name."
    if isinstance(error, exc.OperationalError | exc.InterfaceError):
        return "the database did not answer", "Check that it runs, and its address."
    kind = type(getattr(error, "orig", None) or error).__name__
    return f"the database refused ({kind})", "Try the same with the database's own program."


# Reading ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class SqlTable:
    """A table of a database.

    Args:
        engine: SQLAlchemy's.
        table: its name.
        schema: where it is, if not in the default one.
    """

    engine: Any = dataclasses.field(repr=False)
    table: str
    schema: str | None = None
    kind: str = "sql"
    bytes: int | None = None
    _notes: Notes = dataclasses.field(default_factory=Notes, repr=False)
    _declared: dict[str, str] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The table's name, after its schema's if that is not the default one."""
        return _shown(self.schema, self.table)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Of the last reading."""
        return self._notes.problems()

    def column(self, name: str, cells: Any, missing: Collection[str] = ("",)) -> Column:
        """Text if it is declared as text; else what all cells are written like."""
        declared = self._declared.get(name, "")
        if declared == "text":
            return text_column(name, cells, missing)
        column = Column.inferred(name, cells, missing=missing)
        if declared == "yes or no" and set(column.values.tolist()) <= {"true", "false"}:
            return column.mapped([value == "true" for value in column.values])
        return column

    def pieces(self, columns: Sequence[str] | None = None, *, rows: int = ROWS_AT_ONCE) -> Iterator[Piece]:
        """The rows, at most so many at a time.

        Raises:
            UsageError: a column that is not there.
            DataError: the table cannot be reached.
        """
        pa = arrow()
        import sqlalchemy
        from sqlalchemy.exc import SQLAlchemyError

        notes = self._notes = Notes()
        first = 0
        with _plainly("be read"), self.engine.connect() as connection:
            listed = sqlalchemy.inspect(connection).get_columns(self.table, schema=self.schema)
            inner = [one["name"] for one in listed]
            names = unique_names(inner, notes)
            self._declared = {
                name: _declared(one["type"], sqlalchemy.types) for name, one in zip(names, listed, strict=True)
            }
            kept = chosen(names, columns, self.name)
            asked: list[Any] = [sqlalchemy.column(inner[names.index(name)]) for name in kept]
            selected = sqlalchemy.select(*asked).select_from(sqlalchemy.table(self.table, schema=self.schema))
            try:
                for part in _parts(connection, selected, min(rows, _AT_ONCE)):
                    cells = [_texts(list(column), pa) for column in zip(*part, strict=True)]
                    yield Piece(pa.RecordBatch.from_arrays(cells, kept), first)
                    first += len(part)
            except SQLAlchemyError as error:
                if not first:
                    raise
                notes.add(f"the rest was not read: {_reason(error)[0]}", f"after row {first - 1}", lost=True)
        if not first:
            yield empty(kept, pa)


def _declared(kind: Any, types: Any) -> str:
    """What a column is declared to hold, as far as it matters when it is read whole."""
    if isinstance(kind, types.Boolean):
        return "yes or no"
    return "text" if isinstance(kind, types.String | types.Uuid | types.JSON) else ""


def _parts(connection: Any, selected: Any, rows: int) -> Iterator[Sequence[Any]]:
    dialect = connection.dialect.name
    if dialect == "sqlite":
        yield from _sqlite_parts(connection, selected, rows)
        return
    options: dict[str, Any] = {"stream_results": True, "yield_per": rows}
    if dialect == "postgresql":
        options |= {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
        connection.rollback()  # looking at the columns began a transaction
    elif dialect in ("mysql", "mariadb"):
        connection.rollback()
        connection.exec_driver_sql("START TRANSACTION READ ONLY")
    connection.execution_options(**options)
    with connection.execute(selected) as result:
        yield from result.partitions(rows)


def _sqlite_parts(connection: Any, selected: Any, rows: int) -> Iterator[Sequence[Any]]:
    """Straight from SQLite, whose text need not be UTF-8: as bytes."""
    import sqlite3

    from sqlalchemy.exc import DBAPIError

    database = connection.connection.dbapi_connection
    database.text_factory = bytes
    try:
        cursor = database.execute(str(selected.compile(dialect=connection.dialect)))
        while part := cursor.fetchmany(rows):
            yield part
    except sqlite3.Error as error:
        raise DBAPIError(None, None, error) from None


def _texts(cells: list[Any], pa: Any) -> Any:
    """Cells as texts; those of one type at once."""
    kinds = set(map(type, cells)) - {type(None)}
    kind = {str: pa.string(), int: pa.int64(), bytes: pa.binary()}.get(kinds.pop()) if len(kinds) == 1 else None
    if kind is not None:
        with contextlib.suppress(pa.ArrowInvalid, UnicodeEncodeError, OverflowError):
            return pa.array(cells, kind).cast(pa.string())
    return pa.array([None if one is None else _word(one) for one in cells], pa.string())


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, bytes | bytearray | memoryview):
        return as_text(bytes(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, decimal.Decimal):
        return format(value, "f") if value.is_finite() else str(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=_word)
    return str(value)
