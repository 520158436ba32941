"""How fast duplicates are found, in how much memory, and how many of them.

Run: python benchmarks/duplicates.py [--json] [--rows 1000000] [--only texts,numbers,cells,planted,four,adult]

* texts: short notes of about ten words from a Zipf law; a part of them are copies of others with one letter changed in
  one to four words, so that Jaccard similarities spread around the threshold. Recall is measured by the exact check of
  a random sample of rows (`Duplicates.check`) and, pair by pair, on the planted copies whose exact Jaccard similarity
  is at least 0.8.
* numbers: eight Gaussian columns, a part of the rows copies with noise of a twentieth of a deviation.
* cells: twelve columns of few values; a part of the rows copies with one cell changed.
* planted: invented patients, 3,000 of them with 3 to 20 columns (texts, numbers, or both, some of them depending on
  age), in which 100 rows become copies of others: with one cell of somebody else; with slips (a letter in each text
  with probability 0.3, each number off by 1 % of itself with probability 0.7: for a temperature, half a deviation); or
  with noise of a twentieth of a robust deviation (that of the quarters) in every number. Recall is the share of
  planted pairs, those that became equal left out, that are found; "false" is the share of all rows that stand in a
  near pair that was not planted.
* four: age, weight, creatinine and skewed CRP of 3,000 invented patients, 95 of them copies with a little noise.
* adult: 6,000 census records, halves held against each other, with and without the sampling weight: nobody was copied.

Times are of the processor; memory is the largest that the process had.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from _command import asked, peak_mb, show
from reticent.data import load
from reticent.data.duplicates import find_duplicates
from reticent.data.duplicates.sketches import Sets
from reticent.data.tables import Table
from reticent.evidence.intervals import rate
from reticent.randomness import Randomness

SHARE = 0.1


def notes(rows: int, generator: np.random.Generator) -> tuple[list[str], np.ndarray]:
    """Texts, and for each row the row that it is an edited copy of, or -1."""
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
    words = np.unique(["".join(generator.choice(letters, size)) for size in generator.integers(2, 10, 60_000)])
    generator.shuffle(words)
    chances = 1 / (np.arange(len(words)) + 30.0)
    drawn = generator.choice(len(words), p=chances / chances.sum(), size=(rows, 10))
    copies = generator.random(rows) < SHARE
    copies[0] = False
    source = np.where(copies, (generator.random(rows) * np.arange(rows)).astype(int), -1)
    source[copies & copies[np.maximum(source, 0)]] = -1
    texts = []
    for row in range(rows):
        if source[row] < 0:
            texts.append(" ".join(words[drawn[row]]))
            continue
        parts = texts[source[row]].split()
        for place in generator.choice(len(parts), min(len(parts), int(generator.integers(1, 5))), replace=False):
            word = parts[place]
            at = int(generator.integers(len(word)))
            parts[place] = word[:at] + str(generator.choice(letters)) + word[at + 1 :]
        texts.append(" ".join(parts))
    return texts, source


def measured(table: Any, **settings: Any) -> tuple[dict[str, Any], Any]:
    began = time.process_time()
    found = find_duplicates(table, Randomness.simulated(0), checked=0, **settings)
    seconds = time.process_time() - began
    began = time.process_time()
    checked = (
        find_duplicates(table, Randomness.simulated(0), checked=1000, **settings) if len(table) <= 200_000 else None
    )
    again = time.process_time() - began
    kept = found.settings
    return {
        "rows": len(table),
        "seconds": round(seconds, 1),
        "with check": round(again, 1) if checked is not None else None,
        "peak GB": round(peak_mb() / 1024, 2),
        "bands": [kept["bands"], kept["rows of a band"]],
        "by chance": kept["by chance"],
        "pairs looked at": kept["pairs looked at"],
        "near pairs": kept["near pairs"],
        "surplus": found.counts(found.group)["surplus"],
        "check": {} if checked is None else {name: str(one) for name, one in checked.check.items()},
    }, found


def by_text(rows: int, generator: np.random.Generator) -> dict[str, Any]:
    texts, source = notes(rows, generator)
    figures, found = measured(Table.of({"note": texts}), way="text")
    planted = np.flatnonzero(source >= 0)[:20_000]
    both = Sets.of_texts([texts[row] for pair in zip(planted, source[planted], strict=True) for row in pair])
    exact = both.nearness(np.arange(2 * len(planted)).reshape(-1, 2))
    near = exact >= 0.8
    pairs = {tuple(sorted(pair)) for pair in found.pairs.tolist()}
    numbers = zip(found.exact[planted].tolist(), found.exact[source[planted]].tolist(), strict=True)
    hit = np.array([one == other or tuple(sorted((one, other))) in pairs for one, other in numbers])
    for name, some in (("pairs at 0.8 or more", near), ("of these below 0.83", near & (exact < 0.83))):
        figures[f"planted {name} found"] = str(rate(int(hit[some].sum()), int(some.sum()), method="planted"))
    return figures


def by_numbers(rows: int, generator: np.random.Generator) -> dict[str, Any]:
    values = generator.normal(size=(rows, 8))
    copies = np.flatnonzero(generator.random(rows) < SHARE)
    values[copies] = values[generator.integers(0, rows, len(copies))] + generator.normal(size=(len(copies), 8)) / 20
    return measured(Table.of({f"c{place}": values[:, place] for place in range(8)}))[0]


def by_cells(rows: int, generator: np.random.Generator) -> dict[str, Any]:
    values = generator.integers(0, 40, size=(rows, 12))
    copies = np.flatnonzero(generator.random(rows) < SHARE)
    values[copies] = values[generator.integers(0, rows, len(copies))]
    values[copies, generator.integers(0, 12, len(copies))] = 99
    table = Table.of({f"c{place}": [f"v{value}" for value in values[:, place]] for place in range(12)})
    return measured(table, way="cells")[0]


WORDS = [
    "cough",
    "fever",
    "pain",
    "since",
    "monday",
    "tuesday",
    "leg",
    "arm",
    "head",
    "none",
    "some",
    "mild",
    "severe",
    "chronic",
    "stable",
    "day",
    "night",
    "left",
    "right",
    "patient",
    "reports",
    "denies",
    "history",
    "asthma",
    "diabetes",
    "follow",
    "up",
    "visit",
    "planned",
    "blood",
    "pressure",
    "heart",
    "lung",
    "clear",
    "normal",
    "chest",
    "dizzy",
    "nausea",
    "rash",
    "itching",
    "swelling",
    "family",
    "work",
    "travel",
    "sleeps",
    "walks",
    "eats",
    "little",
    "much",
    "often",
    "never",
    "daily",
    "weekly",
    "tablet",
    "stopped",
    "started",
    "dose",
    "doubled",
    "halved",
]


def patients(rows: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Columns of invented people, by kind: a name's first letter is t for texts and categories, n for numbers."""
    age = generator.integers(18, 95, rows)
    kinds = [f"{letter}{digit}" for letter in "ABCDEFGH" for digit in range(10)]
    return {
        "n age": age,
        "t sex": generator.choice(["f", "m"], rows),
        "n weight": np.round(generator.normal(75, 15, rows), 1),
        "t note": np.array([" ".join(generator.choice(WORDS, int(size))) for size in generator.integers(6, 16, rows)]),
        "n crp": np.round(generator.lognormal(1, 1.2, rows), 1),
        "t diagnosis": generator.choice(kinds, rows),
        "n creatinine": np.round(generator.lognormal(0, 0.3, rows) * (1 + age / 200), 2),
        "t street": np.array([f"{generator.choice(WORDS)} street {size}" for size in generator.integers(1, 90, rows)]),
        "n pressure": np.round(100 + age / 2 + generator.normal(0, 10, rows)),
        "t smoker": generator.choice(["yes", "no", "once"], rows, p=[0.2, 0.5, 0.3]),
        "n sodium": np.round(generator.normal(140, 3, rows), 1),
        "t ward": generator.choice([f"ward {place}" for place in range(12)], rows),
        "n height": np.round(generator.normal(170, 10, rows)),
        "t drug": np.array([" ".join(generator.choice(WORDS, 2)) for _ in range(rows)]),
        "n visits": generator.poisson(3, rows),
        "t city": generator.choice([f"city {place}" for place in range(200)], rows),
        "n glucose": np.round(generator.lognormal(1.7, 0.25, rows), 1),
        "t insurer": generator.choice(["a", "b", "c", "d"], rows),
        "n pulse": np.round(generator.normal(72, 11, rows)),
        "t doctor": generator.choice([f"dr. {one} {other}" for one in WORDS[:9] for other in WORDS[9:18]], rows),
        "n temperature": np.round(generator.normal(36.8, 0.5, rows), 1),
        "n haemoglobin": np.round(generator.normal(14, 1.5, rows), 1),
        "n platelets": np.round(generator.normal(250, 60, rows)),
        "n income": np.round(generator.lognormal(10, 0.8, rows)),
        "t job": generator.choice(WORDS, rows),
        "t mother": generator.choice(WORDS, rows),
        "t street of work": np.array(
            [f"{generator.choice(WORDS)} lane {size}" for size in generator.integers(1, 90, rows)]
        ),
    }


def spoiled(cell: Any, generator: np.random.Generator) -> Any:
    """A cell with a slip, or as it was."""
    if isinstance(cell, str):
        at = int(generator.integers(len(cell)))
        return cell[:at] + "q" + cell[at + 1 :] if generator.random() < 0.3 and len(cell) > 4 else cell
    return round(float(cell) * (1 + 0.01 * generator.normal()), 2) if generator.random() < 0.7 else cell


CHANGES = ("one cell", "slips", "noise", "none")


def plant(
    columns: dict[str, np.ndarray], kind: str, count: int, generator: np.random.Generator
) -> dict[str, list[Any]]:
    """The last rows become copies of the first ones."""
    cells = {name: values.tolist() for name, values in columns.items()}
    rows = len(next(iter(cells.values())))
    for row in range(count):
        for values in cells.values():
            values[rows - 1 - row] = spoiled(values[row], generator) if kind == "slips" else values[row]
        if kind == "noise":
            for name, values in cells.items():
                if name[0] == "n":
                    low, high = np.quantile(columns[name], [0.25, 0.75])
                    away = 0.05 * float(high - low) / 1.349 * generator.normal()
                    values[rows - 1 - row] = round(float(values[row]) + away, 2)
        if kind == "one cell":
            values = cells[str(generator.choice(list(cells)))]
            values[rows - 1 - row] = values[count + row]
    return cells


def by_planted(_rows: int, generator: np.random.Generator) -> dict[str, Any]:
    rows, count, draws = 3_000, 100, 1
    said: dict[str, Any] = {}
    for letters, kind in [(one, two) for one in ("n", "t", "nt") for two in CHANGES]:
        for width in (3, 4, 5, 6, 8, 10, 14, 20):
            hits, planted, wrong, seconds = 0, 0, 0, 0.0
            for draw in range(draws):
                columns = {name: values for name, values in patients(rows, generator).items() if name[0] in letters}
                if len(columns) < width:
                    break
                columns = dict(list(columns.items())[:width])
                table = Table.of(plant(columns, kind, 0 if kind == "none" else count, generator))
                began = time.process_time()
                found = find_duplicates(table, Randomness.simulated(draw), checked=0)
                seconds += time.process_time() - began
                first = np.unique(found.exact, return_index=True)[1]
                pairs = {tuple(sorted((int(first[a]), int(first[b])))) for a, b in found.pairs}
                true = {(row, rows - 1 - row) for row in range(0 if kind == "none" else count)}
                true = {(one, two) for one, two in true if found.exact[one] != found.exact[two]}
                hits, planted = hits + len(true & pairs), planted + len(true)
                wrong += len({row for pair in pairs - true for row in pair})
            else:
                name = f"{ {'n': 'numbers', 't': 'texts', 'nt': 'mixed'}[letters] }, {width} columns, {kind}"
                said[name] = {
                    "recall": None if not planted else str(rate(hits, planted, method="planted")),
                    "false": str(rate(wrong, rows * draws, method="rows")),
                    "wrong rows a table": wrong / draws,
                    "seconds a table": round(seconds / draws, 2),
                }
    return said


def by_four(_rows: int, generator: np.random.Generator) -> dict[str, Any]:
    rows, count = 3_000, 95
    said = {}
    for noise in (0.0, 0.005, 0.01, 0.02):
        columns = patients(rows, generator)
        chosen = {name: columns[f"n {name}"].astype(float) for name in ("age", "weight", "crp")}
        chosen["creatinine"] = np.round(generator.lognormal(0, 0.3, rows), 2)
        for name, values in chosen.items():
            low, high = np.quantile(values, [0.25, 0.75])
            away = 0.0 if name == "age" else noise * float(high - low) / 1.349
            values[rows - count :] = values[:count] + away * generator.normal(size=count)
        if not noise:
            chosen["weight"][rows - count :] += 0.1
        for way in ("cells", "numbers"):
            found = find_duplicates(Table.of(chosen), Randomness.simulated(1), way=way, checked=0)
            first = np.unique(found.exact, return_index=True)[1]
            pairs = {tuple(sorted((int(first[a]), int(first[b])))) for a, b in found.pairs}
            right = len(pairs & {(row, rows - count + row) for row in range(count)})
            said[f"noise {noise:g}, {way}"] = {
                "recall": str(rate(right, count, method="planted")),
                "wrong pairs": len(pairs) - right,
                "by chance": found.settings["by chance"]["near pairs"],
            }
    return said


def by_adult(_rows: int, generator: np.random.Generator) -> dict[str, Any]:
    data = load("adult")
    said = {}
    for name, wide in (("with the weight", data.features), ("without it", np.delete(data.features, 1, axis=1))):
        chosen = wide[generator.permutation(len(wide))[:6_000]]
        tables = [
            Table.of({f"c{place}": half[:, place] for place in range(half.shape[1])})
            for half in (chosen[:3_000], chosen[3_000:])
        ]
        found = find_duplicates(tables[0], Randomness.simulated(0), against=tables[1], checked=0)
        said[name] = {
            "cells": found.settings["cells"],
            "near pairs": found.settings["near pairs"],
            "leakage": {one: str(two) for one, two in found.leakage().items()},
            "chance": {one: [round(two["found"], 4), str(two["by chance"])] for one, two in found.chance.items()},
        }
    return said


KINDS = {
    "texts": by_text,
    "numbers": by_numbers,
    "cells": by_cells,
    "planted": by_planted,
    "four": by_four,
    "adult": by_adult,
}


def main() -> None:
    options = asked(__doc__, rows=1_000_000, only="texts,numbers,cells,planted,four")
    figures = {
        name: KINDS[name](options.rows, np.random.Generator(np.random.PCG64(7))) for name in options.only.split(",")
    }
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
