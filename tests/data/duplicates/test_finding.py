"""Planted copies are found, and nothing that is not near; the check sees what is missed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from reticent.data.duplicates import Bands, find_duplicates, finding
from reticent.data.duplicates.found import components
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


def brute(values: list[str], bar: float) -> np.ndarray:
    sets = sets_of(values)
    pairs = [
        (a, b)
        for a, b in itertools.combinations(range(len(values)), 2)
        if len(sets[a] & sets[b]) >= bar * len(sets[a] | sets[b])
    ]
    return components(len(values), np.array(pairs, np.int64).reshape(-1, 2))


def test_groups_of_texts_are_those_of_all_pairs() -> None:
    """With a recall of 1 - 1e-9 a pair, the false alarm of this test is below 1e-6."""
    values = texts(400, np.random.default_rng(1))
    found = find_duplicates(Table.of({"t": values}), Randomness.simulated(3), recall=1 - 1e-9, threshold=0.7)
    assert found.group.tolist() == brute(values, 0.7).tolist()
    assert found.check["rows with a twin that was missed"].value == 0


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
    monkeypatch.setattr(finding.Bands, "chosen", classmethod(lambda cls, *_, **__: cls(1, 20)))
    found = find_duplicates(Table.of({"t": values}), Randomness.simulated(3), threshold=0.6, checked=400)
    assert found.check["rows with a twin that was missed"].low > 0.1
    assert found.check["rows all of whose twins were found"].high < 0.5


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


@pytest.mark.parametrize("settings", [{"threshold": 0.0}, {"threshold": 1.5}, {"recall": 1.0}, {"checked": -1}])
def test_options_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        find_duplicates(Table.of({"t": ["a"]}), Randomness.simulated(0), **settings)  # type: ignore[arg-type]
