"""`fit_many`: train one model for each part of the records, and ask each about all of them.

Promise: the answers of model k follow from the trainer, the pool, mask k and the stream "model k" of the randomness,
and from nothing else: not from the number of workers, their order, how the models are shared out or what is stored. Up
to rounding, where models are trained side by side: 1e-9 of the answers in double precision; in single precision sums in
another order differ in the last digit, and what a training makes of that depends on it (`benchmarks/fleet.py` measures
it). With secure randomness nothing repeats, of course. A trainer that fails stops the fleet with its own message.

How: a plain `reticent.Recipe` is trained many models at a time as one stacked network, where a trial shows that this
is exact and a measurement that it pays (`choosing`). Shares of the models go to local processes, to an executor, or to
a dask or ray cluster (`workers`); a worker that dies costs its share, which is trained again. With a `store` every
finished model is on disk at once.

Shapes: masks (models, records); answers (models, records, classes), float32 natural logarithms of probabilities.

Example:
    >>> import torch, reticent as rt
    >>> from reticent.data import load
    >>> from reticent.randomness import Randomness
    >>> from reticent.training.fleets import fit_many
    >>> pool, source = load("diabetes"), Randomness.simulated(0)
    >>> masks = source.spawn("masks").bernoulli(0.5, 8 * len(pool)).reshape(8, -1)
    >>> recipe = rt.Recipe(lambda: torch.nn.Linear(10, 2), lambda p: torch.optim.Adam(p), epochs=1, batch_size=64)
    >>> fit_many(recipe, pool, masks, randomness=source, jobs=1).answers.shape
    (8, 442, 2)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reticent import _checks
from reticent.data import Records
from reticent.errors import PeerError, UsageError
from reticent.models import Exposure, Fleet
from reticent.randomness import Randomness, required
from reticent.training.fleets.batches import steps_of
from reticent.training.fleets.choosing import choose
from reticent.training.fleets.fingerprints import fingerprint
from reticent.training.fleets.learners import Trainer, as_trainer
from reticent.training.fleets.stacks import Way
from reticent.training.fleets.store import Store
from reticent.training.fleets.workers import Workers, workers_at
from reticent.training.fleets.working import Failed, trained, work
from reticent.training.recipe import Recipe

__all__ = ["fit_many", "shares"]

_DEATHS = 3  # after which no more workers are sent after those that died
_SHORT = 5.0  # seconds of work that are not worth starting processes for
_EACH = 8  # shares for every worker, where models are trained one by one

_Done = Iterator[tuple[int, npt.NDArray[np.float32]]]


def fit_many(
    trainer: Any,
    pool: Records,
    masks: npt.NDArray[np.bool_],
    *,
    randomness: Randomness,
    labels: npt.NDArray[np.int64] | None = None,
    exposure: Exposure = Exposure.LOGITS,
    jobs: int | None = None,
    executor: Executor | str | None = None,
    store: str | Path | Store | None = None,
    ways: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Fleet:
    """Train a model on `pool.take(mask)` for every mask, and ask it about the whole pool.

    Args:
        trainer: a function trainer(records, randomness) to a model, a `reticent.Recipe`, or a scikit-learn classifier.
        pool: the records.
        masks: (models, records) True where a model is trained on a record.
        randomness: model k gets its stream "model k".
        labels: (records,) what the fleet's signals are about; the pool's labels by default.
        exposure: what of the answers the fleet's signals show; `Fleet.under` changes it later.
        jobs: processes; 1 to stay in this one. By default all cores, or this one if the work is expected to be short.
            With an executor: into how many parts the work falls.
        executor: any `concurrent.futures.Executor`, "dask:tcp://host:port", "ray:host:port" or "ray:local".
        store: a folder in which finished models' answers are kept and looked for; see `Store`.
        ways: "stacked" or "one by one", instead of a choice by trial and measurement.
        progress: called as progress(models_done, models), in order.

    Returns:
        The fleet, with its answers.

    Raises:
        UsageError: a trainer that cannot be called so, or masks that do not fit.
        PeerError: workers died again and again, or the trainer raised what cannot be brought here; the text quotes it.
        DataError: what the trainer says about a part that it cannot use.
    """
    source = required(randomness)
    trainer = as_trainer(trainer)
    masks = _checked(masks, len(pool))
    if jobs is not None:
        _checks.at_least(1, jobs=jobs)
    models = len(masks)
    streams = [source.spawn(f"model {k}") for k in range(models)]
    kept = None
    if store is not None:
        kept = (store if isinstance(store, Store) else Store(store)).of(fingerprint(trainer), pool)
    keys = [""] * models if kept is None else kept.keys(masks, streams)
    answers = _Answers(models)
    found = {} if kept is None else {k: had for k, key in enumerate(keys) if (had := kept.get(key)) is not None}
    left = [k for k in range(models) if k not in found]
    finished = _chained(found, left, trainer, pool, masks, streams, (jobs, executor, ways))
    for done, (place, said) in enumerate(finished, 1):
        answers.put(place, said)
        if kept is not None and place not in found:
            kept.put(keys[place], masks[place], said)
        if progress is not None:
            progress(done, models)
    return Fleet.of(answers.whole(), pool.labels if labels is None else labels, masks, Exposure.of(exposure))


def _checked(values: Any, records: int) -> npt.NDArray[np.bool_]:
    masks: npt.NDArray[np.bool_] = np.asarray(values)
    if masks.dtype != bool or masks.ndim != 2 or masks.shape[1] != records or len(masks) == 0:
        raise UsageError(
            f"Expected masks as True and False of shape (models, {records}), got {masks.dtype} of shape {masks.shape}.",
            "Say of every model and record whether it is trained on.",
        )
    return masks


class _Answers:
    """Room for all answers, taken once."""

    def __init__(self, models: int) -> None:
        self._models = models
        self._all: npt.NDArray[np.float32] | None = None

    def put(self, place: int, said: npt.NDArray[np.float32]) -> None:
        if self._all is None:
            self._all = np.empty((self._models, *said.shape), np.float32)
        if said.shape != self._all.shape[1:]:
            raise UsageError(
                f"Expected answers of one shape from all models, got {self._all.shape[1:]} and {said.shape}.",
                "Let every model answer with as many classes.",
            )
        self._all[place] = said

    def whole(self) -> npt.NDArray[np.float32]:
        assert self._all is not None  # noqa: S101 - there is at least one model
        return self._all


def _chained(
    found: dict[int, npt.NDArray[np.float32]],
    left: list[int],
    trainer: Trainer,
    pool: Records,
    masks: npt.NDArray[np.bool_],
    streams: Sequence[Randomness],
    where: tuple[int | None, Executor | str | None, str | None],
) -> _Done:
    """Stored answers, then those of models that are trained now."""
    yield from found.items()
    if not left:
        return
    jobs, executor, ways = where
    inside = executor is None and (jobs == 1 or len(left) == 1)
    threads = torch.get_num_threads()
    if not inside:
        torch.set_num_threads(1)  # measured as workers train
    try:
        way = choose(trainer, pool, [streams[k] for k in left], ways)
    finally:
        torch.set_num_threads(threads)
    if executor is None and jobs is None and not inside:
        inside = (os.cpu_count() or 1) == 1 or _is_short(trainer, pool, len(left), way)
    if inside:
        for place, said in trained(trainer, pool, masks[left], [streams[k] for k in left], way):
            yield left[place], said
        return
    workers = workers_at(executor, min(jobs or os.cpu_count() or 1, len(left)) if executor is None else jobs)
    try:
        cargo = workers.start(trainer, pool)
        yield from _shared_out(workers, cargo, shares(left, workers.count, way), masks, streams, way)
    finally:
        workers.close()


def _is_short(trainer: Trainer, pool: Records, models: int, way: Way) -> bool:
    if way.seconds == 0 or not isinstance(trainer, Recipe):
        return False
    return way.seconds * steps_of(trainer, max(1, len(pool) // 2)) * models < _SHORT


def shares(models: list[int], workers: int, way: Way) -> list[list[int]]:
    """The models in parts, so that every worker has work and little is lost with one.

    A stacked share is one stack, smaller than the best one only where workers would go without.
    """
    if way.is_stacked:
        each = min(way.together, -(-len(models) // workers))
    else:
        each = max(1, len(models) // (_EACH * workers))
    return [models[start : start + each] for start in range(0, len(models), each)]


def _shared_out(
    workers: Workers,
    cargo: Any,
    parts: list[list[int]],
    masks: npt.NDArray[np.bool_],
    streams: Sequence[Randomness],
    way: Way,
) -> _Done:
    deaths = 0
    while parts:
        pending: dict[Future[Any], list[int]] = {}
        lost: list[list[int]] = []
        try:
            try:
                for part in parts:
                    pending[workers.submit(work, cargo, masks[part], [streams[k] for k in part], way)] = part
            except Exception as error:
                if not workers.is_loss(error):
                    raise
                lost += parts[len(pending) :]
            for future in as_completed(list(pending)):
                part = pending.pop(future)
                try:
                    answers = future.result()
                except BaseException as error:
                    if not workers.is_loss(error):
                        raise workers.cause(error)  # noqa: B904 - the trainer's own words, with its own cause
                    lost.append(part)
                    continue
                if isinstance(answers, Failed):
                    raise answers.error()
                yield from zip(part, answers, strict=True)
        finally:
            for future in pending:
                future.cancel()
        if lost:
            deaths += 1
            if deaths > _DEATHS or not workers.renewable:
                raise PeerError(
                    f"Expected {workers} that live, but some died {deaths} times while they trained; "
                    f"{sum(map(len, lost))} models are missing.",
                    "Often the memory was used up: use fewer jobs. Pass store= to keep what is done.",
                )
            cargo = workers.renew()
        parts = lost
