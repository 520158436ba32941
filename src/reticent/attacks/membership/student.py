"""How a target's answer compares with what reference models with and without the record lead one to expect.

Promise: `Prior.fit` learns from the reference models alone how answers are spread over records, and `expected` combines
that with each record's own few models into the distribution of the next model's answer: on the side without the record
its upper tail is a p-value, and the ratio of the two sides' densities is the score of the method `student`.

Records differ in how hard they are, and almost everything goes with it: the mean without the record, the mean with it,
and both variances. So the prior is a mixture of a few classes of hardness, found by expectation-maximisation. In each
class a side's mean and variance have a conjugate (normal-inverse-gamma) prior, so a record's models on that side give a
Student-t distribution for the next answer, in closed form:

    kappa_n = kappa + n;  m_n = (kappa m + n xbar) / kappa_n;  nu_n = nu + n
    nu_n s_n^2 = nu s^2 + sum (x - xbar)^2 + (kappa n / kappa_n) (xbar - m)^2
    next answer ~ t with nu_n degrees, centre m_n, squared scale s_n^2 (kappa_n + 1) / kappa_n

and the classes are weighed by how well they predict *all* of the record's models: those on one side tell about the
other. With one class it is the likelihood ratio with a prior per side of "BaVarIA" (arXiv 2603.11799); the classes are
this project's, and are worth more than the rest of the prior (`benchmarks/membership_scores.py`).

Sources: Carlini et al. 2022 (likelihood ratio); Murphy 2007 (conjugate Gaussian, section 6); Dempster, Laird and Rubin
1977. A class's degrees of freedom use Minka's (2002) approximate root of log(x) - digamma(x) = d.

Shapes: classes first, then records; members' side first. The prior is fitted on at most about 32 768 pairs of model
and record (but no fewer than 1000 records), spread evenly through the records. Memory: 2 classes x 4096 numbers at a
time, beside a few for each record.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.membership.moments import Moments
    >>> from reticent.attacks.membership.student import Prior, log_ratio
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(0)
    >>> inside = source.bernoulli(0.5, 8 * 500).reshape(8, 500)
    >>> answers = source.normal(500) * 3 + 2 * inside + source.normal((8, 500))
    >>> kept = Moments.of(answers[1:], inside[1:])
    >>> ratio = log_ratio(answers[0], kept, Prior.fit(kept))
    >>> bool(ratio[inside[0]].mean() > 0 > ratio[~inside[0]].mean())
    True
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import digamma, gammaln, stdtr

from reticent.attacks.membership.method import Method
from reticent.attacks.membership.moments import Moments

__all__ = ["Student", "StudentOffline", "Prior", "Expected", "expected", "log_ratio", "upper_tail", "within"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

_CLASSES = 8
_RECORDS_PER_CLASS = 16  # fewer cannot tell classes apart
_ROUNDS = 40
_PAIRS = 32_768  # of model and record, on which a prior is fitted
_LEAST_RECORDS = 1000
_BLOCK = 4096
_OWN = 0.5  # records' worth of what a class was before, in each round: a class that empties stays where it is
_SPREAD_OUT = 5.0  # records' worth of equal weights
_FREEDOM = (1.0, 50.0)
_STRENGTH = (1e-3, 50.0)
_FLOOR = 1e-4  # least variance of a class, as a share of the variance pooled over records
_TINY = 1e-12
_LEAST_TAIL = 1e-300
_NEGLIGIBLE = 1e-12  # weight of a class that adds nothing to a tail


@dataclasses.dataclass(frozen=True)
class Prior:
    """Classes of records, and for each class and side a normal-inverse-gamma distribution of mean and variance.

    Attributes:
        weight: (classes,) share of the records.
        mean: (2, classes) m, the class's mean answer.
        strength: (2, classes) kappa: how many models the class's mean is worth.
        freedom: (2, classes) nu: how many models the class's variance is worth.
        variance: (2, classes) s^2, the variance of models' answers to one record.
    """

    weight: Floats
    mean: Floats
    strength: Floats
    freedom: Floats
    variance: Floats

    @classmethod
    def fit(cls, moments: Moments) -> Prior:
        """Learn the prior from what reference models answered. No record's label or target is looked at."""
        records = moments.count.shape[1]
        models = max(int(moments.count[:, 0].sum()), 1)
        most = max(_LEAST_RECORDS, _PAIRS // models)
        if records > most:
            moments = moments.take(np.arange(most) * records // most)
        pooled = within(moments)
        prior = _start(moments, pooled)
        floor = (_FLOOR * pooled)[:, None]
        for _ in range(_ROUNDS):
            prior = _improved(prior, moments, floor)
        return prior


@dataclasses.dataclass(frozen=True)
class Expected:
    """The next model's answer on one side, in each class: Student-t distributions.

    Attributes:
        evidence: (classes, records) logarithm of the density of the record's models on this side.
        freedom: (classes, records) degrees of freedom.
        centre: (classes, records) their centres.
        spread: (classes, records) degrees of freedom times squared scale.
        log_density: (classes, records) constants of their log-densities.
    """

    evidence: Floats
    freedom: Floats
    centre: Floats
    spread: Floats
    log_density: Floats

    def log_pdf(self, values: Floats) -> Floats:
        """(classes, records) log-densities at (records,) values."""
        distance = np.square(values - self.centre)
        distance /= self.spread
        result = np.log1p(distance, out=distance)
        result *= -(self.freedom + 1) / 2
        result += self.log_density
        return result


@dataclasses.dataclass(frozen=True)
class Student(Method):
    """The likelihood ratio of Student-t distributions, records sorted into classes of hardness: the default."""

    name: ClassVar[str] = "student"
    meaning: ClassVar[str] = (
        "log of a density of the answer with the record over that without it, mixtures of Student-t"
    )
    source: ClassVar[str] = "this project, after Carlini et al. 2022 and arXiv 2603.11799 (BaVarIA)"
    needs: ClassVar[frozenset[str]] = frozenset({"in-models", "out-models"})

    def _learn(self, values: Floats, membership: Booleans) -> Moments:
        return Moments.of(values, membership)

    def _score(self, values: Floats, learned: Moments) -> Floats:
        return log_ratio(values, learned, Prior.fit(learned))


@dataclasses.dataclass(frozen=True)
class StudentOffline(Method):
    """How far above the answers of models without the record, by the same distributions; one-sided."""

    name: ClassVar[str] = "student_offline"
    meaning: ClassVar[str] = "log-odds that a model without the record would answer below"
    source: ClassVar[str] = "this project, after Carlini et al. 2022, equation 4"
    needs: ClassVar[frozenset[str]] = frozenset({"out-models"})

    def _learn(self, values: Floats, membership: Booleans) -> Moments:
        return Moments.of(values, membership)

    def _score(self, values: Floats, learned: Moments) -> Floats:
        above, below = np.maximum(upper_tail(values, learned, Prior.fit(learned)), _LEAST_TAIL)
        return np.asarray(np.log(below) - np.log(above))


def expected(prior: Prior, moments: Moments, side: int) -> Expected:
    """What a side's models and the prior lead one to expect.

    Args:
        prior: from `Prior.fit`.
        moments: of the records.
        side: 0 for models with the record, 1 for models without.
    """
    count = moments.count[side]
    nu, kappa = prior.freedom[side][:, None], prior.strength[side][:, None]
    # Whatever depends on class and count alone is computed once for each count.
    n = np.arange(count.max(initial=0) + 1)
    freedom, strength = nu + n, kappa + n
    widened = (strength + 1) / strength
    start = gammaln(freedom / 2) - gammaln(nu / 2) + 0.5 * np.log(kappa / strength) - n / 2 * np.log(np.pi)
    start = start + nu / 2 * np.log(nu * prior.variance[side][:, None])
    constant = gammaln((freedom + 1) / 2) - gammaln(freedom / 2) - 0.5 * np.log(np.pi * widened)
    moved = moments.mean[side] - prior.mean[side][:, None]
    total = (kappa * n / strength)[:, count] * np.square(moved)
    total += moments.residual[side]
    total += nu * prior.variance[side][:, None]
    logs = np.log(total)
    degrees = freedom[:, count]
    centre = (n / strength)[:, count] * moved
    centre += prior.mean[side][:, None]
    return Expected(
        start[:, count] - degrees / 2 * logs,
        degrees,
        centre,
        total * widened[:, count],
        constant[:, count] - 0.5 * logs,
    )


def log_ratio(values: Floats, moments: Moments, prior: Prior) -> Floats:
    """(records,) log of the density of a target's values with the record over that without it."""
    result = np.empty(len(values))
    for start in range(0, len(values), _BLOCK):
        part = slice(start, start + _BLOCK)
        sides = [expected(prior, moments.take(part), side) for side in (0, 1)]
        weight = np.log(prior.weight)[:, None] + sides[0].evidence + sides[1].evidence
        inside, outside = (_log_sum(weight + side.log_pdf(values[part])) for side in sides)
        result[part] = inside - outside
    return result


def upper_tail(values: Floats, moments: Moments, prior: Prior) -> tuple[Floats, Floats]:
    """(records,) probabilities that a model without the record answers above the values, and below them."""
    result = np.empty((2, len(values)))
    for start in range(0, len(values), _BLOCK):
        part = slice(start, start + _BLOCK)
        inside, outside = (expected(prior, moments.take(part), side) for side in (0, 1))
        weight = _shares(np.log(prior.weight)[:, None] + inside.evidence + outside.evidence)
        counts = weight > _NEGLIGIBLE
        scale = np.sqrt(outside.spread[counts] / outside.freedom[counts])
        distance = ((values[part] - outside.centre)[counts]) / scale
        for row, sign in enumerate((-1, 1)):
            tail = np.zeros(weight.shape)
            tail[counts] = stdtr(outside.freedom[counts], sign * distance)
            result[row, part] = (weight * tail).sum(axis=0)
    return np.minimum(result[0], 1.0), np.minimum(result[1], 1.0)


def _log_sum(logs: Floats) -> Floats:
    top = logs.max(axis=0)
    logs -= top
    return np.asarray(top + np.log(np.exp(logs, out=logs).sum(axis=0)))


def _shares(logs: Floats) -> Floats:
    """Exponentials of the columns, divided by their sums."""
    result = np.exp(logs - logs.max(axis=0))
    return np.asarray(result / result.sum(axis=0))


def within(moments: Moments) -> Floats:
    """(2,) variance of models around their record's mean; positive.

    A side where no record has two models borrows the other's. If neither tells, half of the spread of the records'
    means is taken to be it, or of both sides' means together.
    """
    seen = moments.count > 0
    known = [moments.within(side) for side in (0, 1)]
    spread = [float(moments.mean[side][seen[side]].var()) if seen[side].any() else 0.0 for side in (0, 1)]
    overall = float(moments.mean[seen].var())
    result = []
    for side in (0, 1):
        own, other = known[side], known[1 - side]
        if own is None:
            own = other if other is not None else (spread[side] or spread[1 - side] or overall) / 2
        result.append(max(own, _TINY * max(overall, 1.0)))
    return np.array(result)


def _start(moments: Moments, pooled: Floats) -> Prior:
    """Classes of equal size, by the place of a record's models among all records'."""
    records = moments.count.shape[1]
    classes = min(_CLASSES, max(1, records // _RECORDS_PER_CLASS))
    place, middles, widths = np.zeros(records), [], []
    for side in (0, 1):
        seen = moments.count[side] > 0
        means = moments.mean[side][seen]
        middles.append(float(means.mean()) if seen.any() else 0.0)
        widths.append(float(means.std()) if seen.any() else 0.0)
        standard = (moments.mean[side] - middles[side]) / (widths[side] or 1.0)
        place += np.where(seen, moments.count[side] * standard, 0.0)
    place /= np.maximum(moments.count.sum(axis=0), 1)
    steps = np.quantile(place, (np.arange(classes) + 0.5) / classes)
    whole = np.ones((2, classes))
    return Prior(
        np.full(classes, 1 / classes),
        np.array(middles)[:, None] + np.array(widths)[:, None] * steps,
        2.0 * whole,
        8.0 * whole,
        pooled[:, None] * whole,
    )


def _improved(prior: Prior, moments: Moments, floor: Floats) -> Prior:
    """One round of expectation-maximisation."""
    sides = [expected(prior, moments, side) for side in (0, 1)]
    share = _shares(np.log(prior.weight)[:, None] + sides[0].evidence + sides[1].evidence)
    size = share.sum(axis=1)
    classes = len(size)
    weight = (size + _SPREAD_OUT / classes) / (size.sum() + _SPREAD_OUT)
    parts = [_side(prior, moments, sides[side], share, side) for side in (0, 1)]
    mean, strength, freedom, variance = (np.stack(column) for column in zip(*parts, strict=True))
    return Prior(weight, mean, strength, freedom, np.maximum(variance, floor))


def _side(
    prior: Prior, moments: Moments, known: Expected, share: Floats, side: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """A side's new mean, strength, freedom and variance in each class, from the expected precisions."""
    mean, kappa = prior.mean[side], prior.strength[side]
    nu, variance = prior.freedom[side], prior.variance[side]
    count = moments.count[side]
    n = np.arange(count.max(initial=0) + 1)
    strength = kappa[:, None] + n
    total = known.spread * (strength / (strength + 1))[:, count]
    precision = known.freedom / total
    size = share.sum(axis=1) + _OWN
    sure = share * precision
    sum_sure = sure.sum(axis=1) + _OWN / variance
    new_mean = ((sure * known.centre).sum(axis=1) + _OWN / variance * mean) / sum_sure
    away = sure * np.square(known.centre - new_mean[:, None]) + share * (1 / strength)[:, count]
    new_strength = size / (away.sum(axis=1) + _OWN / kappa)
    new_variance = size / sum_sure
    # Expected log-precision; the prior's own, for what the class was before.
    logs = digamma((nu[:, None] + n) / 2)[:, count] - np.log(total / 2)
    before = digamma(nu / 2) - np.log(nu * variance / 2)
    lack = -np.log(new_variance) - ((share * logs).sum(axis=1) + _OWN * before) / size
    lack = np.maximum(lack, 1e-6)
    half = (3 - lack + np.sqrt(np.square(lack - 3) + 24 * lack)) / (12 * lack)
    return new_mean, np.clip(new_strength, *_STRENGTH), np.clip(2 * half, *_FREEDOM), new_variance
