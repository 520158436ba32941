"""The batches of many models that are trained side by side, drawn for many steps at once.

Promise: model k of a stack sees the batches that `OrdinarySteps` takes from the same stream, in the same order. A batch
that is shorter than the others is filled up with its own first row, which counts nothing.

Shapes: rows (steps, models, longest) of the pool, lengths (steps, models): how many of the rows count.

Example:
    >>> import numpy as np, torch, reticent as rt
    >>> from reticent.data import Records
    >>> from reticent.randomness import Randomness
    >>> from reticent.training.fleets.batches import Batches, side_by_side
    >>> pool = Records(np.eye(8, dtype=np.float32), np.arange(8) % 2)
    >>> recipe = rt.Recipe(lambda: torch.nn.Linear(8, 2), lambda p: torch.optim.SGD(p, lr=1.0), epochs=5, batch_size=3)
    >>> two = [Batches(recipe, pool, np.arange(8) < n, Randomness.simulated(n)) for n in (7, 2)]
    >>> rows, lengths = side_by_side(two, 3)
    >>> rows.shape, lengths.tolist()
    ((3, 2, 3), [[3, 2], [3, 2], [1, 2]])
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from reticent.data import Records
from reticent.randomness import Randomness
from reticent.training.recipe import Recipe
from reticent.training.sampling import shuffled_batches

__all__ = ["Batches", "side_by_side", "steps_of"]


def steps_of(recipe: Recipe, records: int) -> int:
    """How many steps the recipe takes on so many records, without a plan."""
    size = min(int(recipe.batch_size or 1), records)
    return int(recipe.epochs or 0) * -(-records // size)


class Batches:
    """One model's batches, as rows of the pool.

    Args:
        recipe: without a plan.
        pool: the records.
        mask: (records,) the part that the model is trained on.
        stream: what the recipe would be called with.

    Raises:
        DataError: a part with one class only, or none.
    """

    def __init__(self, recipe: Recipe, pool: Records, mask: npt.NDArray[np.bool_], stream: Randomness) -> None:
        self._members = np.flatnonzero(mask)
        if len(self._members) == 0 or (pool.labels[self._members] == pool.labels[self._members[0]]).all():
            pool.take(mask).require_two_classes()  # says what is wrong
        self._order = stream.spawn("train").spawn("sampling")
        self.size = min(int(recipe.batch_size or 1), len(self._members))
        """Rows of a full batch."""
        self._short = len(self._members) % self.size or self.size  # what is left for the last batch of a pass
        self.steps = steps_of(recipe, len(self._members))
        """Of the whole training."""
        self._epoch = self._place = 0
        self._table = np.empty((0, self.size), dtype=np.int64)

    def next(self, rows: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> None:
        """Write the next batches.

        Args:
            rows: (steps, at least `size`) where to; what a batch leaves over is filled up with its first row.
            lengths: (steps,) where their lengths go.
        """
        done = 0
        while done < len(rows):
            if self._place == len(self._table):
                self._shuffle()
            some = self._table[self._place : self._place + len(rows) - done]
            to = slice(done, done + len(some))
            rows[to, : self.size] = some
            if rows.shape[1] > self.size:
                rows[to, self.size :] = some[:, :1]
            lengths[to] = self.size
            done, self._place = done + len(some), self._place + len(some)
            if self._place == len(self._table):
                lengths[done - 1] = self._short

    def _shuffle(self) -> None:
        """Begin the next pass: (batches, size) rows, the last batch filled up with its first row."""
        count, size = len(self._members), self.size
        (order,) = shuffled_batches(count, batch_size=count, randomness=self._order, epoch=self._epoch)
        whole = self._members[order]
        missing = size - self._short
        rows = np.concatenate([whole, np.full(missing, whole[-self._short])])
        self._table, self._place, self._epoch = rows.reshape(-1, size), 0, self._epoch + 1


def side_by_side(batches: Sequence[Batches], steps: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(steps, models, longest) rows of the next batches, and (steps, models) how many of them count."""
    rows = np.empty((steps, len(batches), max(one.size for one in batches)), dtype=np.int64)
    lengths = np.empty(rows.shape[:2], dtype=np.int64)
    for k, one in enumerate(batches):
        one.next(rows[:, k], lengths[:, k])
    return rows, lengths
