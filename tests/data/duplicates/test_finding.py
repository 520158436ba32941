"""Planted copies are found, and nothing that is not near; the check sees what is missed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from reticent.data.duplicates import Bands, find_duplicates, searching
from reticent.data.duplicates.groups import stars
from reticent.data.duplicates.sketches import SHINGLE, tidied
from reticent.data.records import Records
from reticent.data.tables import Table
from reticent.errors import UsageError
from reticent.randomness import Randomness


def texts(rows: int, generator: np.random.Generator, letters: str = "etaoinshrdlu ") -> list[str]:
    found = ["".join(generator.choice(list(letters), 40)) for _ in range(rows)]
    for row in range(0, rows, 4):  # every fourth is a copy of the next one with changes at its beginning
        cut = int(generator.integers(1, 8))
        found[row] = "x" * cut + found[row + 1][cut:]
    return found


def sets_of(values: list[str]) -> list[set[str]]:
    padded = [tidied(text) + "\0" * (SHINGLE - 1) for text in values]
    return [{text[place : place + SHINGLE] for place in range(len(text) - SHINGLE + 1)} for text in padded]


def brute(values: list[str], bar: float) -> set[tuple[int, int]]:
    sets = sets_of(values)
    return {
        (a, b)
        for a, b in itertools.combinations(range(len(values)), 2)
        if len(sets[a] & sets[b]) >= bar * len(sets[a] | sets[b])
    }


def test_groups_of_texts_are_those_of_all_pairs() -> None:
    """With a recall of 1 - 1e-9 a pair, the false alarm of this test is below 1e-6."""
    values = texts(400, np.random.default_rng(1))
    found = find_duplicates(Table.of({"t": values}), Randomness.simulated(3), recall=1 - 1e-9, threshold=0.7)
    pairs = brute(values, 0.7)
    assert len(set(values)) == 400
    assert {tuple(sorted(pair)) for pair in found.pairs.tolist()} == pairs
    assert found.group.tolist() == stars(400, np.array(sorted(pairs))).tolist()
    assert found.check["rows near one that was missed"].value == 0


def test_the_recall_that_was_asked_for_is_had() -> None:
    """2000 pairs of similarity 0.72 to 0.78 at a bar of 0.7: 95 % are promised; below 92 % has probability < 1e-9."""
    generator = np.random.default_rng(4)
    base = ["".join(generator.choice(list("etaoinshrdlucmfw"), 40)) for _ in range(2000)]
    values = [text for one in base for text in (one, "zq" + one[2:-1])]
    sets = sets_of(values)
    similar = np.array([len(sets[i] & sets[i + 1]) / len(sets[i] | sets[i + 1]) for i in range(0, 4000, 2)])
    assert similar.min() > 0.7
    found = find_duplicates(Table.of({"t": values}), Randomness.simulated(3), recall=0.95, threshold=0.7, checked=0)
    hit = (found.group[::2] == found.group[1::2]).mean()
    assert hit > 0.92
    curve = dict(map(tuple, found.settings["curve"]))
    bands = Bands(found.settings["bands"], found.settings["rows of a band"])
    assert abs(hit - np.mean([bands.chance(one) for one in similar])) < 0.03
    assert curve[0.0] == 0.0
    assert curve[1.0] == 1.0


def test_the_check_sees_a_search_that_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: sketches of one band of twenty places find almost no pair."""
    values = texts(800, np.random.default_rng(5))
    monkeypatch.setattr(searching.Bands, "chosen", classmethod(lambda cls, *_, **__: cls(1, 20)))
    found = find_duplicates(Table.of({"t": values}), Randomness.simulated(3), threshold=0.6, checked=400)
    assert found.check["rows near one that was missed"].low > 0.1
    assert found.check["rows of which none was missed"].high < 0.5


def test_cells_and_numbers_and_many_numbers_and_images() -> None:
    generator = np.random.default_rng(6)
    cells = generator.integers(0, 30, size=(300, 10))
    cells[1::3] = cells[0::3]
    cells[1::3, 4] = 99
    wide = generator.normal(size=(300, 40))
    wide[1::3] = wide[0::3] + generator.normal(size=(100, 40)) / 50
    wanted = np.repeat(np.arange(0, 200, 2), 3)
    wanted[2::3] += 1
    table = Table.of({f"c{place}": [f"v{cell}" for cell in cells[:, place]] for place in range(10)})
    images = Records(np.where(np.arange(300)[:, None] >= 0, wide, 0).reshape(300, 5, 8), np.arange(300) % 2)
    for data in (
        table,
        Table.of({f"c{place}": wide[:, place] for place in range(40)}),
        Table.of({f"c{place}": wide[:, place] for place in range(6)}),
        images,
    ):
        found = find_duplicates(data, Randomness.simulated(1), recall=0.999999)
        assert found.group.tolist() == wanted.tolist()
        assert found.counts(found.exact)["surplus"] == 0


def test_leakage_between_sets() -> None:
    train = Table.of({"t": ["the quick brown fox jumps", "over the lazy dog again"], "who": ["a", "b"]})
    test = Table.of({"t": ["the quick brown fox JUMPS", "nothing of the kind here"], "who": ["a", "c"]})
    found = find_duplicates(train, Randomness.simulated(0), against=test, owner="who")
    assert repr(found) == "Duplicates(2 rows: 0 too many, 0 of them exact, 1 of 2 in both sets)"
    values = {name: one.value for name, one in found.leakage().items()}
    assert list(values.values()) == [0.0, 0.5, 0.5, 0.0]


def test_empty_texts_and_single_rows() -> None:
    found = find_duplicates(Table.of({"t": ["", None, "", "x"]}), Randomness.simulated(0))
    assert found.exact.tolist() == [0, 1, 0, 2]
    assert found.group.tolist() == [0, 1, 0, 2]  # an empty text is near nothing
    assert find_duplicates(Table.of({"a": [1]}), Randomness.simulated(0)).group.tolist() == [0]


def test_the_same_seed_gives_the_same_groups_and_progress_is_told() -> None:
    table, told = Table.of({"t": texts(60, np.random.default_rng(7))}), []
    one = find_duplicates(table, Randomness.simulated(5), recall=0.5, progress=lambda *what: told.append(what))
    assert one.group.tolist() == find_duplicates(table, Randomness.simulated(5), recall=0.5).group.tolist()
    assert {name for name, *_ in told} == {"reading", "sketching", "comparing"}
    assert one.settings["repeatable"]


def people(rows: int, generator: np.random.Generator) -> dict[str, list[object]]:
    """Invented patients; the first columns tell most."""
    words = [
        "cough",
        "fever",
        "pain",
        "since",
        "monday",
        "leg",
        "arm",
        "head",
        "mild",
        "severe",
        "stable",
        "day",
        "night",
    ]
    words += ["left", "right", "dizzy", "rash", "lung"]
    return {
        "note": [" ".join(generator.choice(words, 12)) for _ in range(rows)],
        "weight": generator.normal(75, 15, rows).round(1).tolist(),
        "crp": generator.lognormal(1, 1.2, rows).round(1).tolist(),
        "age": generator.integers(18, 95, rows).tolist(),
        "creatinine": generator.lognormal(0, 0.3, rows).round(2).tolist(),
        "street": [f"{generator.choice(words)} street {number}" for number in generator.integers(1, 90, rows)],
        "sex": generator.choice(["f", "m"], rows).tolist(),
        "smoker": generator.choice(["yes", "no"], rows).tolist(),
    }


def with_copies(cells: dict[str, list[object]], count: int, generator: np.random.Generator) -> set[tuple[int, int]]:
    """The last rows become copies of the first ones but for one cell, of somebody else; which they are."""
    rows = len(cells["age"])
    for row in range(count):
        for values in cells.values():
            values[rows - 1 - row] = values[row]
        changed = cells[str(generator.choice(list(cells)))]
        changed[rows - 1 - row] = changed[count + row]
    return {(row, rows - 1 - row) for row in range(count)}


@pytest.mark.slow
@pytest.mark.parametrize("width", [5, 6, 7, 8])
def test_copies_with_one_changed_cell_are_found_below_nine_columns(width: int) -> None:
    """Of 50, once none below nine columns; at least 42 are asked for, and at most three pairs that are none."""
    generator = np.random.default_rng(width)
    cells = dict(list(people(3000, generator).items())[:width])
    planted = with_copies(cells, 50, generator)
    found = find_duplicates(Table.of(cells), Randomness.simulated(1))
    planted = {pair for pair in planted if found.exact[pair[0]] != found.exact[pair[1]]}
    first = np.unique(found.exact, return_index=True)[1]
    pairs = {tuple(sorted(first[pair].tolist())) for pair in found.pairs}
    assert len(pairs & planted) >= 0.84 * len(planted)
    assert len(pairs - planted) <= 3
    assert found.settings["differ"] == 1
    assert found.check["rows near one that was missed"].value <= 0.004


def test_slips_of_the_pen_are_no_difference() -> None:
    generator = np.random.default_rng(9)
    cells = people(2500, generator)
    for row in range(40):
        for values in cells.values():
            values[2499 - row] = values[row]
        note = str(cells["note"][row])
        cells["note"][2499 - row] = note[:7] + "z" + note[8:]
        cells["weight"][2499 - row] = round(float(cells["weight"][row]) * 1.005, 1)  # type: ignore[arg-type]
        cells["age"][2499 - row] = 17  # and one cell is changed
    found = find_duplicates(Table.of(cells), Randomness.simulated(1))
    pairs = {tuple(sorted(pair)) for pair in found.pairs.tolist()}
    assert len(pairs & {(row, 2499 - row) for row in range(40)}) >= 38


@pytest.mark.slow
def test_people_who_are_alike_by_chance_are_no_copies() -> None:
    """Four columns of numbers, one of them skewed; once, 940 of 3,316 rows were "too many". None is a copy here.

    With five controls, how many pairs stand above all that they have is about one in each of two strata.
    """
    generator = np.random.default_rng(11)
    cells = {name: people(4000, generator)[name] for name in ("age", "weight", "creatinine", "crp")}
    whole = Table.of(cells)
    train, test = whole.take(np.arange(3300)), whole.take(np.arange(3300, 4000))
    found = find_duplicates(train, Randomness.simulated(1), against=test)
    assert len(found.pairs) <= 8
    assert found.settings["pairs before calibration"] > 4000  # which chance gives as well:
    assert (
        abs(found.settings["by chance"]["pairs before calibration"] / found.settings["pairs before calibration"] - 1)
        < 0.1
    )
    numbers = find_duplicates(train, Randomness.simulated(1), against=test, way="numbers")
    assert len(numbers.pairs) <= 8
    loose = find_duplicates(train, Randomness.simulated(1), against=test, way="numbers", threshold=0.1)
    assert len(loose.pairs) > 100
    share = loose.chance["rows of the second set near one of the first, and equal to none"]
    assert abs(share["found"] - share["by chance"].value) < 0.08  # five deviations of a share of 700


def test_columns_that_depend_on_each_other_do_not_look_like_copies() -> None:
    """Three groups of columns that follow from a hidden class and a hidden number: rows alike in one are so in all."""
    generator = np.random.default_rng(12)
    kind, level = generator.integers(0, 40, 2500), generator.normal(size=2500)
    cells: dict[str, list[object]] = {
        f"code {place}": [f"k{(one * 7 + place) % 40}" for one in kind] for place in range(4)
    }
    cells |= {
        f"dose {place}": (level * (place + 1) + generator.normal(0, 0.02, 2500)).round(1).tolist() for place in range(4)
    }
    found = find_duplicates(Table.of(cells), Randomness.simulated(1), checked=0)
    distinct = int(found.exact.max()) + 1
    assert found.settings["pairs before calibration"] > 2000
    assert len(np.unique(found.pairs)) < 0.02 * distinct


def test_calibration_can_be_left_out_and_chance_still_stands_beside() -> None:
    generator = np.random.default_rng(13)
    cells = {name: people(1500, generator)[name] for name in ("age", "sex", "smoker")}
    found = find_duplicates(Table.of(cells), Randomness.simulated(1), chance=1, differ=1)
    assert len(found.pairs) == found.settings["pairs before calibration"] > 1000
    strict = find_duplicates(Table.of(cells), Randomness.simulated(1))
    assert len(strict.pairs) == 0
    assert strict.chance["rows equal to another one"]["found"] > 0.9
    assert strict.chance["rows equal to another one"]["by chance"].value > 0.9


def test_one_column_that_varies_cannot_have_near_copies() -> None:
    found = find_duplicates(Table.of({"a": [1.0, 1.01, 5.0], "b": ["x"] * 3}), Randomness.simulated(0))
    assert (found.settings["cells"], found.settings["differ"], len(found.pairs)) == (1, 0, 0)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"differ": 2}, "below the number of cells"),
        ({"threshold": 0.8}, "no threshold for cells"),
        ({"way": "numbers", "differ": 1}, "for cells only"),
        ({"chance": 1.5}, "chance"),
    ],
)
def test_options_of_cells_are_checked(settings: dict[str, object], text: str) -> None:
    table = Table.of({"a": [1, 2, 3], "b": [5, 6, 7]})
    with pytest.raises(UsageError, match=text):
        find_duplicates(table, Randomness.simulated(0), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("settings", [{"threshold": 0.0}, {"threshold": 1.5}, {"recall": 1.0}, {"checked": -1}])
def test_options_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        find_duplicates(Table.of({"t": ["a"]}), Randomness.simulated(0), **settings)  # type: ignore[arg-type]
