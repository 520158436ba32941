"""Which pairs of rows are looked at: those that agree on something rare enough.

Promise: how many pairs a rule makes is counted exactly before any of them is made, and all rules together make no more
than `most`. If all pairs fit, all are looked at. A rule is one field, or two together where one alone is too coarse;
rare ones come first. Pairs that agree on nothing that a rule asks for are never found: the share of true pairs among
them is reported where truth is known, and is part of what recall misses.

Example:
    >>> from reticent.data.tables import Table
    >>> from reticent.attacks.reidentification.linkage import fields_of
    >>> from reticent.attacks.reidentification.linkage.blocking import chosen
    >>> people = Table.of({"name": ["ann", "bob", "cid"], "town": ["ely", "ely", "ely"]})
    >>> chosen(fields_of(people, people), most=100)
    Rules(rules=((),), pairs=(9,))
    >>> chosen(fields_of(people, people), most=8)
    Rules(rules=(('name',),), pairs=(3,))
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from reticent.attacks.reidentification.linkage.fields import Field
from reticent.errors import DataError

__all__ = ["Keys", "Rules", "chosen", "joint", "pairs_of", "pairs_within", "sessions"]

Keys = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


class Rules(NamedTuple):
    """Rules, and how many pairs each makes by itself.

    Attributes:
        rules: names of fields on which a pair has to agree; none at all for "every pair".
        pairs: of each rule.
    """

    rules: tuple[tuple[str, ...], ...]
    pairs: tuple[int, ...]


def chosen(fields: Sequence[Field], *, most: int) -> Rules:
    """The rules whose pairs are looked at.

    Args:
        fields: that both tables have.
        most: how many pairs may be made.

    Raises:
        DataError: even the rarest two fields together make too many.
    """
    rows = len(fields[0].left_codes), len(fields[0].right_codes)
    if rows[0] * rows[1] <= most:
        return Rules(((),), (rows[0] * rows[1],))
    keys = {field.name: field.keys() for field in fields if not field.fits}
    single = sorted((pairs_of(key), (name,)) for name, key in keys.items())
    double = sorted(
        (pairs_of(joint(keys[a], keys[b])), (a, b)) for a, b in combinations([name for _, (name,) in single], 2)
    )
    kept: list[tuple[int, tuple[str, ...]]] = []
    left = most
    for count, rule in (*single, *double):
        covered = any(set(one) <= set(rule) for _, one in kept)
        if 0 < count <= left and not covered and (len(rule) == 1 or len(kept) < 12):
            kept.append((count, rule))
            left -= count
    if not kept:
        raise DataError(
            f"Expected pairs of rows that agree on one or two columns to be at most {most}, got more.",
            "Allow more pairs, or link fewer rows.",
        )
    return Rules(tuple(rule for _, rule in kept), tuple(count for count, _ in kept))


def joint(first: Keys, second: Keys) -> Keys:
    """The keys of two fields together; missing where one of them is."""
    span = max(int(side.max(initial=-1)) for side in second) + 1
    left, right = (np.where((a < 0) | (b < 0), -1, a * span + b) for a, b in zip(first, second, strict=True))
    return left, right


def pairs_of(keys: Keys) -> int:
    """How many pairs agree."""
    left, right = (np.unique(side[side >= 0], return_counts=True) for side in keys)
    _, at, other = np.intersect1d(left[0], right[0], assume_unique=True, return_indices=True)
    return int((left[1][at] * right[1][other]).sum())


def pairs_within(fields: Sequence[Field], side: int, rule: Sequence[str]) -> int:
    """How many ordered pairs of a row and another row of one table (0 the release, 1 the register) agree."""
    rows = len(fields[0].left_codes if side == 0 else fields[0].right_codes)
    keys = [field.keys()[side] for field in fields if field.name in rule]
    if not keys:
        return rows * (rows - 1)
    whole = (keys[0], keys[0])
    for key in keys[1:]:
        whole = joint(whole, (key, key))
    return pairs_of(whole) - int((whole[0] >= 0).sum())


def sessions(fields: Sequence[Field], *, most: int, least: int = 3) -> tuple[tuple[str, ...], ...]:
    """On what pairs have to agree in the rounds of training, so that every field is left free in one of them.

    The rarest single fields that make enough pairs, at least two and at most `least` of them; pairs of fields if single
    ones make too many.
    """
    keys = {field.name: field.keys() for field in fields if not field.fits}
    rows = min(len(fields[0].left_codes), len(fields[0].right_codes))
    counted: list[tuple[int, tuple[str, ...]]] = sorted((pairs_of(key), (name,)) for name, key in keys.items())
    counted += sorted((pairs_of(joint(keys[a], keys[b])), (a, b)) for a, b in combinations(keys, 2))
    usable = [rule for count, rule in counted if 0.02 * rows <= count <= most]
    found: list[tuple[str, ...]] = []
    for rule in usable:
        apart = all(set(rule).isdisjoint(one) for one in found)
        if apart and len(found) < least and len(fields) - len(rule) >= 2:
            found.append(rule)
    return tuple(found)
