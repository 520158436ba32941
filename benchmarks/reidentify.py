"""Re-identification: what it costs at the size of the Netflix Prize, and how many people of MovieLens-100K it finds.

    python benchmarks/reidentify.py make FILE          (once; 100 million simulated ratings, 25 s of memory traffic)
    python benchmarks/reidentify.py scale FILE --json  (bars: load 180 s, 1 000 targets 30 s, 6 GB)
    python benchmarks/reidentify.py movielens --json
    python benchmarks/reidentify.py unicity --json
    python benchmarks/reidentify.py singling-out --json

Processor time and the peak of resident memory, of this process alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

from reticent.attacks.reidentification import Knowledge, Likelihood, ScoreboardRH, learned, match
from reticent.data.ratings import read_ratings, releases, simulated_ratings
from reticent.randomness import Randomness

PEOPLE, ITEMS, RATINGS = 480_189, 17_770, 100_480_507
ROW_GROUPS = 100


def peak() -> float:
    """Megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def make(path: Path, seed: int) -> dict[str, Any]:
    """Write the ratings as Parquet, each row group with ratings of all films, so that loading has to sort them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    begin = time.process_time()
    made = simulated_ratings(PEOPLE, ITEMS, RATINGS, Randomness.simulated(seed))
    assert made.scores is not None
    assert made.days is not None
    items = made.items_of_ratings().astype(np.int16)
    schema = pa.schema([("person", pa.int32()), ("item", pa.int16()), ("rating", pa.int8()), ("date", pa.date32())])
    with pq.ParquetWriter(path, schema) as file:
        for start in range(ROW_GROUPS):
            part = slice(start, None, ROW_GROUPS)
            days = (made.days[part].astype(np.int32) + made.first_day).view("int32")
            columns = [
                pa.array(made.people[part]),
                pa.array(items[part]),
                pa.array((made.scores[part] + 1).astype(np.int8)),
                pa.array(days).cast(pa.date32()),
            ]
            file.write_table(pa.Table.from_arrays(columns, schema=schema))
    sizes, supports = made.sizes, made.supports
    return {
        "ratings": len(made),
        "megabytes": path.stat().st_size / 1e6,
        "per_person": [float(np.quantile(sizes, q)) for q in (0.1, 0.5, 0.9, 1)],
        "per_film": [float(np.quantile(supports, q)) for q in (0.1, 0.5, 0.9, 1)],
        "processor_s": time.process_time() - begin,
        "peak_mb": peak(),
    }


def scale(path: Path, seed: int, targets: int) -> dict[str, Any]:
    wall, begin = time.perf_counter(), time.process_time()
    ratings = read_ratings(path)
    found: dict[str, Any] = {
        "ratings": len(ratings),
        "load_processor_s": time.process_time() - begin,
        "load_wall_s": time.perf_counter() - wall,
        "load_peak_mb": peak(),
    }
    source = Randomness.simulated(seed)
    release = releases.as_it_is(ratings)
    knowledge = Knowledge(8, days=14)
    chosen = np.flatnonzero(ratings.sizes >= 8)
    chosen = chosen[source.spawn("targets").permutation(len(chosen))[:targets]]
    begin = time.process_time()
    known = learned(ratings, chosen, knowledge, source.spawn("known"))
    found["draw_processor_s"] = time.process_time() - begin
    for method in (ScoreboardRH(), Likelihood()):
        wall, begin = time.perf_counter(), time.process_time()
        there = match(release, chosen, known, knowledge, method, source)
        found[method.name] = {
            "targets": targets,
            "processor_s": time.process_time() - begin,
            "wall_s": time.perf_counter() - wall,
            "best_fit_is_right": float((there.place == 1).mean()),
            "peak_mb": peak(),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("make", "scale", "movielens", "unicity", "singling-out"))
    parser.add_argument("path", nargs="?", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--targets", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.what == "make":
        found = make(asked.path, asked.seed)
    else:
        found = scale(asked.path, asked.seed, asked.targets)
    print(json.dumps(found, indent=None if asked.json else 2))


if __name__ == "__main__":
    main()
