"""Numbers said less exactly: intervals of equal width or of equal numbers of rows, rounding, caps.

Promise: each step can be worked out from the one before. Numbers that were not there when a hierarchy was fitted fall
into the interval they belong to, the outermost ones being open; nothing but the edges of quantiles is learned. An
infinite number is in no interval of a width and no multiple of anything: such a value is not known.

Example:
    >>> from reticent.data.anonymity.numbers import Widths
    >>> Widths((5, 10), high=90).images([34, 39, 93], 1)
    ['[30, 35)', '[35, 40)', '>= 90']
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import numpy as np

from reticent.data.anonymity.ladders import Hierarchy, rising, shown
from reticent.data.tables import Column
from reticent.errors import DataError, UsageError

__all__ = ["Intervals", "Quantiles", "Rounding", "TopBottom", "Widths"]


@dataclasses.dataclass(frozen=True)
class Widths:
    """Numbers in intervals of equal width, each width a multiple of the one before.

    Args:
        widths: rising.
        origin: where an interval begins.
        low: numbers below are one interval, from the first step on.
        high: numbers from there on are one interval, from the first step on.
    """

    widths: tuple[float, ...]
    origin: float = 0.0
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        rising("widths", self.widths)
        if any(not math.isclose(b / a, round(b / a), rel_tol=1e-9) for a, b in itertools.pairwise(self.widths)):
            raise UsageError(
                f"Expected widths of which each is a multiple of the one before, got {list(self.widths)}.",
                "Else an interval would be cut by a coarser one.",
            )

    @property
    def steps(self) -> int:
        """One for each width."""
        return len(self.widths)

    def fitted(self, column: Column) -> Widths:
        """Itself: nothing is learned."""
        return self

    def images(self, values: Any, step: int) -> list[Any]:
        """Intervals, closed on the left; None for an infinite number."""
        found: list[str | None] = []
        width = self.widths[step - 1]
        finest = self.widths[0]
        for x in _numbers(values, "intervals"):
            if self.low is not None and x < self.low:
                found.append(f"< {shown(self.low)}")
            elif self.high is not None and x >= self.high:
                found.append(f">= {shown(self.high)}")
            elif math.isinf(x):
                found.append(None)
            else:
                # by the finest width first, so that rounding errors cannot put a number on two sides of one edge
                cell = math.floor((x - self.origin) / finest) // round(width / finest)
                start = self.origin + cell * width
                found.append(f"[{shown(start)}, {shown(start + width)})")
        return found


@dataclasses.dataclass(frozen=True)
class Intervals:
    """Numbers in the intervals between given edges; outermost ones are open.

    Args:
        edges: for each step rising edges; those of a later step are among those of the one before.
    """

    edges: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if not self.edges or any(not set(b) <= set(a) for a, b in itertools.pairwise(self.edges)):
            raise UsageError("Expected edges of which each step has some of the step before.", "Leave edges out only.")
        if any(list(one) != sorted(set(one)) or not one for one in self.edges):
            raise UsageError("Expected rising edges, at least one in each step.", "Sort them.")

    @property
    def steps(self) -> int:
        """One for each list of edges."""
        return len(self.edges)

    def fitted(self, column: Column) -> Intervals:
        """Itself: nothing is learned."""
        return self

    def images(self, values: Any, step: int) -> list[Any]:
        """Intervals, closed on the left."""
        edges = self.edges[step - 1]
        inner = [f"[{shown(a)}, {shown(b)})" for a, b in itertools.pairwise(edges)]
        names = [f"< {shown(edges[0])}", *inner, f">= {shown(edges[-1])}"]
        return [names[i] for i in np.searchsorted(edges, _numbers(values, "intervals"), side="right")]


@dataclasses.dataclass(frozen=True)
class Quantiles:
    """Numbers in parts that hold about as many rows each; becomes `Intervals` when fitted.

    Args:
        parts: falling, each a divisor of the one before: (16, 8, 4, 2).
    """

    parts: tuple[int, ...] = (16, 8, 4, 2)

    def __post_init__(self) -> None:
        if not self.parts or any(a % b or a <= b for a, b in itertools.pairwise(self.parts)) or self.parts[-1] < 2:
            raise UsageError(
                f"Expected falling numbers of parts, each a divisor of the one before, got {list(self.parts)}.",
                "Write parts=(16, 8, 4, 2).",
            )

    @property
    def steps(self) -> int:
        """One for each number of parts, as long as they differ."""
        return len(self.parts)

    def fitted(self, column: Column) -> Hierarchy:
        """The intervals between a column's quantiles; equal ones are one, and steps that become alike too."""
        numbers = column.numbers()
        known = numbers[~np.isnan(numbers)]
        found: list[tuple[float, ...]] = []
        for parts in self.parts:
            shares = np.arange(1, parts) / parts
            edges = np.unique(np.quantile(known, shares, method="inverted_cdf")) if len(known) else np.zeros(0)
            edges = edges[edges > known.min()] if len(known) else edges
            one = tuple(float(edge) for edge in edges)
            if one and (not found or one != found[-1]):
                found.append(one)
        return Intervals(tuple(found)) if found else Rounding(())

    def images(self, values: Any, step: int) -> list[Any]:
        """Not before it is fitted."""
        raise UsageError("Expected a fitted hierarchy, got one that has not seen its column.", "Call fitted(column).")


@dataclasses.dataclass(frozen=True)
class Rounding:
    """Numbers rounded to multiples, halves upwards; each step rounds what the one before gave, so it stays a number.

    Args:
        multiples: rising.
    """

    multiples: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.multiples:
            rising("multiples", self.multiples)

    @property
    def steps(self) -> int:
        """One for each multiple."""
        return len(self.multiples)

    def fitted(self, column: Column) -> Rounding:
        """Itself: nothing is learned."""
        return self

    def images(self, values: Any, step: int) -> list[Any]:
        """Rounded numbers."""
        found = _numbers(values, "rounding")
        for multiple in self.multiples[:step]:
            found = np.floor(found / multiple + 0.5) * multiple
        whole = all(float(one).is_integer() for one in self.multiples)
        return [None if math.isinf(one) else int(one) if whole else float(one) for one in found.tolist()]


@dataclasses.dataclass(frozen=True)
class TopBottom:
    """Numbers as they are between two caps: "< 18", 18 ... 89, ">= 90".

    Args:
        low: numbers below are one value.
        high: numbers from there on are one value.
    """

    low: float | None = None
    high: float | None = None
    steps: int = 1

    def __post_init__(self) -> None:
        if self.low is None and self.high is None:
            raise UsageError("Expected a cap below or above, got none.", "Pass high=90.")

    def fitted(self, column: Column) -> TopBottom:
        """Itself: nothing is learned."""
        return self

    def images(self, values: Any, step: int) -> list[Any]:
        """Numbers as text, or the cap."""
        found = []
        for x in _numbers(values, "caps"):
            if self.low is not None and x < self.low:
                found.append(f"< {shown(self.low)}")
            elif self.high is not None and x >= self.high:
                found.append(f">= {shown(self.high)}")
            else:
                found.append(shown(x))
        return found


def _numbers(values: Any, what: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    found = np.asarray(values)
    if found.dtype.kind not in "biuf":
        raise DataError(f"Expected numbers for {what}, got {found.dtype}.", "Choose another hierarchy for the column.")
    return found.astype(np.float64)
