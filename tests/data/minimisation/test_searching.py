"""The search: which steps it takes, in which order, and when it stops."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from reticent.data.minimisation.judging import Bench, dealt
from reticent.data.minimisation.learning import Task, Trainer
from reticent.data.minimisation.searching import Judge, search
from reticent.data.minimisation.steps import DROP
from reticent.data.tables import Table
from reticent.randomness import Randomness

TWO = Task("classes", ("no", "yes"))


def linear(table: Table, labels: np.ndarray, _seed: int) -> Any:
    """Least squares on numbers; fast."""
    matrix = np.stack([*(one.numbers() for one in table.columns), np.ones(table.rows)], axis=1)
    weights = np.linalg.lstsq(matrix, 2.0 * labels - 1, rcond=None)[0]
    return lambda asked: (
        np.stack([*(one.numbers() for one in asked.columns), np.ones(asked.rows)], axis=1) @ weights > 0
    ).astype(int)


def bench(rows: int = 6000, **strengths: float) -> Bench:
    draw = np.random.default_rng(0)
    values = {name: draw.integers(-5, 6, rows) for name in strengths}
    signal = sum(strengths[name] * values[name] for name in strengths)
    truth = (signal + draw.normal(0, 1, rows) > 0).astype(int)
    table = Table.of(values)
    return Bench(
        table, truth, TWO, "accuracy", Trainer(linear, "linear"), dealt(rows, None, 3, Randomness.simulated(1)), 1
    )


def judge(made: Bench, **more: Any) -> Judge:
    return Judge(made, **{"tolerance": 0.02, "test_people": 3000, **more})


def test_noise_goes_and_what_matters_stays() -> None:
    made = bench(one=1.0, noise=0.0, two=1.0, more=0.0)
    found = search(made, judge(made), coarsen=False)
    assert {name for name, step in found.plan.items() if step == DROP} == {"noise", "more"}
    assert found.judged.taken
    assert found.importance["one"] > 0.05
    assert abs(found.importance["noise"]) < 0.01


def test_small_losses_do_not_add_up_unseen() -> None:
    """Each of six weak columns costs little alone, and all together cost far more than the tolerance."""
    made = bench(strong=0.6, **{f"weak{k}": 0.14 for k in range(6)})
    found = search(made, judge(made), coarsen=False)
    dropped = [name for name in found.plan if found.plan[name] == DROP]
    alone = judge(made).judged([{name: DROP} for name in made.table.names[1:]])
    everything = judge(made).judged([{name: DROP for name in made.table.names[1:]}])[0]
    assert all(one.change > -0.02 for one in alone)
    assert everything.change < -0.03
    assert len(dropped) < 6
    assert found.judged.change > -0.02


def test_what_had_better_go_goes_first() -> None:
    strengths = {"strong": 0.8, "a": 0.16, "b": 0.16, "c": 0.16, "d": 0.16}
    for name in ("a", "c"):
        made = bench(**strengths)
        found = search(made, judge(made, tolerance=0.022), weights={name: 1.0}, coarsen=False)
        assert found.plan.get(name) == DROP


def test_pinned_columns_stay_as_they_are() -> None:
    made = bench(one=1.0, noise=0.0)
    assert "noise" not in search(made, judge(made), pinned=["noise"]).plan


def test_of_duplicates_one_stays_and_the_lighter() -> None:
    made = bench(one=1.0, noise=0.0)
    copy = made.table["one"].renamed("copy")
    made.table = made.table.replaced([copy])
    for weights, gone in (({"one": 1.0}, "one"), ({"copy": 1.0}, "copy")):
        found = search(made, judge(made), weights=weights, coarsen=False)
        assert found.same == [("one", "copy")]
        assert found.importance["one"] == found.importance["copy"] > 0.05  # shuffled together
        assert found.plan.get(gone) == DROP
        assert {"one", "copy"} - {gone} <= set(made.table.names) - set(found.plan)
    assert search(made, judge(made), pinned=["copy"], coarsen=False).plan.get("one") == DROP


def test_time_that_is_up_ends_the_search_with_what_it_has() -> None:
    made = bench(one=1.0, noise=0.0)
    found = search(made, judge(made), deadline=time.monotonic() - 1)
    assert found.plan == {}
    assert found.stopped
    assert search(made, judge(made)).stopped is None


def test_the_margin_shrinks_with_the_rows_that_will_confirm() -> None:
    made = bench(one=1.0, noise=0.0)
    few, many = (judge(made, test_people=people).judged([{"noise": DROP}])[0] for people in (150, 100_000))
    assert not few.taken
    assert many.taken
    assert few.people is not None
    assert few.people > 6150
    enough = judge(made, test_people=round(few.people * 150 / 6150))
    assert enough.judged([{"noise": DROP}])[0].taken
    assert judge(made).judged([{"one": DROP}])[0].people is None


def test_rows_of_one_person_are_one_observation() -> None:
    made = bench(one=1.0, noise=0.3)
    alone = judge(made).judged([{"noise": DROP}])[0]
    grouped = judge(made, owners=np.arange(6000) // 10).judged([{"noise": DROP}])[0]
    assert grouped.change == alone.change
    assert grouped.error == pytest.approx(alone.error, rel=0.25)  # rows are independent here
