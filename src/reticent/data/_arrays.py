"""What arrays have to be before they are records: numbers, of one length, finite, and labels that are classes.

Promise: what is handed back has one of the types that `Records` states, and is a copy; anything else raises `DataError`
that names what is wrong and repeats no value of a record but the range of labels.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent.errors import DataError

__all__ = ["as_array", "as_features", "as_labels", "check_names", "check_shapes"]

_DOUBLE: Final = 8  # bytes
_KEEP: Final = "; reports show the words if you pass class_names=encoder.classes_"


def as_array(values: Any, name: str) -> npt.NDArray[Any]:
    if hasattr(values, "detach"):  # a torch tensor, without importing torch
        try:
            values = values.detach().cpu().numpy()
        except TypeError as error:
            raise DataError(
                f"Expected {name} of a type that NumPy knows, got {values.dtype}.", "Convert it with .float() first."
            ) from error
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(
            f"Expected {name} as a rectangular array, got rows of different lengths.", "Pad or drop them."
        ) from error
    if array.dtype.kind not in "biuf":
        encoder = "LabelEncoder" if name == "labels" else "OneHotEncoder"
        raise DataError(
            f"Expected numbers in {name}, got {'text' if array.dtype.kind in 'US' else array.dtype}.",
            f"Encode them first (for instance with scikit-learn's {encoder}){_KEEP if name == 'labels' else ''}.",
        )
    return array


def check_shapes(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> None:
    if x.ndim < 2 or 0 in x.shape[1:]:
        raise DataError(
            f"Expected features with one row per record and at least one column, got shape {x.shape}.",
            "Reshape a single column with features[:, None].",
        )
    if y.ndim != 1:
        raise DataError(
            f"Expected labels of shape (n,), got shape {y.shape}.",
            "Pass class numbers; turn one-hot rows into them with labels.argmax(axis=1).",
        )
    if len(x) != len(y):
        raise DataError(
            f"Expected as many labels as records, got {len(x)} records and {len(y)} labels.",
            "Check that both come from the same rows.",
        )
    if len(x) == 0:
        raise DataError("Expected at least one record, got none.", "Check the filter that selected the rows.")


def as_features(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if x.dtype.kind == "b":
        return x.astype(np.float32)
    if x.dtype.kind in "iu":
        return _whole(x, "features")
    with np.errstate(over="ignore"):  # a wider number that float32 cannot hold becomes infinite, and is reported below
        cast = x.astype(np.float64 if x.dtype.kind == "f" and x.dtype.itemsize == _DOUBLE else np.float32)
    bad = ~np.isfinite(cast).reshape(len(x), -1).all(axis=1)
    if bad.any():
        raise DataError(
            f"Expected finite features, got NaN or infinity in {int(bad.sum())} of {len(x)} records "
            f"(first at row {int(bad.argmax())}).",
            "Impute or drop these records first.",
        )
    return cast


def as_labels(y: npt.NDArray[Any], classes: int | None) -> npt.NDArray[np.int64]:
    if y.dtype.kind == "f" and (not np.isfinite(y).all() or (y != np.round(y)).any()):
        raise DataError(
            "Expected whole numbers as labels, got fractions, NaN or infinity.",
            "Only classification is supported: cut a continuous target into classes.",
        )
    whole = _whole(y, "labels")
    if whole.min() < 0 or (classes is not None and whole.max() >= classes):
        asked = f"0 to {classes - 1}" if classes is not None else "0 or more"
        raise DataError(
            f"Expected labels from {asked}, got labels from {int(whole.min())} to {int(whole.max())}.",
            "Renumber the classes from 0.",
        )
    return whole


def _whole(array: npt.NDArray[Any], name: str) -> npt.NDArray[np.int64]:
    """As int64; numbers beyond it would silently become others."""
    if array.dtype.kind in "uf" and (np.abs(array) >= 2.0**63).any():
        raise DataError(
            f"Expected whole numbers below 2**63 in {name}, got {np.abs(array).max()}.", "Renumber them from 0."
        )
    return array.astype(np.int64)


def check_names(names: Any, classes: int | None) -> tuple[str, ...] | None:
    """Words of classes: each once, and as many as there are classes if that is said.

    Raises:
        DataError: others.
    """
    if names is None:
        return None
    words = tuple(str(one) for one in names)
    if isinstance(names, str) or len(set(words)) < len(words) or len(words) < 2:
        raise DataError(
            f"Expected two or more different words for classes, got class_names={names!r}.",
            'Pass them in the order of the class numbers, for instance ["no", "yes"].',
        )
    if classes is not None and classes != len(words):
        raise DataError(
            f"Expected one word for each of {classes} classes, got class_names={list(words)}.",
            "Name every class once, in the order of the class numbers.",
        )
    return words
