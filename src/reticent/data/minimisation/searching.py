"""The search for the least that a model needs, on the rows that may be searched.

Promise: every step is judged against the whole table, so small losses do not add up unseen; the judging is by paired
cross-fitted answers, and a step is taken only if the confirmation on rows not yet seen would be expected to succeed
(with a probability of `POWER`, were the estimate right). The search decides nothing: its path, each step of it holding
less than the one before, is confirmed elsewhere. It stops between two steps when its time is up.

The order:

1. Of columns that say the same, all but one go.
2. Columns that had better go (`weights`), the heaviest first.
3. As many as possible of the rest at once, from the least important (grouped permutation importance; Breiman, 2001).
4. One by one, from the one whose removal costs least. Columns that matter only together are both dear here.
5. What is left is made coarser, the heaviest and most identifying first, each as far as it goes; then 4. once more.

Not covered: the best of all subsets. A greedy search can miss a smaller table, never claim one.

Example:
    >>> import numpy as np
    >>> from reticent.data.minimisation.judging import Bench, dealt
    >>> from reticent.data.minimisation.learning import Task, trainer_of
    >>> from reticent.data.minimisation.searching import Judge, search
    >>> from reticent.data.tables import Table
    >>> from reticent.randomness import Randomness
    >>> task, source = Task("classes", ("no", "yes")), Randomness.simulated(1)
    >>> table = Table.of({"age": np.arange(3000) % 90, "noise": np.arange(3000) % 7})
    >>> truth = (np.arange(3000) % 90 >= 50).astype(int)
    >>> bench = Bench(table, truth, task, "accuracy", trainer_of(None, task), dealt(3000, None, 3, source), seed=1)
    >>> found = search(bench, Judge(bench, tolerance=0.01, test_people=1500))
    >>> found.plan["noise"].kind, found.plan["age"].kind, found.plan["age"].level <= 8
    ('drop', 'bands', True)
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import numpy.typing as npt

from reticent.data.minimisation.duplicates import duplicates, told
from reticent.data.minimisation.judging import Bench, Plan, reduced, rules_for
from reticent.data.minimisation.steps import DROP, KEEP, Step, ladders
from reticent.data.minimisation.utility import by_owner, influences, narrowest

__all__ = ["POWER", "Found", "Judge", "Judged", "Progress", "search", "silent", "with_fewer_rows"]

Array = npt.NDArray[Any]
Progress = Callable[[str, int, int], None]

POWER: Final = 0.9
SHARES: Final = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4)
_LEAST_ROWS: Final = 50


def silent(_name: str, _done: int, _total: int) -> None:
    """No progress bars."""


@dataclasses.dataclass(frozen=True)
class Judged:
    """A table that holds less, beside the whole one, on the rows that may be searched.

    Attributes:
        change: of the metric.
        error: its standard error.
        taken: whether the confirmation would be expected to succeed.
        people: how many people (rows) the confirmation would need, were the change right; None if no number does.
    """

    change: float
    error: float
    taken: bool
    people: int | None


class Judge:
    """Says whether a loss would pass the confirmation.

    Args:
        bench: what was asked.
        tolerance: the largest loss that is accepted.
        test_people: how many people (rows, if they own one each) the confirmation will see.
        owners: (rows,) whose row it is.
        confidence: of the confirmation's interval.
    """

    def __init__(
        self,
        bench: Bench,
        *,
        tolerance: float,
        test_people: int,
        owners: Array | None = None,
        confidence: float = 0.95,
    ) -> None:
        from scipy.special import ndtri

        self.bench, self.tolerance, self.test_people = bench, tolerance, test_people
        self.owners, self.confidence = owners, confidence
        self._z, self._power = float(ndtri((1 + confidence) / 2)), float(ndtri(POWER))

    def judged(self, plans: Sequence[Plan], share: float = 1.0) -> list[Judged]:
        """Each plan beside the whole table."""
        (whole,) = self.bench.answers([{}])
        answers = self.bench.answers(plans, share)
        return [self.compared(whole, one) for one in answers]

    def compared(self, whole: Array, less: Array) -> Judged:
        """One table's answers beside the whole one's."""
        metric, truth = self.bench.metric, self.bench.truth
        one, of_whole = influences(metric, truth, whole)
        two, of_less = influences(metric, truth, less)
        each = by_owner(of_less - of_whole, self.owners)
        spread, people = float(each.std()), len(each)
        change = two - one
        # one difference more than was seen, so that none seen is not taken for none there
        spread = max(spread, 1 / math.sqrt(people)) if metric == "accuracy" else spread
        taken = change - self._reach(spread, people, self.test_people) >= -self.tolerance
        return Judged(change, spread / math.sqrt(people), taken, self._needed(change, spread, people))

    def _reach(self, spread: float, people: int, test_people: int) -> float:
        there, here = spread / math.sqrt(test_people), spread / math.sqrt(people)
        least = narrowest(test_people, self.confidence)
        return max(self._z * there, least) + self._power * math.hypot(there, here)

    def _needed(self, change: float, spread: float, people: int) -> int | None:
        if change <= -self.tolerance:
            return None
        share = self.test_people / (people + self.test_people)
        size = self.test_people
        while change - self._reach(spread, max(1, round(size * (1 - share) / share)), size) < -self.tolerance:
            size = math.ceil(size * 1.1) + 1
            if size > 10**10:
                return None
        return math.ceil(size / share)


@dataclasses.dataclass(frozen=True)
class Found:
    """What the search came to.

    Attributes:
        plan: what to keep of each column.
        path: the plans that led there, each holding less than the one before; the last is `plan`.
        importance: column to how much shuffling it (and what says the same) costs.
        same: groups of columns that say the same.
        shares: (column, other) to the share of its information that the other gives.
        judged: the plan beside the whole table.
        curve: (share of the training rows, judged), from few to all.
        share: of the training rows that is enough.
        nearest: the step that came nearest to being taken, if none was.
        stopped: where the time was up, if it was.
    """

    plan: dict[str, Step]
    path: list[dict[str, Step]]
    importance: dict[str, float]
    same: list[tuple[str, ...]]
    shares: dict[tuple[str, str], float]
    judged: Judged
    curve: list[tuple[float, Judged]]
    share: float
    nearest: tuple[str, Judged] | None
    stopped: str | None


def search(
    bench: Bench,
    judge: Judge,
    *,
    weights: Mapping[str, float] | None = None,
    pinned: Collection[str] = (),
    coarsen: bool = True,
    deadline: float = math.inf,
    progress: Progress = silent,
) -> Found:
    """Find a table that holds as little as possible, and costs little.

    Args:
        bench: the rows that may be searched.
        judge: says what is little.
        weights: of columns that had better go.
        pinned: columns that stay as they are.
        coarsen: make coarser what is left.
        deadline: by `time.monotonic`.
        progress: told (stage, done, total).
    """
    state = _Search(bench, judge, dict(weights or {}), frozenset(pinned), deadline, progress)
    shares = told(bench.table)
    same = duplicates(bench.table, shares)
    importance = state.ranked(same)
    for stage in (state.drop_duplicates, state.drop_preferred, state.drop_unimportant, state.drop_one_by_one):
        stage()
    if coarsen:
        state.coarsen()
        state.drop_one_by_one()  # what is coarse may have become dispensable
    curve, share = with_fewer_rows(judge, state.plan, state.is_up, progress)
    (final,) = judge.judged([state.plan])
    nearest = None if state.plan or not state.refused else max(state.refused, key=lambda one: one[1].change)
    return Found(dict(state.plan), state.path, importance, same, shares, final, curve, share, nearest, state.stopped)


class _Search:
    def __init__(
        self,
        bench: Bench,
        judge: Judge,
        weights: dict[str, float],
        pinned: frozenset[str],
        deadline: float,
        progress: Progress,
    ) -> None:
        self.bench, self.judge, self.weights, self.pinned = bench, judge, weights, pinned
        self.deadline, self.progress = deadline, progress
        self.plan: dict[str, Step] = {}
        self.path: list[dict[str, Step]] = []
        self.refused: list[tuple[str, Judged]] = []
        self.stopped: str | None = None
        self.same: list[tuple[str, ...]] = []
        self.importance: dict[str, float] = {}

    @property
    def left(self) -> list[str]:
        """Columns that are still there and may go."""
        return [name for name in self.bench.table.names if name not in self.pinned and self.plan.get(name) != DROP]

    def is_up(self, stage: str) -> bool:
        if self.stopped is None and time.monotonic() > self.deadline:
            self.stopped = stage
        return self.stopped is not None

    def take(self, more: Plan) -> None:
        """One step further."""
        self.plan = {**self.plan, **more}
        self.path.append(self.plan)

    def tried(self, more: Plan) -> bool:
        """Whether the plan may also have this; then it has."""
        plan = {**self.plan, **more}
        (judged,) = self.judge.judged([plan])
        if judged.taken:
            self.take(more)
        else:
            self.refused.append((", ".join(more), judged))
        return judged.taken

    def ranked(self, same: list[tuple[str, ...]]) -> dict[str, float]:
        self.same = same
        self.progress("ranking columns", 0, 1)
        of = {name: group for group in same for name in group}
        names = self.bench.table.names
        groups = list(dict.fromkeys(of.get(name, (name,)) for name in names))
        (whole,) = self.bench.answers([{}])
        value = influences(self.bench.metric, self.bench.truth, whole)[0]
        costs: dict[str, float] = {}
        for group, answers in zip(groups, self.bench.shuffled(groups), strict=True):
            cost = value - influences(self.bench.metric, self.bench.truth, answers)[0]
            costs |= dict.fromkeys(group, cost)
        self.importance = {name: costs[name] for name in names}
        self.progress("ranking columns", 1, 1)
        return self.importance

    def drop_duplicates(self) -> None:
        for done, group in enumerate(self.same):
            if self.is_up("columns that say the same"):
                return
            self.progress("columns that say the same", done, len(self.same))
            sizes = {name: len(self.bench.table[name].values) for name in group}
            # the one that stays is pinned, or light, or else has fewest values: it says least about a person
            order = sorted(group, key=lambda name: (name not in self.pinned, self.weights.get(name, 0.0), sizes[name]))
            for keeper in [order[0]] if order[0] in self.pinned else order:
                others = [name for name in group if name != keeper and name not in self.pinned]
                if not others or self.tried(dict.fromkeys(others, DROP)):
                    break
        if self.same:
            self.progress("columns that say the same", len(self.same), len(self.same))

    def drop_preferred(self) -> None:
        wanted = [name for name in self.left if self.weights.get(name, 0.0) > 0]
        wanted.sort(key=lambda name: (-self.weights[name], self.importance[name]))
        for done, name in enumerate(wanted):
            if self.is_up("columns that had better go"):
                return
            self.tried({name: DROP})
            self.progress("columns that had better go", done + 1, len(wanted))

    def drop_unimportant(self) -> None:
        """The longest row of least important columns that can go together, by bisection."""
        order = [name for name in self.left if self.weights.get(name, 0.0) <= 0]
        order.sort(key=lambda name: self.importance[name])
        low, high = 0, len(order) + 1
        total = max(1, math.ceil(math.log2(len(order) + 1)))
        done = 0
        start = dict(self.plan)
        while high - low > 1 and not self.is_up("columns at once"):
            middle = (low + high) // 2
            plan = {**start, **dict.fromkeys(order[:middle], DROP)}
            (judged,) = self.judge.judged([plan])
            if judged.taken:
                low = middle
            else:
                high = middle
                if middle == 1:
                    self.refused.append((order[0], judged))
            done += 1
            self.progress("columns at once", min(done, total), total)
        for name in order[:low]:
            self.take({name: DROP})

    def drop_one_by_one(self) -> None:
        names = self.left
        if not names or self.is_up("columns one by one"):
            return
        self.progress("columns one by one", 0, len(names))
        alone = self.judge.judged([{**self.plan, name: DROP} for name in names])
        order = sorted(zip(names, alone, strict=True), key=lambda one: -one[1].change)
        for done, (name, judged) in enumerate(order):
            if self.is_up("columns one by one"):
                return
            if judged.taken:
                self.tried({name: DROP})
            else:
                self.refused.append((name, judged))
            self.progress("columns one by one", done + 1, len(names))

    def coarsen(self) -> None:
        table = self.bench.table
        names = self.left
        names.sort(key=lambda name: (-self.weights.get(name, 0.0), -len(table[name].values), name))
        for done, name in enumerate(names):
            if self.is_up("coarser values"):
                return
            found = [step for ladder in ladders(table[name]) if (step := self._furthest(name, ladder)) != KEEP]
            if found:
                self.take({name: min(found, key=lambda step: self._values(name, step))})
            self.progress("coarser values", done + 1, len(names))

    def _furthest(self, name: str, ladder: Sequence[Step]) -> Step:
        """The coarsest step that can be taken."""
        for step in reversed(ladder):
            if self.is_up("coarser values"):
                break
            (judged,) = self.judge.judged([{**self.plan, name: step}])
            if judged.taken:
                return step
        return KEEP

    def _values(self, name: str, step: Step) -> int:
        bench = self.bench
        table = bench.table.select([name])
        kept = reduced(table, rules_for({name: step}, table, bench.truth, bench.task))
        return 0 if kept is None else len(kept[name].values)


def with_fewer_rows(
    judge: Judge, plan: Plan, is_up: Callable[[str], bool] = lambda _stage: False, progress: Progress = silent
) -> tuple[list[tuple[float, Judged]], float]:
    """What fewer training rows cost on top, and the least share of them from which on they cost little.

    Args:
        judge: says what is little.
        plan: what is kept.
        is_up: whether the time is up.
        progress: told (stage, done, total).
    """
    bench = judge.bench
    least = _LEAST_ROWS / len(bench.truth)
    shares = [share for share in SHARES if share >= least and bench.priorities is not None]
    curve = []
    for done, share in enumerate(shares):
        if is_up("fewer rows"):
            return [], 1.0
        progress("fewer rows", done, len(shares))
        (judged,) = judge.judged([plan], share)
        curve.append((share, judged))
    progress("fewer rows", 1, 1)
    curve.append((1.0, judge.judged([plan])[0]))
    enough = 1.0
    for share, judged in reversed(curve[:-1]):
        if not judged.taken:
            break
        enough = share
    return curve, enough
