"""Does a private training do what its plan says? Tests of noise, clipping and batches on what it released.

Promise: each check is a test of one statement that holds exactly for a training that executes its plan, and gives the
probability of looking at least as odd if it does. Those of the noise are exact (chi-square; Student's t for the
correlation of two independent Gaussian vectors); those of batches are normal approximations to sums of thousands of
terms. Where many numbers are looked at (every step, every pair of steps, every lag), the probability is multiplied by
how many there are (Bonferroni). Whoever asks several checks divides the level by their number.

* steps: how many noisy gradients there were. Steps that were left out or added.
* noise scale: all silent numbers together. No noise; noise that is scaled wrongly.
* noise everywhere: the silent numbers of each step, and of each coordinate. Parameters without noise; a sum that is
  divided by the size of the batch that was drawn.
* noise fresh: correlations of any two steps, of all runs, and of any two coordinates. A seed that is used again; one
  draw for several numbers.
* sensitivity: the largest trace of a canary in any step. No clipping, or clipping after averaging.
* contribution: the mean trace of the canaries that are in the data. Batches at another rate, a wrong divisor, a
  threshold that is not met.
* batch sizes: how many fillers took part, the mean and the spread. Batches of fixed size in place of Poisson's.
* order: whether taking part goes together with taking part so many steps later. Batches that come again.

A check that passes shows nothing but that: the fault it looks for was not seen in these runs.

Example:
    >>> import reticent as rt
    >>> from reticent.audits.checks import checked
    >>> from reticent.audits.engines import by_train
    >>> from reticent.audits.probes import watch
    >>> plan = rt.Plan(1.0, dataset_size=200, batch_size=20, steps=20, delta=1e-3)
    >>> traces = [watch(by_train, plan, canaries=100, randomness=rt.Randomness.simulated(7))]
    >>> [check.name for check in checked(traces, plan, level=0.001) if not check.passed]
    []
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, chi2, norm
from scipy.stats import t as student

from reticent.audits.probes import Trace
from reticent.privacy import FixedSize, Plan, Poisson, Relation, TruncatedPoisson

__all__ = ["CHECKS", "Check", "checked"]

Floats = npt.NDArray[np.float64]

_MOST_ROWS = 4000  # steps whose noise is compared with each other
_FEWEST = 1000  # products behind a lag that is looked at


@dataclasses.dataclass(frozen=True)
class Check:
    """One test of what a training released.

    Attributes:
        name: see the module's table.
        expected: what holds for a training that executes its plan.
        seen: what was found.
        p_value: the probability of at least that, if it does; None where the check could not be run. Of a bound that is
            held against a claim at this level: 0 where it is above, otherwise 1.
        level: below it the check fails.
    """

    name: str
    expected: str
    seen: str
    p_value: float | None
    level: float

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against the plan; also where the check could not be run."""
        return self.p_value is None or self.p_value >= self.level

    @property
    def was_run(self) -> bool:
        """Whether it could be run."""
        return self.p_value is not None

    def __str__(self) -> str:
        state = "not run" if self.p_value is None else "passed" if self.passed else "FAILED"
        chance = "" if self.p_value is None else f" (p = {self.p_value:.2g}, level {self.level:.2g})"
        return f"{self.name}: {state}{chance}; expected {self.expected}; saw {self.seen}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**dataclasses.asdict(self), "passed": self.passed, "was_run": self.was_run}


Answer = tuple[str, str, float | None]


def checked(traces: Sequence[Trace], plan: Plan, *, level: float) -> tuple[Check, ...]:
    """All checks, each at this level.

    Args:
        traces: of runs with randomness of their own; see `reticent.audits.probes.watch`.
        plan: what they should have executed.
        level: how often each check may fail for a training that executes its plan.
    """
    whole = [_cut(trace, plan.steps) for trace in traces]
    return tuple(Check(name, *test(traces if name == "steps" else whole, plan), level) for name, test in CHECKS.items())


def _cut(trace: Trace, steps: int) -> Trace:
    return Trace(trace.canaries[:steps], trace.included, trace.fillers[:steps], trace.silent[:steps])


def _deviations(trace: Trace, plan: Plan) -> Floats:
    """(T, 1) the noise's standard deviation in each step."""
    return np.array([[plan.noise_multiplier_at(step)] for step in range(trace.steps)])


def _rate(plan: Plan) -> float:
    """The probability with which a record takes part in a step."""
    if isinstance(plan.sampling, TruncatedPoisson):
        sizes = np.arange(plan.dataset_size + 1)
        law = binom.pmf(sizes, plan.dataset_size, plan.sample_rate)
        return float((law * np.minimum(sizes, plan.sampling.most)).sum() / plan.dataset_size)
    return plan.sample_rate


def _steps(traces: Sequence[Trace], plan: Plan) -> Answer:
    taken = [trace.steps for trace in traces]
    right = all(count == plan.steps for count in taken)
    return f"{plan.steps} steps in every run", f"{', '.join(map(str, taken))}", 1.0 if right else 0.0


def _noise(traces: Sequence[Trace], plan: Plan) -> Floats:
    """(steps of all runs, k) standard normal numbers, if all is right."""
    return np.concatenate([trace.silent / _deviations(trace, plan) for trace in traces])


def _two_sided(squares: Any, count: float) -> Any:
    return np.minimum(1.0, 2 * np.minimum(chi2.cdf(squares, count), chi2.sf(squares, count)))


def _noise_scale(traces: Sequence[Trace], plan: Plan) -> Answer:
    noise = _noise(traces, plan)
    seen = float(np.sqrt((noise**2).mean()))
    return (
        "noise with the plan's standard deviation",
        f"{seen:.4g} times that, over {noise.size} numbers",
        float(_two_sided((noise**2).sum(), noise.size)),
    )


def _noise_everywhere(traces: Sequence[Trace], plan: Plan) -> Answer:
    squares = _noise(traces, plan) ** 2
    steps, coordinates = squares.shape
    each = [_two_sided(squares.sum(axis=1), coordinates), _two_sided(squares.sum(axis=0), steps)]
    over_steps, over_coordinates = (np.sqrt(squares.mean(axis=axis)) for axis in (1, 0))
    return (
        "the same noise in every step and coordinate",
        f"{over_steps.min():.3g} to {over_steps.max():.3g} times it in single steps, {over_coordinates.min():.3g} to "
        f"{over_coordinates.max():.3g} times in single coordinates",
        min(1.0, float(np.concatenate(each).min()) * (steps + coordinates)),
    )


def _noise_fresh(traces: Sequence[Trace], plan: Plan) -> Answer:
    expected = "independent noise in any two steps, of any runs, and any two coordinates"
    noise = _noise(traces, plan)
    found = [_correlated(noise[:_MOST_ROWS]), _correlated(noise.T[:_MOST_ROWS])]
    if any(one is None for one in found):
        return expected, "steps or coordinates without any noise to compare", None
    largest, chances, pairs = zip(*(one for one in found if one is not None), strict=True)
    return (
        expected,
        f"correlations up to {largest[0]:.3g} between two steps, {largest[1]:.3g} between two coordinates",
        min(1.0, *(c * sum(pairs) for c in chances)),
    )


def _correlated(rows: Floats) -> tuple[float, float, int] | None:
    """The largest correlation of two rows, the probability of one like it for one pair, and the number of pairs."""
    count, size = rows.shape
    lengths = np.sqrt((rows**2).sum(axis=1))
    if count < 2 or size < 2:
        return 0.0, 1.0, 0
    if not (lengths > 0).all():
        return None
    unit = rows / lengths[:, None]
    products = np.abs(unit @ unit.T)
    np.fill_diagonal(products, 0.0)
    largest = min(float(products.max()), 1.0)
    odd = largest * np.sqrt((size - 1) / max(1e-300, 1 - largest**2))
    return largest, float(2 * student.sf(odd, size - 1)), count * (count - 1) // 2


def _sensitivity(traces: Sequence[Trace], plan: Plan) -> Answer:
    traced = [(np.abs(t.canaries) - 1.0) / _deviations(t, plan) for t in traces]
    sides = 2 if plan.relation is Relation.REPLACE_ONE else 1
    if sides == 1:
        traced = [(t.canaries - 1.0) / _deviations(t, plan) for t in traces]
    largest = max(float(one.max()) for one in traced)
    trials = sides * sum(one.size for one in traced)
    top = max(float(np.abs(trace.canaries).max()) for trace in traces)
    return (
        "no trace of a canary above one clipping norm, but for noise",
        f"at most {top:.4g} clipping norms, {largest:.3g} standard deviations of noise above one",
        min(1.0, trials * float(norm.sf(largest))),
    )


def _contribution(traces: Sequence[Trace], plan: Plan) -> Answer:
    rate = _rate(plan)
    values, variance, count = 0.0, 0.0, 0
    for trace in traces:
        inside = trace.canaries[:, trace.included]
        values += float(inside.sum())
        count += inside.size
        # Taking part varies by at most `rate`, whatever the sampler: most are more even than independent coins.
        variance += inside.shape[1] * float((rate + _deviations(trace, plan) ** 2).sum())
    expected = f"a mean trace of {rate:.4g} clipping norms in a step, the sampling rate"
    if count == 0:
        return expected, "no canary in the data", None
    odd = (values - count * rate) / np.sqrt(variance)
    return expected, f"{values / count:.4g} over {count} numbers", float(2 * norm.sf(abs(odd)))


def _batch_sizes(traces: Sequence[Trace], plan: Plan) -> Answer:
    fillers = plan.dataset_size - len(traces[0].included)
    rate, n = plan.sample_rate, plan.dataset_size
    if isinstance(plan.sampling, Poisson):
        spread, fourth = fillers * rate * (1 - rate), fillers * rate * (1 - rate) * (1 - 6 * rate * (1 - rate))
    elif isinstance(plan.sampling, FixedSize):
        spread = plan.batch_size * (fillers / n) * (1 - fillers / n) * (n - plan.batch_size) / max(1, n - 1)
        fourth = 0.0
    else:
        return "-", f"the spread under {type(plan.sampling).__name__} is not tested", None
    centred, scales = [], []
    for trace in traces:
        variances = spread + _deviations(trace, plan)[:, 0] ** 2
        centred.append((trace.fillers - fillers * rate) / np.sqrt(variances))
        scales.append(variances)
    odd, variances = np.concatenate(centred), np.concatenate(scales)
    # The fourth cumulant of the counts widens the law of their spread a little: fewer degrees of freedom.
    freedom = 2 * len(odd) / (2 + float((fourth / variances**2).mean()))
    of_mean = 2 * norm.sf(abs(float(odd.sum())) / np.sqrt(len(odd)))
    of_spread = _two_sided((odd**2).mean() * freedom, freedom)
    sizes = np.concatenate([trace.fillers for trace in traces])
    return (
        f"{fillers * rate:.4g} fillers in a batch, deviating by {np.sqrt(variances.mean()):.3g} with the noise",
        f"{sizes.mean():.4g}, deviating by {sizes.std():.3g}, in {len(sizes)} batches",
        min(1.0, 2 * float(min(of_mean, of_spread))),
    )


def _order(traces: Sequence[Trace], plan: Plan) -> Answer:
    expected = "taking part in a step does not depend on having done so in another"
    if not isinstance(plan.sampling, Poisson | TruncatedPoisson | FixedSize):
        return "-", f"under {type(plan.sampling).__name__} it does", None
    rate = _rate(plan)
    together: Floats = np.zeros(plan.steps)
    counts: Floats = np.zeros(plan.steps)
    for trace in traces:
        if not trace.included.any():
            continue
        spread = np.sqrt(rate * (1 - rate) + _deviations(trace, plan) ** 2)
        odd = (trace.canaries[:, trace.included] - rate) / spread
        products = odd @ odd.T
        for lag in range(1, trace.steps):
            together[lag] += np.trace(products, lag)
            counts[lag] += odd.shape[1] * (trace.steps - lag)
    looked = np.flatnonzero(counts >= _FEWEST)
    if not looked.size:
        return expected, "too few steps and canaries to tell", None
    scores = together[looked] / np.sqrt(counts[looked])
    largest = int(np.abs(scores).argmax())
    return (
        expected,
        f"the largest dependence {looked[largest]} steps apart, {scores[largest]:.3g} standard deviations",
        min(1.0, len(looked) * float(2 * norm.sf(abs(scores[largest])))),
    )


CHECKS = {
    "steps": _steps,
    "noise scale": _noise_scale,
    "noise everywhere": _noise_everywhere,
    "noise fresh": _noise_fresh,
    "sensitivity": _sensitivity,
    "contribution": _contribution,
    "batch sizes": _batch_sizes,
    "order": _order,
}
"""Name to test, in the order of the module's table."""
