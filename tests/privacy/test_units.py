"""Units and relations: names that are saved in files, and words that stand in reports."""

from __future__ import annotations

import pytest

from reticent.privacy import Relation, Unit


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
