"""Re-identification: what it costs at the size of the Netflix Prize, and how many people of MovieLens-100K it finds.

    python benchmarks/reidentify.py make FILE          (once; 100,480,507 simulated ratings)
    python benchmarks/reidentify.py scale FILE --json  (bars: load 180 s, 1 000 targets 30 s, 6 GB)
    python benchmarks/reidentify.py movielens --json
    python benchmarks/reidentify.py outside --json     (bar: at most 1 % of people who are really not there are named)
    python benchmarks/reidentify.py given --json       (files that somebody made of it, held against it)
    python benchmarks/reidentify.py unicity --json
    python benchmarks/reidentify.py singling-out --json

Processor time and the peak of resident memory, of this process alone.
"""

from __future__ import annotations

import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from _command import asked, costed, peak_mb, show
from reticent.attacks.reidentification import (
    CANDIDATES,
    Knowledge,
    Likelihood,
    ScoreboardRH,
    choose,
    eligible,
    learned,
    match,
)
from reticent.audits.reidentification import reidentify, reidentify_given, single_out, standard_releases, unicity
from reticent.data.catalogue import entry as find
from reticent.data.fetch import fetched
from reticent.data.ratings import (
    Blur,
    Columns,
    Ratings,
    Release,
    grouped,
    read_given,
    read_packaged_ratings,
    read_ratings,
    releases,
    simulated_ratings,
)
from reticent.data.tables import Column, Table
from reticent.evidence import Estimate
from reticent.randomness import Randomness

NUMBERS = ("age", "education-num", "hours-per-week")
WORDS = ("workclass", "marital-status", "occupation", "race", "sex", "salary")
PEOPLE, ITEMS, RATINGS = 480_189, 17_770, 100_480_507
ROW_GROUPS = 100


def make(path: Path, seed: int) -> dict[str, Any]:
    """Write the ratings as Parquet, each row group with ratings of all films, so that loading has to sort them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

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
        "load_peak_mb": peak_mb(),
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
            "peak_mb": peak_mb(),
        }
    return found


def movielens(seed: int) -> dict[str, Any]:
    """Bars: shares with intervals, and 1/n beside them; each release with the same targets."""
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
    return {"rows": rows}


def outside(seed: int, splits: int) -> dict[str, Any]:
    """Half of the people are left out before anything is released: how many of them are named, at 1 %.

    Everything is decided on the others, as `reidentify` does it; "stated" is what it says of absent people. Means over
    splits (of new people each time, where they are simulated), with twice their standard error.
    """
    source = Randomness.simulated(seed)
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for name in ("simulated", "MovieLens-100K"):
        for place in range(splits):
            own = source.spawn(f"{name} {place}")
            everybody = (
                read_packaged_ratings("movielens-100k")
                if name == "MovieLens-100K"
                else simulated_ratings(900, 500, 45_000, own.spawn("ratings"))
            )
            order = own.spawn("half").permutation(everybody.count)
            there = np.zeros(everybody.count, dtype=bool)
            there[order[: everybody.count // 2]] = True
            inside = everybody.keeping(there[everybody.people])
            made = (releases.as_it_is(inside), releases.with_dates(inside, "month"), grouped(inside, 5, own))
            for items in (2, 4, 8):
                for days in (None, 14):
                    knowledge = Knowledge(items, days=days, values=days is not None)
                    for release in made if days is not None else (made[0], made[2]):
                        case = own.spawn(f"{knowledge.text} {release.name}")
                        for method, one in _left_out(everybody, there, release, knowledge, case).items():
                            label = f"{name}, {release.name}, {knowledge.text}"
                            found.setdefault(label, {}).setdefault(method, []).append(one)
    return {
        label: {
            method: {what: _mean([one[what] for one in several]) for what in several[0]}
            for method, several in methods.items()
        }
        for label, methods in found.items()
    }


def _left_out(
    everybody: Ratings, there: Any, release: Release, knowledge: Knowledge, source: Randomness
) -> dict[str, dict[str, float]]:
    """By method: named rightly, named though absent as it is stated, and named of those who were left out."""
    able = eligible(everybody, knowledge)
    able = able[source.spawn("order").permutation(len(able))]
    parts = {"calibration": able[there[able]][:300], "stated": able[there[able]][300:], "outside": able[~there[able]]}
    known = {
        label: learned(everybody, people, knowledge, source.spawn(f"known {label}")) for label, people in parts.items()
    }
    again = [learned(everybody, parts["calibration"], knowledge, source.spawn(f"again {i}")) for i in range(4)]
    found, most = {}, -1.0
    for method in CANDIDATES:
        asked = {"level": 0.01, "methods": [method], "again": again}
        chosen = choose(release, parts["calibration"], known["calibration"], knowledge, source, **asked)
        named = {}
        for label in ("stated", "outside"):
            gone = match(release, parts[label], known[label], knowledge, method, source, absent=True)
            named[label] = float((gone.clear > chosen.threshold).mean())
        present = match(release, parts["stated"], known["stated"], knowledge, method, source)
        right = float(((present.clear > chosen.threshold) & (present.place == 1)).mean())
        found[method.name] = {"re-identified": right, **named}
        if chosen.named[method.name] > most:
            most, found["the one that names most"] = chosen.named[method.name], found[method.name]
    return found


def _mean(shares: list[float]) -> str:
    return f"{np.mean(shares):.4f} +- {2 * np.std(shares, ddof=1) / np.sqrt(len(shares)):.4f}"


def given(seed: int) -> dict[str, Any]:
    """700 of 943 people under pseudonyms, each rating with probability 0.7, made coarser by others than reticent."""
    import pandas as pd

    source = Randomness.simulated(seed)
    draw = np.random.Generator(np.random.PCG64(seed))
    cells = pd.read_csv(fetched(find("movielens-100k")) / "ml-100k.inter", sep="\t")
    cells.columns = pd.Index(["person", "item", "rating", "date"])
    cells["date"] = pd.to_datetime(cells["date"], unit="s").dt.strftime("%Y-%m-%d")
    inside = draw.choice(cells["person"].unique(), 700, replace=False)
    names = dict(zip(inside, draw.permutation(99_999)[:700], strict=True))
    plain = cells[cells["person"].isin(inside) & (draw.random(len(cells)) < 0.7)].sample(frac=1, random_state=seed)
    plain = plain.assign(person=plain["person"].map(names))
    moved = pd.to_datetime(plain["date"]) + pd.to_timedelta(draw.integers(-14, 15, len(plain)), unit="D")
    files = {
        "as it is": plain,
        "dates as months, three values": plain.assign(
            date=plain["date"].str[:7], rating=plain["rating"].map({1: 0, 2: 0, 3: 1, 4: 2, 5: 2})
        ),
        "dates as years, values to 100": plain.assign(date=plain["date"].str[:4], rating=plain["rating"] * 20),
        "Laplace noise on values (0.5), dates moved by 14 days": plain.assign(
            date=moved.dt.strftime("%Y-%m-%d"), rating=(plain["rating"] + draw.laplace(0, 0.5, len(plain))).round(2)
        ),
        "half of the values and of the dates missing": plain.assign(
            date=plain["date"].where(draw.random(len(plain)) < 0.5),
            rating=plain["rating"].where(draw.random(len(plain)) < 0.5),
        ),
        "items alone": plain,
    }
    found: dict[str, Any] = {}
    knowledge = [Knowledge(items, days=14) for items in (2, 4, 8)]
    with tempfile.TemporaryDirectory() as folder:
        original, truth = Path(folder) / "original.csv", Path(folder) / "truth.csv"
        cells.to_csv(original, index=False)
        pd.DataFrame({"pseudonym": list(names.values()), "person": list(names)}).to_csv(truth, index=False)
        for name, file in files.items():
            path = Path(folder) / "released.csv"
            file.to_csv(path, index=False)
            blur = Blur(kept=0.7, days=14 if "Laplace" in name else 0, moved=0.4 if "Laplace" in name else 0.0)
            columns = Columns(rating=None, date=None) if name == "items alone" else None
            for said, known in (("truth", truth), ("no truth", None)):
                read = read_given(original, path, known, released_columns=columns, blur=blur, name=name)
                one = reidentify_given(
                    read, knowledge=knowledge, targets=400, calibration=200, randomness=source.spawn(f"{name} {said}")
                )
                found[f"{name}: {said}"] = [
                    {
                        "known": row.knowledge.text,
                        "method": row.method,
                        **{label: _shown(value) for label, value in row.finding.estimates.items()},
                        "really not in it": None if row.outside is None else _shown(row.outside),
                    }
                    for row in one.rows
                ]
    return found


def unique(seed: int) -> dict[str, Any]:
    """Traces of nobody (people at home, at work and elsewhere, 3 months), and the columns of Adult."""
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
    }


def singling(seed: int) -> dict[str, Any]:
    """500 people of Adult, released k-anonymously in three ways and as a synthetic table; all others are held out."""
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
    return found


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
    runs = {
        "make": lambda: make(options.path, options.seed),
        "scale": lambda: scale(options.path, options.seed, options.targets),
        "movielens": lambda: movielens(options.seed),
        "outside": lambda: outside(options.seed, options.splits),
        "given": lambda: given(options.seed),
        "unicity": lambda: unique(options.seed),
        "singling-out": lambda: singling(options.seed),
    }
    options = asked(
        __doc__, what_={"choices": tuple(runs)}, path_={"nargs": "?", "type": Path}, seed=1, targets=1000, splits=5
    )
    show(costed(runs[options.what]), as_json=options.json)


if __name__ == "__main__":
    main()
