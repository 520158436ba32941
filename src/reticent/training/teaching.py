"""`teach`: a student that learns from noisy votes of teachers, so that no record has ever been near it (PATE).

Promise: whatever is made of `labels`, so also `student`, satisfies `guarantee`: teachers are trained on disjoint parts
of the private records, split by owner; they vote on public inputs; noise is added to the votes; the student sees public
inputs and noisy answers only (Papernot et al., 2017 and 2018). It does not matter what the teachers are, so any model
and any training will do, on the side of the teachers as on that of the student.

Covered: which public inputs got an answer, and which. Not covered: everything in `uncovered`, and the public inputs,
which are taken for public. Without noise the labels are those of the plain ensemble, and epsilon is infinite.

With `state`, a stop loses no teacher that was trained (what went on then assumes the same records in the same order,
and refuses others as far as owners show it), and answers that have been given are given again instead of
anew: they are written down before anybody sees them, and cost once. The file holds votes without noise: keep it as safe
as the records.

Example:
    >>> import reticent as rt
    >>> from reticent.data import load
    >>> from sklearn.linear_model import LogisticRegression
    >>> fit = lambda part, randomness: LogisticRegression().fit(part.features, part.labels)
    >>> digits = load("digits")
    >>> private, public, unseen = (digits.take(range(*ends)) for ends in ((0, 1200), (1200, 1400), (1400, 1797)))
    >>> taught = rt.teach(private, public.features, fit, teachers=40, epsilon=8, delta=1e-4, jobs=1)
    >>> taught
    Taught(by 40 teachers: 200 of 200 questions answered)
    >>> taught.guarantee.epsilon(1e-4) <= 8
    True
    >>> bool((taught.student.predict(unseen.features) == unseen.labels).mean() > 0.5)
    True
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data import Records
from reticent.errors import BudgetExhausted, DataError, UsageError
from reticent.evidence import Record, now, software
from reticent.privacy import GaussianBudget, Guarantee, Relation, Unit, Voting
from reticent.privacy.agreement import DataDependentCost, data_dependent_cost
from reticent.privacy.gaussian_budgets import CHARGED_FIRST
from reticent.privacy.voting import NO_ANSWER, Answers
from reticent.randomness import Randomness, required
from reticent.training.steps import Progress
from reticent.training.teachers import Parts, Trainer, each_teacher, refuse_no_teacher, split_by_owner, tally
from reticent.training.votes_kept import KeptVotes

__all__ = ["Taught", "Uncovered", "teach"]

_ASSUMED = (
    "the trainer of the student is given public inputs and noisy answers, and uses nothing else of these records",
    "not covered: the public inputs",
)


class Uncovered(NamedTuple):
    """What the teachers said before noise: about the data, covered by no promise, and in no record.

    Attributes:
        votes: (questions, classes) counts.
        agreement: the part of the answers that are what most teachers said.
        failures: what went wrong with teachers that abstained.
    """

    votes: npt.NDArray[np.int64]
    agreement: float
    failures: tuple[str, ...]


@dataclasses.dataclass(frozen=True, repr=False)
class Taught:
    """A student, and what it learned from.

    Attributes:
        student: the trained model; None if the answers are of fewer than two classes.
        labels: (questions,) the noisy answers; -1 where there is none.
        asked: how many questions were put to the vote, the first ones; there was no budget for the others.
        guarantee: what is promised about the labels and all that is made of them.
        voting: how votes were counted.
        teachers: number of teachers.
        questions: digest of the public inputs.
        uncovered: about the data; keep it as safe as they are.
        created: when it ended, in UTC.
    """

    student: Any
    labels: npt.NDArray[np.int64]
    asked: int
    guarantee: Guarantee
    voting: Voting
    teachers: int
    questions: str
    uncovered: Uncovered
    created: str

    @property
    def answered(self) -> npt.NDArray[np.bool_]:
        """(questions,) which public inputs got an answer."""
        return np.asarray(self.labels != NO_ANSWER)

    def data_dependent_cost(self, delta: float) -> DataDependentCost:
        """What the answers tell about these very records: smaller than the promise, and none itself; not covered."""
        return data_dependent_cost(self.uncovered.votes, self.voting, Answers(self.labels, self.asked), delta=delta)

    def __repr__(self) -> str:
        return (
            f"Taught(by {self.teachers} teachers: {int(self.answered.sum())} of {len(self.labels)} questions answered)"
        )

    @property
    def record(self) -> Record:
        """The teaching as a record: voting, counts, guarantee, software; nothing of the private records."""
        parameters = None
        if hasattr(self.student, "named_parameters"):
            parameters = sum(parameter.numel() for _, parameter in self.student.named_parameters())
        body = {
            "voting": self.voting.as_dict(),
            "teachers": self.teachers,
            "questions": {"digest": self.questions, "given": len(self.labels), "asked": self.asked},
            "answers": int(self.answered.sum()),
            "student": {"type": type(self.student).__name__, "parameters": parameters},
            "guarantee": self.guarantee.as_dict(),
            "software": software(),
        }
        return Record("teaching", body, created=self.created)


def teach(
    records: Any,
    public: Any,
    trainer: Trainer,
    *,
    teachers: int,
    voting: Voting | None = None,
    epsilon: float | None = None,
    delta: float | None = None,
    answers: int | None = None,
    student: Trainer | None = None,
    relation: Relation = Relation.ADD_OR_REMOVE_ONE,
    unit: Unit | None = None,
    randomness: Randomness | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
    state: str | Path | None = None,
) -> Taught:
    """Train teachers on private records and a student on their noisy votes.

    Args:
        records: the private records; all rows of an owner go to one teacher, so `Records` with owners protect people.
        public: (n, ...) inputs that may be known to anybody, in the order in which they are asked.
        trainer: called as trainer(records, randomness) for each teacher: a function, or a `Recipe`.
        teachers: how many.
        voting: how votes are counted; by default GNMax with the least noise at which all answers keep the promise.
        epsilon: promised; questions are asked until it is used up, without it all of them, at the guarantee's price.
        delta: delta of the promise.
        answers: how many answers are given at most; by default as many as there are public inputs.
        student: the student's trainer; by default the teachers'.
        relation: which data sets are neighbours.
        unit: whose privacy is promised; by default what the records say.
        randomness: source of parts, trainings and noise; the operating system's by default.
        jobs: processes for the teachers; all cores by default, 1 to stay in this process.
        progress: called as progress(teachers_done, teachers).
        state: a file. Teachers' votes and the answers are kept there; if it is there, the work goes on from it, and
            needs the same records in the same order.

    Raises:
        BudgetExhausted: not even one answer would keep the promise; nothing has been trained then.
        DataError: records or inputs that cannot be used, or inputs that are among the private records.
        ModelError: no teacher could be trained.
        UsageError: arguments that do not fit together; a state of another teaching.
    """
    private = Records.of(records).require_two_classes()
    questions = _questions(public, private)
    source = Randomness.secure() if randomness is None else required(randomness)
    ballot = _Ballot.of(voting, epsilon, delta, answers, len(questions), private.owner_count)
    parts = split_by_owner(private, teachers=teachers, randomness=source.spawn("parts"), relation=relation, unit=unit)
    digest = hashlib.sha256(questions.tobytes()).hexdigest()
    who = {
        "questions": [digest, list(questions.shape)],
        "records": [len(private), private.classes],
        "teachers": [parts.count, parts.unit.value, parts.relation.value],
        "randomness": repr(source),
        "voting": [ballot.voting.as_dict(), epsilon, delta, ballot.most],
    }
    with KeptVotes(state, who, parts.teacher, private.owner_index()) as kept:
        parts = dataclasses.replace(parts, teacher=kept.teacher)
        missing = kept.missing(parts.count)
        made = each_teacher(trainer, private, parts, source, missing, questions=questions, jobs=jobs)
        for number, votes, failure in made:
            kept.add(number, votes, failure)
            if progress is not None:
                progress(len(kept.votes), parts.count)
        refuse_no_teacher([kept.failures.get(number) for number in range(parts.count)])
        counts = tally([kept.votes[number] for number in range(parts.count)], private.classes)
        given = kept.answers or kept.publish(ballot.run(counts, source.spawn("votes")))
        parts = dataclasses.replace(parts, assumptions=(*parts.assumptions, *kept.assumptions))
    answered = given.labels != NO_ANSWER
    learned = None
    if len(np.unique(given.labels[answered])) >= 2:
        lesson = Records(
            questions[answered],
            given.labels[answered],
            classes=private.classes,
            class_names=private.class_names,
            name="noisy answers",
        )
        learned = (trainer if student is None else student)(lesson, source.spawn("student"))
    return Taught(
        learned,
        given.labels,
        given.asked,
        ballot.guarantee(given.asked, parts, not source.is_secure),
        ballot.voting,
        parts.count,
        digest,
        _uncovered(counts, given, kept.failures),
        now(),
    )


@dataclasses.dataclass(frozen=True)
class _Ballot:
    """How many questions are put to the vote and how, decided before any teacher is trained."""

    voting: Voting
    promise: tuple[float, float] | None
    given: int
    most: int

    @classmethod
    def of(
        cls,
        voting: Voting | None,
        epsilon: float | None,
        delta: float | None,
        answers: int | None,
        given: int,
        units: int,
    ) -> _Ballot:
        most = given if answers is None else min(given, _checks.at_least(1, answers=answers))
        if epsilon is None or delta is None:
            if voting is None or epsilon is not delta:
                raise UsageError(
                    f"Expected epsilon and delta, or a voting, or all three, got epsilon={epsilon!r}, delta={delta!r} "
                    f"and voting={voting!r}.",
                    "Pass for instance epsilon=3, delta=1e-5.",
                )
            return cls(_is_voting(voting), None, given, most)
        _checks.delta(delta=delta, dataset_size=units)
        if voting is None:
            voting = Voting.calibrate(epsilon=epsilon, delta=delta, answers=most)
        voting = _is_voting(voting)
        ballot = cls(voting, (float(epsilon), float(delta)), given, most)
        if voting.threshold is None:
            most = voting.fitting(epsilon=epsilon, delta=delta, most=most)
        if most == 0 or not ballot.allows_one():
            raise BudgetExhausted(
                f"Expected room for an answer within epsilon = {epsilon:g} at delta = {delta:g}, got noise="
                f"{voting.noise:g} votes.",
                "Use more noise, or leave voting out: the least noise for all answers is found.",
            )
        return dataclasses.replace(ballot, most=most)

    def allows_one(self) -> bool:
        budget, test = self.budget(Unit.EXAMPLE, Relation.ADD_OR_REMOVE_ONE), self.voting.test
        return budget is None or test is None or budget.allows(test, self.voting.answer)

    def budget(self, unit: Unit, relation: Relation) -> GaussianBudget | None:
        """The filter that stops the questions: where their cost depends on which get an answer."""
        if self.promise is None or self.voting.threshold is None:
            return None
        epsilon, delta = self.promise
        return GaussianBudget(epsilon=epsilon, delta=delta, unit=unit, relation=relation)

    def run(self, counts: npt.NDArray[np.int64], randomness: Randomness) -> Answers:
        budget = self.budget(Unit.EXAMPLE, Relation.ADD_OR_REMOVE_ONE)  # costs are the same under either relation
        return self.voting.answers(counts, randomness, budget=budget, most=self.most)

    def guarantee(self, asked: int, parts: Parts, simulated: bool) -> Guarantee:
        budget, assumptions = self.budget(parts.unit, parts.relation), (*parts.assumptions, *_ASSUMED)
        if budget is not None:
            mechanisms, assumptions = budget.guarantee().mechanisms, (CHARGED_FIRST, *assumptions)
        elif self.voting.threshold is None:
            mechanisms = self.voting.mechanisms(asked, asked)
        else:  # how many were asked and answered depends on the data; how many may be does not
            mechanisms = self.voting.mechanisms(self.given, self.most)
        return Guarantee(mechanisms, parts.unit, parts.relation, assumptions, parts.dataset_size, simulated)


def _is_voting(voting: object) -> Voting:
    if isinstance(voting, Voting):
        return voting
    raise UsageError(f"Expected a Voting, got voting={voting!r}.", "Pass for instance Voting(noise=40).")


def _questions(public: Any, private: Records) -> npt.NDArray[Any]:
    """The public inputs, as the private records' features are."""
    given = public.features if isinstance(public, Records) else public
    inputs = Records(given, np.zeros(len(given), dtype=np.int64), name="public inputs").features
    kinds = private.features.dtype.kind, inputs.dtype.kind
    if inputs.shape[1:] != private.features.shape[1:] or kinds[0] != kinds[1]:
        raise DataError(
            f"Expected public inputs like the private records, of shape {private.features.shape[1:]} and "
            f"{private.features.dtype}, got {inputs.shape[1:]} and {inputs.dtype}.",
            "Prepare both with the same steps.",
        )
    inputs = np.ascontiguousarray(inputs.astype(private.features.dtype))
    known = {row.tobytes() for row in private.features + 0}  # minus zero is zero
    both = sum(row.tobytes() in known for row in inputs + 0)
    if both:
        raise DataError(
            f"Expected public inputs that are not among the private records, got {both} of {len(inputs)} that are.",
            "Take them out: what is public about a person cannot be protected by noise on its label.",
        )
    return inputs


def _uncovered(counts: npt.NDArray[np.int64], given: Answers, failures: dict[int, str]) -> Uncovered:
    rows = np.flatnonzero(given.labels != NO_ANSWER)
    agreed = counts[rows, given.labels[rows]] == counts[rows].max(axis=1)
    return Uncovered(counts, float(agreed.mean()) if len(rows) else float("nan"), tuple(failures.values()))
