"""How fast tables are read in pieces, and in how much memory, however large they are.

Run: python benchmarks/sources.py [--json] [--rows 1000000] [--gigabytes 10]

Files are made here, in a folder for temporary files (`TMPDIR`), and deleted again; each is read in a process of its
own. Processor time is the process's without its start; memory is its peak, and what Python with arrow takes before
reading is given beside it. `--gigabytes 0` leaves out the large file.

Bars: 1,000,000 rows of 20 text columns in well under 10 s of processor time (delimited text); a file of 10 GB in a few
hundred MB of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reticent.randomness import Randomness

READ = """
import json, resource, sys, time
from reticent.data.tables import open_sources, read, sample
from reticent.randomness import Randomness
import pyarrow.csv, pyarrow.parquet

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

(source,) = open_sources(sys.argv[1])
before, start, rows = peak(), time.process_time(), 0
if sys.argv[2] == "pieces":
    for piece in source.pieces():
        rows += piece.batch.num_rows
elif sys.argv[2] == "sample":
    rows = sample(source, 10_000, Randomness.simulated(0)).seen
else:
    rows = read(source).rows
print(json.dumps({
    "rows": rows,
    "seconds": round(time.process_time() - start, 2),
    "peak_mib": round(peak()),
    "before_mib": round(before),
    "problems": [[one.what, one.count] for one in source.problems],
}))
"""
COLUMNS = 20


def blocks(rows: int) -> Iterator[list[list[str]]]:
    """Rows of 20 texts, 10,000 at a time."""
    source = Randomness.simulated(0)
    for _ in range(0, rows, 10_000):
        numbers = source.integers(1_000_000, 10_000 * COLUMNS).reshape(10_000, COLUMNS).tolist()
        yield [[f"text{number} value" for number in row] for row in numbers]


def make(folder: Path, rows: int) -> dict[str, Path]:
    """The same rows in each kind of file; in "ragged" every hundredth row is short."""
    import sqlite3

    names = [f"c{number}" for number in range(COLUMNS)]
    files = {name: folder / name for name in ("plain.csv", "quoted.csv", "ragged.csv", "rows.jsonl", "rows.txt")}
    parquet, database = folder / "rows.parquet", folder / "rows.db"
    schema = pa.schema([(name, pa.string()) for name in names])
    opened = {name: path.open("w") for name, path in files.items()}
    connection = sqlite3.connect(database)
    connection.execute(f"create table rows ({', '.join(f'{name} text' for name in names)})")
    for name in ("plain.csv", "quoted.csv", "ragged.csv"):
        opened[name].write(",".join(names) + "\n")
    with pq.ParquetWriter(parquet, schema) as writer:
        for block in blocks(rows):
            plain = [",".join(row) + "\n" for row in block]
            opened["plain.csv"].writelines(plain)
            opened["rows.txt"].writelines(plain)
            opened["quoted.csv"].writelines('"' + '","'.join(row) + '"\n' for row in block)
            opened["ragged.csv"].writelines("short\n" if at % 100 == 0 else row for at, row in enumerate(plain))
            opened["rows.jsonl"].writelines(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in block)
            writer.write_table(pa.table([list(column) for column in zip(*block, strict=True)], schema=schema))
            connection.executemany(f"insert into rows values ({', '.join('?' * COLUMNS)})", block)  # noqa: S608
    for file in opened.values():
        file.close()
    connection.commit()
    connection.close()
    return {**files, "rows.parquet": parquet, "rows.db": database}


def measured(where: str, how: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", READ, where, how], capture_output=True, text=True, check=True)  # noqa: S603
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def large(folder: Path, gigabytes: float) -> list[dict[str, Any]]:
    """One file of so many gigabytes, some of its rows in quotes and some ragged, read in pieces and sampled from."""
    path = folder / "large.csv"
    (block,) = blocks(10_000)
    lines = [",".join(row) for row in block]
    lines[5] = "short"
    lines[7] = '"a\nbreak",' + lines[7].partition(",")[2]
    text = ("\n".join(lines) + "\n").encode()
    with path.open("wb") as file:
        file.write((",".join(f"c{number}" for number in range(COLUMNS)) + "\n").encode())
        while file.tell() < gigabytes * 1e9:
            file.write(text)
    found = []
    for how in ("pieces", "sample"):
        size = path.stat().st_size / 1e9
        found.append({"file": f"large.csv ({size:.1f} GB)", "how": how, **measured(str(path), how)})
    path.unlink()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--gigabytes", type=float, default=10.0)
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    found = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name, path in make(folder, asked.rows).items():
            where = f"sqlite:///{path}" if name.endswith(".db") else str(path)
            hows = ["pieces", "sample", "whole"] if name == "plain.csv" else ["pieces"]
            found += [{"file": name, "how": how, **measured(where, how)} for how in hows]
            path.unlink()
        if asked.gigabytes:
            found += large(folder, asked.gigabytes)
    if asked.json:
        print(json.dumps({"rows": found}, indent=2))
        return
    print(f"{'file':22} {'how':8} {'rows':>10} {'seconds':>8} {'peak MiB':>9} {'before':>7}")
    for one in found:
        print(
            f"{one['file']:22} {one['how']:8} {one['rows']:>10} {one['seconds']:>8} {one['peak_mib']:>9} "
            f"{one['before_mib']:>7}"
        )


if __name__ == "__main__":
    main()
