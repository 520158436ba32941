"""Sparse data about people (who rated, bought or visited what, and when): read, kept by item, and released with less.

Example:
    >>> from reticent.data.ratings import Ratings, releases
    >>> releases.without_rare(Ratings.of([0, 0, 1], [0, 1, 1]), 2).ratings
    Ratings(2 of 2 people, 2 items)
"""

from reticent.data.ratings.given import Columns, Given, read_given
from reticent.data.ratings.grouping import grouped
from reticent.data.ratings.reading import DATES_ARE, read_packaged_ratings, read_ratings
from reticent.data.ratings.releases import Blur, Release
from reticent.data.ratings.simulated import simulated_ratings
from reticent.data.ratings.store import Ratings, Rows
from reticent.data.ratings.suppression import suppressed

__all__ = [
    "DATES_ARE",
    "Blur",
    "Columns",
    "Given",
    "Ratings",
    "Release",
    "Rows",
    "grouped",
    "read_given",
    "read_packaged_ratings",
    "read_ratings",
    "simulated_ratings",
    "suppressed",
]
