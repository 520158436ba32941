"""The import contracts hold, and would notice: every kind of violation is planted in a copy and caught."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LAYERS = "The folders are layers"
CYCLES = "No cycles at any depth"
ATTACKS = "Attacks know no defence"
OFFICE = "The record office works without the laboratory"
PICKLE = "No pickle, and no second door to randomness"
ROOTS = "Importing reticent loads no torch"

# Name of the plant: ({file below src/reticent: what is appended to it, or its text if new}, the contracts it breaks).
PLANTS: dict[str, tuple[dict[str, str], set[str]]] = {
    "an attack imports training": (
        {"attacks/membership/likelihood_ratio.py": "from reticent.training import loop\n"},
        {ATTACKS},  # attacks stand above training, so the layers allow it
    ),
    "a report imports torch inside a function": (
        {"reports/words.py": "def late():\n    import torch\n    return torch\n"},
        {OFFICE},
    ),
    "a report imports audits": ({"reports/pages.py": "import reticent.audits.statistics\n"}, {LAYERS, OFFICE}),
    "pickle deep inside": ({"data/_readers.py": "def late():\n    import pickle\n    return pickle\n"}, {PICKLE}),
    "the other door to randomness": ({"audits/statistics.py": "import random\n"}, {PICKLE}),
    "a folder that nobody declared": ({"utils/__init__.py": "", "utils/misc.py": "X = 1\n"}, {LAYERS}),
    "a cycle of two files in one folder": (
        {
            "evidence/canonical.py": "def late():\n    from reticent.evidence import findings\n    return findings\n",
            "evidence/findings.py": "from reticent.evidence import canonical\n",
        },
        {CYCLES},
    ),
    "evidence imports audits": ({"evidence/records.py": "import reticent.audits.blind\n"}, {LAYERS, OFFICE}),
    "privacy imports data": ({"privacy/units.py": "import reticent.data.entry\n"}, {LAYERS, OFFICE}),
    "the root imports training": ({"__init__.py": "import reticent.training\n"}, {ROOTS}),
    "models import training": ({"models/target.py": "import reticent.training.seeding\n"}, {LAYERS}),
    "training knows an adapter": ({"training/seeding.py": "import reticent.integrations.opacus\n"}, {LAYERS}),
    "an adapter is an attack's neighbour": ({"integrations/opacus.py": "import reticent.attacks\n"}, {LAYERS}),
    "an optional layer stands too low": (
        {"governance/__init__.py": "", "reports/words.py": "import reticent.governance\n"},
        {LAYERS},
    ),
    "a federated training is an attack's neighbour": (
        {"federated/__init__.py": "", "attacks/__init__.py": "import reticent.federated\n"},
        {LAYERS},
    ),
}


def lint(folder: Path) -> tuple[int, dict[str, bool], str]:
    """The exit status of lint-imports on a checkout, which contracts it kept, and all that it said."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src"), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    verdicts = dict(re.findall(r"^(.+) (KEPT|BROKEN)$", done.stdout, flags=re.MULTILINE))
    return done.returncode, {name: said == "KEPT" for name, said in verdicts.items()}, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "src" / "reticent", tmp_path / "src" / "reticent", ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold() -> None:
    status, kept, said = lint(ROOT)
    assert kept == dict.fromkeys((LAYERS, CYCLES, ATTACKS, OFFICE, PICKLE, ROOTS), True), said
    assert status == 0


def test_a_copy_is_what_is_checked_and_declared_folders_may_come(copy: Path) -> None:
    for folder in ("service", "governance", "secure", "federated"):
        (copy / "src" / "reticent" / folder).mkdir()
        (copy / "src" / "reticent" / folder / "__init__.py").write_text("import reticent.errors\n")
    status, kept, said = lint(copy)
    assert all(kept.values()), said
    assert (status, len(kept)) == (0, 6)


@pytest.mark.parametrize(("files", "broken"), PLANTS.values(), ids=PLANTS)
def test_a_planted_violation_is_caught(copy: Path, files: dict[str, str], broken: set[str]) -> None:
    for name, text in files.items():
        file = copy / "src" / "reticent" / name
        file.parent.mkdir(exist_ok=True)
        before = file.read_text("utf-8") if file.exists() else ""
        file.write_text(f"{before}\n{text}", "utf-8")
    status, kept, said = lint(copy)
    assert status == 1, said
    assert {name for name, holds in kept.items() if not holds} >= broken, said
    assert len(kept) == 6
