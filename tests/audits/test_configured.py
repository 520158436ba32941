"""Configurations carried out: files in, figures out, and a policy that fails only on what was measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from reticent.audits.configuration import AuditConfig
from reticent.audits.configured import Limit, carried_out, limits, planned, prepared, require_replaceable
from reticent.audits.learned import SNAPSHOTS
from reticent.errors import DataError, NotEnoughEvidence, UsageError
from reticent.evidence import Status
from reticent.evidence.bounds import Conclusion
from reticent.privacy import Guarantee, SampledGaussian, Unit

FIT = '''
"""A training that learns its records by heart."""
from sklearn.tree import DecisionTreeClassifier


def fit(records, randomness):
    tree = DecisionTreeClassifier(random_state=randomness.seed() % 2**32)
    return tree.fit(records.features, records.labels)


def model():
    import numpy as np
    from reticent.data.files import read_records
    records = read_records({members!r}, groups=["region"]).records
    return DecisionTreeClassifier(random_state=0).fit(records.features, records.labels)
'''

CONFIG = """
[data]
members = "members.csv"
nonmembers = "others.csv"
groups = ["region"]
ignore = ["region"]
coins = true
[model]
load = "configured_fit.py:model"
name = "the tree"
[training]
trainer = "configured_fit.py:fit"
shadows = 12
jobs = 1
[attack]
seed = 4
[policy]
most_auc = 0.6
most_named = {"0.1" = 0.9, "0.001" = 0.5}
most_exposed = 400
[output]
report = "audit.html"
record = "audit.json"
"""


def written(path: Path, rng: np.random.Generator, size: int) -> None:
    x = rng.normal(size=(size, 4)).round(6)
    y = (x[:, 0] + rng.normal(size=size) > 0).astype(int)
    rows = [f"{','.join(map(str, row))},{'ab'[i % 2]},{label}" for i, (row, label) in enumerate(zip(x, y, strict=True))]
    path.write_text("\n".join(["p,q,r,s,region,label", *rows]) + "\n")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "configured_fit", raising=False)
    rng = np.random.default_rng(0)
    written(tmp_path / "members.csv", rng, 150)
    written(tmp_path / "others.csv", rng, 150)
    (tmp_path / "configured_fit.py").write_text(FIT.replace("{members!r}", repr(str(tmp_path / "members.csv"))))
    (tmp_path / "audit.toml").write_text(CONFIG)
    yield tmp_path
    sys.modules.pop("configured_fit", None)


@pytest.mark.slow
def test_a_configuration_is_carried_out(folder):
    config = AuditConfig.read(folder / "audit.toml")
    ready = prepared(config)
    assert (len(ready.members), len(ready.nonmembers), ready.coins) == (150, 150, True)
    assert any("0.1 %" in sentence for sentence in planned(config, ready).sentences)
    found = carried_out(config, ready)
    assert found.finding.target == "the tree"
    assert found.finding.estimates["auc"].value > 0.6
    assert set(found.disparities) == {"class", "region"}
    assert [group.name for group in found.disparities["region"].groups] == ["a", "b"]
    assert found.epsilon_of_model.bound is not None
    again = carried_out(config, prepared(config))
    assert np.array_equal(found.scores, again.scores)
    by_name = {limit.name: limit for limit in limits(config, found)}
    assert by_name["right one of two (AUC)"].status == "exceeded"
    assert by_name["members named at 10 % false alarms"].status == "kept"
    assert by_name["members named at 0.1 % false alarms"].status == "not resolvable"
    assert by_name["records exposed"].status in {"kept", "not resolvable"}


WATCHED = """
import functools, torch, reticent as rt
from reticent.data.files import read_records

fit = rt.Recipe(functools.partial(torch.nn.Linear, 4, 2), functools.partial(torch.optim.Adam, lr=0.1), epochs=9,
                batch_size=50)


def course():
    records = read_records(FILE, ignore=["region"]).records
    return fit.snapshots(records, rt.Randomness.simulated(0), 3)


def model():
    return course()[-1]
"""


@pytest.mark.slow
@pytest.mark.parametrize("given", [True, False])
def test_trainings_are_watched_and_those_at_risk_taken_out(folder, given):
    (folder / "configured_fit.py").write_text(WATCHED.replace("FILE", repr(str(folder / "members.csv"))))
    more = 'name = "the tree"\nsnapshots = "configured_fit.py:course"' if given else ""
    text = CONFIG.replace('name = "the tree"', more).replace(
        "seed = 4", 'seed = 4\nattacks = ["trajectory", "quantile"]'
    )
    if not given:
        text = text.replace('[model]\nload = "configured_fit.py:model"\n', "")
    config = AuditConfig.parse(text.replace("jobs = 1", "jobs = 1\nremoval = true"), folder=folder)
    found = carried_out(config, ready := prepared(config))
    assert len(ready.snapshots) == (3 if given else SNAPSHOTS)
    assert [one.status for one in found.others] == [Status.EXECUTED, Status.EXECUTED]
    assert found.others[0].details["snapshots"] == len(ready.snapshots)
    assert (found.removal is None) == bool(found.record.body["not_removed"])


@pytest.mark.slow
def test_a_trainer_that_cannot_be_watched_trains_the_model_all_the_same(folder):
    text = CONFIG.replace('[model]\nload = "configured_fit.py:model"\nname = "the tree"\n', "")
    config = AuditConfig.parse(text.replace("seed = 4", 'seed = 4\nattacks = ["trajectory"]'), folder=folder)
    found = carried_out(config, prepared(config))
    assert "without snapshots" in found.others[0].reason
    assert found.record.body["not_removed"] == ""


def test_snapshots_are_onnx_files_or_a_list_of_models(folder):
    text = CONFIG.replace("seed = 4", 'seed = 4\nattacks = ["trajectory"]')
    config = AuditConfig.parse(text.replace("name =", 'snapshots = "configured_fit.py:model"\nname ='), folder=folder)
    with pytest.raises(UsageError, match=r"a list of models from .*, got DecisionTree"):
        prepared(config)
    (folder / "model.onnx").write_text("")
    onnx = 'onnx = "model.onnx"\nsnapshots = ["one.onnx", "model.onnx"]'
    config = AuditConfig.parse(text.replace('load = "configured_fit.py:model"', onnx), folder=folder)
    with pytest.raises(UsageError, match=r"ONNX files at \['one.onnx'\]"):
        prepared(config)
    (folder / "one.onnx").write_text("")
    assert prepared(config).snapshots == (folder / "one.onnx", folder / "model.onnx")


@pytest.mark.slow
def test_without_a_model_the_trainer_makes_it_and_without_a_trainer_no_shadows(folder):
    text = CONFIG.replace('[model]\nload = "configured_fit.py:model"\nname = "the tree"\n', "")
    found = carried_out(config := AuditConfig.parse(text, folder=folder), prepared(config))
    assert found.finding.target == "the model"
    assert found.finding.estimates["accuracy on members"].value == 1.0
    start, end = CONFIG.index("[training]"), CONFIG.index("[attack]")
    config = AuditConfig.parse(
        CONFIG[:start] + CONFIG[end:].replace("seed = 4", 'seed = 4\nattacks = ["gap"]'), folder=folder
    )
    found = carried_out(config, prepared(config))
    assert found.risks is None
    assert [one.attack for one in found.others] == ["gap: right means member"]
    assert {limit.status for limit in limits(config, found)} >= {"not resolvable"}


@pytest.mark.slow
def test_a_guarantee_is_read_and_judged(folder):
    guarantee = Guarantee((SampledGaussian(noise_multiplier=20.0),), unit=Unit.EXAMPLE)
    (folder / "guarantee.json").write_text(json.dumps(guarantee.as_dict()))
    config = AuditConfig.parse(CONFIG + '[claim]\nguarantee = "guarantee.json"\n', folder=folder)
    found = carried_out(config, prepared(config))
    assert found.epsilon_of_training.verdict.conclusion is Conclusion.VIOLATION
    limit = limits(config, found)[-2]
    assert (limit.name, limit.status) == ("claim about the training", "exceeded")
    whole = guarantee.as_dict()
    for values, message in (
        ("{}", r"fields of a guarantee in JSON, got guarantee='guarantee\.json' without \['mechanisms', 'unit'"),
        ("[1]", "fields of a guarantee in JSON"),
        ("{", r"a guarantee as JSON, got guarantee='guarantee\.json', which is none"),
        (json.dumps({**whole, "unit": "planet"}), r"got guarantee='guarantee\.json', in which: .*planet"),
        (json.dumps({**whole, "more": 1}), r"got guarantee='guarantee\.json', in which: .*more"),
    ):
        (folder / "guarantee.json").write_text(values)
        with pytest.raises(UsageError, match=message) as error:
            prepared(config)
        assert "run.guarantee.as_dict()" in error.value.remedy
    (folder / "guarantee.json").unlink()
    with pytest.raises(UsageError, match=r"guarantee='guarantee\.json', which cannot be read"):
        prepared(config)


@pytest.mark.slow
def test_results_are_replaced_by_those_of_the_same_audit_only(folder):
    config = AuditConfig.read(folder / "audit.toml")
    require_replaceable(config)  # nothing there
    found = carried_out(config, prepared(config))
    for place in ("audit.html", "audit.json"):
        found.save(folder / place)
    require_replaceable(config)
    for old, new in (('name = "the tree"', 'name = "another"'), ("[data]", '[data]\nname = "elsewhere"')):
        with pytest.raises(UsageError, match="reticent audit of 'the tree' on 'members'") as error:
            require_replaceable(AuditConfig.parse(CONFIG.replace(old, new), folder=folder))
        assert "--overwrite" in error.value.remedy
    (folder / "audit.html").write_text("<html>my thesis</html>")
    with pytest.raises(UsageError, match=r"at report='audit\.html', found a file that reticent did not write"):
        require_replaceable(config)


@pytest.mark.slow
def test_classes_have_their_words_and_rows_their_table(folder):
    for name in ("members.csv", "others.csv"):
        lines = (folder / name).read_text().splitlines()
        words = [line[:-1] + {"0": "<=50K", "1": ">50K"}[line[-1]] for line in lines[1:]]
        (folder / name).write_text("\n".join([lines[0], *words]) + "\n")
    text = CONFIG.replace('[model]\nload = "configured_fit.py:model"\nname = "the tree"\n', "")
    text = text.replace("[data]", '[data]\nclasses = ["<=50K", ">50K"]')
    found = carried_out(config := AuditConfig.parse(text, folder=folder), prepared(config))
    assert [group.name for group in found.disparities["class"].groups] == ["<=50K", ">50K"]
    body = found.record.body
    assert body["data"]["class_names"] == ["<=50K", ">50K"]
    assert (body["rows"]["counted_from"], body["rows"]["members"]["file"]) == (0, "members.csv")
    assert body["rows"]["nonmembers"]["file"] == "others.csv"
    with pytest.raises(DataError, match="first in line 2"):
        prepared(AuditConfig.parse(text.replace('"<=50K", ', '"<=50k", '), folder=folder))


def test_a_trainer_that_forgets_to_return_its_model_is_named(folder):
    source = (folder / "configured_fit.py").read_text().replace("return tree.fit", "tree.fit")
    (folder / "configured_fit.py").write_text(source)
    text = CONFIG.replace('[model]\nload = "configured_fit.py:model"\nname = "the tree"\n', "")
    with pytest.raises(UsageError, match=r"got fit\(records, randomness\)=None\. Let fit end with"):
        prepared(AuditConfig.parse(text, folder=folder))


@pytest.mark.slow
def test_what_the_trainer_makes_can_have_a_name(folder):
    config = AuditConfig.parse(CONFIG.replace('load = "configured_fit.py:model"\n', ""), folder=folder)
    found = carried_out(config, prepared(config))
    assert found.finding.target == "the tree"
    for place in (config.output.record, config.output.report):
        found.save(config.path(place))
    require_replaceable(config)  # its own results
    other = AuditConfig.parse(CONFIG.replace("the tree", "another"), folder=folder)
    with pytest.raises(UsageError, match="reticent audit of 'the tree'"):
        require_replaceable(other)


def test_limits_are_printed_as_what_they_are():
    assert Limit("a", 0.6, 0.6123).text(0.6123) == "0.6123"
    assert Limit("a", 0.6, 0.6123, kind="share").text(0.6) == "60 %"
    assert Limit("a", 0.6, None).measured == "not resolvable"
    assert (Limit("a", 3, 330).measured, Limit("a", 3, 0.40219).measured) == ("330", "0.4021")
    # down, but never to the limit that it lies above
    assert Limit("a", 0.6, 0.999999999, kind="share").measured == "99.99 %"
    assert Limit("a", 0.55, 0.550000044, kind="share").measured == "55.000004 %"
    assert Limit("a", 0.55, 0.549996, kind="share").measured == "54.99 %"


@pytest.mark.slow
def test_limits_on_people_are_called_so(folder):
    for side in ("members", "others"):
        head, *rows = (folder / f"{side}.csv").read_text().splitlines()
        owned = [f"{row},{side}{i // 2}" for i, row in enumerate(rows)]
        (folder / f"{side}.csv").write_text("\n".join([f"{head},who", *owned]) + "\n")
    fit = FIT.replace("{members!r}, groups", "{members!r}, owner='who', groups")
    (folder / "configured_fit.py").write_text(fit.replace("{members!r}", repr(str(folder / "members.csv"))))
    config = AuditConfig.parse(CONFIG.replace("groups =", 'owner = "who"\ngroups ='), folder=folder)
    found = carried_out(config, prepared(config))
    names = [limit.name for limit in limits(config, found)]
    assert names[0] == "right one of two people (AUC)"
    assert names[1] == "people named at 10 % false alarms"
    assert names[-1] == "people exposed"


def test_what_is_inconclusive_decides_no_limit(folder):
    """Members and others of different sources: neither "exceeded" nor "not exceeded" follows."""
    lines = (folder / "others.csv").read_text().splitlines()
    (folder / "others.csv").write_text("\n".join([lines[0], *(f"9{line.lstrip('-')}" for line in lines[1:])]) + "\n")
    text = CONFIG.replace('[training]\ntrainer = "configured_fit.py:fit"\nshadows = 12\njobs = 1\n', "")
    config = AuditConfig.parse(text, folder=folder)
    found = carried_out(config, prepared(config))
    assert found.finding.status is Status.INCONCLUSIVE
    assert {limit.status for limit in limits(config, found)} == {"not resolvable"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"members.csv"', '"none.csv"', "none.csv"),
        ("configured_fit.py:fit", "configured_fit.py:train", "'train' in"),
        ('report = "audit.html"', 'report = "nowhere/audit.html"', "folder of 'nowhere/audit.html'"),
        ('load = "configured_fit.py:model"', 'onnx = "none.onnx"', "none.onnx"),
    ],
)
def test_what_is_missing_is_missed_before_anything_runs(folder, old, new, message):
    config = AuditConfig.parse(CONFIG.replace(old, new), folder=folder)
    with pytest.raises(UsageError, match=message):
        prepared(config)


def test_places_that_cannot_be_written_are_found_before_anything_runs(folder, monkeypatch):
    (folder / "audit.json").mkdir()
    with pytest.raises(UsageError, match=r"a file at 'audit\.json', found a folder"):
        prepared(AuditConfig.read(folder / "audit.toml"))
    (folder / "audit.json").rmdir()

    def full(**options):
        raise OSError(28, "No space left on device")

    before = sorted(folder.iterdir())
    prepared(AuditConfig.read(folder / "audit.toml"))
    assert sorted(set(folder.iterdir()) - {folder / "__pycache__"}) == before  # nothing is left of the trial
    monkeypatch.setattr("tempfile.NamedTemporaryFile", full)
    with pytest.raises(UsageError, match=r"write 'audit\.json', but: No space left"):
        prepared(AuditConfig.read(folder / "audit.toml"))


def test_sides_and_guarantees_are_checked_before_the_model_is_trained(folder):
    text = CONFIG.replace('[model]\nload = "configured_fit.py:model"\nname = "the tree"\n', "")
    source = (folder / "configured_fit.py").read_text()
    (folder / "configured_fit.py").write_text(
        source.replace("    tree =", "    raise SystemExit('trained')\n    tree =")
    )
    guarantee = Guarantee((SampledGaussian(noise_multiplier=20.0),), unit=Unit.EXAMPLE).as_dict()
    (folder / "guarantee.json").write_text(json.dumps({**guarantee, "only": ["labels"]}))
    with pytest.raises(UsageError, match="for whole records"):
        prepared(AuditConfig.parse(text + '[claim]\nguarantee = "guarantee.json"\n', folder=folder))
    written(folder / "others.csv", np.random.default_rng(1), 9)
    with pytest.raises(NotEnoughEvidence, match="150 and 9"):
        prepared(AuditConfig.parse(text, folder=folder))


def test_secrets_of_endpoints_come_from_the_environment(folder, monkeypatch):
    text = CONFIG.replace(
        'load = "configured_fit.py:model"',
        'endpoint = "http://127.0.0.1:9/p"\nheaders = {Authorization = "MY_TOKEN"}\nmost_queries = 10',
    )
    config = AuditConfig.parse(text, folder=folder)
    with pytest.raises(UsageError, match="MY_TOKEN"):
        prepared(config)
    monkeypatch.setenv("MY_TOKEN", "hush")
    ready = prepared(config)
    assert "hush" not in repr(ready.model)
    assert ready.model.budget == 10


def test_limits_fail_only_on_what_was_measured():
    assert Limit("a", 0.5, None).status == "not resolvable"
    assert Limit("a", 0.5, 0.5).status == "kept"
    assert Limit("a", 0.5, 0.51).as_dict() == {"name": "a", "most": 0.5, "low": 0.51, "status": "exceeded"}
