"""Cells are read as they are written, and what cannot be read is refused without being shown."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.attacks.reidentification.predicates import Condition, Hashed, Predicate, conditions_of, predicates_of
from reticent.data.tables import Column, Table
from reticent.errors import DataError

AGES = [17, 20, 25, 29, 30, 64]


@pytest.mark.parametrize(
    ("cell", "held"),
    [
        ("*", AGES),
        ("20-29", [20, 25, 29]),
        ("20..29", [20, 25, 29]),
        ("[20, 30)", [20, 25, 29]),
        ("[20, 30]", [20, 25, 29, 30]),
        ("(20, 30]", [25, 29, 30]),
        ("[-inf, 20)", [17]),
        ("(29, inf)", [30, 64]),
        (">=29", [29, 30, 64]),
        ("<25", [17, 20]),
        ("{17, 64}", [17, 64]),
        ("2*", [20, 25, 29]),
        ("64", [64]),
        ("65", []),
        ("25.0", [25]),
    ],
)
def test_cells_of_numbers(cell: str, held: list[int]) -> None:
    raw = Table.of({"age": AGES})
    (predicate,) = predicates_of(Table.of({"age": [cell]}), raw)
    assert raw["age"].numbers()[predicate.mask(raw)].tolist() == held


@pytest.mark.parametrize(
    ("cell", "held"),
    [
        ("021**", ["02139", "02140"]),
        ("{02139, 10001}", ["02139", "10001"]),
        ("10001", ["10001"]),
        ("Boston", ["02139", "02140"]),
        ("99999", []),
    ],
)
def test_cells_of_texts(cell: str, held: list[str]) -> None:
    raw = Table.of({"zip": ["02139", "02140", "10001"]})
    (predicate,) = predicates_of(Table.of({"zip": [cell]}), raw, {"zip": {"Boston": ["02139", "02140"]}})
    assert raw["zip"].cells()[predicate.mask(raw)].tolist() == held


def test_missing_cells_say_nothing_and_pass_nothing() -> None:
    raw = Table.of({"a": [1, None, 3], "b": ["x", "x", "y"]})
    said = predicates_of(Table.of({"a": [None, 1], "b": ["x", None]}), raw)
    assert [one.mask(raw).tolist() for one in said] == [[True, True, False], [True, False, False]]


def test_what_cannot_be_read_is_not_shown() -> None:
    with pytest.raises(DataError, match="hierarchies") as caught:
        conditions_of(Column.of("age", ["[secret"]), Column.of("age", [1, 2]))
    assert "secret" not in str(caught.value)
    with pytest.raises(DataError, match="got none"):
        predicates_of(Table.of({"x": [1]}), Table.of({"y": [1]}))


def test_a_share_of_all_records_is_a_share() -> None:
    draw = np.random.default_rng(1)
    table = Table.of({name: draw.integers(0, 1000, 20_000) for name in ("a", "b", "c")})
    keys = [bytes([n]) * 16 for n in range(20)]
    masks = np.array([Hashed(key, 0.2).mask(table) for key in keys])
    # 20 000 coins: 6 deviations are 0.017
    assert np.abs(masks.mean(axis=1) - 0.2).max() < 0.017
    # different keys are independent of each other, and so are rows that share two columns
    assert abs((masks[0] & masks[1]).mean() - 0.04) < 0.009
    near = Table.of({"a": np.zeros(4000, int), "b": np.zeros(4000, int), "c": np.arange(4000)})
    assert abs(Hashed(keys[0], 0.2).mask(near).mean() - 0.2) < 0.038
    again = table.take(np.arange(19_999, -1, -1))
    assert np.array_equal(Hashed(keys[0], 0.2).mask(again)[::-1], masks[0])
    swapped = Table.of({"a": [1, 2], "b": [2, 1]})
    assert any(len(set(Hashed(key, 0.5).mask(swapped).tolist())) == 2 for key in keys)
    assert Hashed(keys[0], 1.0).mask(table).all()


def test_conditions_hold_together() -> None:
    raw = Table.of({"a": [1, 2, 3], "b": [1, 1, 2]})
    both = Predicate((Condition("a", low=2), Condition("b", among=frozenset({"1"}))))
    assert both.mask(raw).tolist() == [False, True, False]
