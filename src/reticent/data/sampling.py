"""A smaller part of a packaged set, ready for a network: whole people, in a range that a network can take.

Promise: a person comes with all rows or none. Scaling by the records' own means and deviations, where the set has no
public range, stands in `public_facts`.

Example:
    >>> from reticent.data.sampling import ready_set
    >>> from reticent.randomness import Randomness
    >>> ready_set("wine", Randomness.simulated(0), most=100).public_facts
    ('means and deviations of the columns over all 100 records',)
"""

from __future__ import annotations

import numpy as np

from reticent import _checks
from reticent.data.load import load
from reticent.data.records import Records
from reticent.randomness import Randomness, required

__all__ = ["ready_set", "sampled"]

# Sets that `load` gives in a range that a network can take.
_IN_RANGE = ("diabetes", "digits", "mnist5k", "fashion-mnist", "orl-faces")


def ready_set(name: str, randomness: Randomness, *, most: int | None = None) -> Records:
    """A packaged classification set, at most so many records of it, scaled unless its range is public."""
    everyone = load(name)
    if most is not None:
        everyone = sampled(everyone, most, randomness)
    return everyone if name in _IN_RANGE else everyone.scaled()


def sampled(records: Records, most: int, randomness: Randomness) -> Records:
    """At most so many records, drawn at random, people as a whole."""
    source = required(randomness)
    if len(records) <= _checks.at_least(1, most=most):
        return records
    owners = np.arange(len(records)) if records.owners is None else records.owners
    people, owner = np.unique(owners, return_inverse=True)
    place = np.empty(len(people), dtype=np.int64)
    place[source.spawn("sample").permutation(len(people))] = np.arange(len(people))
    order = np.argsort(place[owner.reshape(-1)], kind="stable")[:most]
    if records.owners is not None:  # drop the last person if only some of their rows would fit
        kept, counts = np.unique(owners[order], return_counts=True)
        whole = kept[counts == np.unique(owners, return_counts=True)[1][np.searchsorted(people, kept)]]
        order = order[np.isin(owners[order], whole)]
    return records.take(np.sort(order))
