"""A record as one self-contained page, or as JSON.

Promise: the page needs no network, no script and no other file (its content-security policy forbids all three), shows
no record's contents, and shows every figure with its interval. What was not run is listed as not run.

Example:
    >>> from reticent.evidence import Record
    >>> from reticent.reports import render
    >>> render(Record("training", {}, created="2026-01-01T00:00:00Z"))
    Traceback (most recent call last):
    reticent.errors.UsageError: Expected kind to be one of audit, ...; got kind='training'. Choose one of them.
"""

from __future__ import annotations

import html
import importlib
import importlib.resources
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import markupsafe

from reticent import _checks
from reticent.errors import ReticentError, UsageError
from reticent.evidence import Record, write_whole
from reticent.reports import plots, tables, words
from reticent.reports.frame import template
from reticent.reports.parts import epsilon_table, parts_of, sentences_about

__all__ = ["made_by", "render", "save", "sentences_of", "written_for"]

_HEAD = 4096  # bytes in which a page says who made it

# Kinds of records, and the module that has `page(record)` and `sentences(body)` for each; in some, sentences need the
# whole record, since they say when.
_OWN = {
    "scan": "scan",
    "disclosure": "anonymity",
    "generalisation": "anonymity",
    "minimisation": "minimisation",
    "reidentification": "reidentification",
    "reidentified release": "released",
    "linkage": "linkage",
    "linkage effects": "linkage",
    "duplicates": "duplicates",
    "synthetic": "synthetic",
    "manifest overview": "manifest",
}
_WHOLE = ("scan", "anonymity", "linkage")


def save(record: Record, path: str | Path) -> Path:
    """Write a record's report: `.html` for the page, `.json` for the record itself. Whole or not at all.

    Raises:
        UsageError: another ending, another kind of record, or a place that cannot be written.
    """
    target = Path(path)
    ending = target.suffix.lower()
    if ending not in (".html", ".json"):
        raise UsageError(
            f"Expected a path that ends in .html or .json, got {str(path)!r}.", "Choose one of the two endings."
        )
    content = render(record).encode() if ending == ".html" else record.to_json()
    return write_whole(target, content)


def made_by(record: Record) -> str:
    """What a page says of its origin, for whoever would replace it: the kind of record, the target and the data."""
    body = record.body
    target = body["finding"]["target"] if record.kind == "audit" else ""
    return f"reticent {record.kind} of {target!r} on {body['data']['name']!r}"


def written_for(path: str | Path) -> str | None:
    """What `made_by` says of a page or record that `save` wrote there; None for any other file."""
    content = Path(path).read_bytes()
    try:
        return made_by(Record.from_json(content))
    except ReticentError:
        found = re.search(rb'<meta name="generator" content="([^"]*)">', content[:_HEAD])
        return None if found is None else html.unescape(found[1].decode("utf-8", "replace"))
    except (KeyError, TypeError, AttributeError):  # a record of another kind
        return None


def render(record: Record) -> str:
    """The page for a record of a kind that has one.

    Raises:
        UsageError: another kind of record.
    """
    own = _own(record)
    if own is not None:
        made: str = own.page(record)
        return made
    kind = _checks.one_of(("audit", "comparison", *_OWN), kind=record.kind)
    body = record.body
    arms = [_shown(arm) for arm in (body["arms"] if kind == "comparison" else [_single(body)])]
    roc = [_roc_line(arm) for arm in arms if arm["audit"]["curve"] is not None]
    figures = {"roc": markupsafe.Markup(plots.roc(roc)) if roc else None, "frontier": None}  # noqa: S704 (our own SVG)
    if len(arms) > 1:
        figures["frontier"] = markupsafe.Markup(plots.frontier([_point(arm) for arm in arms]))  # noqa: S704
    return template("report.html").render(
        record=record,
        body=body,
        kind=kind,
        noun="network" if all(words.noun_of(arm) == "network" for arm in arms) else "model",
        made_by=made_by(record),
        arms=arms,
        verdict=sentences_of(record),
        tone=words.tone(arms[0]),
        columns=_columns(arms),
        promised=any(arm["promise"] for arm in arms),
        figures=figures,
        parts=parts_of(body) if kind == "audit" else [],
        epsilons=_epsilons(body["arms"]) if kind == "comparison" else "",
        source_of_noise="a seeded generator (a repeatable simulation)" if body["repeatable"] else "secure randomness",
    )


def sentences_of(record: Record) -> list[str]:
    """What the record says, in the sentences that its page begins with."""
    body, own = record.body, _own(record)
    if own is not None:
        found: list[str] = own.sentences(record if _OWN[record.kind] in _WHOLE else body)
        return found
    if record.kind == "comparison":
        return words.verdict(body["arms"], body["data"])
    return words.verdict([_single(body)], body["data"]) + sentences_about(body)


def _own(record: Record) -> Any:
    """The module for a record that is neither an audit nor a comparison; None if there is none."""
    name = _OWN.get(record.kind)
    return None if name is None else importlib.import_module(f"reticent.reports.{name}")


def _epsilons(arms: list[dict[str, Any]]) -> markupsafe.Markup:
    claims = {arm["name"]: arm["audit"]["epsilon"] for arm in arms}
    if all(claim["bound"] is None for each in claims.values() for claim in each.values()):
        return markupsafe.Markup("")
    return markupsafe.Markup(tables.html(epsilon_table(claims)))  # noqa: S704 (every cell is escaped)


def _single(body: Mapping[str, Any]) -> dict[str, Any]:
    """An audit's body in the form of a comparison's arm."""
    name = body["finding"]["target"]
    return {"name": name, "kind": "given", "meaning": "", "promise": body["promise"], "audit": body}


def _shown(arm: dict[str, Any]) -> dict[str, Any]:
    if arm["promise"] is None:
        return arm
    value = arm["promise"]["epsilon"]
    shown = "unbounded" if value is None else words.shown(words.round_up(value, 3))
    return {**arm, "promise": {**arm["promise"], "epsilon_shown": shown}}


def _columns(arms: list[dict[str, Any]]) -> list[str]:
    """Names of the rates that some arm could resolve, from the largest to the smallest."""
    found = {name for arm in arms for name in arm["audit"]["repeated"]["estimates"]}
    return sorted(
        (name for name in found if name.startswith("true_positive_rate_at_")), key=words.rate_of, reverse=True
    )


def _roc_line(arm: dict[str, Any]) -> plots.Line:
    return plots.Line(arm["name"], arm["audit"]["curve"], arm["promise"]["bound"] if arm["promise"] else None)


def _point(arm: dict[str, Any]) -> plots.Point:
    estimates = arm["audit"]["repeated"]["estimates"]
    return plots.Point(arm["name"], arm["kind"], estimates["accuracy on non-members"], estimates["auc"])
