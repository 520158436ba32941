"""`reticent manifest`: from a file to rows that may be used, and to a proof for somebody who objected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.test_commands import Ask, ask

from reticent.data.manifests import read_manifest

__all__ = ["ask"]

NAME = "visits.csv.manifest.json"


@pytest.fixture
def visits(tmp_path: Path, ask: Ask) -> Path:
    path = tmp_path / "visits.csv"
    path.write_text("patient,age\n7,34\n7,35\n8,51\n9,20\n")
    declared = ("--source", "ward 3", "--collected", "2025", "--source-url", "https://example.org/ward")
    declared += ("--purpose", "health research", "--never", "marketing", "--basis", "consent", "--until", "2030-01-01")
    assert ask("manifest", "init", "visits.csv", "--owner", "patient", *declared).code == 0
    assert ask("manifest", "key", "key").code == 0
    return path


def test_the_whole_way(ask: Ask, visits: Path, tmp_path: Path) -> None:
    noted = ask("manifest", "object", NAME, "--person", "8", "--key", "key", "--on", "2026-01-01", "--json")
    assert json.loads(noted.out)["objections"] == 1
    listed = (tmp_path / "visits.csv.manifest.objections.json").read_text()
    assert '"8"' not in listed
    use = ("--purpose", "health research", "--today", "2026-06-01", "--key", "key")
    checked = ask("manifest", "check", NAME, "--data", "visits.csv", *use)
    assert checked.code == 0
    assert "3 of 4 rows, 2 of 3 people" in checked.out
    loaded = ask(
        "manifest", "load", NAME, "visits.csv", *use, "-o", "use.csv", "--record", "r.json", "--kept", "kept.json"
    )
    assert loaded.code == 0
    assert (tmp_path / "use.csv").read_text() == "patient,age\n7,34\n7,35\n9,20\n"
    for person, said in (("8", "left out"), ("7", "kept")):
        assert (
            ask("manifest", "prove", "kept.json", "--person", person, "--key", "key", "-o", f"{person}.json").code == 0
        )
        shown = ask(
            "manifest", "verify", f"{person}.json", "--record", "r.json", "--person", person, "--key", "key", "--json"
        )
        assert json.loads(shown.out)["standing"] == said
    assert ask("manifest", "key", "other").code == 0
    assert ask("manifest", "verify", "8.json", "--record", "r.json", "--person", "8", "--key", "other").code == 5


def test_refusals_have_their_exit_codes(ask: Ask, visits: Path, tmp_path: Path) -> None:
    def load(*more: str, file: str = "visits.csv") -> int:
        return ask("manifest", "load", NAME, file, "-o", "out.csv", *more).code

    assert load("--purpose", "marketing") == 4
    assert load("--purpose", "health research", "--today", "2031-01-01") == 4
    assert load("--purpose", "holidays") == 4
    assert load("--purpose", "health research", "--purpose", "marketing") == 4
    (tmp_path / "other.csv").write_text("patient,age\n7,34\n")
    assert load("--purpose", "health research", file="other.csv") == 4
    visits.write_text(visits.read_text() + "10,1\n")
    assert load("--purpose", "health research") == 5
    assert not (tmp_path / "out.csv").exists()


def test_nothing_is_written_over(ask: Ask, visits: Path) -> None:
    again = ask("manifest", "init", "visits.csv")
    assert again.code == 2
    assert "does not exist yet" in again.err
    assert ask("manifest", "key", "key").code == 2
    assert ask("manifest", "load", NAME, "visits.csv", "--purpose", "health research", "-o", "visits.csv").code == 2


def test_incomplete_and_contradicting_manifests(ask: Ask, visits: Path, tmp_path: Path) -> None:
    made = ask("manifest", "init", "visits.csv", "-o", "bare.json")
    assert "Still to be declared before it can be loaded: sources, allowed, basis, until." in made.out
    assert "lacks sources, allowed, basis, until" in ask("manifest", "check", "bare.json").err
    document = json.loads((tmp_path / NAME).read_text())
    document["reticent:manifest"]["until"] = "2099-01-01"
    (tmp_path / NAME).write_text(json.dumps(document))
    assert ask("manifest", "check", NAME).code == 2
    assert ask("manifest", "check", NAME, "--mend").code == 0
    assert read_manifest(tmp_path / NAME).until == "2099-01-01"
    checked = ask("manifest", "check", NAME, "--data", "visits.csv", "-o", "found.json")
    assert "visits.csv is covered and unchanged: 4 rows, 3 people." in checked.out
    assert json.loads((tmp_path / "found.json").read_text())["complete"] is True


def test_objections_can_be_plain_taken_back_and_never_dropped(ask: Ask, visits: Path, tmp_path: Path) -> None:
    assert ask("manifest", "object", NAME, "--person", "7").code == 2  # neither a key nor --plain
    assert ask("manifest", "object", NAME, "--person", "7", "--plain", "--on", "2026-01-01").code == 0
    back = ask("manifest", "object", NAME, "--person", "7", "--withdraw", "--on", "2026-02-01")
    assert "Taken back" in back.out
    path = tmp_path / "visits.csv.manifest.objections.json"
    (entry,) = json.loads(path.read_text())["objections"]
    assert (entry["person"], entry["date"], entry["withdrawn"]) == ("7", "2026-01-01", "2026-02-01")
    path.write_text(path.read_text().replace("2026-02-01", "2026-01-02"))
    assert ask("manifest", "object", NAME, "--person", "9").code == 5


def test_show(ask: Ask, visits: Path) -> None:
    shown = ask("manifest", "show", NAME)
    assert "allowed: health research" in shown.out
    assert "people: one person each, 3 of them, by patient" in shown.out
    assert "sources: ward 3 (collected 2025, https://example.org/ward)" in shown.out
    assert json.loads(ask("manifest", "show", NAME, "--json").out)["prohibited"] == ["marketing"]


def test_show_as_a_page(ask: Ask, visits: Path, tmp_path: Path) -> None:
    assert ask("manifest", "object", NAME, "--person", "8", "--key", "key").code == 0
    use = ("--purpose", "health research", "--key", "key")
    assert ask("manifest", "load", NAME, "visits.csv", *use, "-o", "use.csv", "--record", "r.json").code == 0
    for more in ((), ("--overwrite",)):
        made = ask("manifest", "show", NAME, "--loading", "r.json", "-o", "page.html", *more)
        assert made.code == 0
    page = (tmp_path / "page.html").read_text()
    assert "1 person objects to some use or all" in page
    assert "3 of 4" in page
    assert ask("manifest", "show", NAME, "-o", "page.html").code == 2
    (tmp_path / "visits.csv.manifest.objections.json").unlink()
    assert "not at hand" in ask("manifest", "show", NAME).out
    assert ask("manifest", "show", NAME, "--objections", "absent.json").code == 2


def test_what_has_expired_is_said_and_has_its_exit_code(ask: Ask, visits: Path) -> None:
    late = ask("manifest", "check", NAME, "--today", "2031-01-01")
    assert late.code == 4
    assert "have expired" in late.err
    assert ask("manifest", "check", NAME, "--today", "2030-01-01").code == 0
    assert "(expired 365 days ago)" in ask("manifest", "show", NAME, "--today", "2031-01-01").out
    old = ("--source", "w", "--purpose", "research", "--basis", "consent", "--until", "2020-01-01")
    made = ask("manifest", "init", "visits.csv", "-o", "old.json", *old)
    assert "2020-01-01, has passed" in made.err
    assert ask("manifest", "check", "old.json").code == 4
    assert ask("manifest", "check", NAME, "--purpose", "marketing").code == 4


def test_the_list_of_purposes(ask: Ask, tmp_path: Path) -> None:
    said = ask("manifest", "purposes", "-o", "p.json").out
    assert "\n  health research " in said
    assert "\n    disease-specific research" in said
    listed = {one["purpose"]: one for one in json.loads((tmp_path / "p.json").read_text())}
    assert listed["clinical care"]["identifier"].endswith("DUO_0000043")
    assert listed["AI training for research"]["broader"] == "AI training"
    assert ask("manifest", "purposes", "-o", "p.json").code == 2
    assert ask("manifest", "purposes", "-o", "p.json", "--overwrite").code == 0


def test_a_manifest_that_is_made_anew_keeps_its_objections(ask: Ask, visits: Path, tmp_path: Path) -> None:
    assert ask("manifest", "object", NAME, "--person", "8", "--key", "key").code == 0
    before = read_manifest(tmp_path / NAME).objections
    assert ask("manifest", "init", "visits.csv", "--owner", "patient", "--overwrite").code == 0
    assert before is not None
    assert read_manifest(tmp_path / NAME).objections == before
    assert ask("manifest", "init", "visits.csv", "-o", "visits.csv", "--overwrite").code == 2
    assert visits.read_text().startswith("patient,age\n7")


def test_sources_and_keys_are_named_once(ask: Ask, visits: Path) -> None:
    bad = ask("manifest", "init", "visits.csv", "-o", "x.json", "--source", "a", "--source", "b", "--collected", "2025")
    assert "Expected --collected once for each --source, got 1 for 2" in bad.err
    assert ask("manifest", "key").code == 2
    assert ask("manifest", "key", "a", "-o", "b").code == 2
    assert ask("manifest", "key", "-o", "b").code == 0


def test_an_objection_that_names_nobody_in_the_file_is_said(visits: Path, ask: Ask) -> None:
    for person in ("8", "P8"):
        noted = ask("manifest", "object", NAME, "--person", person, "--key", "key", "--on", "2026-01-01", "--anyway")
    assert "2 objections in" in noted.out
    use = ("--purpose", "health research", "--today", "2026-06-01", "--key", "key")
    checked = ask("manifest", "check", NAME, "--data", "visits.csv", *use)
    assert checked.code == 0
    assert "warning: 1 of 2 people who object matches nobody in this file" in checked.err
    loaded = ask("manifest", "load", NAME, "visits.csv", *use, "-o", "use.csv", "--record", "r.json")
    assert "1 of 2 people who object matches nobody in this file" in loaded.err
    body = json.loads(Path("r.json").read_text())["body"]
    assert (body["objections"]["people"], body["objections"]["unmatched"]) == (2, 1)
    alone = ask("manifest", "check", NAME, "--data", "visits.csv", "--key", "key", "--today", "2026-06-01")
    assert "4 rows, 3 people; 1 of them objects to some use or all" in alone.out
    assert "matches nobody" in alone.err


def test_a_file_without_a_header(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("ann,x\nbob,y\n")
    made = ask("manifest", "init", "t.csv", "--owner", "column 1", "--no-header")
    assert made.code == 0
    (file,) = read_manifest(tmp_path / "t.csv.manifest.json").files
    assert [name for name, _ in file.columns] == ["column 1", "column 2"]
