"""Marks and amounts, and columns that make a linkage needless."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.attacks.reidentification.linkage.identifiers import Counted, counted, reads_as_code, shared_identifier


def each(values: object) -> Counted:
    texts = [str(value) for value in values]  # type: ignore[attr-defined]
    return counted(texts, [1] * len(texts))


def test_rows_are_counted_by_their_text() -> None:
    assert counted(["a", "a", None, "b", "c"], [2, 1, 5, 1, 0]) == {"a": 3, "b": 1}


@pytest.mark.parametrize(
    ("name", "values", "code"),
    [
        ("area", ["01245", "1245", "99817"] * 30, True),  # some begin with a zero
        ("area", [53042, 40666, 1066] + [20_000 + one for one in range(97)], True),  # nearly all of one width
        ("zip", [1, 22, 345], True),
        ("home_zip", [1, 22, 345], True),
        ("postalCode", [1, 22, 345], True),
        ("PLZ", [1, 22, 345], True),
        ("patient id", [1, 22, 345], True),
        ("paid", [1, 22, 345], False),
        ("zipped", [1, 22, 345], False),
        ("weight", [8, 82, 103, 0], False),
        ("steps", np.arange(0, 30_000, 37), False),
    ],
)
def test_whole_numbers_are_codes_if_something_says_so(name: str, values: object, code: bool) -> None:
    assert reads_as_code(name, each(values), single=False) == code
    assert reads_as_code(name, each(values), single=True)


@pytest.mark.parametrize(
    ("release", "register", "share"),
    [
        (range(0, 200), range(80, 300), 120 / 200),
        ([f"p-{one}" for one in range(100)], [f"p-{one}" for one in range(50, 400)], 0.5),
        ([f"{one}@x.org" for one in range(100)], [f"{one}@x.org" for one in range(100)], 1.0),
        (range(0, 200), range(190, 400), None),  # hardly anybody in common
        ([one % 120 for one in range(200)], range(200), None),  # values stand twice
        (range(40), range(40), None),  # too few rows to say
        ([f"ann {one}" for one in range(100)], [f"ann {one}" for one in range(100)], None),  # addresses have blanks
        ([f"{'abcdefghij'[one % 10]}{'klmnopqrst'[one // 10]}" for one in range(100)], None, None),  # words
        ([one + 0.5 for one in range(100)], None, None),  # measured
    ],
)
def test_shared_identifiers(release: object, register: object, share: float | None) -> None:
    assert shared_identifier(each(release), each(release if register is None else register)) == share
