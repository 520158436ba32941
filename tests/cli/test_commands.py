"""The command line: help, results on standard output, errors in two sentences, and nothing half-written.

Quick tests call `main()` in this process; what depends on the process (signals, streams, a terminal) starts one.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from reticent import __version__
from reticent.cli import app, main
from reticent.data.catalogue import entries
from reticent.evidence import Record, canonical_json

TINY = ("--shadows", "6", "--records", "120", "--epsilon", "1", "--jobs", "1", "--seed", "1")
COMMANDS: tuple[tuple[str, ...], ...] = (
    (),
    ("audit",),
    ("demo",),
    ("data",),
    ("data", "list"),
    ("data", "show"),
    ("data", "fetch"),
    ("minimise",),
    ("minimise", "find"),
    ("minimise", "apply"),
    ("manifest",),
    ("manifest", "init"),
    ("manifest", "load"),
    ("synthetic",),
)


class Answer(NamedTuple):
    code: int
    out: str
    err: str


Ask = Callable[..., Answer]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    """Call `main()` here, in an empty folder and with an empty cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETICENT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["reticent", *words])
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return Answer(0 if code is None else int(code), out, err)

    return call


def start(*words: str, folder: Path, **more: str) -> subprocess.Popen[str]:
    settings = {"RETICENT_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1", **more}
    return subprocess.Popen(
        [sys.executable, "-m", "reticent", *words],
        cwd=folder,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*words: str, folder: Path, **more: str) -> Answer:
    process = start(*words, folder=folder, **more)
    out, err = process.communicate(timeout=240)
    return Answer(process.returncode, out, err)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "cache")


def options_of(words: tuple[str, ...]) -> list[str]:
    command: Any = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]
    return [option for parameter in command.params for option in parameter.opts if option.startswith("-")]


# Help -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_option(ask: Ask, words: tuple[str, ...], flag: str) -> None:
    answer = ask(*words, flag)
    assert answer.code == 0
    assert answer.err == ""
    for option in options_of(words):
        assert option in answer.out
    assert "Usage:" in answer.out


def test_help_says_what_every_option_does(ask: Ask) -> None:
    command: Any = typer.main.get_command(app)
    demo = command.commands["demo"]
    for parameter in demo.params:
        if parameter.name != "help":
            assert parameter.help, parameter.name
            assert parameter.help[0].isupper()
    text = " ".join(ask("demo", "--help").out.split())
    for default in ("diabetes", "reticent-demo.html", "1, 3, 10", "64", "1000", "all cores"):
        assert f"[default: {default}]" in text
    assert "promise nothing" in text


def test_every_command_is_listed(ask: Ask) -> None:
    assert {"audit", "demo", "data", "minimise"} <= set(ask("--help").out.split())
    assert {"list", "show", "fetch"} <= set(ask("data", "--help").out.split())


def test_the_version_is_printed(ask: Ask) -> None:
    assert ask("--version") == Answer(0, f"reticent {__version__}\n", "")


def test_without_a_command_there_is_help(ask: Ask) -> None:
    answer = ask()
    assert "Usage:" in answer.out + answer.err
    assert answer.code in (0, 2)


# Audits -----------------------------------------------------------------------------------------------------------


def planted_items(monkeypatch: pytest.MonkeyPatch, *passing: bool) -> None:
    from reticent.audits import selftest

    items = tuple(
        selftest.Item(f"item {k}", "all well", "Trust nothing.", lambda randomness, quick, good=good: (good, "seen"))
        for k, good in enumerate(passing)
    )
    monkeypatch.setattr(selftest, "ITEMS", items)


def test_a_self_test_that_passes_ends_with_0(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    planted_items(monkeypatch, True, True)
    answer = ask("audit", "--selftest", "--seed", "1")
    assert (answer.code, answer.err) == (0, "")
    assert "2 of 2 items passed" in answer.out


def test_a_self_test_that_fails_ends_with_1_and_says_what_that_means(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    planted_items(monkeypatch, True, False)
    answer = ask("audit", "--selftest")
    assert answer.code == 1
    assert "FAILED item 1: expected all well. Trust nothing." in answer.out
    answer = ask("audit", "--selftest", "--json", "--quick")
    assert (answer.code, answer.err) == (1, "")
    body = json.loads(answer.out)
    assert [outcome["passed"] for outcome in body["outcomes"]] == [True, False]
    assert body["quick"]
    assert not body["repeatable"]
    assert not body["passed"]


def test_an_audit_of_nothing_is_refused(ask: Ask) -> None:
    answer = ask("audit")
    assert answer.code == 2
    assert "--selftest" in answer.err


# Data -------------------------------------------------------------------------------------------------------------


def test_data_list_names_every_set_and_weights_on_request(ask: Ask) -> None:
    plain, all_of_them = ask("data", "list"), ask("data", "list", "--weights")
    assert plain.code == all_of_them.code == 0
    for one in entries():
        assert one.name in all_of_them.out
        if one.kind == "data":
            assert one.name in plain.out


def test_data_list_as_json(ask: Ask) -> None:
    answer = ask("data", "list", "--json")
    found = json.loads(answer.out)
    assert [one["name"] for one in found] == [one.name for one in entries() if one.kind == "data"]
    assert answer.err == ""
    assert answer.out.encode() == canonical_json(found) + b"\n"


@pytest.mark.parametrize("name", [one.name for one in entries()])
def test_data_show_tells_terms_and_unit(ask: Ask, name: str) -> None:
    plain, found = ask("data", "show", name), json.loads(ask("data", "show", name, "--json").out)
    assert plain.code == 0
    assert plain.err == ""
    for label in ("size: ", "privacy unit: ", "terms of the data: ", "licence of the package: "):
        assert label in plain.out
    assert found["name"] == name
    assert found["title"] in plain.out
    assert found["data_terms"] in plain.out


def test_a_bundled_set_is_there_already(ask: Ask) -> None:
    plain, found = ask("data", "fetch", "diabetes"), ask("data", "fetch", "diabetes", "--json")
    assert plain.code == found.code == 0
    assert Path(plain.out.strip()).is_dir()
    assert plain.out.count("\n") == 1
    assert "privacy unit" in plain.err
    assert json.loads(found.out)["folder"] == plain.out.strip()
    assert found.err == ""


# Misuse -----------------------------------------------------------------------------------------------------------


def two_sentences(answer: Answer, says: str, code: int = 2) -> None:
    assert answer.code == code
    assert answer.out == ""
    assert says in answer.err
    assert "Traceback" not in answer.err
    assert "\x1b" not in answer.err


BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "epsilon 0": (("--epsilon", "0"), "epsilon > 0, got epsilon=0.0"),
    "epsilon -1": (("--epsilon", "-1"), "epsilon > 0, got epsilon=-1.0"),
    "epsilon nan": (("--epsilon", "nan"), "epsilon"),
    "one epsilon twice": (("--epsilon", "1", "--epsilon", "1"), "different names"),
    "delta 0.5": (("--delta", "0.5"), "delta < 1/n"),
    "epsilon and delta swapped": (("--epsilon", "1e-5", "--delta", "3"), "Did you swap epsilon and delta?"),
    "two shadows": (("--shadows", "2"), "shadows >= 4, got shadows=2"),
    "ten records": (("--records", "10"), "records >= 40, got records=10"),
    "no jobs": (("--jobs", "0"), "jobs >= 1, got jobs=0"),
    "a negative seed": (("--seed", "-1"), "seed >= 0, got seed=-1"),
    "a missing folder": (("--output", "nowhere/report.html"), "in a folder that exists"),
    "a folder": (("--output", "taken.html"), "in a folder that exists"),
    "another ending": (("--output", "report.pdf"), ".html or .json"),
    "no such set": (("--data", "nosuch"), "got name='nosuch'"),
    "a misspelt set": (("--data", "diabetis"), "Did you mean 'diabetes'?"),
    "not a task": (("--data", "movielens-100k"), "data set for classification"),
    "not fetched": (("--data", "adult"), "reticent data fetch adult"),
}


@pytest.mark.parametrize(("words", "says"), BAD.values(), ids=BAD)
def test_a_demo_that_cannot_be_is_refused_at_once(
    ask: Ask, tmp_path: Path, words: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reticent.training import Recipe

    def too_late(*args: Any, **more: Any) -> Any:
        raise AssertionError("it was refused after a training")

    monkeypatch.setattr(Recipe, "run", too_late)
    (tmp_path / "taken.html").mkdir()
    answer = ask("demo", *(() if "--shadows" in words else ("--shadows", "4")), *words)
    lines = [line for line in answer.err.splitlines() if not line.startswith(("diabetes:",))]
    two_sentences(answer, says)
    assert len(lines) == 2
    assert re.fullmatch(r"error: [A-Z].*\.", lines[0])
    assert re.fullmatch(r"       \S.*\S", lines[1])
    assert left_in(tmp_path) == ["taken.html"]
    assert list((tmp_path / "taken.html").iterdir()) == []


@pytest.mark.parametrize("command", ["show", "fetch"])
def test_an_unknown_set_gets_a_suggestion(ask: Ask, command: str) -> None:
    two_sentences(ask("data", command, "digitz"), "Did you mean 'digits'?")


@pytest.mark.parametrize(
    "words",
    [
        ("demo", "--nosuch"),
        ("demo", "--shadows", "many"),
        ("demo", "--seed"),
        ("nosuch",),
        ("data", "show"),
        ("--wrong",),
    ],
    ids=" ".join,
)
def test_what_the_parser_refuses_has_code_2_and_no_output(ask: Ask, tmp_path: Path, words: tuple[str, ...]) -> None:
    answer = ask(*words)
    two_sentences(answer, "Error: ")
    assert left_in(tmp_path) == []


# Processes --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_error_leaves_the_process_with_its_code_and_no_colour(tmp_path: Path) -> None:
    answer = run("data", "show", "digitz", folder=tmp_path)
    two_sentences(answer, "Did you mean 'digits'?")
    assert answer.err.count("\n") == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("--help",), ("data", "list"), ("data", "list", "--json"), ("--version",)], ids=" ".join
)
def test_results_are_plain_when_nobody_watches(tmp_path: Path, words: tuple[str, ...]) -> None:
    answer = run(*words, folder=tmp_path)
    assert answer.code == 0
    assert answer.err == ""
    assert "\x1b" not in answer.out


@pytest.mark.slow
def test_a_reader_who_leaves_early_gets_no_traceback(tmp_path: Path) -> None:
    process = start("data", "list", "--json", folder=tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    process.wait(60)
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_demo_writes_its_report_and_tells_what_it_found(tmp_path: Path) -> None:
    answer = run("demo", *TINY, "-o", "page.html", folder=tmp_path, COLUMNS="200")
    assert answer.code == 0, answer.err
    assert left_in(tmp_path) == ["page.html"]
    page = (tmp_path / "page.html").read_text("utf-8")
    for text in ("ordinary", "stopped early", "private, epsilon 1", "simulated noise: no promise"):
        assert text in page
    assert "members" in answer.err
    assert "\x1b" not in answer.out + answer.err
    assert "Report: page.html" in answer.out
    assert "promise nothing" in answer.out
    assert "What is promised" not in answer.out


@pytest.mark.slow
def test_a_demo_as_json_prints_nothing_else_and_saves_the_same(tmp_path: Path) -> None:
    answer = run("demo", *TINY, "--json", "-o", "record.json", folder=tmp_path)
    assert answer.code == 0, answer.err
    assert answer.err == ""
    record = Record.from_json(answer.out)
    assert (tmp_path / "record.json").read_bytes() == answer.out.strip().encode()
    assert record.kind == "comparison"
    assert record.body["repeatable"] is True
    assert record.body["data"]["records"] == 120
    assert [arm["kind"] for arm in record.body["arms"]] == ["ordinary", "control", "private"]
    assert record.body["arms"][2]["promise"]["epsilon"] <= 1


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_ends_a_demo_with_130_and_no_file(tmp_path: Path, jobs: str) -> None:
    process = start("demo", "--records", "200", "--jobs", jobs, folder=tmp_path)
    assert process.stderr is not None
    first = process.stderr.readline()  # told right before the first training
    assert "members" in first
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert left_in(tmp_path) == []


def test_an_error_in_reticent_is_no_limit_that_was_exceeded(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    import reticent.data.sampling as room

    def wrong(*args: Any, **more: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(room, "ready_set", wrong)
    found = ask("demo")
    assert found.code == 70
    assert "ZeroDivisionError" in found.err
    assert "error in reticent" in found.err


def test_what_is_odd_about_data_is_a_note_and_no_error(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text("\n".join(f"word{place}" for place in range(50)))
    found = ask("duplicates", "words.csv", "--exact")
    assert found.code == 0
    assert found.err.startswith("note: words.csv: ")
    assert "Warning" not in found.err


def test_ctrl_c_in_this_process_is_130(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    import reticent.data.sampling as room

    def interrupted(*args: Any, **more: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "ready_set", interrupted)
    assert ask("demo").code == 130
