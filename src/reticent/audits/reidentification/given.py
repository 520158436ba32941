"""`rt.reidentify_given`: how many people are found in a release that somebody made, held against its original.

Promise: with a truth, what `reticent.audits.reidentification.sparse` promises, of people who are in the release; and,
beside it, how often somebody is named for people of the original who are really not in it (where that is known), by the
same method at the same threshold. Without a truth no share re-identified is stated, for nobody can tell a right name
from a wrong one: what is stated is for how many people the best fit stands out enough to be named, beside for how many
it does so of people whose row is not there.

Without a truth, people whose row is not there are stand-ins: rows of the release, each taken out, and known by a few of
its own released ratings (a coarse date by any day of its period). If the released people are like the others, such
people are as likely to be named as others who are not in the release; if they are not, the rate is theirs alone. The
method is the one that names most people of the original, each at a threshold that at most `level` of the stand-ins
exceed; thresholds come from calibration stand-ins, of which nothing is reported, and that of the chosen method from
draws of what is known of them that the choice has not seen.

What a figure says: as in `sparse`. That few are named says little where the release was understood wrongly: what was
understood stands in the record.

Example:
    >>> import reticent as rt
    >>> from reticent.attacks.reidentification import Knowledge
    >>> from reticent.data.ratings import Columns, read_given, simulated_ratings
    >>> source = rt.Randomness.simulated(1)
    >>> made = simulated_ratings(400, 150, 12_000, source)
    >>> cells = {"person": made.people, "item": made.items_of_ratings(), "rating": made.scores, "date": made.days}
    >>> columns = Columns(dates_are="days")
    >>> known, strange = (read_given(cells, cells, truth, columns=columns) for truth in ("kept", None))
    >>> few = {"knowledge": [Knowledge(8, days=14)], "targets": 100, "calibration": 100, "randomness": source}
    >>> rt.reidentify_given(known, **few).rows[0].finding.estimates["re-identified"].low > 0.9
    True
    >>> found = rt.reidentify_given(strange, **few).rows[0].finding
    >>> sorted(found.estimates), found.estimates["named"].low > 0.9
    (['named', 'named though absent'], True)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.reidentification import (
    CANDIDATES,
    Knowledge,
    Known,
    Matches,
    Method,
    beyond_ties,
    eligible,
    learned,
    match,
)
from reticent.audits.reidentification.power import power_of
from reticent.audits.reidentification.sparse import Progress, reidentify
from reticent.data.ratings import Given, Ratings, Release
from reticent.data.ratings.store import NO_DAY, NO_SCORE
from reticent.errors import NotEnoughEvidence
from reticent.evidence import Estimate, Finding, software
from reticent.evidence.intervals import rate
from reticent.randomness import Randomness
from reticent.reports.reported import Reported

__all__ = ["GivenRelease", "GivenRow", "reidentify_given"]

NAMED: Final = "named"
ABSENT: Final = "named though absent"
_NOT_TESTED: Final = {
    "other attackers": "who knows other things (similar people, what somebody did not rate, free text) was not played",
    "where the knowledge comes from": "that somebody knows so much of a person was assumed, not shown",
    "other names of items": "items were compared by their names",
}
_NO_TRUTH: Final = "nobody said whose row is whose, so how many names are right cannot be counted"


@dataclasses.dataclass(frozen=True)
class GivenRow:
    """One kind of knowledge.

    Attributes:
        knowledge: what the attacker knew.
        method: how people were scored.
        threshold: what a match must be clearer than.
        tried: method by method, the share of calibration targets that it named: rightly, where that is known.
        finding: what was found.
        published: of the scoreboard-RH with phi = 1.5; None without a truth.
        outside: how many people who are really not in the release were named; None where nobody is known not to be.
    """

    knowledge: Knowledge
    method: str
    threshold: float
    tried: Mapping[str, float]
    finding: Finding
    published: Finding | None = None
    outside: Estimate | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "knowledge": {**dataclasses.asdict(self.knowledge), "text": self.knowledge.text},
            "method": self.method,
            "threshold": float(self.threshold) if np.isfinite(self.threshold) else None,
            "tried": dict(self.tried),
            "finding": self.finding.as_dict(),
            "published": None if self.published is None else self.published.as_dict(),
            "outside": None if self.outside is None else self.outside.as_dict(),
        }


@dataclasses.dataclass(frozen=True)
class GivenRelease(Reported):
    """The result of `reidentify_given`.

    Attributes:
        name: of the release.
        truth: "kept", "file" or "unknown".
        rows: one for each kind of knowledge.
        release: how it was understood, in plain values.
        data: sizes, in plain values.
        power: what so many targets can show.
        settings: further plain values.
    """

    kind: ClassVar[str] = "reidentified release"

    name: str
    truth: str
    rows: tuple[GivenRow, ...]
    release: Mapping[str, Any]
    data: Mapping[str, Any]
    power: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of the chosen methods, and of the published one."""
        return tuple(one for row in self.rows for one in (row.finding, row.published) if one is not None)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        unknown = {"how many names are right": _NO_TRUTH} if self.truth == "unknown" else {}
        nobody = all(row.outside is None for row in self.rows)
        outside = {"people who are really not in it": "nobody is known not to be in it"} if nobody else {}
        return {
            "name": self.name,
            "truth": self.truth,
            "release": dict(self.release),
            "data": dict(self.data),
            "rows": [row.as_dict() for row in self.rows],
            "power": dict(self.power),
            "settings": dict(self.settings),
            "not_tested": {**unknown, **outside, **_NOT_TESTED},
            "software": software(),
        }


def reidentify_given(
    given: Given,
    *,
    knowledge: Sequence[Knowledge] | None = None,
    targets: int = 600,
    calibration: int = 300,
    draws: int = 10,
    level: float = 0.01,
    methods: Sequence[Method] = CANDIDATES,
    confidence: float = 0.95,
    randomness: Randomness | None = None,
    progress: Progress | None = None,
) -> GivenRelease:
    """Look for people of an original in a release.

    Args:
        given: both, as `reticent.data.ratings.read_given` reads them.
        knowledge: what attackers know: 2, 4 and 8 ratings with dates within 3 and within 14 days, by default.
        targets: how many people are looked for, and at most how many who are not there (or stand in for them).
        calibration: how many others method and threshold are chosen on.
        draws: how often what is known of a calibration target is drawn anew for the threshold.
        level: the share of people outside the release that an attacker is willing to name.
        methods: to choose from.
        confidence: of each interval by itself.
        randomness: a generator; the operating system's by default.
        progress: called with (done, in all).

    Raises:
        NotEnoughEvidence: too few people with enough ratings; without a truth, too few such rows of the release.
    """
    source = Randomness.secure() if randomness is None else randomness
    _checks.at_least(1, targets=targets)
    within = (3, 14) if given.ratings.days is not None else (None,)
    asked = list(knowledge or [Knowledge(items, days=days) for days in within for items in (2, 4, 8)])
    if given.truth == "unknown":
        case = _Blind(given, targets, calibration, draws, level, confidence, source)
        rows = []
        for one in asked:
            rows.append(case.row(one, methods))
            if progress is not None:
                progress(len(rows), len(asked))
    else:
        settings: dict[str, Any] = {"targets": targets, "calibration": calibration, "draws": draws, "level": level}
        settings |= {"methods": methods, "confidence": confidence, "progress": progress}
        there = np.zeros(given.ratings.count, dtype=bool)
        there[np.flatnonzero(given.present)] = True
        inside = given.ratings.keeping(there[given.ratings.people])
        found = reidentify(inside, [given.release], knowledge=asked, randomness=source, **settings)
        rows = []
        for row in found.rows:
            outside = _outside(
                given, row.knowledge, row.chosen.method, row.chosen.threshold, targets, confidence, source
            )
            rows.append(
                GivenRow(
                    row.knowledge,
                    row.chosen.method.name,
                    row.chosen.threshold,
                    row.chosen.named,
                    row.finding,
                    row.published,
                    outside,
                )
            )
    return GivenRelease(
        given.release.name,
        given.truth,
        tuple(rows),
        given.release.as_dict(),
        dict(given.counts),
        power_of(targets, confidence=confidence),
        {
            "targets": targets,
            "calibration": calibration,
            "draws": draws,
            "level": level,
            "confidence": confidence,
            "repeatable": not source.is_secure,
        },
    )


def _outside(
    given: Given,
    knowledge: Knowledge,
    method: Method,
    threshold: float,
    targets: int,
    confidence: float,
    source: Randomness,
) -> Estimate | None:
    """How many people who are really not in the release are named."""
    people = np.intersect1d(np.flatnonzero(given.absent), eligible(given.ratings, knowledge))
    if not len(people):
        return None
    own = source.spawn(f"outside {knowledge.text}")
    chosen = people[own.spawn("people").permutation(len(people))[:targets]]
    known = learned(given.ratings, chosen, knowledge, own.spawn("knowledge"))
    found = match(given.release, chosen, known, knowledge, method, own.spawn("coins"), absent=True)
    return _share(found, threshold, "people who are not in the release named", confidence)


def _share(found: Matches, threshold: float, what: str, confidence: float) -> Estimate:
    named = found.clear > threshold
    return rate(int(named.sum()), len(named), method=what, confidence=confidence, threshold="from calibration targets")


@dataclasses.dataclass(frozen=True, eq=False)
class _Blind:
    """An attack of which nobody can say when it is right."""

    given: Given
    targets: int
    calibration: int
    draws: int
    level: float
    confidence: float
    source: Randomness

    def row(self, knowledge: Knowledge, methods: Sequence[Method]) -> GivenRow:
        own, release = self.source.spawn(knowledge.text), self.given.release
        real = self._drawn(eligible(self.given.ratings, knowledge), "people", own)
        of_real = learned(self.given.ratings, real, knowledge, own.spawn("knowledge"))
        known_of = _whole(release.ratings)
        less = knowledge if known_of.days is not None else dataclasses.replace(knowledge, days=None)
        rows = self._drawn(eligible(known_of, less), "rows of the release", own, least=1)
        of_rows = self._of_rows(known_of, rows, less, own)
        first, last = slice(None, self.calibration), slice(self.calibration, None)
        tried, best = {}, (-1.0, methods[0], 0.0)
        for method in methods:
            coins = own.spawn(method.name)
            gone = match(release, rows[first], _part(of_rows, first), knowledge, method, coins.spawn("0"), absent=True)
            threshold = beyond_ties(gone.clear, level=self.level)
            there = match(release, real[first], _part(of_real, first), knowledge, method, coins.spawn("1"))
            tried[method.name] = float((there.clear > threshold).mean())
            if tried[method.name] > best[0]:
                best = (tried[method.name], method, threshold)
        _, method, threshold = best
        if self.draws:
            anew = [
                match(
                    release,
                    rows[first],
                    self._of_rows(known_of, rows[first], less, one),
                    knowledge,
                    method,
                    one,
                    absent=True,
                )
                for one in (own.spawn(f"again {place}") for place in range(self.draws))
            ]
            clear = np.stack([one.clear for one in anew], axis=1)
            threshold = beyond_ties(clear, level=self.level)
        coins = own.spawn("evaluation")
        there = match(release, real[last], _part(of_real, last), knowledge, method, coins.spawn("1"))
        gone = match(release, rows[last], _part(of_rows, last), knowledge, method, coins.spawn("0"), absent=True)
        absent = _share(gone, threshold, "stand-ins, whose row was taken out, named", self.confidence)
        estimates = {NAMED: _share(there, threshold, "people named, rightly or not", self.confidence), ABSENT: absent}
        details = {
            "knowledge": knowledge.text,
            "threshold": float(threshold) if np.isfinite(threshold) else None,
            "median bits that are missing": float(np.median(there.bits)),
            "people in the release": int((release.ratings.sizes > 0).sum()),
        }
        exposure = f"the release “{release.name}”, and of each target {knowledge.text}"
        finding = Finding(method.name, release.name, exposure, estimates, {NAMED: absent}, details=details)
        return GivenRow(knowledge, method.name, threshold, tried, finding)

    def _of_rows(self, known_of: Ratings, rows: npt.NDArray[Any], knowledge: Knowledge, source: Randomness) -> Known:
        """What is known of stand-ins: some of their released ratings, dates as if they were known to the day."""
        known = learned(known_of, rows, knowledge, source.spawn("rows"))
        return _sharpened(known, self.given.release, source.spawn("days"))

    def _drawn(
        self, able: npt.NDArray[Any], what: str, source: Randomness, least: int | None = None
    ) -> npt.NDArray[Any]:
        """Those to calibrate on, then those to report on: as many as targets; or as there are, and at least so many."""
        reported = self.targets if least is None else least
        if len(able) < self.calibration + reported:
            raise NotEnoughEvidence(
                f"Expected {self.calibration} {what} to calibrate on and {reported} to report on, got {len(able)} "
                "with enough ratings.",
                "Ask for fewer targets, for less knowledge, or calibrate on fewer.",
            )
        return able[source.spawn(what).permutation(len(able))[: self.calibration + self.targets]]


def _whole(ratings: Ratings) -> Ratings:
    """The ratings of which value and date are known, as far as there are such."""
    kept = np.ones(len(ratings), dtype=bool)
    for cells, gap in ((ratings.scores, NO_SCORE), (ratings.days, NO_DAY)):
        if cells is not None:
            kept &= cells != gap
    return ratings if kept.all() else ratings.keeping(kept)


def _sharpened(known: Known, release: Release, source: Randomness) -> Known:
    """A date that stands for a period becomes any day of it."""
    period = release.blur.period
    if known.days is None or period < 2:
        return known
    moved = source.integers(period, known.days.size).reshape(known.days.shape) - period // 2
    return known._replace(days=(known.days + moved).astype(np.int32))


def _part(known: Known, which: slice) -> Known:
    return Known(known.items[which], known.scores[which], None if known.days is None else known.days[which])
