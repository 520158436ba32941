"""How long a scan takes and how much memory, what it finds and misses among seeded identifiers, and in texts.

Run: python benchmarks/scan.py --json [--only time,numbers,texts,names] [--rows 1000000]

`time`: a table of 20 columns as CSV, all rows looked at, in a process of its own; processor seconds and largest memory.
`numbers`: every kind with check digits among decoys, cell by cell; values are made by python-stdnum's rules.
`texts`: the templates of Presidio's own evaluation, filled with made-up people; recall and precision by entity, of
reticent's patterns without and with lists of names and with a spaCy model, and of Presidio as it comes with that model
(threshold 0). Patterns were designed on every other template; the rest are "unseen".
`names`: columns of names and of other things whose own names say nothing; which are called names by their values.
Intervals: 95 %, Clopper and Pearson.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from _identifiers import NUMBERS, decoys, digits, numbers

SEED = 7
MISSING = 0.03

# Presidio's template slots, and what they are called here.
SLOTS = {
    "credit_card_number": "payment card number",
    "iban": "IBAN",
    "ssn": "US social security number",
    "email": "e-mail address",
    "phone_number": "telephone number",
    "url": "web address",
    "ip_address": "IP address",
    "date_time": "date",
    "date_of_birth": "date",
    "age": "age",
    "address": "street address",
    "zipcode": "US ZIP code",
    "us_driver_license": "licence or certificate number",
}
NAMES = "person first_name last_name name name_male name_female first_name_male first_name_female first_name_nonbinary "
SLOTS |= dict.fromkeys((*NAMES.split(), "last_name_male", "last_name_female"), "name")
# What stands in these slots is no finding that is asked for, and no false alarm either.
ALSO = {
    "date_time": ("age",),
    "date_of_birth": ("age",),
    "street_name": ("street address", "place"),
    "building_number": ("street address",),
    "postcode": ("US ZIP code", "postcode", "place"),
    "zipcode": ("postcode", "place"),
    "city": ("place",),
    "country": ("place",),
    "state_abbr": ("place",),
    "nation_woman": ("place",),
    "nationality": ("place",),
    "secondary_address": ("street address",),
    "address": ("US ZIP code", "postcode", "place"),
    "age": ("date",),
    "year": ("date", "age"),
    "day_of_week": ("date", "age"),
}


def table(rows: int, path: Path) -> None:
    """A table of people and orders as CSV: 20 columns, 3 % of the cells of most of them missing."""
    import pyarrow as pa
    import pyarrow.csv

    rng = np.random.Generator(np.random.PCG64(SEED))
    first = np.array(["Ann", "Bo", "Cem", "Dana", "Eli", "Fatima", "Gus", "Hanna", "Ivo", "José", "Kim", "Lena"])
    last = np.array(["Nguyen", "Smith", "Kowalska", "Garcia", "Müller", "Okafor", "Rossi", "Dubois", "Jansen", "Silva"])
    names, surnames = rng.choice(first, rows), rng.choice(last, rows)
    numbered = np.arange(rows).astype(str)
    born = np.datetime64("1930-01-01") + rng.integers(0, 27_000, rows)
    moment = np.datetime64("2023-01-01T00:00:00") + rng.integers(0, 60_000_000, rows)
    lower = np.char.lower(np.where(surnames == "Müller", "mueller", surnames))
    cards = rng.integers(0, 10, (rows, 16))
    cards[:, 0] = 4
    doubled = cards[:, 0:15:2] * 2
    total = cards[:, 1:15:2].sum(axis=1) + (doubled // 10 + doubled % 10).sum(axis=1)
    cards[:, 15] = -total % 10
    account = digits(rows, 18, rng)
    ibans = [f"DE{98 - int(one + '131400') % 97:02}{one}" for one in account]
    streets = np.array(["Main St", "Oak Avenue", "Mill Road", "Church Lane", "Park Drive"])
    notes = np.where(
        rng.random(rows) < 0.02, "Please write to the customer at ", "The parcel was delivered on time by "
    )
    columns: dict[str, Any] = {
        "id": numbered,
        "first_name": names,
        "last_name": surnames,
        "email": np.char.add(np.char.add(np.char.add(lower, numbered), "@"), "mail.example.org"),
        "phone": [f"+1 212 {one[:3]} {one[3:7]}" for one in digits(rows, 7, rng)],
        "dob": born.astype(str),
        "zip": [f"{one:05}" for one in rng.integers(1000, 99999, rows)],
        "sex": rng.choice(["F", "M"], rows),
        "street": [
            f"{number} {street}"
            for number, street in zip(rng.integers(1, 999, rows), rng.choice(streets, rows), strict=True)
        ],
        "card": ["".join(map(str, row)) for row in cards.tolist()],
        "iban": ibans,
        "last_login_ip": [".".join(map(str, row)) for row in rng.integers(1, 255, (rows, 4)).tolist()],
        "order_no": digits(rows, 16, rng),
        "reference": digits(rows, 11, rng),
        "created_at": np.char.replace(moment.astype(str), "T", " "),
        "epoch_ms": (moment.astype("datetime64[ms]").astype(np.int64) + rng.integers(0, 1000, rows)).astype(str),
        "amount": [f"{one:.2f}" for one in rng.gamma(2, 40, rows)],
        "status": rng.choice(["open", "paid", "sent", "returned"], rows),
        "icd": rng.choice(["E11.9", "I10", "J45.909", "F32.1", "C50.9", "M54.5"], rows),
    }
    columns["note"] = np.where(
        np.char.startswith(notes, "Please"), np.char.add(notes, columns["email"]), np.char.add(notes, numbered)
    )
    arrays = {name: pa.array([str(one) for one in column]) for name, column in columns.items()}
    for name in list(arrays)[1:]:
        arrays[name] = pa.array(arrays[name].to_pylist(), mask=rng.random(rows) < MISSING)
    pyarrow.csv.write_csv(pa.table(arrays), path)


ONE = """
import json, resource, sys, time
from reticent.data.scan import scan
start = time.perf_counter()
found = scan(sys.argv[1], sample=int(sys.argv[2]) or None)
wall = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"wall_s": round(wall, 1), "cpu_s": round(used.ru_utime + used.ru_stime, 1),
                  "largest_mb": used.ru_maxrss // 1024, "findings": len(found.found)}))
"""


def times(rows: int) -> dict[str, Any]:
    """One full scan and one of a sample, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.csv"
        subprocess.run(  # noqa: S603 (our own program; its memory is not to count)
            [sys.executable, __file__, "--make", str(path), "--rows", str(rows)], check=True
        )
        found: dict[str, Any] = {"rows": rows, "columns": 20, "csv_mb": path.stat().st_size // 10**6}
        for name, sample in (("full", 0), ("sample of 10000", 10_000)):
            done = subprocess.run(  # noqa: S603
                [sys.executable, "-c", ONE, str(path), str(sample)], check=True, capture_output=True, text=True
            )
            found[name] = json.loads(done.stdout)
    return found


def share(hits: int, of: int) -> dict[str, float | int]:
    """A share with its interval."""
    from reticent.evidence.intervals import clopper_pearson

    if not of:
        return {"n": 0}
    low, high = clopper_pearson(hits, of, 0.95)
    return {"value": round(hits / of, 4), "low": round(low, 4), "high": round(high, 4), "n": of}


def seeded(count: int) -> dict[str, Any]:
    """Kinds with check digits in columns whose names say nothing, whole and mixed, among decoys."""
    from reticent.data.scan import scan

    rng = np.random.Generator(np.random.PCG64(SEED))
    columns: dict[str, list[str]] = {}
    truth: dict[str, tuple[str, int]] = {}
    for place, kind in enumerate(NUMBERS):
        values = numbers(kind, count, rng)
        columns[f"c{place}"] = values
        truth[f"c{place}"] = (kind, count)
        few = [one if place % 10 == 0 else ("" if place % 2 else "see file") for place, one in enumerate(values)]
        columns[f"m{place}"] = few
        truth[f"m{place}"] = (kind, sum(place % 10 == 0 for place in range(count)))
    for place, (name, values) in enumerate(decoys(count, rng).items()):
        columns[f"d{place}"] = values
        truth[f"d{place}"] = (name, 0)
    found = scan(columns, texts="none").found
    right = wrong = 0
    by_kind = {}
    for column, (kind, wanted) in truth.items():
        own = [one for one in found if one.column == column and one.confidence == "checksum"]
        hits = sum(one.cells for one in own if one.kind == kind)
        right += hits
        wrong += sum(one.cells for one in own if one.kind != kind)
        if column[0] != "d":
            before = by_kind.get(kind, (0, 0))
            by_kind[kind] = (before[0] + hits, before[1] + wanted)
    wanted = sum(of for _, of in truth.values())
    return {
        "kinds": len(NUMBERS),
        "decoys": sum(column[0] == "d" for column in truth),
        "recall": share(right, wanted),
        "precision": share(right, right + wrong),
        "worst_recall": min((hits / of, kind) for kind, (hits, of) in by_kind.items()),
    }


def sentences(count: int) -> list[tuple[str, list[tuple[str, int, int]]]]:
    """Filled templates and what is where in them, as (kind, start, end)."""
    import csv
    import re

    from reticent.data import fetch

    folder = fetch("pii-templates")
    raw = next(folder.rglob("templates.txt")).read_text("utf-8", errors="replace")
    with next(folder.rglob("*.csv")).open(encoding="utf-8-sig") as file:
        people = list(csv.DictReader(file))
    rng = np.random.Generator(np.random.PCG64(SEED))
    cards = numbers("payment card number", 300, rng)
    ibans = numbers("IBAN", 300, rng)
    templates = [line.strip().strip('"') for line in raw.splitlines() if line.strip()]
    found = []
    for place in range(count):
        template = templates[place % len(templates)].replace("\\n", "\n")
        drawn = [people[one] for one in rng.integers(len(people), size=8)]
        text, spans, done = "", [], 0
        met: Counter[str] = Counter()
        for match in re.finditer(r"\{\{(\w+)\}\}", template):
            text += template[done : match.start()]
            value = slot(match.group(1), drawn[met[match.group(1)] % len(drawn)], cards, ibans, rng)
            met[match.group(1)] += 1  # the second {{first_name}} of a sentence is somebody else
            spans += [(kind, len(text), len(text) + len(value)) for kind in named(match.group(1))]
            text += value
            done = match.end()
        text += template[done:]
        found.append((text, [*spans, *numbered_streets(text, spans)]))
    return found


def named(name: str) -> list[str]:
    """The kinds of what stands in a slot; "~": not asked for, but not wrong either."""
    return [*([SLOTS[name]] if name in SLOTS else ()), *(f"~{one}" for one in ALSO.get(name, ()))]


def numbered_streets(text: str, spans: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """A house's number and its street, from two slots, are an address."""
    parts = sorted((low, high) for kind, low, high in spans if kind == "~street address")
    return [
        ("street address", low, end)
        for (low, high), (start, end) in itertools.pairwise(parts)
        if start == high + 1 and text[high] == " " and text[low].isdigit()
    ]


def slot(name: str, person: dict[str, str], cards: list[str], ibans: list[str], rng: np.random.Generator) -> str:
    """What stands in a slot."""
    given, surname = person["GivenName"], person["Surname"]
    street = f"{person['StreetAddress']}, {person['City']}, {person['StateFull']} {person['ZipCode']}"
    number = digits(1, 9, rng)[0]
    known = {
        "credit_card_number": cards[int(rng.integers(len(cards)))],
        "iban": ibans[int(rng.integers(len(ibans)))],
        "ssn": f"{int(rng.integers(100, 665))}-{int(rng.integers(10, 99))}-{int(rng.integers(1000, 9999))}",
        "email": person["EmailAddress"],
        "phone_number": person["TelephoneNumber"],
        "url": f"https://www.{person['Domain']}/",
        "ip_address": ".".join(map(str, rng.integers(1, 255, 4))),
        "date_time": person["Birthday"],
        "date_of_birth": person["Birthday"],
        "age": person["Age"],
        "address": street,
        "zipcode": f"{int(rng.integers(10_000, 99_999))}",
        "us_driver_license": f"{'ABCD'[int(rng.integers(4))]}{number[:7]}",
        "organization": person["Company"],
        "city": person["City"],
        "country": person["CountryFull"],
        "street_name": person["StreetAddress"].strip("0123456789 "),
        "building_number": str(rng.integers(1, 300)),
        "postcode": person["ZipCode"],
        "job": person["Occupation"],
        "state_abbr": person["State"],
        "year": str(rng.integers(1950, 2020)),
        "prefix": person["Title"],
        "prefix_male": "Mr.",
        "prefix_female": "Mrs.",
        "nationality": person["CountryFull"],
        "day_of_week": "Tuesday",
        "secondary_address": f"Apt. {int(rng.integers(1, 99))}",
    }
    if name in known:
        return known[name]
    if name.startswith("first_name"):
        return given
    if name.startswith("last_name"):
        return surname
    return f"{given} {surname}" if SLOTS.get(name) == "name" else person["CountryFull"]


def systems(model: str | None) -> dict[str, Any]:
    """What finds entities: a name and a function of a text."""
    from reticent.data.scan import entities
    from reticent.data.scan.model_names import merged, model_finder, model_named
    from reticent.data.scan.names import lists
    from reticent.data.scan.presidio import analyser
    from reticent.data.scan.text import KINDS
    from reticent.data.scan.text_names import names_in

    alone = tuple(
        dataclasses.replace(kind, find=lambda text: names_in(text, None)) if kind.name == "name" else kind
        for kind in KINDS
    )
    found: dict[str, Any] = {"patterns, no lists": lambda text: entities(text, alone)}
    if lists() is not None:
        found["patterns"] = entities
    if (model := model_named(model)) is not None:
        people = model_finder(model)
        found["patterns and model"] = lambda text: merged(entities(text), next(people([text])))
    presidio, _ = analyser(0, model)

    def placed(text: str) -> list[Any]:
        """Presidio has no addresses and ages: one of its places, or dates, counts for them."""
        own = presidio(text)
        also = {"place below a state": "street address", "date": "age"}
        return [*own, *(one._replace(kind=also[one.kind]) for one in own if one.kind in also)]

    return found | {"presidio": placed}


def scored(lines: list[tuple[str, list[tuple[str, int, int]]]], find: Any) -> dict[str, Any]:
    """Recall and precision by kind: an entity is found if one of its kind overlaps it."""
    wanted, hit, claimed, right = Counter(), Counter(), Counter(), Counter()
    for text, spans in lines:
        own = find(text)
        for kind, low, high in spans:
            wanted[kind] += 1
            hit[kind] += any(one.kind == kind and one.start < high and low < one.end for one in own)
        for one in own:
            over = {kind for kind, low, high in spans if one.start < high and low < one.end}
            places = one.kind == "street address" and "~place" in over
            if one.kind in over or not (f"~{one.kind}" in over or places):
                claimed[one.kind] += 1
                right[one.kind] += one.kind in over
    return {
        kind: {"recall": share(hit[kind], wanted[kind]), "precision": share(right[kind], claimed[kind])}
        for kind in sorted(set(SLOTS.values()))
    }


def by_lists(lines: list[tuple[str, list[tuple[str, int, int]]]], find: Any) -> dict[str, Any]:
    """Recall of names of which the lists know at least one word, and of those of which they know none."""
    from reticent.data.scan.names import fold, lists

    known = lists()
    wanted, hit = Counter(), Counter()
    for text, spans in lines:
        own = find(text)
        for kind, low, high in spans:
            if kind == "name":
                words = [fold(word) for word in text[low:high].split()]
                listed = known is not None and any(one in known.given or known.has_family(one) for one in words)
                wanted[listed] += 1
                hit[listed] += any(one.kind == "name" and one.start < high and low < one.end for one in own)
    return {name: share(hit[listed], wanted[listed]) for listed, name in ((True, "listed"), (False, "in no list"))}


def texts(count: int, model: str | None) -> dict[str, Any]:
    """Recall and precision by kind and system; of all templates, and of the half that nobody looked at."""
    from reticent.data.scan.model_names import model_named

    lines = sentences(count)
    templates = 210
    unseen = [line for place, line in enumerate(lines) if place % templates % 2]
    found: dict[str, Any] = {"texts": len(lines), "model": model_named(model) or "none", "systems": {}}
    for system, find in systems(model).items():
        find(lines[0][0])  # what is read once
        start = time.process_time()
        whole = scored(lines, find)
        seconds = (time.process_time() - start) * 1000 / count
        found["systems"][system] = {"s per 1000": round(seconds, 2), "all": whole, "unseen": scored(unseen, find)}
        found["systems"][system]["names"] = by_lists(unseen, find)
    return found


def decoys_of_names() -> dict[str, Any]:
    """Columns whose names say nothing: of names, by language, and of what is none; which are called names."""
    import csv

    from reticent.data import fetch
    from reticent.data.scan import scan

    with next(fetch("pii-templates").rglob("*.csv")).open(encoding="utf-8-sig") as file:
        people = list(csv.DictReader(file))
    names: dict[str, list[str]] = {}
    others: dict[str, list[str]] = {}
    for kind in ("GivenName", "Surname", "MothersMaiden"):
        names[kind] = [one[kind] for one in people]
        for language in sorted({one["NameSet"] for one in people}):
            names[f"{kind}, {language}"] = [one[kind] for one in people if one["NameSet"] == language]
    for language in sorted({one["NameSet"] for one in people}):
        own = [one for one in people if one["NameSet"] == language]
        names[f"whole, {language}"] = [f"{one['GivenName']} {one['Surname']}" for one in own]
    for kind in ("City", "StateFull", "Company", "Occupation", "Username", "CountryFull", "StreetAddress", "Domain"):
        others[kind] = [one[kind] for one in people]
        for country in sorted({one["Country"] for one in people}):
            others[f"{kind}, {country}"] = [one[kind] for one in people if one["Country"] == country]
    others |= {
        name: [value.strip() for value in values.split(",")] * 20
        for name, values in json.loads((Path(__file__).parent / "_not_names.json").read_text("utf-8")).items()
    }
    judged = {}
    for group, columns in (("names", names), ("others", others)):
        called = []
        for name, values in columns.items():
            found = scan({"c": values}, texts="none").found
            if any(one.kind == "name" for one in found):
                called.append(name)
        judged[group] = {"called names": share(len(called), len(columns))}
        judged[group]["not called" if group == "names" else "called"] = (
            sorted(set(columns) - set(called)) if group == "names" else called
        )
    return judged


def main() -> None:
    """Print figures as JSON, or as lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--count", type=int, default=1000, help="numbers of each kind")
    parser.add_argument("--texts", type=int, default=2100, help="filled templates")
    parser.add_argument("--only", default="time,numbers,texts,names")
    parser.add_argument("--model", help="an installed spaCy model; the first English one, if none is named")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.make:
        table(arguments.rows, arguments.make)
        return
    asked = arguments.only.split(",")
    result: dict[str, Any] = {"benchmark": "scan", "machine": platform.machine()}
    if "time" in asked:
        result["time"] = times(arguments.rows)
    if "numbers" in asked:
        result["numbers"] = seeded(arguments.count)
    if "texts" in asked:
        result["texts"] = texts(arguments.texts, arguments.model)
    if "names" in asked:
        result["names"] = decoys_of_names()
    result["largest_mb_here"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(result) if arguments.json else json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
