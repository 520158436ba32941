"""Shadow models: the same training, repeated on random halves of the records, to learn what membership does.

Promise: model k is trained on records chosen by independent coin flips, by the trainer that made the target; every
model gets its own randomness, so the result does not depend (beyond floating-point rounding) on how many processes
share the work. A trainer that fails stops the audit with its own message; nothing is half-used.

Example:
    >>> import numpy as np, torch, reticent as rt
    >>> from reticent.audits.shadows import train_shadows
    >>> from reticent.data import load
    >>> from reticent.randomness import Randomness
    >>> recipe = rt.Recipe(lambda: torch.nn.Linear(10, 2), lambda p: torch.optim.Adam(p), epochs=1, batch_size=64)
    >>> fleet = train_shadows(recipe, load("diabetes"), count=4, randomness=Randomness.simulated(0), jobs=1)
    >>> fleet.scores.shape, fleet.membership.shape
    ((4, 442), (4, 442))
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data import Records
from reticent.errors import MissingExtra, UsageError
from reticent.models import Exposure, Fleet, Target
from reticent.randomness import Randomness, required

__all__ = ["Trainer", "draw_membership", "train_shadows"]


class Trainer(Protocol):
    """Trains a fresh model on records, in the same way each time."""

    def __call__(self, records: Records, randomness: Randomness, /) -> Any:
        """The trained model: anything that `reticent.models.Target` accepts."""


def train_shadows(
    trainer: Trainer,
    pool: Records,
    *,
    count: int,
    randomness: Randomness,
    exposure: Exposure = Exposure.LOGITS,
    inclusion: float = 0.5,
    membership: npt.NDArray[np.bool_] | None = None,
    jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Fleet:
    """Train `count` models on random parts of the pool and ask each about every record.

    Args:
        trainer: called as trainer(records, randomness).
        pool: the records; owners, if they are known, are drawn as a whole.
        count: number of models, at least 4.
        randomness: source of the draws, and of each model's own randomness.
        exposure: what of the models is used.
        inclusion: probability that a record is in a model's training data.
        membership: (count, records) draws made before, by `draw_membership`, to compare trainings on equal draws.
        jobs: processes; all cores by default, 1 to stay in this process.
        progress: called as progress(models_done, count).

    Raises:
        UsageError: a trainer that cannot be called so, or too few models.
    """
    _checks.at_least(4, shadows=count)
    _checks.open_fraction(inclusion=inclusion)
    if not callable(trainer) or hasattr(trainer, "named_parameters"):
        raise UsageError(
            f"Expected a trainer that can be called, got {type(trainer).__name__}.",
            "Pass a function trainer(records, randomness) that returns a trained model, or a reticent.Recipe.",
        )
    source = required(randomness).spawn("shadows")
    if membership is None:
        membership = draw_membership(pool, count, inclusion, source.spawn("membership"))
    if membership.shape != (count, len(pool)) or membership.dtype != bool:
        raise UsageError(
            f"Expected membership as True and False of shape {(count, len(pool))}, got {membership.dtype} of shape "
            f"{membership.shape}.",
            "Pass what draw_membership gave for this pool and count.",
        )
    streams = [source.spawn(f"model {k}") for k in range(count)]
    jobs = min(count, os.cpu_count() or 1) if jobs is None else _checks.at_least(1, jobs=jobs)
    tasks = [(trainer, pool, membership[k], streams[k]) for k in range(count)]
    answers = []
    for result in _run(tasks, jobs):
        answers.append(result)
        if progress is not None:
            progress(len(answers), count)
    return Fleet.of(np.stack(answers), pool.labels, membership, exposure)


def draw_membership(pool: Records, count: int, inclusion: float, randomness: Randomness) -> npt.NDArray[np.bool_]:
    """(count, records) independent coin flips, one per owner; a draw that holds one class only is drawn again."""
    owner = pool.owner_index()
    rows: list[npt.NDArray[np.bool_]] = []
    tries = 0
    while len(rows) < count:
        draw = randomness.bernoulli(inclusion, int(owner.max()) + 1)[owner]
        tries += 1
        if len(np.unique(pool.labels[draw])) >= 2:
            rows.append(draw)
        elif tries > 20 * count:
            raise UsageError(
                f"Expected random parts of {len(pool)} records to hold two classes, but they hardly ever do.",
                "Audit with more records of the rare class.",
            )
    return np.stack(rows)


def _run(tasks: list[Any], jobs: int) -> Any:
    if jobs == 1:
        return (_train_one(*task) for task in tasks)
    try:
        from joblib import Parallel, delayed, parallel_config
    except ImportError as error:
        raise MissingExtra("joblib", "lab", "Training shadow models in several processes") from error
    with parallel_config("loky", inner_max_num_threads=1):
        return Parallel(n_jobs=jobs, return_as="generator")(delayed(_train_one)(*task) for task in tasks)


def _train_one(
    trainer: Trainer, pool: Records, mask: npt.NDArray[np.bool_], randomness: Randomness
) -> npt.NDArray[np.float32]:
    """(records, classes) log-probabilities of one model for the whole pool."""
    try:
        model = trainer(pool.take(mask), randomness)
    except TypeError as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:  # raised by the call itself
            raise UsageError(
                f"Expected a trainer called as trainer(records, randomness), but: {error}.",
                "Give it these two parameters.",
            ) from error
        raise
    target = Target(model, classes=pool.classes, name="a shadow model")
    return target.log_probabilities(pool.features).astype(np.float32)
