"""The search, against looking at every combination of levels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from reticent.data.anonymity.goals import Cells, Goal, cells_of
from reticent.data.anonymity.hierarchies import groups_of
from reticent.data.anonymity.lattice import relabelled, search
from reticent.data.anonymity.losses import Axis, cell_losses
from reticent.data.anonymity.numbers import Widths
from reticent.data.tables import Table
from reticent.errors import NotEnoughEvidence, UsageError

GOALS = (
    Goal(k=3),
    Goal(k=2, l=2),
    Goal(k=2, l=1.6, diversity="entropy"),
    Goal(k=2, l=2, diversity="recursive", c=2),
    Goal(k=2, t=0.35),
)


def prepared(seed: int, goal: Goal) -> tuple[Table, list[Axis], np.ndarray, Cells, np.ndarray]:
    rng = np.random.default_rng(seed)
    table = Table.of(
        {
            "a": rng.integers(0, 20, 90),
            "b": rng.integers(0, 12, 90),
            "c": rng.integers(0, 4, 90),
            "s": rng.choice(["x", "y", "z"], 90, p=[0.6, 0.3, 0.1]),
        }
    )
    ladders = {"a": Widths((2, 4, 8)), "b": Widths((3, 6)), "c": Widths((2,))}
    axes, codes = [], []
    for name, ladder in ladders.items():
        column = table[name]
        axes.append(Axis.of(np.bincount(column.codes, minlength=len(column.values) + 1), groups_of(column, ladder)))
        codes.append(column.codes.astype(np.int64))
    classes = table.classes(list(ladders))
    base = cells_of(table, classes.of_rows, len(classes.sizes), goal=goal, sensitive=["s"], person=None)
    return table, axes, np.stack([one[classes.first] for one in codes], 1), base, classes.of_rows


def by_looking_at_all(table: Table, axes: list[Axis], goal: Goal, limit: int, weights: list[float]) -> float:
    """Least cost, from the definition: every combination of levels, every row."""
    names, best = ("a", "b", "c"), np.inf
    for node in itertools.product(*(range(len(axis.groups)) for axis in axes)):
        said = Table.of(
            {name: axis.groups[level][table[name].codes] for name, axis, level in zip(names, axes, node, strict=True)}
        ).classes()
        cells = cells_of(table, said.of_rows, len(said.sizes), goal=goal, sensitive=["s"], person=None)
        gone = goal.violating(cells)[said.of_rows]
        if gone.sum() > limit or gone.all():
            continue
        cost = 0.0
        for name, axis, level, weight in zip(names, axes, node, weights, strict=True):
            codes = table[name].codes
            counts = np.bincount(codes)
            most = np.log2(90 / counts[codes]).sum()
            group = axis.groups[level][codes]
            size = np.array([(group == one).sum() for one in group])
            lost = np.where(gone, np.log2(90 / counts[codes]), np.log2(size / counts[codes]))
            cost += weight / sum(weights) * lost.sum() / most
        best = min(best, cost)
    return best


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("limit", [0, 4, 20])
@pytest.mark.parametrize("seed", [0, 1])
def test_nothing_is_cheaper(goal: Goal, limit: int, seed: int) -> None:
    table, axes, codes, base, _ = prepared(seed, goal)
    weights = [1.0, 1.0, 1.0] if seed else [3.0, 1.0, 0.5]
    expected = by_looking_at_all(table, axes, goal, limit, weights)
    if np.isinf(expected):
        with pytest.raises(NotEnoughEvidence, match="left out"):
            search(axes, codes, base, goal, limit=limit, weights=weights)
        return
    found = search(axes, codes, base, goal, limit=limit, weights=weights)
    assert found.cost == pytest.approx(expected)
    assert found.suppressed <= limit
    assert found.evaluated < found.nodes
    assert int(base.rows[found.out[found.of]].sum()) == found.suppressed


def test_tagging_spares_most_of_a_large_lattice() -> None:
    goal = Goal(k=3)
    _, axes, codes, base, _ = prepared(2, goal)
    calls = []
    found = search(axes, codes, base, goal, limit=0, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (found.nodes, found.nodes) == (60, 60)
    assert found.evaluated <= 30


def test_too_many_combinations_are_refused() -> None:
    axis = Axis.of([1, 1], [[0, 1]] * 60)
    with pytest.raises(UsageError, match="combinations"):
        search([axis] * 4, np.zeros((1, 4), int), Cells(np.array([2]), None, ()), Goal(k=2), limit=0)


def test_new_numbers_for_classes() -> None:
    for span in (10, 10**9):
        places, count = relabelled(np.array([7, 3, 7, 9]), span)
        assert (places.tolist(), count) == ([1, 0, 1, 2], 3)


def test_losses_by_hand() -> None:
    entropy, span = cell_losses(np.array([4, 2, 2, 0]), np.array([0, 1, 1, 1]))
    most = 4 * 1 + 2 * 2 + 2 * 2  # log2(8/4), log2(8/2), log2(8/2)
    assert entropy == pytest.approx([0, 1 / most, 1 / most, 0])
    assert span == pytest.approx([0, 0.5, 0.5, 0])
    assert cell_losses(np.array([5]), np.array([0]))[0].tolist() == [0.0]
