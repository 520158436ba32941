"""`rt.reidentify`: how many people are found in a release of ratings by who knows a few of them, and how many wrongly.

Promise: every share is counted over people drawn at random, with a Clopper-Pearson interval, beside what picking
anybody gives (1/n), and beside how often somebody is named for people who are not in the release at all. Method and
threshold are chosen, for each release and each kind of knowledge, on calibration targets of whom nothing is reported:
the method by one draw of what is known of them, the threshold by others. It names `level` of absent people on average
over calibrations; what it does here is measured on the targets (*named though absent*).
All releases are held against the same targets of whom the same is known, so they are compared pair by pair.

What a figure says: this share of the people was found by these attacks with this knowledge. Another attack, or an
attacker who knows more, finds more. Not tested: whether such knowledge can be had about these people, and what of a
row can be told without finding it (a group's profile, say).

How: `reticent.attacks.reidentification`. Beside the chosen method stands the scoreboard-RH as published, with phi =
1.5.

Example:
    >>> import reticent as rt
    >>> from reticent.attacks.reidentification import Knowledge
    >>> from reticent.data.ratings import releases, simulated_ratings
    >>> source = rt.Randomness.simulated(1)
    >>> made = simulated_ratings(400, 150, 12_000, source)
    >>> found = rt.reidentify(
    ...     made, [releases.as_it_is(made), releases.with_dates(made, "none")],
    ...     knowledge=[Knowledge(4, days=3)], targets=100, calibration=100, randomness=source)
    >>> dated, undated = (row.finding.estimates["re-identified"] for row in found.rows)
    >>> dated.low > undated.high
    True
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.reidentification import (
    CANDIDATES,
    Chosen,
    Knowledge,
    Known,
    Matches,
    Method,
    ScoreboardRH,
    choose,
    eligible,
    learned,
    match,
)
from reticent.audits.reidentification.power import paired_difference, power_of
from reticent.data.ratings import Ratings, Release, grouped, read_ratings, releases, suppressed
from reticent.errors import NotEnoughEvidence, UsageError
from reticent.evidence import Estimate, Finding, software
from reticent.evidence.intervals import rate
from reticent.randomness import Randomness
from reticent.reports.reported import Reported

__all__ = ["PHI", "Reidentification", "Row", "chance", "reidentify", "standard_releases"]

Progress = Callable[[int, int], None]

PHI: Final = 1.5
"""The eccentricity from which Narayanan and Shmatikov take a match."""
FOUND: Final = "re-identified"
_NOT_TESTED: Final = {
    "other attackers": "who knows other things (similar people, what somebody did not rate, free text) was not played",
    "where the knowledge comes from": "that somebody knows so much of a person was assumed, not shown",
    "attributes of a group": "what can be told of a person without finding their row was not measured",
}


@dataclasses.dataclass(frozen=True)
class Row:
    """One release against one kind of knowledge.

    Attributes:
        release: its name.
        knowledge: what the attacker knew.
        chosen: method and threshold, from the calibration targets.
        finding: of the chosen method.
        published: of the scoreboard-RH with phi = 1.5.
        differences: beside the first release, of the same targets; empty for the first one.
    """

    release: str
    knowledge: Knowledge
    chosen: Chosen
    finding: Finding
    published: Finding
    differences: Mapping[str, Estimate]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "release": self.release,
            "knowledge": {**dataclasses.asdict(self.knowledge), "text": self.knowledge.text},
            "method": self.chosen.method.name,
            "threshold": _plain(self.chosen.threshold),
            "tried": dict(self.chosen.named),
            "finding": self.finding.as_dict(),
            "published": self.published.as_dict(),
            "differences": {name: one.as_dict() for name, one in self.differences.items()},
        }


@dataclasses.dataclass(frozen=True)
class Reidentification(Reported):
    """The result of `reidentify`.

    Attributes:
        name: of the data.
        rows: release by release, kind of knowledge by kind of knowledge.
        releases: what was attacked, in plain values.
        data: sizes, in plain values.
        power: what so many targets can show.
        settings: further plain values.
    """

    kind: ClassVar[str] = "reidentification"

    name: str
    rows: tuple[Row, ...]
    releases: tuple[Mapping[str, Any], ...]
    data: Mapping[str, Any]
    power: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of the chosen methods, and of the published one."""
        return tuple(one for row in self.rows for one in (row.finding, row.published))

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "question": "ratings",
            "name": self.name,
            "data": dict(self.data),
            "releases": [dict(one) for one in self.releases],
            "rows": [row.as_dict() for row in self.rows],
            "power": dict(self.power),
            "settings": dict(self.settings),
            "not_tested": dict(_NOT_TESTED),
            "software": software(),
        }


def standard_releases(ratings: Ratings, randomness: Randomness, *, k: int = 5) -> list[Release]:
    """The ratings under numbers, and a way or two of each kind with less in it.

    Args:
        ratings: what is to be released.
        randomness: a generator, for noise and samples.
        k: of k-anonymity, in groups and of items.
    """
    made = [releases.as_it_is(ratings)]
    if ratings.days is not None:
        made += [releases.with_dates(ratings, period) for period in ("week", "month", "year", "none")]
    made += [
        releases.with_noise(ratings, moved=0.3, days=14, randomness=randomness.spawn("noise")),
        releases.without_rare(ratings, 10 * k),
        releases.sampled(ratings, 0.5, randomness.spawn("ratings")),
        releases.sampled(ratings, 0.5, randomness.spawn("people"), of="people"),
        grouped(ratings, k, randomness.spawn("groups")),
        grouped(ratings, k, randomness.spawn("groups"), share=0.0),
    ]
    return [*made, suppressed(ratings, k=k, m=2), suppressed(ratings, k=k, m=2, items_alone=True)]


def reidentify(
    ratings: Any,
    released: Sequence[Release] | None = None,
    *,
    knowledge: Sequence[Knowledge] | None = None,
    targets: int = 600,
    calibration: int = 300,
    draws: int = 10,
    level: float = 0.01,
    methods: Sequence[Method] = CANDIDATES,
    confidence: float = 0.95,
    name: str = "ratings",
    randomness: Randomness | None = None,
    progress: Progress | None = None,
) -> Reidentification:
    """Look for people in releases of ratings.

    Args:
        ratings: the truth: what is known of a person is drawn from it. `Ratings`, or what `read_ratings` takes with the
            columns person, item, rating and date: a path, an address, a frame.
        released: what was or would be given away, made from the same ratings (`reticent.data.ratings.releases`); the
            ratings themselves under numbers, by default. The first one is what the others are compared with.
        knowledge: what attackers know: 2, 4 and 8 ratings with dates within 3 and within 14 days, by default.
        targets: how many people are looked for.
        calibration: how many other people method and threshold are chosen on.
        draws: how often what is known of a calibration target is drawn anew for the threshold. Few make it vary more
            from run to run; 0 takes it from the draw that the method was chosen with.
        level: the share of people outside a release that an attacker is willing to name, on average over calibrations.
        methods: to choose from.
        confidence: of each interval by itself.
        name: of the data, as it stands in the report.
        randomness: a generator; the operating system's by default.
        progress: called with (done, in all).

    Raises:
        UsageError: no release, or one of other people or items.
        NotEnoughEvidence: too few people with enough ratings.
    """
    source = Randomness.secure() if randomness is None else randomness
    ratings = ratings if isinstance(ratings, Ratings) else read_ratings(ratings)
    made = [releases.as_it_is(ratings)] if released is None else list(released)
    asked = _default_knowledge(ratings) if knowledge is None else list(knowledge)
    _checked(ratings, made, asked)
    _checks.at_least(1, targets=targets)
    _checks.at_least(0, draws=draws)
    people = _drawn(ratings, asked, targets, calibration, source.spawn("people"))
    calibrating, evaluated = people[:calibration], people[calibration:]
    rows: list[Row] = []
    for number, one in enumerate(asked):
        known = [
            learned(ratings, part, one, source.spawn(f"knowledge {number} {label}"))
            for part, label in ((calibrating, "calibration"), (evaluated, "evaluation"))
        ]
        again = [
            learned(ratings, calibrating, one, source.spawn(f"knowledge {number} again {place}"))
            for place in range(draws)
        ]
        first: npt.NDArray[np.bool_] | None = None
        for release in made:
            case = _Case(release, one, level, confidence, source.spawn(f"{number} {release.name}"))
            chosen = choose(release, calibrating, known[0], one, case.source, level=level, methods=methods, again=again)
            row, right = case.row(chosen, evaluated, known[1], first)
            first = right if first is None else first
            rows.append(row)
            if progress is not None:
                progress(len(rows), len(made) * len(asked))
    order = {release.name: place for place, release in enumerate(made)}
    rows.sort(key=lambda row: order[row.release])
    return Reidentification(
        name,
        tuple(rows),
        tuple(release.as_dict() for release in made),
        {
            "people": int((ratings.sizes > 0).sum()),
            "items": int((ratings.supports > 0).sum()),
            "ratings": len(ratings),
            "days": ratings.span,
        },
        power_of(len(evaluated), confidence=confidence),
        {
            "targets": len(evaluated),
            "calibration": calibration,
            "draws": draws,
            "level": level,
            "confidence": confidence,
            "eligible": "people with as many ratings as the most that is known",
            "repeatable": not source.is_secure,
        },
    )


def chance(people: int, places: int = 1, *, confidence: float = 0.95) -> Estimate:
    """What picking so many of n people gives: exact, so that the interval is a point."""
    value = min(places / people, 1.0)
    return Estimate(value, value, value, confidence, people, f"{places} picked at random from {people} people; exact")


@dataclasses.dataclass(frozen=True, eq=False)
class _Case:
    release: Release
    knowledge: Knowledge
    level: float
    confidence: float
    source: Randomness

    def row(
        self, chosen: Chosen, targets: Any, known: Known, first: npt.NDArray[np.bool_] | None
    ) -> tuple[Row, npt.NDArray[np.bool_]]:
        present, absent = self._matched(chosen.method, targets, known)
        origin = f"made to be exceeded by {self.level:.2%} of absent people, from calibration targets"
        finding, right = self._finding(chosen.method.name, present, absent, chosen.threshold, origin)
        published = ScoreboardRH()
        if chosen.method != published:
            present, absent = self._matched(published, targets, known)
        # "at least phi" in their words: just below it, since a match here must be clearer than the threshold.
        reached = float(np.nextafter(PHI, 0.0))
        other, _ = self._finding(f"{published.name} as published", present, absent, reached, f"phi = {PHI}, published")
        differences = {}
        if first is not None:
            differences[FOUND] = paired_difference(
                right, first, what="people re-identified", confidence=self.confidence
            )
        return Row(self.release.name, self.knowledge, chosen, finding, other, differences), right

    def _matched(self, method: Method, targets: Any, known: Known) -> tuple[Matches, Matches]:
        label = self.source.spawn(f"evaluation {method.name}")
        there, gone = (
            match(self.release, targets, known, self.knowledge, method, label.spawn(f"{absent}"), absent=absent)
            for absent in (False, True)
        )
        return there, gone

    def _finding(
        self, attack: str, present: Matches, absent: Matches, threshold: float, origin: str
    ) -> tuple[Finding, npt.NDArray[np.bool_]]:
        named, first = present.clear > threshold, present.place == 1
        right = named & first
        count = int((self.release.ratings.sizes > 0).sum())
        counted = {
            FOUND: (right, 1, True),
            "named wrongly": (named & ~first, 1, True),
            "named though absent": (absent.clear > threshold, 0, True),
            "best fit is right": (first, 1, False),
            "among the ten best": ((present.place > 0) & (present.place <= 10), 10, False),
        }
        if self.release.groups is not None:
            counted["own group found"] = (present.own_group, 0, False)
        estimates = {
            name: rate(
                int(happened.sum()),
                len(happened),
                method=f"people {name}",
                confidence=self.confidence,
                threshold=origin if decided else None,
            )
            for name, (happened, _, decided) in counted.items()
        }
        guessing = {
            name: chance(count, places, confidence=self.confidence)
            for name, (_, places, _) in counted.items()
            if places and name != "named wrongly"
        }
        if self.release.groups is not None:
            # Any row at random is of one's own group with the mean of (size / n) over people.
            sizes = np.bincount(self.release.groups).astype(np.float64)
            value = float((sizes**2).sum() / sizes.sum() ** 2)
            method = f"any row at random, of {count} people; exact"
            guessing["own group found"] = Estimate(value, value, value, self.confidence, count, method)
        details = {
            "knowledge": self.knowledge.text,
            "threshold": _plain(threshold),
            "median bits that are missing": float(np.median(present.bits)),
            "median probability of the right row": float(np.median(present.mass)),
            "people in the release": count,
        }
        exposure = f"the release “{self.release.name}”, and of each target {self.knowledge.text}"
        found = Finding(attack, self.release.name, exposure, estimates, guessing, details=details)
        return found, right


def _default_knowledge(ratings: Ratings) -> list[Knowledge]:
    within = (3, 14) if ratings.days is not None else (None,)
    return [Knowledge(items, days=days) for days in within for items in (2, 4, 8)]


def _checked(ratings: Ratings, made: Sequence[Release], asked: Sequence[Knowledge]) -> None:
    if not made or not asked:
        raise UsageError("Expected at least one release and one kind of knowledge, got none.", "Pass one of each.")
    if len({release.name for release in made}) < len(made):
        raise UsageError("Expected releases with names that differ.", "Name each of them once.")
    for release in made:
        other = release.ratings
        same = (other.count, other.item_count, other.first_day) == (
            ratings.count,
            ratings.item_count,
            ratings.first_day,
        )
        if not same or (other.scores is not None and not np.array_equal(other.values, ratings.values)):
            raise UsageError(
                f"Expected a release of the same people and items, with the same values and first day, got another "
                f"in {release.name!r}.",
                "Make it from these ratings, with reticent.data.ratings.",
            )


def _drawn(
    ratings: Ratings, asked: Sequence[Knowledge], targets: int, calibration: int, source: Randomness
) -> npt.NDArray[np.int64]:
    """Calibration targets, then those who are reported on: people of whom everything that is asked can be known."""
    able = eligible(ratings, asked[0])
    for one in asked[1:]:
        able = np.intersect1d(able, eligible(ratings, one))
    if len(able) < calibration + targets:
        raise NotEnoughEvidence(
            f"Expected {calibration} people to calibrate on and {targets} targets, got {len(able)} people with enough "
            "ratings.",
            "Ask for fewer targets, or for less knowledge.",
        )
    return able[source.permutation(len(able))[: calibration + targets]]


def _plain(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None
