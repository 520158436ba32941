"""Whether a dropped column can be told from the rest."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from reticent.data.minimisation.proxies import proxy
from reticent.data.tables import Table
from reticent.evidence import Status


def people(rows: int = 3000) -> Table:
    draw = np.random.default_rng(0)
    group = draw.integers(0, 3, rows)
    age = draw.normal(50, 10, rows)
    return Table.of(
        {
            "group": np.array(["a", "b", "c"])[group],
            "told": np.where(draw.random(rows) < 0.3, 9, group),
            "noise": draw.normal(size=rows),
            "age": age,
            "grey": age > 55,
            "rare": np.where(np.arange(rows) < 5, "x", "y"),
        }
    )


TESTED = np.arange(3000) % 3 == 0


@pytest.mark.slow
def test_what_is_told_is_warned_of_and_what_is_not_is_not() -> None:
    table = people()
    told = proxy(table["group"], table.select(["told"]), table.select(["told", "noise"]), TESTED, seed=1)
    assert told.details["warning"]
    left = told.estimates["right one of two, from what is left"]
    # by hand: 70 % are told exactly, the others not at all
    expected = np.mean(
        [
            roc_auc_score(
                table["group"].codes == k, (table["told"].numbers() == k) + (table["told"].numbers() == 9) / 3
            )
            for k in range(3)
        ]
    )
    assert left.value == pytest.approx(expected, abs=0.02)
    assert left.low < left.value < left.high
    # a false alarm has a probability of 2.5 %; the seed is fixed
    none = proxy(table["group"], table.select(["noise"]), table.select(["told", "noise"]), TESTED, seed=1)
    assert not none.details["warning"]
    assert none.estimates["right one of two, from all other columns"].low > 0.7


@pytest.mark.slow
def test_false_alarms_are_few() -> None:
    """Noise is called a proxy with probability 2.5 %: more than 7 of 40 has probability 1e-5."""
    draw = np.random.default_rng(5)
    alarms = 0
    for seed in range(40):
        table = Table.of({"secret": draw.choice(list("fm"), 300), "noise": draw.integers(0, 5, 300)})
        alarms += proxy(
            table["secret"], table.select(["noise"]), table.select(["noise"]), TESTED[:300], seed=seed
        ).details["warning"]
    assert alarms <= 7


def test_numbers_are_told_by_r2() -> None:
    table = people()
    found = proxy(table["age"], table.select(["grey"]), table.select(["grey", "noise"]), TESTED, seed=1)
    assert found.baseline["r2"].value == 0
    assert 0.4 < found.estimates["r2, from what is left"].low < 0.7
    assert found.details["warning"]


def test_people_count_once() -> None:
    table = people(1000)
    thrice = table.take(np.tile(np.arange(1000), 3))
    owners = np.tile(np.arange(1000), 3)
    found = proxy(
        thrice["group"], thrice.select(["told"]), thrice.select(["told"]), TESTED[owners], seed=1, owners=owners
    )
    assert next(iter(found.estimates.values())).n == TESTED[:1000].sum()


def test_what_hardly_anybody_has_gets_no_figure() -> None:
    table = people()
    rest = table.select(["noise"])
    found = proxy(table["rare"], rest, rest, TESTED, seed=1)
    assert (found.status, dict(found.estimates)) == (Status.INCONCLUSIVE, {})
    constant = proxy(table["rare"].mapped(["y", "y"]), rest, rest, TESTED, seed=1)
    assert constant.status is Status.NOT_RUN
    assert found.details["column"] == constant.details["column"] == "rare"
