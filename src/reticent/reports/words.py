"""Figures in words: short, with their intervals, and with nothing claimed that was not measured.

Example:
    >>> from reticent.reports.words import estimate, percent
    >>> percent(0.0714)
    '7.1 %'
    >>> estimate({"value": 0.76, "low": 0.738, "high": 0.788})
    '76.0 % (73.8 to 78.8)'
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reticent.privacy.rounding import round_up

__all__ = ["estimate", "exposed", "number", "percent", "rate_name", "rate_of", "round_up", "span", "verdict"]

_HALF = 0.5
_ACCURACY = "accuracy on non-members"
_NAMED = "true_positive_rate_at_"
_ONE_PERCENT = f"{_NAMED}0.01"


def percent(value: float) -> str:
    """A share in per cent, with as many digits as small shares need."""
    shown = value * 100
    return f"{shown:.2f} %" if 0 < abs(shown) < 1 else f"{shown:.1f} %"


def estimate(values: Mapping[str, Any] | None) -> str:
    """A share with its interval; "not resolvable" where there is none."""
    return "not resolvable" if values is None else f"{percent(values['value'])} ({span(values)})"


def span(values: Mapping[str, Any]) -> str:
    """An interval of shares in per cent."""
    digits = 2 if 0 < values["value"] * 100 < 1 else 1
    return f"{values['low'] * 100:.{digits}f} to {values['high'] * 100:.{digits}f}"


def number(value: Any) -> str:
    """A whole number with thin spaces between thousands; a delta or the like with four digits, rounded up."""
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f")
    return f"{round_up(value):.4g}"


def exposed(audit: Mapping[str, Any]) -> str:
    """How many records are exposed, of how many; or that so few trainings could not have shown one."""
    count, records = audit["exposed"], audit["data"]["records"]
    return f"not resolvable ({records} records)" if count is None else f"{count} of {records}"


def rate_of(name: str) -> float:
    """The false-positive rate in a name such as true_positive_rate_at_0.01."""
    return float(name.rpartition("_")[2])


def rate_name(name: str) -> str:
    """The name of a rate as a column head."""
    return f"{rate_of(name) * 100:g} %"


def verdict(arms: list[dict[str, Any]], data: Mapping[str, Any]) -> list[str]:
    """The page's first sentences: what was found, in words that its figures carry."""
    sentences = [_about(arms[0], data)]
    private = [arm for arm in arms if arm["kind"] == "private"]
    if private:
        sentences += _about_private(arms[0], private)
    control = [arm for arm in arms[1:] if arm["kind"] == "control"]
    if control and private:
        sentences.append(_about_control(control[0]))
    if _told_apart(arms[0]) and arms[0]["audit"]["recipe"]["estimates"]:
        sentences.append(
            "Members and non-members can be told apart without any network: the two groups were not a random split. "
            "What is found in a single network may be that difference instead of a leak. The repeated trainings drew "
            "from both groups by coin flips, so their figures stand."
        )
    return sentences


def _told_apart(arm: Mapping[str, Any]) -> bool:
    return any(value["low"] > _HALF for value in arm["audit"]["finding"]["baseline"].values())


def _people(data: Mapping[str, Any]) -> str:
    if data["owners"] != data["records"]:  # rows were counted, not their owners
        return "records"
    return {"person": "people", "client": "clients"}.get(str(data["unit"]), "records")


def _about(arm: dict[str, Any], data: Mapping[str, Any]) -> str:
    audit = arm["audit"]
    recipe = audit["recipe"]["estimates"] or audit["finding"]["estimates"]
    auc = recipe["auc"]
    who = _people(data)
    picks = (
        f"shown one of the {who} it was trained on and one other, an attacker picks the right one {estimate(auc)} of "
        "the time; guessing gives 50 %."
    )
    if _told_apart(arm) and not audit["recipe"]["estimates"]:
        return (
            f"No answer for the {_net(arm)}: {picks} But members and non-members can be told apart without any "
            "network, so that is neither evidence of a leak nor of none: the two groups were not a random split."
        )
    if not _leaks(audit):
        return f"No leak of membership was measured from the {_net(arm)}: {picks} That is not proof that there is none."
    if auc["low"] <= _HALF:
        text = f"The {_net(arm)} gives away some of the {who} it was trained on, though not on average: {picks}"
    else:
        text = f"The {_net(arm)} gives away who it was trained on: {picks}"
    named = recipe.get(_ONE_PERCENT)
    if named is not None:
        text += f" Allowed 1 % false alarms, the attacker names {estimate(named)} of the {who} it was trained on."
    if audit["exposed"]:
        text += (
            f" For {audit['exposed']} of {data['records']} {who} the guess is right more often than chance, with "
            f"{percent(auc['confidence'])} confidence for all of them at once."
        )
    return text


def _leaks(audit: Mapping[str, Any]) -> bool:
    """Whether any figure lies above what guessing reaches: an average can hide a few who are always recognised."""
    recipe, single = audit["recipe"]["estimates"], audit["finding"]["estimates"]
    if audit["exposed"] or (recipe or single)["auc"]["low"] > _HALF:
        return True
    if recipe:
        return any(value["low"] > rate_of(name) for name, value in recipe.items() if name.startswith(_NAMED))
    # One network's threshold is itself uncertain: its own false alarms say what guessing would have named.
    rates = [name.removeprefix(_NAMED) for name in single if name.startswith(_NAMED)]
    return any(single[_NAMED + one]["low"] > single[f"false_positive_rate_at_{one}"]["high"] for one in rates)


def _about_private(first: dict[str, Any], private: list[dict[str, Any]]) -> list[str]:
    successes = [
        f"{estimate(_of(arm, 'auc'))} at epsilon {round_up(arm['promise']['epsilon'], 3):g}" for arm in private
    ]
    measured = "That is more than guessing."
    if any(_of(arm, "auc")["low"] <= _HALF for arm in private):
        measured = "Where the interval contains 50 % and no record is exposed, no leak was measured."
    sentences = [
        f"From the same network trained privately, the attacker picks right {_listed(successes)}. {measured} "
        f"{_promised(private)}"
    ]
    usual = _of(first, _ACCURACY)
    if first["kind"] == "private":  # nothing to compare with
        return sentences
    accuracies = [
        f"{estimate(_of(arm, _ACCURACY))} at epsilon {round_up(arm['promise']['epsilon'], 3):g}" for arm in private
    ]
    sentences.append(
        f"Accuracy on unseen records: {_listed(accuracies)}, against {estimate(usual)} without privacy. "
        f"{_cost(usual, private)}"
    )
    return sentences


def _promised(private: list[dict[str, Any]]) -> str:
    if any(arm["promise"]["guarantee"]["simulated"] for arm in private):
        return (
            "This is a simulation: its noise came from a seeded generator, so its networks promise nothing. The bounds "
            "drawn in the report are what the same training with secure noise would promise."
        )
    return (
        "What is promised, also against attacks that nobody has thought of yet, is the bound drawn in the report, not "
        "the measurement."
    )


def _cost(usual: Mapping[str, Any], private: list[dict[str, Any]]) -> str:
    """What privacy cost in accuracy, as far as the intervals tell it."""
    worse = [arm for arm in private if _of(arm, _ACCURACY)["high"] < usual["low"]]
    better = [arm for arm in private if _of(arm, _ACCURACY)["low"] > usual["high"]]
    if worse:
        return f"Privacy costs accuracy here: at {_epsilons(worse)} the whole interval lies below that."
    if better:
        return f"Privacy costs no accuracy here: at {_epsilons(better)} the whole interval lies above that."
    return "The intervals overlap: with so many networks and records, a cost cannot be told apart from chance."


def _epsilons(arms: list[dict[str, Any]]) -> str:
    return _listed([f"epsilon {round_up(arm['promise']['epsilon'], 3):g}" for arm in arms])


def _of(arm: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = arm["audit"]["recipe"]["estimates"][name]
    return found


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _about_control(control: dict[str, Any]) -> str:
    auc = control["audit"]["recipe"]["estimates"]["auc"]
    return (
        f"What training less does on its own: from the {_net(control)}, which has neither clipping nor noise, the "
        f"attacker picks right {estimate(auc)}. It carries no promise: another attack, or another person, may fare "
        "differently."
    )


def _net(arm: dict[str, Any]) -> str:
    name = str(arm["name"])
    return {"ordinary": "ordinary network"}.get(arm["kind"], f"network “{name}”")
