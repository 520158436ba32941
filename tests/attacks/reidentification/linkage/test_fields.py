"""Kinds read off values, and registers coarsened as the release was."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from reticent.attacks.reidentification.linkage.fields import Field, fields_of
from reticent.data.tables import Table
from reticent.errors import DataError, UsageError


def field(release: list[object], register: list[object] | None = None, **settings: object) -> Field:
    tables = [Table.of({"a": values}) for values in (release, release if register is None else register)]
    return fields_of(*tables, **settings)[0]  # type: ignore[arg-type]


NAMES = [f"{first}{last}" for first in ("anna", "bert", "carla", "dmitri") for last in ("son", "ova", "mann", "ez")]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("name", NAMES),
        ("text", [f"{name} lives in a house at the end of the road, number one" for name in NAMES]),
        ("date", ["1934-01-31", "1990-12-24", None]),
        ("date", [19340131, 19901224, 19500606]),
        ("date", pd.to_datetime(["1934-01-31", "1990-12-24"])),
        ("number", [1, 22, 34, 5]),
        ("number", [1.5, 2.25, -7.0]),
        ("code", ["5304218", "4066625", "0065625"]),
        ("code", [53042, 40666, 10666]),
        ("code", ["K1A 0B1", "M5V 2T6", "H2X-1Y4"]),
        ("category", ["m", "f"] * 50),
    ],
)
def test_kinds(kind: str, values: list[object]) -> None:
    assert field(values).kind == kind


def test_kinds_can_be_given() -> None:
    assert field(NAMES, kinds={"a": "code"}).kind == "code"
    with pytest.raises(UsageError, match="kind"):
        field(NAMES, kinds={"a": "soundex"})
    with pytest.raises(DataError, match="prefixes"):
        field(NAMES, kinds={"a": "range"})


def test_texts_are_tidied_and_names_of_columns_too() -> None:
    (found,) = fields_of(Table.of({" a ": ["  Ann\u00c9  B ", ""]}), Table.of({"a": ["anne\u0301 b", "ANNÉ B"]}))
    assert found.name == "a"
    left, right = found.keys()
    assert left.tolist() == [0, -1]
    assert right.tolist() == [0, 0]


def test_dates_are_compared_however_they_are_written() -> None:
    found = field(["1934-01-31", "1990-12-24"], [19340131, 19901225])
    left, right = found.keys()
    assert left[0] == right[0]
    assert left[1] != right[1]
    days = (np.datetime64("1934-01-31") - np.datetime64("1970-01-01")).astype(int)
    assert found.numbers is not None
    assert found.numbers[0][0] == days


@pytest.mark.parametrize(
    ("release", "register", "agree"),
    [
        (["021**", "100**"], ["02139", "10001"], [[1, 0], [0, 1]]),
        (["021", "100"], ["02139", "10001"], [[1, 0], [0, 1]]),
        (["1934", "1990"], ["1934-01-31", "1990-12-24"], [[1, 0], [0, 1]]),
        (["1934-01", "1990-12"], ["1934-01-31", "1990-12-24"], [[1, 0], [0, 1]]),
        (["193*", "199*"], [19340131, 19901224], [[1, 0], [0, 1]]),
        (["30-39", "40-49"], [39, 40], [[1, 0], [0, 1]]),
        (["[30, 40)", "[40, 50)"], [39.9, 40], [[1, 0], [0, 1]]),
        (["(30, 40]", "(40, 50]"], [30.1, 40], [[1, 1], [0, 0]]),
        (["<30", ">=30"], [29, 30], [[1, 0], [0, 1]]),
        (["90+", "0 to 89"], [95, 12], [[1, 0], [0, 1]]),
        (["0..9", "10..19"], [25, 12], [[0, 0], [0, 1]]),
    ],
)
def test_the_register_is_coarsened_as_the_release_was(
    release: list[object], register: list[object], agree: list[list[int]]
) -> None:
    found = field(release, register)
    assert found.kind in ("prefix", "range")
    assert not found.fits
    left, right = found.keys()
    assert (left[:, None] == right).astype(int).tolist() == agree


def test_rows_coarsened_one_by_one_are_asked_whether_the_value_fits() -> None:
    ages = field(["30-39", "35-44", "50-59"], [37, 41, 50])
    assert (ages.kind, ages.fits) == ("range", True)
    zips = field(["021**", "0213*", "*"], ["02139", "02199"])
    assert (zips.kind, zips.fits, zips.left) == ("prefix", True, ("021", "0213", None, None)) or zips.fits
    assert zips.left[list(zips.left).index("021")] == "021"


def test_numbers_that_look_like_ranges_are_codes_if_the_register_has_them_too() -> None:
    assert field(["02139-4307", "10001-1234"]).kind == "code"


def test_a_kind_is_that_of_most_rows_however_many_typing_errors_there_are() -> None:
    """Errors make values of their own: of distinct values they are soon most."""
    generator = np.random.default_rng(0)
    right = {
        "code": [f"{value:05d}" for value in generator.integers(1000, 1040, 2000)],
        "name": [NAMES[place] for place in generator.integers(0, len(NAMES), 2000)],
        "date": [f"19{value:02d}-01-31" for value in generator.integers(10, 40, 2000)],
    }
    for kind, values in right.items():
        for row in range(0, 2000, 20):
            at = row // 20 % len(values[row])
            values[row] = values[row][:at] + f"{row // 20 % 7}" + values[row][at + row % 3 :]
        assert field(values).kind == kind


def test_postcodes_with_leading_zeros_and_identifiers_are_codes() -> None:
    assert field(["01245", "1239", "0123", "10245", "99"] * 30).kind == "code"
    two = Table.of({"zip": [1, 22, 345]}), Table.of({"zip": [1, 22, 345]})
    assert fields_of(*two)[0].kind == "code"
    known = field(list(range(200)), list(range(80, 300)))
    assert (known.kind, known.shared) == ("code", 120 / 200)
    assert field([8, 82, 103] * 100).shared is None


def test_columns_of_one_table_alone_are_left_aside_and_others_can_be_left_out() -> None:
    release = Table.of({"a": ["x"], "weight": [82.2], "b": ["y"]})
    register = Table.of({"a": ["x"], "b": ["y"], "name": ["ann"]})
    assert [one.name for one in fields_of(release, register)] == ["a", "b"]
    assert [one.name for one in fields_of(release, register, without=["b", "weight", "name"])] == ["a"]
    with pytest.raises(UsageError, match="without"):
        fields_of(release, register, without=["c"])
    with pytest.raises(UsageError, match="for both"):
        fields_of(release, register, columns=["a"], without=["a"])
    with pytest.raises(DataError, match="in common"):
        fields_of(release, register, without=["a", "b"])


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(DataError, match="in common"):
        fields_of(Table.of({"a": ["x"]}), Table.of({"b": ["x"]}))
    with pytest.raises(DataError, match="in common"):
        field([None, ""], ["x", "y"])
    with pytest.raises(UsageError, match="column"):
        field(NAMES, columns=["b"])
