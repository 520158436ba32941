"""What loading with a manifest costs, and how long a proof is.

Run: python benchmarks/manifests.py [--people 100000] [--json]

A CSV of two rows for each person, of whom one in a hundred objected (keyed list). Loading reads and hashes the file
twice, makes a token of each person, filters, and commits to those who are kept and to those who are left out. Processor
time, one thread.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from _command import asked, peak_mb, show
from reticent.data.manifests import Basis, Objection, Objections, Origin, Pinned, describe, load_with, standing
from reticent.data.manifests.persons import check, token
from reticent.data.tables import Table, read
from reticent.randomness import Randomness


def measured(people: int, folder: Path) -> dict[str, Any]:
    owners = np.repeat(np.arange(people), 2)
    path = Table.of({"who": owners, "age": Randomness.simulated(0).integers(99, 2 * people)}).save(
        folder / "people.csv"
    )
    key = bytes(range(32))
    against = tuple(Objection(token(key, one).hex(), "2026-01-01") for one in range(0, people, 100))
    listed = Objections("keyed", check(key), against)
    manifest = dataclasses.replace(
        describe(path, owner="who"),
        sources=(Origin("simulated"),),
        allowed=("research",),
        basis=Basis("consent"),
        until="2030-01-01",
        objections=Pinned("o.json", listed.digest, "keyed"),
    )
    start = time.process_time()
    read(path)
    reading = time.process_time() - start
    start = time.process_time()
    found = load_with(manifest, path, purpose="research", today="2026-11-22", objections=listed, key=key)
    loading = time.process_time() - start
    start = time.process_time()
    proof = found.proof(0)
    proving = time.process_time() - start
    assert found.parted is not None
    assert standing(proof, *found.parted.commitments, key=key, person=0) == "left out"
    return {
        "people": people,
        "rows": found.body["rows"],
        "reading alone, s": reading,
        "loading, s": loading,
        "one proof, s": proving,
        "bytes of a proof": len(json.dumps(proof.as_dict())),
        "peak memory, MiB": peak_mb(),
    }


def main() -> None:
    options = asked(__doc__, people=100_000)
    with tempfile.TemporaryDirectory() as folder:
        show(measured(options.people, Path(folder)), as_json=options.json)


if __name__ == "__main__":
    main()
