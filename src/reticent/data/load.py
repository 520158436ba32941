"""Real data sets as `Records`, ready to train on and to audit.

Promise: the same name gives the same records, in the same order, on every machine; files are checked against the
catalogue before they are read. The only preparation is the one that spends no privacy: pixels are divided by their
largest possible value (16 in digits, 255 elsewhere), and the columns of diabetes are shifted and scaled by fixed round
numbers. Everything else is left as its authors give it: scale it with public constants, or count what scaling reveals
(`Records.scaled` puts it among the assumptions). What was taken for public stands in `public_facts`.

Shapes: features float32, (n, columns) for tables and digits, (n, 1, height, width) for the other images; labels int64.

Example:
    >>> from reticent.data import load
    >>> patients = load("diabetes")
    >>> patients.features.shape, patients.unit.value, patients.feature_names[:3]
    ((442, 10), 'person', ('age', 'sex', 'bmi'))
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data._readers import read_grid, read_idx, read_pgm, read_table
from reticent.data.catalogue import Entry, Source, entries, entry
from reticent.data.fetch import fetched
from reticent.data.origin import Origin
from reticent.data.records import Records
from reticent.errors import DataError, MissingExtra, UsageError

__all__ = ["load", "names"]

_BYTE: Final = 255
_PEOPLE: Final = 30  # of 40 in the ORL faces: the other ten are kept for checks from outside
_PORTRAITS: Final = 10

# Diabetes: (shift, scale) of each column, round numbers written down once; scaling by the patients' own means and
# deviations, as scikit-learn's prepared version does, would reveal something about every one of them.
_CLINICAL: Final = {
    "age": (50, 15),
    "sex": (1.5, 0.5),
    "bmi": (26, 4.5),
    "bp": (95, 14),
    "s1": (190, 35),
    "s2": (115, 30),
    "s3": (50, 13),
    "s4": (4, 1.3),
    "s5": (4.6, 0.5),
    "s6": (91, 11),
}
_PROGRESSION: Final = 140

# The columns of the label, and columns that are no feature. One column: its value. Several: which one is 1.
_LABELS: Final = {
    "adult": ("adult.csv.zip", ("salary_<=50K", "salary_>50K"), ()),
    "credit-default": ("UCI_Credit_Card.csv", ("default-payment-next-month",), ("ID",)),
    "german-credit": ("german.csv", ("credit-label",), ()),
    "law-school": ("law.csv.zip", ("PF_0", "PF_1"), ()),
    "nursery": (
        "nursery.csv.zip",
        ("class_not_recom", "class_priority", "class_recommend", "class_spec_prior", "class_very_recom"),
        (),
    ),
}

# The classes' own words, where the authors give them and the numbers do not say as much.
_WORDS: Final = {
    "adult": ("<=50K", ">50K"),
    "breast_cancer": ("malignant", "benign"),
    "diabetes": (f"progression up to {_PROGRESSION}", f"progression above {_PROGRESSION}"),
    "iris": ("setosa", "versicolor", "virginica"),
    "nursery": ("not_recom", "priority", "recommend", "spec_prior", "very_recom"),
}


def load(name: str, *, cache: str | os.PathLike[str] | None = None, split: str = "train") -> Records:
    """The records of a classification set, with the unit and the owners that the catalogue states.

    Args:
        name: a name from `names(task_only=True)`.
        cache: the cache folder, as in `fetch`.
        split: "test" exists for fashion-mnist only; the other sets come in one piece, which is "train".

    Raises:
        UsageError: no such set, no such split, or a set that is not a table for classification.
        FetchError: it was not fetched yet; the remedy is the command that does it.
        IntegrityError: the files were changed since they were fetched.
        MissingExtra: the set is bundled with scikit-learn, which is not installed.
    """
    found = entry(name)
    _checks.one_of(("train", "test"), split=split)
    if not found.task:
        raise UsageError(
            f"Expected the name of a data set for classification, got name={name!r}: {found.title}, {found.size}.",
            f"Get the folder of its files with: reticent data fetch {name}",
        )
    if split == "test" and name != "fashion-mnist":
        raise UsageError(
            f"Expected split='train' for {name}, which comes in one piece, got split={split!r}.",
            "Split the records yourself, with a seed.",
        )
    if found.source is Source.SKLEARN:
        return _bundled(found)
    folder = fetched(found, cache=cache)
    if name in _LABELS:
        return _table(found, folder)
    readers: dict[str, Callable[[], Records]] = {
        "fashion-mnist": lambda: _fashion(found, folder, "train" if split == "train" else "t10k"),
        "mnist5k": lambda: _mnist5k(found, folder),
        "orl-faces": lambda: _faces(found, folder),
    }
    return readers[name]()


def names(task_only: bool = False) -> tuple[str, ...]:
    """The names in the catalogue; with `task_only`, those that `load` can load."""
    return tuple(one.name for one in entries() if one.task or not task_only)


def _bundled(found: Entry) -> Records:
    try:
        bundled = importlib.import_module("sklearn.datasets")  # optional, and slow to import
    except ImportError as error:
        raise MissingExtra("scikit-learn", "lab", f"The data set {found.name}") from error
    options = {"scaled": False} if found.name == "diabetes" else {}
    data: Any = getattr(bundled, f"load_{found.name}")(**options)
    features, target = np.asarray(data.data), np.asarray(data.target)
    facts: tuple[str, ...] = ()
    if found.name == "diabetes":
        centre, scale = np.array(list(_CLINICAL.values())).T
        features, target = (features - centre) / scale, target > _PROGRESSION
        facts = (
            "the columns are shifted and scaled by fixed round numbers",
            f"the label asks for a progression score above {_PROGRESSION}, close to the published median",
        )
    if found.name == "digits":
        features = features / 16
    columns = tuple(str(column) for column in data.feature_names)
    return _records(found, features, target, feature_names=columns, public_facts=facts)


def _table(found: Entry, folder: Path) -> Records:
    file, label_columns, dropped = _LABELS[found.name]
    values, columns = read_table(folder / file)
    at = [columns.index(column) for column in label_columns]
    kept = [place for place, column in enumerate(columns) if column not in {*label_columns, *dropped}]
    if len(at) > 1 and (values[:, at].sum(axis=1) != 1).any():
        raise DataError(f"Expected one label in each row of {file}, got several or none.", "Fetch it again.")
    labels = values[:, at[0]] if len(at) == 1 else values[:, at].argmax(axis=1)
    return _records(found, values[:, kept], labels, feature_names=tuple(columns[place] for place in kept))


def _fashion(found: Entry, folder: Path, part: str) -> Records:
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    return _records(found, images[:, None] / np.float32(_BYTE), read_idx(folder / f"{part}-labels-idx1-ubyte.gz"))


def _mnist5k(found: Entry, folder: Path) -> Records:
    values = read_grid(folder / "mnist_5k.csv.gz")
    return _records(found, values[:, :-1].reshape(-1, 1, 28, 28) / np.float32(_BYTE), values[:, -1])


def _faces(found: Entry, folder: Path) -> Records:
    people = range(1, _PEOPLE + 1)
    images = [read_pgm(folder / f"s{one}" / f"{picture}.pgm") for one in people for picture in range(1, _PORTRAITS + 1)]
    labels = np.repeat(np.arange(_PEOPLE), _PORTRAITS)
    owners = np.array([f"s{label + 1}" for label in labels])
    return _records(found, np.stack(images)[:, None] / np.float32(_BYTE), labels, owners=owners)


def _records(found: Entry, features: npt.NDArray[Any], labels: npt.NDArray[Any], **more: Any) -> Records:
    unit = found.unit
    if unit is None:  # pragma: no cover (a test of the catalogue forbids it for sets with a task)
        raise DataError(f"Expected a unit for {found.name}, got none.", "Name who owns a row in the catalogue.")
    return Records(
        features.astype(np.float32),
        labels,
        name=found.name,
        unit=unit,
        class_names=_WORDS.get(found.name),
        origin=Origin(f"the packaged set {found.name}"),
        **more,
    )
