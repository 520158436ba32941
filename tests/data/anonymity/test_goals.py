"""Which classes miss a goal, against `measures` on the rows that are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.anonymity import Goal, measures
from reticent.data.anonymity.goals import cells_of
from reticent.data.tables import Table
from reticent.errors import UsageError

GOALS = (
    Goal(k=2),
    Goal(k=1, l=2),
    Goal(k=2, l=1.7, diversity="entropy"),
    Goal(k=1, l=2, diversity="recursive", c=2.5),
    Goal(k=1, t=0.3),
    Goal(k=2, l=2, t=0.4),
)


def reaches(goal: Goal, table: Table, person: str | None) -> bool:
    found = measures(table, quasi=["q"], sensitive=["s"], person=person, l=2)
    one = found.sensitive[0]
    kept = found.k >= goal.k
    if goal.l is not None:
        figure = {"distinct": one.distinct_l, "entropy": one.entropy_l}.get(goal.diversity)
        kept &= one.recursive_c is not None and one.recursive_c < goal.c if figure is None else figure >= goal.l - 1e-9
    return kept and (goal.t is None or one.t <= goal.t + 1e-9)


@pytest.mark.parametrize("goal", GOALS)
@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 9)), min_size=2, max_size=50), st.booleans()
)
def test_what_is_kept_reaches_the_goal(goal: Goal, rows: list[Any], people: bool) -> None:
    table = Table.of({name: [row[i] for row in rows] for i, name in enumerate(("q", "s", "who"))})
    person = "who" if people else None
    classes = table.classes(["q"])
    cells = cells_of(table, classes.of_rows, len(classes.sizes), goal=goal, sensitive=["s"], person=person)
    out = goal.violating(cells)
    kept = ~out[classes.of_rows]
    if kept.any():
        assert reaches(goal, table.take(kept), person)
    if goal.always_monotone:  # and nothing is left out that need not be
        for one in np.flatnonzero(out):
            assert not reaches(goal, table.take(classes.of_rows == one), person)


def test_nothing_is_left_out_where_all_is_well() -> None:
    table = Table.of({"q": [1, 1, 2, 2], "s": ["a", "b", "a", "b"]})
    classes = table.classes(["q"])
    for goal in GOALS[:3] + GOALS[4:]:
        cells = cells_of(table, classes.of_rows, 2, goal=goal, sensitive=["s"], person=None)
        assert not goal.violating(cells).any()


def test_leaving_out_changes_everybody() -> None:
    # Class 3 is far from everybody; without it the shares are others, and class 2 is judged by those.
    table = Table.of({"q": [1] * 8 + [2] * 8 + [3] * 16, "s": [0] * 4 + [1] * 4 + [0] * 6 + [1] * 2 + [1] * 16})
    classes = table.classes(["q"])
    goal = Goal(k=1, t=0.2)
    out = goal.violating(cells_of(table, classes.of_rows, 3, goal=goal, sensitive=["s"], person=None))
    kept = ~out[classes.of_rows]
    assert not kept.any() or measures(table.take(kept), quasi=["q"], sensitive=["s"]).sensitive[0].t <= 0.2


def test_what_is_refused() -> None:
    for wrong in (
        lambda: Goal(k=0),
        lambda: Goal(l=2, diversity="recursive"),
        lambda: Goal(l=2, c=3),
        lambda: Goal(c=3, diversity="recursive"),
        lambda: Goal(t=2),
        lambda: Goal(diversity="other"),
    ):
        with pytest.raises(UsageError):
            wrong()
    with pytest.raises(UsageError, match="sensitive"):
        cells_of(Table.of({"q": [1]}), np.zeros(1, int), 1, goal=Goal(t=0.1), sensitive=[], person=None)
