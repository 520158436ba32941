"""The front door: which columns, precision and rows a model can do without.

Promise: `minimise` searches on some of the people, and then confirms on the others how far along the search's path less
than the tolerance is lost: that claim is wrong in at most (1 - confidence)/2 of such runs, however the search went and
however often was looked (`reticent.data.minimisation.looking`; for the models that were trained, and rows drawn like
these). It says so when there are too few rows to tell. With a seeded
`Randomness` everything follows from the data and the settings, unless the time is up or the model itself is not
repeatable.

Not covered: whether a purpose justifies what is left; columns that matter to other models than the one given; people
who are worse off: a figure over all rows can hide a group (compare `difference` by group before you drop what
describes one). Rows that are the same in the searched and the held-out part make the whole table look better than it
is; they are counted.

Example:
    >>> import numpy as np, reticent as rt
    >>> draw = np.random.RandomState(0)
    >>> age, shoe = draw.randint(18, 90, 6000), draw.randint(35, 46, 6000)
    >>> ill = (age + draw.randint(0, 10, 6000)) > 60
    >>> found = rt.minimise({"age": age, "shoe": shoe, "ill": ill}, "ill", randomness=rt.Randomness.simulated(1))
    >>> found.status, found.map.dropped, found.difference.low > -0.01
    ('confirmed', ('shoe',), True)
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.minimisation.confirming import HeldOut
from reticent.data.minimisation.judging import Bench, Plan, dealt, reduced
from reticent.data.minimisation.learning import task_of, trainer_of
from reticent.data.minimisation.looking import Look, looked, looks
from reticent.data.minimisation.mapping import Generalisation, Mapped
from reticent.data.minimisation.outcome import Minimisation
from reticent.data.minimisation.rules import Dropped
from reticent.data.minimisation.searching import Found, Judge, Progress, search, silent, with_fewer_rows
from reticent.data.minimisation.steps import KEEP
from reticent.data.minimisation.utility import METRICS, least_rows
from reticent.data.minimisation.verdicts import column_verdicts, proxies_of, status_of, told_rows
from reticent.data.tables import Table, read
from reticent.errors import DataError, NotEnoughEvidence, UsageError
from reticent.evidence import now
from reticent.randomness import Randomness, required

__all__ = ["minimise"]

Array = npt.NDArray[Any]

_SEARCHED: Final = 50_000


def minimise(
    table: Any,
    label: str,
    *,
    model: Any = None,
    metric: str | None = None,
    tolerance: float = 0.01,
    confidence: float = 0.95,
    prefer_dropping: Sequence[str] | Mapping[str, float] = (),
    keep: Sequence[str] = (),
    ignore: Sequence[str] = (),
    person: str | None = None,
    coarsen: bool = True,
    fewer_rows: bool = False,
    test: float = 0.3,
    folds: int = 3,
    search_rows: int = _SEARCHED,
    seconds: float | None = None,
    jobs: int = 1,
    randomness: Randomness | None = None,
    progress: Progress | None = None,
    name: str | None = None,
) -> Minimisation:
    """Find out what a table can do without, and confirm it on people whom the search never saw.

    Args:
        table: a path, a `Table`, a frame, or a dictionary of columns.
        label: the column that is predicted.
        model: None (histogram gradient boosting), a scikit-learn estimator, or `train(table, labels, seed)`.
        metric: "accuracy", "auc" or "r2"; accuracy for classes and r2 for numbers if None.
        tolerance: the largest loss of the metric that is accepted, such as 0.01.
        confidence: of all intervals, two-sided.
        prefer_dropping: columns that had better go (sensitive, or apt to identify), or their weights.
        keep: columns that stay as they are.
        ignore: columns that no model is given, and that the map drops.
        person: the column that says whose row it is; whole people are held out, and n counts them.
        coarsen: make coarser what cannot go.
        fewer_rows: claim also that a share of the training rows is enough.
        test: the share of people who confirm.
        folds: of the search.
        search_rows: the search looks at so many rows at most; models of the confirmation are trained on all.
        seconds: after which the search stops with what it has; the confirmation comes on top.
        jobs: processes.
        randomness: what splits and seeds come from; secure if None.
        progress: told (stage, done, total).
        name: of the table, for the report.

    Returns:
        The outcome; `status` says whether the claim holds.

    Raises:
        NotEnoughEvidence: not even a table that changes no answer could be confirmed with so few rows.
        UsageError, DataError: settings or a table that cannot be used.
    """
    began = time.monotonic()
    source = required(Randomness.secure() if randomness is None else randomness)
    tell = silent if progress is None else progress
    whole, name = _read(table, name)
    weights = _weights(prefer_dropping)
    _check(whole, label, weights, keep, [*ignore, *([person] if person else [])])
    for value in (("test", test), ("tolerance", tolerance), ("confidence", confidence)):
        _checks.open_fraction(**{value[0]: value[1]})
    _checks.at_least(2, folds=folds)
    _checks.at_least(1, jobs=jobs)
    _checks.at_least(100, search_rows=search_rows)
    if metric is not None:
        _checks.one_of(METRICS, metric=metric)
    task, truth = task_of(whole[label], metric)
    whole, truth, without_label = _labelled(whole, truth)
    chosen = metric or task.default_metric
    trainer = trainer_of(model, task)
    owners = None if person is None else whole.classes([person]).of_rows
    features = whole.without([label, *ignore, *([person] if person else [])])
    tested = _tested(truth, owners, test, tolerance, confidence, source)
    seed = source.spawn("models").seed()
    held = HeldOut(
        features, truth, tested, task, chosen, trainer, seed, owners, source.spawn("rows").uniform(len(truth)),
        confidence, jobs,
    )  # fmt: skip
    bench = _bench(held, folds, search_rows, source)
    judge = Judge(
        bench.bench,
        tolerance=tolerance,
        test_people=_people(owners, tested),
        owners=bench.owners,
        confidence=confidence,
    )
    deadline = math.inf if seconds is None else began + _checks.positive(seconds=seconds)
    found = search(bench.bench, judge, weights=weights, pinned=keep, coarsen=coarsen, deadline=deadline, progress=tell)
    data = {
        "name": name,
        "rows": whole.rows,
        "without_label": without_label,
        "searched": int((~tested).sum()),
        "tested": int(tested.sum()),
        "people": None if owners is None else int(owners.max()) + 1,
        "person": person,
        "repeated": _repeated(features, tested),
    }
    return _concluded(whole, label, held, found, judge, data, weights, keep, tolerance, fewer_rows, source, tell)


def _concluded(
    whole: Table,
    label: str,
    held: HeldOut,
    found: Found,
    judge: Judge,
    data: dict[str, Any],
    weights: Mapping[str, float],
    keep: Sequence[str],
    tolerance: float,
    fewer_rows: bool,
    source: Randomness,
    tell: Progress,
) -> Minimisation:
    path: list[tuple[Plan, float]] = [(plan, 1.0) for plan in looks(found.path)]
    path += [(found.plan, found.share)] if fewer_rows and found.share < 1 else []
    seen, place = looked(path, held.difference, tolerance, lambda done, total: tell("confirming", done, total))
    last = seen[max(place, 0)] if seen else None
    plan, share, claim = (found.plan, 1.0, None) if last is None else (last.plan, last.share, last.claim)
    found = _as_far_as(found, plan, judge)
    rules = held.rules(plan)
    unused = [name for name in whole.names if name not in held.table.names and name != label]
    columns = [
        Mapped(name, whole[name].kind, Dropped() if name in unused else rules[name])
        for name in whole.names
        if name != label
    ]
    less = Generalisation(tuple(columns), label)
    verdicts = column_verdicts(whole, label, held, found, rules, share, weights, keep, tell)
    left = reduced(held.table, rules)
    proxies = proxies_of(held, left, whole[label], [name for name in weights if _was_dropped(less, name, unused)], tell)
    return Minimisation(
        status=status_of(claim, found, tolerance),
        label=label,
        metric=held.metric,
        tolerance=float(tolerance),
        model=held.trainer.words,
        data=data,
        full=held.figure({}),
        minimised=held.figure(plan, share),
        difference=claim,
        without_columns=held.without_columns(),
        columns=verdicts,
        same=tuple(found.same),
        proxies=proxies,
        rows=told_rows(found, held, judge, share, share < 1),
        search={
            "models": judge.bench.trained,
            "folds": int(judge.bench.folds.max()) + 1,
            "rows": len(judge.bench.truth),
            "stopped": found.stopped,
            "change": found.judged.change,
            "error": found.judged.error,
            "nearest": None if found.nearest is None else found.nearest[0],
            "people_needed": None if found.nearest is None else found.nearest[1].people,
            "looks": [_told_look(one) for one in seen],
            "looks_planned": len(path),
            "looks_confirmed": place + 1,
        },
        map=less,
        created=now(),
        repeatable=not source.is_secure,
    )


def _as_far_as(found: Found, plan: Plan, judge: Judge) -> Found:
    """What the search says of the plan that was confirmed, if that is not its last."""
    if plan == found.plan:
        return found
    curve, share = with_fewer_rows(judge, plan) if found.curve else ([], 1.0)
    (judged,) = judge.judged([plan])
    return dataclasses.replace(found, plan=dict(plan), judged=judged, curve=curve, share=share)


def _told_look(look: Look) -> dict[str, Any]:
    kinds = [step.kind for step in look.plan.values() if step != KEEP]
    return {
        "dropped": kinds.count("drop"),
        "coarser": len(kinds) - kinds.count("drop"),
        "share": look.share,
        "difference": look.claim.as_dict(),
    }


def _was_dropped(less: Generalisation, name: str, unused: Sequence[str]) -> bool:
    return name in less.dropped and name not in unused


def _read(table: Any, name: str | None) -> tuple[Table, str]:
    if isinstance(table, str | Path):
        return read(table), name or Path(table).name
    return Table.of(table), name or "a table in memory"


def _weights(prefer: Sequence[str] | Mapping[str, float]) -> dict[str, float]:
    if isinstance(prefer, str):
        raise UsageError(f"Expected a list of columns, got prefer_dropping={prefer!r}.", "Put it into a list.")
    if not isinstance(prefer, Mapping):
        return dict.fromkeys(prefer, 1.0)
    return {name: _checks.non_negative(weight=weight) for name, weight in prefer.items()}


def _check(table: Table, label: str, weights: Mapping[str, float], keep: Sequence[str], unused: Sequence[str]) -> None:
    for one in (keep, unused):
        if isinstance(one, str):
            raise UsageError(f"Expected a list of columns, got {one!r}.", "Put it into a list.")
    table.require([label, *weights, *keep, *unused])
    groups = {"the label": [label], "kept": keep, "not used": unused, "better gone": [*weights]}
    for first, one in groups.items():
        for second, two in groups.items():
            if first < second and (both := set(one) & set(two)):
                raise UsageError(f"Expected columns to be {first} or {second}, got {sorted(both)} as both.", "Choose.")
    if not set(table.names) - {label, *unused}:
        raise UsageError("Expected a column besides the label, got none.", "Name fewer columns to ignore.")


def _labelled(table: Table, truth: Array) -> tuple[Table, Array, int]:
    """Rows with a label, and how many had none."""
    there = truth >= 0 if truth.dtype.kind == "i" else ~np.isnan(truth)
    if truth.dtype.kind == "f" and np.isinf(truth).any():
        raise DataError("Expected finite numbers as labels, got an infinite one.", "Leave those rows out.")
    if there.all():
        return table, truth, 0
    return table.take(there), truth[there], int((~there).sum())


def _people(owners: Array | None, rows: Array) -> int:
    return int(rows.sum()) if owners is None else len(np.unique(owners[rows]))


def _tested(
    truth: Array, owners: Array | None, test: float, tolerance: float, confidence: float, source: Randomness
) -> Array:
    """(rows,) who confirms: a random share of people.

    Raises:
        NotEnoughEvidence: so few that nothing could be confirmed.
    """
    people = len(truth) if owners is None else int(owners.max()) + 1
    tested = dealt(len(truth), owners, people, source.spawn("test")) < round(test * people)
    least = least_rows(tolerance, confidence)
    if round(test * people) < least:
        raise NotEnoughEvidence(
            f"Expected at least {least} people (rows, if they own one each) to confirm on, for a tolerance of "
            f"{tolerance:g} at {100 * confidence:g} % confidence; got {round(test * people)} of {people}.",
            f"Bring at least {math.ceil(least / test)}, or accept a larger tolerance.",
        )
    return tested


class _Searched:
    """The bench, and whose its rows are."""

    def __init__(self, bench: Bench, owners: Array | None) -> None:
        self.bench, self.owners = bench, owners


def _bench(held: HeldOut, folds: int, most: int, source: Randomness) -> _Searched:
    rows = np.flatnonzero(~held.tested)
    if len(rows) > most:
        # whole people, until there are enough rows
        people = rows if held.owners is None else held.owners[rows]
        _, places = np.unique(people, return_inverse=True)
        order = source.spawn("searched").permutation(int(places.max()) + 1)
        reached = np.cumsum(np.bincount(places)[order]) <= most
        rows = rows[np.isin(places, order[reached])]
    owners = None if held.owners is None else held.owners[rows]
    parts = dealt(len(rows), owners, folds, source.spawn("folds"))
    if len(rows) < folds or len(np.unique(parts)) < folds:
        raise DataError(f"Expected rows of at least {folds} people to search, got fewer.", "Take fewer folds.")
    priorities = None if held.priorities is None else held.priorities[rows]
    seen = Table(column.compacted() for column in held.table.take(rows).columns)  # not even values of other rows
    bench = Bench(
        seen, held.truth[rows], held.task, held.metric, held.trainer, parts, held.seed, priorities,
        held.jobs,
    )  # fmt: skip
    return _Searched(bench, owners)


def _repeated(table: Table, tested: Array) -> int:
    """How many held-out rows have a searched row that is the same in all columns."""
    classes = table.classes()
    seen = np.zeros(len(classes.sizes), dtype=bool)
    seen[classes.of_rows[~tested]] = True
    return int(seen[classes.of_rows[tested]].sum())
