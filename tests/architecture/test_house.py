"""The house is as planned: light at the door, every room with a promise, every file with a test, nothing too long."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "reticent"
TESTS = ROOT / "tests"

FILES = sorted(SOURCE.rglob("*.py"))


def name_of(file: Path) -> str:
    return ".".join(("reticent", *file.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")


EMPTY = {name_of(file) for file in FILES if len(ast.parse(file.read_text("utf-8")).body) == 1}  # a docstring only
PUBLIC = [name_of(file) for file in FILES if not re.search(r"\._|\.__main__$", name_of(file))]

# Modules without a file of their own name below tests/, and the file that tests them.
TESTED_ELSEWHERE = {
    "audits/bodies.py": "audits/test_membership.py",
    "audits/concluding.py": "audits/test_membership.py",
    "audits/outcome.py": "audits/test_membership.py",
    "audits/thresholds.py": "audits/test_membership.py",
    "cli/data.py": "cli/test_commands.py",
    "cli/demo.py": "cli/test_commands.py",
    "data/anonymity/anonymiser.py": "data/anonymity/test_anonymising.py",
    "data/anonymity/categories.py": "data/anonymity/test_hierarchies.py",
    "data/anonymity/generalisation.py": "data/anonymity/test_anonymising.py",
    "data/anonymity/ladders.py": "data/anonymity/test_hierarchies.py",
    "data/anonymity/losses.py": "data/anonymity/test_lattice.py",
    "data/anonymity/mappings.py": "data/anonymity/test_mondrian.py",
    "data/anonymity/numbers.py": "data/anonymity/test_hierarchies.py",
    "data/entry.py": "data/test_catalogue.py",
    "data/scan/accounts.py": "data/scan/test_detector.py",
    "data/scan/contacts.py": "data/scan/test_detector.py",
    "data/scan/legal.py": "data/scan/test_scanning.py",
    "data/scan/national.py": "data/scan/test_checksums.py",
    "data/scan/outcome.py": "data/scan/test_scanning.py",
    "data/scan/persons.py": "data/scan/test_detector.py",
    "data/scan/sensitive.py": "data/scan/test_detector.py",
    "data/scan/tally.py": "data/scan/test_scanning.py",
    "data/minimisation/applying.py": "data/minimisation/test_mapping.py",
    "data/minimisation/confirming.py": "data/minimisation/test_minimising.py",
    "data/minimisation/outcome.py": "data/minimisation/test_minimising.py",
    "data/minimisation/verdicts.py": "data/minimisation/test_minimising.py",
    "evidence/records.py": "evidence/test_evidence_records.py",
    "training/engine/attention.py": "training/engine/test_recording.py",
    "training/engine/convolutions.py": "training/engine/test_contributions.py",
    "training/engine/norms.py": "training/engine/test_recording.py",
    "training/engine/recorder.py": "training/engine/test_recording.py",
    "training/engine/recurrent.py": "training/engine/test_recording.py",
    "training/engine/rules.py": "training/engine/test_recording.py",
    "training/engine/structures.py": "training/test_gradients.py",
    "training/recipe.py": "training/test_loop.py",
}

# Modules whose page does not say "Promise": what they are instead.
NO_PROMISE = {
    "reticent": "the front door: names only",
    "reticent.attacks": "a list of names",
    "reticent.data.scan": "a list of names",
    "reticent.data.anonymity": "a list of names",
    "reticent.data.minimisation": "a list of names",
    "reticent.data.ratings": "a list of names",
    "reticent.data.tables": "a list of names",
    "reticent.attacks.membership": "a list of names",
    "reticent.attacks.reidentification": "a list of names",
    "reticent.attacks.reidentification.linkage": "a list of names",
    "reticent.data.duplicates": "a list of names",
    "reticent.audits": "a list of names",
    "reticent.audits.bounds": "a list of names",
    "reticent.audits.reidentification": "a list of names",
    "reticent.data.manifests": "a list of names",
    "reticent.attacks.synthetic": "a list of names",
    "reticent.audits.synthetic": "a list of names",
    "reticent.evidence": "a list of names",
    "reticent.integrations": "a list of modules",
    "reticent.models": "a list of names",
    "reticent.privacy": "a list of names",
    "reticent.privacy.mechanisms": "a list of names",
    "reticent.reports": "a list of names",
    "reticent.training": "a list of names",
    "reticent.training.fleets": "a list of names",
    "reticent.cli.anonymise": "the promise stands in reticent.cli, for all commands",
    "reticent.cli.audit": "the promise stands in reticent.cli, for all commands",
    "reticent.cli.data": "the promise stands in reticent.cli, for all commands",
    "reticent.cli.duplicates": "the promise stands in reticent.cli, for all commands",
    "reticent.cli.reidentify_linkage": "the promise stands in reticent.cli, for all commands",
    "reticent.cli.reidentify_released": "the promise stands in reticent.cli, for all commands",
    "reticent.cli.scan": "the promise stands in reticent.cli, for all commands",
    "reticent.cli.minimise": "the promise stands in reticent.cli, for all commands",
    "reticent.cli.reidentify": "the promise stands in reticent.cli, for all commands",
    "reticent.cli.demo": "the promise stands in reticent.cli, for all commands",
    "reticent.cli.manifest": "the promise stands in reticent.cli, for all commands",
    "reticent.cli.manifest_objections": "the promise stands in reticent.cli, for all commands",
    "reticent.cli.manifest_proofs": "the promise stands in reticent.cli, for all commands",
    "reticent.cli.synthetic": "the promise stands in reticent.cli, for all commands",
    "reticent.privacy.units": "two lists of words",
    "reticent.training.seeding": "one context manager, which its page describes",
    "reticent.reports.plots": "drawing only; the promise stands in reticent.reports.pages",
    "reticent.reports.words": "phrasing only; the promise stands in reticent.reports.pages",
}

# Files and functions that are longer than the rest may be: the longest that each of them may become.
LONG_FILES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh Python has loaded after running the code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(done.stdout))


# Light at the door ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_record_office_loads_no_laboratory() -> None:
    loaded = loaded_by("import reticent, reticent.reports, reticent.evidence, reticent.privacy, reticent.errors")
    assert "reticent.reports.pages" in loaded
    assert not loaded & {"torch", "sklearn", "joblib", "matplotlib"}
    rooms = {name.split(".")[1] for name in loaded if name.startswith("reticent.")}
    assert not rooms & {"data", "models", "training", "attacks", "audits", "cli"}


def test_the_door_alone_loads_next_to_nothing() -> None:
    loaded = loaded_by("import reticent")
    assert {name for name in loaded if name.startswith("reticent")} == {"reticent", "reticent._rooms"}
    assert not loaded & {"numpy", "scipy", "torch", "sklearn", "matplotlib", "rich", "typer", "jinja2"}


HEAVY = {"torch", "sklearn", "matplotlib", "scipy", "numpy", "pyarrow", "pandas", "jinja2"}


def test_the_command_line_starts_without_the_laboratory() -> None:
    loaded = loaded_by("import reticent.cli")
    assert not loaded & HEAVY


HELP_OF_ALL = """
import contextlib, io, typer.main
from reticent.cli import app

def helped(command, name):
    yield name
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        command.main([*name, "--help"], prog_name="reticent")
    for part, inner in getattr(command, "commands", {}).items():
        yield from helped(inner, [])

assert len(list(helped(typer.main.get_command(app), []))) > 15
"""


def test_no_command_needs_the_laboratory_for_its_help() -> None:
    assert not loaded_by(HELP_OF_ALL) & HEAVY


REIDENTIFIED = """
import reticent as rt
from reticent.attacks.reidentification import Knowledge
from reticent.data.ratings import simulated_ratings
made = simulated_ratings(60, 30, 600, rt.Randomness.simulated(1))
rt.reidentify(made, knowledge=[Knowledge(2)], targets=20, calibration=20, level=0.1)
from reticent.audits.reidentification import single_out, unicity
from reticent.attacks.reidentification.linkage import link
from reticent.data.tables import Table
unicity(Table.of({"a": [1, 2, 3], "b": [1, 1, 2]}), ["a"], points=(1,), people=3)
rt.audit_release
"""


def test_people_are_looked_for_without_torch_and_without_plots() -> None:
    """The audits of tables live beside those of networks, and must not load what only the others need."""
    loaded = loaded_by(REIDENTIFIED)
    assert "reticent.audits.reidentification.sparse" in loaded
    assert not loaded & {"torch", "matplotlib", "sklearn", "reticent.training", "reticent.models"}


def test_names_of_audits_behave_as_if_they_were_there() -> None:
    code = """
import reticent.audits as audits, sys
assert not [name for name in sys.modules if name.startswith("reticent.audits.")]
assert "compare" in dir(audits) and "compare" not in vars(audits)
from reticent.audits import audit_release
assert audits.audit_release is audit_release and "audit_release" in vars(audits)
try:
    audits.nosuch
except AttributeError as error:
    assert str(error) == "module 'reticent.audits' has no attribute 'nosuch'"
else:
    raise SystemExit("there is no such name")
"""
    assert "torch" not in loaded_by(code)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_module_can_be_imported_first(name: str) -> None:
    assert importlib.import_module(name)


IMPORT_EACH = """
import importlib, os, sys
import joblib, lightning, matplotlib, scipy.fft, scipy.optimize, scipy.special, sklearn, torch, transformers
assert not [name for name in sys.modules if name.startswith("reticent")]
for name in sys.argv[1:]:
    if not (child := os.fork()):
        try:
            importlib.import_module(name)
            os._exit(0)
        finally:
            os._exit(1)
    if os.waitpid(child, 0)[1]:
        sys.exit(name)
"""


@pytest.mark.slow
def test_no_module_needs_another_to_be_imported_before_it() -> None:
    """Each in a process of its own, forked from one that holds what is large and of others."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EACH, *PUBLIC], capture_output=True, text=True, timeout=500, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


# Names ------------------------------------------------------------------------------------------------------------


def module(name: str) -> ModuleType:
    return importlib.import_module(name)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_module_says_what_is_public(name: str) -> None:
    names = [] if name in EMPTY else module(name).__all__
    assert len(names) == len(set(names))
    for one in names:
        assert not one.startswith("_")
        assert hasattr(module(name), one), one


LAZY = [file for file in FILES if "_ROOMS = {" in file.read_text("utf-8")]  # a door whose names load when used


def test_the_front_door_and_audits_are_lazy() -> None:
    assert {name_of(file) for file in LAZY} >= {"reticent", "reticent.audits"}


@pytest.mark.parametrize("file", LAZY, ids=name_of)
def test_a_lazy_door_is_exactly_its_table(file: Path) -> None:
    door = name_of(file)
    package = module(door)
    rooms = package._ROOMS
    assert sorted(package.__all__) == sorted(rooms)
    for name, room in rooms.items():
        assert getattr(package, name) is getattr(module(f"{door}.{room}"), name)
        assert name in dir(package)
    tree = ast.parse(file.read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed == {name: f"{door}.{room}" for name, room in rooms.items()}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_described(name: str) -> None:
    for one in [] if name in EMPTY else module(name).__all__:
        value = getattr(module(name), one)
        if inspect.isfunction(value) or inspect.isclass(value):
            assert value.__doc__, f"{name}.{one}"
            assert not (value.__doc__ or "").startswith(f"{one}("), f"{name}.{one} has a generated docstring"


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_module_makes_a_promise(name: str) -> None:
    page = module(name).__doc__ or ""
    assert len(page) > 40
    # An exemption that is no longer needed goes.
    assert ("Promise:" in page) != (name in NO_PROMISE)


def test_every_exemption_is_of_something_that_exists() -> None:
    assert set(NO_PROMISE) <= set(PUBLIC)
    assert all((SOURCE / file).exists() for file in (*TESTED_ELSEWHERE, *LONG_FILES))
    assert all((SOURCE / place.partition(":")[0]).exists() for place in LONG_FUNCTIONS)


# Tests ------------------------------------------------------------------------------------------------------------


def test_every_module_has_a_test_file_of_its_name() -> None:
    missing = []
    for file in FILES:
        inner = file.relative_to(SOURCE)
        if inner.name.startswith("_"):
            continue
        own = inner.with_name(f"test_{inner.name}").as_posix()
        if not (TESTS / TESTED_ELSEWHERE.get(inner.as_posix(), own)).exists():
            missing.append(own)
    assert missing == []


def test_exemptions_from_a_test_file_are_needed() -> None:
    for file in TESTED_ELSEWHERE:
        assert not (TESTS / Path(file).with_name(f"test_{Path(file).name}")).exists()


def test_tests_are_no_package() -> None:
    assert list(TESTS.rglob("__init__.py")) == []


# Sizes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(SOURCE).as_posix())
def test_no_file_and_no_function_is_too_long(file: Path) -> None:
    inner, text = file.relative_to(SOURCE).as_posix(), file.read_text("utf-8")
    assert text.count("\n") <= LONG_FILES.get(inner, 400)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert lines <= LONG_FUNCTIONS.get(f"{inner}:{node.name}", 60), f"{node.name} has {lines} lines"


# Files ------------------------------------------------------------------------------------------------------------


def kept_files() -> list[Path]:
    """What git tracks, and what it would if asked."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    # Put together here, so that this file does not find itself.
    place = re.compile(rb"(?<![\w.~-])/" + rb"(?:work|root|home/\w+|Users/\w+)/" + rb"[\w.-]|[A-Z]:\\" + rb"Users\\")
    found = [
        f"{file.relative_to(ROOT)}: {match.group(0).decode()}"
        for file in kept_files()
        if (match := place.search(file.read_bytes()))
    ]
    assert found == []


def test_the_plan_shows_the_rooms_that_there_are() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    shown = set(re.findall(r"^\|\s*`(\w+)/`", text, flags=re.MULTILINE))
    assert shown == {folder.name for folder in SOURCE.iterdir() if (folder / "__init__.py").exists()}
