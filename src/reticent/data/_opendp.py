"""OpenDP's measurements for single attributes: their samplers, and their own idea of what they cost.

Every function checks OpenDP's map against what is going to be charged, and refuses to draw if it says more.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.errors import MissingExtra, UsageError

__all__ = ["answers", "bits", "gaussian", "laplace", "version"]

Whole = npt.NDArray[np.int64]

_SLACK = 1e-9  # OpenDP rounds its own numbers up


def answers(values: Whole, categories: int | Whole, epsilon: float) -> Whole:
    """Each value or another of its categories; one that is none of them is answered uniformly."""
    counts = np.broadcast_to(np.asarray(categories, dtype=np.int64), values.shape)
    found = np.zeros_like(values)
    for count in np.unique(counts).tolist():
        if count == 1:
            continue
        measurement = _within(epsilon, lambda truth, count=count: _answers(count, truth), _honest(epsilon, count))
        chosen = np.flatnonzero(counts == count)
        found[chosen] = [measurement(value) for value in values[chosen].tolist()]
    return found


def bits(rows: npt.NDArray[np.bool_], epsilon: float) -> npt.NDArray[np.bool_]:
    """(n, k) rows in which one bit is set, with every bit kept or turned (basic RAPPOR; Erlingsson et al., 2014)."""
    dp = _opendp()

    def measurement(keep: float) -> Any:
        return dp.m.make_randomized_response_bitvec(
            dp.bitvector_domain(max_weight=1), dp.discrete_distance(), f=2.0 * (1.0 - keep)
        )

    made = _within(epsilon, measurement, _honest(epsilon / 2, 2))
    width = rows.shape[1]
    packed = [made(row.tobytes()) for row in np.packbits(rows, axis=1)]
    return np.stack([np.unpackbits(np.frombuffer(row, np.uint8), count=width) for row in packed]).astype(bool)


def laplace(values: Whole, scale: float, most: int) -> Whole:
    """Whole numbers from 0 to `most` with discrete Laplace noise."""
    dp = _opendp()
    made = dp.m.make_laplace(dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64"), scale=scale)
    _agree(made.map(most), most / scale)
    return np.array(made(values.tolist()), dtype=np.int64)


def gaussian(values: Whole, deviation: float, most: int) -> Whole:
    """Whole numbers from 0 to `most` with discrete Gaussian noise."""
    dp = _opendp()
    made = dp.m.make_gaussian(dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="i64"), scale=deviation)
    _agree(made.map(most), 0.5 * (most / deviation) ** 2)  # zero-concentrated: Renyi divergence over order
    return np.array(made(values.tolist()), dtype=np.int64)


def version() -> str:
    """OpenDP's version."""
    return str(_opendp().__version__)


def _opendp() -> Any:
    try:
        import opendp.prelude as dp
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opendp":
            raise
        raise MissingExtra("opendp", "local", "Local noise from secure randomness (unless sampler='exact')") from error
    dp.enable_features("contrib")
    return dp


def _answers(count: int, truth: float) -> Any:
    return _opendp().m.make_randomized_response(list(range(count)), truth)


def _honest(epsilon: float, count: int) -> float:
    return 1.0 / (1.0 + (count - 1) * math.exp(-epsilon))


def _within(epsilon: float, make: Any, truth: float) -> Any:
    """A measurement that costs at most epsilon by its own map: the truth is made less likely until it does."""
    for _ in range(64):
        truth = min(truth, 1.0 - 2.0**-53)
        made = make(truth)
        if made.map(1) <= epsilon:
            return made
        truth -= (1.0 - truth) * 2.0**-46 + 2.0**-53
    raise _disagreement(made.map(1), epsilon)


def _agree(theirs: float, ours: float) -> None:
    if not theirs <= ours * (1 + _SLACK):
        raise _disagreement(theirs, ours)


def _disagreement(theirs: float, ours: float) -> UsageError:
    return UsageError(
        f"Expected OpenDP to charge no more than {ours:.9g}, got {theirs:.9g}.",
        "Pass sampler='exact', and report this with the version of opendp.",
    )
