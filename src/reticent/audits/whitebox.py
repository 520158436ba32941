"""A private training audited from inside: gradient canaries in, every noisy gradient out.

Promise: `audit_training` runs a training as it is on records whose gradients are known (`reticent.audits.probes`), and
asks three kinds of questions of what it released: whether it does what its plan says (`reticent.audits.checks`),
whether one run tells more about which canaries are in than the plan's guarantee allows (`bounds.test_claim`, on the
whole trade-off curve), and whether single steps do (`bounds.per_step`). A training that executes its plan fails one of
them with probability at most 1 - confidence, all of them together: each has an equal share of it.

The scores of the one-run bound are log-likelihood ratios of a canary's traces over all steps, for Poisson samples at
the plan's rate (Nasr et al., 2023, section 5; Steinke, Nasr and Jagielski, 2023). Coins and noise of several runs are
independent, so their canaries count together.

What an audit that passes means: the faults that these questions can see were not there in these runs. It is no proof,
and says nothing about losses, loaders or networks other than those that were run.

Example:
    >>> import reticent as rt
    >>> from reticent.audits.engines import by_make_private
    >>> from reticent.audits.whitebox import audit_training
    >>> plan = rt.Plan(1.0, dataset_size=400, batch_size=40, steps=20, delta=1e-4)
    >>> audit = audit_training(by_make_private, plan, randomness=rt.Randomness.simulated(1))
    >>> audit.passed, audit.bound.epsilon <= audit.claimed
    (True, True)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.audits.bounds import judge, per_step, several_runs, test_claim
from reticent.audits.checks import CHECKS, Check, checked
from reticent.audits.probes import Trace, Training, probed, watch
from reticent.evidence.bounds import LowerBound, Verdict
from reticent.privacy import Plan, Poisson, Relation
from reticent.privacy.rounding import round_down
from reticent.randomness import Randomness, required

__all__ = ["QUESTIONS", "TrainingAudit", "audit_training", "score"]

_MOST = 1000  # canaries, unless more are asked for
WHOLE_RUNS, SINGLE_STEPS = "whole runs", "single steps"
QUESTIONS = (*CHECKS, WHOLE_RUNS, SINGLE_STEPS)
"""The names of everything that is asked, in order."""


@dataclasses.dataclass(frozen=True)
class TrainingAudit:
    """What a private training released about gradients that were known.

    Attributes:
        plan: what it should have executed.
        checks: every question, those of the bounds last.
        bound: on epsilon, from all runs.
        of_steps: on epsilon, from single steps, composed over the plan's.
        claimed: epsilon of the plan's guarantee at its delta.
        canaries: in each run.
        runs: how many.
        confidence: of each bound; also, of all checks together, how often a right training passes.
    """

    plan: Plan
    checks: tuple[Check, ...]
    bound: LowerBound
    of_steps: LowerBound | None
    claimed: float
    canaries: int
    runs: int
    confidence: float

    @property
    def passed(self) -> bool:
        """Whether nothing spoke against the plan."""
        return all(check.passed for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def verdict(self) -> Verdict:
        """What the guesses of whole runs say about the plan's guarantee, and how large a leak they would show."""
        p_value = next(check.p_value for check in self.checks if check.name == WHOLE_RUNS)
        return judge(self.bound, self.plan.guarantee(), p_value=p_value)

    def __str__(self) -> str:
        verdict = (
            "nothing was found that speaks against the plan; that is no proof"
            if self.passed
            else f"this training does not do what its plan says: {', '.join(check.name for check in self.failed)}"
        )
        of_runs = f"{self.runs} runs of {self.plan.steps} steps, {self.canaries} canaries in each"
        lines = [f"{of_runs}: {verdict}", str(self.bound), *([] if self.of_steps is None else [str(self.of_steps)])]
        return "\n".join([*lines, f"claimed: epsilon {self.claimed:.4g}", *map(str, self.checks)])

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "plan": self.plan.as_dict(),
            "passed": self.passed,
            "checks": [check.as_dict() for check in self.checks],
            "bound": self.bound.as_dict(),
            "of_steps": None if self.of_steps is None else self.of_steps.as_dict(),
            "claimed": self.claimed,
            "canaries": self.canaries,
            "runs": self.runs,
            "confidence": self.confidence,
        }


def audit_training(
    training: Training,
    plan: Plan,
    *,
    canaries: int | None = None,
    runs: int = 2,
    confidence: float = 0.95,
    randomness: Randomness | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TrainingAudit:
    """Run a private training on known gradients and say what it gives away beyond its plan.

    Args:
        training: called with a `Trial`, once for each run; see `reticent.audits.engines` for adapters. Randomness of
            its own has to differ from run to run, as it does when it is secure.
        plan: what it should execute. A small one is enough and fast: the engine does not know the difference. Batches
            that repeat show after two passes.
        canaries: in each run; half of the plan's records, at most 1,000, by default.
        runs: two or more show noise that is the same in each run.
        confidence: see `TrainingAudit`.
        randomness: source of coins, and of what the trials offer; the operating system's by default.
        progress: called as progress(runs_done, runs).

    Raises:
        UsageError: a plan that cannot be probed; a training that did not use what it was given.
    """
    source = Randomness.secure() if randomness is None else required(randomness)
    probed(plan)
    _checks.at_least(1, runs=runs)
    _checks.open_fraction(confidence=confidence)
    count = max(1, min(plan.dataset_size // 2, _MOST)) if canaries is None else canaries
    traces = []
    for number in range(runs):
        traces.append(watch(training, plan, canaries=count, randomness=source.spawn(f"run {number}")))
        if progress is not None:
            progress(number + 1, runs)
    return concluded(traces, plan, confidence=confidence)


def concluded(traces: Sequence[Trace], plan: Plan, *, confidence: float) -> TrainingAudit:
    """The audit of runs that have been watched."""
    level = (1 - confidence) / len(QUESTIONS)
    guarantee = plan.guarantee()
    claimed = guarantee.epsilon(plan.delta)
    scores, included = [score(trace, plan) for trace in traces], [trace.included for trace in traces]
    about: dict[str, Any] = {"delta": plan.delta, "unit": plan.unit, "relation": plan.relation}
    bound = several_runs(scores, included, confidence=confidence, method="f-dp-any", **about)
    one = Check(
        WHOLE_RUNS,
        f"guesses about canaries within the guarantee: epsilon {claimed:.4g} at delta {plan.delta:.3g}",
        f"epsilon of at least {round_down(bound.epsilon):.4g}, from {bound.trials} canaries",
        test_claim(scores, included, guarantee),
        level,
    )
    of_steps, two = _single_steps(traces, plan, claimed, confidence=confidence, level=level)
    return TrainingAudit(
        plan,
        (*checked(traces, plan, level=level), one, two),
        bound,
        of_steps,
        claimed,
        len(traces[0].included),
        len(traces),
        confidence,
    )


def _single_steps(
    traces: Sequence[Trace], plan: Plan, claimed: float, *, confidence: float, level: float
) -> tuple[LowerBound | None, Check]:
    """The bound from single steps, where their law is written down, and whether it is above what was claimed."""
    expected = f"single steps within epsilon {claimed:.4g} for the whole training"
    simple = plan.noise_schedule.is_constant and plan.relation is Relation.ADD_OR_REMOVE_ONE
    inside, outside = (
        np.concatenate([trace.canaries[:, trace.included == side].ravel() for trace in traces])
        for side in (True, False)
    )
    if not (simple and isinstance(plan.sampling, Poisson) and inside.size and outside.size):
        return None, Check(
            SINGLE_STEPS, expected, "written down for one noise, Poisson samples and coins only", None, level
        )
    # Set by the plan alone: at half a clipping norm, and where noise alone hardly ever reaches.
    thresholds = [0.5 + times * plan.noise_multiplier for times in (0.0, 1.0, 2.0)]

    def bound(share: float) -> LowerBound:
        return per_step(
            inside,
            outside,
            steps=plan.steps,
            sample_rate=plan.sample_rate,
            delta=plan.delta,
            confidence=share,
            thresholds=thresholds,
            unit=plan.unit,
        )

    strict = bound(1 - level)
    seen = f"epsilon of at least {round_down(strict.epsilon):.4g}, from {strict.trials} numbers"
    # Either side of its level: a bound at that level is above the claim, or it is not.
    return bound(confidence), Check(SINGLE_STEPS, expected, seen, 0.0 if strict.epsilon > claimed else 1.0, level)


def score(trace: Trace, plan: Plan) -> npt.NDArray[np.float64]:
    """(m,) the logarithm of how much likelier a canary's traces are if it is in than if it is not.

    For Poisson samples; for other samplers a score like any other.
    """
    steps = min(trace.steps, plan.steps)
    traces = trace.canaries[:steps]
    variances = np.array([[plan.noise_multiplier_at(step) ** 2] for step in range(steps)])
    scores = _mixed((traces - 0.5) / variances, plan.sample_rate)
    if plan.relation is Relation.REPLACE_ONE:
        scores = scores - _mixed((-traces - 0.5) / variances, plan.sample_rate)
    return np.asarray(scores.sum(axis=0))


def _mixed(exponents: npt.NDArray[np.float64], rate: float) -> npt.NDArray[np.float64]:
    """log(1 - rate + rate e^x)."""
    if rate >= 1.0:
        return exponents
    return np.asarray(np.logaddexp(np.log1p(-rate), np.log(rate) + exponents))
