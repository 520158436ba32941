"""Words: every sentence of a verdict is carried by its figures, and no figure is rounded in a promise's favour."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent.reports.words import estimate, number, percent, rate_name, rate_of, round_up, span, tone, verdict

DATA = {"unit": "person", "records": 200, "owners": 200}


def share(value: float, low: float, high: float) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "confidence": 0.95, "n": 100, "method": "made up"}


CHANCE = share(0.5, 0.45, 0.55)
LEAK = share(0.7, 0.65, 0.75)


def an_arm(
    kind: str = "ordinary",
    name: str = "",
    auc: dict[str, Any] = CHANCE,
    accuracy: dict[str, Any] | None = None,
    exposed: int | None = 0,
    blind: dict[str, Any] = CHANCE,
    rate: dict[str, Any] | None = None,
    epsilon: float = 1.0,
    simulated: bool = False,
    repeated: bool = True,
    noun: str = "network",
    single: dict[str, Any] | None = None,
    cost: dict[str, Any] | None = None,
) -> dict[str, Any]:
    estimates: dict[str, Any] = {"auc": auc, "accuracy on non-members": accuracy or share(0.7, 0.68, 0.72)}
    if rate is not None:
        estimates["true_positive_rate_at_0.01"] = rate
    promise = {"epsilon": epsilon, "named_at_0.01": 0.0263, "guarantee": {"simulated": simulated}}
    groups = "the groups can be told apart without the model: not a random split" if blind["low"] > 0.5 else ""
    return {
        "name": name or kind,
        "kind": kind,
        "meaning": "",
        "accuracy_difference": cost or share(-0.01, -0.03, 0.01),
        "promise": promise if kind == "private" else None,
        "audit": {
            "noun": noun,
            "finding": {
                "estimates": {"auc": auc, **(single or {})},
                "baseline": {"blind": blind},
                "status": "inconclusive" if groups else "executed",
                "reason": groups,
            },
            "repeated": {"estimates": estimates if repeated else {}, "details": {"models": 64}},
            "exposed": exposed if repeated else None,
        },
    }


def said(*arms: dict[str, Any], data: dict[str, Any] = DATA) -> str:
    sentences = verdict(list(arms), data)
    assert all(sentence.strip() and sentence[-1] in ".”" for sentence in sentences)
    return " ".join(sentences)


# Verdicts ---------------------------------------------------------------------------------------------------------


def test_a_leak_is_called_a_leak() -> None:
    text = said(an_arm(auc=LEAK, exposed=7, rate=share(0.12, 0.08, 0.17)))
    assert text.startswith("Networks trained ordinarily give away who was used to train them")
    assert "70.0 % (65.0 to 75.0)" in text
    assert "Allowed 1 % false alarms, the attacker names 12.0 % (8.0 to 17.0) of the people used." in text
    assert "For 7 of all 200 people, each used in some of the 64 trainings by coin flips, the answers depend on" in text
    assert "with 95 % confidence for all of them at once" in text
    assert "No leak" not in text


def test_no_leak_measured_is_not_called_no_leak() -> None:
    text = said(an_arm())
    assert text.startswith("No leak of membership was measured")
    assert "not proof that there is none" in text
    assert "give away" not in text


@pytest.mark.parametrize(
    "arm",
    [
        an_arm(exposed=1),
        an_arm(rate=share(0.05, 0.02, 0.09)),
        an_arm(
            repeated=False,
            single={
                "true_positive_rate_at_0.01": share(0.3, 0.2, 0.4),
                "false_positive_rate_at_0.01": share(0.01, 0.0, 0.05),
            },
        ),
    ],
    ids=["a record is exposed", "some are named", "some are named by one network"],
)
def test_an_average_does_not_hide_a_few_who_are_recognised(arm: dict[str, Any]) -> None:
    text = said(arm)
    assert "No leak" not in text
    assert " away some of who was used to train" in text
    assert "though not on average" in text


def test_one_networks_uncertain_threshold_is_not_called_a_leak() -> None:
    rates = {
        "true_positive_rate_at_0.01": share(0.05, 0.02, 0.09),
        "false_positive_rate_at_0.01": share(0.04, 0.01, 0.08),
    }
    assert "No leak of membership was measured" in said(an_arm(repeated=False, single=rates))


def test_rows_are_not_called_people_when_people_own_several() -> None:
    text = said(an_arm(auc=LEAK, exposed=11), data={"unit": "person", "records": 200, "owners": 20})
    assert "picks the right one" in text
    assert "shown one of the records used" in text
    assert "For 11 of all 20 people" in text  # each person was tested, with all rows
    assert "clients" in said(an_arm(), data={"unit": "client", "records": 9, "owners": 9})


def test_without_a_trainer_groups_that_differ_give_no_answer() -> None:
    for auc in (LEAK, CHANCE):
        text = said(an_arm(auc=auc, blind=LEAK, repeated=False))
        assert text.startswith("No answer for the ordinary network")
        assert "not a random split" in text
        assert "gives away" not in text
        assert "No leak" not in text


def test_a_leak_of_the_training_stands_though_the_groups_differ() -> None:
    text = said(an_arm(auc=LEAK, blind=LEAK))
    assert text.startswith("Networks trained ordinarily give away")
    assert "not a random split" in text
    assert "their figures stand" in text


def test_an_audited_network_is_not_called_ordinary() -> None:
    assert "etworks trained like “my model”" in said(an_arm("given", "my model", auc=LEAK))
    assert "ordinary" not in said(an_arm("given", "my model"))


def test_what_is_not_known_to_be_a_network_is_called_a_model() -> None:
    arms = [
        [an_arm("given", "the forest", auc=LEAK, noun="model")],
        [an_arm("given", "the model", auc=LEAK, noun="model", blind=LEAK)],
        [an_arm("given", "the forest", repeated=False, noun="model", blind=LEAK)],
        [an_arm("given", "the model", repeated=False, noun="model")],
    ]
    for one in arms:
        assert "etwork" not in said(*one)
        assert "odel" in said(*one)
    assert "Models trained like “the forest”" in said(*arms[0])
    assert "“the model”" not in said(*arms[3])
    without = an_arm("given", "x")
    del without["audit"]["noun"]  # a record of before
    assert "etwork" not in said(without)


@pytest.mark.parametrize(
    ("cost", "says"),
    [
        (
            share(-0.1, -0.12, -0.08),
            "Privacy costs accuracy here, on the same draws and records: 10.0 points (8.0 to 12.0) at epsilon 1.",
        ),
        (share(0.02, 0.01, 0.03), "it gains 2.0 points (1.0 to 3.0) at epsilon 1."),
        (share(-0.01, -0.03, 0.01), "no difference can be told from chance"),
        (share(0.01, -0.01, 0.03), "no difference can be told from chance"),
    ],
)
def test_the_cost_of_privacy_is_told_as_far_as_intervals_tell_it(cost: dict[str, Any], says: str) -> None:
    text = said(an_arm(auc=LEAK), an_arm("private", "p", cost=cost))
    assert says in text
    assert "against 70.0 % (68.0 to 72.0) without privacy" in text


def test_only_the_arms_that_pay_are_named() -> None:
    low, same = share(-0.1, -0.12, -0.08), share(0.0, -0.02, 0.02)
    text = said(an_arm(), an_arm("private", "a", cost=low, epsilon=0.5), an_arm("private", "b", cost=same, epsilon=3))
    assert "records: 10.0 points (8.0 to 12.0) at epsilon 0.5." in text


def test_private_arms_alone_are_compared_with_nothing() -> None:
    text = said(an_arm("private", "p, epsilon 1"))
    assert "without privacy" not in text
    assert "costs" not in text


def test_a_simulation_promises_nothing() -> None:
    text = said(an_arm(), an_arm("private", "p", simulated=True))
    assert "promise nothing" in text
    assert "are the promise" not in text
    assert "at most 2.7 % named" in text  # never rounded down
    secure = said(an_arm(), an_arm("private", "p"))
    assert "Those bounds are the promise" in secure
    assert "simulation" not in secure


def test_private_arms_that_leak_are_not_excused() -> None:
    text = said(an_arm(auc=LEAK), an_arm("private", "p", auc=LEAK))
    assert "At epsilon 1 that is a leak, measured." in text
    assert "no leak was measured" not in text
    assert "less" not in text


def test_the_tone_is_that_of_the_sentence() -> None:
    assert tone(an_arm(auc=LEAK)) == "shown"
    assert tone(an_arm()) == "not shown"
    assert tone(an_arm(exposed=1)) == "shown"
    open_question = an_arm(auc=LEAK, repeated=False)
    open_question["audit"]["finding"]["status"] = "inconclusive"
    assert tone(open_question) == "undecided"


def test_no_leak_among_private_arms_needs_that_nobody_is_exposed() -> None:
    text = said(an_arm(auc=LEAK), an_arm("private", "p"))
    assert "At epsilon 1 no leak was measured." in text
    assert "At epsilon 1 that is a leak" in said(an_arm(auc=LEAK), an_arm("private", "p", exposed=1))


def test_the_control_is_reported_and_promises_nothing() -> None:
    text = said(an_arm(auc=LEAK), an_arm("control", "stopped early", auc=LEAK), an_arm("private", "p"))
    assert "from the network “stopped early”, which has neither clipping nor noise" in text
    assert "It carries no promise" in text
    assert "Part of the difference" not in text  # there is none between these two


def test_a_promise_in_words_is_rounded_up() -> None:
    assert "at epsilon 1.01" in said(an_arm(), an_arm("private", "p", epsilon=1.0001))


# Figures ----------------------------------------------------------------------------------------------------------


@given(st.floats(min_value=1e-300, max_value=1e300), st.integers(1, 12))
def test_rounding_up_is_never_below_and_hardly_above(value: float, digits: int) -> None:
    shown = round_up(value, digits)
    assert shown >= value
    assert Fraction(shown) <= Fraction(value) * (1 + Fraction(10) ** (1 - digits)) * (1 + Fraction(1, 10**14))
    assert round_up(shown, digits) == shown
    assert float(f"{shown:.{digits}g}") == shown


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_what_the_page_prints_of_an_epsilon_is_never_below_it(value: float) -> None:
    assert float(f"{round_up(value, 3):g}") >= value


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (0.0, 4, 0.0),
        (math.inf, 3, math.inf),
        (3.0, 3, 3.0),
        (2.99961, 4, 3.0),
        (math.nextafter(1.0, 2), 4, 1.001),
        (9.996, 3, 10.0),
        (1234.1, 3, 1240.0),
    ],
)
def test_rounding_up_by_example(value: float, digits: int, shown: float) -> None:
    assert round_up(value, digits) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0.0 %"), (1, "100.0 %"), (0.0714, "7.1 %"), (0.00412, "0.41 %"), (-0.004, "-0.40 %"), (0.5, "50.0 %")],
)
def test_percent(value: float, shown: str) -> None:
    assert percent(value) == shown


def further(status: str, auc: dict[str, Any]) -> dict[str, Any]:
    return {"attack": "gap", "status": status, "estimates": {"auc": auc}}


@pytest.mark.parametrize("repeated", [True, False])
@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"others": [further("executed", LEAK)]}, "“gap”, on the one network, right one of two 70.0 % (65.0 to 75.0)"),
        ({"others": [further("executed", CHANCE)]}, ""),
        ({"others": [further("inconclusive", LEAK)]}, ""),
        (
            {"people": {"chosen": "sum", "ways": {"sum": {"auc": LEAK}}}},
            "people by all their records, right one of two",
        ),
        ({"people": {"chosen": "sum", "ways": {"sum": {"auc": CHANCE}}}}, ""),
        (
            {"epsilon": {"model": {"what": "the given model", "bound": {"epsilon": 0.2}}}},
            "epsilon above 0, the given model",
        ),
        ({"epsilon": {"model": {"what": "the given model", "bound": {"epsilon": 0.0}}}}, ""),
        ({"epsilon": {"model": {"what": "the given model", "bound": None}}}, ""),
    ],
)
def test_no_leak_is_said_only_where_nothing_found_one(more: dict[str, Any], said: str, repeated: bool) -> None:
    arm = an_arm("given", repeated=repeated)
    arm["promise"] = None
    arm["audit"] |= more
    (text,) = verdict([arm], DATA)
    assert text.startswith("No leak") == (not said)
    assert said in text
    private = verdict([an_arm(auc=LEAK), {**an_arm("private"), "audit": arm["audit"]}], DATA)[1] if repeated else None
    if private is not None:
        assert ("that is a leak, measured" in private) == bool(said)


def test_estimates_show_their_interval_or_that_there_is_none() -> None:
    assert estimate(None) == "not resolvable"
    assert estimate(share(0.76, 0.738, 0.788)) == "76.0 % (73.8 to 78.8)"
    assert span(share(0.005, 0.001, 0.012)) == "0.10 to 1.20"
    assert span(share(0.0, 0.0, 0.0123)) == "0.0 to 1.3"


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_shown_interval_holds_its_value(a: float, b: float, c: float) -> None:
    low, value, high = sorted((a, b, c))
    shown_low, _, shown_high = span(share(value, low, high)).partition(" to ")
    shown_value = float(percent(value).removesuffix(" %").strip("<>"))
    assert float(shown_low) <= shown_value <= float(shown_high) + 0.01 * percent(value).startswith("<")
    assert float(shown_low) <= 100 * low * (1 + 1e-9)
    assert 100 * high * (1 - 1e-9) <= float(shown_high)


def test_numbers_and_rates() -> None:
    assert number(1234567) == "1\u202f234\u202f567"
    assert number(442) == "442"
    assert number(1e-5) == "1e-05"
    assert rate_of("true_positive_rate_at_0.001") == 0.001
    assert rate_name("true_positive_rate_at_0.001") == "0.1 %"
