"""How many people are unique in the population, estimated from a sample when there is no register.

Promise: every estimate has an interval, its n and its method, and says what it rests on; an estimator that has no
answer says why. The rows have to be a random sample of a population of known size. An interval covers the drawing of
the sample, not a model that is wrong: the estimators are there together so that one sees how far they are apart.

* `match`: the chance that a match of a row that is unique in the sample is right, DIS:
  pi n_1 / (pi n_1 + 2 (1 - pi) n_2), no model of the population.
* `zayatz`: Bayes' rule with the sample's class sizes for the population's.
* `snb`: class sizes are 1 + negative binomial; the number of classes is Shlosser's third estimate (Haas and Stokes,
  1998), shape and scale solve the equations of the expected numbers of uniques and pairs.
* `pitman`: the sample is a Pitman partition, fitted by maximum likelihood; the expected number of uniques among N,
  given the sample, in closed form.
* the rule of Dankar et al. (2012): Pitman where at most a tenth is sampled, else the smaller of SNB and Zayatz; where
  the chosen one has no answer, Zayatz.

Intervals of the models: numbers of classes of each size are drawn anew as independent Poisson numbers (resampling
rows would make twins of uniques), percentiles, made to contain the estimate. They say nothing of a model
that does not hold: in simulated populations (lognormal shares of cells, 1 to 20 % sampled) they mostly miss the truth,
by 3 to 50 points of the share, and all three models can lie on one side of it.

The interval of `match` needs no model: given how many classes have one row or two, those with two are binomial, so it
is Clopper and Pearson's, carried over. Its counts are divided by how much more the error varies than so (the truth
varies too, as the sample does: var(T - c n_2) = sum over uniques of (F - 1)^2 + c^2 n_2 for T their twins in the
population and c = 2 (1 - pi)/pi, with 6 n_3 ((1 - pi)/pi)^2 + c n_2 for the sum). Without a class of two it is wide,
as it should be: no such class among ten uniques does not show that a match is right.

Sources: Skinner and Elliot (2002), DIS; Zayatz (1991); Chen and Keller-McNulty (1998), SNB; Hoshino (2001), Pitman;
Dankar, El Emam, Neisa and Roffey (2012), the rule.

Units: shares of the population, in [0, 1].

Example:
    >>> from reticent.randomness import Randomness
    >>> from reticent.data.anonymity.uniqueness import population_uniqueness
    >>> sizes = [1] * 300 + [2] * 100 + [5] * 60
    >>> found = population_uniqueness(sizes, population=8_000, randomness=Randomness.simulated(1))
    >>> found.chosen, round(found.estimate.value, 2), round(found.match.value, 2)
    ('pitman', 0.08, 0.14)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from scipy import optimize, special, stats

from reticent import _checks
from reticent.data.anonymity.counting import Floats, Ints
from reticent.errors import UsageError
from reticent.evidence import Estimate
from reticent.evidence.intervals import clopper_pearson
from reticent.randomness import Randomness, required

__all__ = ["MODELS", "Uniqueness", "dis", "pitman", "population_uniqueness", "snb", "zayatz"]

MODELS: Final = ("zayatz", "snb", "pitman")
_FEW: Final = 0.1
_DRAWS: Final = 200


@dataclasses.dataclass(frozen=True)
class Uniqueness:
    """What a sample says about uniques in its population.

    Attributes:
        rows: of the sample.
        population: people it was drawn from.
        uniques: rows that are unique in the sample.
        match: chance that a match of such a row is right (DIS).
        models: share of the population that is unique, by each model that has an answer.
        reasons: why the others have none.
        chosen: the model of the rule; "none" if no row is unique in the sample.
        estimate: its estimate.
    """

    rows: int
    population: int
    uniques: int
    match: Estimate
    models: Mapping[str, Estimate]
    reasons: Mapping[str, str]
    chosen: str
    estimate: Estimate

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "rows": self.rows,
            "population": self.population,
            "uniques": self.uniques,
            "match": self.match.as_dict(),
            "models": {name: one.as_dict() for name, one in self.models.items()},
            "reasons": dict(self.reasons),
            "chosen": self.chosen,
            "estimate": self.estimate.as_dict(),
        }


def population_uniqueness(
    sizes: Any, *, population: int, randomness: Randomness, confidence: float = 0.95, draws: int = _DRAWS
) -> Uniqueness:
    """Estimate the share of a population that is unique in some columns, from the classes of a sample.

    Args:
        sizes: (classes,) rows of each class of the sample (`Table.classes(columns).sizes`).
        population: how many people the rows were drawn from, at random.
        randomness: for the intervals.
        confidence: of the intervals.
        draws: how often the sample is drawn anew for them.

    Raises:
        UsageError: the population is smaller than the sample, or the sample is empty.
    """
    required(randomness)
    _checks.open_fraction(confidence=confidence)
    _checks.at_least(20, draws=draws)
    histogram = _histogram(sizes)
    rows = int(histogram.size @ histogram.classes)
    if _checks.at_least(1, population=population) < rows:
        raise UsageError(f"Expected a population of at least the {rows} rows, got {population}.", "Count it again.")
    again = _drawn(histogram, randomness, draws)
    method = "classes of each size drawn anew (Poisson), percentiles; holds if the sample is random and the model right"

    def estimated(figure: _Figure) -> Estimate | str:
        value = figure(histogram, population)
        if isinstance(value, str):
            return value
        fraction = rows / population
        tried = (figure(one, round(float(one.size @ one.classes) / fraction)) for one in again)
        answers = [one for one in tried if not isinstance(one, str)]
        if len(answers) < draws / 2:
            return "it has no answer for most samples like this one"
        low, high = np.quantile(answers, [(1 - confidence) / 2, (1 + confidence) / 2])
        return Estimate(value, min(value, low), max(value, high), confidence, rows, method)

    found = {name: estimated(figure) for name, figure in _FIGURES.items()}
    match = _match(histogram, rows, rows / population, confidence)
    models = {name: one for name, one in found.items() if not isinstance(one, str)}
    reasons = {name: one for name, one in found.items() if isinstance(one, str)}
    uniques = histogram.of(1)
    chosen = _rule(models, rows / population) if uniques else "none"
    return Uniqueness(rows, population, uniques, match, models, reasons, chosen, models.get(chosen, models["zayatz"]))


def _rule(models: Mapping[str, Estimate], fraction: float) -> str:
    if fraction <= _FEW:
        return "pitman" if "pitman" in models else "zayatz"
    if "snb" in models and models["snb"].value <= models["zayatz"].value:
        return "snb"
    return "zayatz"


@dataclasses.dataclass(frozen=True)
class _Histogram:
    size: Ints
    classes: Ints

    def of(self, size: int) -> int:
        return int(self.classes[self.size == size].sum())


_Figure = Callable[[_Histogram, int], "float | str"]


def _histogram(sizes: Any) -> _Histogram:
    given = np.asarray(sizes, dtype=np.int64)
    if not given.size or (given < 1).any():
        raise UsageError("Expected the sizes of classes, each at least 1.", "Pass table.classes(columns).sizes.")
    size, classes = np.unique(given, return_counts=True)
    return _Histogram(size, classes.astype(np.int64))


def _drawn(histogram: _Histogram, randomness: Randomness, draws: int) -> list[_Histogram]:
    uniform = randomness.uniform((draws, len(histogram.size)))
    counts = stats.poisson.ppf(np.maximum(uniform, 2.0**-54), histogram.classes).astype(np.int64)
    return [_Histogram(histogram.size[one > 0], one[one > 0]) for one in counts if one.any()]


def dis(uniques: int, pairs: int, fraction: float) -> float:
    """The chance that a match of a sample-unique row is right.

    Args:
        uniques: classes of one row in the sample.
        pairs: classes of two.
        fraction: of the population that was sampled.
    """
    if not uniques:
        return 0.0
    return fraction * uniques / (fraction * uniques + 2 * (1 - fraction) * pairs)


def zayatz(sizes: Any, population: int) -> float:
    """Share of the population that is unique, by Zayatz's model."""
    return float(_zayatz(_histogram(sizes), population))


def snb(sizes: Any, population: int) -> float | str:
    """Share of the population that is unique, by the shifted negative binomial; or why there is no answer."""
    return _snb(_histogram(sizes), population)


def pitman(sizes: Any, population: int) -> float | str:
    """Share of the population that is unique, by Pitman's model, given the sample; or why there is no answer."""
    return _pitman(_histogram(sizes), population)


def _match(histogram: _Histogram, rows: int, fraction: float, confidence: float) -> Estimate:
    """DIS with its interval."""
    uniques, pairs, threes = (float(histogram.of(size)) for size in (1, 2, 3))
    value = dis(histogram.of(1), histogram.of(2), fraction)
    low = high = value
    if uniques and fraction < 1:
        more = 1 + 1.5 * threes / max(pairs, 1.0) + fraction / (2 * (1 - fraction))
        scale = max(more / (1 + pairs / uniques), 1.0)
        few, many = clopper_pearson(pairs / scale, (uniques + pairs) / scale, confidence)
        low, high = (fraction * (1 - one) / (fraction * (1 - one) + 2 * (1 - fraction) * one) for one in (many, few))
    method = "DIS; binomial interval for classes of two among those of one or two, widened for the truth's own variance"
    return Estimate(value, min(low, value), max(high, value), confidence, rows, method)


def _zayatz(histogram: _Histogram, population: int) -> float:
    rows = int(histogram.size @ histogram.classes)
    uniques = histogram.of(1)
    if not uniques:
        return 0.0
    shown = stats.hypergeom.pmf(1, population, histogram.size, rows)  # P(f = 1 | F = j)
    given = histogram.classes / histogram.classes.sum()
    kept = float((given * shown)[histogram.size == 1].sum() / (given * shown).sum())
    return uniques * kept / rows


def _snb(histogram: _Histogram, population: int) -> float | str:
    rows = int(histogram.size @ histogram.classes)
    fraction, uniques, pairs = rows / population, histogram.of(1), histogram.of(2)
    if not uniques:
        return 0.0
    if fraction >= 1:
        return uniques / rows
    if not pairs:
        return "no class of the sample has two rows"
    classes = _shlosser(histogram, fraction)
    ratio, z = 2 * pairs / (uniques * fraction), 1 - fraction

    def alpha_of(beta: Floats) -> Floats:
        # G''/G' = ratio for the generating function G of 1 + NB(alpha, beta): a quadratic with one positive root.
        w = (1 - beta) * z
        c, x = (1 - beta) / (1 - w), w / (1 - w)
        b = c * (2 + x) - ratio * x
        root: Floats = (-b + np.sqrt(b * b + 4 * c * x * ratio)) / (2 * c * x)
        return root

    def missing(beta: Floats) -> Floats:
        w, alpha = (1 - beta) * z, alpha_of(beta)
        log_slope = alpha * (np.log(beta) - np.log1p(-w)) + np.log1p(alpha * w / (1 - w))
        found: Floats = np.log(classes * fraction) + log_slope - np.log(uniques)
        return found

    grid = special.expit(np.linspace(-16, 16, 400))
    values = missing(grid)
    changes = np.flatnonzero((values[:-1] < 0) != (values[1:] < 0))
    if not len(changes):
        return "its equations have no solution for this sample"
    roots = np.array([optimize.brentq(lambda beta: float(missing(beta)), grid[i], grid[i + 1]) for i in changes])
    alphas = alpha_of(roots)
    # Of several, the one whose mean class size fits the size of the population.
    means = classes * (1 + alphas * (1 - roots) / roots)
    best = int(np.argmin(np.abs(np.log(means / population))))
    return float(min(classes * roots[best] ** alphas[best] / population, 1.0))


def _shlosser(histogram: _Histogram, fraction: float) -> float:
    """Number of classes in the population: the third estimate of Haas and Stokes (1998), after Shlosser (1981)."""
    i, f = histogram.size.astype(float), histogram.classes.astype(float)
    q, squared = fraction, fraction * fraction
    kept = (1 - q) ** i
    first = (i * squared * (1 - squared) ** (i - 1)) @ f / (((1 - squared) ** i - kept) @ f)
    second = (kept @ f) / ((i * q * (1 - q) ** (i - 1)) @ f)
    return float(f.sum() + histogram.of(1) * first * second**2)


def _pitman(histogram: _Histogram, population: int) -> float | str:
    rows, classes = int(histogram.size @ histogram.classes), int(histogram.classes.sum())
    uniques, more = histogram.of(1), population - rows
    if not uniques:
        return 0.0
    if more <= 0:
        return uniques / rows
    if classes == 1 or uniques == rows:
        return "all classes of the sample have one row, or there is one class: its parameters cannot be fitted"
    theta, alpha = _pitman_parameters(histogram, rows, classes)
    if not np.isfinite(theta + alpha):
        return "its likelihood has no maximum for this sample"
    log = special.gammaln
    # A class of one stays alone while `more` people come; a newcomer opens a class and stays alone.
    stay = (
        log(theta + rows + alpha - 1 + more)
        - log(theta + rows + alpha - 1)
        + log(theta + rows)
        - log(theta + rows + more)
    )
    alone = (
        log(theta + rows + alpha - 1 + more) - log(theta + rows + alpha) + log(theta + rows) - log(theta + rows + more)
    )
    expected = uniques * np.exp(stay) + more * (theta + classes * alpha) * np.exp(alone)
    return float(min(expected / population, 1.0))


def _pitman_parameters(histogram: _Histogram, rows: int, classes: int) -> tuple[float, float]:
    log = special.gammaln
    larger = histogram.size > 1
    size, count = histogram.size[larger], histogram.classes[larger]

    def loss(x: Floats) -> float:
        alpha = float(np.clip(special.expit(x[0]), 1e-9, 1 - 1e-9))
        theta = float(np.exp(np.clip(x[1], -30, 40))) - alpha
        opened = (classes - 1) * np.log(alpha) + log(theta / alpha + classes) - log(theta / alpha + 1)
        joined = float(((log(size - alpha) - log(1 - alpha)) * count).sum())
        return float(-(opened + joined - log(theta + rows) + log(theta + 1)))

    # To a thousandth of the log-likelihood, and of log-odds and logarithm: far finer than the sample says.
    options = {"maxiter": 400, "xatol": 1e-3, "fatol": 1e-3}
    best = optimize.minimize(loss, [0.0, np.log(classes)], method="Nelder-Mead", options=options)
    alpha = float(np.clip(special.expit(best.x[0]), 1e-9, 1 - 1e-9))
    return float(np.exp(np.clip(best.x[1], -30, 40))) - alpha, alpha


_FIGURES: Final[dict[str, _Figure]] = {"zayatz": _zayatz, "snb": _snb, "pitman": _pitman}
