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
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from reticent.attacks.reidentification import Knowledge, Likelihood, ScoreboardRH, learned, match
from reticent.audits.reidentification import reidentify, single_out, standard_releases, unicity
from reticent.data.catalogue import entry as find
from reticent.data.fetch import fetched
from reticent.data.ratings import read_packaged_ratings, read_ratings, releases, simulated_ratings
from reticent.data.tables import Column, Table
from reticent.evidence import Estimate
from reticent.randomness import Randomness

NUMBERS = ("age", "education-num", "hours-per-week")
WORDS = ("workclass", "marital-status", "occupation", "race", "sex", "salary")
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
        "people": int((sizes > 0).sum()),
        "items": int((supports > 0).sum()),
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
        "people": ratings.count,
        "items": ratings.item_count,
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


def movielens(seed: int) -> dict[str, Any]:
    """Bars: shares with intervals, and 1/n beside them; each release with the same targets."""
    begin = time.process_time()
    source = Randomness.simulated(seed)
    ratings = read_packaged_ratings("movielens-100k")
    made = standard_releases(ratings, source.spawn("releases"))
    found = reidentify(ratings, made, name="MovieLens-100K", randomness=source)
    rows = [
        {
            "release": row.release,
            "known": row.knowledge.text,
            "method": row.chosen.method.name,
            **{name: _shown(one) for name, one in row.finding.estimates.items()},
            "published": {name: _shown(one) for name, one in list(row.published.estimates.items())[:3]},
            "beside the first": {name: _shown(one) for name, one in row.differences.items()},
        }
        for row in found.rows
    ]
    return {"rows": rows, "processor_s": time.process_time() - begin, "peak_mb": peak()}


def unique(seed: int) -> dict[str, Any]:
    """Traces of nobody (people at home, at work and elsewhere, 3 months), and the columns of Adult."""
    begin = time.process_time()
    source = Randomness.simulated(seed)
    trips = _trips(50_000, source)
    traces = unicity(
        trips,
        ["place", "hour"],
        person="person",
        points=(1, 2, 3, 4, 6),
        precisions={"as it is": {}, "day": {"hour": 24}, "week": {"hour": 168}},
        name="simulated traces",
        randomness=source,
    )
    table = adult()
    rows = unicity(
        table,
        ["age", "workclass", "education-num", "marital-status", "occupation", "race", "sex", "hours-per-week"],
        points=(1, 2, 4, 6, 8),
        precisions={"as it is": {}, "tens": {"age": 10, "hours-per-week": 10}},
        name="Adult",
        randomness=source,
    )
    return {
        **{
            one.name: {
                curve.name: [
                    f"{points}: {_shown(f.estimates['alone'])}"
                    for points, f in zip(curve.points, curve.findings, strict=True)
                ]
                for curve in one.curves
            }
            for one in (traces, rows)
        },
        "processor_s": time.process_time() - begin,
        "peak_mb": peak(),
    }


def singling(seed: int) -> dict[str, Any]:
    """500 people of Adult, released k-anonymously in three ways and as a synthetic table; all others are held out."""
    begin = time.process_time()
    source = Randomness.simulated(seed)
    quasi = ["age", "education-num", "marital-status", "race", "sex"]
    rest = ["workclass", "occupation", "hours-per-week", "salary"]
    table = adult().select([*quasi, *rest])
    order = source.permutation(table.rows)
    secret, others = table.take(order[:500]), table.take(order[500:])
    asked = {
        "5-anonymous, other columns as they are": (mondrian(secret, quasi, 5), {}),
        "5-anonymous in all columns": (mondrian(secret, [*quasi, *rest], 5), {}),
        "synthetic: columns by themselves": (_independent(secret, source), {"columns": 6}),
        "synthetic: rows copied": (secret, {"columns": 6}),
    }
    wide, wider = _wide(500, source), _wide(45_000, source)
    found = {}
    for name, (released, more) in {
        **asked,
        "5-anonymous in all of 40 columns": (mondrian(wide, list(wide.names), 5), {}),
    }.items():
        given = (wide, wider) if "of 40 columns" in name else (secret, others)
        one = single_out(released, *given, name=name, randomness=source.spawn(name), **more)
        found[name] = {
            "attack": one.finding.attack,
            "status": one.finding.status.value,
            **{label: _shown(value) for label, value in one.finding.estimates.items()},
            "without the release": {label: _shown(value) for label, value in one.finding.baseline.items()},
            "held out, needed": [one.power["held_out"], one.power["held_out_needed"]],
        }
    return {**found, "processor_s": time.process_time() - begin, "peak_mb": peak()}


def adult() -> Table:
    """Adult, its indicator columns put together again; without the sampling weight, which is nearly a name."""
    entry = find("adult")
    with zipfile.ZipFile(fetched(entry) / "adult.csv.zip") as packed, packed.open("adult.csv") as file:
        names = file.readline().decode().strip().split(",")
        cells = np.loadtxt(file, delimiter=",", dtype=np.int64)
    columns: dict[str, Any] = {name: cells[:, names.index(name)] for name in NUMBERS}
    for stem in WORDS:
        places = [i for i, name in enumerate(names) if name.startswith(f"{stem}_")]
        words = np.array([names[i].partition("_")[2] for i in places], dtype=object)
        columns[stem] = words[cells[:, places].argmax(axis=1)].tolist()
    return Table.of(columns)


def mondrian(table: Table, columns: list[str], k: int) -> Table:
    """k-anonymity in these columns: halves at medians, ranges for numbers, sets for words (LeFevre et al. 2006)."""
    codes = {name: table[name].codes for name in columns}
    cells = {name: np.empty(table.rows, dtype=object) for name in columns}
    waiting = [np.arange(table.rows)]
    while waiting:
        part = waiting.pop()
        spread = {name: len(np.unique(codes[name][part])) / len(table[name].values) for name in columns}
        for name in sorted(columns, key=lambda one: -spread[one]):
            inside = codes[name][part]
            left = inside <= np.median(inside)
            if k <= left.sum() <= len(part) - k:
                waiting += [part[left], part[~left]]
                break
        else:
            for name in columns:
                used = table[name].values[np.unique(codes[name][part])]
                numeric = table[name].kind == "number"
                text = f"[{used[0]}, {used[-1]}]" if numeric else "{" + ", ".join(used) + "}"
                cells[name][part] = text
    return table.replaced(Column.of(name, cells[name].tolist()) for name in columns)


def _wide(rows: int, source: Randomness) -> Table:
    """People of 40 attributes, of 20 values each, independent."""
    return Table.of({f"a{place}": source.integers(20, rows) for place in range(40)})


def _independent(table: Table, source: Randomness) -> Table:
    return Table(column.take(source.integers(table.rows, table.rows)) for column in table.columns)


def _trips(people: int, source: Randomness, places: int = 1000, hours: int = 2160, sightings: int = 40) -> Table:
    reach = np.cumsum(1 / (np.arange(places) + 10))
    drawn = np.searchsorted(reach / reach[-1], source.uniform(people * 6)).reshape(people, 6)
    which = np.minimum(np.floor(source.uniform(people * sightings) ** 2 * 6), 5).astype(int).reshape(people, sightings)
    place = np.take_along_axis(drawn, which, axis=1)
    return Table.of(
        {
            "person": np.repeat(np.arange(people), sightings),
            "place": place.ravel(),
            "hour": source.integers(hours, people * sightings),
        }
    )


def _shown(one: Estimate) -> str:
    return f"{one.value:.4f} [{one.low:.4f}, {one.high:.4f}] n={one.n}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("make", "scale", "movielens", "unicity", "singling-out"))
    parser.add_argument("path", nargs="?", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--targets", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    runs = {
        "make": lambda: make(asked.path, asked.seed),
        "scale": lambda: scale(asked.path, asked.seed, asked.targets),
        "movielens": lambda: movielens(asked.seed),
        "unicity": lambda: unique(asked.seed),
        "singling-out": lambda: singling(asked.seed),
    }
    print(json.dumps(runs[asked.what](), indent=None if asked.json else 2))


if __name__ == "__main__":
    main()
