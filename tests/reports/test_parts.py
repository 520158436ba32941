"""Parts of an audit's page: there when something was measured, and never saying more than the figures."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.audits.test_claims import claim, judged

import reticent as rt
from reticent.reports.parts import about_epsilon, epsilon_table, parts_of, sentences_about
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
