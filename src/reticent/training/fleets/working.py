"""What a worker does: train a share of a fleet and answer for it.

Promise: the answers of a model follow from trainer, pool, its mask and its stream (up to rounding, if models share a
stack); not from the worker, nor from what else is in the share. One share at a time is trained in a process: torch's
generator is one for all its threads.

The pool and the trainer travel once: through a file of the user's own on this machine (`Spooled`), or as bytes
(`Packed`), and a worker keeps the last ones it read.

Shapes: masks (models, records), answers (models, records, classes) float32.

Example:
    >>> import numpy as np, torch, reticent as rt
    >>> from reticent.data import load
    >>> from reticent.randomness import Randomness
    >>> from reticent.training.fleets.stacks import Way
    >>> from reticent.training.fleets.working import trained
    >>> recipe = rt.Recipe(lambda: torch.nn.Linear(10, 2), lambda p: torch.optim.Adam(p), epochs=1, batch_size=64)
    >>> masks, streams = np.arange(442) % [[2], [3]] > 0, [Randomness.simulated(k) for k in range(2)]
    >>> shares = trained(recipe, load("diabetes"), masks, streams, Way("by hand", together=2))
    >>> [(place, answers.shape) for place, answers in shares]
    [(0, (442, 2)), (1, (442, 2))]
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import os
import tempfile
import threading
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from reticent.data import Records
from reticent.errors import MissingExtra, PeerError
from reticent.models import Target
from reticent.randomness import Randomness
from reticent.training.fleets.layers import NoLayer
from reticent.training.fleets.learners import Trainer, train_one
from reticent.training.fleets.optimizers import NotElementwise
from reticent.training.fleets.stacks import Stack, Unlike, Way, built
from reticent.training.recipe import Recipe

__all__ = ["Cargo", "Failed", "Packed", "Spooled", "trained", "work"]

_one_at_a_time = threading.Lock()
_last: dict[str, tuple[Trainer, Records]] = {}


def trained(
    trainer: Trainer,
    pool: Records,
    masks: npt.NDArray[np.bool_],
    streams: Sequence[Randomness],
    way: Way,
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Each model's place among the masks and its (records, classes) answers, as models are finished."""
    if not way.is_stacked or not isinstance(trainer, Recipe):
        for place, (mask, stream) in enumerate(zip(masks, streams, strict=True)):
            yield place, train_one(trainer, pool, mask, stream)
        return
    for start in range(0, len(masks), way.together):
        some = slice(start, start + way.together)
        models = [built(trainer, stream) for stream in streams[some]]
        try:
            stack = Stack(trainer, pool, models, way)
        except (NoLayer, NotElementwise, Unlike):  # the trial saw two of them
            for place in range(start, start + len(models)):
                yield place, train_one(trainer, pool, masks[place], streams[place])
            continue
        del models
        stack.train(masks[some], streams[some])
        for place, said in enumerate(stack.answers(), start):
            yield place, _read(said, pool)


def _read(said: npt.NDArray[Any], pool: Records) -> npt.NDArray[np.float32]:
    """Log-probabilities behind outputs, by the rules that hold for a model that is asked by itself."""
    if said.ndim == 2 and said.shape[1] >= pool.classes and said.min() < 0 and np.isfinite(said).all():
        # By those rules these are logits; torch takes a fifth of the time.
        logs: npt.NDArray[np.float32] = torch.log_softmax(torch.from_numpy(said).double(), 1).float().numpy()
        return logs
    target = Target(lambda rows: said[rows], classes=pool.classes, name="a shadow model")
    return target.log_probabilities(np.arange(len(said))).astype(np.float32)


class Cargo(Protocol):
    """Trainer and pool on their way to a worker."""

    def unpacked(self) -> tuple[Trainer, Records]:
        """Them."""


def work(
    cargo: Cargo, masks: npt.NDArray[np.bool_], streams: Sequence[Randomness], way: Way
) -> npt.NDArray[np.float32] | Failed:
    """(models, records, classes) answers of a share, or how it failed; what executors call."""
    try:
        return _answered(cargo, masks, streams, way)
    except Exception as error:  # not all of them survive the way back, and one that does not looks like a dead worker
        return Failed.of(error)


def _answered(
    cargo: Cargo, masks: npt.NDArray[np.bool_], streams: Sequence[Randomness], way: Way
) -> npt.NDArray[np.float32]:
    with _one_at_a_time:
        trainer, pool = cargo.unpacked()
        found: npt.NDArray[np.float32] | None = None
        for place, answers in trained(trainer, pool, masks, streams, way):
            if found is None:
                found = np.empty((len(masks), *answers.shape), np.float32)
            found[place] = answers
    return np.empty((0, len(pool), pool.classes), np.float32) if found is None else found


@dataclasses.dataclass(frozen=True)
class Failed:
    """An exception on its way back from a worker.

    Attributes:
        kind: the name of its class.
        text: what it says.
        trace: where it was raised, as Python prints it.
        content: itself as bytes, if it can be made of them again.
    """

    kind: str
    text: str
    trace: str
    content: bytes | None = None

    @classmethod
    def of(cls, error: Exception) -> Failed:
        """Packed, if it comes out as it went in."""
        try:
            content = _pickler().dumps(error)
            again = _pickler().loads(content)
            whole = type(again).__qualname__ == type(error).__qualname__ and _said(again) == _said(error)
        except Exception:  # whatever the constructor of somebody's exception may raise
            whole = False
        trace = "".join(traceback.format_exception(error))
        return cls(type(error).__name__, _said(error), trace, content if whole else None)

    def error(self) -> BaseException:
        """The exception itself, or one that says what it said."""
        found: Any = None
        if self.content is not None:
            try:
                found = _pickler().loads(self.content)
            except Exception:  # it could be read over there
                found = None
        if not isinstance(found, BaseException):
            found = PeerError(
                f"Expected a trainer that trains, but in a worker it raised {self.kind}: {self.text}.",
                "Mend what it says; with jobs=1 it is raised here.",
            )
        found.add_note(f"In the worker:\n{self.trace}")
        return found  # type: ignore[no-any-return]


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # its own __str__ may fail
        return "(it cannot be printed)"


@dataclasses.dataclass(frozen=True)
class Packed:
    """Trainer and pool as bytes (cloudpickle: functions of the main script and lambdas, too)."""

    content: bytes
    name: str

    @classmethod
    def of(cls, trainer: Trainer, pool: Records) -> Packed:
        """Packed for workers elsewhere."""
        content = _pickler().dumps((trainer, pool))
        return cls(content, hashlib.sha256(content).hexdigest())

    def unpacked(self) -> tuple[Trainer, Records]:
        """Trainer and pool; a worker keeps those it unpacked last."""
        if self.name not in _last:
            found: tuple[Trainer, Records] = _pickler().loads(self.content)
            _keep(self.name, found)
        return _last[self.name]


@dataclasses.dataclass(frozen=True)
class Spooled:
    """Trainer and pool in a folder that only this user can read; all workers look at the same pages of the pool."""

    folder: str

    @classmethod
    def of(cls, trainer: Trainer, pool: Records) -> Spooled:
        """Written to a new folder; whoever calls removes it."""
        folder = Path(tempfile.mkdtemp(prefix="reticent-fleet-"))
        light = copy.copy(pool)
        light.features = pool.features[:0]
        np.save(folder / "features.npy", pool.features, allow_pickle=False)
        (folder / "trainer").write_bytes(_pickler().dumps((trainer, light)))
        return cls(os.fspath(folder))

    def unpacked(self) -> tuple[Trainer, Records]:
        """Trainer and pool; a worker keeps those it unpacked last."""
        if self.folder not in _last:
            folder = Path(self.folder)
            trainer, pool = _pickler().loads((folder / "trainer").read_bytes())
            pool.features = np.load(folder / "features.npy", mmap_mode="c", allow_pickle=False).view(np.ndarray)
            _keep(self.folder, (trainer, pool))
        return _last[self.folder]


def _keep(name: str, found: tuple[Trainer, Records]) -> None:
    _last.clear()
    _last[name] = found


def _pickler() -> Any:
    try:
        import cloudpickle
    except ImportError as error:
        raise MissingExtra("cloudpickle", "lab", "Training in several processes") from error
    return cloudpickle
