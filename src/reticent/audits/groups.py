"""Are some groups of people given away more than the rest?

Promise: groups that are too small to say anything about are refused by name, and no difference is shown without its
interval and its p-value. Intervals hold for all groups at once within each figure (Bonferroni), p-values are adjusted
over the groups (Holm, 1979), and both respect that trials share models and people: models and people are drawn anew
together (Owen, 2007, pigeonhole bootstrap; conservative). A group that looks no different may still be: that is what
the interval is for.

Figures of a group: the area under the ROC curve within it; the share of its members who are named at a threshold that
is set for everybody (with the share of its others who are named wrongly, without which the first means little); the
share of its people on the list of records at risk. Each is compared with all who are not in the group.

Shapes: scores and membership are (models, records), groups and owners (records,).

Example:
    >>> import numpy as np
    >>> from reticent.audits.groups import disparity
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(1)
    >>> membership = source.bernoulli(0.5, 16 * 303).reshape(16, 303)
    >>> group = np.array(["young"] * 200 + ["old"] * 100 + ["few"] * 3)
    >>> scores = source.normal((16, 303)) + np.where(group == "old", 2.0, 0.5) * membership
    >>> found = disparity(scores, membership, group, randomness=source)
    >>> [(one.name, one.difference["auc"].adjusted < 0.01) for one in found.groups], found.refused
    ([('old', True), ('young', True)], ('few',))
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import fisher_exact
from scipy.stats import t as student

from reticent import _checks
from reticent.audits.bootstrap import Bins, Tallies, area, binned, draws, interpolate
from reticent.audits.multiplicity import holm
from reticent.audits.statistics import clopper_pearson, rate, resolvable
from reticent.errors import NotEnoughEvidence, UsageError
from reticent.evidence import Estimate
from reticent.randomness import Randomness

__all__ = ["FEWEST_PEOPLE", "Difference", "Disparity", "GroupFigures", "disparity"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

FEWEST_PEOPLE = 20
"""Smaller groups are refused, and so is a comparison with a smaller rest."""

_PARTS = 100  # bins of a hundredth: they serve intervals only, values are exact


@dataclasses.dataclass(frozen=True)
class Difference:
    """A group's figure minus that of everybody else.

    Attributes:
        value: with an interval for all groups at once.
        p: two-sided p-value of this group alone.
        adjusted: the same, adjusted over the groups.
    """

    value: Estimate
    p: float
    adjusted: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"value": self.value.as_dict(), "p": self.p, "adjusted": self.adjusted}


@dataclasses.dataclass(frozen=True)
class GroupFigures:
    """One group.

    Attributes:
        name: the group's name.
        people: owners with records in it.
        records: its records.
        figures: "auc", "true_positive_rate_at_R", "false_positive_rate_at_R" and "at_risk" to what was measured.
        difference: the same names to the differences from the rest.
    """

    name: str
    people: int
    records: int
    figures: Mapping[str, Estimate]
    difference: Mapping[str, Difference]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "people": self.people,
            "records": self.records,
            "figures": {name: one.as_dict() for name, one in self.figures.items()},
            "difference": {name: one.as_dict() for name, one in self.difference.items()},
        }


@dataclasses.dataclass(frozen=True)
class Disparity:
    """All groups.

    Attributes:
        groups: those that were large enough, in the order of their names.
        refused: names of those that were not.
        confidence: of the intervals of all groups at once, for each figure.
        models: trainings behind the figures.
    """

    groups: tuple[GroupFigures, ...]
    refused: tuple[str, ...]
    confidence: float
    models: int

    def differing(self, figure: str = "auc") -> tuple[GroupFigures, ...]:
        """The groups whose figure differs from the rest's, all named with the confidence together."""
        return tuple(
            one
            for one in self.groups
            if figure in one.difference and one.difference[figure].adjusted <= 1 - self.confidence
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "groups": [one.as_dict() for one in self.groups],
            "refused": list(self.refused),
            "confidence": self.confidence,
            "models": self.models,
        }


def disparity(
    scores: Floats,
    membership: Flags,
    groups: npt.NDArray[Any],
    *,
    randomness: Randomness,
    owners: Counts | None = None,
    at_risk: Flags | None = None,
    rates: tuple[float, ...] = (0.1, 0.01),
    confidence: float = 0.95,
    replicates: int = 400,
) -> Disparity:
    """Compare every group with all others.

    Args:
        scores: attack scores, larger for "member": those of `leave_one_out`.
        membership: the truth.
        groups: the group of each record: a public name or number, such as the class labels.
        randomness: source of the bootstrap.
        owners: whole numbers from 0, equal for rows of one owner.
        at_risk: (records,) who is on the list of records at risk (`RiskList.flags`).
        rates: false-positive rates of the common thresholds; those that cannot be resolved are left out.
        confidence: of all groups' intervals together, for each figure.
        replicates: bootstrap draws.

    Raises:
        NotEnoughEvidence: fewer than two groups that are large enough.
        UsageError: shapes that do not fit.
    """
    _check(scores, membership, groups, at_risk)
    _checks.open_fraction(confidence=confidence)
    owner = np.arange(len(groups)) if owners is None else owners
    names, place = np.unique(groups, return_inverse=True)
    people = np.array([len(np.unique(owner[place == g])) for g in range(len(names))])
    elsewhere = np.array([len(np.unique(owner[place != g])) for g in range(len(names))])
    large = np.flatnonzero((people >= FEWEST_PEOPLE) & (elsewhere >= FEWEST_PEOPLE))
    if len(large) < 2:
        raise NotEnoughEvidence(
            f"Expected at least two groups of {FEWEST_PEOPLE} people, got {len(large)}.", "Join small groups."
        )
    asked = tuple(one for one in rates if resolvable(one, int((~membership).sum())))
    sides = [np.flatnonzero(place == g) for g in large]
    whole = _measured(scores, membership, binned(scores, membership, exact=True), sides, asked)
    sample = _sampled(scores, membership, owner, sides, asked, replicates, randomness)
    fewest = min(len(scores), int(owner.max()) + 1)
    z = float(student.ppf(1 - (1 - confidence) / 2 / len(large), fewest - 1))
    about = _About(confidence, len(large), fewest, z, f"{len(scores)} models and {int(owner.max()) + 1} people")
    columns = ["auc"] + [f"{kind}_positive_rate_at_{one:g}" for one in asked for kind in ("true", "false")]
    table = {name: _compared(whole[..., i], sample[..., i], about, people[large]) for i, name in enumerate(columns)}
    if at_risk is not None:
        table["at_risk"] = _shares(at_risk, owner, sides, about)
    found = [
        GroupFigures(
            str(names[g]),
            int(people[g]),
            len(sides[i]),
            {name: column[i][0] for name, column in table.items()},
            {name: column[i][1] for name, column in table.items()},
        )
        for i, g in enumerate(large)
    ]
    refused = tuple(str(names[g]) for g in range(len(names)) if g not in set(large.tolist()))
    return Disparity(tuple(found), refused, confidence, len(scores))


@dataclasses.dataclass(frozen=True)
class _About:
    """What all intervals share."""

    confidence: float
    groups: int
    fewest: int
    z: float
    drawn: str

    @property
    def each(self) -> float:
        return 1 - (1 - self.confidence) / self.groups


def _curves(tallies: list[Floats], total: Floats, asked: tuple[float, ...]) -> Floats:
    """(groups, 2, draws, figures) of tallies (2, draws, bins): each group's, then those of the rest."""
    found = np.empty((len(tallies), 2, total.shape[1], 1 + 2 * len(asked)))
    grid, steps = np.array(asked), np.cumsum(total[1], axis=-1)
    overall = np.pad(steps / steps[:, -1:], ((0, 0), (1, 0)))
    for g, own in enumerate(tallies):
        for side, (members, others) in enumerate((own, total - own)):
            found[g, side, :, 0] = area(members, others)
            for kind, counts in enumerate((members, others)):
                height = np.pad(np.cumsum(counts, axis=-1), ((0, 0), (1, 0))) / counts.sum(axis=-1, keepdims=True)
                for draw in range(total.shape[1]):
                    found[g, side, draw, 1 + kind :: 2] = interpolate(grid, overall[draw], height[draw])
    return found


def _measured(scores: Floats, membership: Flags, bins: Bins, sides: list[Counts], asked: tuple[float, ...]) -> Floats:
    """(groups, 2, figures) exact ones.

    The pairs that the rest wins within itself are all pairs that are won, less those in which the group has a part; so
    the rest is never sorted.
    """
    lower = bins.others.sum() - np.cumsum(bins.others) + bins.others / 2  # others that a member in this bin wins over
    upper = np.cumsum(bins.members) - bins.members / 2  # members that win over another in this bin
    everybody = np.array([bins.members.sum(), bins.others.sum()])
    all_won = float(bins.members @ lower)
    places = [_place(bins, one) for one in asked]
    named = [_named(bins.index, place) for place in places]
    all_named = [[float(one[side].sum()) for side in (membership, ~membership)] for one in named]
    found = np.empty((len(sides), 2, 1 + 2 * len(asked)))
    for g, columns in enumerate(sides):
        index, inside = bins.index[:, columns], membership[:, columns]
        own = np.array([inside.sum(), (~inside).sum()], dtype=np.float64)
        rest = everybody - own
        if not (own.all() and rest.all()):
            raise NotEnoughEvidence(
                "Expected members and non-members in every group, got one kind only.", "Train more models."
            )
        alone = binned(scores[:, columns], inside, exact=True)
        found[g, 0, 0] = area(alone.members[None], alone.others[None])[0]
        won = all_won - lower[index[inside]].sum() - upper[index[~inside]].sum() + found[g, 0, 0] * own.prod()
        found[g, 1, 0] = won / rest.prod()
        for i, share in enumerate(named):
            for kind, side in enumerate((membership, ~membership)):
                hit = float(share[:, columns][side[:, columns]].sum())
                found[g, 0, 1 + 2 * i + kind] = hit / own[kind]
                found[g, 1, 1 + 2 * i + kind] = (all_named[i][kind] - hit) / rest[kind]
    return found


def _place(bins: Bins, asked: float) -> float:
    """How many bins, with a part of the last, lie above the threshold at which so many non-members are named."""
    heights = np.append(0.0, np.cumsum(bins.others) / bins.others.sum())
    return float(interpolate(np.array([asked]), heights, np.arange(len(heights), dtype=np.float64))[0])


def _named(index: npt.NDArray[np.int32], place: float) -> Floats:
    """(models, records) 1 for trials above the threshold, 0 for those below, a part for those in its bin."""
    return np.asarray(np.clip(place - index, 0.0, 1.0))


def _sampled(
    scores: Floats,
    membership: Flags,
    owner: Counts,
    sides: list[Counts],
    asked: tuple[float, ...],
    count: int,
    randomness: Randomness,
) -> Floats:
    """(draws, groups, 2, figures); draws in which a group has trials of one kind only are left out."""
    bins = binned(scores, membership, parts=_PARTS)
    left = np.setdiff1d(np.arange(len(owner)), np.concatenate(sides))
    parts = [Tallies(bins, membership, owner, columns) for columns in (*sides, left) if len(columns)]
    sample = []
    for rows, columns in draws(len(scores), int(owner.max()) + 1, count, randomness):
        tallies = [part.of(rows, columns) for part in parts]
        total = np.sum(tallies, axis=0)
        own = tallies[: len(sides)]
        both = np.all([(one.any(axis=-1) & (total - one).any(axis=-1)).all(axis=0) for one in own], axis=0)
        sample.append(_curves([one[:, both] for one in own], total[:, both], asked).transpose(2, 0, 1, 3))
    return np.concatenate(sample)


def _compared(whole: Floats, sample: Floats, about: _About, people: Counts) -> list[tuple[Estimate, Difference]]:
    """Figure and difference of each group, of values (groups, 2) and draws of them (draws, groups, 2)."""
    gaps = whole[:, 0] - whole[:, 1]
    drawn = sample[:, :, 0] - sample[:, :, 1]
    deviation = drawn.std(axis=0, ddof=1)
    t = np.divide(np.abs(gaps), deviation, out=np.where(gaps == 0, 0.0, np.inf), where=deviation > 0)
    p = 2 * student.sf(t, about.fewest - 1)
    adjusted = holm(p)
    method = f"bootstrap over {about.drawn}, {len(sample)} draws; for all {about.groups} groups at once"
    found = []
    for g, gap in enumerate(gaps):
        own = _interval(float(whole[g, 0]), sample[:, g, 0], about, 0.0)
        # Where everything is named rightly, or nothing, draws agree: the number of independent models bounds it.
        fewest = min(about.fewest, int(people[g]))
        least = clopper_pearson(fewest, fewest, about.each)[0]
        low = min(own[0], least) if whole[g, 0] >= 1 else own[0]
        high = max(own[1], 1 - least) if whole[g, 0] <= 0 else own[1]
        apart = _interval(float(gap), drawn[:, g], about, -1.0)
        found.append(
            (
                Estimate(float(whole[g, 0]), low, high, about.confidence, int(people[g]), method),
                Difference(
                    Estimate(float(gap), *apart, about.confidence, int(people[g]), method),
                    float(p[g]),
                    float(adjusted[g]),
                ),
            )
        )
    return found


def _interval(value: float, drawn: Floats, about: _About, bottom: float) -> tuple[float, float]:
    """The wider, at each end, of Student's interval and of the draws' percentiles."""
    tails = np.quantile(drawn, [(1 - about.each) / 2, (1 + about.each) / 2])
    half = about.z * float(drawn.std(ddof=1))
    low, high = min(value - half, float(tails[0])), max(value + half, float(tails[1]))
    return min(max(low, bottom), value), max(min(high, 1.0), value)


def _shares(at_risk: Flags, owner: Counts, sides: list[Counts], about: _About) -> list[tuple[Estimate, Difference]]:
    """Shares of people on the list, for the given trainings: as if people were drawn."""
    everybody = np.arange(len(owner))
    counts = []
    for columns in sides:
        rest = np.setdiff1d(everybody, columns)
        counts.append([(len(np.unique(owner[c][at_risk[c]])), len(np.unique(owner[c]))) for c in (columns, rest)])
    p = np.array([fisher_exact([[a, n - a], [b, m - b]]).pvalue for (a, n), (b, m) in counts])
    adjusted = holm(np.minimum(p, 1.0))
    method = f"share of people on the list, for the given trainings; for all {about.groups} groups at once"
    found = []
    for ((a, n), (b, m)), one, other in zip(counts, p, adjusted, strict=True):
        share = rate(a, n, method=method, confidence=about.each)
        first, second = (clopper_pearson(x, y, (1 + about.each) / 2) for x, y in ((a, n), (b, m)))
        gap = Estimate(a / n - b / m, first[0] - second[1], first[1] - second[0], about.confidence, n, method)
        found.append(
            (
                dataclasses.replace(share, confidence=about.confidence),
                Difference(gap, float(min(one, 1.0)), float(other)),
            )
        )
    return found


def _check(scores: Floats, membership: Flags, groups: npt.NDArray[Any], at_risk: Flags | None) -> None:
    if scores.ndim != 2 or scores.shape != membership.shape or membership.dtype != bool:
        raise UsageError(
            f"Expected scores and True or False of one shape (models, records), got {scores.shape} and "
            f"{membership.dtype} of shape {membership.shape}.",
            "Pass what leave_one_out gives, and Fleet.membership.",
        )
    if groups.shape != scores.shape[1:] or (at_risk is not None and at_risk.shape != groups.shape):
        raise UsageError(
            f"Expected one group for each of {scores.shape[1]} records, got shape {groups.shape}.",
            "Pass the column that holds the group.",
        )
