"""How far along the search's path the claim holds: several looks at the held-out rows, and still one error.

Promise: whatever the search came to, a table that truly loses the tolerance or more is declared with a probability of
at most (1 - confidence)/2, all looks together. The looks and their order are fixed before the first; they go from
the table that holds most to the one that holds least, and end at the first that does not show that less than the
tolerance is lost. The last one before that is the claim.

Why that is right: let the first table on the list that truly loses too much be the j-th. To declare it, or one that
comes after it, the j-th look must wrongly succeed, and that is one test (a fixed sequence of hypotheses; Maurer,
Hothorn and Lehmacher, 1995; the same in Angelopoulos et al., 2021, section 2.3). So no look costs error, and a search
that went a step too far loses that step, not the claim.

Not covered: the interval of the table that was chosen. What holds is that less than the tolerance is lost; where looks
failed, its lower end is a little too high more often than its confidence says.

Example:
    >>> from reticent.data.minimisation.looking import chosen, looks
    >>> looks([{"a": 1}, {"a": 1, "b": 1}, {"a": 1, "b": 1, "c": 1}], most=2)
    [{'a': 1}, {'a': 1, 'b': 1, 'c': 1}]
    >>> from reticent.evidence import Estimate
    >>> seen = [Estimate(value, value - 0.003, value + 0.003, 0.95, 900, "paired") for value in (0.0, -0.002, -0.009)]
    >>> chosen(seen, tolerance=0.01)
    1
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from reticent.data.minimisation.judging import Plan
from reticent.evidence import Estimate

__all__ = ["LOOKS", "Look", "chosen", "looked", "looks"]

LOOKS: Final = 12
Kind = TypeVar("Kind")


@dataclasses.dataclass(frozen=True)
class Look:
    """A table that holds less, beside the whole one, on held-out rows.

    Attributes:
        plan: what it keeps.
        share: of the training rows.
        claim: the change, with its paired interval.
    """

    plan: Plan
    share: float
    claim: Estimate


def looks(path: Sequence[Kind], most: int = LOOKS) -> list[Kind]:
    """At most so many of the steps of a path, evenly spaced, the last among them."""
    count = min(most, len(path))
    return [path[(place + 1) * len(path) // count - 1] for place in range(count)]


def chosen(seen: Sequence[Estimate], tolerance: float) -> int:
    """The place of the last of the looks that succeeded before the first that did not; -1 if the first did not."""
    for place, one in enumerate(seen):
        if one.low <= -tolerance:
            return place - 1
    return len(seen) - 1


def looked(
    path: Sequence[tuple[Plan, float]], difference: Callable[[Plan, float], Estimate], tolerance: float, told: Any
) -> tuple[list[Look], int]:
    """Look, until one look does not succeed.

    Args:
        path: what is kept and the share of the training rows, from the most to the least.
        difference: (plan, share) to the change on held-out rows.
        tolerance: the largest loss that is accepted.
        told: (done, total).

    Returns:
        The looks, and the place of the claim among them, as `chosen`.
    """
    seen: list[Look] = []
    for plan, share in path:
        told(len(seen), len(path))
        seen.append(Look(plan, share, difference(plan, share)))
        if chosen([seen[-1].claim], tolerance) < 0:
            break
    told(len(path), len(path))
    return seen, chosen([one.claim for one in seen], tolerance)
