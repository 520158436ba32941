"""Shadow models: the same training, repeated on random halves of the records, to learn what membership does.

Promise: model k is trained on records chosen by independent coin flips, by the trainer that made the target; every
model gets its own randomness, so the result does not depend (beyond floating-point rounding) on how many processes
share the work. Under simulated randomness the first models of a larger fleet are those of a smaller one, so a store
spares them. A trainer that fails stops the audit with its own message; nothing is half-used.

How: the parts are drawn here; `reticent.training.fleets.fit_many` trains.

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

import dataclasses
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data import Records
from reticent.errors import UsageError
from reticent.models import Exposure, Fleet
from reticent.models.asking import Adapter
from reticent.models.kinds import adapter_of
from reticent.randomness import Randomness, required
from reticent.training import Recipe
from reticent.training.fleets import Store, Trainer, fingerprint, fit_many
from reticent.training.fleets.learners import SklearnTrainer, as_trainer, trained

__all__ = ["Trainer", "draw_membership", "train_shadows"]

_TRIES = 200  # draws of one part, before two classes in it count as too rare


def train_shadows(
    trainer: Any,
    pool: Records,
    *,
    count: int,
    randomness: Randomness,
    exposure: Exposure = Exposure.LOGITS,
    inclusion: float = 0.5,
    membership: npt.NDArray[np.bool_] | None = None,
    jobs: int | None = None,
    executor: Executor | str | None = None,
    store: str | Path | None = None,
    ways: str | None = None,
    answers: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Fleet:
    """Train `count` models on random parts of the pool and ask each about every record.

    Args:
        trainer: called as trainer(records, randomness); or a scikit-learn classifier.
        pool: the records; owners, if they are known, are drawn as a whole.
        count: number of models, at least 4.
        randomness: source of the draws, and of each model's own randomness.
        exposure: what of the models is used.
        inclusion: probability that a record is in a model's training data.
        membership: (count, records) draws made before, by `draw_membership`, to compare trainings on equal draws.
        jobs: processes; all cores by default (this process alone if the work is short), 1 to stay in this process.
        executor: where else to train: see `reticent.training.fleets.fit_many`.
        store: a folder that keeps the answers of finished models, and gives them back to the same call, or to one for
            more models. With secure randomness, which repeats nothing, the parts that were drawn are kept, too, and
            another call for the same trainer, records and inclusion goes on with them. As confidential as the records.
        ways: "stacked" or "one by one", instead of a choice by measurement.
        answers: "logits" or "probabilities": what the models' answers are, where that is in doubt.
        progress: called as progress(models_done, count).

    Raises:
        UsageError: a trainer that cannot be called so, or too few models; with a store, a trainer whose code cannot be
            read off.
        PeerError: workers died again and again.
    """
    _checks.at_least(4, shadows=count)
    _checks.open_fraction(inclusion=inclusion)
    trainer = as_trainer(trainer)
    if answers is not None and not isinstance(trainer, Recipe | SklearnTrainer):
        trainer = _Said(trainer, answers)
    source = required(randomness).spawn("shadows")
    kept = None if store is None else Store(store, drawn=f"membership by coins, inclusion {inclusion!r}")
    if membership is None:
        membership = np.empty((0, len(pool)), dtype=bool)
        known = kept.of(fingerprint(trainer), pool) if kept is not None and source.is_secure else None
        if known is not None:
            membership = known.drawn(len(pool))[:count]
        if len(membership) < count:
            fresh = draw_membership(pool, count - len(membership), inclusion, source.spawn("membership"))
            if known is not None:
                known.keep_drawn(fresh)
            membership = np.concatenate([membership, fresh])
    if membership.shape != (count, len(pool)) or membership.dtype != bool:
        raise UsageError(
            f"Expected membership as True and False of shape {(count, len(pool))}, got {membership.dtype} of shape "
            f"{membership.shape}.",
            "Pass what draw_membership gave for this pool and count.",
        )
    return fit_many(
        trainer,
        pool,
        membership,
        randomness=source,
        exposure=exposure,
        jobs=jobs,
        executor=executor,
        store=kept,
        ways=ways,
        progress=progress,
    )


@dataclasses.dataclass(frozen=True)
class _Said:
    """A trainer whose models answer in a way that was said."""

    trainer: Trainer
    answers: str

    def __call__(self, records: Records, randomness: Randomness) -> Any:
        model = trained(self.trainer, records, randomness)
        return _Told(adapter_of(model, classes=records.classes), self.answers)


class _Told:
    """A model as it is asked, and what its answers are."""

    def __init__(self, adapter: Adapter, answers: str) -> None:
        self.ask, self.rows = adapter.ask, adapter.rows
        self.answers: str | None = adapter.answers if adapter.answers == "labels" else answers


def draw_membership(pool: Records, count: int, inclusion: float, randomness: Randomness) -> npt.NDArray[np.bool_]:
    """(count, records) independent coin flips, one per owner; a draw that holds one class only is drawn again.

    Row k comes from a stream of its own: asking for more rows of the same simulated randomness leaves it as it is.
    """
    owner = pool.owner_index()
    owners = int(owner.max()) + 1
    return np.stack([_drawn(pool, owner, owners, inclusion, randomness.spawn(f"mask {k}")) for k in range(count)])


def _drawn(
    pool: Records, owner: npt.NDArray[np.int64], owners: int, inclusion: float, randomness: Randomness
) -> npt.NDArray[np.bool_]:
    for _ in range(_TRIES):
        draw = randomness.bernoulli(inclusion, owners)[owner]
        chosen = pool.labels[draw]
        if len(chosen) and (chosen != chosen[0]).any():
            return np.asarray(draw)
    raise UsageError(
        f"Expected random parts of {len(pool)} records to hold two classes, but they hardly ever do.",
        "Audit with more records of the rare class.",
    )
