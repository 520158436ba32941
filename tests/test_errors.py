"""The tree of errors: as drawn, as coded, as seen by the shell, and across processes."""

from __future__ import annotations

import inspect
import multiprocessing
import pickle
import re

import pytest

from reticent import errors
from reticent.errors import MissingExtra, ReticentError

TREE = [name for name in errors.__all__ if not issubclass(getattr(errors, name), Warning)]
PLAIN = [
    kind for kind in (getattr(errors, name) for name in TREE) if kind is not MissingExtra and kind is not ReticentError
]
EXAMPLES = [kind("Expected a < b, got a=2.", "Swap them.") for kind in PLAIN]
EXAMPLES.append(MissingExtra("torch", "lab", "Training"))


def drawn() -> dict[str, tuple[str | None, int | None]]:
    """Name to (parent, exit code), read from the picture in the module's docstring."""
    tree: dict[str, tuple[str | None, int | None]] = {}
    at_depth: dict[int, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^    ((?:[│ ]   )*)([├└]── )?([A-Z]\w+)\s+(?:\(exit (\d)\)\s+)?\w", line)
        if not found or (not found[2] and tree):
            continue
        depth = len(found[1]) // 4 + bool(found[2])
        at_depth[depth] = found[3]
        tree[found[3]] = (at_depth.get(depth - 1), int(found[4]) if found[4] else None)
    return tree


def test_the_tree_is_as_drawn() -> None:
    classes = {
        name: kind
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__ and not issubclass(kind, Warning)
    }
    assert set(classes) == set(TREE)
    picture = drawn()
    assert set(picture) == set(classes)
    for name, (parent, code) in picture.items():
        parents = [base.__name__ for base in classes[name].__bases__ if base.__name__ in classes]
        assert parents == ([parent] if parent else []), name
        if code is not None:
            assert classes[name].exit_code == code, name


def test_exit_codes() -> None:
    codes = {kind.__name__: kind.exit_code for kind in (*PLAIN, MissingExtra)}
    assert codes == {
        "UsageError": 2,
        "MissingExtra": 2,
        "ModelError": 2,
        "DataError": 2,
        "EndpointError": 2,
        "FetchError": 2,
        "PeerError": 2,
        "NotEnoughEvidence": 3,
        "AccessDenied": 4,
        "IntegrityError": 5,
        "BudgetExhausted": 6,
    }


def test_python_kin() -> None:
    """Callers who know nothing of reticent still catch what they expect."""
    assert issubclass(errors.UsageError, ValueError)
    assert issubclass(errors.DataError, ValueError)
    assert issubclass(errors.FetchError, OSError)
    assert issubclass(errors.MissingExtra, ImportError)
    assert not issubclass(errors.DataError, errors.UsageError)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_text_is_what_and_remedy(error: ReticentError) -> None:
    assert str(error) == f"{error.what} {error.remedy}"
    assert not re.search(r"[\[({]'", str(error)), "the text of a tuple"


def test_text_without_remedy_has_no_trailing_space() -> None:
    assert str(errors.DataError("Too few.", "")) == "Too few."


def test_missing_extra_names_the_command() -> None:
    error = MissingExtra("torch", "lab", "Training")
    assert str(error) == (
        "Training needs the package torch, which is not installed. Install it with: pip install 'reticent[lab]'"
    )
    assert (error.package, error.extra) == ("torch", "lab")


def _throw(index: int) -> None:
    raise EXAMPLES[index]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_pickling_keeps_type_and_text(error: ReticentError) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301
        assert type(again) is type(error)
        assert (str(again), again.what, again.remedy) == (str(error), error.what, error.remedy)


def test_errors_of_worker_processes_keep_type_and_text() -> None:
    with multiprocessing.get_context("fork").Pool(1) as pool:
        for index, error in enumerate(EXAMPLES):
            with pytest.raises(ReticentError) as caught:
                pool.apply(_throw, (index,))
            assert type(caught.value) is type(error)
            assert str(caught.value) == str(error)
        pool.close()
        pool.join()


def test_messages_survive_format_signs() -> None:
    text = "Expected 100 % of {n}, got %s \\ \n."
    assert str(errors.UsageError(text, "{}")) == text + " {}"
