"""`reticent audit CONFIG`: figures on standard output, files where asked for, and exit codes of the policy."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.test_commands import Ask, ask
from tests.reports.test_parts import memorise

from reticent.errors import UsageError
from reticent.evidence import Record

__all__ = ["ask"]

CONFIG = """
[data]
set = "breast_cancer"
records = 120
[training]
trainer = "cli_fit.py:fit"
shadows = 8
jobs = 1
[output]
report = "audit.html"
record = "audit.json"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "cli_fit.py").write_text(f"from {memorise.__module__} import memorise as fit\n")
    path = tmp_path / "audit.toml"
    path.write_text(CONFIG)
    yield path
    sys.modules.pop("cli_fit", None)


@pytest.mark.slow
def test_an_audit_from_a_file(ask: Ask, config: Path) -> None:
    answer = ask("audit", str(config), "--seed", "1")
    assert answer.code == 0
    assert "needs" in answer.err  # what cannot be resolved is said beforehand
    assert "Written: " in answer.out
    assert "Seeded run" in answer.out
    assert "<html" in (config.parent / "audit.html").read_text()
    record = Record.from_json((config.parent / "audit.json").read_bytes())
    assert record.body["repeated"]["details"]["models"] == 8
    assert record.body["epsilon"]["model"]["bound"] is not None  # a packaged set is split by coins
    again = ask("audit", str(config), "--seed", "1", "--json")
    assert json.loads(again.out)["record"] == record.body
    assert again.err == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "code", "word"),
    [
        ("most_exposed = 500", 3, "NOT RESOLVABLE"),
        ('most_named = {"0.1" = 0.99}', 0, "not exceeded"),
        ("most_auc = 0.01", 1, "EXCEEDED"),
    ],
)
def test_a_policy_decides_the_exit_code(ask: Ask, config: Path, policy: str, code: int, word: str) -> None:
    config.write_text(f"{CONFIG}[policy]\n{policy}\n")
    answer = ask("audit", str(config), "--seed", "1")
    assert answer.code == code
    assert word in answer.out
    assert (config.parent / "audit.html").exists()


@pytest.mark.slow
def test_those_at_risk_are_taken_out_where_the_file_says_so(ask: Ask, config: Path) -> None:
    text = CONFIG.replace("shadows = 8", "shadows = 16\nremoval = true")
    config.write_text(text.replace("[output]", '[attack]\nattacks = ["quantile", "trajectory"]\n[output]'))
    answer = ask("audit", str(config), "--seed", "1")
    assert answer.code == 0
    told, page = " ".join(answer.out.split()), (config.parent / "audit.html").read_text()
    body = Record.from_json((config.parent / "audit.json").read_bytes()).body
    if body["removal"] is None:
        assert "Taking out those at risk: not run" in told
    else:
        assert "protects nobody reliably" in told
    assert "If those at risk were taken out" in page
    for reason in ("it takes 100 non-members to learn from", "without snapshots of its training"):
        assert reason in page


def test_mistakes_are_found_before_anything_is_trained(ask: Ask, config: Path) -> None:
    config.write_text(CONFIG.replace("shadows = 8", "shadow = 8"))
    answer = ask("audit", str(config))
    assert answer.code == 2
    assert "Did you mean 'shadows'?" in " ".join(answer.err.split())
    assert ask("audit", str(config), "--selftest").code == 2
    (config.parent / "cli_fit.py").write_text("def fit(records, randomness):\n    raise SystemExit('trained')\n")
    for old, new in (
        ('report = "audit.html"', 'report = "audit.pdf"'),
        ("[output]", '[attack]\nattacks = ["bogus"]\n[output]'),
        ("[output]", '[attack]\nexposure = "all"\n[output]'),
    ):
        config.write_text(CONFIG.replace(old, new))
        answer = ask("audit", str(config))
        assert (answer.code, "trained" in answer.err) == (2, False)
    assert ask("audit", str(config), "--quick").code == 2
    assert ask("audit", "none.toml").code == 2
    assert not (config.parent / "audit.html").exists()


@pytest.mark.slow
def test_a_page_that_cannot_be_drawn_does_not_cost_the_record(
    ask: Ask, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise UsageError("Expected a page.", "Mend it.")

    monkeypatch.setattr("reticent.reports.pages.render", broken)
    assert ask("audit", str(config), "--seed", "1").code == 2
    assert Record.from_json((config.parent / "audit.json").read_bytes()).kind == "audit"


def test_errors_of_the_configurations_own_code_are_sentences(ask: Ask, config: Path) -> None:
    (config.parent / "cli_fit.py").write_text("def fit(records, randomness):\n    raise KeyError('weights')\n")
    answer = ask("audit", str(config))
    assert answer.code == 2
    told = " ".join(answer.err.split())
    assert "cli_fit.py, line 2, raised KeyError: 'weights'" in told
    assert "Traceback" not in told


@pytest.mark.slow
def test_an_audit_says_who_is_at_risk_and_what_was_not_run(ask: Ask, config: Path) -> None:
    config.write_text(CONFIG.replace("shadows = 8", "shadows = 16") + '[attack]\nattacks = ["gradient norm"]\n')
    answer = ask("audit", str(config), "--seed", "1")
    told = " ".join(answer.out.split())
    assert "Not run: " in told
    assert "white-box membership inference: the model is no torch module" in told
    assert "label-only membership inference: ask for it" in told
    record = Record.from_json((config.parent / "audit.json").read_bytes())
    assert record.body["at_risk"]["listed"]
    assert "rows count from 0" in told
    assert "a part drawn from the packaged set breast_cancer" in told


@pytest.mark.slow
def test_files_of_others_are_not_replaced(ask: Ask, config: Path) -> None:
    (config.parent / "audit.html").write_text("my thesis")
    (config.parent / "cli_fit.py").write_text("def fit(records, randomness):\n    raise SystemExit('trained')\n")
    answer = ask("audit", str(config))
    assert answer.code == 2
    assert "report='audit.html', found a file that reticent did not write" in " ".join(answer.err.split())
    assert "--overwrite" in answer.err
    assert (config.parent / "audit.html").read_text() == "my thesis"
    (config.parent / "cli_fit.py").write_text(f"from {memorise.__module__} import memorise as fit\n")
    sys.modules.pop("cli_fit", None)
    assert ask("audit", str(config), "--seed", "1", "--overwrite").code == 0
    assert "<html" in (config.parent / "audit.html").read_text()
    assert ask("audit", str(config), "--seed", "2").code == 0  # the same audit once more
    assert ask("audit", "--selftest", "--overwrite").code == 2
