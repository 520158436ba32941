"""Do two halves of a person's columns find each other through a table?

Promise: for each target alone, whether its second half comes first among its own and those of decoys; nothing that is
said of one target depends on another, so members and others are compared like for like. Ties are broken by given keys,
not in favour of the truth.

How: somebody knows half of a person's columns from one place, and has many second halves from another. A second half b
is ranked by how much likelier the table makes it beside the first half a than by itself,
p(a, b) / p(b) with p(a, b) = mean over the table's rows r of K(a, r_a) K(b, r_b): the order of the posterior odds.

Source: linkage as posterior odds: Fellegi and Sunter (1969); the density as in `reticent.attacks.synthetic.densities`.

Shapes: `first`, `second` and the two halves of the table have as many rows as each other; decoys are (decoys,) second
halves, the same for every target.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.synthetic import Encoded, Kernel, linked
    >>> def rows(*values):
    ...     return Encoded(np.array(values)[:, None], np.zeros((len(values), 0), np.int32), np.zeros(0, np.int64))
    >>> kernel = Kernel(0.1, 0.1)
    >>> linked(rows(1.0), rows(7.0), decoys=rows(5.0, 6.0), table=(rows(1.0, 2.0), rows(7.0, 5.0)),
    ...        kernels=(kernel, kernel), keys=np.zeros((1, 3))).tolist()
    [True]
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from reticent.attacks.synthetic.densities import Kernel
from reticent.attacks.synthetic.distances import blocks
from reticent.attacks.synthetic.encoding import Encoded
from reticent.errors import UsageError

__all__ = ["linked"]

Floats = npt.NDArray[np.float64]

_TINY = 1e-30


def linked(
    first: Encoded,
    second: Encoded,
    *,
    decoys: Encoded,
    table: tuple[Encoded, Encoded],
    kernels: tuple[Kernel, Kernel],
    keys: Floats,
) -> npt.NDArray[np.bool_]:
    """(targets,) whether the target's own second half comes first among its own and the decoys'.

    Args:
        first: the half that is known.
        second: the half that is looked for.
        decoys: second halves of others.
        table: the first and second half of the rows through which they are linked.
        kernels: of both halves.
        keys: (targets, 1 + decoys) numbers that break ties, the target's own first.

    Raises:
        UsageError: shapes that do not fit.
    """
    if len(first) != len(second) or len(table[0]) != len(table[1]) or keys.shape != (len(first), len(decoys) + 1):
        raise UsageError(
            f"Expected halves of the same rows, and a key for each candidate, got {len(first)} and {len(second)} "
            f"targets and keys of shape {keys.shape}.",
            "Cut the same rows in two.",
        )
    others = _relative(kernels[1].log_kernel(decoys, table[1]))
    beside = others.mean(axis=1) + _TINY
    found = np.empty(len(first), dtype=bool)
    for part in blocks(len(first), len(table[0])):
        some = np.arange(part.start, part.stop)
        known = _relative(kernels[0].log_kernel(first.take(some), table[0]))
        own = _relative(kernels[1].log_kernel(second.take(some), table[1]))
        mine = (known * own).mean(axis=1) / (own.mean(axis=1) + _TINY)
        theirs = (known @ others.T) / len(table[0]) / beside
        scores = np.column_stack([mine, theirs])
        best = scores.max(axis=1, keepdims=True)
        # Sums in another order differ in their last digits: what is so close is a tie.
        tied = scores >= best * (1 - 1e-9) - _TINY
        found[part] = np.where(tied, keys[part], -np.inf).argmax(axis=1) == 0
    return found


def _relative(log_kernel: Floats) -> Floats:
    """Kernels relative to each row's largest, which the ratio of densities does not depend on for the second half."""
    return np.asarray(np.exp(log_kernel - log_kernel.max(axis=1, keepdims=True)))
