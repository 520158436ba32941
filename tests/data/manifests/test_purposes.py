"""Purposes: narrower ones are covered, prohibited ones never slip through, names are unique and spelt right."""

from __future__ import annotations

import itertools

import pytest

from reticent.data.manifests import PURPOSES, allows
from reticent.data.manifests.purposes import overlap
from reticent.errors import UsageError


def above(name: str) -> set[str]:
    found = {name}
    while PURPOSES[name].broader is not None:
        name = PURPOSES[name].broader
        found.add(name)
    return found


def test_against_sets_for_every_triple() -> None:
    for asked, allowed, prohibited in itertools.product(PURPOSES, repeat=3):
        covered = allowed in above(asked)
        touched = prohibited in above(asked) or asked in above(prohibited)
        assert allows(asked, allowed=[allowed], prohibited=[prohibited]) == (covered and not touched)
        assert overlap(asked, prohibited) == touched


def test_nothing_is_allowed_unless_something_allows_it() -> None:
    assert not any(allows(one, allowed=[]) for one in PURPOSES)


def test_identifiers_are_unique_and_broader_purposes_are_there() -> None:
    identifiers = [one.identifier for one in PURPOSES.values()]
    assert len(set(identifiers)) == len(identifiers)
    assert all(one.broader is None or one.broader in PURPOSES for one in PURPOSES.values())
    assert PURPOSES["research"].identifier == "https://w3id.org/dpv#ResearchAndDevelopment"
    assert PURPOSES["health research"].identifier == "http://purl.obolibrary.org/obo/DUO_0000006"


def test_what_is_not_on_the_list_is_no_purpose() -> None:
    for words in ({"allowed": ["reserch"]}, {"allowed": ["research"], "prohibited": ["spam"]}):
        with pytest.raises(UsageError, match="purpose"):
            allows("research", **words)
    with pytest.raises(UsageError, match="Did you mean 'research'"):
        allows("reserch", allowed=["research"])
