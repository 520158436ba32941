"""Mondrian: every part reaches the goal, no part could still be cut, and new rows go where old ones went."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.anonymity import Anonymiser, Generalisation, Goal, Tree, measures
from reticent.data.anonymity.goals import Cells
from reticent.data.anonymity.mondrian import down, partition, regions
from reticent.data.tables import Table
from reticent.errors import DataError, NotEnoughEvidence, UsageError


def cells(of: np.ndarray, parts: int) -> Cells:
    return Cells(np.bincount(of[of >= 0], minlength=parts), None, ())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), min_size=3, max_size=60), st.integers(1, 4))
def test_parts_reach_the_goal_and_cannot_be_halved_further(rows: list[Any], k: int) -> None:
    ranks = np.array(rows)
    if len(ranks) < k:
        return
    found = partition(ranks, cells, Goal(k=k))
    assert (down(ranks, found) == found.part).all()
    boxes = regions(found, 2)
    assert set(boxes) == set(np.flatnonzero(found.column < 0))
    for leaf in np.unique(found.part):
        mine = ranks[found.part == leaf]
        assert len(mine) >= k
        for j in range(2):
            low, high = boxes[int(leaf)][j]
            assert (mine[:, j] > low).all()
            assert high is None or (mine[:, j] <= high).all()
            ordered = np.sort(mine[:, j])
            median = ordered[(len(ordered) - 1) // 2]
            cut = median if median < ordered[-1] else median - 1
            left = int((ordered <= cut).sum())
            assert min(left, len(ordered) - left) < k or left == 0


def test_the_whole_table_has_to_reach_it() -> None:
    with pytest.raises(NotEnoughEvidence, match="one part"):
        partition(np.array([[0], [1]]), cells, Goal(k=3))


def people(seed: int = 1, rows: int = 400) -> Table:
    rng = np.random.default_rng(seed)
    born = np.datetime64("1950-01-01") + rng.integers(0, 20_000, rows).astype("timedelta64[D]")
    jobs = rng.choice(["nurse", "doctor", "clerk", "judge"], rows)
    return Table.of(
        {
            "age": [int(one) if rng.random() > 0.1 else None for one in rng.integers(18, 90, rows)],
            "born": born.astype("M8[us]"),
            "job": [str(one) for one in jobs],
            "smoker": rng.random(rows) < 0.3,
            "illness": rng.choice(["flu", "cold", "asthma"], rows),
        }
    )


QUASI = ["age", "born", "job", "smoker"]
JOBS = Tree({"nurse": ("health",), "doctor": ("health",), "clerk": ("office",), "judge": ("office",)})


@pytest.mark.parametrize("tree", [True, False])
@pytest.mark.parametrize(
    "goal", [{"k": 5}, {"k": 3, "l": 2}, {"k": 3, "t": 0.3}, {"k": 3, "l": 1.8, "diversity": "entropy"}]
)
def test_a_table_of_every_kind_of_column(tree: bool, goal: dict[str, Any]) -> None:
    table = people()
    asked = Anonymiser(
        quasi=QUASI, sensitive=["illness"], method="mondrian", hierarchies={"job": JOBS} if tree else {}, **goal
    )
    fitted, cost = asked.fit_with_cost(table)
    said = fitted.transform(table)
    assert said.kept.all()
    found = measures(said.table, quasi=QUASI, sensitive=["illness"])
    assert found.k >= goal["k"]
    assert found.sensitive[0].distinct_l >= (goal.get("l") or 0) or "diversity" in goal
    assert found.sensitive[0].t <= goal.get("t", 1.0) + 1e-9
    assert found.classes > 10
    assert 0 < cost.total < 1
    again = Generalisation.from_dict(fitted.as_dict()).transform(table)
    for name in QUASI:
        assert again.table[name].cells().tolist() == said.table[name].cells().tolist()


def test_labels_hold_what_they_say() -> None:
    table = people()
    said = Anonymiser(quasi=["age"], k=20, method="mondrian").fit(table).transform(table).table["age"].cells()
    for age, label in zip(table["age"].cells(), said, strict=True):
        if age is None:
            assert label is None or "missing" in label
            continue
        text = label.removeprefix("missing or ")
        if text.startswith("<= "):
            assert age <= float(text[3:])
        elif text.startswith("> "):
            assert age > float(text[2:])
        elif text not in ("not missing", "*"):
            low, high = (float(one) for one in text.strip("(]").split(", "))
            assert low < age <= high


def test_new_rows() -> None:
    table = people()
    fitted = Anonymiser(quasi=["age", "job"], k=20, method="mondrian").fit(table)
    new = Table.of({"age": [5, 200, None, 40], "job": ["nurse", "judge", "clerk", "poet"]})
    said, unknown = fitted.mapping.apply(new)
    assert unknown.tolist() == [False, False, False, True]  # no place among texts that were never seen
    with pytest.raises(NotEnoughEvidence, match="does not know"):
        fitted.transform(new)
    assert fitted.transform(new, check=False).unknown == 1
    without = Anonymiser(quasi=["born"], k=20, method="mondrian").fit(table)
    assert without.mapping.apply(Table.of({"born": np.array(["NaT"], "M8[us]")}))[1].tolist() == [True]
    with pytest.raises(DataError, match="number"):
        fitted.mapping.apply(Table.of({"age": ["x"], "job": ["nurse"]}))
    assert said["job"].kind == "text"


def test_only_trees_may_order_texts() -> None:
    from reticent.data.anonymity import Prefixes

    with pytest.raises(UsageError, match="trees only"):
        Anonymiser(quasi=["job"], method="mondrian", hierarchies={"job": Prefixes((1,))}).fit(people())


@pytest.mark.parametrize("broken", [{"left": [0, -1, -1]}, {"column": [5, -1, -1]}, {"cut": [1]}, {"names": None}])
def test_a_broken_tree_is_refused(broken: dict[str, Any]) -> None:
    table = Table.of({"age": [1, 2, 3, 4]})
    saved = Anonymiser(quasi=["age"], k=2, method="mondrian").fit(table).as_dict()
    with pytest.raises(UsageError):
        Generalisation.from_dict({**saved, "mapping": {**saved["mapping"], **broken}})
