"""Memory stays bounded, however large a file, a row or a line is: each in a process of its own."""

from __future__ import annotations

import gzip
import subprocess
import sys

import pytest

READ = """
import resource, sys
import numpy, pyarrow.csv, pyarrow.json, pyarrow.parquet
from reticent.data.tables import open_sources, read, sample
from reticent.randomness import Randomness

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

(source,) = open_sources(sys.argv[1])
before = peak()
if sys.argv[2] == "sample":
    rows = sample(source, 1000, Randomness.simulated(0)).seen
elif sys.argv[2] == "whole":
    rows = read(source).rows
else:
    rows = sum(piece.batch.num_rows for piece in source.pieces())
print(rows, round(peak() - before))
"""
SIZE = 250 << 20
MOST = 330  # MiB above what Python and arrow take; a file that is held whole takes more than its 250, twice


def reading(path, how="pieces"):
    done = subprocess.run(
        [sys.executable, "-c", READ, path, how], capture_output=True, text=True, check=True, timeout=60
    )
    rows, taken = map(int, done.stdout.split())
    return rows, taken


def filled(path, head, part, tail=b""):
    with path.open("wb") as file:
        file.write(head)
        for _ in range(SIZE // len(part)):
            file.write(part)
        file.write(tail)
    return SIZE // len(part)


@pytest.mark.slow
def test_a_large_table(tmp_path):
    rows = b"".join(b'%d,"word\nand %d",%d\n' % (n, n, n) for n in range(20_000)) + b"short\n"
    parts = filled(tmp_path / "t.csv", b"a,b,c\n", rows)
    found, taken = reading(tmp_path / "t.csv")
    assert found == parts * 20_001
    assert taken < 200
    assert reading(tmp_path / "t.csv", "sample")[1] < 200
    (tmp_path / "t.csv").unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "head", "part"),
    [
        ("one line.csv", b"a,b\n1,2\n", b"x,y;" * 25_000),
        ("open quote.csv", b'a,b\n1,2\n"x,y\n', b"some words,more words\n" * 10_000),
        ("one line.txt", b"", b"word " * 20_000),
        ("zeros.csv", b"a,b\n", b"\0" * 100_000),
        ("one line.jsonl", b'{"a": "', b"word " * 20_000),
    ],
)
def test_an_enormous_row(tmp_path, name, head, part):
    path = tmp_path / name
    filled(path, head, part, b"\n1,2\n")
    assert reading(path)[1] < MOST
    path.unlink()


@pytest.mark.slow
def test_what_is_packed_small_and_large_inside(tmp_path):
    path = tmp_path / "t.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"a,b\n")
        for _ in range(250):
            file.write(b"some words,more words\n" * 48_000)
    assert path.stat().st_size < 10 << 20
    found, taken = reading(path)
    assert found == 250 * 48_000
    assert taken < 200
    found, taken = reading(path, "whole")  # few distinct values: 92 MiB of codes, and room to work on them
    assert found == 250 * 48_000
    assert taken < 350
