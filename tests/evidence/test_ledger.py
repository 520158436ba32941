"""A ledger keeps what it said it kept, whenever a process dies, and notices what was changed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reticent.errors import IntegrityError, UsageError
from reticent.evidence.ledger import Ledger

ABOUT = {"epsilon": 3.0, "callers": None}
posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


def filled(path: Path, count: int = 5) -> Path:
    with Ledger(path, ABOUT) as ledger:
        for number in range(count):
            ledger.add({"number": number, "text": "ä" * number})
    return path


def read(path: Path) -> list[int]:
    with Ledger(path, ABOUT) as ledger:
        return [line["number"] for line in ledger.lines]


def test_lines_are_there_when_it_is_opened_again(tmp_path: Path):
    path = filled(tmp_path / "j")
    assert read(path) == list(range(5))
    with Ledger(path, ABOUT) as ledger:
        ledger.add({"number": 5})
        assert len(ledger.lines) == 6
    assert read(path) == list(range(6))
    assert (path.stat().st_mode & 0o077) == 0 or os.name != "posix"


def test_a_file_that_was_cut_has_every_whole_line_and_goes_on(tmp_path: Path):
    whole = filled(tmp_path / "whole", 2).read_bytes()
    for length in [*range(0, len(whole), 3), len(whole) - 1, len(whole)]:
        path = tmp_path / "cut"
        path.write_bytes(whole[:length])
        complete = max(whole[:length].count(b"\n") - 1, 0)
        assert read(path) == list(range(complete))
        with Ledger(path, ABOUT) as ledger:
            ledger.add({"number": 99})
        assert read(path) == [*range(complete), 99]


def test_changed_missing_and_moved_lines_are_found(tmp_path: Path):
    path = filled(tmp_path / "j")
    lines = path.read_bytes().splitlines(keepends=True)
    for changed in (
        [*lines[:2], lines[2].replace(b'"number":1', b'"number":7'), *lines[3:]],
        [*lines[:2], *lines[3:]],
        [*lines[:2], lines[3], lines[2], *lines[4:]],
        [*lines[:3], lines[2], *lines[3:]],
        [b"\xff\xfe" + lines[0], *lines[1:]],
        [lines[0], b"\n", *lines[1:]],
    ):
        path.write_bytes(b"".join(changed))
        with pytest.raises(IntegrityError, match="every line in its place"):
            Ledger(path, ABOUT)


def test_other_files_and_other_ledgers_are_refused_and_left_alone(tmp_path: Path):
    path = filled(tmp_path / "j")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="Expected the ledger of"):
        Ledger(path, {**ABOUT, "epsilon": 4.0})
    assert path.read_bytes() == before
    path.write_bytes(b"a file without a line")
    with pytest.raises(IntegrityError, match="got something else"):
        Ledger(path, ABOUT)
    assert path.read_bytes() == b"a file without a line"
    with pytest.raises(UsageError, match="Expected to write to"):
        Ledger(tmp_path / "nowhere" / "j", ABOUT)


def test_one_at_a_time(tmp_path: Path):
    path = filled(tmp_path / "j")
    code = f"from reticent.evidence.ledger import Ledger\nLedger({str(path)!r}, {ABOUT!r})"
    with Ledger(path, ABOUT):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
        assert "another process has it" in done.stderr
        with pytest.raises(UsageError, match="another process has it"):
            Ledger(path, ABOUT)  # nor twice in one process
    assert len(read(path)) == 5


def test_a_closed_ledger_takes_no_lines(tmp_path: Path):
    ledger = Ledger(tmp_path / "j", ABOUT)
    ledger.close()
    with pytest.raises(UsageError, match="Expected an open ledger"):
        ledger.add({"number": 1})
    with Ledger(tmp_path / "j", ABOUT) as again, pytest.raises(UsageError, match="plain values"):
        again.add({"number": float("nan")})
    assert read(tmp_path / "j") == []


@posix
def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path):
    import resource

    path = filled(tmp_path / "j", 3)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Ledger(path, ABOUT) as ledger:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 40, hard))
        try:
            with pytest.raises(UsageError, match="Expected to write to"):
                ledger.add({"number": 3})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        with pytest.raises(UsageError, match="Expected an open ledger"):
            ledger.add({"number": 4})  # half a line stands there
    assert read(path) == [0, 1, 2]


@posix
@pytest.mark.slow
def test_killed_at_any_moment(tmp_path: Path):
    """What a process said that it had written is there after kill -9."""
    path = tmp_path / "j"
    code = (
        "from reticent.evidence.ledger import Ledger\n"
        f"ledger = Ledger({str(path)!r}, {ABOUT!r})\n"
        "while True:\n"
        "    number = len(ledger.lines)\n"
        "    ledger.add({'number': number, 'text': 'x' * 1000})\n"
        "    print(number, flush=True)\n"
    )
    for wait in (0.02, 0.11):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        said = [int(process.stdout.readline())]
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        said += [int(line) for line in process.stdout.read().splitlines() if line]
        process.wait()
        process.stdout.close()
        kept = read(path)
        assert kept == list(range(len(kept)))
        assert said[-1] < len(kept)
