"""Rows that stand several times in a set, or in training and test, exactly or nearly.

Example:
    >>> from reticent.data.duplicates import find_duplicates
    >>> from reticent.data.tables import Table
    >>> from reticent.randomness import Randomness
    >>> people = Table.of({"age": [34, 51, 34], "zip": ["02139", "10001", "02139"]})
    >>> find_duplicates(people, Randomness.simulated(0))
    Duplicates(3 rows: 1 too many, 1 of them exact)
"""

from reticent.data.duplicates.bands import Bands
from reticent.data.duplicates.finding import find_duplicates
from reticent.data.duplicates.found import DROPPED, Deduplicated, Duplicates
from reticent.data.duplicates.rows import WAYS

__all__ = ["DROPPED", "WAYS", "Bands", "Deduplicated", "Duplicates", "find_duplicates"]
