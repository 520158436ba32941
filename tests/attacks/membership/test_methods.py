"""The list of methods. What each of them does is tested in the files of their names and in test_method.py."""

from __future__ import annotations

import dataclasses

import pytest

from reticent.attacks.membership import DEFAULT, METHODS


def test_methods_say_what_they_are():
    for name, method in METHODS.items():
        assert name.startswith(method.name)
        assert method.meaning
        assert method.source
        with pytest.raises(dataclasses.FrozenInstanceError):
            method.something = 1
    assert str(METHODS["rmia_offline"]) == "rmia_offline(alpha=0.33)"
    assert str(METHODS["student"]) == "student"
    assert METHODS["lira_record"].parameters == {"variance": "record", "shrunken": False}


def test_the_default_is_one_of_them_and_nobody_can_change_the_list():
    assert METHODS["student"] is DEFAULT
    with pytest.raises(TypeError):
        METHODS["other"] = DEFAULT
