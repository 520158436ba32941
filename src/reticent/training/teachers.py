"""Teachers: models of disjoint parts of the records, so that no unit stands behind more than one of them.

Promise: every owner's rows go to one teacher; which one is drawn before anything is trained, without a look at the
rows. Under `ADD_OR_REMOVE_ONE` every owner is given a teacher by a die of its own, so that one owner more or less
moves nobody else; under `REPLACE_ONE` parts are as even as they can be. A teacher is made of its part and of randomness
of its own. So one unit changes one vote at most, and noise on the votes (`reticent.privacy.voting`) protects people
wherever the records say who owns a row.

A teacher whose part is empty, whose training fails, or whose answers are no answers, abstains; one whose part has a
single class votes for that. An exception would tell which records are there, so it stops the work only if every teacher
fails, or if the code cannot be called at all.

Not covered by any promise: the teachers themselves, their votes without noise, how many failed, how long they took.

Example:
    >>> import numpy as np, reticent as rt
    >>> from reticent.data import load
    >>> from reticent.randomness import Randomness
    >>> from reticent.training import train_teachers
    >>> from sklearn.linear_model import LogisticRegression
    >>> fit = lambda part, randomness: LogisticRegression().fit(part.features, part.labels)
    >>> digits = load("digits")
    >>> teachers = train_teachers(digits, fit, teachers=12, randomness=Randomness.simulated(1), jobs=1)
    >>> teachers
    Teachers(12 of digits, 10 classes, unit example)
    >>> teachers.votes(digits.features[:1])  # not covered: add noise before anybody sees it
    array([[12,  0,  0,  0,  0,  0,  0,  0,  0,  0]])
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data import Records
from reticent.errors import DataError, MissingExtra, ModelError, UsageError
from reticent.models import Target
from reticent.privacy import Relation, Unit
from reticent.privacy.units import check_kinds
from reticent.randomness import Randomness, required
from reticent.training.steps import Progress

__all__ = [
    "ABSTAINS",
    "Parts",
    "Teachers",
    "Trainer",
    "each_teacher",
    "labels_of",
    "refuse_no_teacher",
    "split_by_owner",
    "tally",
    "train_teachers",
]

ABSTAINS = -1
_ASSUMED = (
    "a teacher is made of its own records and randomness: the trainer keeps nothing from one call to the next",
    "trainers, settings, questions and the number of classes do not depend on these records (otherwise: compose)",
    "not covered: votes without noise, gaps, agreement, which teachers failed, why a run stopped, and when; "
    "they must not be released, nor steer what is asked",
    "not covered: the teachers themselves",
    "not covered: attacks on the rounding of noise to floating point (Mironov, 2012)",
    "not covered: choosing hyper-parameters by looking at these data",
)


class Trainer(Protocol):
    """Trains a fresh model on records, in the same way each time."""

    def __call__(self, records: Records, randomness: Randomness, /) -> Any:
        """The trained model: anything that `reticent.models.Target` accepts, or that has `predict`."""


@dataclasses.dataclass(frozen=True)
class Parts:
    """Who gets whose records, and what a promise that rests on it says.

    Args:
        teacher: (rows,) the teacher of each row.
        count: number of teachers.
        unit: whose records stay together.
        relation: which data sets are neighbours.
        dataset_size: number of units, where the relation makes it public.
        assumptions: what a promise assumes.
    """

    teacher: npt.NDArray[np.int64]
    count: int
    unit: Unit
    relation: Relation
    dataset_size: int | None
    assumptions: tuple[str, ...]


def split_by_owner(
    records: Records,
    *,
    teachers: int,
    randomness: Randomness,
    relation: Relation = Relation.ADD_OR_REMOVE_ONE,
    unit: Unit | None = None,
) -> Parts:
    """Draw which teacher gets which owner's rows.

    Args:
        records: the records; rows of one owner stay together.
        teachers: number of parts, at least 2.
        randomness: source of the draw.
        relation: which data sets are neighbours; see the module's page.
        unit: whose privacy is promised; by default what the records say.

    Raises:
        UsageError: more teachers than owners, a unit that the records do not have, single rows where some own several.
    """
    count = _checks.at_least(2, teachers=teachers)
    whose = records.unit if unit is None else unit
    check_kinds(whose, relation)
    if records.unit not in (whose, Unit.EXAMPLE):
        raise UsageError(
            f"Expected a promise to every {records.unit.value}, as the records say, got unit={whose}.",
            "Leave unit out: whole owners go to one teacher anyway.",
        )
    owner, owners = records.owner_index(), records.owner_count
    if whose is Unit.EXAMPLE and owners < len(records):
        raise UsageError(
            f"Expected a promise to people or clients, got Unit.EXAMPLE for {len(records)} rows of {owners} owners.",
            "Pass unit=Unit.PERSON, or Unit.CLIENT: whole owners go to one teacher, so it costs nothing.",
        )
    if count > owners:
        raise UsageError(
            f"Expected at most as many teachers as there are owners of records, got teachers={count} for {owners}.",
            "Take fewer teachers: each needs enough records to learn from.",
        )
    source = required(randomness)
    exchanged = relation is Relation.REPLACE_ONE
    drawn = source.permutation(owners) % count if exchanged else source.integers(count, owners)
    known = records.owners is not None or whose is Unit.EXAMPLE
    assumptions = (
        *((f"the number of units, n = {owners}, is public",) if exchanged else ()),
        *(() if known else (f"every {whose.value} owns one row",)),
        *_ASSUMED,
        *records.public_facts,
    )
    return Parts(drawn[owner], count, whose, relation, owners if exchanged else None, assumptions)


@dataclasses.dataclass(frozen=True, repr=False)
class Teachers:
    """Trained teachers. No promise covers them: they are as sensitive as their records.

    Attributes:
        models: one for each teacher; None for one that abstains.
        classes: number of classes.
        parts: who got whose records.
        name: of the records.
        shape: of one record's features.
        dtype: of the records' features.
        simulated: whether the parts were drawn by a seeded generator.
    """

    models: tuple[Any, ...]
    classes: int
    parts: Parts
    name: str
    shape: tuple[int, ...]
    dtype: str
    simulated: bool

    def __repr__(self) -> str:
        return f"Teachers({len(self.models)} of {self.name}, {self.classes} classes, unit {self.parts.unit.value})"

    def votes(self, inputs: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """(inputs, classes) how many teachers vote for each class. Not covered: no noise has been added."""
        questions = np.asarray(inputs).astype(self.dtype)
        if questions.ndim != 1 + len(self.shape) or questions.shape[1:] != self.shape:
            raise DataError(
                f"Expected inputs of shape (n, {', '.join(map(str, self.shape))}), got {questions.shape}.",
                "Prepare them as the records were prepared.",
            )
        return tally([labels_of(model, questions, self.classes) for model in self.models], self.classes)


def train_teachers(
    records: Records,
    trainer: Trainer,
    *,
    teachers: int,
    relation: Relation = Relation.ADD_OR_REMOVE_ONE,
    unit: Unit | None = None,
    randomness: Randomness | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Teachers:
    """Train teachers on disjoint parts of the records and keep them, for a `PrivatePredictor`.

    Args:
        records: the records; rows of one owner go to one teacher.
        trainer: called as trainer(records, randomness): a function, or a `Recipe`.
        teachers: how many.
        relation: which data sets are neighbours.
        unit: whose privacy is to be promised; by default what the records say.
        randomness: source of the parts and of each teacher's own; the operating system's by default.
        jobs: processes; all cores by default, 1 to stay in this process.
        progress: called as progress(teachers_done, teachers).

    Raises:
        DataError: records of one class.
        UsageError: more teachers than owners, or a trainer that cannot be called so.
        ModelError: no teacher could be trained.
    """
    records = Records.of(records).require_two_classes()
    source = Randomness.secure() if randomness is None else required(randomness)
    parts = split_by_owner(records, teachers=teachers, randomness=source.spawn("parts"), relation=relation, unit=unit)
    models: list[Any] = [None] * parts.count
    made = each_teacher(trainer, records, parts, source, range(parts.count), jobs=jobs)
    failures = []
    for done, (number, outcome, failure) in enumerate(made, 1):
        models[number] = outcome
        failures.append(failure)
        if progress is not None:
            progress(done, parts.count)
    refuse_no_teacher(failures)
    x = records.features
    return Teachers(tuple(models), records.classes, parts, records.name, x.shape[1:], x.dtype.str, not source.is_secure)


def each_teacher(
    trainer: Trainer,
    records: Records,
    parts: Parts,
    source: Randomness,
    numbers: Sequence[int],
    *,
    questions: npt.NDArray[Any] | None = None,
    jobs: int | None = None,
) -> Iterator[tuple[int, Any, str | None]]:
    """Train the teachers of these numbers, in order.

    Args:
        trainer: how.
        records: all records.
        parts: whose are whose.
        source: where each teacher's own randomness comes from.
        numbers: which teachers.
        questions: (n, ...) inputs; if given, a teacher is reduced to its votes on them.
        jobs: processes; all cores by default.

    Yields:
        (number, model or (n,) votes, what went wrong or None).
    """
    if not callable(trainer) or hasattr(trainer, "named_parameters"):
        raise UsageError(
            f"Expected a trainer that can be called, got {type(trainer).__name__}.",
            "Pass a function trainer(records, randomness) that returns a trained model, or a reticent.Recipe.",
        )
    jobs = min(max(len(numbers), 1), os.cpu_count() or 1) if jobs is None else _checks.at_least(1, jobs=jobs)
    # A part leaves this process by itself: the others' records are no business of the process that trains on it.
    tasks = (
        (number, trainer, records.take(parts.teacher == number), source.spawn(f"teacher {number}"), questions)
        for number in numbers
    )
    if jobs == 1:
        return (_train_one(*task) for task in tasks)
    try:
        from joblib import Parallel, delayed, parallel_config
    except ImportError as error:
        raise MissingExtra("joblib", "lab", "Training teachers in several processes") from error
    with parallel_config("loky", inner_max_num_threads=1):
        made: Iterator[tuple[int, Any, str | None]] = Parallel(n_jobs=jobs, return_as="generator")(
            delayed(_train_one)(*task) for task in tasks
        )
    return made


def refuse_no_teacher(failures: Sequence[str | None]) -> None:
    """Raise `ModelError` if every teacher failed: then it is the code, not the data."""
    if failures and all(failure is not None for failure in failures):
        raise ModelError(
            f"Expected teachers to be trained, but all {len(failures)} failed; the first said: {failures[0]}.",
            "Train one on a part of the records by hand.",
        )


def _train_one(
    number: int,
    trainer: Trainer,
    part: Records,
    randomness: Randomness,
    questions: npt.NDArray[Any] | None,
) -> tuple[int, Any, str | None]:
    failure = None
    try:
        model = _model_of(trainer, part, randomness)
    except (MissingExtra, _NotCalledSo):
        raise
    except Exception as error:  # it tells about the part, so it must not be seen
        model, failure = None, f"{type(error).__name__}: {str(error).strip().rstrip('.')}"
    votes = labels_of(model, part.features[:1] if questions is None else questions, part.classes)
    if failure is None and (votes == ABSTAINS).all():
        failure = "its answers are no answers" if len(part) else "it has no records"
    return number, model if questions is None else votes, failure


class _NotCalledSo(UsageError):
    """The trainer does not take what it is given."""


def _model_of(trainer: Trainer, part: Records, randomness: Randomness) -> Any:
    seen = np.unique(part.labels)
    if len(seen) == 0:
        return None
    if len(seen) == 1:
        return _Constant(int(seen[0]))
    try:
        return trainer(part, randomness)
    except TypeError as error:
        frame = error.__traceback__
        if frame is not None and frame.tb_next is None:  # raised by the call itself
            raise _NotCalledSo(
                f"Expected a trainer called as trainer(records, randomness), but: {error}.",
                "Give it these two parameters.",
            ) from error
        raise


@dataclasses.dataclass(frozen=True)
class _Constant:
    """The model of records that all have one label."""

    label: int

    def predict(self, inputs: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        return np.full(len(inputs), self.label, dtype=np.int64)


def labels_of(model: Any, inputs: npt.NDArray[Any], classes: int) -> npt.NDArray[np.int64]:
    """(n,) the class that a teacher votes for; -1 where it abstains."""
    nothing = np.full(len(inputs), ABSTAINS, dtype=np.int64)
    if model is None or len(inputs) == 0:
        return nothing
    try:
        if hasattr(model, "predict") and not hasattr(model, "named_parameters"):
            # scikit-learn's classifiers know the labels that they have seen, which may not be all.
            found = np.asarray(model.predict(inputs))
        else:
            found = Target(model, classes=classes, name="a teacher").log_probabilities(inputs)[:, :classes].argmax(1)
        with np.errstate(invalid="ignore"):  # NaN becomes some number that it does not equal
            whole = found.astype(np.int64)
        fits = (whole >= 0) & (whole < classes) & (whole == found)
        return np.where(fits, whole, ABSTAINS) if found.shape == nothing.shape else nothing
    except Exception:  # as above
        return nothing


def tally(votes: Sequence[npt.NDArray[np.int64]], classes: int) -> npt.NDArray[np.int64]:
    """(n, classes) counts of the teachers' votes; those that abstain are not counted."""
    every = np.stack(votes)
    return np.stack([(every == label).sum(axis=0) for label in range(classes)], axis=1)
