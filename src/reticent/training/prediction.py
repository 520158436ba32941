"""`PrivatePredictor`: teachers that answer questions one by one, with noise, until a budget is used up.

Promise: all answers together, whoever asked and however questions were chosen by earlier answers, satisfy
`guarantee()`. Each answer costs budget (Dwork and Feldman, 2018: private prediction); when the next one could break the
promise, `BudgetExhausted` is raised instead. A question that has been asked before, to the bit, is given the same
answer from memory, at no cost. What an answer costs is on disk before the answer is shown: after a stop at any moment,
kill -9 and power cuts included, the account is never below what has been seen. A state of simulated answers or teachers
is taken up by predictors of simulated ones only. Threads may share a predictor;
processes may not, and are refused.

Callers: with `callers={"name": epsilon}` each has a budget of their own, and what one caller sees satisfies
`guarantee("name")` as long as the others keep their answers to themselves. Callers who put theirs together know what
`guarantee()` bounds, and no more: every answer is charged to the whole as well. With callers a question that gets no
answer is charged to the whole like one that does, so that nobody learns from what is left what others were told.

Not covered: the questions (digests of them stand beside the answers in `state`), how long an answer takes, that the
whole budget is used up (it tells what questions others have asked); an account without `state` is forgotten when
the process ends. Predictors over the same records add up: `guarantee().compose(...)`.

Example:
    >>> import reticent as rt
    >>> from reticent.data import load
    >>> from reticent.privacy import Voting
    >>> from reticent.training import PrivatePredictor, train_teachers
    >>> from sklearn.linear_model import LogisticRegression
    >>> fit = lambda part, randomness: LogisticRegression().fit(part.features, part.labels)
    >>> digits = load("digits")
    >>> teachers = train_teachers(digits.take(range(1500)), fit, teachers=50, jobs=1)
    >>> predictor = PrivatePredictor(teachers, Voting(noise=8.0), epsilon=3, delta=1e-4)
    >>> predictor.ask(digits.features[1501]) in range(10)
    True
    >>> predictor.guarantee().epsilon(1e-4) <= 3
    True
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import BudgetExhausted, DataError, IntegrityError, UsageError
from reticent.evidence.ledger import Ledger
from reticent.privacy import GaussianBudget, Guarantee, Mechanism, Voting
from reticent.randomness import Randomness, required
from reticent.training.teachers import Teachers

__all__ = ["PrivatePredictor"]

_ALONE = (
    "other callers keep their answers to themselves",
    "not covered: that the budget of all callers is used up, which tells what questions others have asked",
)


class PrivatePredictor:
    """Answers single questions with noise, under a budget.

    Args:
        teachers: what `train_teachers` gave.
        voting: Gaussian noise on the votes, and a threshold if there is one.
        epsilon: promised for all answers together.
        delta: at this delta.
        callers: name to epsilon of everybody who may ask; without it nobody is told apart.
        state: a file where every answer is written down before it is shown; taken up if it is there.
        randomness: source of the noise; the operating system's by default.

    Raises:
        UsageError: arguments that do not fit together, a state of another predictor or one that is in use.
        IntegrityError: a damaged state.
    """

    def __init__(
        self,
        teachers: Teachers,
        voting: Voting,
        *,
        epsilon: float,
        delta: float,
        callers: Mapping[str, float] | None = None,
        state: str | Path | None = None,
        randomness: Randomness | None = None,
    ) -> None:
        if not isinstance(teachers, Teachers) or not isinstance(voting, Voting) or voting.law != "gaussian":
            raise UsageError(
                f"Expected trained Teachers and a Voting with Gaussian noise, got {type(teachers).__name__} and "
                f"{voting!r}.",
                "Pass what train_teachers gave, and for instance Voting(noise=20).",
            )
        self.teachers, self.voting = teachers, voting
        self._source = Randomness.secure() if randomness is None else required(randomness).spawn("answers")
        _checks.delta(delta=delta, dataset_size=teachers.parts.dataset_size)
        whose: dict[str, Any] = {"unit": teachers.parts.unit, "relation": teachers.parts.relation, "delta": delta}
        self._total = GaussianBudget(epsilon=epsilon, **whose)
        self._callers = (
            None if callers is None else {name: GaussianBudget(epsilon=own, **whose) for name, own in callers.items()}
        )
        self._told: dict[str, int | None] = {}
        self._known: dict[str, set[str | None]] = {}
        self._lock, self._process = threading.Lock(), os.getpid()
        self._ledger: Ledger | None = None
        self._closed = False
        if state is not None:
            about = {
                "voting": voting.as_dict(),
                "promise": [epsilon, delta, teachers.parts.unit.value, teachers.parts.relation.value],
                "callers": None if callers is None else dict(callers),
                "questions": [list(teachers.shape), teachers.classes],
                # Answers whose noise can be computed again are no secure ones, whoever gives them out later.
                "simulated": {"teachers": teachers.simulated, "answers": not self._source.is_secure},
            }
            self._ledger = Ledger(state, about)
            try:
                for line in self._ledger.lines:
                    self._take_up(line)
            except BaseException:
                self._ledger.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise UsageError(
            "Expected a predictor to stay in its process, got a copy asked for.",
            "Ask it from one process: two copies would spend the same budget twice.",
        )

    def close(self) -> None:
        """Let go of the state; nothing more is answered."""
        with self._lock:
            self._closed = True
            if self._ledger is not None:
                self._ledger.close()

    def ask(self, question: npt.ArrayLike, caller: str | None = None) -> int | None:
        """The answer to one question, or None if the teachers disagree too much (only with a threshold).

        Args:
            question: the features of one record, of the shape of the teachers' records.
            caller: who asks, if callers are told apart.

        Raises:
            BudgetExhausted: the answer could break a promise. Nothing is charged, and nothing was computed.
            DataError: a question of another shape, or not finite.
            UsageError: an unknown caller, a predictor that was closed, or another process than the one that made it.
        """
        if os.getpid() != self._process:
            raise UsageError(
                "Expected the process that made the predictor, got another one.",
                "Ask it from one process: two copies would spend the same budget twice.",
            )
        own = self._own(caller)
        asked = self._asked(question)
        key = hashlib.sha256(asked.tobytes()).hexdigest()
        with self._lock:
            if self._closed:
                raise UsageError(
                    "Expected an open predictor, got one that was closed.",
                    "Ask inside its `with`; one with a state can be opened again and goes on.",
                )
            if caller in self._known.get(key, ()):
                return self._told[key]
            fresh = key not in self._told
            self._refuse_overdraft(fresh, own, caller)
            told = self._drawn(asked) if fresh else self._told[key]
            line = {"question": key, "answer": told, "caller": caller, "fresh": fresh}
            if self._ledger is not None:
                self._ledger.add(line)
            self._note(line)
            return told

    def share_left(self, caller: str | None = None) -> float:
        """The share of the budget that is left, of all callers together or of one."""
        own = None if caller is None else self._own(caller)
        return (self._total if own is None else own).share_left

    def spent(self, caller: str | None = None) -> tuple[Mechanism, ...]:
        """What has been charged to all callers together, or to one."""
        own = None if caller is None else self._own(caller)
        return (self._total if own is None else own).spent

    def guarantee(self, caller: str | None = None) -> Guarantee:
        """What is promised about everything that is ever answered, or about what one caller is told."""
        own = None if caller is None else self._own(caller)
        promise = (self._total if own is None else own).guarantee()
        return Guarantee(
            promise.mechanisms,
            promise.unit,
            promise.relation,
            (*promise.assumptions, *self.teachers.parts.assumptions, *(() if own is None else _ALONE)),
            self.teachers.parts.dataset_size,
            self.teachers.simulated or not self._source.is_secure,
        )

    def _own(self, caller: str | None) -> GaussianBudget | None:
        if self._callers is None and caller is None:
            return None
        if self._callers is None or caller not in self._callers:
            known = "nobody is told apart" if self._callers is None else f"known are {', '.join(self._callers)}"
            raise UsageError(f"Expected a known caller, got caller={caller!r}.", f"Here {known}.")
        return self._callers[caller]

    def _asked(self, question: npt.ArrayLike) -> npt.NDArray[Any]:
        """(1, ...) the question as the teachers' records are."""
        asked = np.asarray(question)
        if asked.shape != self.teachers.shape or asked.dtype.kind not in "biuf":
            raise DataError(
                f"Expected one question of shape {self.teachers.shape}, got {asked.dtype} of shape {asked.shape}.",
                "Pass the features of one record; ask about several one by one.",
            )
        asked = asked.astype(self.teachers.dtype) + 0  # minus zero is zero
        if not np.isfinite(asked).all():
            raise DataError("Expected finite features, got NaN or infinity.", "Impute them first.")
        return asked[None]

    def _drawn(self, asked: npt.NDArray[Any]) -> int | None:
        votes = self.teachers.votes(asked)[0].astype(np.float64)
        return self.voting.elect(votes, self._source) if self.voting.passes(votes, self._source) else None

    def _refuse_overdraft(self, fresh: bool, own: GaussianBudget | None, caller: str | None) -> None:
        """Before anything is looked at, whatever the answer will be: that there is none now tells nothing."""
        if fresh and not self._total.allows(*self._prices(True)):
            raise _exhausted(self._total, "all callers together")
        if own is not None and not own.allows(*self._prices(True)):
            raise _exhausted(own, f"{caller}")

    def _note(self, line: Mapping[str, Any]) -> None:
        """Charge what a line says, and remember it."""
        key, told, caller = line["question"], line["answer"], line["caller"]
        own = self._own(caller)
        if line["fresh"]:
            self._total.spend(*self._prices(told is not None or own is not None))
            self._told[key] = told
        if own is not None:
            own.spend(*self._prices(told is not None))
        self._known.setdefault(key, set()).add(caller)

    def _prices(self, answered: bool) -> tuple[Mechanism, ...]:
        test, answer = self.voting.test, self.voting.answer
        return (*(() if test is None else (test,)), *((answer,) if answered else ()))

    def _take_up(self, line: Mapping[str, Any]) -> None:
        if set(line) != {"question", "answer", "caller", "fresh"}:
            raise IntegrityError("Expected a ledger of answers, got other lines.", "Pass the state of a predictor.")
        self._note(line)


def _exhausted(budget: GaussianBudget, whose: str) -> BudgetExhausted:
    return BudgetExhausted(
        f"Expected room for an answer, but {budget.share_left:.1%} of the budget of epsilon = {budget.epsilon:g} at "
        f"delta = {budget.delta:g} of {whose} is left.",
        "Questions that were asked before are still answered; everything that was answered keeps its promise.",
    )
