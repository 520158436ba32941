"""How right probabilities of links are when columns depend on each other, and what happens if nobody is in both files.

Run: python benchmarks/linkage_simulated.py [--json] [--seeds 2] [--only households,0%] (no data needed)

Two files are drawn from a simulated population of 4,000: first name, surname, street, number, town, ZIP (which follow
from each other), date of birth; 1,200 released rows, 1,800 in the register, half of the released people in both unless
it says otherwise. Released rows have typing errors (some rows many more than others), moves and missing cells.
Printed for each: F1, precision expected and found, evidence that anybody is in both, Brier score and log loss of the
likeliest register row of each release row, and the same with Fellegi and Sunter's weights as they are ("independent").
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np

from reticent.attacks.reidentification.linkage import People, blocking, fellegi_sunter, fields_of, judging, matching
from reticent.attacks.reidentification.linkage.chances import chances
from reticent.data.tables import Table
from reticent.randomness import Randomness

LETTERS = list("abcdefghijklmnopqrstuvwxyz")
CASES: dict[str, dict[str, Any]] = {
    "independent people": {},
    "households": {"household": 0.7, "twins": 0.1},
    "twins": {"household": 0.7, "twins": 0.6},
    "30 % in both": {"household": 0.5, "twins": 0.1, "both": 0.3},
    "0 % in both": {"household": 0.5, "twins": 0.1, "both": 0.0},
    "many typing errors, a fifth missing": {"household": 0.5, "typos": 0.3, "missing": 0.2},
    "four columns": {"household": 0.5, "columns": ("surname", "town", "zip", "number"), "missing": 0.1},
    "a tenth of the register twice": {"household": 0.3, "doubled": 0.1},
}


def words(generator: np.random.Generator, count: int, low: int = 4, high: int = 9) -> np.ndarray:
    return np.array(["".join(generator.choice(LETTERS, generator.integers(low, high))) for _ in range(count)])


def common(generator: np.random.Generator, values: np.ndarray, count: int) -> np.ndarray:
    weights = 1 / np.arange(1, len(values) + 1) ** 0.9
    return generator.choice(values, count, p=weights / weights.sum())


def population(count: int, generator: np.random.Generator, household: float, twins: float) -> dict[str, np.ndarray]:
    sizes: list[int] = []
    while sum(sizes) < count:
        sizes.append(int(generator.integers(2, 5)) if generator.random() < household else 1)
    home = np.repeat(np.arange(len(sizes)), sizes)[:count]
    towns, streets = words(generator, 40), words(generator, 400, 6, 12)
    town = generator.integers(0, 40, len(sizes))
    street = (town * 10 + generator.integers(0, 10, len(sizes))) % 400
    postcode = 10_000 + 37 * town + generator.integers(0, 5, len(sizes))
    born = np.datetime64("1935-01-01") + generator.integers(0, 25_000, count)
    twin = np.flatnonzero((home[1:] == home[:-1]) & (generator.random(count - 1) < twins))
    born[twin + 1] = born[twin]
    return {
        "first": common(generator, words(generator, 300), count),
        "surname": common(generator, words(generator, 800), len(sizes))[home],
        "street": streets[street][home],
        "number": generator.integers(1, 120, len(sizes)).astype(str)[home],
        "town": towns[town][home],
        "zip": postcode.astype(str)[home],
        "born": born.astype(str),
    }


def misspelt(generator: np.random.Generator, text: str) -> str:
    at, letter = int(generator.integers(len(text))), str(generator.choice(LETTERS))
    letter = str(generator.integers(10)) if text[at].isdigit() else letter
    return (
        text[:at] + letter + text[at + 1 :],
        text[:at] + letter + text[at:],
        text[:at] + text[at : at + 2][::-1] + text[at + 2 :],
    )[int(generator.integers(3))]


def spoilt(
    columns: dict[str, np.ndarray], generator: np.random.Generator, typos: float, missing: float, moved: float
) -> Table:
    count = len(columns["surname"])
    bad, away = generator.beta(0.5, 0.5, count), generator.random(count) < moved
    other = generator.permutation(count)
    cells: dict[str, list[str | None]] = {}
    for name, values in columns.items():
        made: list[str | None] = [str(value) for value in values]
        for row in np.flatnonzero(away) if name in ("street", "number", "town", "zip") else ():
            made[row] = str(values[other[row]])
        for row in np.flatnonzero(generator.random(count) < 2 * bad * typos):
            text = str(made[row])
            made[row] = (
                str(np.datetime64(text) + int(generator.integers(-20, 20)))
                if name == "born"
                else misspelt(generator, text)
            )
        for row in np.flatnonzero(generator.random(count) < missing):
            made[row] = None
        cells[name] = made
    return Table.of(cells)


def files(
    seed: int,
    *,
    household: float = 0.0,
    twins: float = 0.0,
    both: float = 0.5,
    typos: float = 0.1,
    missing: float = 0.03,
    columns: tuple[str, ...] = (),
    doubled: float = 0.0,
    sizes: tuple[int, int, int] = (4000, 1200, 1800),
) -> tuple[Table, Table, People]:
    generator = np.random.default_rng(seed)  # noqa: TID251
    whole = population(sizes[0], generator, household, twins)
    whole = {name: whole[name] for name in columns or whole}
    order, shared = generator.permutation(sizes[0]), round(both * sizes[1])
    left = order[: sizes[1]]
    right = generator.permutation(np.concatenate([order[:shared], order[sizes[1] : sizes[1] + sizes[2] - shared]]))
    right = np.concatenate([right, right[: int(doubled * len(right))]])
    release = spoilt({name: values[left] for name, values in whole.items()}, generator, typos, missing, 0.05)
    register = spoilt({name: values[right] for name, values in whole.items()}, generator, typos / 4, missing, 0.0)
    return release, register, People(left, right)


def judged(people: People, pairs: Any, probability: np.ndarray, claimed: bool, rows: tuple[int, int]) -> dict[str, Any]:
    best = matching.best_of_each(pairs.release, probability)
    right = people.release[pairs.release[best]] == people.register[pairs.register[best]]
    chance = np.clip(probability[best], 1e-9, 1 - 1e-9)
    taken = matching.assigned(pairs.release, pairs.register, probability, rows=rows)
    taken = taken[np.argsort(-probability[taken], kind="stable")]
    kept = taken[: matching.cut(probability[taken], expected=float(probability.sum())) if claimed else 0]
    scores = judging.scores(people, pairs.release[kept], pairs.register[kept])
    return {
        "links": len(kept),
        "precision expected": round(float(probability[kept].mean()), 3) if len(kept) else None,
        **{name: str(scores[name]) for name in ("precision", "f1") if name in scores},
        "brier": round(float(np.mean((chance - right) ** 2)), 4),
        "log loss": round(float(-np.mean(np.log(np.where(right, chance, 1 - chance)))), 4),
        "reliability": [(probability[best], right)],
    }


def measured(seed: int, case: dict[str, Any]) -> dict[str, Any]:
    release, register, people = files(seed, **case)
    rows, began = (len(release), len(register)), time.process_time()
    fields = fields_of(release, register)
    rules = blocking.chosen(fields, most=5_000_000)
    source = Randomness.simulated(seed)
    pairs = fellegi_sunter.candidates(fields, rules, source, within=(0, 1))
    known = chances(pairs, rows, source.spawn("strangers"), present=None, one_to_one=True)
    seconds = time.process_time() - began
    plain, share = matching.probabilities(pairs.release, pairs.register, pairs.log_factor, rows=rows)
    found: dict[str, Any] = judged(people, pairs, known.probability, known.claimed, rows)
    found |= {
        "evidence": round(known.worth.evidence, 1) if known.worth else None,
        "share in both": f"{known.share:.3f}, truly {people.present.mean():.3f}",
        "seconds": round(seconds, 1),
        "independent": {**judged(people, pairs, plain, True, rows), "share in both": round(share, 3)},
    }
    return found


def pooled(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    parts = [part for run in runs for part in run.pop("reliability")]
    rows = judging.reliability(np.concatenate([one for one, _ in parts]), np.concatenate([two for _, two in parts]))
    return [{name: round(value, 4) for name, value in row.items()} for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", default=",".join(CASES))
    options = parser.parse_args()
    wanted = [name for name in CASES if any(part and part in name for part in options.only.split(","))]
    found = {}

    for name in wanted:
        runs = [measured(seed, CASES[name]) for seed in range(options.seeds)]
        before = [run["independent"] for run in runs]
        found[name] = {"reliability": pooled(runs), "reliability, independent": pooled(before), "runs": runs}
    print(json.dumps(found, indent=None if options.json else 2))


if __name__ == "__main__":
    main()
