"""How many people are alone with p of their points: places and times of a trace, or cells of a row.

Promise: for each person, p of their distinct points are drawn, each alike likely, and everybody who has all of them is
counted, exactly, over everybody in the data; a person is unique if that is one person. No fit, no extrapolation: what
is counted holds for this data, and in more people fewer are unique. Points are drawn one after the other, so a person's
crowd never grows with p.

A point is whatever an observer could see at once: (antenna, hour), (shop, day, price band), (column, value). How
coarsely it is seen is the caller's choice (`points_of`, `cells_of`, with `widths`).

Sources: de Montjoye, Hidalgo, Verleysen and Blondel (2013): unicity of mobility traces, 95 % at four points; for
tables, Sweeney (2000).

Shapes: `crowds` gives (people, most) int64: how many people share the first p points, -1 where there are not p points.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.reidentification.unicity import crowds, points_of
    >>> from reticent.data.tables import Table
    >>> from reticent.randomness import Randomness
    >>> where, hour = ["a", "b", "a", "c", "a"], [1.2, 2.0, 1.4, 2.0, 1.9]
    >>> trips = Table.of({"who": [1, 1, 2, 2, 3], "where": where, "hour": hour})
    >>> points = points_of(trips, "who", ["where", "hour"], widths={"hour": 1.0})
    >>> crowds(points, np.arange(3), 2, Randomness.simulated(1))[:, 1].tolist()
    [1, 1, -1]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.ratings import Ratings
from reticent.data.tables import Column, Table
from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness, required

__all__ = ["cells_of", "coarsened", "crowds", "points_of"]

Array = npt.NDArray[Any]


def coarsened(column: Column, width: float) -> Column:
    """A column seen less exactly: numbers in steps of `width`, dates in steps of so many days, text by its first
    letters.

    Args:
        column: as it is.
        width: of a step; of text, how many letters are kept.

    Raises:
        UsageError: not positive, or not a whole number of letters, or more than there are.
    """
    width = _checks.positive(width=width)
    if column.kind in ("text", "yes or no"):
        letters = _checks.at_least(1, width=int(width) if width == int(width) else width)
        longest = max((len(str(value)) for value in column.values), default=0)
        if letters >= longest > 0:
            raise UsageError(
                f"Expected fewer letters than the {longest} of the longest text in column {column.name!r}, got "
                f"width={letters}: it would change nothing.",
                f"If it holds dates or numbers, say so when it is read: --kind '{column.name}=date', --dates "
                f"'{column.name}=%d.%m.%Y'; in Python read(..., kinds=, dates=).",
            )
        return column.mapped([str(value)[:letters] for value in column.values])
    values = Column(column.name, np.arange(len(column.values), dtype=np.int32), column.values).numbers()
    return column.mapped(np.floor(values / width))


def points_of(
    table: Table, person: str, columns: Sequence[str], *, widths: Mapping[str, float] | None = None
) -> Ratings:
    """The points of people: one row for each sighting; a row with a missing cell is no point.

    Args:
        table: the sightings.
        person: the column that says who it was.
        columns: what is seen of it.
        widths: by column, how coarsely (`coarsened`).

    Raises:
        UsageError: no such column, or no column to see.
        DataError: no row without missing cells.
    """
    seen = _seen(table, columns, widths)
    whole = ~table[person].missing
    for column in seen:
        whole &= ~column.missing
    if not whole.any():
        raise DataError("Expected sightings without missing cells, got none.", "Name other columns.")
    people = table[person].compacted()
    points = Table(column.take(whole) for column in seen).classes()
    return Ratings.of(people.codes[whole], points.of_rows, count=len(people.values))


def cells_of(table: Table, columns: Sequence[str], *, widths: Mapping[str, float] | None = None) -> Ratings:
    """The points of rows: one person for each row, and one point for each of its cells; a missing cell is no point.

    Args:
        table: one row for each person.
        columns: which cells an observer could know.
        widths: by column, how coarsely (`coarsened`).

    Raises:
        UsageError: no such column, or no column to see.
        DataError: every cell is missing.
    """
    rows, points, first = [], [], 0
    for column in _seen(table, columns, widths):
        there = np.flatnonzero(~column.missing)
        rows.append(there)
        points.append(column.codes[there].astype(np.int64) + first)
        first += len(column.values)
    return Ratings.of(np.concatenate(rows), np.concatenate(points), count=table.rows, item_count=max(first, 1))


def crowds(points: Ratings, people: Array, most: int, randomness: Randomness) -> npt.NDArray[np.int64]:
    """How many people have the first 1, 2, ... of the points that were drawn of each.

    Args:
        points: of everybody.
        people: of whom points are drawn, each once.
        most: how many points of each.
        randomness: a generator.

    Returns:
        (people, most), -1 where the person has fewer points.
    """
    _checks.at_least(1, most=most)
    rows = points.of_people(people)
    keys = required(randomness).uniform(len(rows.items))
    found = np.full((len(people), most), -1, dtype=np.int64)
    for place in range(len(people)):
        mine = rows.of(place)
        drawn = rows.items[mine][np.argsort(keys[mine])[:most]]
        crowd: Array = np.zeros(0, dtype=np.int32)
        for number, point in enumerate(drawn.tolist()):
            there = points.people[points.list_of(point)]
            crowd = there if number == 0 else _both(crowd, there)
            found[place, number] = len(crowd)
    return found


def _both(left: Array, right: Array) -> Array:
    """What is in both of two ascending arrays."""
    if len(left) > len(right):
        left, right = right, left
    at = np.searchsorted(right, left)
    found: Array = left[right[np.minimum(at, len(right) - 1)] == left]
    return found


def _seen(table: Table, columns: Sequence[str], widths: Mapping[str, float] | None) -> list[Column]:
    if not columns:
        raise UsageError("Expected at least one column that can be seen, got none.", "Name it.")
    known = dict(widths or {})
    for name in known:
        _checks.one_of(columns, column=name)
    return [coarsened(table[name], known[name]) if name in known else table[name] for name in columns]
