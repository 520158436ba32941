"""Names of files."""

from __future__ import annotations

import pytest

from reticent.data.scan import scan
from reticent.data.scan.files import labels, not_read, searched, spelled
from reticent.data.scan.names import installed


@pytest.mark.parametrize(
    ("name", "words"),
    [("MRN1000057_Nunez.txt", "MRN 1000057 Nunez"), ("a/b/HansMeyer.tar.gz", "a b Hans Meyer"), (".x.csv", "x"),
     ("DOB 1967-05-29.txt", "DOB 1967 05 29"), ("plain.csv", "plain")],
)  # fmt: skip
def test_words_of_names(name: str, words: str) -> None:
    assert spelled(name) == words


def test_kinds_in_names() -> None:
    names = ["MRN1000057_X.txt", "20230517_report.csv", "a@example.org.json", "data.csv", "train_2.parquet"]
    source, found, telling = searched(names)
    assert {(one.kind, one.cells) for one in found} >= {
        ("medical record number", 1),
        ("date", 1),
        ("e-mail address", 1),
    }
    assert telling == [0, 1, 2]
    assert (source.rows, source.columns[0].name) == (5, "name")
    if installed():
        assert [one.cells for one in searched(["Nunez.txt", "Meyer_2.txt", "Summary.txt"])[1]] == [2]
    assert [one.kind for one in searched([f"{100_000 + one}.txt" for one in range(9)])[1]] == ["unique code"]
    assert searched(["1.txt", "part-00001.csv"])[1] == []


def test_labels_hide_a_family_and_single_files() -> None:
    names = [*(f"notes/x{place}.txt" for place in range(6)), "a/p.csv", "a/q.csv"]
    shown = labels(names, [2, 6])
    assert shown == [*(f"notes/file {place + 1}.txt" for place in range(6)), "a/file 7.csv", "a/q.csv"]
    assert labels(names, []) == names


def test_what_is_not_read_is_summed_up() -> None:
    (one,) = not_read([(f"{place}.png", "an image") for place in range(8)])
    assert (one["count"], one["why"]) == (8, "an image")
    assert one["which"].endswith("4.png, and 3 more")


def test_a_folder_names_nobody(tmp_path) -> None:
    for place, name in enumerate(("Nunez", "Meyer", "Smith", "Kim", "Weiß", "Dubois")):
        (tmp_path / f"MRN10000{place}_{name}.txt").write_text(f"Patient: {name}\nDOB: 05/29/1967\n")
    (tmp_path / "MRN100009_Rossi.docx").write_text("x")
    found = scan(tmp_path)
    told = str(found) + repr(found.as_dict())
    for name in ("Nunez", "Meyer", "Weiß", "Rossi", "MRN10000"):
        assert name not in told
    assert [one["files"] for one in found.alike] == [6]
    assert sum(one["count"] for one in found.not_read) == 1
    assert "MRN100000_Nunez.txt" in {one.name for one in scan(tmp_path, file_names=True).sources}
    rows = {row["letter"]: row for row in found.safe_harbor}
    assert rows["H"]["hits"] == 7
    assert not found.sources[0].singled_out
