"""Splink's weights against a Fellegi-Sunter model by hand, its estimates against a known truth; nothing leaves."""

from __future__ import annotations

import logging
import math
import socket
from collections import Counter
from pathlib import Path

import duckdb
import numpy as np
import pytest

from reticent._numbers import shown
from reticent.attacks.reidentification.linkage import fellegi_sunter as module
from reticent.attacks.reidentification.linkage.blocking import Rules, chosen
from reticent.attacks.reidentification.linkage.fellegi_sunter import Candidates, candidates
from reticent.attacks.reidentification.linkage.fields import Field, fields_of
from reticent.data.tables import Table
from reticent.randomness import Randomness

LETTERS = list("abcdefghijklmnopqrstuvwxyz")


def jaro_winkler(one: str, other: str) -> float:
    """By its definition: letters in common within half the longer length, half the swapped ones, four first letters."""
    if one == other:
        return 1.0
    reach = max(0, max(len(one), len(other)) // 2 - 1)
    used, mine = [False] * len(other), []
    for place, letter in enumerate(one):
        for at in range(max(0, place - reach), min(len(other), place + reach + 1)):
            if not used[at] and other[at] == letter:
                used[at] = True
                mine.append(letter)
                break
    theirs = [letter for letter, hit in zip(other, used, strict=True) if hit]
    common = len(mine)
    if not common:
        return 0.0
    swapped = sum(a != b for a, b in zip(mine, theirs, strict=True)) / 2
    jaro = (common / len(one) + common / len(other) + (common - swapped) / common) / 3
    prefix = 0
    for a, b in zip(one[:4], other[:4], strict=False):
        if a != b:
            break
        prefix += 1
    return jaro + 0.1 * prefix * (1 - jaro) if jaro > 0.7 else jaro


def edits(one: str, other: str) -> int:
    """Insertions, deletions, changes and swaps of neighbours."""
    table = {(i, 0): i for i in range(len(one) + 1)} | {(0, j): j for j in range(len(other) + 1)}
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            best = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (one[i - 1] != other[j - 1]))
            if i > 1 and j > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
                best = min(best, table[i - 2, j - 2] + 1)
            table[i, j] = best
    return table[len(one), len(other)]


def people(rows: int, seed: int = 0, wrong: float = 0.15) -> tuple[Table, Table]:
    """A register, and a release of the same people in the same order, each cell misspelt or missing now and then."""
    generator = np.random.default_rng(seed)
    names = ["".join(generator.choice(LETTERS, generator.integers(4, 9))) for _ in range(60)]
    weights = 1 / np.arange(1, 61)
    register = {
        "name": list(generator.choice(names, rows, p=weights / weights.sum())),
        "code": [f"{value:05d}" for value in generator.integers(10_000, 99_999, rows)],
        "born": [str(np.datetime64("1950-01-01") + int(day)) for day in generator.integers(0, 15_000, rows)],
        "weight": list(np.round(generator.normal(70, 12, rows), 1)),
        "town": list(generator.choice(["ely", "bath", "york", "wells"], rows)),
    }
    release: dict[str, list[object]] = {}
    for column, values in register.items():
        cells: list[object] = []
        for value in values:
            if generator.random() < 0.05:
                cells.append(None)
            elif generator.random() < wrong and column == "weight":
                cells.append(round(float(value) + float(generator.normal(0, 2)), 1))
            elif generator.random() < wrong and column == "town":
                cells.append(str(generator.choice(["ely", "bath", "york", "wells"])))
            elif generator.random() < wrong and column in ("name", "code"):
                text, at = str(value), int(generator.integers(len(value)))
                cells.append(text[:at] + str(generator.choice(list("0123456789"))) + text[at + 1 :])
            else:
                cells.append(value)
        release[column] = cells
    return Table.of(release), Table.of(register)


def level_of(field: Field, left: str, right: str, numbers: tuple[float, float], spread: float) -> str:
    if left == right:
        return "equal"
    apart = abs(numbers[0] - numbers[1])
    if field.kind == "name":
        near = jaro_winkler(left, right)
        return next((f"Jaro-Winkler at least {bar}" for bar in (0.92, 0.8) if near >= bar), "else")
    if field.kind == "code":
        return {1: "one edit", 2: "two edits"}.get(edits(left, right), "else")
    if field.kind == "date":
        if edits(left, right) <= 1:
            return "one edit"
        return "at most 31 days apart" if apart <= 31 else ("same year" if left[:4] == right[:4] else "else")
    if field.kind == "number":
        reach = [part * spread for part in module.TOLERANCES]
        return next((f"at most {shown(most)} apart" for most in reach if apart <= most), "else")
    return "else"


def by_hand(fields: tuple[Field, ...], found: Candidates) -> np.ndarray:
    """The same weights by loops: log m/u of the level, for equal values by how often the value occurs."""
    known = {(level.field, level.says): (level.m, level.u) for level in found.levels}
    total = np.zeros(len(found.release))
    for field in fields:
        sides = (field.left, field.right)
        codes = (field.left_codes, field.right_codes)
        counts = Counter(sides[side][code] for side in (0, 1) for code in codes[side] if sides[side][code] is not None)
        whole = sum(counts.values())
        values = np.unique(np.concatenate(field.numbers)) if field.numbers is not None else np.zeros(1)
        spread = float(values[~np.isnan(values)].std())
        for place, (row, other) in enumerate(zip(found.release, found.register, strict=True)):
            left, right = field.left[field.left_codes[row]], field.right[field.right_codes[other]]
            if left is None or right is None:
                continue
            numbers = (0.0, 0.0)
            if field.numbers is not None:
                numbers = (field.numbers[0][field.left_codes[row]], field.numbers[1][field.right_codes[other]])
            says = level_of(field, left, right, numbers, spread)
            m, u = known[field.name, says]
            total[place] += math.log(m / (counts[left] / whole if says == "equal" else u))
    return total


@pytest.mark.slow
def test_weights_are_those_of_a_model_by_hand() -> None:
    release, register = people(60)
    fields = fields_of(release, register)
    assert [field.kind for field in fields] == ["name", "code", "date", "number", "name"]
    found = candidates(fields, Rules(((),), (3600,)), Randomness.simulated(1))
    assert len(found.release) == 3600
    assert found.log_factor == pytest.approx(by_hand(fields, found), abs=1e-6)


@pytest.mark.slow
def test_what_matches_do_is_learned() -> None:
    """2000 people, so m has a standard error of at most 0.012; 0.06 is five of them, and u is counted exactly."""
    release, register = people(2000, wrong=0.2)
    fields = fields_of(release, register, columns=["name", "code", "born", "town"])
    found = candidates(fields, chosen(fields, most=200_000), Randomness.simulated(2))
    assert found.assumed == ()
    for level in found.levels:
        if level.says != "equal":
            continue
        one, other = (table[level.field].cells() for table in (release, register))
        both = [(a, b) for a, b in zip(one, other, strict=True) if a is not None]
        assert abs(level.m - np.mean([a == b for a, b in both])) < 0.06
        tally = Counter(b for _, b in both)
        chance = sum(tally[a] for a, _ in both) / len(both) ** 2
        assert level.u == pytest.approx(chance, rel=0.25, abs=5e-4)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights() -> None:
    release, register = people(400)
    fields = fields_of(release, register)
    rules = chosen(fields, most=20_000)
    one, again = (candidates(fields, rules, Randomness.simulated(4)) for _ in range(2))
    assert (one.log_factor == again.log_factor).all()
    assert one.levels == again.levels


def test_ranges_and_prefixes_that_overlap() -> None:
    release = Table.of({"age": ["30-39", "35-44", "50-59"] * 20, "zip": ["021**", "0213*", "1****"] * 20})
    register = Table.of({"age": [37, 41, 50] * 20, "zip": ["02139", "02138", "10001"] * 20})
    fields = fields_of(release, register)
    assert all(field.fits for field in fields)
    found = candidates(fields, Rules(((),), (3600,)), Randomness.simulated(0))
    assert found.assumed == ("age", "zip")
    fits = {"age": {(0, 0), (1, 0), (1, 1), (2, 2)}, "zip": {(0, 0), (0, 1), (1, 0), (1, 1), (2, 2)}}
    known = {(level.field, level.says): math.log(level.m / level.u) for level in found.levels}
    wanted = [
        sum(known[name, "fits" if (row % 3, other % 3) in pairs else "else"] for name, pairs in fits.items())
        for row, other in zip(found.release, found.register, strict=True)
    ]
    assert found.log_factor == pytest.approx(np.array(wanted), abs=1e-6)


def test_nothing_is_written_loaded_or_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refused)
    logger = logging.getLogger("splink")
    before = logger.level, logger.propagate, list(logger.handlers)
    release, register = people(50)
    candidates(fields_of(release, register), Rules(((),), (2500,)), Randomness.simulated(0))
    assert list(tmp_path.iterdir()) == []
    assert (logger.level, logger.propagate, list(logger.handlers)) == before
    assert capfd.readouterr() == ("", "")


def test_the_database_reaches_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    with module._database("1GB") as connection:
        with pytest.raises(duckdb.Error):
            connection.execute("SELECT * FROM read_csv(?)", [str(tmp_path / "a.csv")])
        with pytest.raises(duckdb.Error):
            connection.execute("SET enable_external_access = true")
        with pytest.raises(duckdb.Error):
            connection.execute(f"COPY (SELECT 1) TO '{tmp_path / 'b.csv'}'")
