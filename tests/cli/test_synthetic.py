"""`reticent synthetic`: figures, files, and the gate's exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.audits.synthetic.generators import copying, marginals, people
from tests.cli.test_commands import Ask, ask

from reticent.evidence import Record

__all__ = ["ask"]

GENERATOR = """
import numpy as np
from reticent.data.tables import Table

def make(table, seed):
    rng = np.random.default_rng(seed)
    return table.take(rng.integers(0, table.rows, table.rows))
"""


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, ...]]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    rng = np.random.default_rng(0)
    source, control = people(200, rng), people(400, rng)
    source.save(tmp_path / "train.csv")
    control.save(tmp_path / "held.csv")
    copying(1.0)(source, 1).save(tmp_path / "copies.csv")
    marginals(people(200, rng), 1).save(tmp_path / "fresh.csv")
    (tmp_path / "cli_make.py").write_text(GENERATOR)
    yield "--source", "train.csv", "--control", "held.csv", "--secret", "job", "--seed", "1"
    sys.modules.pop("cli_make", None)


@pytest.mark.slow
def test_a_leak_fails_the_gate_and_files_are_written(ask: Ask, tables: tuple[str, ...], tmp_path: Path) -> None:
    answer = ask("synthetic", "copies.csv", *tables, "--gate", "-o", "page.html")
    assert answer.code == 1
    assert "gives away rows" in answer.out
    assert "Written: page.html" in answer.out
    assert "<html" in (tmp_path / "page.html").read_text()
    again = ask("synthetic", "copies.csv", *tables, "-o", "page.html")
    assert again.code == 2
    assert "say --overwrite" in again.err
    record = ask("synthetic", "copies.csv", *tables, "-o", "page.html", "--overwrite", "--json")
    assert record.code == 0
    assert Record.from_json(record.out).body["found"]
    assert record.err == ""


@pytest.mark.slow
def test_nothing_found_passes_only_where_something_could_have_been(ask: Ask, tables: tuple[str, ...]) -> None:
    assert ask("synthetic", "fresh.csv", *tables, "--gate", "--detect", "0.7").code == 0
    answer = ask("synthetic", "fresh.csv", *tables, "--gate", "--detect", "0.51")
    assert answer.code == 3
    assert "no proof that there is none" in answer.out


def test_a_generator_is_called(ask: Ask, tables: tuple[str, ...]) -> None:
    answer = ask("synthetic", "copies.csv", *tables, "--generator", "cli_make.py:make", "--generations", "4", "--json")
    assert answer.code == 0
    body = json.loads(answer.out)["body"]
    assert "shadow releases: counting queries" in [one["attack"] for one in body["findings"]]


def test_what_is_not_there_is_said(ask: Ask, tables: tuple[str, ...]) -> None:
    assert ask("synthetic", "copies.csv", *tables, "--owner", "who").code == 2
    assert ask("synthetic", "copies.csv", *tables, "--detect", "50").code == 2
    assert "Example: reticent synthetic" in ask("synthetic", "--help").out
