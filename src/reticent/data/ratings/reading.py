"""Ratings from files: one line for each, with a person, an item and, where there are such, a value and a date.

Promise: every line is read or the file is refused with the reason; of several ratings by one person for one item the
last line counts, and `Ratings.repeated` says how many others there were. The file is read once, in pieces; what is kept
of a rating meanwhile are 13 bytes. Names of people and items become numbers in the order of the names, and are not
kept.

Dates are dates, or whole numbers of whose unit the reader is told; nothing is guessed. Times of day are cut off (UTC).

Example:
    >>> import pathlib, tempfile
    >>> from reticent.data.ratings import read_ratings
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "seen.csv"
    >>> _ = path.write_text("who,film,stars,when\\nann,7,4,2005-03-01\\nbob,7,2,2005-03-09\\nbob,9,5,2005-03-09\\n")
    >>> read_ratings(path, person="who", item="film", rating="stars", date="when")
    Ratings(3 of 2 people, 2 items, 3 values, 9 days)
"""

from __future__ import annotations

import os
from typing import Any, Final

import numpy as np

from reticent import _checks
from reticent.data.ratings.parts import DATES_ARE, Days, Names, Progress, Values, read_parts
from reticent.data.ratings.store import Block, Ratings, assembled

__all__ = ["DATES_ARE", "read_packaged_ratings", "read_ratings"]

_DAY: Final = 86_400


def read_ratings(
    path: Any,
    *,
    person: str = "person",
    item: str = "item",
    rating: str | None = "rating",
    date: str | None = "date",
    dates_are: str = "dates",
    header: bool | None = None,
    progress: Progress | None = None,
) -> Ratings:
    """The ratings of a CSV or Parquet file (or of what else `open_sources` reads).

    Args:
        path: one table, or what else `open_sources` takes.
        person: the column that says whose rating it is.
        item: the column that says of what.
        rating: the column of values, or None.
        date: the column of dates, or None.
        dates_are: "dates", or "days" or "seconds" since 1970 in numbers.
        header: whether the first row of a CSV file names the columns; by default that is found out.
        progress: called with the number of lines read so far.

    Raises:
        UsageError: not one table, or no such column.
        DataError: rows are lost, for the file is cut off or damaged; a cell without a person, item, rating or date;
            values that are no numbers; more than 255 distinct ratings or 65 535 days.
    """
    people, items, scores, days = Names(person), Names(item), Values(rating), Days(date, dates_are)
    read_parts(path, (people, items, scores, days), progress, header=header)
    return _assembled(people, items, scores, days)


def read_packaged_ratings(name: str, *, cache: str | os.PathLike[str] | None = None) -> Ratings:
    """A set of ratings of the catalogue: "movielens-100k".

    Raises:
        UsageError: another name.
        FetchError: it was not fetched yet.
    """
    import pyarrow.csv

    from reticent.data.catalogue import entry
    from reticent.data.fetch import fetched

    _checks.one_of(("movielens-100k",), name=name)
    table = pyarrow.csv.read_csv(
        fetched(entry(name), cache=cache) / "ml-100k.inter", parse_options=pyarrow.csv.ParseOptions(delimiter="\t")
    )
    people, items, values, times = (column.to_numpy() for column in table.columns)
    _, who = np.unique(people, return_inverse=True)
    _, what = np.unique(items, return_inverse=True)
    return Ratings.of(who, what, scores=values, days=np.floor_divide(times.astype(np.int64), _DAY))


def _assembled(people: Names, items: Names, scores: Values, days: Days) -> Ratings:
    who, persons = people.numbered()
    what, things = items.numbered()
    values, codes = scores.numbered()
    first, since = days.numbered()
    blocks = []
    while who:  # from the back, so that nothing is held twice
        blocks.append(
            Block(who.pop(), what.pop(), codes.pop() if codes else None, since.pop() if since is not None else None)
        )
    blocks.reverse()
    return assembled(blocks, values=values, first_day=first, count=len(persons), items=len(things))
