"""Measures of a table: k-anonymity, (alpha, k)-anonymity, l-diversity, t-closeness, beta-likeness, delta-disclosure.

Promise: each figure is the definition's, for the worst class of the table, exactly; several sensitive columns are
measured each for itself, and the worst of them is what the table has. With `others_known` an attacker who knows the
other sensitive columns is measured. These are properties of a table, not the chance that somebody is found: risks
against named attackers are in `reticent.data.anonymity.risks`.

Missing values: quasi-identifiers that are missing are alike (an attacker sees that they are missing). A missing
sensitive value is left out of its class by default, because it makes a class no more diverse; `missing="value"` makes
it a value. Classes without one known value are counted apart: there is nothing to disclose in them.

Where other tools differ (pycanon 1.0.1): it leaves rows with a missing quasi-identifier out of k; its recursive
diversity divides the smallest count, where the definition has the largest; its entropy diversity is cut to a whole
number; its enhanced beta is finite where no beta satisfies the definition; its delta skips values that a class does not
have, which the definition makes infinite (here: `delta` None, and `delta_of_present` beside it).

Sources: Sweeney (2002); Wong et al. (2006), (alpha, k); Machanavajjhala et al. (2007); Li et al. (2007); Cao and Karras
(2012), definitions 2 and 3; Brickell and Shmatikov (2008), definition 2.

Example:
    >>> from reticent.data.tables import Table
    >>> from reticent.data.anonymity import measures
    >>> people = Table.of({"zip": ["021", "021", "100", "100"], "illness": ["flu", "cold", "flu", "flu"]})
    >>> found = measures(people, quasi=["zip"], sensitive=["illness"])
    >>> found.k, found.sensitive[0].distinct_l, found.sensitive[0].t
    (2, 1, 0.25)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from reticent import _checks
from reticent.data.anonymity import counting
from reticent.data.tables import Column, Table
from reticent.errors import DataError, UsageError

__all__ = ["MISSING", "Measures", "Sensitive", "coded", "measures", "overall", "people_in", "roles"]

MISSING: Final = ("left out", "value")
_SLACK: Final = 1e-12


@dataclasses.dataclass(frozen=True)
class Sensitive:
    """What classes give away about one sensitive column.

    Attributes:
        name: of the column.
        values: how many distinct ones were counted.
        missing: rows without one.
        unknown_classes: classes in which none is known.
        alpha: largest share of one value within a class.
        distinct_l: fewest values of a class.
        entropy_l: e to the smallest entropy of a class.
        recursive_l: the l for which `recursive_c` stands: 2, or what was asked for.
        recursive_c: the table is (c, l)-diverse for every c above; None if for none.
        ordered: whether the distance is that of ordered values.
        t: largest earth mover's distance of a class from everybody.
        beta: largest relative gain of a class (basic beta-likeness).
        enhanced_beta: the same if every gain is at most -log of the value's share, as the enhanced notion asks; else
            None.
        delta: largest absolute log ratio; None (infinite) if some class lacks a value that others have.
        delta_of_present: the same over values that occur.
    """

    name: str
    values: int
    missing: int
    unknown_classes: int
    alpha: float
    distinct_l: int
    entropy_l: float
    recursive_l: int
    recursive_c: float | None
    ordered: bool
    t: float
    beta: float
    enhanced_beta: float | None
    delta: float | None
    delta_of_present: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Measures:
    """What a table has.

    Attributes:
        quasi: the quasi-identifiers.
        rows: how many.
        classes: how many classes of rows that are alike in them.
        k: size of the smallest class: in people, if their column was named, else in rows.
        uniques: rows that are alone in their class.
        missing: rows with a missing quasi-identifier.
        person: the column that says whose row it is; None if every row is somebody else's.
        sensitive: one for each sensitive column.
        others_known: whether the attacker knows the other sensitive columns.
    """

    quasi: tuple[str, ...]
    rows: int
    classes: int
    k: int
    uniques: int
    missing: int
    person: str | None
    sensitive: tuple[Sensitive, ...]
    others_known: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **{
                field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "sensitive"
            },
            "quasi": list(self.quasi),
            "sensitive": [one.as_dict() for one in self.sensitive],
        }

    def get(self, name: str) -> Sensitive:
        """The figures of one sensitive column."""
        _checks.one_of([one.name for one in self.sensitive], sensitive=name)
        return next(one for one in self.sensitive if one.name == name)


def roles(table: Table, quasi: Sequence[str], sensitive: Sequence[str] = (), person: str | None = None) -> None:
    """Check that columns exist, that there is a quasi-identifier, that no column has two parts, and that there are
    rows.

    Raises:
        UsageError: one of these does not hold.
        DataError: the table has no rows.
    """
    named = [*quasi, *sensitive, *([person] if person is not None else [])]
    if isinstance(quasi, str) or isinstance(sensitive, str):
        raise UsageError("Expected lists of columns, got a text.", "Pass quasi=['age'], not quasi='age'.")
    table.require(named)
    if not quasi or len(set(named)) < len(named):
        raise UsageError(
            f"Expected at least one quasi-identifier, and every column in one part only, got {named}.",
            "A column that others know is a quasi-identifier, even if it is sensitive too.",
        )
    if not table.rows:
        raise DataError("Expected at least one row, got none.", "Check what was read.")


def coded(column: Column, missing: str) -> tuple[np.ndarray[Any, np.dtype[np.int64]], int]:
    """(rows,) codes of a sensitive column without unused values, -1 where left out; and how many values there are."""
    _checks.one_of(MISSING, missing=missing)
    used = column.compacted()
    codes, count = used.codes.astype(np.int64), len(used.values)
    if missing == "value" and (codes < 0).any():
        codes, count = np.where(codes < 0, count, codes), count + 1
    return codes, count


def overall(pairs: counting.Pairs, values: int) -> counting.Floats:
    """(values,) share of each value among all rows of the pairs."""
    counts = np.bincount(pairs.value, weights=pairs.rows, minlength=values)
    found: counting.Floats = counts.astype(np.float64) / max(float(counts.sum()), 1.0)
    return found


def people_in(of_rows: counting.Ints, classes: int, owner: Column) -> counting.Ints:
    """(classes,) how many different people have rows in each class; rows of nobody are nobody's.

    A row without an owner counts as no person: it may be anybody's, and so makes no class larger.
    """
    return counting.distinct(counting.paired(of_rows, owner.codes), classes)


def measures(
    table: Table,
    *,
    quasi: Sequence[str],
    sensitive: Sequence[str] = (),
    person: str | None = None,
    missing: str = "left out",
    ordered: Mapping[str, bool] | None = None,
    l: int | None = None,  # noqa: E741 (the symbol of the literature)
    others_known: bool = False,
) -> Measures:
    """Measure a table.

    Args:
        table: the rows as a recipient would get them.
        quasi: columns that an attacker may know.
        sensitive: columns that nobody should learn; each is measured.
        person: the column that says whose row it is; k then counts people, not rows.
        missing: what a missing sensitive value is: "left out" or "value".
        ordered: for a column, whether its values are ordered (for t); by default numbers and dates are.
        l: of recursive (c, l)-diversity; by default 2.
        others_known: measure each sensitive column against an attacker who knows the others too.

    Returns:
        The figures of the worst class, each exact.

    Raises:
        UsageError: a column that is not there or has two parts, or an order for a column that is not sensitive.
    """
    roles(table, quasi, sensitive, person)
    _checks.at_least(1, l=2 if l is None else l)
    orders = dict(ordered or {})
    for name in orders:
        _checks.one_of(sensitive, ordered=name)
    found = table.classes(list(quasi))
    sizes = found.sizes if person is None else people_in(found.of_rows, len(found.sizes), table[person])
    each = []
    for name in sensitive:
        classes = found
        if others_known and len(sensitive) > 1:
            classes = table.classes([*quasi, *(other for other in sensitive if other != name)])
        each.append(
            _sensitive(
                table[name], classes.of_rows, len(classes.sizes), missing, orders.get(name), 2 if l is None else l
            )
        )
    gone = np.zeros(table.rows, dtype=bool)
    for name in quasi:
        gone |= table[name].missing
    return Measures(
        quasi=tuple(quasi),
        rows=table.rows,
        classes=len(found.sizes),
        k=int(sizes.min()),
        uniques=int((found.sizes == 1).sum()),
        missing=int(gone.sum()),
        person=person,
        sensitive=tuple(each),
        others_known=others_known,
    )


def _sensitive(
    column: Column,
    of_rows: counting.Ints,
    classes: int,
    missing: str,
    ordered: bool | None,
    l: int,  # noqa: E741
) -> Sensitive:
    codes, values = coded(column, missing)
    gone = int(column.missing.sum())
    if missing == "value" and gone:
        if ordered:
            raise UsageError(
                f"Expected an order of all values of {column.name!r}, but missing ones have no place in it.",
                "Leave missing values out, or do not ask for an order.",
            )
        ordered = False
    in_order = column.kind in ("number", "date") if ordered is None else ordered
    pairs = counting.paired(of_rows, codes)
    if not len(pairs.of):
        raise DataError(f"Expected a known value in the sensitive column {column.name!r}, got none.", "Leave it out.")
    known = counting.totals(pairs, classes) > 0
    share = overall(pairs, values)
    ratio = counting.recursive(pairs, classes, l)
    gain = counting.gains(pairs, classes, share)
    # A value that everybody has can gain nothing: the enhanced bound -log 1 = 0 holds.
    enhanced = bool((gain <= -np.log(share[pairs.value]) + _SLACK).all())
    numbers = counting.distinct(pairs, classes)[known]
    present = float(counting.log_ratios(pairs, classes, share).max())
    c, beta = float(ratio.max()), max(float(gain.max()), 0.0)
    return Sensitive(
        name=column.name,
        values=values,
        missing=gone,
        unknown_classes=int((~known).sum()),
        alpha=float(counting.largest(pairs, classes).max()),
        distinct_l=int(numbers.min()),
        entropy_l=float(np.exp(counting.entropies(pairs, classes)[known].min())),
        recursive_l=l,
        recursive_c=c if np.isfinite(c) else None,
        ordered=in_order,
        t=float(counting.distances(pairs, classes, share, ordered=in_order).max()),
        beta=beta,
        enhanced_beta=beta if enhanced else None,
        delta=present if (numbers == values).all() else None,
        delta_of_present=present,
    )
