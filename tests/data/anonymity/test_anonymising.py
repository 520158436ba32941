"""The front door: goals reached, costs told, generalisations saved and applied; Adult and MovieLens."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reticent as rt
from reticent.data.anonymity import (
    Anonymiser,
    Dates,
    Fixed,
    Generalisation,
    Prefixes,
    Tree,
    Widths,
    anonymise,
    copula_uniqueness,
    k_anonymised,
    measures,
    population_uniqueness,
)
from reticent.data.anonymity.risks import in_population
from reticent.data.tables import Table
from reticent.errors import DataError, FetchError, NotEnoughEvidence, UsageError
from reticent.randomness import Randomness


def people(rows: int = 500, seed: int = 1) -> Table:
    rng = np.random.default_rng(seed)
    return Table.of(
        {
            "name": [f"n{i}" for i in range(rows)],
            "patient": rng.integers(0, rows // 2, rows),
            "age": [int(one) if rng.random() > 0.05 else None for one in rng.integers(18, 95, rows)],
            "zip": [f"{one:05d}" for one in rng.integers(2100, 2140, rows)],
            "born": (np.datetime64("1950-01-01") + rng.integers(0, 20_000, rows)).astype("M8[us]"),
            "illness": rng.choice(["flu", "cold", "asthma"], rows),
            "bill": rng.integers(1, 500, rows),
        }
    )


QUASI = ["age", "zip", "born"]


@pytest.mark.parametrize(
    "settings",
    [
        {"k": 5},
        {"k": 3, "l": 2},
        {"k": 3, "l": 2, "diversity": "entropy"},
        {"k": 3, "l": 2, "diversity": "recursive", "c": 3},
        {"k": 3, "t": 0.3},
        {"k": 4, "person": "patient"},
        {"k": 5, "suppression": 0},
        {"k": 5, "method": "mondrian"},
        {"k": 3, "person": "patient", "method": "mondrian"},
    ],
)
def test_the_table_reaches_its_goal_and_keeps_the_rest(settings: dict[str, Any]) -> None:
    table = people()
    found = anonymise(table, quasi=QUASI, sensitive=["illness"], drop=["name"], **settings)
    assert found.after.measures.k >= settings["k"]
    one = found.after.measures.sensitive[0]
    if "t" in settings:
        assert one.t <= settings["t"] + 1e-9
    if "c" in settings:
        assert one.recursive_c is not None
        assert one.recursive_c < 3
    if settings.get("diversity") == "entropy":
        assert one.entropy_l >= 2 - 1e-9
    if settings.get("l") and "diversity" not in settings:
        assert one.distinct_l >= 2
    assert "name" not in found.table
    assert ("patient" in found.table) == ("person" not in settings)
    for name in ("illness", "bill"):  # untouched, row by row
        assert name in found.untouched
        assert found.table[name].cells().tolist() == table[name].take(found.kept).cells().tolist()
    assert found.table.rows == int(found.kept.sum()) == table.rows - found.cost.suppressed
    assert found.cost.suppressed <= 0.05 * table.rows if settings.get("suppression", 1) else found.cost.suppressed == 0
    assert found.before.measures.uniques > found.after.measures.uniques
    again = Generalisation.from_dict(json.loads(json.dumps(found.generalisation.as_dict()))).transform(table)
    assert again.kept.tolist() == found.kept.tolist()
    for name in QUASI:
        assert again.table[name].cells().tolist() == found.table[name].cells().tolist()


def test_columns_that_are_fixed_stay_and_rows_go() -> None:
    table = people()
    found = anonymise(
        table,
        quasi=["age", "zip"],
        k=2,
        hierarchies={"age": Fixed(), "zip": Prefixes((4, 3))},
        suppression=0.5,
    )
    assert found.table["age"].kind == "number"
    assert found.cost.levels["age"] == (0, 0)
    assert found.after.measures.k >= 2
    with pytest.raises(NotEnoughEvidence, match="left out"):
        anonymise(table, quasi=["age", "zip"], k=200, hierarchies={"age": Fixed()}, suppression=0.0)


def test_weights_decide_what_is_kept() -> None:
    table = people()
    for kept, lost in (("age", "zip"), ("zip", "age")):
        found = anonymise(table, quasi=["age", "zip"], k=10, weights={kept: 20.0, lost: 0.05})
        assert found.cost.entropy[kept] < found.cost.entropy[lost]


def test_new_rows_are_held_to_the_goal() -> None:
    table = people()
    fitted = Anonymiser(
        quasi=["age"], k=5, hierarchies={"age": Widths((10, 20))}, sensitive=["illness"], l=2, drop=["name"]
    ).fit(table)
    new = people(60, seed=9).replaced([Table.of({"age": [20] * 30 + [22] * 20 + [70] * 10})["age"]])
    said = fitted.transform(new)
    assert measures(said.table, quasi=["age"]).k >= 5
    assert "name" not in said.table
    few = fitted.transform(new.take(np.arange(28, 53)))
    assert (few.short, few.table.rows) == (3, 22)
    with pytest.raises(NotEnoughEvidence, match="miss the goal"):
        fitted.transform(new.take(np.arange(3)))
    with pytest.raises(UsageError, match="column"):
        fitted.transform(new.without(["illness"]))


def test_unknown_values_of_a_tree_are_left_out_and_counted() -> None:
    jobs = Tree({"nurse": ("health", "any"), "doctor": ("health", "any"), "clerk": ("office", "any")})
    table = Table.of({"job": ["nurse", "doctor", "clerk", "clerk"] * 3})
    fitted = Anonymiser(quasi=["job"], k=5, hierarchies={"job": jobs}).fit(table)
    said = fitted.transform(Table.of({"job": ["nurse"] * 5 + ["poet"]}))
    assert (said.unknown, said.table["job"].values.tolist()) == (1, ["health"])


def test_a_saved_generalisation_is_for_its_owner(tmp_path: Path) -> None:
    fitted = Anonymiser(quasi=["born"], k=5, hierarchies={"born": Dates(("month", "year"))}).fit(people())
    place = fitted.save(tmp_path / "fit.json")
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert Generalisation.load(place).as_dict() == fitted.as_dict()
    for wrong in ({}, {"format": "reticent-generalisation/1"}, {**fitted.as_dict(), "mapping": {"method": "x"}}):
        with pytest.raises(UsageError):
            Generalisation.from_dict(wrong)
    with pytest.raises(UsageError, match="level"):
        values = fitted.as_dict()
        Generalisation.from_dict({**values, "mapping": {**values["mapping"], "levels": [9]}})
    with pytest.raises(UsageError, match="json"):
        fitted.save(tmp_path / "fit.txt")
    with pytest.raises(UsageError, match="read"):
        Generalisation.load(tmp_path / "none.json")


def test_a_register_is_said_in_the_same_way() -> None:
    register = people(4_000, seed=3)
    table = register.take(np.random.default_rng(1).permutation(4_000)[:600])
    found = anonymise(table, quasi=["age", "zip"], k=3, population=register)
    before, after = found.before.attackers[0], found.after.attackers[0]
    assert before.not_in_population == after.not_in_population == 0
    assert after.journalist_highest is not None
    assert before.journalist_highest is not None
    assert after.journalist_highest < after.prosecutor_highest
    assert after.journalist_highest < before.journalist_highest


def test_estimates_before_and_nobody_alone_after() -> None:
    found = anonymise(
        people(), quasi=["age", "zip"], k=3, population=50_000, randomness=Randomness.simulated(1), data="visits"
    )
    assert found.before.uniqueness
    assert found.before.copula
    assert not found.after.uniqueness
    body = found.record().body
    assert "nobody in the table is alone" in body["after"]["not_measured"]["uniqueness in the population"]
    assert "attackers who know the method" in body["after"]["not_measured"]
    text = json.dumps(body)
    assert all(value not in text for value in people()["zip"].values)


def test_what_is_refused() -> None:
    for wrong in (
        {"method": "magic"},
        {"suppression": 2},
        {"hierarchies": {"illness": Fixed()}},
        {"weights": {"age": -1}},
        {"weights": {"age": 0, "zip": 0}},
        {"drop": ["age"]},
        {"l": 2},
        {"k": 0},
    ):
        with pytest.raises(UsageError):
            Anonymiser(quasi=["age", "zip"], **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        Anonymiser(quasi=["age"], drop=["nothing"]).fit(people())
    with pytest.raises(DataError, match="numbers"):
        Anonymiser(quasi=["zip"], hierarchies={"zip": Widths((5,))}).fit(people())
    with pytest.raises(NotEnoughEvidence):
        k_anonymised({"a": [1, 2]}, ["a"], 3)
    assert rt.anonymise is anonymise
    assert measures(k_anonymised(people(), QUASI, 4), quasi=QUASI).k >= 4


def packaged(name: str) -> Table:
    from benchmarks import _people

    try:
        return getattr(_people, name)()
    except FetchError as error:
        pytest.skip(str(error))


@pytest.mark.fetched
def test_movielens_users() -> None:
    users = packaged("movielens_users")
    quasi = ["age", "gender", "occupation", "zip_code"]
    found = measures(users, quasi=quasi)
    assert (found.rows, found.uniques, found.k) == (943, 929, 1)
    for method in ("lattice", "mondrian"):
        assert measures(k_anonymised(users, quasi, 5, method=method), quasi=quasi).k >= 5


@pytest.mark.fetched
def test_estimates_on_adult_as_the_population() -> None:
    table = packaged("adult")
    quasi = ["age", "education", "occupation", "race", "sex", "native-country"]
    classes = table.classes(quasi)
    there = classes.sizes[classes.of_rows]
    truth = float((there == 1).mean())
    assert truth == pytest.approx(0.193, abs=5e-4)
    sample = table.take(np.random.default_rng(0).permutation(table.rows)[:4_522])
    sizes = sample.classes(quasi)
    randomness = Randomness.simulated(1)
    models = population_uniqueness(sizes.sizes, population=table.rows, randomness=randomness, draws=20)
    copula = copula_uniqueness(sample, quasi, population=table.rows, randomness=randomness)
    assert models.estimate.value == pytest.approx(truth, abs=0.06)
    assert copula.value == pytest.approx(truth, abs=0.04)
    alone = (sizes.sizes == 1)[sizes.of_rows]
    inside = in_population(sample, table, quasi)
    assert models.match.value == pytest.approx(alone.sum() / inside[alone].sum(), abs=0.03)


@pytest.mark.fetched
@pytest.mark.slow
def test_adult() -> None:
    table = packaged("adult")
    assert table.rows == 45_222
    quasi = ["age", "workclass", "education", "marital-status", "occupation", "race", "sex", "native-country"]
    assert measures(table, quasi=quasi).uniques == 18_619  # counted once by pandas: groupby(...).size() == 1
    for settings in ({"k": 5}, {"k": 5, "l": 2}, {"k": 5, "method": "mondrian", "t": 0.3}):
        fitted, cost = Anonymiser(quasi=quasi, sensitive=["salary"], **settings).fit_with_cost(table)  # type: ignore[arg-type]
        said = fitted.transform(table)
        found = measures(said.table, quasi=quasi, sensitive=["salary"])
        assert found.k >= 5
        assert found.sensitive[0].distinct_l >= settings.get("l", 1)
        assert found.sensitive[0].t <= settings.get("t", 1)
        assert table.rows - said.table.rows == cost.suppressed <= 0.05 * table.rows


@pytest.mark.parametrize("method", ["lattice", "mondrian"])
def test_nothing_that_is_looked_at_shows_cells(method: str) -> None:
    """What was learned of texts stood in `repr`, which notebooks show."""
    towns = {"town": [f"Hidden{place % 13}" for place in range(60)], "age": [place % 9 for place in range(60)]}
    found = anonymise(towns, quasi=["town", "age"], k=3, method=method)
    for one in (found, found.generalisation, found.generalisation.mapping, found.cost):
        assert "Hidden" not in repr(one)
    assert "Hidden" in json.dumps(found.generalisation.as_dict())  # the file that is kept needs them
