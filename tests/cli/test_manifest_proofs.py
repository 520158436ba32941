"""`reticent manifest load`, `prove` and `verify`: what became of one person, with the key and without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.test_commands import Ask, ask

__all__ = ["ask"]

NAME = "pad.csv.manifest.json"
USE = ("--purpose", "research", "--today", "2026-06-01", "--key", "key")


@pytest.fixture
def loaded(tmp_path: Path, ask: Ask) -> Path:
    (tmp_path / "pad.csv").write_text("patient,age\n000227,34\n000227,35\n002010,51\n000009,20\n")
    declared = ("--purpose", "research", "--basis", "consent", "--until", "2030-01-01", "--source", "ward 3")
    assert ask("manifest", "init", "pad.csv", "--owner", "patient", *declared).code == 0
    assert ask("manifest", "key", "key").code == 0
    on = ("--key", "key", "--on", "2026-01-01")
    assert ask("manifest", "object", NAME, "--person", "002010", *on, "-o", "receipt.json").code == 0
    assert ask("manifest", "object", NAME, "--person", "227", *on, "--anyway", "-o", "wrong.json").code == 0
    made = ask("manifest", "load", NAME, "pad.csv", *USE, "-o", "use.csv", "--record", "r.json", "--kept", "kept.json")
    assert made.code == 0
    return tmp_path


def prove(ask: Ask, person: str) -> str:
    made = ask("manifest", "prove", "kept.json", "--person", person, "--key", "key", "-o", "p.json", "--overwrite")
    assert made.code == 0
    return made.out + made.err


def test_a_wrong_spelling_is_never_taken_for_a_removed_person(ask: Ask, loaded: Path) -> None:
    assert "000227" in (loaded / "use.csv").read_text()
    assert "It shows of '227': never in the file." in prove(ask, "227")
    said = ask("manifest", "verify", "p.json", "--record", "r.json", "--person", "227", "--key", "key")
    assert said.code == 3
    assert "never in the file: '227' was not in what was loaded for research on 2026-06-01 from pad.csv" in said.out
    assert "under another spelling may have been kept" in said.out
    for person, standing in (("002010", "left out"), ("000227", "kept")):
        prove(ask, person)
        told = ask("manifest", "verify", "p.json", "--record", "r.json", "--person", person, "--key", "key")
        assert (told.code, told.out.startswith(f"{standing}: {person!r}")) == (0, True)
        assert "for research on 2026-06-01" in told.out
        assert ask("manifest", "verify", "p.json", "--record", "r.json", "--person", "9", "--key", "key").code == 5


def test_without_the_key_a_proof_is_about_its_token_and_a_receipt_ties_it(ask: Ask, loaded: Path) -> None:
    prove(ask, "002010")
    said = ask("manifest", "verify", "p.json", "--record", "r.json", "--receipt", "receipt.json")
    assert said.code == 0
    assert "Not checked: whose token it is" in said.out
    assert "the token of the receipt of 2026-01-01" in said.out
    assert "002010" not in said.out + (loaded / "p.json").read_text()
    assert ask("manifest", "verify", "p.json", "--record", "r.json", "--receipt", "wrong.json").code == 5
    values = json.loads((loaded / "p.json").read_text())
    values["token"] = json.loads((loaded / "wrong.json").read_text())["token"]  # a path of somebody else
    (loaded / "p.json").write_text(json.dumps(values))
    assert ask("manifest", "verify", "p.json", "--record", "r.json").code in (3, 5)
    assert ask("manifest", "verify", "p.json", "--record", "r.json", "--receipt", "receipt.json").code == 5
    assert ask("manifest", "verify", "p.json", "--record", "r.json", "--person", "002010").code == 2


def test_outputs(ask: Ask, loaded: Path) -> None:
    prove(ask, "000009")
    shown = ("manifest", "verify", "p.json", "--record", "r.json", "-o", "said.json")
    assert ask(*shown).code == 0
    assert json.loads((loaded / "said.json").read_text())["standing"] == "kept"
    assert ask(*shown).code == 2
    assert ask(*shown, "--overwrite").code == 0
    for out in ("pad.csv", "use.csv"):
        assert ask("manifest", "load", NAME, "pad.csv", *USE, "-o", out).code == 2
    assert ask("manifest", "load", NAME, "pad.csv", *USE, "-o", "pad.csv", "--overwrite").code == 2
    assert ask("manifest", "load", NAME, "pad.csv", *USE, "-o", "use.csv", "--overwrite").code == 0
    assert ask("manifest", "prove", "kept.json", "--person", "9", "--key", "key", "-o", "key", "--overwrite").code == 2
    assert ask("manifest", "verify", "kept.json", "--record", "r.json").code == 2
    assert ask("manifest", "verify", "p.json", "--record", "p.json").code in (2, 5)
