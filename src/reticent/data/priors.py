"""Answers about labels among those that are likely: randomised response with a prior.

Promise: whatever the priors are, an answer gives away no more than epsilon about its label, provided the priors do not
depend on that label. They may come from a network that was trained on other people's answers.

For every record the k most likely labels are chosen such that the truth is most likely to come through: k maximises
e^epsilon / (e^epsilon + k - 1) times the prior of the first k. A label among them is answered by randomised response
among the k; any other is answered by one of the k, uniformly (Ghazi, Golowich, Kumar, Manurangsi and Zhang, 2021,
algorithms 1 and 2). Every answer is at most e^epsilon times as likely under one label as under another: the ratios are
e^epsilon, k e^epsilon / (e^epsilon + k - 1), and less. Since k varies, `RandomisedResponse(epsilon, 2)` is charged,
the worst of all mechanisms with this epsilon.

Example:
    >>> import numpy as np
    >>> from reticent.data.priors import prior_answers
    >>> from reticent.randomness import Randomness
    >>> priors = np.array([[0.9, 0.05, 0.05], [0.4, 0.4, 0.2]])
    >>> answers, allowed = prior_answers([0, 1], priors, epsilon=1.0, randomness=Randomness.simulated(0))
    >>> allowed.tolist()  # where one label is nearly certain, nothing else is worth asking
    [[True, False, False], [True, True, False]]
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data import _opendp
from reticent.data.local import sampler_for
from reticent.errors import DataError
from reticent.privacy import discrete
from reticent.randomness import Randomness, required

__all__ = ["prior_answers"]


def prior_answers(
    labels: Any, priors: Any, *, epsilon: float, randomness: Randomness, sampler: str | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """An answer about each label, and the labels that might have been answered.

    Args:
        labels: (n,) whole numbers below k.
        priors: (n, k) how likely each label is taken to be, not negative; must not depend on these labels.
        epsilon: above 0.
        randomness: where the answers come from.
        sampler: "opendp" or "exact"; see `reticent.data.local`.

    Returns:
        (n,) answers, and (n, k) which labels they were chosen among.

    Raises:
        DataError: shapes that do not fit, labels out of range, priors that are negative or not finite.
    """
    truth, likely = np.asarray(labels, dtype=np.int64), np.asarray(priors, dtype=np.float64)
    _checks.positive(epsilon=epsilon)
    if likely.ndim != 2 or truth.shape != likely.shape[:1] or likely.shape[1] < 2:
        raise DataError(
            f"Expected (n,) labels and (n, k) priors, got {truth.shape} and {likely.shape}.", "One row for each label."
        )
    if not (np.isfinite(likely).all() and (likely >= 0).all()):
        raise DataError("Expected priors of 0 and more, got others.", "Pass probabilities.")
    if len(truth) and not 0 <= truth.min() <= truth.max() < likely.shape[1]:
        raise DataError(f"Expected labels below {likely.shape[1]}, got others.", "One column for each label.")
    source = required(randomness)
    order = np.argsort(-likely, axis=1, kind="stable")
    counts = 1 + np.argmax(_through(np.take_along_axis(likely, order, axis=1), epsilon), axis=1)
    rank = np.argsort(order, axis=1, kind="stable")
    own = np.take_along_axis(rank, truth[:, None], axis=1)[:, 0]
    if sampler_for(sampler, source) == "opendp":
        found = _opendp.answers(np.minimum(own, counts), counts, epsilon)
    else:
        found = discrete.answers(own, categories=counts, epsilon=epsilon, randomness=source)
    answered = np.take_along_axis(order, found[:, None], axis=1)[:, 0]
    return answered, rank < counts[:, None]


def _through(decreasing: npt.NDArray[np.float64], epsilon: float) -> npt.NDArray[np.float64]:
    """(n, k) how likely the truth comes through among the first 1, 2, ..., k labels."""
    others = np.arange(decreasing.shape[1])
    chosen: npt.NDArray[np.float64] = np.cumsum(decreasing, axis=1) / (1.0 + others * np.exp(-epsilon))
    return chosen
