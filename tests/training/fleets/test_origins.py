"""Code is told apart by where it runs, and what it reaches is found."""

from __future__ import annotations

import functools
import logging

import pytest
import torch

from reticent.training.fleets.origins import Import, bytecode, hashed, is_library_function, reached, version_of


def test_texts_are_told_apart_by_their_borders():
    assert hashed("ab", "c") != hashed("a", "bc")
    assert len(hashed("\udc80")) == 64


@pytest.mark.parametrize("module", ["torch", "torch.nn", "logging", "builtins", "numpy"])
def test_installed_packages_have_versions(module):
    assert version_of(module)


@pytest.mark.parametrize("module", [None, "__main__", __name__, "nowhere.at.all"])
def test_code_of_ones_own_has_none(module):
    assert version_of(module) is None


def test_names_do_not_make_a_library_function():
    @functools.wraps(torch.nn.functional.cross_entropy)
    def mine(*arguments):
        return 0

    @torch.no_grad()
    def decorated():
        return 0

    assert is_library_function(torch.nn.functional.cross_entropy)
    assert is_library_function(logging.getLogger)
    assert not is_library_function(mine)
    assert not is_library_function(decorated)


def test_every_form_of_import_is_found():
    source = (
        "def f():\n    import a.b\n    from a import b, c as d\n    from . import e\n    from ..g import h\n"
        "    def inner():\n        import deep\n        return used\n    return inner"
    )
    code = compile(source, "here", "exec")
    assert {one for one in reached(code) if isinstance(one, Import)} == {
        Import("a.b", 0, ()),
        Import("a", 0, ("b", "c")),
        Import("", 1, ("e",)),
        Import("g", 2, ("h",)),
        Import("deep", 0, ()),
    }
    assert "used" in reached(code)


def test_what_an_exception_covers_counts():
    def of(source):
        space: dict = {}
        exec(source, space)  # noqa: S102
        return bytecode(space["f"].__code__)

    body = "def f():\n    try:\n        a()\n        b()\n    except ValueError:\n        pass\n"
    assert of(body) == of("\n\n" + body)
    assert of(body) != of(body.replace("ValueError", "TypeError"))
