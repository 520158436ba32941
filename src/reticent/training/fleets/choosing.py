"""How the models of a fleet are trained: side by side where that is exact and pays, else one by one.

Promise: models are stacked only after two of them, in double precision, took a few steps side by side and one by one
with batches of different length and came out alike (1e-8), parameters, buffers and answers; and, unless stacks are
asked for by name, only where a few measured steps were faster so. Whatever stands against it is said in `Way.reason`.

What does not pass: networks with dropout or other random layers (their numbers would be others), batch normalisation
and whatever else keeps something of a batch or mixes its rows, losses without one term per example, optimizers that
look at a parameter as a whole, private recipes (one by one), and what `torch.func.vmap` cannot run.

Not covered: a network that behaves differently on other records than on the few that were tried.

Example:
    >>> import numpy as np, torch, reticent as rt
    >>> from reticent.data import load
    >>> from reticent.randomness import Randomness
    >>> from reticent.training.fleets.choosing import choose
    >>> pool, streams = load("diabetes"), [Randomness.simulated(k) for k in range(4)]
    >>> network = lambda: torch.nn.Sequential(torch.nn.Linear(10, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 2))
    >>> recipe = rt.Recipe(network, lambda p: torch.optim.Adam(p), epochs=5, batch_size=64)
    >>> choose(recipe, pool, streams).reason
    'the network draws random numbers while it is trained'
"""

from __future__ import annotations

import copy
import dataclasses
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reticent import _checks
from reticent.data import Records
from reticent.errors import ReticentError, UsageError
from reticent.randomness import Randomness
from reticent.training.fleets.batches import steps_of
from reticent.training.fleets.layers import NoLayer
from reticent.training.fleets.optimizers import NotElementwise
from reticent.training.fleets.stacks import Stack, Unlike, Way, built, inputs_for
from reticent.training.losses import reduction_of, varied_rows
from reticent.training.recipe import Recipe
from reticent.training.seeding import unchanged_generators

__all__ = ["WAYS", "choose"]

WAYS = ("stacked", "one by one")
_ALIKE = 1e-8
_TRIED_STEPS = 3
_MOST_TOGETHER = 128
_SHARE = 0.03  # of the expected time, for measuring
_LEAST_SECONDS = 0.1
_GAIN = 1.1
_DEFAULT_TOGETHER = 16
_REPEATS = 2

_log = logging.getLogger(__name__)


def choose(trainer: Any, pool: Records, streams: Sequence[Randomness], ways: str | None = None) -> Way:
    """How to train one model from each stream.

    Args:
        trainer: whatever trains; only an ordinary `Recipe` can be stacked.
        pool: the records.
        streams: of the models; two of them are built for the trial, which leaves streams as they were.
        ways: "stacked" or "one by one" to insist.

    Raises:
        UsageError: "stacked" was asked for and cannot be had.
    """
    if ways is not None:
        _checks.one_of(WAYS, ways=ways)
    way = _choose(trainer, pool, streams, ways)
    if ways == "stacked" and not way.is_stacked:
        raise UsageError(
            f"Expected models that can be trained side by side, but {way.reason}.",
            'Leave ways out, or pass ways="one by one".',
        )
    _log.info("%s, %d together%s", way.name, way.together, f": {way.reason}" if way.reason else "")
    return way


def _choose(trainer: Any, pool: Records, streams: Sequence[Randomness], ways: str | None) -> Way:
    if ways == "one by one":
        return Way("one by one", reason="asked for")
    if not isinstance(trainer, Recipe):
        return Way("one by one", reason="only a reticent.Recipe can be trained side by side")
    if trainer.plan is not None:
        return Way("one by one", reason="the recipe has a plan")
    if len(streams) < 2:
        return Way("one by one", reason="there is one model only")
    with unchanged_generators():
        models = [_own(built(trainer, stream)) for stream in streams[:2]]
        if {id(value) for value in models[0].parameters()} & {id(value) for value in models[1].parameters()}:
            return Way("one by one", reason="the recipe builds the same network again instead of a fresh one")
        try:
            reduction = _reduction(trainer, pool, models[0])
        except (ReticentError, RuntimeError, TypeError, ValueError, IndexError) as error:
            return Way("one by one", reason=f"the loss has no term for each example ({_first(error)})")
        reason: str | None = None
        for name in ("by formula", "by hand", "vmap"):  # the first is the faster, wherever it can be had
            way = Way(name, min(len(streams), _DEFAULT_TOGETHER), reduction=reduction)
            reason = _differs(trainer, pool, streams[:2], way)
            if reason is None:
                return _Measured(trainer, pool, models, way).fastest(len(streams), insist=ways == "stacked")
        return Way("one by one", reason=str(reason))


def _own(model: Any) -> torch.nn.Module:
    if not isinstance(model, torch.nn.Module) or next(model.parameters(), None) is None:
        raise UsageError(
            f"Expected a recipe that builds a torch module with parameters, got {type(model).__name__}.",
            "Return the network from build.",
        )
    return model


def _reduction(recipe: Recipe, pool: Records, model: torch.nn.Module) -> str:
    rows = varied_rows(pool.labels)
    few = pool.take(rows)
    x, y = inputs_for(few, model)
    return reduction_of(recipe.loss, model, x, y)


def _first(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _differs(recipe: Recipe, pool: Records, streams: Sequence[Randomness], way: Way) -> str | None:
    """Why the models of these two streams cannot be trained side by side, or None."""
    few = pool.take(np.arange(min(len(pool), 24)))
    try:
        wide = [built(recipe, stream).double() for stream in streams]
        x, y = inputs_for(few, wide[0])
        stack = Stack(recipe, few, wide, way, (x, y))
        # Not copies, which would be without whatever `build` hung on parameters.
        own = [built(recipe, stream).double() for stream in streams]
        before = torch.get_rng_state()
        alone = [_alone(recipe, model, x, y, rows) for model, rows in zip(own, _trial(len(few)), strict=True)]
        if not torch.equal(before, torch.get_rng_state()):
            return "the network draws random numbers while it is trained"
        for step in range(_TRIED_STEPS):
            first, second = (rows[step] for rows in _trial(len(few)))
            both = np.stack([first, np.concatenate([second, np.repeat(second[:1], len(first) - len(second))])])
            stack.step(both, np.array([len(first), len(second)]))
        for k, (numbers, answers) in enumerate(alone):
            if any(not _close(stack.values[name][k], value) for name, value in numbers.items()):
                return "two models trained side by side and one by one differ"
            if not _close(torch.from_numpy(stack.answers()[k]), answers):
                return "the answers of models side by side and one by one differ"
    except (NoLayer, NotElementwise, Unlike) as reason:
        return str(reason)
    except Exception as error:  # whatever a user's network may raise: one by one it may well be trained
        return f"it could not be tried side by side ({type(error).__name__}: {_first(error)})"
    return None


def _trial(records: int) -> tuple[list[npt.NDArray[np.int64]], list[npt.NDArray[np.int64]]]:
    """The rows of each step, of two models; the second one's batches are shorter."""
    long, short = min(8, records), max(1, min(8, records) - 3)
    places = np.arange(_TRIED_STEPS)[:, None]
    return (
        list((5 * places + np.arange(long)) % records),
        list((7 * places + 2 * np.arange(short)) % records),
    )


def _alone(
    recipe: Recipe, model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, batches: Sequence[npt.NDArray[np.int64]]
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """A model's parameters, buffers and answers after a few steps as `OrdinarySteps` takes them."""
    model.train()
    optimizer = recipe.optimizer([parameter for parameter in model.parameters() if parameter.requires_grad])
    for batch in batches:
        rows = torch.from_numpy(batch).to(x.device)
        optimizer.zero_grad()
        recipe.loss(model(x[rows]), y[rows]).mean().backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        answers = model(x)
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}, answers


def _close(one: torch.Tensor, other: torch.Tensor) -> bool:
    one, other = one.detach().cpu(), other.detach().cpu()
    if one.shape != other.shape:
        return False
    if not one.is_floating_point():
        return torch.equal(one, other)
    scale = max(1.0, float(other.abs().max())) if other.numel() else 1.0
    return bool((one - other).abs().max() <= _ALIKE * scale) if one.numel() else True


@dataclasses.dataclass
class _Measured:
    """A few real steps, timed on scratch copies."""

    recipe: Recipe
    pool: Records
    models: list[torch.nn.Module]
    way: Way

    def fastest(self, count: int, *, insist: bool) -> Way:
        """The way with as many models together as is best, or one by one."""
        inputs = inputs_for(self.pool, self.models[0])
        size = min(int(self.recipe.batch_size or 1), max(1, len(self.pool) // 2))
        alone = self._one_by_one(inputs, size)
        steps = steps_of(self.recipe, max(1, len(self.pool) // 2))
        until = _clock() + max(_LEAST_SECONDS, _SHARE * alone * steps * count)
        best = dataclasses.replace(self.way, together=min(count, _DEFAULT_TOGETHER), seconds=float("inf"))
        together, worse = min(2, count), 0
        while worse < 2:
            expected = min(alone, best.seconds) * together * (_REPEATS + 1)
            if best.seconds < float("inf") and _clock() + expected > until:
                break
            seconds = self._together(together, inputs, size)
            worse = 0 if seconds < 0.97 * best.seconds else worse + 1
            if seconds < best.seconds:
                best = dataclasses.replace(best, together=together, seconds=seconds)
            if together in (count, _MOST_TOGETHER):
                break
            together = min(2 * together, count, _MOST_TOGETHER)
        if best.seconds * _GAIN >= alone:  # once more, lest another program took the processor meanwhile
            best = dataclasses.replace(best, seconds=min(best.seconds, self._together(best.together, inputs, size)))
            alone = min(alone, self._one_by_one(inputs, size))
        if insist or best.seconds * _GAIN < alone:
            return best
        reason = f"side by side is not faster ({alone / best.seconds:.2f} times)"
        return Way("one by one", reason=reason, seconds=alone)

    def _one_by_one(self, inputs: tuple[torch.Tensor, torch.Tensor], size: int) -> float:
        x, y = inputs
        rows = torch.arange(size, device=x.device) % len(x)
        model = copy.deepcopy(self.models[0]).train()
        optimizer = self.recipe.optimizer([value for value in model.parameters() if value.requires_grad])

        def step() -> None:
            optimizer.zero_grad()
            self.recipe.loss(model(x[rows]), y[rows]).mean().backward()
            optimizer.step()

        return _seconds(step, x.device)

    def _together(self, together: int, inputs: tuple[torch.Tensor, torch.Tensor], size: int) -> float:
        stack = Stack(self.recipe, self.pool, [self.models[k % 2] for k in range(together)], self.way, inputs)
        rows = (np.arange(size) + 7 * np.arange(together)[:, None]) % len(inputs[0])
        lengths = np.full(together, size)
        return _seconds(lambda: stack.step(rows, lengths), inputs[0].device) / together


def _seconds(step: Callable[[], None], device: torch.device) -> float:
    """The shortest of a few repeats, after one that prepares."""
    times = []
    for _ in range(_REPEATS + 1):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        start = _clock()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(_clock() - start)
    return max(min(times[1:]), 1e-9)


def _clock() -> float:
    # Of this thread where it does all the work: others on the machine disturb the wall's.
    alone = torch.get_num_threads() == 1 and not torch.cuda.is_initialized()
    return time.thread_time() if alone else time.perf_counter()
