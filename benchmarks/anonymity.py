"""How fast tables are measured and generalised, at what cost, and how right estimates of uniqueness are.

Run: python benchmarks/anonymity.py [--json] [--rows 1000000]

* measured: processor time and peak memory for all measures of a table with six quasi-identifiers and two sensitive
  columns (bar: 10 s for a million rows), for risks and minimal uniques, and for both methods of generalising.
* estimates: mean absolute error of the share of unique people, and of the chance that a match is right, over simulated
  populations whose truth is known, by model and sampled fraction.
* adult as the population: what the rule, the copula and DIS say of all of Adult from samples of it, beside the truth.
* real: k = 5 on Adult and MovieLens by both methods: time, loss, rows left out. Not run where they are not fetched.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from _command import asked, peak_mb, show
from reticent.data.anonymity import Anonymiser, copula_uniqueness, disclosure_risk, measures, population_uniqueness
from reticent.data.tables import Table
from reticent.errors import FetchError
from reticent.randomness import Randomness

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks import _people

QUASI = ["age", "sex", "zip", "job", "education", "country"]
ADULT = ["age", "workclass", "education", "marital-status", "occupation", "race", "sex", "native-country"]
MOVIELENS = ["age", "gender", "occupation", "zip_code"]


def made(rows: int) -> Table:
    source = Randomness.simulated(1)

    def one_of(words: list[str]) -> Any:
        return np.array(words)[source.integers(len(words), rows)]

    return Table.of(
        {
            "age": 17 + source.integers(74, rows),
            "sex": one_of(["f", "m"]),
            "zip": np.char.zfill((1 / (source.uniform(rows) + 2e-4)).astype(int).astype(str), 5),
            "job": one_of([f"job {i}" for i in range(40)]),
            "education": one_of([f"level {i}" for i in range(16)]),
            "country": one_of(["here"] * 20 + [f"country {i}" for i in range(30)]),
            "illness": one_of([f"illness {i}" for i in range(60)]),
            "bill": source.integers(2_000, rows),
        }
    )


def timed(what: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    found = what()
    return found, round(time.process_time() - start, 2)


def speed(rows: int) -> dict[str, Any]:
    table = made(rows)
    found, seconds = timed(lambda: measures(table, quasi=QUASI, sensitive=["illness", "bill"]))
    out: dict[str, Any] = {"rows": rows, "uniques": found.uniques, "measures (bar 10 s)": seconds}
    out["disclosure_risk"] = timed(lambda: disclosure_risk(table, quasi=QUASI, sensitive=["illness", "bill"]))[1]
    for method in ("lattice", "mondrian"):
        (_, cost), seconds = timed(
            lambda method=method: Anonymiser(quasi=QUASI, k=5, method=method).fit_with_cost(table)
        )
        out[f"{method}, k = 5"] = seconds
        out[f"{method}, loss"] = round(cost.total, 3)
    return out


def estimates() -> dict[str, Any]:
    errors: dict[str, list[float]] = {}
    for seed, (cells, spread) in enumerate([(20_000, 1.5), (100_000, 2.0), (30_000, 1.0), (5_000, 2.5)]):
        source = Randomness.simulated(seed)
        whole = np.cumsum(np.exp(source.normal(cells, standard_deviation=spread)))
        of = np.searchsorted(whole, source.uniform(50_000) * whole[-1])
        there = np.bincount(of, minlength=cells)
        truth = float((there == 1).sum() / len(of))
        for fraction in (0.02, 0.1, 0.3, 0.6):
            inside = np.bincount(of[source.permutation(len(of))[: int(len(of) * fraction)]], minlength=cells)
            right = float((inside == 1).sum() / there[inside == 1].sum())
            randomness = Randomness.simulated(seed)
            found = population_uniqueness(inside[inside > 0], population=len(of), randomness=randomness, draws=20)
            figures = {name: abs(one.value - truth) for name, one in found.models.items()}
            figures |= {"rule": abs(found.estimate.value - truth), "match": abs(found.match.value - right)}
            for name, error in figures.items():
                errors.setdefault(f"{name} at {fraction:g}", []).append(error)
    return {name: round(float(np.mean(each)), 3) for name, each in sorted(errors.items())}


def adult_as_population() -> dict[str, Any]:
    """What samples of Adult say of Adult: rule, copula, DIS; and the truths of the first two and of the last."""
    try:
        table = _people.adult()
    except FetchError as error:
        return {"adult": str(error)}
    quasi = ["age", "education", "occupation", "race", "sex", "native-country"]
    classes = table.classes(quasi)
    there = classes.sizes[classes.of_rows]
    out: dict[str, Any] = {}
    for fraction in (0.02, 0.1, 0.3):
        randomness = Randomness.simulated(0)
        chosen = randomness.permutation(table.rows)[: int(fraction * table.rows)]
        sample = table.take(chosen)
        sizes = sample.classes(quasi)
        alone = (sizes.sizes == 1)[sizes.of_rows]
        found = population_uniqueness(sizes.sizes, population=table.rows, randomness=randomness, draws=20)
        copula = copula_uniqueness(sample, quasi, population=table.rows, randomness=randomness)
        truths = [float((there == 1).mean()), float(alone.sum() / there[chosen][alone].sum())]
        figures = [found.estimate.value, copula.value, found.match.value, *truths]
        out[f"{fraction:g}"] = [round(float(one), 3) for one in figures]
    return out


def real() -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, table_of, quasi in (("adult", _people.adult, ADULT), ("movielens", _people.movielens_users, MOVIELENS)):
        try:
            table = table_of()
        except FetchError as error:
            out[name] = str(error)
            continue
        out[f"{name}, rows and uniques"] = [table.rows, measures(table, quasi=quasi).uniques]
        for method in ("lattice", "mondrian"):
            asked = Anonymiser(quasi=quasi, k=5, method=method)
            (_, cost), seconds = timed(lambda asked=asked, table=table: asked.fit_with_cost(table))
            out[f"{name}, {method}"] = {
                "seconds": seconds,
                "loss": round(cost.total, 3),
                "left out": cost.suppressed,
                "average class": round(cost.average_class, 1),
                "combinations tried": f"{cost.evaluated} of {cost.combinations}",
            }
    return out


def main() -> None:
    chosen = asked(__doc__, rows=1_000_000)
    found = {
        "measured": speed(chosen.rows),
        "real": real(),
        "estimates": estimates(),
        "adult as the population": adult_as_population(),
    }
    found["measured"]["peak MB"] = round(peak_mb())
    show(found, as_json=chosen.json)


if __name__ == "__main__":
    main()
