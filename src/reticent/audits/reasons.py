"""Why is this record at risk? What is known about it that usually makes a training remember a record.

Promise: every reason has the number behind it and the rule that it met; several may apply, and "none found" is said
where none does. A reason is an observation that goes with being remembered, not a cause that was proven, and removing
it is no promise. No contents are shown: no feature, and no label.

Reasons that are looked for:

* "label doubted": the models that were trained without the record agree, with confidence, on another class than its
  label (probability 0.7 or more on average, three quarters of the models). That is what a wrong label looks like, and
  a record that is unlike its class (Feldman and Zhang, 2020).
* "outlier": its nearest neighbours are farther away than those of 99 % of the records, and 1.5 times as far as usual,
  in the space of the features (columns brought to one scale), or in that of the answers of models without it.
* "rare class", "rare group": fewer than 5 % of the records, and less than half an even share, have its label or are
  in its group.
* "copied": other rows hold the same features; such rows are a few times as often in the training as others
  (Kandpal et al., 2022). "nearly copied": some row is ten times as near as the nearest row usually is.

Distances are Euclidean for numbers, and the share of differing places for whole numbers (token ids). What "nearly all
records" have is measured on a random sample of them.

Example:
    >>> import numpy as np
    >>> from reticent.audits.reasons import reasons
    >>> from reticent.data import Records
    >>> from reticent.models import Fleet
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(1)
    >>> x, y = source.normal((60, 3)), np.arange(60) % 2
    >>> x[7] = 40.0  # far from all others
    >>> answers = np.log(np.where(np.eye(2)[y] == 1, 0.8, 0.2))[None].repeat(8, axis=0)
    >>> fleet = Fleet.of(answers, y, source.bernoulli(0.5, 8 * 60).reshape(8, 60))
    >>> [one.kind for one in reasons(Records(x, y), fleet, [7], randomness=source)[0].reasons]
    ['outlier']
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent._numbers import percentage, shown
from reticent.data import Records
from reticent.errors import UsageError
from reticent.models import Fleet
from reticent.randomness import Randomness

__all__ = ["KINDS", "Explained", "Reason", "reasons"]

Floats = npt.NDArray[np.float64]

KINDS = ("label doubted", "outlier", "rare class", "rare group", "copied", "nearly copied")
"""What is looked for."""

_SAMPLE = 1000  # records whose neighbours say what is usual
_NEIGHBOURS = 5
_FAR, _FARTHER = 0.99, 1.5  # an outlier is farther away than so many, and so many times the median
_NEAR = 0.1  # a near copy is nearer than this share of the usual distance to the nearest neighbour
_SURE = 0.7  # mean probability, of models without the record, of the class that they prefer to its label
_AGREE = 0.75  # share of them that prefer it
_RARE_SHARE, _RARE_OF_EVEN = 0.05, 0.5  # a rare class has less than 5 %, and less than half of an even share
_CELLS = 20_000_000  # numbers held at once
_LEAST_LOG = -12.0  # answers below this probability (6e-6) are alike


@dataclasses.dataclass(frozen=True)
class Reason:
    """One thing that goes with being remembered.

    Attributes:
        kind: one of `KINDS`.
        text: in words, with its number and the rule.
        value: the number.
        limit: what it was compared with.
    """

    kind: str
    text: str
    value: float
    limit: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Explained:
    """A record and what was found about it.

    Attributes:
        row: its row in the pool.
        reasons: none, one or several.
    """

    row: int
    reasons: tuple[Reason, ...]

    def __str__(self) -> str:
        return "; ".join(one.text for one in self.reasons) or "none found"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"row": self.row, "reasons": [one.as_dict() for one in self.reasons]}


def reasons(
    pool: Records,
    fleet: Fleet,
    rows: Sequence[int],
    *,
    randomness: Randomness,
    groups: Mapping[str, npt.NDArray[Any]] | None = None,
) -> tuple[Explained, ...]:
    """Look for reasons for some records of the pool.

    Args:
        pool: all records.
        fleet: the models of them; with answers, if reasons that lie in answers are to be looked for.
        rows: the records that are asked about, such as those of the list at risk.
        randomness: draws the sample of records that say what is usual.
        groups: names of groupings to the group of each record.

    Returns:
        One for each row, in order.

    Raises:
        UsageError: rows that are not in the pool, or a fleet or groups of other records.
    """
    wanted = np.asarray(rows, dtype=np.int64)
    _check(pool, fleet, wanted, groups or {})
    found: list[list[Reason]] = [[] for _ in rows]
    if not len(wanted):
        return ()
    sample = np.sort(randomness.spawn("sample").permutation(len(pool))[:_SAMPLE])
    if fleet.answers is not None:
        answers = _without(fleet)
        for place, reason in _doubted(answers, pool.labels, fleet, wanted):
            found[place].append(reason)
        for place, reason in _outliers(np.maximum(answers, _LEAST_LOG), wanted, sample, "answers"):
            found[place].append(reason)
    table = _table(pool)
    distances, usual = _neighbours(table, wanted), _neighbours(table, sample)
    for place, reason in _far(distances, usual, "features"):
        found[place].append(reason)
    for place, reason in _copies(pool, table, wanted, distances, usual):
        found[place].append(reason)
    for name, column in {"class": pool.labels, **(groups or {})}.items():
        for place, reason in _rare(name, np.asarray(column), wanted):
            found[place].append(reason)
    return tuple(
        Explained(int(row), tuple(sorted(own, key=lambda one: KINDS.index(one.kind))))
        for row, own in zip(wanted, found, strict=True)
    )


def _without(fleet: Fleet) -> Floats:
    """(records, classes) mean log-probabilities of the models that were trained without each record.

    All models' for a record that no model was trained without.
    """
    assert fleet.answers is not None  # noqa: S101 (asked by the caller)
    weights = (~fleet.membership).astype(np.float64)
    weights[:, weights.sum(axis=0) == 0] = 1.0
    total = np.zeros(fleet.answers.shape[1:])
    for one, weight in zip(fleet.answers, weights, strict=True):
        total += one * weight[:, None]
    return np.asarray(total / weights.sum(axis=0)[:, None])


def _doubted(
    answers: Floats, labels: npt.NDArray[np.int64], fleet: Fleet, wanted: npt.NDArray[np.int64]
) -> list[tuple[int, Reason]]:
    assert fleet.answers is not None  # noqa: S101
    preferred = answers[wanted].argmax(axis=1)
    found = []
    for place, (row, other) in enumerate(zip(wanted, preferred, strict=True)):
        outside = ~fleet.membership[:, row]
        if other == labels[row] or not outside.any():
            continue
        given = fleet.answers[outside, row]
        sure, share = float(np.exp(given[:, other]).mean()), float((given.argmax(axis=1) == other).mean())
        if sure >= _SURE and share >= _AGREE:
            own = float(np.exp(given[:, labels[row]]).mean())
            text = (
                f"label doubted: {percentage(share, 2)} of the {int(outside.sum())} models trained without it prefer "
                f"one other class, with probability {shown(sure, 2)} on average against {_least(own)} for the label"
            )
            found.append((place, Reason("label doubted", text, sure, _SURE)))
    return found


def _least(probability: float) -> str:
    return "less than 0.01" if probability < 0.01 else shown(probability, 2)


def _outliers(
    space: Floats, wanted: npt.NDArray[np.int64], sample: npt.NDArray[np.int64], where: str
) -> list[tuple[int, Reason]]:
    return _far(_neighbours(space, wanted), _neighbours(space, sample), where)


def _far(distances: Floats, usual: Floats, where: str) -> list[tuple[int, Reason]]:
    """Those whose mean distance to their neighbours is above that of nearly all, and well above the usual one."""
    known = usual.mean(axis=1)
    middle = float(np.median(known))
    limit = max(float(np.quantile(known, _FAR)), _FARTHER * middle)
    found = []
    for place, own in enumerate(distances.mean(axis=1)):
        if own > limit:
            times, least = (own / middle, limit / middle) if middle > 0 else (float(own), limit)
            text = (
                f"outlier: {shown(times, 2)} times as far from its neighbours, by its {where}, as usual "
                f"(99 % of the records: below {shown(least, 2)})"
            )
            found.append((place, Reason("outlier", text, float(times), float(least))))
    return found


def _copies(
    pool: Records, table: npt.NDArray[Any], wanted: npt.NDArray[np.int64], distances: Floats, usual: Floats
) -> list[tuple[int, Reason]]:
    nearest = float(np.median(usual[:, 0]))
    _, place_of, counts = np.unique(_keys(pool), return_inverse=True, return_counts=True)
    found = []
    for place, row in enumerate(wanted):
        same = np.flatnonzero(place_of == place_of[row])
        if counts[place_of[row]] > 1:
            others = int((pool.labels[same] != pool.labels[row]).sum())
            labelled = f", {others} of them with another label" if others else ""
            text = f"copied: {len(same) - 1} other rows have the same features{labelled}"
            found.append((place, Reason("copied", text, float(len(same) - 1), 1.0)))
        elif nearest > 0 and distances[place, 0] <= _NEAR * nearest:
            ratio = float(distances[place, 0] / nearest)
            text = f"nearly copied: the nearest row is at {shown(ratio, 2)} times the usual distance"
            found.append((place, Reason("nearly copied", text, ratio, _NEAR)))
    return found


def _keys(pool: Records) -> npt.NDArray[Any]:
    """One value for each row, equal where all features are."""
    flat = np.ascontiguousarray(pool.features.reshape(len(pool), -1))
    if flat.dtype.kind == "f":
        flat = flat + np.zeros((), flat.dtype)  # -0.0 becomes 0.0
    return flat.view(np.dtype((np.void, flat.dtype.itemsize * flat.shape[1]))).reshape(-1)


def _rare(name: str, column: npt.NDArray[Any], wanted: npt.NDArray[np.int64]) -> list[tuple[int, Reason]]:
    _, place_of, counts = np.unique(column, return_inverse=True, return_counts=True)
    limit = min(_RARE_SHARE, _RARE_OF_EVEN / len(counts))
    kind = "rare class" if name == "class" else "rare group"
    found = []
    for place, row in enumerate(wanted):
        size = int(counts[place_of[row]])
        if size < limit * len(column):
            text = f"{kind}: {size} of {len(column)} records have its {name}"
            found.append((place, Reason(kind, text, size / len(column), limit)))
    return found


def _table(pool: Records) -> npt.NDArray[Any]:
    """(n, columns) features on one scale; whole numbers as they are."""
    flat = pool.features.reshape(len(pool), -1)
    if flat.dtype.kind != "f":
        return np.ascontiguousarray(flat)
    wide = flat.astype(np.float32)
    spread = wide.std(axis=0)
    return np.ascontiguousarray((wide - wide.mean(axis=0)) / np.where(spread > 0, spread, np.float32(1)))


def _neighbours(space: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> Floats:
    """(rows, neighbours) distances to the nearest other rows, nearest first."""
    count = min(_NEIGHBOURS, len(space) - 1)
    whole = space.dtype.kind != "f"
    lengths = None if whole else np.einsum("ij,ij->i", space, space, dtype=np.float64)
    step = max(1, _CELLS // (space.size if whole else len(space)))
    found = np.empty((len(rows), count))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        if lengths is None:
            apart = np.stack([(space != space[row]).mean(axis=1) for row in some])
        else:
            apart = lengths[some][:, None] + lengths - 2 * (space[some] @ space.T)
        apart[np.arange(len(some)), some] = np.inf
        nearest = np.argpartition(apart, count - 1, axis=1)[:, :count]
        if lengths is None:
            found[start : start + step] = np.take_along_axis(apart, nearest, axis=1)
        else:  # once more without the difference of large squares, which has no digits where rows are close
            gaps = space[nearest].astype(np.float64) - space[some][:, None]
            found[start : start + step] = np.sqrt((gaps**2).sum(axis=-1))
    return np.sort(found, axis=1)


def _check(pool: Records, fleet: Fleet, wanted: npt.NDArray[np.int64], groups: Mapping[str, npt.NDArray[Any]]) -> None:
    if wanted.size and not 0 <= wanted.min() <= wanted.max() < len(pool):
        raise UsageError(
            f"Expected rows below {len(pool)}, got rows from {wanted.min()} to {wanted.max()}.",
            "Pass rows of the pool.",
        )
    sizes = {"a fleet": fleet.membership.shape[1]} | {f"groups {name!r}": len(one) for name, one in groups.items()}
    for name, size in sizes.items():
        if size != len(pool):
            raise UsageError(f"Expected {name} of {len(pool)} records, got {size}.", "Pass those of the same pool.")
