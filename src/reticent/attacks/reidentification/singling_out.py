"""Singling out: saying something that is true of exactly one person, and that nobody could have guessed.

Promise: `attempts_on` gives predicates that an attacker makes from a release alone; `isolates` says which of them are
true of exactly one row of the secret data. A predicate of weight w (the probability that it holds for a person drawn
from the population) isolates somebody among n people with probability n w (1 - w)^(n - 1) without any release, up to
37 % at w = 1/n, so success means something only for predicates of far smaller weight (`trivial`).

* "cells": what the release says of a class (a row, a cell of a table) that holds one person. Whoever publishes a
  k-anonymous table with other columns as they are publishes such classes.
* "cells and a coin": a class of s people, and a pseudorandom share 1/s of all possible records: true of exactly one of
  them with probability (1 - 1/s)^(s-1) >= 37 %, at a weight s times smaller than that of the class. This is the attack
  of Cohen and Nissim on k-anonymity; that no one can be told from k - 1 others does not hinder it.

For a synthetic table the classes are rows that are alike in some columns drawn at random; whether a row that is alone
among synthetic rows is somebody is what is measured.

Sources: predicate singling out, Cohen and Nissim (2020), definition 2.3 and section 4; downcoding, which does better
against hierarchies, Cohen (2022), is not built.

Example:
    >>> from reticent.attacks.reidentification.singling_out import attempts_on, isolates, trivial
    >>> from reticent.data.tables import Table
    >>> from reticent.randomness import Randomness
    >>> people = Table.of({"age": [31, 34, 52, 57], "illness": ["a", "b", "a", "a"]})
    >>> released = Table.of({"age": ["30-39", "30-39", "50-59", "50-59"], "illness": ["a", "b", "a", "a"]})
    >>> said = attempts_on(released, people.take([]), 10, Randomness.simulated(1))
    >>> isolates([one.predicate for one in said], people).tolist(), f"{trivial(0.25, 4):.3f}"
    ([True, True], '0.422')
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.reidentification.predicates import Hashed, Hierarchies, Predicate, predicates_of
from reticent.data.tables import Table
from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness, required

__all__ = ["Attempt", "attempts_on", "hits", "isolates", "trivial"]

ALONE: Final = "cells"
WITH_COIN: Final = "cells and a coin"


@dataclasses.dataclass(frozen=True, eq=False)
class Attempt:
    """A predicate, and how it was made.

    Attributes:
        predicate: what is said.
        kind: "cells" or "cells and a coin".
        size: how many people the release says are in the class.
    """

    predicate: Predicate
    kind: str
    size: int


def trivial(weight: npt.ArrayLike, people: int) -> npt.NDArray[np.float64]:
    """n w (1 - w)^(n - 1): how often a predicate of this weight isolates one of n people, without any release."""
    share = np.asarray(weight, dtype=np.float64)
    found: npt.NDArray[np.float64] = people * share * (1 - share) ** (people - 1)
    return found


def attempts_on(
    released: Table,
    raw: Table,
    most: int,
    randomness: Randomness,
    *,
    counts: str | None = None,
    columns: int | None = None,
    hierarchies: Hierarchies | None = None,
) -> list[Attempt]:
    """Predicates from a release: of classes with one person if there are any, of any class with a coin otherwise.

    Args:
        released: rows about people, or one row for each class with a column of counts.
        raw: records of the same form as the secret ones, for the kinds of their columns; rows are not looked at.
        most: how many attempts at most, each of another class.
        randomness: a generator.
        counts: the column that says how many people a row is about; each row is about one, by default.
        columns: classes are of rows that are alike in so many columns, drawn anew each time; in all, by default.
        hierarchies: by column, what a released label stands for.

    Raises:
        UsageError: no such column, or more columns than there are.
        DataError: no class at all, or cells that cannot be read.
    """
    _checks.at_least(1, most=most)
    source = required(randomness)
    if counts is not None:
        released.require([counts])
    names = [name for name in released.names if name in raw and name != counts]
    if not names:
        raise DataError("Expected columns that the release shares with the records, got none.", "Name them alike.")
    if columns is not None and _checks.at_least(1, columns=columns) > len(names):
        raise UsageError(f"Expected columns <= {len(names)}, got columns={columns}.", "Ask for fewer.")
    people = np.ones(released.rows) if counts is None else released[counts].numbers()
    found: list[Attempt] = []
    if columns is None or columns == len(names):
        return _of_classes(released.select(names), raw, people, most, source, hierarchies)
    seen: set[tuple[Any, ...]] = set()
    for turn in range(20 * most):
        chosen = [names[i] for i in np.sort(source.permutation(len(names))[:columns])]
        (one,) = _of_classes(released.select(chosen), raw, people, 1, source.spawn(f"{turn}"), hierarchies)
        said = (one.kind, *((each.column, each.among, each.low, each.high) for each in one.predicate.conditions))
        if one.kind == ALONE and said not in seen:
            seen.add(said)
            found.append(one)
        if len(found) == most:
            break
    if not found:
        raise DataError(f"Expected rows that are alone in {columns} columns, got none.", "Ask for more columns.")
    return found


def hits(predicates: Sequence[Predicate], table: Table) -> npt.NDArray[np.int64]:
    """(predicates,) for how many rows each holds."""
    return np.array([int(one.mask(table).sum()) for one in predicates], dtype=np.int64)


def isolates(predicates: Sequence[Predicate], table: Table) -> npt.NDArray[np.bool_]:
    """(predicates,) which hold for exactly one row."""
    found: npt.NDArray[np.bool_] = hits(predicates, table) == 1
    return found


def _of_classes(
    released: Table,
    raw: Table,
    people: npt.NDArray[Any],
    most: int,
    source: Randomness,
    hierarchies: Hierarchies | None,
) -> list[Attempt]:
    classes = released.classes()
    sizes = np.bincount(classes.of_rows, weights=people, minlength=len(classes.first)).round().astype(np.int64)
    alone = np.flatnonzero(sizes == 1)
    usable = alone if len(alone) else np.flatnonzero(sizes > 1)
    if not len(usable):
        raise DataError("Expected a class with people in it, got none.", "Check the counts of the release.")
    picked = usable[source.permutation(len(usable))[:most]]
    predicates = predicates_of(released.take(classes.first[picked]), raw, hierarchies)
    if len(alone):
        return [Attempt(one, ALONE, 1) for one in predicates]
    keys = source.bits(2 * len(picked)).reshape(-1, 2)
    return [
        Attempt(dataclasses.replace(one, hashed=Hashed(key.tobytes(), 1 / int(size))), WITH_COIN, int(size))
        for one, size, key in zip(predicates, sizes[picked], keys, strict=True)
    ]
