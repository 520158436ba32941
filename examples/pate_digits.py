"""A student of noisy teachers: people's handwriting stays with the teachers, and the student never sees it.

Run: python examples/pate_digits.py

    >>> result = main(seeds=1)
    >>> result.epsilon <= 8.0, result.answered
    (True, 100)
    >>> result.private_answers, result.again_for_free
    (3, True)
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student_t
from sklearn.svm import SVC

import reticent as rt
from reticent.data import load
from reticent.privacy import Voting
from reticent.training import PrivatePredictor, train_teachers

DELTA = 1e-4


class Result(NamedTuple):
    accuracies: list[float]  # of the student on unseen digits, one for each seed
    epsilon: float
    answered: int
    private_answers: int
    again_for_free: bool


def fit(records: rt.Records, randomness: rt.Randomness) -> SVC:
    """Any way of training will do, for teachers and student alike."""
    return SVC(C=5.0).fit(records.features, records.labels)


def main(seeds: int = 5) -> Result:
    """Students over several seeds, and three answers from the teachers themselves."""
    digits = load("digits")
    order = rt.Randomness.simulated(0).permutation(len(digits))
    private, public, unseen = (digits.take(order[slice(*ends)]) for ends in ((0, 1200), (1200, 1300), (1300, 1797)))
    accuracies = []
    for seed in range(seeds):
        taught = rt.teach(
            private,
            public.features,  # inputs only: the teachers' noisy votes are the labels
            fit,
            teachers=150,
            epsilon=8.0,
            delta=DELTA,
            randomness=rt.Randomness.simulated(seed),  # repeatable; leave it out for a promise
            jobs=1,
        )
        accuracies.append(float((taught.student.predict(unseen.features) == unseen.labels).mean()))

    # Or no student: the teachers answer questions one by one, until the budget is used up.
    teachers = train_teachers(private, fit, teachers=150, jobs=1)
    with tempfile.TemporaryDirectory() as folder:
        voting = Voting(noise=15.0)
        with PrivatePredictor(teachers, voting, epsilon=3.0, delta=DELTA, state=Path(folder) / "answers") as predictor:
            answers = [predictor.ask(question) for question in unseen.features[:3]]
            left = predictor.share_left()
            again = predictor.ask(unseen.features[0]) == answers[0] and predictor.share_left() == left
    return Result(accuracies, taught.guarantee.epsilon(DELTA), int(taught.answered.sum()), len(answers), again)


if __name__ == "__main__":
    found = main()
    mean, count = float(np.mean(found.accuracies)), len(found.accuracies)
    half = float(student_t.isf(0.025, count - 1)) * float(np.std(found.accuracies, ddof=1)) / math.sqrt(count)
    print(
        f"accuracy of the student on unseen digits: {mean:.2f} [{mean - half:.2f}, {mean + half:.2f}] "
        f"(95 %, {count} seeds)"
    )
    print(f"{found.answered} answers, epsilon {found.epsilon:.2f} at delta {DELTA}")
