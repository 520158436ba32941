"""Pairs counted against loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.attacks.reidentification.linkage.blocking import chosen, joint, pairs_of, pairs_within, sessions
from reticent.attacks.reidentification.linkage.fields import fields_of
from reticent.data.tables import Table
from reticent.errors import DataError

SIDE = st.lists(st.integers(-1, 3), min_size=1, max_size=12)


@settings(deadline=None)
@given(SIDE, SIDE, st.integers(0, 2**31))
def test_counts_of_pairs_are_those_of_a_loop(left: list[int], right: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    more = [generator.integers(-1, 3, len(side)) for side in (left, right)]
    one, other = (np.array(left), np.array(right)), (more[0], more[1])
    assert pairs_of(one) == sum(a == b >= 0 for a in left for b in right)
    wanted = sum(
        left[i] == right[j] >= 0 and more[0][i] == more[1][j] >= 0 for i in range(len(left)) for j in range(len(right))
    )
    assert pairs_of(joint(one, other)) == wanted


def test_pairs_within_a_table_are_those_of_a_loop() -> None:
    generator = np.random.default_rng(1)
    sides = [
        Table.of({"a": [f"x{one}y" for one in generator.integers(0, 9, 40)], "b": [f"z{one}" for one in values]})
        for values in generator.integers(0, 4, (2, 40))
    ]
    fields = fields_of(*sides)
    for rule in ((), ("a",), ("b",), ("a", "b")):
        for side, table in enumerate(sides):
            cells = list(zip(*(table[name].cells() for name in rule), strict=True)) if rule else [()] * 40
            wanted = sum(cells[i] == cells[j] for i in range(40) for j in range(40) if i != j)
            assert pairs_within(fields, side, rule) == wanted


def people(rows: int) -> Table:
    row = np.arange(rows)
    columns = {"id": row, "town": row % 50, "sex": row % 2, "street": row % 97}
    return Table.of(
        {name: [f"{name} {'abcdefghij'[value % 10]}{value}" for value in values] for name, values in columns.items()}
    )


def test_no_more_pairs_than_allowed_and_rare_ones_first() -> None:
    fields = fields_of(people(1000), people(1000))
    rules = chosen(fields, most=50_000)
    assert sum(rules.pairs) <= 50_000
    assert rules.rules[0] == ("id",)
    assert ("sex",) not in rules.rules
    assert list(rules.pairs) == sorted(rules.pairs)
    assert chosen(fields, most=10**6).rules == ((),)


def test_two_fields_together_where_one_is_too_coarse() -> None:
    table = people(1000).select(["town", "street"])
    rules = chosen(fields_of(table, table), most=5_000)
    assert rules.rules == (("street", "town"),)
    assert rules.pairs == (1000,)


def test_too_many_pairs_are_refused() -> None:
    table = people(100).select(["sex"])
    with pytest.raises(DataError, match="at most 10"):
        chosen(fields_of(table, table), most=10)


def test_every_field_is_free_in_one_round_of_training() -> None:
    fields = fields_of(people(1000), people(1000))
    rounds = sessions(fields, most=100_000)
    assert len(rounds) >= 2
    assert all(any(field.name not in rule for rule in rounds) for field in fields)
    two = fields_of(people(50).select(["id", "town"]), people(50).select(["id", "town"]))
    assert sessions(two, most=100_000) == ()
