"""The audits audited: models and mechanisms whose truth is known, and whether they are found to be what they are.

Promise: every item runs the same functions that audits use, on fresh draws, against something that is known: a model
that has learned nothing of its "members", one that has learned them by heart, a mechanism of known epsilon, records
that were planted to be exposed, private trainings with one bug each, and private trainings without. An item that fails
says what that means.

False alarms: items that count them fail by chance in at most one of a thousand self-tests each. Private trainings are
audited at 99 % confidence, all questions together; those without a bug get a second try on fresh draws, so that each
of them fails in one of ten thousand.

Not covered: data, models and trainings of other kinds than these; that something passes here says that the tools work,
and nothing about your model.

Example:
    >>> from reticent.audits.selftest import ITEMS
    >>> [item.name for item in ITEMS][:3]
    ['null model', 'null model, shadow models', 'memoriser']
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import binom

from reticent.attacks.membership import DEFAULT, METHODS
from reticent.audits._worlds import KernelMachine, NearestRecord, clusters, noisy_coins
from reticent.audits.bounds import one_run
from reticent.audits.bugs import BUGS
from reticent.audits.canaries import coins, mislabelled
from reticent.audits.engines import by_make_private, by_steps, by_train
from reticent.audits.probes import Training
from reticent.audits.risks import record_risks
from reticent.audits.shadows import train_shadows
from reticent.audits.statistics import auc, clopper_pearson, threshold_at
from reticent.audits.whitebox import audit_training
from reticent.errors import ReticentError
from reticent.models import Target
from reticent.privacy import Plan
from reticent.randomness import Randomness, required

__all__ = ["CONFIDENCE", "ITEMS", "PLAN", "Item", "Outcome", "SelfTest", "selftest"]

PLAN = Plan(1.0, dataset_size=1000, batch_size=100, steps=80, delta=1e-4)
"""What the private trainings of the self-test execute, twice: 500 canaries in each run."""

CONFIDENCE = 0.99
"""At which they are audited."""

_UNLIKELY = 1e-3


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one item of a self-test came to.

    Attributes:
        name: of the item.
        expected: what has to be seen if the tools work.
        seen: what was seen.
        passed: whether that is so.
        meaning: what it means if it is not.
        seconds: how long it took, by the clock.
    """

    name: str
    expected: str
    seen: str
    passed: bool
    meaning: str
    seconds: float

    def __str__(self) -> str:
        text = f"{'passed' if self.passed else 'FAILED'}  {self.name}: expected {self.expected}; saw {self.seen}"
        return text if self.passed else f"{text}. {self.meaning}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class SelfTest:
    """What a self-test came to.

    Attributes:
        outcomes: one for each item.
        quick: whether it was the short one.
        repeatable: whether its draws can be repeated.
    """

    outcomes: tuple[Outcome, ...]
    quick: bool
    repeatable: bool

    @property
    def passed(self) -> bool:
        """Whether every item did."""
        return all(outcome.passed for outcome in self.outcomes)

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The items that did not."""
        return tuple(outcome for outcome in self.outcomes if not outcome.passed)

    def __str__(self) -> str:
        count = f"{len(self.outcomes) - len(self.failed)} of {len(self.outcomes)} items passed"
        return "\n".join([*map(str, self.outcomes), count])

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "passed": self.passed,
            "quick": self.quick,
            "repeatable": self.repeatable,
            "outcomes": [outcome.as_dict() for outcome in self.outcomes],
        }


@dataclasses.dataclass(frozen=True)
class Item:
    """One question of a self-test.

    Attributes:
        name: short.
        expected: what has to be seen.
        meaning: what it means if it is not.
        run: called as run(randomness, quick); gives whether it was seen, and what was.
    """

    name: str
    expected: str
    meaning: str
    run: Callable[[Randomness, bool], tuple[bool, str]]


def selftest(
    *,
    randomness: Randomness | None = None,
    quick: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> SelfTest:
    """Audit what is known, and say whether it was found to be that.

    Args:
        randomness: source of every draw; the operating system's by default.
        quick: fewer repetitions: about half a minute on one core in place of two minutes.
        progress: called as progress("self-test", items_done, items).
    """
    source = Randomness.secure() if randomness is None else required(randomness)
    outcomes = []
    for number, item in enumerate(ITEMS):
        started = time.perf_counter()
        try:
            passed, seen = item.run(source.spawn(item.name), quick)
        except ReticentError as error:  # the others still have something to say
            passed, seen = False, f"an error: {error}"
        seconds = time.perf_counter() - started
        outcomes.append(Outcome(item.name, item.expected, seen, bool(passed), item.meaning, seconds))
        if progress is not None:
            progress("self-test", number + 1, len(ITEMS))
    return SelfTest(tuple(outcomes), quick, not source.is_secure)


# Membership -------------------------------------------------------------------------------------------------------


def _few(alarms: int, trials: int, rate: float, tests: int = 1) -> bool:
    """Whether so many false alarms, the most in so many tests, are no sign of a rate above the stated one."""
    return bool(binom.sf(alarms - 1, trials, rate) >= _UNLIKELY / tests)


def _null(randomness: Randomness, quick: bool) -> tuple[bool, str]:
    repeats, size = (100 if quick else 400), 100
    missed = named = asked = 0
    for number in range(repeats):
        draw = randomness.spawn(f"draw {number}")
        model = KernelMachine()(clusters(size, draw), draw)
        fresh = clusters(3 * size, draw)
        scores = Target(model, classes=2).log_odds(fresh.features, fresh.labels)
        members, others, apart = scores[:size], scores[size : 2 * size], scores[2 * size :]
        missed += not auc(members, others).contains(0.5)
        # Ten scores in a hundred lie above the threshold; a member that does not differ from them does so as often.
        named += int((members > threshold_at(0.1, apart)).sum())
        asked += size
    # Of n + 1 exchangeable scores, one is above the eleventh largest of the others with probability 11 / (n + 1).
    bound = 11 / (size + 1)
    spread = np.sqrt(repeats * (size * 0.1 * 0.9 + (size * 0.03) ** 2))  # thresholds are drawn too
    passed = _few(missed, repeats, 0.05) and named - asked * bound < 3.5 * spread
    return passed, f"{missed} of {repeats} intervals without 0.5; {named / asked:.3f} named at 0.1 false alarms"


def _null_shadows(randomness: Randomness, quick: bool) -> tuple[bool, str]:
    repeats, size = (40 if quick else 150), 100
    missed = dict.fromkeys(METHODS, 0)
    for number in range(repeats):
        draw = randomness.spawn(f"draw {number}")
        pool, fit = clusters(size, draw), KernelMachine()
        fleet = train_shadows(fit, pool, count=16, randomness=draw, jobs=1)
        model = Target(fit(clusters(size // 2, draw), draw), classes=2)  # has seen nothing of the pool
        answers = model.signals(pool.features, pool.labels)
        truth = coins(size, draw.spawn("truth"))
        for name, method in METHODS.items():
            scores = method.score(answers, fleet.signals, fleet.membership)
            missed[name] += not auc(scores[truth], scores[~truth]).contains(0.5)
    worst = max(missed, key=lambda name: missed[name])
    seen = f"at most {missed[worst]} of {repeats} intervals without 0.5, with {len(METHODS)} methods ({worst})"
    return _few(missed[worst], repeats, 0.05, tests=len(METHODS)), seen


def _memoriser(randomness: Randomness, quick: bool) -> tuple[bool, str]:
    size = 600 if quick else 2000
    pool = clusters(size, randomness)
    fleet = train_shadows(NearestRecord(), pool, count=16, randomness=randomness, jobs=1)
    inside = coins(size, randomness.spawn("truth"))
    model = Target(NearestRecord()(pool.take(inside), randomness), classes=2)
    answers = model.signals(pool.features, pool.labels)
    areas = {}
    for name, method in METHODS.items():
        scores = method.score(answers, fleet.signals, fleet.membership)
        areas[name] = auc(scores[inside], scores[~inside]).value
    worst = min(areas, key=lambda name: areas[name])
    # Only a score with a scale of its own can be held to 1 % of false alarms; shares of 16 models cannot.
    reference = DEFAULT.leave_one_out(fleet.signals, fleet.membership)[~fleet.membership]
    above = DEFAULT.score(answers, fleet.signals, fleet.membership) > threshold_at(0.01, reference)
    right, wrong = int(above[inside].sum()), int(above[~inside].sum())
    low = clopper_pearson(right, int(inside.sum()), 0.95)[0]
    high = clopper_pearson(wrong, int((~inside).sum()), 0.95)[1]
    seen = (
        f"{right} of {int(inside.sum())} members and {wrong} of {int((~inside).sum())} others named; an area of "
        f"{areas[worst]:.3f} at the worst of {len(METHODS)} methods ({worst})"
    )
    return low >= 0.95 and high <= 0.05 and areas[worst] >= 0.9, seen


def _planted(randomness: Randomness, quick: bool) -> tuple[bool, str]:
    size, planted = 200, 12
    draw = randomness.spawn("records")
    ordinary, spare = clusters(size, draw, apart=1.0), clusters(2 * planted, draw, apart=1.0)
    wrong = mislabelled(spare, 2 * planted, draw).records
    once, twice = wrong.take(range(planted)), wrong.take(range(planted, 2 * planted))
    rows = ordinary.joined(once).joined(twice).joined(twice)
    owners = np.concatenate([np.arange(size + 2 * planted), np.arange(size + planted, size + 2 * planted)])
    pool = type(rows)(rows.features, rows.labels, classes=2, owners=owners)
    count = 64 if quick else 128
    fleet = train_shadows(KernelMachine(0.3, 40.0), pool, count=count, randomness=randomness, jobs=1)
    risks = record_risks(fleet, randomness=randomness.spawn("ties"), owners=pool.owner_index(), confidence=0.95).risks
    top = {risk.row for risk in risks[: 2 * planted]}
    found = sum(row in top for row in range(size, size + 2 * planted))
    return found >= 0.8 * 2 * planted, f"{found} of the {2 * planted} planted owners among the first {2 * planted}"


# Bounds -----------------------------------------------------------------------------------------------------------


def _known(epsilon: float, method: str) -> Callable[[Randomness, bool], tuple[bool, str]]:
    def run(randomness: Randomness, quick: bool) -> tuple[bool, str]:
        repeats, canaries = (40 if quick else 200), 1000
        found = []
        for number in range(repeats):
            draw = randomness.spawn(f"draw {number}")
            truth = coins(canaries, draw)
            found.append(one_run(noisy_coins(truth, epsilon, draw), truth, delta=1e-5, method=method).epsilon)
        above = int((np.array(found) > epsilon).sum())
        # A bound that says nothing covers everything: half of them have to be worth a quarter of the truth.
        useful = float(np.median(found)) >= epsilon / 4
        seen = f"{above} of {repeats} bounds above {epsilon:g}; their median {np.median(found):.3f}"
        return _few(above, repeats, 0.05) and useful, seen

    return run


# Private training -------------------------------------------------------------------------------------------------


def _caught(training: Training) -> Callable[[Randomness, bool], tuple[bool, str]]:
    def run(randomness: Randomness, quick: bool) -> tuple[bool, str]:
        del quick
        audit = audit_training(training, PLAN, confidence=CONFIDENCE, randomness=randomness)
        names = ", ".join(check.name for check in audit.failed)
        return not audit.passed, f"found by: {names}" if names else "nothing found"

    return run


def _clean(training: Training) -> Callable[[Randomness, bool], tuple[bool, str]]:
    def run(randomness: Randomness, quick: bool) -> tuple[bool, str]:
        del quick
        said = []
        for attempt in ("first", "second"):
            audit = audit_training(training, PLAN, confidence=CONFIDENCE, randomness=randomness.spawn(attempt))
            if audit.passed:
                said.append(f"{attempt} try: nothing found, epsilon of at least {audit.bound.epsilon:.3f}")
                return True, "; ".join(said)
            said.append(f"{attempt} try: {', '.join(check.name for check in audit.failed)}")
        return False, "; ".join(said)

    return run


_UNSEEN = "A private training with this bug would pass its audit."
_WRONG = (
    "The engine does not do what its plan says, or the audit sees faults that are not there: promises are not safe."
)

ITEMS: tuple[Item, ...] = (
    Item(
        "null model",
        "intervals of areas under the curve that contain 0.5, but for one of twenty; no more alarms than allowed",
        "Attacks see members where there are none: findings of leaks are not to be trusted.",
        _null,
    ),
    Item(
        "null model, shadow models",
        "intervals of areas under the curve that contain 0.5, but for one of twenty",
        "Attacks with shadow models see members where there are none: findings of leaks are not to be trusted.",
        _null_shadows,
    ),
    Item(
        "memoriser",
        "nearly all members named at 1 % false alarms and nearly no others; areas of 0.9 or more by every method",
        "Attacks miss members that a model knows by heart: findings of no leak are not to be trusted.",
        _memoriser,
    ),
    Item(
        "planted records",
        "mislabelled records, alone and twice, ranked first by their risk",
        "The list of records most at risk misses those that are.",
        _planted,
    ),
    *(
        Item(
            f"known epsilon {epsilon:g}, {method}",
            "bounds below the truth, but for one of twenty, and not far below",
            "Lower bounds on epsilon are wrong, or say nothing.",
            _known(epsilon, method),
        )
        for epsilon, method in ((1.0, "f-dp-any"), (3.0, "f-dp-any"), (1.0, "steinke"))
    ),
    *(
        Item(f"right engine, {name}", "nothing found in one of two tries", _WRONG, _clean(training))
        for name, training in (("make_private", by_make_private), ("train", by_train), ("its parts", by_steps))
    ),
    *(Item(f"bug: {bug.name}", "found", _UNSEEN, _caught(bug)) for bug in BUGS),
)
"""What a self-test asks, in order."""
