"""Labelled records about people: what every other room trains on and audits.

Promise: a `Records` value has been checked. Features are finite, labels are whole numbers `0 .. classes-1`, and the two
arrays have the same length; anything else raises `DataError` before work begins. Whether two classes occur is asked by
`require_two_classes`, since a chosen part may hold one. The arrays are copies: changing yours later changes nothing
here. Its `repr` shows sizes only, never a value.

Shapes: `features` is (n, ...) float32 (float64 stays so, whole numbers become int64, for token ids), `labels` is (n,)
int64.

Example:
    >>> import numpy as np
    >>> from reticent.data import Records
    >>> records = Records(np.eye(4), [0, 1, 0, 1], name="toy")
    >>> records
    Records(toy: 4 records, features (4,), 2 classes, unit example)
    >>> len(records.take([0, 3]))
    2
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data._arrays import as_array, as_features, as_labels, check_names, check_shapes
from reticent.data.origin import Origin
from reticent.errors import DataError, UsageError
from reticent.privacy.guarantee import Guarantee
from reticent.privacy.units import Unit
from reticent.randomness import Randomness, required

__all__ = ["Records"]


class Records:
    """Features and labels that have been checked, with the unit that owns a row.

    Args:
        features: (n, ...) numbers: arrays, torch tensors on the CPU, or nested lists.
        labels: (n,) whole numbers from 0.
        classes: number of classes; by default the largest label plus one.
        name: what to call the data set in records and reports.
        unit: who owns a row: `Unit.PERSON` where there are owners, else `Unit.EXAMPLE`. `Unit.PERSON` without owners
            states that every person owns exactly one row.
        owners: (n,) an identifier of the person or client behind each row, when some own several.
        feature_names: names of the columns, for tables.
        class_names: the classes' own words in the order of their numbers, for reports.
        public_facts: what preparing the records took for public (scaling constants, a threshold), in words; a
            guarantee of a training on them lists these among its assumptions.
        rests_on: ids of the records (`reticent.evidence.Record`) that say how these were come by; a training's record
            names them as its parents.
        guarantee: what was promised when the records were given noise of their own (`reticent.data.local`); it holds
            for whatever is computed from them.
        origin: the file or set whose rows these are, so that reports can say where row 3 is found.

    Raises:
        DataError: empty data, wrong shapes, NaN or infinity, labels out of range or not whole, names or owners that do
            not fit the features, words that do not fit the classes.
        UsageError: `classes` below 2, or a `unit` that is not a `Unit`.
    """

    __slots__ = (
        "class_names",
        "classes",
        "feature_names",
        "features",
        "guarantee",
        "labels",
        "name",
        "origin",
        "owners",
        "public_facts",
        "rests_on",
        "unit",
    )

    def __init__(
        self,
        features: Any,
        labels: Any,
        *,
        classes: int | None = None,
        name: str = "records",
        unit: Unit | None = None,
        owners: Any = None,
        feature_names: Sequence[str] | None = None,
        class_names: Sequence[str] | None = None,
        public_facts: Sequence[str] = (),
        guarantee: Guarantee | None = None,
        origin: Origin | None = None,
        rests_on: Sequence[str] = (),
    ) -> None:
        if classes is not None:
            classes = _checks.at_least(2, classes=classes)
        if unit is None:
            unit = Unit.EXAMPLE if owners is None else Unit.PERSON
        if not isinstance(unit, Unit):
            raise UsageError(f"Expected unit to be a Unit, got unit={unit!r}.", "Pass for instance Unit.PERSON.")
        self.class_names = check_names(class_names, classes)
        if self.class_names is not None:
            classes = len(self.class_names)
        x = as_array(features, "features")
        y = as_array(labels, "labels")
        check_shapes(x, y)
        self.features: npt.NDArray[Any] = as_features(x)
        self.labels: npt.NDArray[np.int64] = as_labels(y, classes)
        self.classes = classes if classes is not None else max(2, int(self.labels.max()) + 1)
        self.name = name
        self.unit = unit
        self.owners: npt.NDArray[Any] | None = None if owners is None else np.array(plain(owners))
        if self.owners is not None and self.owners.shape != (len(x),):
            raise DataError(
                f"Expected one owner per record, got shape {self.owners.shape} for {len(x)} records.",
                "Pass the person's identifier for every row.",
            )
        if self.owners is not None:
            refuse_missing(self.owners)
        self.feature_names = tuple(feature_names) if feature_names is not None else None
        if self.feature_names is not None and x.shape[1:] != (len(self.feature_names),):
            raise DataError(
                f"Expected one name per column, got {len(self.feature_names)} names for features {x.shape[1:]}.",
                "Pass a name for every column of a table, and none for images.",
            )
        self.public_facts = tuple(public_facts)
        self.guarantee = guarantee
        self.origin = origin
        self.rests_on = tuple(rests_on)

    @classmethod
    def of(cls, data: Any, *, name: str = "records") -> Records:
        """Records from what users hold: a `Records`, a pair (features, labels), or a torch `TensorDataset`."""
        if isinstance(data, Records):
            return data
        pair = getattr(data, "tensors", data)  # torch.utils.data.TensorDataset, without importing torch
        if isinstance(pair, tuple | list) and len(pair) == 2:
            return cls(pair[0], pair[1], name=name)
        raise DataError(
            f"Expected records as a pair (features, labels), got {type(data).__name__}.",
            "Pass (features, labels), a TensorDataset, or reticent.data.Records.",
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return (
            f"Records({self.name}: {len(self)} records, features {self.features.shape[1:]}, "
            f"{self.classes} classes, unit {self.unit.value})"
        )

    def take(self, rows: Any) -> Records:
        """The chosen rows (indices or a boolean mask; none is allowed), with everything else kept.

        A guarantee is kept too: it stands if the rows were chosen without looking at what it protects.

        Raises:
            DataError: rows that are not there, a mask of another length, or not a list of rows.
        """
        chosen = np.asarray(rows)
        if chosen.dtype != bool and chosen.size == 0:
            chosen = chosen.astype(np.int64)
        mask = chosen.dtype == bool
        if chosen.ndim != 1 or chosen.dtype.kind not in "biu" or (mask and len(chosen) != len(self)):
            raise DataError(
                f"Expected row numbers, or a mask of length {len(self)}, got {chosen.dtype} of shape {chosen.shape}.",
                "Pass a list of whole numbers, or one True or False for each record.",
            )
        if not mask and chosen.size and not -len(self) <= chosen.min() <= chosen.max() < len(self):
            raise DataError(
                f"Expected rows below {len(self)}, got rows from {chosen.min()} to {chosen.max()}.",
                "Check that the rows were chosen from these records.",
            )
        subset = object.__new__(Records)
        subset.features, subset.labels = self.features[chosen], self.labels[chosen]
        subset.classes, subset.name, subset.unit = self.classes, self.name, self.unit
        subset.owners = None if self.owners is None else self.owners[chosen]
        subset.feature_names, subset.public_facts = self.feature_names, self.public_facts
        subset.guarantee, subset.class_names, subset.rests_on = self.guarantee, self.class_names, self.rests_on
        subset.origin = None if self.origin is None else self.origin.part()
        return subset

    def limited(self, rows: int, randomness: Randomness) -> Records:
        """These records with at most `rows` of them for each owner, kept at random: a bound on what one contributes."""
        _checks.at_least(1, rows=rows)
        keys = required(randomness).bits(len(self))
        owner = self.owner_index()
        order = np.lexsort((keys, owner))  # owner by owner, in random order
        first = np.searchsorted(owner[order], owner[order])
        return self.take(np.sort(order[np.arange(len(self)) - first < rows]))

    def joined(self, other: Records) -> Records:
        """These records followed by the other's.

        If both carry a guarantee, so does what comes out: that of their composition, since the same units may be in
        both. If only one does, there is none.

        Raises:
            DataError: the two do not describe the same kind of record, or only one of them says who owns its rows: to
                forget the owners would turn a promise to people into one to rows.
        """
        for what, mine, theirs in (
            ("shape", self.features.shape[1:], other.features.shape[1:]),
            ("type (token ids or numbers)", self.features.dtype.kind, other.features.dtype.kind),
            ("unit", self.unit.value, other.unit.value),
            ("list of columns", self.feature_names, other.feature_names),
            ("kind of owners", _kind_of(self.owners), _kind_of(other.owners)),
            ("list of classes", self.class_names or other.class_names, other.class_names or self.class_names),
        ):
            if mine != theirs:
                raise DataError(
                    f"Expected records of one {what}, got {mine} and {theirs}.", "Prepare both with the same steps."
                )
        owners = None
        if self.owners is not None and other.owners is not None:
            owners = np.concatenate([self.owners, other.owners])
        guarantee = None
        if self.guarantee is not None and other.guarantee is not None:
            guarantee = self.guarantee.compose(other.guarantee)
        classes, names = max(self.classes, other.classes), self.class_names or other.class_names
        return Records(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.labels, other.labels]),
            classes=classes,
            class_names=names if names is not None and len(names) == classes else None,
            name=self.name,
            unit=self.unit,
            owners=owners,
            feature_names=self.feature_names,
            public_facts=tuple(dict.fromkeys((*self.public_facts, *other.public_facts))),
            guarantee=guarantee,
            rests_on=tuple(dict.fromkeys((*self.rests_on, *other.rests_on))),
        )

    def owner_index(self) -> npt.NDArray[np.int64]:
        """(n,) whole numbers from 0, equal for rows of one owner; every row its own when no owners are known."""
        if self.owners is None:
            return np.arange(len(self))
        return np.unique(self.owners, return_inverse=True)[1].reshape(-1).astype(np.int64)

    @property
    def classes_of_rows(self) -> npt.NDArray[Any]:
        """(n,) the class of each row in its own word, or its number where there are no words."""
        return self.labels if self.class_names is None else np.array(self.class_names)[self.labels]

    @property
    def owner_count(self) -> int:
        """How many owners there are; as many as rows when none are known."""
        return len(self) if self.owners is None else len(np.unique(self.owners))

    def require_two_classes(self) -> Records:
        """These records, or `DataError` when every label is the same: nothing could be learned from them."""
        if len(np.unique(self.labels)) < 2:
            found = f"all {len(self)} labels are {int(self.labels[0])}" if len(self) else "there are no records"
            raise DataError(
                f"Expected at least two classes, but {found}.",
                "Check the label column, or the threshold that made it.",
            )
        return self

    def scaled(self) -> Records:
        """These records with every column centred and scaled to deviation 1, computed over all of them.

        The means and deviations reveal something about every record; `public_facts` says that they are taken for
        public, and a guarantee of a training on the result lists that among its assumptions.
        """
        wide = self.features.astype(np.float64)
        centre, spread = wide.mean(axis=0), wide.std(axis=0)
        features = ((wide - centre) / np.where(spread > 0, spread, 1.0)).astype(np.float32)
        return Records(
            features,
            self.labels,
            classes=self.classes,
            class_names=self.class_names,
            origin=self.origin,
            name=self.name,
            unit=self.unit,
            owners=self.owners,
            feature_names=self.feature_names,
            public_facts=(*self.public_facts, f"means and deviations of the columns over all {len(self)} records"),
            guarantee=self.guarantee,
            rests_on=self.rests_on,
        )

    def digest(self) -> str:
        """SHA-256 over shapes, types and bytes: names the data in a record without showing it."""
        sha = hashlib.sha256()
        for array in (self.features, self.labels):
            sha.update(f"{array.dtype.str}{array.shape}".encode())
            sha.update(np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()


def refuse_missing(owners: npt.NDArray[Any]) -> None:
    """Raise `DataError` where some row has no owner: rows of different people would pass for those of one."""
    if owners.dtype.kind in "fc":
        missing = np.isnan(owners)
    elif owners.dtype.kind in "mM":
        missing = np.isnat(owners)
    else:  # what lists of texts with gaps become
        missing = np.isin(owners.astype(str), ["", "nan", "None", "<NA>"])
    number = int(np.count_nonzero(missing))
    if number:
        raise DataError(
            f"Expected an owner for every row, got none for {number} of {len(owners)}.",
            "Give each of these rows an owner of its own, if nothing else is known.",
        )


def plain(values: Any) -> Any:
    """A torch tensor as a numpy array, without importing torch; anything else as it is."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else values


def _kind_of(owners: npt.NDArray[Any] | None) -> str | None:
    return None if owners is None else owners.dtype.kind
