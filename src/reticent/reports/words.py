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
from typing import Any

__all__ = ["estimate", "number", "percent", "rate_name", "rate_of", "round_up", "span", "verdict"]

_HALF = 0.5
_ACCURACY = "accuracy on non-members"
_ONE_PERCENT = "true_positive_rate_at_0.01"


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
    """A whole number with thin spaces between thousands; an epsilon or the like with four significant digits."""
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f")
    return f"{value:.4g}"


def round_up(value: float, digits: int = 4) -> float:
    """A number of so many significant digits at or above the value: a promise is never rounded in its favour.

    Example:
        >>> round_up(2.99961), round_up(0.5)
        (3.0, 0.5)
    """
    if value == 0 or not math.isfinite(value):
        return value
    scale = 10.0 ** (digits - 1 - math.floor(math.log10(abs(value))))
    return math.ceil(value * scale - 1e-9) / scale


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
    control = [arm for arm in arms if arm["kind"] == "control"]
    if control and private:
        sentences.append(_about_control(control[0]))
    blind = arms[0]["audit"]["finding"]["baseline"].values()
    if any(value["low"] > _HALF for value in blind):
        sentences.append(
            "Members and non-members can be told apart without any network, so none of this is evidence of a leak: "
            "the two groups were not a random split."
        )
    return sentences


def _people(data: Mapping[str, Any]) -> str:
    return {"person": "people", "client": "clients"}.get(str(data["unit"]), "records")


def _about(arm: dict[str, Any], data: Mapping[str, Any]) -> str:
    audit = arm["audit"]
    recipe = audit["recipe"]["estimates"] or audit["finding"]["estimates"]
    auc = recipe["auc"]
    who = _people(data)
    if auc["low"] <= _HALF:
        return (
            f"No leak of membership was measured from the {_net(arm)}: shown one of its training {who} and one other, "
            f"the attacker picks the right one {estimate(auc)} of the time, which guessing does too. "
            "That is not proof that there is none."
        )
    text = (
        f"The {_net(arm)} gives away who it was trained on: shown one of its training {who} and one other, an attacker "
        f"picks the right one {estimate(auc)} of the time; guessing gives 50 %."
    )
    named = recipe.get(_ONE_PERCENT)
    if named is not None:
        text += f" Allowed 1 % false alarms, the attacker names {estimate(named)} of its training {who}."
    if audit["exposed"]:
        text += (
            f" For {audit['exposed']} of {data['records']} {who} the guess about them is right more often than chance, "
            f"at {percent(auc['confidence'])} confidence for all of them at once."
        )
    return text


def _about_private(first: dict[str, Any], private: list[dict[str, Any]]) -> list[str]:
    successes = [
        f"{estimate(_of(arm, 'auc'))} at epsilon {round_up(arm['promise']['epsilon'], 3):g}" for arm in private
    ]
    sentences = [
        f"From the same network trained privately, the attacker picks right {_listed(successes)}. Where such an "
        "interval contains 50 %, no leak was measured. What is promised, also against attacks that nobody has thought "
        "of yet, is the bound further down, not the measurement."
    ]
    usual = _of(first, _ACCURACY)
    accuracies = [
        f"{estimate(_of(arm, _ACCURACY))} at epsilon {round_up(arm['promise']['epsilon'], 3):g}" for arm in private
    ]
    sentences.append(
        f"Accuracy on unseen records: {_listed(accuracies)}, against {estimate(usual)} without privacy. "
        f"{_cost(usual, private)}"
    )
    return sentences


def _cost(usual: Mapping[str, Any], private: list[dict[str, Any]]) -> str:
    """What privacy cost in accuracy, as far as the intervals tell it."""
    worse = [arm for arm in private if _of(arm, _ACCURACY)["high"] < usual["low"]]
    better = [arm for arm in private if _of(arm, _ACCURACY)["low"] > usual["high"]]
    if worse:
        names = _listed([f"epsilon {round_up(arm['promise']['epsilon'], 3):g}" for arm in worse])
        return f"Privacy costs accuracy here: at {names} the whole interval lies below the ordinary network's."
    if better:
        return "Privacy costs no accuracy here: training less, and with noise, keeps this network from overfitting."
    return "The intervals overlap: with so few records no cost in accuracy can be told apart from chance."


def _of(arm: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = arm["audit"]["recipe"]["estimates"][name]
    return found


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _about_control(control: dict[str, Any]) -> str:
    auc = control["audit"]["recipe"]["estimates"]["auc"]
    return (
        f"Part of the difference is training less: the network that stopped as early, without clipping or noise, shows "
        f"{estimate(auc)}. It carries no promise: another attack, or another person, may fare differently."
    )


def _net(arm: dict[str, Any]) -> str:
    name = str(arm["name"])
    return {"ordinary": "ordinary network", "control": f"network “{name}”"}.get(arm["kind"], name)
