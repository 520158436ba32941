"""Documents that mlcroissant reads without a word, that keep what is not ours and cannot contradict themselves."""

from __future__ import annotations

import copy
import gzip
import json
import logging
from pathlib import Path

import pytest
from tests.data.manifests.test_manifest import WHOLE

from reticent.data.manifests import (
    Manifest,
    describe,
    from_croissant,
    mended,
    read_manifest,
    save_manifest,
    to_croissant,
)
from reticent.errors import DataError, UsageError

mlcroissant = pytest.importorskip("mlcroissant")


def issues(document: object) -> tuple[set[str], set[str]]:
    logging.disable(logging.CRITICAL)
    try:
        found = mlcroissant.Dataset(jsonld=copy.deepcopy(document)).metadata.ctx.issues
    finally:
        logging.disable(logging.NOTSET)
    return set(found.errors), set(found.warnings)


@pytest.mark.filterwarnings("ignore")
def test_mlcroissant_accepts_it(tmp_path: Path) -> None:
    import dataclasses

    path = tmp_path / "people of Köln.csv"
    path.write_text('"a b",wer,day,ok,x\n1,ä,2020-01-01,true,1.5\n2,ö,2020-01-02,false,2.5\n')
    made = dataclasses.replace(
        describe(path, owner="wer"),
        description="d",
        allowed=("health research", "teaching"),
        prohibited=("marketing",),
        basis=WHOLE.basis,
        until="2030-01-01",
        recipients=("A",),
        licence="https://creativecommons.org/licenses/by/4.0/",
        url="https://example.org/people",
        creator="Office",
        published="2026-01-01",
    )
    assert issues(to_croissant(made)) == (set(), set())
    assert issues(to_croissant(Manifest("bare")))[0] == set()
    broken = to_croissant(made)
    broken["recordSet"][0]["field"][0]["source"]["fileObject"]["@id"] = "nowhere"
    with pytest.raises(Exception, match="nowhere"):
        issues(broken)


@pytest.mark.filterwarnings("ignore")
def test_mlcroissant_reads_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "visits.csv"
    path.write_text("patient,age\n7,34\n8,51\n")
    saved = save_manifest(describe(path, owner="patient"), tmp_path / "manifest.json")
    logging.disable(logging.CRITICAL)
    try:
        rows = list(mlcroissant.Dataset(jsonld=saved).records("rows-0"))
    finally:
        logging.disable(logging.NOTSET)
    assert sorted(sorted(row.values()) for row in rows) == [[7, 34], [8, 51]]


def test_it_comes_back_from_a_file(tmp_path: Path) -> None:
    path = save_manifest(WHOLE, tmp_path / "m.json")
    assert read_manifest(path) == WHOLE
    assert json.loads(path.read_text())["conformsTo"] == "http://mlcommons.org/croissant/1.1"


def test_conditions_of_use_are_an_offer_that_others_can_read() -> None:
    offer = to_croissant(WHOLE)["usageInfo"]
    purpose, last, recipients = offer["odrl:permission"][0]["odrl:constraint"]
    assert purpose["odrl:rightOperand"] == [{"@id": "https://w3id.org/dpv#ResearchAndDevelopment"}]
    assert last["odrl:rightOperand"]["@value"] == "2030-01-01"
    assert recipients["odrl:rightOperand"] == ["A"]
    prohibited = offer["odrl:prohibition"][0]["odrl:constraint"][0]["odrl:rightOperand"]
    assert prohibited == [{"@id": "https://w3id.org/dpv#Marketing"}]
    assert offer["dpv:hasLegalBasis"] == {"@id": "https://w3id.org/dpv#Consent"}


def test_what_is_not_ours_is_kept() -> None:
    document = {**to_croissant(WHOLE), "funder": "F", "prov:wasDerivedFrom": {"@id": "urn:x"}}
    found = from_croissant(document)
    assert found.outside == {"funder": "F", "prov:wasDerivedFrom": {"@id": "urn:x"}}
    assert to_croissant(found) == document
    assert found.digest != WHOLE.digest


def test_a_document_that_contradicts_itself_is_refused_and_can_be_mended() -> None:
    for name, value in (
        ("license", "https://example.org/other"),
        ("usageInfo", {"odrl:permission": []}),
        ("name", "others"),
        ("distribution", []),
    ):
        document = to_croissant(WHOLE)
        document[name] = value
        if name == "license":  # the manifest has none, so this one is derived from nothing
            assert from_croissant(document) == WHOLE
        else:
            with pytest.raises(DataError, match=f"'{name}' to say what 'reticent:manifest' says"):
                from_croissant(document)
        assert mended(document) == WHOLE


def test_what_holds_no_manifest_is_refused(tmp_path: Path) -> None:
    for document in ({}, [], {"@type": "sc:Dataset", "name": "x"}, {"reticent:manifest": 7}):
        with pytest.raises(DataError, match="reticent:manifest"):
            from_croissant(document)
    with pytest.raises(UsageError, match="manifest at"):
        read_manifest(tmp_path / "absent.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(UsageError, match="Expected JSON"):
        read_manifest(tmp_path / "bad.json")


CONTENTS = {
    "a.csv": b"patient,age\n7,34\n8,51\n",
    "a.tsv": b"patient\tage\n7\t34\n8\t51\n",
    "a.csv.gz": gzip.compress(b"patient,age\n7,34\n8,51\n"),
    "a.jsonl": b'{"patient": 7, "age": 34}\n{"patient": 8, "age": 51}\n',
}
OTHERS = {
    "semicolons.csv": b"patient;age\n7;34\n8;51\n",
    "headerless.csv": b"7,34\n8,51\n",
    "twice.csv": b"age,age\n7,34\n8,51\n",
    "latin.csv": "m\u00fcde,age\n7,34\n8,51\n".encode("latin-1"),
    "utf16.csv": "patient,age\n7,34\n8,51\n".encode("utf-16"),
    "ragged.csv": b"patient,age\n7,34\n8,51,9\n",
    "nested.jsonl": b'{"patient": {"id": 7}}\n{"patient": {"id": 8}}\n',
    "notes.txt": b"seven\neight\n",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*CONTENTS, *OTHERS])
def test_mlcroissant_reads_the_rows_of_every_file_that_has_fields(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes({**CONTENTS, **OTHERS}[name])
    saved = save_manifest(describe(path), tmp_path / "manifest.json")
    assert issues(json.loads(saved.read_text()))[0] == set()
    assert len(read_manifest(saved).files[0].columns) > 0
    logging.disable(logging.CRITICAL)
    try:
        dataset = mlcroissant.Dataset(jsonld=saved)
        found = [sorted(row.values()) for one in dataset.metadata.record_sets for row in dataset.records(one.id)]
    finally:
        logging.disable(logging.NOTSET)
    assert found == ([[7, 34], [8, 51]] if name in CONTENTS else [])
