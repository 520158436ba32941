"""Parts of an audit's page: there when something was measured, and never saying more than the figures."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from tests.audits.test_claims import claim, judged

import reticent as rt
from reticent.reports.parts import about_epsilon, epsilon_table, further, not_run, parts_of, sentences_about, who
from reticent.reports.tables import html

TITLES = [
    "Who is at risk, and why",
    "What a name is worth",
    "Groups",
    "What showing less is worth",
    "Epsilon, from outside",
    "Further attacks",
    "From training to training",
    "What could be known beforehand",
]


def memorise(records: Any, randomness: Any) -> Any:
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(random_state=randomness.seed() % 2**32)
    return tree.fit(records.features, records.labels)


@pytest.fixture(scope="module")
def body() -> dict[str, Any]:
    source = rt.Randomness.simulated(3)
    x = source.normal((160, 3))
    members, others = rt.split(rt.Records(x, x[:, 0] + source.normal(160) > 0), source)
    regions = ["<b>north</b>", "south"] * 80
    audit = rt.audit(
        memorise(members, source),
        members,
        others,
        trainer=memorise,
        shadows=16,
        coins=True,
        groups={"region": regions, "tiny": ["a"] * 159 + ["b"]},
        attacks=("gap",),
        method="choose",
        randomness=source,
        jobs=1,
    )
    return audit.record.body


def text(part: Any) -> str:
    return " ".join([part.title, *part.sentences, *part.figures])


def test_every_part_is_there_in_order(body: dict[str, Any]) -> None:
    parts = parts_of(body)
    assert [part.title for part in parts] == TITLES
    whole = " ".join(text(part) for part in parts)
    assert "By tiny, not compared" in whole
    assert "<b>north" not in whole
    assert "&lt;b&gt;north" in whole
    assert "Chosen among" in whole
    assert "half of the shadow models, which do not judge it" in whole
    assert all(part.sentences or part.figures for part in parts)


def test_what_was_not_measured_has_no_part(body: dict[str, Any]) -> None:
    less = copy.deepcopy(body)
    less |= {"at_risk": None, "thresholds": [], "predictive": {}, "disparities": {}, "not_compared": {}}
    less |= {"removal": None, "not_removed": "", "exposures": None, "others": [], "spread": {}, "not_listed": ""}
    for one in less["epsilon"].values():
        one |= {"bound": None, "verdict": None}
    assert [part.title for part in parts_of(less)] == TITLES[-1:]
    assert sentences_about(less) == []


def test_sentences_say_at_least_and_no_promise(body: dict[str, Any]) -> None:
    said = " ".join(sentences_about(body))
    assert "epsilon is at least" in said
    assert "A lower bound is no promise" in said
    assert "Groups by region" in said


def test_verdicts_come_with_their_claims() -> None:
    claims = {"training": judged(1, 1.0, claim(4.0)).as_dict(), "model": judged(1, 1.0).as_dict()}
    violation, bound = about_epsilon(claims)
    assert "Violation at 95 % confidence" in violation
    assert "epsilon is at least" in bound
    table = html(epsilon_table({"a <i>training": claims}))
    assert "violation" in table
    assert "no claim" in table
    assert "a &lt;i&gt;training" in table
    assert "prove nothing" in table


def test_bounds_are_rounded_down_and_claims_up() -> None:
    claims = {"training": judged(1, 1.0, claim(4.0)).as_dict()}
    claims["training"]["bound"]["epsilon"] = 1.23999
    claims["training"]["verdict"]["claimed"] = 2.00001
    rows = epsilon_table({"a": claims}).rows
    assert "at least 1.23 " in rows[0][3]
    assert rows[0][2] == "epsilon 2.01"


@pytest.mark.slow
def test_who_is_at_risk_is_named_with_the_table_that_rows_are_counted_in(body: dict[str, Any]) -> None:
    assert body["at_risk"]["listed"]
    told = who(body)
    assert told.startswith("At risk, the surest first: ")
    assert told.count("rows count from 0") == 1
    page = next(text(part) for part in parts_of(body) if part.title == TITLES[0])
    assert page.count("rows count from 0") == 1
    assert page.count("is no contradiction") == 1  # a small p beside a wide interval
    older = {name: value for name, value in body.items() if name != "rows"}
    assert who(older)
    assert parts_of(older)
    assert who({**body, "at_risk": None}) == ""
    nobody = {**body, "at_risk": {**body["at_risk"], "listed": [], "count": 0}}
    assert who(nobody) == ""
    assert "is no contradiction" not in next(text(part) for part in parts_of(nobody) if part.title == TITLES[0])


def test_what_was_not_run_is_said_once(body: dict[str, Any]) -> None:
    told = not_run(body)
    assert any(one.startswith("groups by tiny: ") for one in told)
    assert sum("no torch module" in one for one in told) == 1
    assert not any(one.startswith("label-only") for one in told)  # "gap" was asked for
    unfit = {"attack": "norm of the gradient", "status": "not_run", "reason": "no torch module is there"}
    assert "norm of the gradient: no torch module is there" in not_run({**body, "others": [unfit]})


def test_prose_is_for_people_and_the_record_for_machines(body: dict[str, Any]) -> None:
    bound = body["epsilon"]["training"]["bound"]
    assert bound["relation"] == "add_or_remove_one"
    said = " ".join([*sentences_about(body), *(text(part) for part in parts_of(body))])
    assert "one example added or removed" in said
    assert "add_or_remove" not in said
    assert "etwork" not in said
    assert not re.search(r"\de\+\d", said)


def test_a_bound_that_says_nothing_is_not_called_a_bound() -> None:
    bound = {"epsilon": 0.0, "delta": 0.0010009, "confidence": 0.98756, "unit": "example",
             "relation": "add_or_remove_one", "method": "counted"}  # fmt: skip
    (said,) = about_epsilon({"model": {"what": "the model", "bound": bound, "verdict": None, "reason": ""}})
    assert "no lower bound on epsilon above 0 was found at delta 0.001, with 98.75 % confidence" in said
    assert said.endswith("That is no sign that nothing is given away.")


def test_further_attacks_are_told_with_their_intervals() -> None:
    auc = {"value": 0.7, "low": 0.65, "high": 0.75, "confidence": 0.95, "n": 9, "method": "made up"}
    others = [
        {"attack": "gap", "status": "executed", "estimates": {"auc": auc}},
        {"attack": "edge", "status": "inconclusive", "estimates": {"auc": auc}},
        {"attack": "norm", "status": "not_run", "estimates": {}},
    ]
    assert further({"others": others, "noun": "network"}) == (
        "Further attacks on the one network, right one of two: “gap” 70.0 % (65.0 to 75.0); "
        "“edge” 70.0 % (65.0 to 75.0), inconclusive."
    )
    assert further({"others": others[2:]}) == ""
