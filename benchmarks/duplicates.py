"""How fast duplicates are found, in how much memory, and how many of them.

Run: python benchmarks/duplicates.py [--json] [--rows 1000000] [--only texts,numbers,cells]

* texts: short notes of about ten words from a Zipf law; a part of them are copies of others with one letter changed in
  one to four words, so that Jaccard similarities spread around the threshold. Recall is measured by the exact check of
  a random sample of rows (`Duplicates.check`) and, pair by pair, on the planted copies whose exact Jaccard similarity
  is at least 0.8.
* numbers: eight Gaussian columns, a part of the rows copies with noise of a twentieth of a deviation.
* cells: twelve columns of few values; a part of the rows copies with one cell changed.

Times are of the processor; memory is the largest that the process had.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from _command import asked, peak_mb, show
from reticent.data.duplicates import find_duplicates
from reticent.data.duplicates.sketches import Sets
from reticent.data.tables import Table
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
    hit = (found.group[planted] == found.group[source[planted]])[near]
    figures["planted pairs at 0.8 or more"] = int(near.sum())
    figures["of them found"] = float(hit.mean())
    at_bar = (exact >= 0.8) & (exact < 0.83)
    figures["of those below 0.83 found"] = float((found.group[planted] == found.group[source[planted]])[at_bar].mean())
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


KINDS = {"texts": by_text, "numbers": by_numbers, "cells": by_cells}


def main() -> None:
    options = asked(__doc__, rows=1_000_000, only=",".join(KINDS))
    figures = {
        name: KINDS[name](options.rows, np.random.Generator(np.random.PCG64(7))) for name in options.only.split(",")
    }
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
