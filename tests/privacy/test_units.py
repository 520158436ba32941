"""Units and relations: names that are saved in files, and words that stand in reports."""

from __future__ import annotations

import pytest

from reticent.errors import UsageError
from reticent.privacy import Guarantee, Plan, Relation, Unit


def test_saved_names_do_not_change() -> None:
    assert [unit.value for unit in Unit] == ["example", "person", "client"]
    assert [relation.value for relation in Relation] == ["add_or_remove_one", "replace_one"]


@pytest.mark.parametrize("kind", [Unit, Relation])
def test_every_member_has_its_own_meaning(kind: type[Unit] | type[Relation]) -> None:
    meanings = [member.meaning for member in kind]
    assert all(meanings)
    assert len(set(meanings)) == len(meanings)


def test_unknown_names_are_not_guessed() -> None:
    with pytest.raises(ValueError, match="'row' is not a valid Unit"):
        Unit("row")
    with pytest.raises(ValueError, match="'add' is not a valid Relation"):
        Relation("add")


def test_names_alone_are_no_units_and_no_relations():
    for bad in ({"unit": "person"}, {"relation": "replace_one"}):
        with pytest.raises(UsageError, match=r"Expected a (Unit|Relation), got '.*Pass one of (Unit|Relation)\."):
            Guarantee(**bad)
        with pytest.raises(UsageError, match="Expected a"):
            Plan(1.0, 100, 10, 5, delta=1e-3, **bad)
    with pytest.raises(UsageError, match="Expected mechanisms, got"):
        Guarantee((1,))


def test_promises_that_bound_nothing_are_not_planned():
    with pytest.raises(UsageError, match="epsilon <= 100"):
        Plan.calibrate(epsilon=300, delta=1e-5, dataset_size=1000, batch_size=100, steps=50)


def test_neighbours_in_prose() -> None:
    assert Relation.ADD_OR_REMOVE_ONE.of(Unit.EXAMPLE) == "one example added or removed"
    assert Relation.REPLACE_ONE.of(Unit.CLIENT) == "one client exchanged for another"
