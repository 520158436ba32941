"""Configurations: everything is checked before anything runs, and what is wrong is said in the words of the file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reticent.audits.configuration import AuditConfig, load_object
from reticent.errors import UsageError

WHOLE = """
[data]
members = "members.csv"
nonmembers = "others.csv"
label = "ill"
owner = "patient"
groups = ["sex"]
classes = ["no", "yes"]
coins = true
[model]
endpoint = "http://127.0.0.1:1/predict"
queries_per_second = 5.0
most_queries = 1000
[training]
trainer = "fit.py:fit"
shadows = 32
store = "shadows"
[attack]
exposure = "scores"
confidence = 0.9
seed = 3
[claim]
guarantee = "guarantee.json"
[policy]
most_auc = 0.6
most_named = {"0.01" = 0.05}
most_exposed = 0
[output]
report = "a.html"
record = "a.json"
"""


def test_all_of_it_is_read(tmp_path):
    path = tmp_path / "audit.toml"
    path.write_text(WHOLE)
    config = AuditConfig.read(path)
    assert config.path("members.csv") == tmp_path / "members.csv"
    assert (config.training.shadows, config.attack.confidence, config.policy.most_named) == (32, 0.9, {"0.01": 0.05})
    assert config.plain()["data"]["classes"] == ["no", "yes"]
    assert "folder" not in config.plain()  # where it lies is nobody's business


def test_inside_pyproject(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text('[tool.reticent.audit.data]\nset = "digits"\n[tool.reticent.audit.training]\ntrainer = "a.py:b"\n')
    assert AuditConfig.read(path).data.set == "digits"


BASE = '[data]\nset = "digits"\n[training]\ntrainer = "a.py:b"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BASE.replace("set", "sett"), r"keys of \[data\] in the configuration, got 'sett'. Did you mean 'set'"),
        (BASE + "[atack]\n", "keys of the configuration, got 'atack'. Did you mean 'attack'"),
        (BASE + "[attack]\nzzz = 1\n", "It knows exposure, method, attacks, limit, confidence, seed"),
        (BASE + "shadows = 3\n", r"shadows >= 4 in \[training\] of .*got shadows=3\. Write a number of 4 or more"),
        (
            BASE + 'shadows = "many"\n',
            r"shadows as a whole number in \[training\] of .*got shadows='many'\. Write it without quotes",
        ),
        (
            BASE + "[attack]\nconfidence = 1.0\n",
            r"confidence < 1 in \[attack\] of .*got confidence=1.0\. Write a number below 1",
        ),
        (
            '[data]\nset = "digits"\n',
            r"In the configuration: Expected a \[model\], a \[training\], or both, got none\. Name",
        ),
        (
            BASE.replace('set = "digits"', 'members = "a.csv"'),
            r"In \[data\] of .*members and nonmembers, or set, and not both, got members='a\.csv', nonmembers=None and",
        ),
        (BASE.replace("[training]", "coins = false\n[training]"), "split by coins"),
        (BASE + '[model]\nname = "x"\nanswers = "logits"\n', "exactly one of onnx, load and endpoint, got none"),
        ('[data]\nset = "digits"\n[model]\nname = "x"\n', r"Expected a \[model\], a \[training\], or both, got none"),
        (BASE + '[model]\nonnx = "a"\nload = "b"\n', "exactly one of onnx, load and endpoint, got onnx and load"),
        (BASE + '[model]\nonnx = "a"\nmost_queries = 3\n', "with an endpoint only"),
        (BASE + '[policy]\nmost_named = {"0.05" = 0.1}\n', "false-positive rates 0.1, 0.01 or 0.001, got '0.05'"),
        (BASE + '[model]\nendpoint = "a"\nsnapshots = ["a"]\n', "snapshots with load"),
        (BASE + '[model]\nonnx = "a"\nsnapshots = "a.py:b"\n', "snapshots with load"),
        (BASE + '[model]\nload = "a"\nsnapshots = "a.py:b"\n', r'attacks = \["trajectory"\] only'),
        (BASE.replace('trainer = "a.py:b"', ""), r"the key 'trainer' in \[training\] of .*got none\. Add it"),
        (
            BASE + '[output]\nreport = "audit.pdf"\n',
            r"report as a path that ends in \.html or \.json, got report='audit\.pdf'",
        ),
        (BASE + '[output]\nrecord = "audit"\n', r"record as a path that ends in"),
        (BASE + '[output]\nreport = "a.json"\nrecord = "./a.json"\n', "two files"),
        (
            BASE + '[attack]\nattacks = ["bogus"]\n',
            r"In \[attack\] of .*: Expected method to be one of .*got method='bogus'",
        ),
        (BASE + '[attack]\nattacks = ["gap", "gap"]\n', "methods, each once"),
        (
            BASE + '[attack]\nexposure = "everything"\n',
            r"In \[attack\] of .*: Expected exposure .*got exposure='everything'",
        ),
        (BASE + '[attack]\nmethod = "magic"\n', r"In \[attack\] of .*: Expected method .*got method='magic'"),
        (BASE + 'executor = "slurm:here"\n', r"executor as dask:ADDRESS or ray:ADDRESS in \[training\] of"),
        ("folder = 'x'\n" + BASE, "got 'folder'"),
        ("[data", "in TOML"),
        ("", r"the table \[data\] in the configuration, got none"),
        ('[data]\nset = "digits"\n[model]\nonnx = "a"\n[attack]\nmethod = "rmia"\n', "got method='rmia' in .* and no"),
    ],
)
def test_what_means_nothing_is_refused(text, message):
    with pytest.raises(UsageError, match=message):
        AuditConfig.parse(text)


def test_no_file(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        AuditConfig.read(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read"):
        AuditConfig.read(tmp_path / "binary.toml")


def test_objects_are_loaded_from_files(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_own_fit.py").write_text("import math\nfit = math.sqrt\n")
    assert load_object("my_own_fit.py:fit", tmp_path)(4) == 2
    assert load_object("math:sqrt", tmp_path)(9) == 3
    with pytest.raises(UsageError, match="found none"):
        load_object("other.py:fit", tmp_path)
    with pytest.raises(UsageError, match=r"'fits' in 'my_own_fit\.py'"):
        load_object("my_own_fit.py:fits", tmp_path)
    with pytest.raises(UsageError, match=r"file\.py:name"):
        load_object("my_own_fit.py", tmp_path)
    with pytest.raises(UsageError, match="no_such_module"):
        load_object("no_such_module:fit", tmp_path)
    (tmp_path / "json.py").write_text("fit = 1\n")
    with pytest.raises(UsageError, match="Rename the file"):
        load_object("json.py:fit", tmp_path)


def test_the_guides_example_is_a_configuration():
    guide = (Path(__file__).parents[2] / "docs" / "auditing.md").read_text("utf-8")
    text = guide.split("```toml\n")[1].split("```")[0]
    assert AuditConfig.parse(text).model.onnx == "model.onnx"
    other = text.replace('onnx = "model.onnx"\n', "")
    for line in other.splitlines():
        if line.startswith("# ") and line[2:].split(" ")[0] in {"endpoint", "request", "response", "headers"}:
            other = other.replace(line, line[2:])
    assert AuditConfig.parse(other).model.headers == {"Authorization": "MY_TOKEN"}
