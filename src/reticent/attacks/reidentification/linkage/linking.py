"""A release without names, linked to a register of named people.

Promise: no label is used to link: what fields are worth, the share of people present, the probabilities and the
threshold all come from the two tables. Unless the caller sets a threshold or the share, nobody is linked if pairs of
both tables are no more alike than strangers within one. The column that the truth was read off is not compared unless
it is asked for, and a column that looks like an identifier of both tables is warned of. Ties are decided by lot, so
the order of rows never counts. Truth, where it is known, only judges the links afterwards; without it nothing is
claimed but what the model expects of itself, and the finding is "inconclusive". A finding stands beside what a guess
and what exact joins achieve, and beside what linking everybody to their likeliest row finds, which is what an attacker
gets who does not mind being wrong. Records and pages hold no cell of either table.
Not covered: an attacker who knows more columns than the two tables share, or who looks at rows by hand; a linkage that
fails says nothing about them. What the parts do is on their pages: `fields`, `blocking`, `fellegi_sunter`, `matching`,
`judging`.

Shapes: rows are numbered from 0 in the order of the tables.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.reidentification.linkage import People, link
    >>> from reticent.data.tables import Table
    >>> from reticent.randomness import Randomness
    >>> row = np.arange(200)
    >>> register = Table.of({"zip": 10_000 + 7 * row % 97, "year": 1940 + row % 50, "street": row % 31})
    >>> release = register.take(row[:120])
    >>> found = link(release, register, Randomness.simulated(0), truth=People(row[:120], row))
    >>> print(found.finding.estimates["people re-identified"])
    1.000 [0.969, 1.000] (95 %, n=120)
"""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent._numbers import percent
from reticent.attacks.reidentification.linkage import blocking, fellegi_sunter, judging, matching
from reticent.attacks.reidentification.linkage.chances import chances as chances_of
from reticent.attacks.reidentification.linkage.fellegi_sunter import Candidates, Progress
from reticent.attacks.reidentification.linkage.fields import Field, fields_of, table_of
from reticent.attacks.reidentification.linkage.judging import People
from reticent.data.tables import Table
from reticent.errors import DataError, DataWarning
from reticent.evidence import Estimate, Finding, Record, Status, now, software
from reticent.randomness import Randomness, required

__all__ = ["Link", "Linkage", "left_out_of", "link"]

_ATTACK = "probabilistic record linkage"
_EXPOSURE = "the released table and a register of named people"
_UNKNOWN = "it is not known whose rows these are, so no link could be checked; the figures are what the model expects"


class Link(NamedTuple):
    """One row of the release that is taken to be of the same person as one row of the register."""

    release: int
    register: int
    probability: float


@dataclasses.dataclass(frozen=True, eq=False)
class Linkage:
    """Who is who, and how sure that is.

    Attributes:
        release, register: (links,) rows that are linked, the surest first.
        probability: (links,) of each link.
        finding: what the attack achieved, beside a guess and exact joins.
        reliability: probabilities beside what happened, for the likeliest register row of each release row, one
            dictionary for each class of probabilities; None without truth.
        levels: how fields compare, and how often for matches (m) and others (u).
        rows: how many the release and the register have.
        repeatable: whether samples were drawn under a known seed.
    """

    release: npt.NDArray[np.int64]
    register: npt.NDArray[np.int64]
    probability: npt.NDArray[np.float64]
    finding: Finding
    reliability: tuple[Mapping[str, Any], ...] | None
    levels: tuple[Mapping[str, Any], ...]
    rows: tuple[int, int]
    repeatable: bool

    def __repr__(self) -> str:
        return (
            f"Linkage({len(self.release)} links of {self.rows[0]} rows to {self.rows[1]}, {self.finding.status.value})"
        )

    def links(self) -> list[Link]:
        """All of them, the surest first."""
        parts = (self.release.tolist(), self.register.tolist(), self.probability.tolist())
        return [Link(*one) for one in zip(*parts, strict=True)]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without the links themselves."""
        return {
            "finding": self.finding.as_dict(),
            "reliability": None if self.reliability is None else [dict(one) for one in self.reliability],
            "levels": [dict(one) for one in self.levels],
            "rows": {"release": self.rows[0], "register": self.rows[1]},
            "links": len(self.release),
            "repeatable": self.repeatable,
            "software": {**software(), **_versions()},
        }

    def record(self) -> Record:
        """The record of kind "linkage"."""
        return Record("linkage", self.as_dict(), created=now())

    def save(self, path: str | Path) -> Path:
        """Write the page (`.html`) or the record (`.json`).

        Raises:
            UsageError: another ending, or a place that cannot be written.
        """
        from reticent.reports import save

        return save(self.record(), path)


def link(
    release: Any,
    register: Any,
    randomness: Randomness,
    *,
    columns: Sequence[str] | None = None,
    without: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
    truth: People | None = None,
    one_to_one: bool = True,
    threshold: float | None = None,
    present: float | None = None,
    most: int = 5_000_000,
    memory: str = "4GB",
    confidence: float = 0.95,
    name: str = "the release",
    progress: Progress | None = None,
) -> Linkage:
    """Link the rows of a release to those of a register.

    Args:
        release: the table that is, or may be, given to others; like the register what `as_table` takes: a `Table`, a
            frame, a path, an address.
        register: of named people, as an attacker may have it.
        randomness: for the samples on which weights are learned.
        columns: that are compared; by default all that both tables have, but those that the truth was read off.
        without: columns that are not compared: above all identifiers that an attacker does not have.
        kinds: how to compare some columns (`fields.KINDS`), instead of what their values suggest.
        truth: whose row each is, for the judgement alone.
        one_to_one: whether every person has at most one row in either table; False if only in the register.
        threshold: the least probability of a link; by default that with the largest expected F1.
        present: the share of release rows whose person is in the register, if the attacker knows it; by default it is
            estimated, which needs columns that tell people apart.
        most: how many pairs may be looked at.
        memory: the most that the database may use.
        confidence: of the intervals.
        name: what to call the release.
        progress: called with a name, how much is done, and of how much.

    Raises:
        UsageError: an unknown column or kind, or a threshold that is no probability.
        DataError: too few rows, nothing in common, more pairs than fit, or truth of other lengths.
        MissingExtra: Splink is not installed.
    """
    source, began = required(randomness), time.process_time()
    if threshold is not None:
        _checks.fraction(threshold=threshold)
    if present is not None:
        _checks.open_fraction(present=present)
    release, register = table_of(release), table_of(register)
    rows = len(release), len(register)
    _check_rows(rows, truth)
    left_out = left_out_of(release, register, columns, without, truth)
    fields = fields_of(release, register, columns=columns, without=left_out, kinds=kinds)
    _warn(fields)
    rules = blocking.chosen(fields, most=_checks.at_least(1, most=most))
    within = () if any(field.fits for field in fields) else ((0, 1) if one_to_one else (1,))
    pairs = fellegi_sunter.candidates(
        fields, rules, source.spawn("linkage"), within=within, memory=memory, progress=progress
    )
    pairs, shuffled = _shuffled(pairs, rows, source.spawn("order"))
    known = chances_of(pairs, rows, source.spawn("strangers"), present=present, one_to_one=one_to_one)
    chances = known.probability
    best = matching.best_of_each(pairs.release, _ranks(chances, pairs.log_factor))
    taken = matching.assigned(*shuffled, chances, rows=rows) if one_to_one else best
    taken = taken[np.argsort(-chances[taken], kind="stable")]
    expected = float(chances.sum())
    count = matching.cut(chances[taken], expected=expected)
    if threshold is not None:
        count = int((chances[taken] >= threshold).sum())
    kept = taken[: count if known.claimed or threshold is not None else 0]
    details = {
        **_how(fields, rules, pairs),
        "columns left out": left_out,
        "candidate pairs": len(pairs.release),
        "share of release rows in the register": known.share,
        "that share is": "estimated" if present is None else "given",
        "threshold": float(chances[kept[-1]]) if len(kept) else 1.0,
        "threshold from": "the caller" if threshold is not None else "the largest expected F1; no label was used",
        "one to one": one_to_one,
        "probabilities from": known.source,
        "evidence that anybody is in both": None if known.worth is None else known.worth.evidence,
        "enough evidence": known.claimed,
        "expected": _expected(known.expected(kept, pairs.log_factor), len(kept), expected),
        "processor seconds": round(time.process_time() - began, 2),
    }
    finding = _judged(fields, pairs, kept, best, truth, details, name, confidence)
    shown = None
    if truth is not None:
        right = truth.release[pairs.release[best]] == truth.register[pairs.register[best]]
        shown = tuple(judging.reliability(chances[best], right, confidence=confidence))
    return Linkage(
        pairs.release[kept],
        pairs.register[kept],
        chances[kept],
        finding,
        shown,
        tuple(dataclasses.asdict(level) for level in pairs.levels),
        rows,
        not source.is_secure,
    )


def _shuffled(
    pairs: Candidates, rows: tuple[int, int], randomness: Randomness
) -> tuple[Candidates, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """The pairs in random order, and their rows under random numbers: ties are decided by lot.

    Many releases stand in the order of the register. That is a leak of its own, and not what fields give away.
    """
    left, right = (
        randomness.permutation(count)[side] for count, side in zip(rows, (pairs.release, pairs.register), strict=True)
    )
    order = np.lexsort((right, left))
    mixed = dataclasses.replace(
        pairs, **{name: getattr(pairs, name)[order] for name in ("release", "register", "log_factor")}
    )
    return mixed, (left[order], right[order])


def _ranks(chances: npt.NDArray[np.float64], log_factor: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Places by probability, of equals by weight; by lot of equals in both, since pairs come in random order."""
    found = np.empty(len(chances))
    found[np.lexsort((log_factor, chances))] = np.arange(len(chances))
    return found


def _check_rows(rows: tuple[int, int], truth: People | None) -> None:
    if min(rows) < 2:
        raise DataError(f"Expected at least two rows in either table, got {rows[0]} and {rows[1]}.", "Link more.")
    if truth is not None and (len(truth.release), len(truth.register)) != rows:
        raise DataError(
            f"Expected the truth for {rows[0]} and {rows[1]} rows, got it for {len(truth.release)} and "
            f"{len(truth.register)}.",
            "Say of every row whose it is.",
        )


def left_out_of(
    release: Table, register: Table, columns: Sequence[str] | None, without: Sequence[str], truth: People | None
) -> list[str]:
    """What is not compared: what the caller names, and what says the truth, unless that was asked for."""
    have = {name.strip() for table in (release, register) for name in table.names}
    said = [] if truth is None or columns is not None else [name for name in truth.columns if name in have]
    return list(dict.fromkeys([*without, *said]))


def _warn(fields: Sequence[Field]) -> None:
    """Of columns that make a linkage needless: their figures are not those of an attacker who lacks them."""
    for field in fields:
        if field.shared is not None:
            warnings.warn(
                f"column {field.name!r} looks like an identifier of both tables: nearly every row has a value of its "
                f"own, and {percent(field.shared)} of the release's values stand in the register. An attacker who has "
                "it needs no linkage, and one who has not finds fewer than is found with it: leave it out (without).",
                DataWarning,
                stacklevel=3,
            )


def _how(fields: Sequence[Field], rules: blocking.Rules, pairs: Candidates) -> dict[str, Any]:
    return {
        "fields": {field.name: field.kind for field in fields},
        "shared identifiers": {field.name: field.shared for field in fields if field.shared is not None},
        "blocking rules": [
            {"on": list(rule), "pairs": count} for rule, count in zip(rules.rules, rules.pairs, strict=True)
        ],
        "trained on pairs that agree on": [list(rule) for rule in pairs.trained_on],
        "fields with assumed m": list(pairs.assumed),
    }


def _expected(band: tuple[float, float, float], links: int, everything: float) -> dict[str, float]:
    """What the model expects of its own links."""
    right, low, high = band
    return {
        "right links": right,
        "right links, low": low,
        "right links, high": high,
        "precision": right / links if links else 0.0,
        "precision, low": low / links if links else 0.0,
        "precision, high": high / links if links else 0.0,
        "recall": min(1.0, right / everything) if everything else 0.0,
        "f1": min(1.0, 2 * right / (links + everything)) if everything else 0.0,
    }


def _judged(
    fields: Sequence[Field],
    pairs: Candidates,
    kept: npt.NDArray[np.int64],
    best: npt.NDArray[np.int64],
    truth: People | None,
    details: dict[str, Any],
    name: str,
    confidence: float,
) -> Finding:
    if truth is None:
        rows, band = len(fields[0].left_codes), details["expected"]
        estimate = Estimate(
            band["right links"] / rows,
            band["right links, low"] / rows,
            band["right links, high"] / rows,
            0.95,
            rows,
            "what the model expects of its links, two standard deviations to either side; unchecked",
        )
        expected = {"rows re-identified, expected": estimate}
        return Finding(
            _ATTACK, name, _EXPOSURE, expected, {}, status=Status.INCONCLUSIVE, reason=_UNKNOWN, details=details
        )
    found = judging.scores(truth, pairs.release[kept], pairs.register[kept], confidence=confidence)
    # Who does not care to be wrong links everybody: with coarse releases that finds people whom no threshold lets pass.
    reckless = judging.scores(truth, pairs.release[best], pairs.register[best], confidence=confidence)
    found["people re-identified, everybody linked"] = reckless["people re-identified"]
    baseline = {"guessing: people re-identified": judging.chance(truth, confidence=confidence)}
    joins = judging.exact_joins(fields)
    for join, (on, left, right_rows) in joins.items():
        details[join] = list(on)
        for what, one in judging.scores(truth, left, right_rows, confidence=confidence).items():
            baseline[f"{join}: {what}"] = one
    true = truth.release[pairs.release] == truth.register[pairs.register]
    reached = len(np.unique(pairs.release[true]))
    details["release rows in the register"] = int(truth.present.sum())
    details["of them among the candidate pairs"] = reached
    return Finding(_ATTACK, name, _EXPOSURE, found, baseline, details=details)


def _versions() -> dict[str, str]:
    from importlib import metadata

    return {package: metadata.version(package) for package in ("splink", "duckdb")}
