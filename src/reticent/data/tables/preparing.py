"""A table as records that a network can be trained on: numbers, a label, whose each row is.

Promise: numbers, dates and truth values become a column each, texts a column for each of their values ("one-hot"),
missing values a column that says so; nothing is dropped, filled with a mean, or scaled. Classes keep their words, in
order. Which values occur is learned from all rows, and stands in `public_facts`, so that a guarantee of a training
names it among its assumptions. No text with more values than `most` becomes columns: names and numbers of people would.

Not covered: dates are days since 1970; hours of the day, words of texts and places are not taken apart.

Shapes: features (rows, columns) float32; words (classes,).

Example:
    >>> from reticent.data.tables import Table, to_records
    >>> people = Table.of({"age": [34, None, 51], "sex": ["f", "m", "f"], "ill": ["no", "yes", "no"]})
    >>> made = to_records(people, label="ill")
    >>> made.words, made.records.feature_names, made.records.features.tolist()[1]
    (('no', 'yes'), ('age', 'age: missing', 'sex: f', 'sex: m'), [0.0, 1.0, 0.0, 1.0])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.records import Records
from reticent.data.tables.columns import Column
from reticent.data.tables.table import Table
from reticent.errors import DataError, UsageError

__all__ = ["Prepared", "to_records"]

_MOST_CELLS = 2**31  # of the features, which would take 8 GiB


class Prepared(NamedTuple):
    """Records made of a table.

    Attributes:
        records: features, labels and owners.
        words: (classes,) what each class was called.
    """

    records: Records
    words: tuple[str, ...]


def to_records(
    table: Table,
    *,
    label: str,
    owner: str | None = None,
    ignore: Sequence[str] = (),
    classes: Sequence[str] | None = None,
    most: int = 100,
    name: str = "table",
) -> Prepared:
    """The records of a table.

    Args:
        table: with a row for each record.
        label: the column of the class.
        owner: the column of who a row is about; it is no feature.
        ignore: columns that are no features.
        classes: the words of the classes in the order of their numbers; by default those that occur, sorted.
        most: values that a text may have to become columns.
        name: what to call the records.

    Raises:
        UsageError: a column that is not there, or is named for two uses.
        DataError: a row without a class or an owner, a class that is not among `classes`, no features, or a text with
            too many values.
    """
    most = _checks.at_least(1, most=most)
    named = [label, *([] if owner is None else [owner]), *ignore]
    table.require(named)
    if len(set(named)) < len(named):
        raise UsageError(f"Expected every column in one use, got {named}.", "Name each of them once.")
    columns = [column for column in table.columns if column.name not in named]
    if not columns:
        raise DataError("Expected at least one feature, got none.", "Ignore fewer columns.")
    labels, words = _labels(table[label], classes)
    parts = [_features(column, most) for column in columns]
    names = [one for part in parts for one in part[0]]
    if len(names) * table.rows > _MOST_CELLS:
        raise DataError(
            f"Expected features that fit into memory, got {table.rows} rows of {len(names)}.",
            "Ignore columns of many values, or take a part of the rows.",
        )
    features = np.zeros((table.rows, len(names)), np.float32)
    place = 0
    for own, fill in parts:
        fill(features[:, place : place + len(own)])
        place += len(own)
    records = Records(
        features,
        labels,
        classes=max(2, len(words)),
        name=name,
        owners=None if owner is None else _owners(table[owner]),
        feature_names=names,
        public_facts=_facts(columns, label, classes),
    )
    return Prepared(records, words)


def _labels(column: Column, classes: Sequence[str] | None) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    if gaps := int(column.missing.sum()):
        raise DataError(
            f"Expected a class for every row, got none in column {column.name!r} for {gaps} of {len(column)}.",
            "Leave these rows out.",
        )
    compact = column.compacted()
    found = tuple(_word(value) for value in compact.values)
    if classes is None:
        return compact.codes.astype(np.int64), found
    words = tuple(map(str, classes))
    if len(set(words)) < max(2, len(words)):
        raise UsageError(f"Expected two classes or more, each once, got {list(words)}.", "List every class once.")
    unknown = [place for place, word in enumerate(found) if word not in words]
    if unknown:
        rows = int(np.isin(compact.codes, unknown).sum())
        raise DataError(
            f"Expected the classes {list(words)} in column {column.name!r}, got another in {rows} rows.",
            "List every class.",
        )
    return np.array([words.index(word) for word in found], np.int64)[compact.codes], words


def _word(value: Any) -> str:
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[D]") if value == value.astype("datetime64[D]") else value)
    return str(value)


def _features(column: Column, most: int) -> tuple[list[str], Any]:
    """Names of the features that a column gives, and what writes them."""
    compact = column.compacted()
    gaps = [f"{column.name}: missing"] if column.missing.any() else []
    if column.kind == "text":
        if len(compact.values) > most:
            raise DataError(
                f"Expected at most {most} values in column {column.name!r}, got {len(compact.values)}.",
                "Ignore the column, or make its values coarser; most=... allows more.",
            )
        return [*(f"{column.name}: {value}" for value in compact.values), *gaps], lambda out: _one_hot(compact, out)
    return [column.name, *gaps], lambda out: _numbers(compact, out)


def _one_hot(column: Column, out: npt.NDArray[np.float32]) -> None:
    out[np.arange(len(column)), column.codes] = 1.0  # -1, a missing value, is the last one


def _numbers(column: Column, out: npt.NDArray[np.float32]) -> None:
    values = column.numbers()
    out[:, 0] = np.where(column.missing, 0.0, values)
    if out.shape[1] > 1:
        out[:, 1] = column.missing


def _owners(column: Column) -> npt.NDArray[Any]:
    if gaps := int(column.missing.sum()):
        raise DataError(
            f"Expected an owner for every row, got none in column {column.name!r} for {gaps} of {len(column)}.",
            "Leave these rows out, or give each of them an owner of its own.",
        )
    return column.values.astype(str)[column.codes] if column.kind != "number" else column.values[column.codes]


def _facts(columns: Sequence[Column], label: str, classes: Sequence[str] | None) -> tuple[str, ...]:
    facts = []
    texts = [column.name for column in columns if column.kind == "text"]
    gaps = [column.name for column in columns if column.missing.any()]
    if texts:
        facts.append(f"which values occur in the columns {', '.join(texts)}")
    if gaps:
        facts.append(f"that values are missing in the columns {', '.join(gaps)}")
    if classes is None:
        facts.append(f"which classes occur in the column {label}")
    return tuple(facts)
