"""Figures in words: short, with their intervals, and with nothing claimed that was not measured.

Example:
    >>> from reticent.reports.words import estimate, percent
    >>> percent(0.0714)
    '7.1 %'
    >>> estimate({"value": 0.76, "low": 0.738, "high": 0.788})
    '76.0 % (73.8 to 78.8)'
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from reticent._numbers import confidence, count, percent, percentage, points, shown
from reticent._numbers import span as _span
from reticent.privacy.rounding import round_up

__all__ = [
    "at_most",
    "confidence",
    "estimate",
    "exposed",
    "noun_of",
    "number",
    "percent",
    "percentage",
    "rate_name",
    "rate_of",
    "round_up",
    "shown",
    "span",
    "tone",
    "verdict",
]

_HALF = 0.5
_ACCURACY = "accuracy on non-members"
_NAMED = "true_positive_rate_at_"
_ONE_PERCENT = f"{_NAMED}0.01"


def at_most(value: float) -> str:
    """A promised share in per cent, never below it.

    Example:
        >>> at_most(0.4657)
        '46.6 %'
    """
    digits = 4 if 0 < value < 0.01 else 3  # as many decimals as `percent` shows
    return percent(math.ceil(round(value * 10**digits, 6)) / 10**digits)


def estimate(values: Mapping[str, Any] | None) -> str:
    """A share with its interval; "not resolvable" where there is none."""
    return "not resolvable" if values is None else f"{percent(values['value'])} ({span(values)})"


def span(values: Mapping[str, Any]) -> str:
    """An interval of shares in per cent, rounded outwards."""
    return _span(values["low"], values["high"], 2 if 0 < values["value"] * 100 < 1 else 1)


def number(value: Any) -> str:
    """A whole number with thin spaces between thousands; a delta or the like with four digits, rounded up."""
    if isinstance(value, int):
        return count(value)
    return shown(round_up(value), 4)


def exposed(audit: Mapping[str, Any]) -> str:
    """How many records (or owners of some) are exposed, of how many; or that so few trainings could not show one."""
    found, data = audit["exposed"], audit["data"]
    if found is None:
        return f"not resolvable ({number(data['owners'])} {_tested(data)})"
    return f"{number(found)} of {number(data['owners'])}{'' if data['owners'] == data['records'] else ' owners'}"


def rate_of(name: str) -> float:
    """The false-positive rate in a name such as true_positive_rate_at_0.01."""
    return float(name.rpartition("_")[2])


def rate_name(name: str) -> str:
    """The name of a rate as a column head."""
    return percentage(rate_of(name))


def verdict(arms: list[dict[str, Any]], data: Mapping[str, Any]) -> list[str]:
    """The page's first sentences: what was found, in words that its figures carry."""
    first = arms[0]
    sentences = [_about(first, data)]
    private = [arm for arm in arms if arm["kind"] == "private"]
    if private:
        sentences += _about_private(first, private)
    control = [arm for arm in arms[1:] if arm["kind"] == "control"]
    if control and private:
        sentences.append(_about_control(control[0]))
    if first["kind"] == "given" and first["promise"]:
        sentences.append(f"Any attack, at 1 % false alarms: {_bound(first)}. {_promised([first])}")
    for arm in arms:
        reason = arm["audit"]["finding"]["reason"]
        if arm["audit"]["finding"]["status"] == "inconclusive" and arm["audit"]["repeated"]["estimates"]:
            sentences.append(
                f"What was measured on the one {noun_of(arm)} “{arm['name']}” is inconclusive: {reason}. The repeated "
                "trainings drew their own members by coin flips; their figures stand, for the training repeated."
            )
    return sentences


def tone(arm: Mapping[str, Any]) -> Literal["shown", "undecided", "not shown"]:
    """What the first network's audit amounts to."""
    audit = arm["audit"]
    if audit["finding"]["status"] == "inconclusive" and not audit["repeated"]["estimates"]:
        return "undecided"
    return "shown" if _leaks(audit) or _elsewhere(audit) else "not shown"


def _people(data: Mapping[str, Any]) -> str:
    if data["owners"] != data["records"]:  # rows were counted, not their owners
        return "records"
    return {"person": "people", "client": "clients"}.get(str(data["unit"]), "records")


def _tested(data: Mapping[str, Any]) -> str:
    """Whose risk was tested one by one."""
    noun = {"person": "people", "client": "clients"}.get(str(data["unit"]), "records")
    return "owners of records" if noun == "records" and data["owners"] != data["records"] else noun


def _about(arm: dict[str, Any], data: Mapping[str, Any]) -> str:
    audit = arm["audit"]
    repeated = audit["repeated"]["estimates"]
    found = repeated or audit["finding"]["estimates"]
    who, auc = _people(data), found["auc"]
    picks = (
        f"shown one of the {who} used and one other, an attacker picks the right one {estimate(auc)} of the time; "
        "guessing gives 50 %."
    )
    if not repeated and audit["finding"]["status"] == "inconclusive":
        return (
            f"No answer for the {_net(arm)}: {picks} But that is neither evidence of a leak nor of none: "
            f"{audit['finding']['reason']}."
        )
    weak = "" if repeated else " Without a trainer this is a weak attack; a stronger one may find more."
    if not _leaks(audit):
        elsewhere = _elsewhere(audit)
        if elsewhere:
            return (
                f"{_capital(_trained(arm))} {'give' if repeated else 'gives'} away who was used to train {_them(arm)}, "
                f"though the usual attack did not show it: {picks} What did: {_listed(elsewhere)}."
            )
        text = f"No leak of membership was measured from {_trained(arm)}: {picks}"
        return f"{text} That is not proof that there is none.{weak}"
    some = "" if auc["low"] > _HALF else " some of"
    average = "" if auc["low"] > _HALF else ", though not on average"
    verb = "give" if repeated else "gives"
    text = f"{_capital(_trained(arm))} {verb} away{some} who was used to train {_them(arm)}{average}: {picks}"
    named = found.get(_ONE_PERCENT)
    if named is not None:
        text += f" Allowed 1 % false alarms, the attacker names {estimate(named)} of the {who} used"
        text += "." if named["low"] > rate_of(_ONE_PERCENT) else ", which is not more than guessing names."
    if audit["exposed"]:
        text += (
            f" For {number(audit['exposed'])} of all {number(data['owners'])} {_tested(data)}, each used in some of "
            f"the {audit['repeated']['details']['models']} trainings by coin flips, the answers depend on whether they "
            f"were used, with {_confidence(auc)} confidence for all of them at once."
        )
    return text + weak


def _confidence(values: Mapping[str, Any]) -> str:
    return confidence(values["confidence"])


def _leaks(audit: Mapping[str, Any]) -> bool:
    """Whether any figure lies above what guessing reaches: an average can hide a few who are always recognised."""
    repeated, single = audit["repeated"]["estimates"], audit["finding"]["estimates"]
    if audit["exposed"] or (repeated or single)["auc"]["low"] > _HALF:
        return True
    if repeated:
        return any(value["low"] > rate_of(name) for name, value in repeated.items() if name.startswith(_NAMED))
    # One model's threshold is itself uncertain: its own false alarms say what guessing would have named.
    rates = [name.removeprefix(_NAMED) for name in single if name.startswith(_NAMED)]
    return any(single[_NAMED + one]["low"] > single[f"false_positive_rate_at_{one}"]["high"] for one in rates)


def _elsewhere(audit: Mapping[str, Any]) -> list[str]:
    """What else lies above what guessing reaches: further attacks, people by all their rows, bounds on epsilon."""
    on = f"on the one {audit.get('noun', 'model')}, right one of two"
    found = [
        f"“{one['attack']}”, {on} {estimate(one['estimates']['auc'])}"
        for one in audit.get("others", ())
        if one["status"] == "executed" and "auc" in one["estimates"] and one["estimates"]["auc"]["low"] > _HALF
    ]
    people = audit.get("people")
    if people is not None and (auc := people["ways"][people["chosen"]]["auc"])["low"] > _HALF:
        found.append(f"people by all their records, right one of two {estimate(auc)}")
    bounds = [(one["what"], one["bound"]) for one in audit.get("epsilon", {}).values() if one["bound"] is not None]
    found += [f"a lower bound on epsilon above 0, {what}" for what, bound in bounds if bound["epsilon"] > 0]
    return found


def _about_private(first: dict[str, Any], private: list[dict[str, Any]]) -> list[str]:
    successes = [f"{estimate(_of(arm, 'auc'))} at {_epsilon(arm)}" for arm in private]
    leaks = [_leaks(arm["audit"]) or bool(_elsewhere(arm["audit"])) for arm in private]
    loud, quiet = ([arm for arm, one in zip(private, leaks, strict=True) if one is wanted] for wanted in (True, False))
    measured = []
    if loud:
        measured.append(f"At {_epsilons(loud)} that is a leak, measured.")
    if quiet:
        measured.append(f"At {_epsilons(quiet)} no leak was measured.")
    bounds = _listed([f"{_bound(arm)} at {_epsilon(arm)}" for arm in private])
    sentences = [
        f"From the same {noun_of(first)} trained privately, the attacker picks right {_listed(successes)}. "
        f"{' '.join(measured)} Any attack, at 1 % false alarms: {bounds}. {_promised(private)}"
    ]
    usual = _of(first, _ACCURACY)
    if first["kind"] == "private":  # nothing to compare with
        return sentences
    accuracies = [f"{estimate(_of(arm, _ACCURACY))} at {_epsilon(arm)}" for arm in private]
    sentences.append(
        f"Accuracy on unseen records: {_listed(accuracies)}, against {estimate(usual)} without privacy. "
        f"{_cost(private)}"
    )
    return sentences


def _epsilon(arm: Mapping[str, Any]) -> str:
    value = arm["promise"]["epsilon"]
    return "epsilon unbounded" if value is None else f"epsilon {shown(round_up(value, 3))}"


def _bound(arm: Mapping[str, Any]) -> str:
    return f"at most {at_most(arm['promise']['named_at_0.01'])} named"


def _promised(private: list[dict[str, Any]]) -> str:
    if any(arm["promise"]["guarantee"]["simulated"] for arm in private):
        return (
            f"This is a simulation: its noise came from a seeded generator, so its {noun_of(private[0])}s promise "
            "nothing. Those bounds are what the same training with secure noise would promise."
        )
    return (
        "Those bounds are the promise, also against attacks that nobody has thought of yet; what was measured is not."
    )


def _cost(private: list[dict[str, Any]]) -> str:
    """What privacy cost in accuracy, as far as the paired intervals tell it."""
    worse = [arm for arm in private if arm["accuracy_difference"]["high"] < 0]
    better = [arm for arm in private if arm["accuracy_difference"]["low"] > 0]
    if not worse and not better:
        return (
            "Model by model and record by record, no difference can be told from chance: this comparison does not "
            "settle whether privacy costs accuracy here."
        )
    told = [f"{_points(arm['accuracy_difference'])} at {_epsilon(arm)}" for arm in (worse or better)]
    if worse:
        return f"Privacy costs accuracy here, on the same draws and records: {_listed(told)}."
    return f"Privacy costs no accuracy here; on the same draws and records it gains {_listed(told)}."


def _points(values: Mapping[str, Any]) -> str:
    """A difference of shares in percentage points."""
    ends = sorted((abs(values["low"]), abs(values["high"])))
    return points(abs(values["value"]), *ends).replace("+", "")


def _epsilons(arms: list[dict[str, Any]]) -> str:
    return _listed([_epsilon(arm) for arm in arms])


def _of(arm: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = arm["audit"]["repeated"]["estimates"][name]
    return found


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _about_control(control: dict[str, Any]) -> str:
    auc = control["audit"]["repeated"]["estimates"]["auc"]
    return (
        f"What training less does on its own: from the {_net(control)}, which has neither clipping nor noise, the "
        f"attacker picks right {estimate(auc)}, at an accuracy of {estimate(_of(control, _ACCURACY))}. It carries no "
        "promise: another attack, or another person, may fare differently."
    )


def noun_of(arm: Mapping[str, Any]) -> str:
    """What the audited thing may be called: "network" where that is known, else "model"."""
    return str(arm["audit"].get("noun", "model"))


def _net(arm: Mapping[str, Any]) -> str:
    noun = noun_of(arm)
    if arm["name"] in (f"the {noun}", "the model"):  # unnamed
        return noun
    return f"ordinary {noun}" if arm["kind"] == "ordinary" else f"{noun} “{arm['name']}”"


def _trained(arm: Mapping[str, Any]) -> str:
    """What the first figures are about: repeated trainings where there are any, else the one model."""
    if not arm["audit"]["repeated"]["estimates"]:
        return f"the {_net(arm)}"
    nouns = f"{noun_of(arm)}s"
    return f"{nouns} trained ordinarily" if arm["kind"] == "ordinary" else f"{nouns} trained like {_quoted(arm)}"


def _quoted(arm: Mapping[str, Any]) -> str:
    return "the given one" if arm["name"] == "the model" else f"“{arm['name']}”"


def _them(arm: Mapping[str, Any]) -> str:
    return "them" if arm["audit"]["repeated"]["estimates"] else "it"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
