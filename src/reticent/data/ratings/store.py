"""Who rated what, how and when: a sparse table, kept by item in compact arrays.

Promise: a `Ratings` holds at most one rating of a person for an item, lists of an item ascend by person, and nothing is
dense: a rating takes 4 bytes for its person, 1 for its value and 2 for its day. It does not change, and its `repr`
shows sizes only. "Rating" stands for whatever ties a person to an item: a purchase, a visit, a film seen; values and
days may be missing.

Shapes: `starts` (items + 1,) int64; `people` (ratings,) int32, the ratings of item i being those from starts[i] to
starts[i + 1]; `scores` (ratings,) uint8, places in `values`, or None; `days` (ratings,) uint16, days since `first_day`
(itself in days since 1970), or None. A release that somebody else made may lack some values (`NO_SCORE`) and some days
(`NO_DAY`); what is known of people, and what reticent itself releases, lacks none or all.

Example:
    >>> from reticent.data.ratings import Ratings
    >>> seen = Ratings.of([0, 0, 1], [0, 1, 1], scores=[5.0, 3.0, 4.0], days=[14000, 14001, 14007])
    >>> seen, seen.supports.tolist(), seen.sizes.tolist()
    (Ratings(3 of 2 people, 2 items, 3 values, 8 days), [1, 2], [2, 1])
    >>> seen.of_people([1]).items.tolist(), seen.values[seen.of_people([1]).scores].tolist()
    ([1], [4.0])
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from reticent.errors import DataError

__all__ = ["NO_DAY", "NO_SCORE", "Block", "Ratings", "Rows", "assembled", "checked_days", "checked_values"]

Array = npt.NDArray[Any]

MOST_VALUES = 255
MOST_DAYS = (1 << 16) - 1
NO_SCORE = 255
"""Instead of a score, where a released rating has none."""
NO_DAY = MOST_DAYS
"""Instead of a day, where a released rating has none."""
_WIDE = 1 << 16
_CHUNK = 1 << 22


class Block(NamedTuple):
    """Some ratings, in any order.

    Attributes:
        people: (ratings,) numbers of people.
        items: (ratings,) numbers of items.
        scores: (ratings,) places in the values, or None.
        days: (ratings,) days since the first day, or None.
    """

    people: Array
    items: Array
    scores: Array | None
    days: Array | None


class Rows(NamedTuple):
    """The ratings of some people, person by person.

    Attributes:
        starts: (people + 1,) where each one's ratings begin.
        items: (ratings,) int32, ascending for each person.
        scores: (ratings,) uint8 or None.
        days: (ratings,) uint16 or None.
    """

    starts: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    scores: npt.NDArray[np.uint8] | None
    days: npt.NDArray[np.uint16] | None

    def of(self, place: int) -> slice:
        """Where the ratings of one of them are."""
        return slice(int(self.starts[place]), int(self.starts[place + 1]))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Ratings:
    """Ratings by item.

    Args:
        starts: (items + 1,) where each item's ratings begin.
        people: (ratings,) who rated; ascending for each item.
        scores: (ratings,) places in `values`, or None.
        days: (ratings,) days since `first_day`, or None.
        values: (values,) ascending; empty without scores.
        first_day: day 0, in days since 1970.
        count: how many people there are; some may have no rating.
        repeated: ratings that were left out because the same person rated the same item again.
    """

    starts: npt.NDArray[np.int64]
    people: npt.NDArray[np.int32]
    scores: npt.NDArray[np.uint8] | None
    days: npt.NDArray[np.uint16] | None
    values: npt.NDArray[np.float64]
    first_day: int
    count: int
    repeated: int = 0

    @classmethod
    def of(
        cls,
        people: Sequence[int] | Array,
        items: Sequence[int] | Array,
        *,
        scores: Sequence[float] | Array | None = None,
        days: Sequence[int] | Array | None = None,
        count: int | None = None,
        item_count: int | None = None,
    ) -> Ratings:
        """Ratings from arrays; of several by the same person for the same item, the last one is kept.

        Args:
            people: numbers from 0.
            items: numbers from 0.
            scores: the values themselves.
            days: whole days since 1970.
            count: how many people there are; the largest number and one, by default.
            item_count: the same of the items.

        Raises:
            DataError: arrays of different length, none at all, more than 255 values, or more than 65 535 days.
        """
        who, what = np.asarray(people), np.asarray(items)
        given = [np.asarray(one) for one in (scores, days) if one is not None]
        if not len(who) or any(len(one) != len(who) for one in (what, *given)):
            raise DataError("Expected arrays of one length, and at least one rating.", "Pass one value for each.")
        values, codes = np.zeros(0), None
        if scores is not None:
            values, codes = np.unique(np.asarray(scores, dtype=np.float64), return_inverse=True)
        checked_values(values)
        first, since = 0, None
        if days is not None:
            first = int(np.min(days))
            since = np.asarray(days, dtype=np.int64) - first
            checked_days(int(since.max()))
        return assembled(
            [Block(who, what, codes, since)],
            values=values,
            first_day=first,
            count=int(who.max()) + 1 if count is None else count,
            items=int(what.max()) + 1 if item_count is None else item_count,
        )

    def __repr__(self) -> str:
        parts = [f"{len(self)} of {self.count} people", f"{self.item_count} items"]
        parts += [f"{len(self.values)} values"] if self.scores is not None else []
        parts += [f"{self.span} days"] if self.days is not None else []
        return f"Ratings({', '.join(parts)})"

    def __len__(self) -> int:
        return len(self.people)

    @property
    def item_count(self) -> int:
        """How many items there are; some may have no rating."""
        return len(self.starts) - 1

    @property
    def supports(self) -> npt.NDArray[np.int64]:
        """(items,) how many people rated each."""
        return np.diff(self.starts)

    @functools.cached_property
    def sizes(self) -> npt.NDArray[np.int64]:
        """(people,) how many items each rated."""
        found = np.zeros(self.count, dtype=np.int64)
        for start in range(0, len(self), _CHUNK):
            found += np.bincount(self.people[start : start + _CHUNK], minlength=self.count)
        return found

    @functools.cached_property
    def span(self) -> int:
        """From how many days the ratings are, counted from the first to the last."""
        if self.days is None:
            return 0
        last = -1
        for start in range(0, len(self), _CHUNK):
            part = self.days[start : start + _CHUNK]
            most = int(part.max())
            last = max(last, int(part[part != NO_DAY].max(initial=0)) if most == NO_DAY else most)
        return last + 1

    def list_of(self, item: int) -> slice:
        """Where an item's ratings are."""
        return slice(int(self.starts[item]), int(self.starts[item + 1]))

    def of_people(self, people: Sequence[int] | Array) -> Rows:
        """All ratings of some people, in the order in which they are named; each is named once."""
        chosen = np.asarray(people, dtype=np.int64)
        place = np.full(self.count, -1, dtype=np.int32)
        place[chosen] = np.arange(len(chosen), dtype=np.int32)
        found = [
            start + np.flatnonzero(place[self.people[start : start + _CHUNK]] >= 0)
            for start in range(0, len(self), _CHUNK)
        ]
        where = np.concatenate(found) if found else np.zeros(0, np.int64)
        rows = place[self.people[where]]
        order = where[np.argsort(rows, kind="stable")]
        counts = np.bincount(rows, minlength=len(chosen))
        items = np.searchsorted(self.starts, order, side="right") - 1
        return Rows(
            np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            items.astype(np.int32),
            None if self.scores is None else self.scores[order],
            None if self.days is None else self.days[order],
        )

    def items_of_ratings(self) -> npt.NDArray[np.int32]:
        """(ratings,) the item of each rating."""
        return np.repeat(np.arange(self.item_count, dtype=np.int32), self.supports)

    def keeping(self, kept: npt.NDArray[np.bool_]) -> Ratings:
        """The ratings where the mask is true; people and items keep their numbers."""
        before = np.concatenate(([0], np.cumsum(kept, dtype=np.int64)))
        return dataclasses.replace(
            self,
            starts=before[self.starts],
            people=self.people[kept],
            scores=None if self.scores is None else self.scores[kept],
            days=None if self.days is None else self.days[kept],
        )


def checked_values(values: Array) -> None:
    """Refuse more distinct values than a byte can number, and values that are no numbers."""
    if len(values) > MOST_VALUES or not np.isfinite(values).all():
        raise DataError(
            f"Expected at most {MOST_VALUES} distinct ratings, all of them finite, got {len(values)}.",
            "Round them, or leave them out.",
        )


def checked_days(last: int) -> None:
    """Refuse dates that are further apart than two bytes can count in days."""
    if last >= MOST_DAYS:
        raise DataError(
            f"Expected dates within {MOST_DAYS} days, got {last + 1} days from first to last.",
            "Check the unit of the dates, and leave out what is no date.",
        )


def assembled(blocks: Iterable[Block], *, values: Array, first_day: int, count: int, items: int) -> Ratings:
    """Ratings from blocks in any order; a list is emptied from its end, so that memory is freed as it is used.

    Args:
        blocks: numbers as in `Block`; a later rating replaces an earlier one of the same person and item.
        values: what scores are places in.
        first_day: day 0, in days since 1970.
        count: how many people there are.
        items: how many items there are.
    """
    waiting = blocks if isinstance(blocks, list) else list(blocks)
    per_item = np.zeros(items, dtype=np.int64)
    for block in waiting:
        per_item += np.bincount(block.items, minlength=items)
    starts = np.concatenate(([0], np.cumsum(per_item))).astype(np.int64)
    size = int(starts[-1])
    people = np.empty(size, dtype=np.int32)
    scores = np.empty(size, dtype=np.uint8) if waiting and waiting[0].scores is not None else None
    days = np.empty(size, dtype=np.uint16) if waiting and waiting[0].days is not None else None
    ends = starts[1:].copy()  # filled from the back, since the last block is placed first
    while waiting:
        block = waiting.pop()
        narrow = np.asarray(block.items).astype(np.uint16 if items <= _WIDE else np.int32, copy=False)
        order = np.argsort(narrow, kind="stable")
        counts = np.bincount(block.items, minlength=items)
        before = np.cumsum(counts) - counts
        ends -= counts
        places = np.arange(len(order)) + (ends - before)[narrow[order]]
        people[places] = block.people[order]
        for target, source in ((scores, block.scores), (days, block.days)):
            if target is not None and source is not None:
                target[places] = source[order]
    found = Ratings(starts, people, scores, days, np.asarray(values, dtype=np.float64), first_day, count)
    return _by_person(found)


def _by_person(ratings: Ratings) -> Ratings:
    """Sort each item's list by person (the arrays are new, and may be changed), and keep the last of equal ones."""
    doubled = []
    for item in range(ratings.item_count):
        where = ratings.list_of(item)
        who = ratings.people[where]
        if len(who) < 2 or (who[1:] > who[:-1]).all():
            continue
        order = np.argsort(who, kind="stable")
        for array in (ratings.people, ratings.scores, ratings.days):
            if array is not None:
                array[where] = array[where][order]
        same = np.flatnonzero(ratings.people[where][1:] == ratings.people[where][:-1])
        doubled.append(where.start + same)
    gone = np.concatenate(doubled) if doubled else np.zeros(0, np.int64)
    if not len(gone):
        return ratings
    kept = np.ones(len(ratings), dtype=bool)
    kept[gone] = False
    return dataclasses.replace(ratings.keeping(kept), repeated=len(gone))
