"""How a target's answer compares with what reference models with and without the record lead one to expect.

Promise: `Prior.fit` learns from the reference models alone how answers are spread over records, and `expected` combines
that with each record's own few models into the distribution of the next model's answer: on the side without the record
its upper tail is a p-value, and the ratio of the two sides' densities is the score of the method `student`.

Records differ in how hard they are, and almost everything goes with it: the mean without the record, the mean with
it, and both variances. So the prior is a mixture of a few classes of hardness, found by expectation-maximisation. In
class g the two means of a record are jointly normal around m_g with covariance T_g, so that models on one side tell
about the other, and a side's variance is scaled inverse chi-squared around s_g^2 with nu_g degrees of freedom. With n
models on a side, their mean xbar and sum of squared deviations SS:

    s_n^2 = (nu s^2 + SS) / nu_n,  nu_n = nu + n - 1          the side's variance (nu_n = nu, s_n = s without models)
    P = diag(n / s_n^2),  V = T (I + P T)^-1                  covariance of the two means, given the models
    c = m + V P (xbar - m)                                    the two means
    next answer ~ t with nu_n degrees of freedom, centre c, squared scale s_n^2 + V

and the classes are weighed by how well they predict all of the record's models. Two approximations are made: P takes
the variance as known, and the sum of a mean's normal and an answer's t deviation as one t. With one class and a
diagonal T it is nearly the likelihood ratio with a prior per side of "BaVarIA" (arXiv 2603.11799), which is `shrunken`;
the classes and the common covariance are this project's, and worth more (`benchmarks/membership_scores.py`).

Sources: Carlini et al. 2022 (likelihood ratio); Murphy 2007 (conjugate Gaussian); Dempster, Laird and Rubin 1977. A
class's degrees of freedom use Minka's (2002) approximate root of log(x) - digamma(x) = d.

Shapes: classes first, then records; members' side first. The prior is fitted on at most about 32 768 pairs of model
and record (but no fewer than 1000 records), spread evenly through the records. Memory: some 30 arrays of classes x 4096
numbers at a time, beside a few for each record.

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

__all__ = ["Student", "StudentOffline", "Expected", "Prior", "expected", "log_ratio", "tail", "within"]

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
_FLOOR = 1e-4  # least variances of a class, as a share of the usual one of a record
_CORRELATED = 0.9  # the two means of a record, to begin with
_MOST_CORRELATED = 0.999
_MOST_UNUSUAL = 10.0  # how far the pooled variance may be above the usual one of a record and be begun with
_QUARTILES = 1.349  # deviations between the quartiles of a normal distribution
_TINY = 1e-12
_LEAST_TAIL = 1e-300
_NEGLIGIBLE = 1e-12  # weight of a class that adds nothing to a tail


@dataclasses.dataclass(frozen=True)
class Prior:
    """Classes of records, and for each class how means and variances of models' answers are distributed.

    Attributes:
        weight: (classes,) share of the records.
        mean: (2, classes) m, mean over records of their mean answers.
        between: (2, classes) diagonal of T, variances of records' means.
        shared: (classes,) the covariance of the two means of a record.
        variance: (2, classes) s^2, the variance of models' answers to one record.
        freedom: (2, classes) nu, by how little that differs between records.
    """

    weight: Floats
    mean: Floats
    between: Floats
    shared: Floats
    variance: Floats
    freedom: Floats

    @classmethod
    def fit(cls, moments: Moments) -> Prior:
        """Learn the prior from what reference models answered. No record's label or target is looked at."""
        records = moments.count.shape[1]
        models = max(int(moments.count[:, 0].sum()), 1)
        most = max(_LEAST_RECORDS, _PAIRS // models)
        if records > most:
            moments = moments.take(np.arange(most) * records // most)
        pooled = within(moments)
        usual = _usual(moments, pooled)
        prior = _start(moments, np.minimum(pooled, _MOST_UNUSUAL * usual))
        floor = (_FLOOR * usual)[:, None]
        for _ in range(_ROUNDS):
            prior = _improved(prior, moments, floor)
        return prior


@dataclasses.dataclass(frozen=True)
class Expected:
    """The next model's answer in each class and on each side: Student-t distributions.

    Attributes:
        log_weight: (classes, records) log of class weight times the density of the record's models, but for a number of
            each record.
        freedom: two (classes, records), nu_n.
        centre: two (classes, records), c - m.
        variance: two (classes, records), s_n^2.
        uncertain: two (classes, records), the diagonal of V.
        shared: (classes, records) the other entry of V.
    """

    log_weight: Floats
    freedom: tuple[Floats, Floats]
    centre: tuple[Floats, Floats]
    variance: tuple[Floats, Floats]
    uncertain: tuple[Floats, Floats]
    shared: Floats


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
        prior = Prior.fit(learned)
        below, above = (np.maximum(tail(values, learned, prior, upper=side), _LEAST_TAIL) for side in (False, True))
        return np.asarray(np.log(below) - np.log(above))


def expected(prior: Prior, moments: Moments) -> Expected:
    """What a record's models and the prior lead one to expect of the next model."""
    logs = np.repeat(np.log(prior.weight)[:, None], moments.count.shape[1], axis=1)
    freedom, variance, precision, away = [], [], [], []
    for side in (0, 1):
        count = moments.count[side]
        nu, total = prior.freedom[side][:, None], (prior.freedom * prior.variance)[side][:, None]
        # Whatever depends on class and count alone is computed once for each count.
        n = np.arange(count.max(initial=0) + 1)
        free = nu + np.maximum(n - 1, 0)
        constant = gammaln(free / 2) - gammaln(nu / 2) + nu / 2 * np.log(total) + (n > 0) / 2 * np.log(free)
        sums = total + moments.residual[side]
        logs += constant[:, count]
        logs -= ((free + (n > 0)) / 2)[:, count] * np.log(sums)
        freedom.append(free[:, count])
        variance.append(sums / freedom[side])
        precision.append(count / variance[side])
        away.append(moments.mean[side] - prior.mean[side][:, None])
    p, q = precision
    a, b, c = prior.between[0][:, None], prior.between[1][:, None], prior.shared[:, None]
    whole = a * b - c * c
    size = (1 + p * a) * (1 + q * b) - p * q * c * c
    uncertain = ((a + q * whole) / size, (b + p * whole) / size)
    shared = c / size
    pull = (p * away[0], q * away[1])
    centre = (uncertain[0] * pull[0] + shared * pull[1], shared * pull[0] + uncertain[1] * pull[1])
    logs -= 0.5 * (np.log(size) + pull[0] * (away[0] - centre[0]) + pull[1] * (away[1] - centre[1]))
    return Expected(logs, (freedom[0], freedom[1]), centre, (variance[0], variance[1]), uncertain, shared)


def log_ratio(values: Floats, moments: Moments, prior: Prior) -> Floats:
    """(records,) log of the density of a target's values with the record over that without it."""
    result = np.empty(len(values))
    tables = [_constants(prior, moments, side) for side in (0, 1)]
    for start in range(0, len(values), _BLOCK):
        part = slice(start, start + _BLOCK)
        known = expected(prior, moments.take(part))
        sides = []
        for side in (0, 1):
            freedom = known.freedom[side]
            square = known.variance[side] + known.uncertain[side]
            distance = np.square(values[part] - prior.mean[side][:, None] - known.centre[side])
            logs = tables[side][:, moments.count[side, part]] - 0.5 * np.log(square)
            logs -= (freedom + 1) / 2 * np.log1p(distance / (freedom * square))
            sides.append(_log_sum(logs + known.log_weight))
        result[part] = sides[0] - sides[1]
    return result


def tail(values: Floats, moments: Moments, prior: Prior, *, upper: bool = True) -> Floats:
    """(records,) probabilities that a model without the record answers above the values, or below them."""
    result = np.empty(len(values))
    for start in range(0, len(values), _BLOCK):
        part = slice(start, start + _BLOCK)
        known = expected(prior, moments.take(part))
        weight = _shares(known.log_weight)
        counts = weight > _NEGLIGIBLE
        scale = np.sqrt(known.variance[1][counts] + known.uncertain[1][counts])
        distance = (values[part] - prior.mean[1][:, None] - known.centre[1])[counts] / scale
        weight[counts] *= stdtr(known.freedom[1][counts], -distance if upper else distance)
        weight[~counts] = 0.0
        result[part] = weight.sum(axis=0)
    return np.minimum(result, 1.0)


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


def _usual(moments: Moments, pooled: Floats) -> Floats:
    """(2,) median of the records' own variances, which one wild answer does not move; the pooled one if that is 0."""
    several = moments.count > 1
    own = [moments.residual[side][several[side]] / (moments.count[side][several[side]] - 1) for side in (0, 1)]
    return np.array([(float(np.median(part)) if len(part) else 0.0) or pooled[side] for side, part in enumerate(own)])


def _constants(prior: Prior, moments: Moments, side: int) -> Floats:
    """(classes, largest count + 1) constants of the log-densities."""
    free = prior.freedom[side][:, None] + np.maximum(np.arange(moments.count[side].max(initial=0) + 1) - 1, 0)
    return np.asarray(gammaln((free + 1) / 2) - gammaln(free / 2) - 0.5 * np.log(np.pi * free))


def _log_sum(logs: Floats) -> Floats:
    top = logs.max(axis=0)
    return np.asarray(top + np.log(np.exp(logs - top).sum(axis=0)))


def _shares(logs: Floats) -> Floats:
    """Exponentials of the columns, divided by their sums."""
    result = np.exp(logs - logs.max(axis=0))
    return np.asarray(result / result.sum(axis=0))


def _start(moments: Moments, pooled: Floats) -> Prior:
    """Classes of equal size, by the place of a record's models among all records'."""
    records = moments.count.shape[1]
    classes = min(_CLASSES, max(1, records // _RECORDS_PER_CLASS))
    place, middles, widths = np.zeros(records), [], []
    for side in (0, 1):
        seen = moments.count[side] > 0
        means = moments.mean[side][seen]
        low, middle, high = np.quantile(means, [0.25, 0.5, 0.75]) if seen.any() else (0.0, 0.0, 0.0)
        middles.append(float(middle))
        widths.append(float(high - low) / _QUARTILES or (float(means.std()) if seen.any() else 0.0))
        standard = (moments.mean[side] - middles[side]) / (widths[side] or 1.0)
        place += np.where(seen, moments.count[side] * standard, 0.0)
    place /= np.maximum(moments.count.sum(axis=0), 1)
    steps = np.quantile(place, (np.arange(classes) + 0.5) / classes)
    variance = np.repeat(pooled[:, None], classes, axis=1)
    return Prior(
        np.full(classes, 1 / classes),
        np.array(middles)[:, None] + np.array(widths)[:, None] * steps,
        variance / 2,
        _CORRELATED * np.sqrt(variance[0] * variance[1]) / 2,
        variance,
        np.full((2, classes), 8.0),
    )


def _improved(prior: Prior, moments: Moments, floor: Floats) -> Prior:
    """One round of expectation-maximisation; in every sum the class as it was counts as `_OWN` records."""
    known = expected(prior, moments)
    share = _shares(known.log_weight)
    plain = share.sum(axis=1)
    size = plain + _OWN
    weight = (plain + _SPREAD_OUT / len(size)) / (plain.sum() + _SPREAD_OUT)
    moved = [(share * centre).sum(axis=1) / size for centre in known.centre]
    left = [centre - step[:, None] for centre, step in zip(known.centre, moved, strict=True)]

    def mean(values: Floats, before: Floats) -> Floats:
        return np.asarray(((share * values).sum(axis=1) + _OWN * before) / size)

    between = np.stack([mean(known.uncertain[s] + np.square(left[s]), prior.between[s]) for s in (0, 1)])
    between = np.maximum(between, floor)
    most = _MOST_CORRELATED * np.sqrt(between[0] * between[1])
    shared = np.clip(mean(known.shared + left[0] * left[1], prior.shared), -most, most)
    variance, freedom = [], []
    for side in (0, 1):
        nu, before = prior.freedom[side], prior.variance[side]
        precise = 1 / mean(1 / known.variance[side], 1 / before)
        n = np.arange(moments.count[side].max(initial=0) + 1)
        half = (nu[:, None] + np.maximum(n - 1, 0)) / 2
        # Expected log-precision of each record; the prior's own, for what the class was before.
        logs = (digamma(half) - np.log(half))[:, moments.count[side]] - np.log(known.variance[side])
        lack = -np.log(precise) - mean(logs, digamma(nu / 2) - np.log(nu / 2) - np.log(before))
        lack = np.maximum(lack, _TINY)
        root = (3 - lack + np.sqrt(np.square(lack - 3) + 24 * lack)) / (12 * lack)
        variance.append(np.maximum(precise, floor[side]))
        freedom.append(np.clip(2 * root, *_FREEDOM))
    return Prior(weight, prior.mean + np.stack(moved), between, shared, np.stack(variance), np.stack(freedom))
