"""Measures of tables, against pycanon where it has the definition, and against the definition where it has not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reticent.data.anonymity import Measures, measures
from reticent.data.tables import Table
from reticent.errors import DataError, UsageError

pycanon = pytest.importorskip("pycanon.anonymity")


def people(seed: int, rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(2, 5, rows) * 10,
            "zip": rng.choice(["021", "100", "945"], rows),
            "illness": rng.choice(["flu", "cold", "asthma", "none"], rows, p=[0.4, 0.3, 0.2, 0.1]),
            "visits": rng.poisson(2, rows),
        }
    )


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("secret", ["illness", "visits"])
@pytest.mark.parametrize("others", [False, True])
def test_equal_to_pycanon(seed: int, secret: str, others: bool) -> None:
    frame = people(seed, 300 if not others else 3_000)
    quasi = ["age", "zip"]
    asked = ["illness", "visits"] if others else [secret]
    found = measures(Table.of(frame), quasi=quasi, sensitive=asked, others_known=others)
    gen = {"gen": not others}
    assert found.k == pycanon.k_anonymity(frame, quasi)
    assert max(one.alpha for one in found.sensitive) == pytest.approx(
        pycanon.alpha_k_anonymity(frame, quasi, asked, **gen)[0]
    )
    assert min(one.distinct_l for one in found.sensitive) == pycanon.l_diversity(frame, quasi, asked, **gen)
    assert max(one.beta for one in found.sensitive) == pytest.approx(
        pycanon.basic_beta_likeness(frame, quasi, asked, **gen)
    )
    assert max(one.delta_of_present for one in found.sensitive) == pytest.approx(
        pycanon.delta_disclosure(frame, quasi, asked, **gen)
    )
    assert max(one.t for one in found.sensitive) == pytest.approx(pycanon.t_closeness(frame, quasi, asked, **gen))
    # It cuts the figure to a whole number, after an error of rounding.
    entropy = min(one.entropy_l for one in found.sensitive)
    assert entropy - 1 - 1e-9 <= pycanon.entropy_l_diversity(frame, quasi, asked, **gen) <= entropy + 1e-9


def loop(frame: pd.DataFrame, quasi: list[str], secret: str) -> dict[str, Any]:
    """The definitions, class by class; missing quasi-identifiers are alike, missing secrets are left out."""
    whole = frame[secret].dropna()
    before = whole.value_counts(normalize=True)
    found: dict[str, Any] = {"k": math.inf, "c": 0.0, "enhanced": 0.0, "delta": 0.0, "classes": 0}
    for _, group in frame.groupby(quasi, dropna=False):
        found["k"] = min(found["k"], len(group))
        found["classes"] += 1
        inside = group[secret].dropna().value_counts()
        if not len(inside):
            continue
        falling = sorted(inside, reverse=True)
        tail = sum(falling[1:])
        found["c"] = max(found["c"], falling[0] / tail if tail else math.inf)
        for value, p in before.items():
            q = inside.get(value, 0) / inside.sum()
            if (q - p) / p > -math.log(p) + 1e-12:
                found["enhanced"] = None
            elif found["enhanced"] is not None:
                found["enhanced"] = max(found["enhanced"], (q - p) / p)
            found["delta"] = max(found["delta"], abs(math.log(q / p)) if q else math.inf)
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("holes", [0.0, 0.2])
@pytest.mark.parametrize("rows", [60, 2_000])
def test_where_pycanon_has_another_definition_ours_is_that_of_a_loop(seed: int, holes: float, rows: int) -> None:
    frame = people(seed, rows)
    rng = np.random.default_rng(seed)
    frame.loc[rng.random(rows) < holes, "zip"] = None
    frame.loc[rng.random(rows) < holes, "illness"] = None
    found = measures(Table.of(frame), quasi=["age", "zip"], sensitive=["illness"])
    expected = loop(frame, ["age", "zip"], "illness")
    one = found.sensitive[0]
    assert (found.k, found.classes) == (expected["k"], expected["classes"])
    assert (math.inf if one.recursive_c is None else one.recursive_c) == pytest.approx(expected["c"])
    assert (math.inf if one.delta is None else one.delta) == pytest.approx(expected["delta"])
    assert one.enhanced_beta == (None if expected["enhanced"] is None else pytest.approx(expected["enhanced"]))
    assert found.missing == int(frame["zip"].isna().sum())
    assert one.missing == int(frame["illness"].isna().sum())


def test_pycanon_leaves_out_rows_with_a_missing_quasi_identifier() -> None:
    frame = pd.DataFrame({"zip": ["a", "a", None], "illness": ["x", "y", "x"]})
    assert pycanon.k_anonymity(frame, ["zip"]) == 2
    assert measures(Table.of(frame), quasi=["zip"]).k == 1


def test_pycanon_divides_the_smallest_count() -> None:
    frame = pd.DataFrame({"zip": ["a"] * 10, "illness": ["x"] * 8 + ["y"] * 2})
    assert pycanon.recursive_c_l_diversity(frame, ["zip"], ["illness"])[0] == 1  # 2/8, and one more, cut to 1
    one = measures(Table.of(frame), quasi=["zip"], sensitive=["illness"]).sensitive[0]
    assert one.recursive_c == 4.0  # r_1 = 8 < c (r_2 = 2)


def measured(values: list[Any], **more: Any) -> Measures:
    table = Table.of({"zip": ["a", "a", "a", "b", "b", "b"], "secret": values})
    return measures(table, quasi=["zip"], sensitive=["secret"], **more)


def test_missing_secrets_are_left_out_or_a_value() -> None:
    left_out = measured(["x", None, None, "x", "y", "y"]).sensitive[0]
    assert (left_out.distinct_l, left_out.alpha, left_out.values, left_out.missing) == (1, 1.0, 2, 2)
    value = measured(["x", None, None, "x", "y", "y"], missing="value").sensitive[0]
    assert (value.distinct_l, value.alpha, value.values) == (2, pytest.approx(2 / 3), 3)
    unknown = measured([None, None, None, "x", "y", "y"]).sensitive[0]
    assert (unknown.unknown_classes, unknown.distinct_l) == (1, 2)
    with pytest.raises(DataError, match="known value"):
        measured([None] * 6)
    with pytest.raises(UsageError, match="no place"):
        measured([1, 2, 3, None, 2, 1], missing="value", ordered={"secret": True})
    assert not measured([1, 2, 3, None, 2, 1], missing="value").sensitive[0].ordered


def test_k_counts_people_if_they_are_named() -> None:
    table = Table.of({"zip": ["a"] * 4 + ["b"] * 2, "who": ["ann", "ann", "ann", "bob", "eve", None]})
    assert measures(table, quasi=["zip"]).k == 2
    assert measures(table, quasi=["zip"], person="who").k == 1  # of b, eve alone: nobody's row is nobody


def test_one_value_only_gains_nothing() -> None:
    one = measured(["x"] * 6).sensitive[0]
    assert (one.t, one.beta, one.enhanced_beta, one.delta, one.entropy_l) == (0.0, 0.0, 0.0, 0.0, 1.0)
    assert measured([5] * 6).sensitive[0].t == 0.0


def test_what_is_refused() -> None:
    table = Table.of({"a": [1], "b": [2]})
    with pytest.raises(UsageError, match="one part"):
        measures(table, quasi=["a"], sensitive=["a"])
    with pytest.raises(UsageError, match="lists"):
        measures(table, quasi="a")
    with pytest.raises(UsageError, match="column"):
        measures(table, quasi=["c"])
    with pytest.raises(UsageError, match="at least one"):
        measures(table, quasi=[])
    with pytest.raises(UsageError, match="ordered"):
        measures(table, quasi=["a"], sensitive=["b"], ordered={"a": True})
    with pytest.raises(DataError, match="row"):
        measures(Table.of({"a": np.zeros(0)}), quasi=["a"])
    assert measures(table, quasi=["a"], sensitive=["b"]).get("b").values == 1
