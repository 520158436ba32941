"""Records from files that people have: tables as CSV, arrays as NPZ. Nothing in a file is ever run.

Promise: what cannot be read as numbers is refused with the file's name, the column and the first bad line; no cell's
contents are repeated in an error, since they may be about a person. Rows keep their order. Class numbers of which most
cannot occur are taken for something else than classes, unless it is said how many there are.

A CSV file has a header. One column holds the class, the others are features but for those that are named otherwise.
Classes are whole numbers from 0, or words whose order is given. An NPZ file (`numpy.savez`) holds `features`, `labels`,
and if wanted `owners` and arrays of groups by their names.

Example:
    >>> import pathlib, tempfile
    >>> from reticent.data.files import read_records
    >>> table = pathlib.Path(tempfile.mkdtemp()) / "visits.csv"
    >>> _ = table.write_text("age,sex,ill,patient\\n61,f,no,a\\n47,m,yes,b\\n61,f,yes,a\\n")
    >>> read = read_records(table, label="ill", classes=["no", "yes"], owner="patient", groups=["sex"])
    >>> read.records, read.records.labels.tolist(), read.groups["sex"].tolist()
    (Records(visits: 3 records, features (1,), 2 classes, unit person), [0, 1, 1], ['f', 'm', 'f'])
"""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from reticent.data.origin import Origin
from reticent.data.records import Records
from reticent.errors import DataError, UsageError

__all__ = ["Read", "read_records"]

_FIRST = "row 0 is the first below the header, blank lines not counted"
_MOST = 2.0**53  # beyond it, whole numbers of double precision are no longer told apart


class Read(NamedTuple):
    """What a file held.

    Attributes:
        records: features, labels and owners.
        groups: name of a column to (n,) the group of each record.
    """

    records: Records
    groups: Mapping[str, npt.NDArray[Any]]


def read_records(
    path: str | Path,
    *,
    label: str = "label",
    owner: str | None = None,
    groups: Sequence[str] = (),
    ignore: Sequence[str] = (),
    classes: Sequence[str] | int | None = None,
    name: str | None = None,
    identifier: str | None = None,
) -> Read:
    """The records of a `.csv` or `.npz` file.

    Args:
        path: where it lies.
        label: the column of the class (CSV; the array is called `labels` in an NPZ file).
        owner: the column of who a row is about; in an NPZ file the array `owners` is used if it is there.
        groups: columns (arrays) whose values are groups to be compared; numeric ones of a CSV file are features too
            unless they are ignored.
        ignore: columns that are no features.
        classes: the words of the classes, in the order of their numbers; or how many classes there are.
        name: what to call the data; the file's name by default.
        identifier: the column (array) that names a row: no feature, but reports say where to look.

    Raises:
        UsageError: no such file, or another ending.
        DataError: what is in it cannot be used.
    """
    source = Path(path)
    ending = source.suffix.lower()
    if ending not in (".csv", ".npz"):
        raise UsageError(
            f"Expected a file that ends in .csv or .npz, got {source.name!r}.", "Export it as one of them."
        )
    if not source.is_file():
        raise UsageError(f"Expected a file of records, but {str(path)!r} is none.", "Check the path.")
    title = source.stem if name is None else name
    if ending == ".npz":
        return _from_npz(source, title, groups, classes, identifier)
    return _from_csv(
        source, title, label=label, owner=owner, groups=groups, ignore=ignore, classes=classes, identifier=identifier
    )


def _from_npz(
    source: Path, title: str, groups: Sequence[str], classes: Sequence[str] | int | None, identifier: str | None
) -> Read:
    arrays = _arrays(source)
    named = [*groups, *([] if identifier is None else [identifier])]
    missing = [one for one in ("features", "labels", *named) if one not in arrays]
    if missing:
        raise DataError(
            f"Expected the arrays features and labels, and {named}, in {source.name}; {missing} are missing.",
            "Write them with numpy.savez(path, features=..., labels=...).",
        )
    labels = arrays["labels"]
    if labels.ndim != 1 or labels.dtype.kind not in "biufUS":
        raise DataError(
            f"Expected one class per record in {source.name}, got labels of shape {labels.shape} and type "
            f"{labels.dtype}.",
            "Write one number or word for each row.",
        )
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind == "U":
        labels = _numbered(labels.tolist(), classes, f"labels of {source.name}", "row", range(len(labels)))
    elif classes is None and labels.size:
        _plausible(labels, source.name)
    owners = arrays.get("owners")
    records = Records(
        arrays["features"],
        labels,
        classes=_count(classes),
        class_names=_words(classes),
        name=title,
        owners=owners,
        origin=Origin(source.name, owner=None if owners is None else "owners", identifier=identifier),
    )
    for one in groups:
        if arrays[one].shape != (len(records),):
            raise DataError(
                f"Expected one group per record in {one!r} of {source.name}, got shape {arrays[one].shape}.",
                "Write one value for each row.",
            )
    return Read(records, {one: arrays[one] for one in groups})


def _arrays(source: Path) -> dict[str, npt.NDArray[Any]]:
    """Name of each array to the array."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    try:
        if not zipfile.is_zipfile(source):
            raise ValueError("a single array, or no arrays")
        with np.load(source, allow_pickle=False) as held:
            for name in held.files:
                arrays[name] = held[name]
                if not isinstance(arrays[name], np.ndarray):
                    raise ValueError("another kind of file in the archive")
    except Exception as error:  # of damaged bytes NumPy raises what zip, zlib, struct and tokenize raise
        raise DataError(
            f"Expected arrays of numbers or text in {source.name}, got something else.",
            "Write it with numpy.savez, without Python objects.",
        ) from error
    return arrays


def _from_csv(
    source: Path,
    title: str,
    *,
    label: str,
    owner: str | None,
    groups: Sequence[str],
    ignore: Sequence[str],
    classes: Sequence[str] | int | None,
    identifier: str | None,
) -> Read:
    columns, lines = _table(source)
    named = [label, *(one for one in (owner, identifier) if one is not None), *groups, *ignore]
    missing = [one for one in named if one not in columns]
    if missing:
        raise DataError(
            f"Expected the columns {named} in {source.name}, but it has no {missing}; it has {list(columns)[:20]}.",
            "Name the columns as in the header.",
        )
    texts = {one: columns[one] for one in groups if not _is_numeric(columns[one])}
    features = {
        one: _floats(cells, one, source.name, lines)
        for one, cells in columns.items()
        if one not in {label, owner, identifier, *ignore, *texts}
    }
    if not features:
        raise DataError(f"Expected at least one feature in {source.name}, got none.", "Ignore fewer columns.")
    records = Records(
        np.stack(list(features.values()), axis=1),
        _numbered(columns[label], classes, f"column {label!r} of {source.name}", "line", lines),
        classes=_count(classes),
        class_names=_words(classes),
        name=title,
        owners=None if owner is None else np.array(columns[owner]),
        feature_names=tuple(features),
        origin=Origin(source.name, _FIRST, owner, identifier),
    )
    return Read(records, {one: np.array(columns[one]) for one in groups})


def _table(source: Path) -> tuple[dict[str, list[str]], list[int]]:
    """Name of each column to its cells, and the line of the file in which each record begins."""
    try:
        with source.open(newline="", encoding="utf-8-sig") as stream:
            rows, lines = _rows(stream)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"Expected {source.name} as comma-separated text in UTF-8, but: {error}.", "Export it again."
        ) from error
    if len(rows) < 2:
        raise DataError(f"Expected a header and at least one record in {source.name}.", "Export it again.")
    header = [cell.strip() for cell in rows[0]]
    if len(set(header)) < len(header) or "" in header:
        raise DataError(f"Expected a name of its own for every column of {source.name}.", "Mend the header.")
    for number, row in zip(lines[1:], rows[1:], strict=True):
        if len(row) != len(header):
            raise DataError(
                f"Expected {len(header)} cells in every line of {source.name}, got {len(row)} in line {number}.",
                "Quote cells that hold a comma.",
            )
    columns = zip(header, zip(*rows[1:], strict=True), strict=True)
    return {one: [cell.strip() for cell in cells] for one, cells in columns}, lines[1:]


def _rows(stream: Iterable[str]) -> tuple[list[list[str]], list[int]]:
    """The rows that are not blank, and the line in which each begins: cells in quotes may go over several."""
    reader = csv.reader(stream, strict=True)
    rows, lines, before = [], [], 0
    for row in reader:
        if row:
            rows.append(row)
            lines.append(before + 1)
        before = reader.line_num
    return rows, lines


def _is_numeric(cells: Sequence[str]) -> bool:
    try:
        for cell in cells:
            float(cell)
    except ValueError:
        return False
    return True


def _floats(cells: Sequence[str], column: str, file: str, lines: Sequence[int]) -> npt.NDArray[np.float64]:
    values = np.empty(len(cells))
    for row, cell in enumerate(cells):
        try:
            values[row] = float(cell)
        except ValueError:
            what = "an empty cell" if not cell else "text"
            raise DataError(
                f"Expected numbers in column {column!r} of {file}, got {what} in line {lines[row]}.",
                "Fill or drop it; turn categories into numbers as the model's training did, or ignore the column.",
            ) from None
    return values


def _numbered(
    cells: Sequence[str], classes: Sequence[str] | int | None, where: str, kind: str, places: Sequence[int]
) -> npt.NDArray[np.int64]:
    """Class numbers of cells; `where` names their column, `kind` and `places` those of each (the line in a file)."""
    if isinstance(classes, int) or classes is None:
        try:
            values = np.array([float(cell) for cell in cells])
        except ValueError:
            raise DataError(
                f"Expected classes as whole numbers from 0 in {where}, got words.",
                "Say which words stand for the classes 0, 1, ... (classes = [...]).",
            ) from None
        if not (values < _MOST).all() or (values != np.round(values)).any() or values.min() < 0:
            raise DataError(f"Expected classes as whole numbers from 0 in {where}, got others.", "Renumber them.")
        if classes is None:
            _plausible(values, where)
        return values.astype(np.int64)
    numbers = {word: number for number, word in enumerate(classes)}
    if isinstance(classes, str) or len(numbers) < max(2, len(classes)):
        raise DataError(
            f"Expected two or more words of classes, each once, got classes={classes!r}.",
            'Write them in the order of the model\'s classes, for instance classes = ["no", "yes"].',
        )
    unknown = [place for place, cell in zip(places, cells, strict=True) if cell not in numbers]
    if unknown:
        unused = [word for word in numbers if word not in set(cells)]
        none = f" {unused} {'is' if len(unused) == 1 else 'are'} in no {kind}." if unused else ""
        raise DataError(
            f"Expected one of classes={list(classes)} in {where}, got another word in {len(unknown)} of {len(cells)} "
            f"records, the first in {kind} {unknown[0]}.",
            f"List every word of the column in classes, letter by letter as it stands there.{none}",
        )
    return np.array([numbers[cell] for cell in cells], dtype=np.int64)


def _plausible(labels: npt.NDArray[Any], file: str) -> None:
    """Refuse numbers that cannot all be classes: an identifier or an amount would make a class of each number below."""
    if labels.max() >= max(2, len(labels)):
        raise DataError(
            f"Expected at most as many classes as records in {file}, got {len(labels)} records and a class number "
            "beyond them.",
            "Check which column is the class; renumber the classes from 0, or say how many there are (classes = ...).",
        )


def _count(classes: Sequence[str] | int | None) -> int | None:
    return classes if isinstance(classes, int) or classes is None else len(classes)


def _words(classes: Sequence[str] | int | None) -> Sequence[str] | None:
    return None if isinstance(classes, int) else classes
