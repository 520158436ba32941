"""A table that was loaded with a manifest as records to train on: owners kept, no free text in the names of features.

Promise: numbers, dates and yes-or-no columns are taken as they are, a text column becomes one column for each of its
values, called "column: value" as `reticent.data.tables.to_records` calls them. A text column of more than `most`
values, or with more than half as many values as rows, is refused: its cells would stand in the names of the features,
and those stand in models, records and reports.

Not covered: a rare value of a short list of values; it stands in a name, as it does in a table's head.

Example:
    >>> from reticent.data.manifests.features import records_of
    >>> from reticent.data.tables import Table
    >>> some = Table.of({"note": ["fell ill", "fell", "ill"], "sex": list("fmf"), "ill": ["no", "yes", "no"]})
    >>> records_of(some, "ill", owner=None, features=["sex"]).feature_names
    ('sex: f', 'sex: m')
    >>> records_of(some, "ill", owner=None)
    Traceback (most recent call last):
    reticent.errors.DataError: Expected values that many rows share in the text column 'note', got 3 in 3 rows...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent._numbers import count
from reticent.data.records import Records
from reticent.data.tables import Column, Table
from reticent.errors import DataError, UsageError
from reticent.privacy.units import Unit

__all__ = ["records_of"]

_FEW = 2  # values that are no free text, however few rows there are


def records_of(
    table: Table,
    label: str,
    *,
    owner: str | None,
    features: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    most: int = 100,
    name: str = "table",
    unit: Unit | None = None,
    rests_on: Sequence[str] = (),
) -> Records:
    """The records of a table.

    Args:
        table: with a row for each record.
        label: the column to predict; its values are numbered in their order.
        owner: the column that says whose a row is; it is no feature unless it is named as one.
        features: the columns to predict from; by default all others.
        ignore: columns that are no features.
        most: values that a text column may have to become features.
        name: of the records.
        unit: who owns a row, where there is no owner's column.
        rests_on: ids of records that say how the table was come by.

    Raises:
        UsageError: a column that is not there, or features and columns to ignore at once.
        DataError: missing values, fewer than two labels, or a text column of too many values.
    """
    most = _checks.at_least(1, most=most)
    if features is not None and ignore:
        raise UsageError("Expected features or columns to ignore, got both.", "Name the one or the other.")
    chosen = [one for one in table.names if one not in (label, owner, *ignore)] if features is None else list(features)
    table.require([label, *chosen, *ignore])
    made = [_columns(table, one, most) for one in chosen]
    labels = table[label].compacted()
    _refuse_missing(table, label)
    found = Records(
        np.concatenate([values for values, _ in made], axis=1) if made else np.zeros((table.rows, 0)),
        labels.codes.astype(np.int64),
        classes=max(2, len(labels.values)),
        name=name,
        unit=None if owner is not None else unit,
        owners=None if owner is None else _owners(table, owner),
        feature_names=[one for _, names in made for one in names],
        public_facts=[
            f"which values there are in column {one!r}"
            for one, (_, names) in zip(chosen, made, strict=True)
            if names[1:]
        ],
        rests_on=rests_on,
    )
    return found.require_two_classes()


def _owners(table: Table, owner: str) -> npt.NDArray[Any]:
    """The identifiers themselves: numbers of their own would mean other people in another table."""
    column = table[owner]
    values = column.values.astype(str) if column.kind == "text" else column.values
    return np.asarray(values[column.codes])


def _columns(table: Table, name: str, most: int) -> tuple[npt.NDArray[np.float64], list[str]]:
    _refuse_missing(table, name)
    column = table[name].compacted()
    if column.kind != "text":
        return column.numbers()[:, None], [name]
    _refuse_texts(column, most)
    hot = column.codes[:, None] == np.arange(len(column.values))[None, :]
    return hot.astype(np.float64), [f"{name}: {value}" for value in column.values.tolist()]


def _refuse_texts(column: Column, most: int) -> None:
    values, rows = len(column.values), len(column)
    remedy = "Leave the column out with ignore=[...], or group its values before the manifest is made."
    if values > _FEW and 2 * values > rows:
        raise DataError(
            f"Expected values that many rows share in the text column {column.name!r}, got {count(values)} in "
            f"{count(rows)} rows: as features they would carry the texts of single rows in their names.",
            remedy,
        )
    if values > most:
        raise DataError(
            f"Expected at most {count(most)} values in the text column {column.name!r}, got {count(values)} in "
            f"{count(rows)} rows, each of which would become a feature.",
            f"{remedy} most=... allows more.",
        )


def _refuse_missing(table: Table, name: str) -> None:
    missing = int(table[name].missing.sum())
    if missing:
        raise DataError(
            f"Expected a value in every row of column {name!r}, got none in {missing}.", "Fill them, or drop the rows."
        )
