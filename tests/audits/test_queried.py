"""Attacks without shadow models: they find what was planted, and nothing where there is nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import binom
from sklearn.neighbors import KNeighborsClassifier
from tests.models.serving import serving
from torch import nn

from reticent.attacks.membership import BoundarySearch
from reticent.audits import queried
from reticent.audits.case import prepare
from reticent.audits.queried import METHODS, Agreement, Boundary, Confidence, findings_without_shadows
from reticent.data import Records
from reticent.errors import UsageError
from reticent.evidence import Estimate, Finding, Status
from reticent.models import Endpoint, Exposure
from reticent.randomness import Randomness

CHANCE = {"nobody": Estimate(0.5, 0.4, 0.6, 0.95, 100, "made up")}
FAST = Boundary(search=BoundarySearch(iterations=1, directions=8, bisections=5, steps=2))


def sides(seed, size=300, columns=10, noise=1.0):
    source = Randomness.simulated(seed)
    x = source.normal((2 * size, columns)).astype(np.float32)
    records = Records(x, x[:, 0] + x[:, 1] + noise * source.normal(2 * size) > 0)
    return records.take(range(size)), records.take(range(size, 2 * size))


def case_of(model, members, others, *, exposure="logits", confidence=0.95, seed=0, blind=CHANCE):
    return prepare(
        model,
        members,
        others,
        exposure=Exposure.of(exposure),
        confidence=confidence,
        randomness=Randomness.simulated(seed),
        name="a model",
        blind=blind,
    )


def nearest(members):
    return KNeighborsClassifier(1).fit(members.features, members.labels)


def network(members):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    x, y = torch.from_numpy(members.features), torch.from_numpy(members.labels)
    for _ in range(300):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model


def test_a_memoriser_is_found_by_labels_alone():
    members, others = sides(0)
    case = case_of(nearest(members), members, others, exposure="label")
    gap, agreement, boundary, gradient = findings_without_shadows(
        case, ["gap", "agreement", "boundary", "gradient norm"]
    )
    assert 0.55 < gap.estimates["auc"].low < agreement.estimates["auc"].low < boundary.estimates["auc"].low
    assert boundary.estimates["auc"].value > 0.9
    assert boundary.estimates["true_positive_rate_at_0.1"].low > 0.6
    assert gap.estimates["true_positive_rate_at_0.1"].value == 0  # a threshold between wrong and right is at more
    for finding in (gap, agreement, boundary):
        assert (finding.status, finding.exposure) == (Status.EXECUTED, "label")
        assert finding.details["attacks_sharing_the_confidence"] == 3
        assert all("confidence shared by 3 attacks" in one.method for one in finding.estimates.values())
        assert all(one.confidence == 0.95 for one in finding.estimates.values())
        assert finding.baseline == {f"auc of {name} without the model": one for name, one in CHANCE.items()}
        assert finding.estimates["false_positive_rate_at_0.1"].threshold == "150 non-members set aside"
        assert finding.estimates["false_positive_rate_at_0.1"].n == 150
        assert Finding.from_dict(finding.as_dict()) == finding
    assert (gap.details["queries"], agreement.details["queries"]) == (600, 600 * 21)
    assert 600 * 30 < boundary.details["queries"] <= 600 * BoundarySearch().queries
    assert (gradient.status, gradient.reason) == (
        Status.NOT_RUN,
        "the model is no torch module: its parameters cannot be looked into",
    )


def test_an_overfitted_network_is_found_by_its_gradients():
    members, others = sides(1)
    case = case_of(network(members), members, others)
    *found, quantile, trajectory = findings_without_shadows(case, list(METHODS))
    assert [finding.exposure for finding in found] == ["logits", "label", "label", "label", "parameters"]
    assert all(finding.estimates["auc"].low > 0.5 for finding in found)
    assert found[-1].estimates["auc"].value >= found[1].estimates["auc"].value
    assert quantile.estimates["auc"].low > 0.5
    assert trajectory.status is Status.NOT_RUN


def blank(seed):
    """A model that has learned from other people: it is as right about members as about others."""
    strangers, _ = sides(1000 + seed, 60, 4)
    weights = np.linalg.lstsq(strangers.features, 2.0 * strangers.labels - 1, rcond=None)[0]
    return lambda x: np.column_stack([-x @ weights, x @ weights])


def missed(seeds, confidence, methods, planted=0.0):
    """How often an interval of any of the attacks is off chance, on models that give nothing away."""
    count = 0
    for seed in seeds:
        members, others = sides(seed, 80, 4)
        case = case_of(blank(seed), members, others, confidence=confidence, seed=seed)
        if planted:  # labels that the model is right about were picked for the members
            wrong = case.truth & ~case.correct & (np.random.default_rng(seed).random(160) < planted)
            labels = np.where(wrong, 1 - case.pool.labels, case.pool.labels)
            pool = Records(case.pool.features, labels)
            case = dataclasses.replace(case, pool=pool, signals=case.target.signals(pool.features, pool.labels))
        found = findings_without_shadows(case, methods)
        count += any(not finding.estimates["auc"].contains(0.5) for finding in found)
    return count


@pytest.mark.slow
def test_models_that_give_nothing_away_are_rarely_accused():
    """The intervals of all attacks together miss chance in at most one of five cases, as stated; a leak is noticed."""
    methods = ["confidence", "gap", Agreement(), FAST]
    runs = 200
    most = binom.ppf(1 - 1e-6, runs, 0.2)
    assert missed(range(runs), 0.8, methods) <= most
    assert missed(range(runs), 0.8, methods, planted=1.0) > most


def test_confidence_is_shared():
    members, others = sides(2)
    case = case_of(nearest(members), members, others)
    (alone,) = findings_without_shadows(case, ["gap"])
    together = findings_without_shadows(case, ["gap", "confidence"])
    (wide,) = findings_without_shadows(dataclasses.replace(case, confidence=0.975), ["gap"])
    assert together[0].estimates["auc"].low == pytest.approx(wide.estimates["auc"].low, abs=1e-12)
    assert together[0].estimates["auc"].low < alone.estimates["auc"].low
    assert "shared" not in alone.estimates["auc"].method


def test_some_of_the_records():
    members, others = sides(3)
    case = case_of(nearest(members), members, others)
    gap, boundary = findings_without_shadows(case, ["gap", FAST], limit=50)
    for finding in (gap, boundary):
        assert (finding.details["members"], finding.details["nonmembers"]) == (50, 50)
        assert finding.details["records_left_out"] == 500
        assert finding.estimates["auc"].n == 100
    assert boundary.details["queries"] <= 100 * FAST.search.queries
    everybody = findings_without_shadows(case, [FAST], limit=10_000)[0]
    assert everybody.estimates["auc"].n == 600


@pytest.mark.slow
def test_a_budget_is_looked_at_before_the_first_attack():
    members, others = sides(4, 20)
    model = nearest(members)
    with serving(lambda body: {"label": model.predict(np.array(body["inputs"])).tolist()}) as served:
        there = Endpoint(served.url, budget=300, batch=1000)
        case = case_of(there, members, others, exposure="label")
        assert there.queries == 40
        needed = 40 * 21 + 40 * FAST.search.queries
        with pytest.raises(UsageError, match=f"{needed} more queries, got 260 left"):
            findings_without_shadows(case, ["agreement", FAST])
        assert there.queries == 40
        there.budget = None
        agreement, boundary = findings_without_shadows(case, ["agreement", FAST])
    assert agreement.details["queries"] == 40 * 20  # the answers to the records themselves were kept
    assert there.queries == 40 + agreement.details["queries"] + boundary.details["queries"]


def test_token_ids():
    members, others = (
        Records(np.random.default_rng(seed).integers(0, 9, (30, 4)), np.arange(30) % 2) for seed in (0, 1)
    )
    case = case_of(lambda x: np.column_stack([x[:, 0], x[:, 1]]), members, others)
    gap, agreement, boundary = findings_without_shadows(case, ["gap", "agreement", "boundary"])
    assert gap.status is Status.EXECUTED
    assert agreement.status is boundary.status is Status.NOT_RUN
    assert "token ids" in boundary.reason
    assert gap.details["attacks_sharing_the_confidence"] == 1
    own = Agreement(perturbations=(lambda x, _: x[:, ::-1],))
    assert findings_without_shadows(case, [own])[0].status is Status.EXECUTED


def test_what_can_be_told_without_the_model_is_no_evidence():
    members, others = sides(5)
    apart = {"trees": Estimate(0.8, 0.7, 0.9, 0.95, 600, "made up")}
    (finding,) = findings_without_shadows(case_of(nearest(members), members, others, blind=apart), ["gap"])
    assert finding.status is Status.INCONCLUSIVE
    assert "told apart without the model" in finding.reason


def test_scores_never_use_memberships():
    """Exchanging who is a member changes estimates, not scores."""
    members, others = sides(6, 40)
    case = case_of(network(members), members, others)
    other_truth = dataclasses.replace(case, truth=~case.truth)
    for name in ("confidence", "gap", "agreement", "boundary", "gradient norm"):  # others: tests/audits/test_learned.py
        method = METHODS[name]
        first, second = (method.scores(one, Randomness.simulated(1)) for one in (case, other_truth))
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("methods", [[], ["gap", "gap"], ["gap", Confidence(name="gap: right means member")], ["gapp"]])
def test_methods_that_cannot_be(methods):
    members, others = sides(7, 20)
    with pytest.raises(UsageError, match="Expected"):
        findings_without_shadows(case_of(nearest(members), members, others), methods)


def test_every_method_has_a_short_name():
    assert all(isinstance(METHODS[name], type(METHODS[name])) for name in METHODS)
    assert {type(method) for method in METHODS.values()} == {
        getattr(queried, name)
        for name in ("Confidence", "Gap", "Agreement", "Boundary", "GradientNorm", "Quantile", "Trajectory")
    }
