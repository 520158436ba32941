"""Attacks on synthetic tables whose truth is known: what is found, what is accused wrongly, and what it costs.

Run: python benchmarks/synthetic.py [--seeds 200] [--json]
     python benchmarks/synthetic.py --only found|alarms|private|adult|cost

`found`: releases of seven generators from 500 rows of seven columns, with 500 controls and 500 reference rows; in how
many of 20 draws each is found, and the areas under the ROC curve. `alarms`: audits of releases that were made from
other people (marginals and a copula), level 5 % for all tests of an audit together. `private`: histograms with Laplace
noise, 24 shadow releases, the areas against the bound that epsilon implies (twice epsilon within a release). `adult`:
`found` once, on 1,000 rows of the 1994 census (fetched: reticent data fetch adult). `cost`: 2,000 members, 2,000
controls, a release of 10,000 rows with fourteen columns.

Processor time, one thread; peak memory of the process.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.audits.synthetic.generators import (
    blurring,
    copula,
    copying,
    interpolating,
    marginals,
    people,
    private_marginals,
    seeded,
)
from tests.audits.synthetic.test_shadows import BOUNDS

from reticent.audits.synthetic import audit_release
from reticent.audits.synthetic.preparing import blind, prepared
from reticent.audits.synthetic.shadows import findings, made
from reticent.data.tables import Table
from reticent.evidence.intervals import rate
from reticent.randomness import Randomness

GENERATORS = {
    "copies every row": copying(1.0),
    "copies 8 % of rows": copying(0.08),
    "kernel density, 2 % wide": blurring(0.02),
    "kernel density, 30 % wide": blurring(0.3),
    "SMOTE, two neighbours": interpolating,
    "Gaussian copula": copula,
    "marginals": marginals,
}


def found(draws: int = 20) -> list[dict[str, Any]]:
    rows = []
    for name, generator in GENERATORS.items():
        hits, areas, start = [], [], time.process_time()
        for seed in range(draws):
            rng = seeded(seed)
            source, control = people(500, rng), people(1000, rng)
            audit = audit_release(
                generator(source, seed), source=source, control=control, randomness=Randomness.simulated(seed)
            )
            hits.append(audit.found)
            areas.append([one.estimates["auc"].value for one in audit.findings[:2]])
        attacks = sorted({one.partition(" of ")[0] for hit in hits for one in hit})
        rows.append(
            {
                "generator": name,
                "found": sum(bool(hit) for hit in hits),
                "of": draws,
                "area, density ratio": float(np.mean([one[0] for one in areas])),
                "area, calibrated distance": float(np.mean([one[1] for one in areas])),
                "by": {name: sum(any(one.startswith(name) for one in hit) for hit in hits) for name in attacks},
                "seconds each": (time.process_time() - start) / draws,
            }
        )
    return rows


def alarms(seeds: int) -> list[dict[str, Any]]:
    rows = []
    for name, generator in (("marginals", marginals), ("Gaussian copula", copula)):
        accused = unfair = tested = 0
        for seed in range(seeds):
            rng = seeded(1000 + seed)
            release = generator(people(150, rng), seed)
            audit = audit_release(
                release,
                source=people(150, rng),
                control=people(300, rng),
                secrets=["region", "job"],
                predicates=200,
                randomness=Randomness.simulated(seed),
            )
            accused += any(one.p_adjusted <= 0.05 for one in audit.tests)
            unfair += not audit.fair
            tested = len(audit.tests)
        shown = {
            what: str(rate(count, seeds, method="share of audits"))
            for what, count in (("accused", accused), ("called unfair", unfair))
        }
        rows.append({"release of other people": name, "tests each": tested, **shown})
    return rows


def private() -> list[dict[str, Any]]:
    rows = []
    for epsilon in (0.1, 0.5, 2.0, None):
        generator = marginals if epsilon is None else private_marginals(epsilon, BOUNDS)
        rng = seeded(0)
        source, control = people(200, rng), people(400, rng)
        ready = prepared(generator(source, 1), source, control, randomness=Randomness.simulated(0))
        results = findings(ready, made(ready, generator, count=24, targets=400), blind(ready))
        bound = None if epsilon is None else float(np.exp(2 * epsilon) / (1 + np.exp(2 * epsilon)))
        for one in results:
            if one.finding.target == "the generator":
                area = str(one.finding.estimates["auc"])
                p = float(f"{one.tests['right one of two'].more:.2g}")
                rows.append({"epsilon": epsilon, "attack": one.finding.attack, "area": area, "at most": bound, "p": p})
    return rows


def census() -> Table:
    import pandas as pd
    import platformdirs

    folder = Path(platformdirs.user_cache_dir("reticent")) / "data"
    with zipfile.ZipFile(next(folder.rglob("adult.csv.zip"))) as archive, archive.open(archive.namelist()[0]) as file:
        frame = pd.read_csv(file)
    # The file has a column for each value of each category; here each category is one column again.
    categories = sorted({name.partition("_")[0] for name in frame.columns if "_" in name})
    for one in categories:
        values = [name for name in frame.columns if name.startswith(f"{one}_")]
        frame[one] = frame[values].idxmax(axis=1).str.removeprefix(f"{one}_")
        frame = frame.drop(columns=values)
    return Table.of(frame)


def adult() -> list[dict[str, Any]]:
    table, rows = census(), []
    for name, generator in GENERATORS.items():
        order = seeded(0).permutation(table.rows)
        source, control = table.take(order[:1000]), table.take(order[1000:3000])
        start = time.process_time()
        audit = audit_release(
            generator(source, 1),
            source=source,
            control=control,
            secrets=["salary", "occupation"],
            randomness=Randomness.simulated(0),
        )
        spent = time.process_time() - start
        rows.append(
            {
                "generator": name,
                "found by": list(audit.found),
                "areas": [str(one.estimates["auc"]) for one in audit.findings[:2]],
                "least adjusted p": min(one.p_adjusted for one in audit.tests),
                "fair": audit.fair,
                "seconds": spent,
            }
        )
    return rows


def cost() -> list[dict[str, Any]]:
    rng = seeded(0)
    wide = [people(10_000, rng), people(10_000, rng)]
    both = Table([column.renamed(f"{column.name} {i}") for i, table in enumerate(wide) for column in table.columns])
    order = rng.permutation(10_000)
    source, control = both.take(order[:4000]), both.take(order[4000:])
    start = time.process_time()
    audit = audit_release(
        both.take(rng.integers(0, 10_000, 10_000)),
        source=source,
        control=control,
        secrets=["region 0", "income 1"],
        randomness=Randomness.simulated(0),
    )
    spent = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [{"rows": audit.details["rows"], "columns": 14, "seconds": spent, "peak memory, MiB": peak}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("found", "alarms", "private", "adult", "cost"))
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    parts = {"found": found, "alarms": lambda: alarms(asked.seeds), "private": private, "adult": adult, "cost": cost}
    results = {name: part() for name, part in parts.items() if asked.only in (None, name)}
    if asked.json:
        print(json.dumps(results, indent=1))
        return
    for name, rows in results.items():
        print(f"\n{name}")
        for row in rows:
            print("  " + "; ".join(f"{key}: {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
