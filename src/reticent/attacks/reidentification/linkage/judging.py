"""Links against the truth: precision, recall, F1, people re-identified, and whether probabilities were right.

Promise: every share has its interval, n and method. People are counted, not rows: a person is re-identified if one of
their rows is linked to themselves and surely wrong otherwise. Beside the attack stand what a guess achieves and what
exact joins achieve, on all fields and on the one rule that joins most rows uniquely (chosen without labels).
Not covered: links are not quite independent of each other (one-to-one), which the intervals ignore.

Shapes: people are (rows,) int64, equal for rows of one person in either table.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.reidentification.linkage.judging import People, scores
    >>> people = People(np.array([1, 2, 3]), np.array([1, 2, 4]))
    >>> found = scores(people, np.array([0, 1]), np.array([0, 2]))
    >>> {name: round(one.value, 3) for name, one in found.items()}
    {'precision': 0.5, 'recall': 0.5, 'f1': 0.5, 'people re-identified': 0.333}
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from reticent.attacks.reidentification.linkage import truths
from reticent.attacks.reidentification.linkage.blocking import Keys, joint
from reticent.attacks.reidentification.linkage.fields import Field, table_of
from reticent.errors import DataError
from reticent.evidence import Estimate
from reticent.evidence.intervals import clopper_pearson, rate

__all__ = ["EDGES", "People", "chance", "exact_joins", "reliability", "scores", "unique_pairs"]

Ints = npt.NDArray[np.int64]

EDGES = (0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999, 1.0)
"""Classes of probabilities, for the comparison with what happened."""


class People(NamedTuple):
    """Whose row each is, in both tables.

    Attributes:
        release: (rows,) of the release.
        register: (rows,) of the register.
        columns: that say so, and are therefore not compared unless that is asked for.
    """

    release: Ints
    register: Ints
    columns: tuple[str, ...] = ()

    @classmethod
    def of(cls, release: Any, register: Any, column: str, pattern: str | None = None) -> People:
        """The people that a column of both tables names.

        Args:
            release, register: with the column, each a `Table`, a path, or what `Table.of` takes.
            column: of identifiers.
            pattern: a regular expression; what its first group finds in an identifier is the person.

        Raises:
            DataError: a row without an identifier, or one that the pattern does not fit.
        """
        sides = []
        for table in (table_of(release), table_of(register)):
            found = truths.column_of(table, column)
            texts = [str(value).strip() for value in found.values]
            if pattern is not None:
                hits = [re.search(pattern, text) for text in texts]
                texts = ["" if hit is None else hit[1] if hit.re.groups else hit[0] for hit in hits]
            if found.missing.any() or "" in texts:
                raise DataError(
                    f"Expected to know whose every row is, but column {column!r} does not say it for some.",
                    "Fill it up, or correct the pattern.",
                )
            sides.append((texts, found.codes))
        known = {text: place for place, text in enumerate(dict.fromkeys(text for texts, _ in sides for text in texts))}
        left, right = (np.array([known[text] for text in texts], np.int64)[codes] for texts, codes in sides)
        return cls(left, right, (column.strip(),))

    @classmethod
    def of_pairs(
        cls,
        release: Any,
        register: Any,
        pairs: Any,
        *,
        columns: tuple[str, str] | None = None,
        keys: tuple[str | None, str | None] | None = None,
    ) -> People:
        """The people that a list of pairs names, each a row of the release and one of the register; see `truths`."""
        tables = table_of(release), table_of(register), table_of(pairs)
        left, right, named = truths.people(*tables, columns=columns, keys=keys)
        return cls(left, right, named)

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """(rows of the release,) whether the person is in the register."""
        return np.isin(self.release, self.register)


def scores(people: People, release: Ints, register: Ints, *, confidence: float = 0.95) -> dict[str, Estimate]:
    """What links are worth: precision (if there are any), recall, F1 and the share of people re-identified."""
    right = people.release[release] == people.register[register]
    present = int(people.present.sum())
    found = int(right.sum())
    values = {}
    if len(right):
        values["precision"] = rate(found, len(right), method="links that are right", confidence=confidence)
    if present:
        recalled = len(np.unique(release[right]))
        method = "release rows of people in the register that are linked to them"
        values["recall"] = rate(recalled, present, method=method, confidence=confidence)
        values["f1"] = _f1(found, len(right), present, confidence)
    named = len(np.unique(people.release[release[right]]))
    everyone = len(np.unique(people.release))
    values["people re-identified"] = rate(
        named, everyone, method="people of the release with a row linked to them", confidence=confidence
    )
    return values


def _f1(right: int, links: int, present: int, confidence: float) -> Estimate:
    """F1 is right / (right + errors / 2), so the interval of right / (right + errors) carries over exactly."""
    errors = links + present - 2 * right
    value = 2 * right / (links + present)
    if right + errors == 0:
        return Estimate(0.0, 0.0, 1.0, confidence, 1, "F1; nothing linked")
    share = rate(right, right + errors, method="F1", confidence=confidence)
    low, high = (2 * end / (1 + end) for end in (share.low, share.high))
    method = "F1 from the share of right ones among right, wrong and missed ones; Clopper-Pearson interval"
    return Estimate(value, min(low, value), max(high, value), confidence, right + errors, method)


def chance(people: People, *, confidence: float = 0.95) -> Estimate:
    """What guessing achieves: the expected share of people who are linked to themselves by a random register row."""
    counts = dict(zip(*np.unique(people.register, return_counts=True), strict=True))
    owners, rows = np.unique(people.release, return_counts=True)
    each = np.array([counts.get(owner, 0) for owner in owners]) / len(people.register)
    value = float((1 - (1 - each) ** rows).mean())
    return Estimate(value, value, value, confidence, len(owners), "exact: a register row drawn at random for each row")


def unique_pairs(keys: Keys) -> tuple[Ints, Ints]:
    """The pairs of rows that agree, where both are the only ones in their table."""
    sides = [np.unique(side, return_index=True, return_counts=True) for side in keys]
    single = [
        (values[(counts == 1) & (values >= 0)], first[(counts == 1) & (values >= 0)]) for values, first, counts in sides
    ]
    _, left, right = np.intersect1d(single[0][0], single[1][0], assume_unique=True, return_indices=True)
    return single[0][1][left].astype(np.int64), single[1][1][right].astype(np.int64)


def exact_joins(fields: Sequence[Field]) -> dict[str, tuple[tuple[str, ...], Ints, Ints]]:
    """Links by equality: on all fields, and on the field or pair of fields that joins most rows uniquely."""
    keys = {field.name: field.keys() for field in fields if not field.fits}
    if not keys:
        return {}
    names = list(keys)
    every = keys[names[0]]
    for name in names[1:]:
        every = _dense(joint(every, keys[name]))
    found = {"exact join on all columns": (tuple(names), *unique_pairs(every))}
    single = {(name,): unique_pairs(key) for name, key in keys.items()}
    double = {(a, b): unique_pairs(joint(keys[a], keys[b])) for a, b in combinations(names, 2)}
    best = max((*single.items(), *double.items()), key=lambda one: len(one[1][0]))
    found["best exact join"] = (best[0], *best[1])
    return found


def _dense(keys: Keys) -> Keys:
    """Smaller numbers for the same keys, so that more can be joined."""
    both = np.unique(np.concatenate(keys), return_inverse=True)
    shift = 1 if len(both[0]) and both[0][0] == -1 else 0
    places = both[1].reshape(-1).astype(np.int64) - shift
    return places[: len(keys[0])], places[len(keys[0]) :]


def reliability(
    probability: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], *, confidence: float = 0.95
) -> list[dict[str, Any]]:
    """What was expected and what happened, class by class of probability; intervals by Clopper and Pearson."""
    classes = np.clip(np.searchsorted(EDGES, probability, side="right") - 1, 0, len(EDGES) - 2)
    rows = []
    for place in np.unique(classes):
        chosen = classes == place
        n, hits = int(chosen.sum()), int(right[chosen].sum())
        low, high = clopper_pearson(hits, n, confidence)
        rows.append(
            {
                "from": EDGES[place],
                "to": EDGES[place + 1],
                "expected": float(probability[chosen].mean()),
                "observed": hits / n,
                "low": low,
                "high": high,
                "n": n,
            }
        )
    return rows
