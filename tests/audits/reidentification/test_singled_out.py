"""Singling out counts only what is unlikely beforehand; what says nothing stays at what guessing gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reticent.attacks.reidentification.predicates import predicates_of
from reticent.attacks.reidentification.singling_out import trivial
from reticent.audits.reidentification import held_out_needed, single_out
from reticent.data.anonymity import Generalisation, Key, anonymise
from reticent.data.tables import Column, Table, read
from reticent.errors import DataError
from reticent.evidence import Status
from reticent.randomness import Randomness

DRAW = np.random.default_rng(1)


def people(rows: int, columns: int = 30, values: int = 20) -> Table:
    return Table.of({f"a{place}": DRAW.integers(0, values, rows) for place in range(columns)})


def k_anonymous(table: Table, k: int, shown: int = 0) -> Table:
    """Groups of k or more by the first columns, each described by its ranges in all columns but the last `shown`."""
    names = table.names[: len(table.names) - shown]
    numbers = {name: table[name].numbers() for name in names}
    order = np.lexsort([numbers[name] for name in names[:3]])
    parts = np.array_split(order, table.rows // k)
    cells = {name: np.empty(table.rows, dtype=object) for name in names}
    for part in parts:
        for name in names:
            inside = numbers[name][part]
            cells[name][part] = f"[{inside.min():g}, {inside.max():g}]"
    return table.replaced(Column.of(name, cells[name].tolist()) for name in names)


SECRET, OTHERS = people(200), people(20_000)


def test_a_k_anonymous_table_is_singled_out_at_the_rate_of_theory() -> None:
    """In 30 columns a group of 5 is described by what hardly anybody else fits: (4/5)^4 = 41 % of attempts succeed."""
    released = k_anonymous(SECRET, 5)
    found = single_out(released, SECRET, OTHERS, attempts=40, randomness=Randomness.simulated(1))
    share, guess = found.finding.estimates["singled out"], found.finding.baseline["singled out"]
    assert found.finding.attack == "singling out by cells and a coin"
    # 40 coins: 6 deviations are 0.47, so the interval of the null is what is asked
    assert share.low > guess.high
    assert abs(share.value - 0.8**4) < 0.47
    assert found.finding.baseline["isolated, whatever the weight"].value == 0


def test_columns_that_stay_as_they_are_single_people_out() -> None:
    released = k_anonymous(SECRET, 5, shown=10)
    found = single_out(released, SECRET, OTHERS, attempts=40, randomness=Randomness.simulated(2))
    assert found.finding.attack == "singling out by cells"
    assert found.finding.estimates["singled out"].value == 1.0


def test_a_table_of_other_people_singles_nobody_out() -> None:
    """The null: a release that was made from others."""
    found = single_out(people(200), SECRET, OTHERS, attempts=100, randomness=Randomness.simulated(3))
    assert found.finding.estimates["singled out"].value == 0.0


def test_heavy_predicates_do_not_count() -> None:
    """One column of 200 values: a class of one isolates, and so would anybody's guess of a value."""
    secret, others = people(200, 1, 200), people(20_000, 1, 200)
    found = single_out(secret, secret, others, attempts=60, randomness=Randomness.simulated(4))
    assert found.finding.status is Status.INCONCLUSIVE
    assert found.finding.estimates["isolated, whatever the weight"].value == 1.0
    assert found.finding.estimates["singled out"].value == 0.0
    assert found.finding.baseline["isolated, whatever the weight"].value == pytest.approx(
        float(trivial(1 / 200, 200)), abs=0.37
    )


def test_too_few_others_are_said_to_be_too_few() -> None:
    found = single_out(SECRET, SECRET, people(300), attempts=20, randomness=Randomness.simulated(5))
    needed = held_out_needed(1 / 2000, 20)
    assert found.finding.status is Status.INCONCLUSIVE
    assert str(needed) in found.finding.reason
    enough = single_out(SECRET, SECRET, people(needed), attempts=20, randomness=Randomness.simulated(5))
    assert enough.finding.status is Status.EXECUTED
    less = single_out(SECRET, SECRET, people(needed - 1), attempts=20, randomness=Randomness.simulated(5))
    assert less.finding.status is Status.INCONCLUSIVE


def test_an_attempt_of_unknown_weight_is_neither_success_nor_failure() -> None:
    """Half of the classes are seen nowhere else, half so seldom that so few others cannot tell what they weigh."""
    rare = Table.of({"a": [f"x{i}" for i in range(100)] + [f"y{i}" for i in range(100)]})
    seen = [f"y{i}" for i in range(100)] * 10
    others = Table.of({"a": seen + ["z"] * (30_000 - len(seen))})
    found = single_out(rare, rare, others, attempts=200, randomness=Randomness.simulated(7))
    share, possible = (found.finding.estimates[name] for name in ("singled out", "singled out, or of unknown weight"))
    assert (share.value, possible.value) == (0.5, 1.0)
    heavy = Table.of({"a": [f"y{i}" for i in range(100)] * 50 + ["z"] * 25_000})  # 1/600 each: shown to be too large
    found = single_out(rare, rare, heavy, attempts=200, randomness=Randomness.simulated(7))
    assert found.finding.estimates["singled out, or of unknown weight"].value == 0.5


def test_upper_ends_hold_for_all_attempts_together() -> None:
    """Weights are 1/50 each. In 400 repetitions some end is too low at most 5 % of the time (6 deviations: 12 %)."""
    from reticent.audits.reidentification.singled_out import _upper

    draw = np.random.default_rng(6)
    missed = [bool((_upper(draw.binomial(800, 1 / 50, 25), 800, 0.95) < 1 / 50).any()) for _ in range(400)]
    assert np.mean(missed) < 0.12


def test_records_and_pages_show_no_cell(tmp_path: Path) -> None:
    data = Table.of({"name": [f"secret{i}" for i in range(50)], "n": list(range(50))})
    other = Table.of({"name": [f"other{i}" for i in range(8000)], "n": [i % 90 for i in range(8000)]})
    found = single_out(data, data, other, attempts=10, randomness=Randomness.simulated(1))
    for ending in ("html", "json"):
        assert "secret" not in found.save(tmp_path / f"found.{ending}").read_text()
    with pytest.raises(DataError, match="columns of the data"):
        single_out(data, data, other.select(["n"]))


@pytest.mark.parametrize("method", ["lattice", "mondrian"])
def test_what_anonymise_wrote_is_explained_by_what_it_saved(method: str, tmp_path: Path) -> None:
    def drawn(rows: int, seed: int) -> Table:
        draw = np.random.default_rng(seed)
        born = (np.datetime64("1950-01-01") + draw.integers(0, 9_000, rows)).astype("datetime64[us]")
        born[draw.random(rows) < 0.1] = np.datetime64("NaT")
        return Table.of({"born": born, "sex": draw.choice(["f", "m"], rows), "code": draw.integers(0, 400, rows),
                         "id": [f"p{seed}-{row}" for row in range(rows)]})  # fmt: skip

    secret, others = drawn(60, 1), drawn(6_000, 2)
    key = Key.new()
    made = anonymise(secret, quasi=["born", "sex"], k=3, method=method, pseudonymise=["id"], key=key, suppression=0.1)
    released = read(made.table.save(tmp_path / "released.csv"))
    fit = Generalisation.load(made.generalisation.save(tmp_path / "fit.json"))
    # every released row, read by what was saved, holds for the row that it was made from
    rows = np.flatnonzero(made.kept)
    said = predicates_of(released.without(["id"]), secret, fit.meanings(secret))
    for number, one in enumerate(said):
        assert one.mask(secret)[rows[number]]
    found = single_out(released, secret, others, generalisation=fit, attempts=30, randomness=Randomness.simulated(1))
    assert found.finding.estimates["isolated, whatever the weight"].value > 0.5
