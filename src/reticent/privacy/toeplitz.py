"""Lower-triangular Toeplitz matrices as their first columns: sensitivity, error of prefix sums, and the best of a kind.

Promise: no n x n matrix is ever formed. `sensitivity_squared` is exact for columns that are neither negative nor
increasing; `errors` is exact for every invertible column. The two searches minimise the product of both by
L-BFGS with exact gradients and give a column that `sensitivity_squared` covers, or whose participations cannot overlap,
in numbers that single precision holds.

Notation: c is the first column of the encoder C (c[0] = 1), A the workload (prefix sums: ones; see `workload`), n the
number of steps. Noise that is correlated by C^-1 moves what a training adds up by A C^-1 w, Toeplitz too, whose first
column is the response e.

Sources: prefix errors of Toeplitz matrices in linear time, and their search: McKenna (2024), "Scaling up the banded
matrix factorization mechanism", section 3; buffered Toeplitz matrices: Dvijotham, McMahan, Pillutla, Steinke and
Thakurta (2024); their search through interlaced decays: McMahan, Xu and Zhang (2024), section 4; sensitivity under
repeated participation: Kalinin and Lampert (2024), theorem 2.

Example:
    >>> from reticent.privacy.toeplitz import best_bands, square_root, workload
    >>> square_root(4).tolist()
    [1.0, 0.5, 0.375, 0.3125]
    >>> best_bands(workload(1000), 4, separation=4, participations=250).round(3).tolist()
    [1.0, 0.858, 0.798, 0.728]
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

__all__ = [
    "best_bands",
    "best_buffers",
    "buffered",
    "buffered_response",
    "falls",
    "inverse_decays",
    "padded",
    "errors",
    "response",
    "sensitivity_squared",
    "single",
    "square_root",
    "workload",
]

Array = npt.NDArray[np.float64]

_SHORT = 64  # so many dot products cost less than a Fourier transform
_UNUSED = 1e-7  # a buffer that is read with so small a scale changes nothing but the memory it takes
_SEARCH = {"maxiter": 400, "maxfun": 800, "ftol": 1e-12, "gtol": 1e-8}


def square_root(count: int) -> Array:
    """The first coefficients of the square root of prefix sums: binom(2k, k) / 4^k.

    With one participation its worst error is the least of all Toeplitz matrices, and its mean error hardly above the
    least (Fichtenberger, Henzinger and Upadhyay, 2023; Henzinger, Upadhyay and Upadhyay, 2023).
    """
    ratios = 1.0 - 0.5 / np.arange(1, count)
    return np.concatenate([[1.0], np.cumprod(ratios)])


def single(values: Array) -> Array:
    """The nearest numbers of single precision: noise is made in it, so what is made is then what is described here."""
    return values.astype(np.float32).astype(np.float64)


def padded(column: Array, steps: int) -> Array:
    """The first `steps` entries, with zeros where the column has none."""
    found = np.zeros(steps)
    kept = min(steps, len(column))
    found[:kept] = column[:kept]
    return found


def falls(column: Array) -> bool:
    """Whether no entry is negative, and none above the one before it."""
    return bool(column[-1] >= 0 and (np.diff(column) <= 0).all())


def sensitivity_squared(column: Array, separation: int, participations: int) -> float:
    """The largest squared norm of the sum of at most so many columns that are at least `separation` steps apart.

    Exact for a column that `falls`: the product of two columns is then the larger the nearer and the earlier they are,
    so that each of them is largest when a unit takes part at once and as often as it may (Kalinin and Lampert, 2024).
    """
    summed = _summed(column, separation, participations)
    return float(summed @ summed)


def lfilter(numerator: Any, denominator: Any, values: Array) -> Array:
    """As `scipy.signal` has it, which loads all of `scipy.stats`: no command that filters nothing waits for it."""
    from scipy.signal import lfilter as filtered

    found: Array = filtered(numerator, denominator, values)
    return found


def workload(steps: int, *, momentum: float = 0.0, decay: float = 1.0) -> Array:
    """What a gradient has added to the parameters after 1, 2, ... steps, in learning rates.

    Momentum adds it again and again, times so much each time; decay is what is left of a change after one more step.
    """
    impulse = padded(np.ones(1), steps)
    found: Array = lfilter([1.0], [1.0, -decay], lfilter([1.0], [1.0, -momentum], impulse))
    return found


def response(column: Array, work: Array) -> Array:
    """The first column of A C^-1: what one unit of noise does to what the training has added up."""
    found: Array = lfilter([1.0], column, work)
    return found


def errors(moved: Array, *, worst: bool) -> float:
    """The mean (or last, the largest) variance of what is added up, for noise of variance 1 and this response."""
    return float(_weights(len(moved), worst) @ moved**2)


def best_bands(work: Array, bands: int, *, separation: int, participations: int, worst: bool = False) -> Array:
    """The first column with so many bands whose error times sensitivity is least, for a workload of so many steps.

    Where participations can overlap (separation < bands), among columns that fall: their sensitivity is known.
    """
    bands = min(bands, len(work))
    start = single(square_root(bands))
    if bands == 1:
        return start

    def loss(column: Array) -> tuple[float, Array]:
        return _loss(column, work, separation, participations, worst)

    def free(rest: Array) -> tuple[float, Array]:
        value, gradient = loss(np.append(1.0, rest))
        return value, gradient[1:]

    def falling(differences: Array) -> tuple[float, Array]:
        value, gradient = loss(np.cumsum(differences[::-1])[::-1])
        return value, np.cumsum(gradient)

    found = np.append(1.0, minimize(free, start[1:], jac=True, method="L-BFGS-B", options=_SEARCH).x)
    if separation >= bands:
        return single(min((found, start), key=lambda column: loss(column)[0]))
    if falls(found):
        return single(found)
    # With as many participations as there is room for, bands beyond the separation are of no use; with few, they are.
    within = best_bands(work, min(separation, bands), separation=separation, participations=participations, worst=worst)
    starts = [start, *([padded(within, bands)] if falls(within) else [])]
    start = min(starts, key=lambda column: loss(column)[0])
    first = np.append(start[:-1] - start[1:], start[-1])
    bounds = [(0.0, None)] * bands
    result = minimize(falling, first, jac=True, method="L-BFGS-B", bounds=bounds, options=_SEARCH)
    sums: Array = np.cumsum(result.x[::-1])[::-1]
    return single(sums / sums[0])


def best_buffers(
    work: Array, buffers: int, *, separation: int, participations: int, worst: bool = False
) -> tuple[Array, Array]:
    """Decays and scales of the buffered Toeplitz matrix whose error times sensitivity is least.

    Decays t of C and u of C^-1 with 1 > t1 > u1 > t2 > u2 > ... > 0 are those of matrices with scales that are positive
    and add up to less than 1, so every one of them falls. Buffers that turn out to be of no use are left out.
    """

    def loss(logs: Array) -> tuple[float, Array]:
        depths, gaps = _depths(logs)
        decays, others = -np.expm1(-depths[0::2]), -np.expm1(-depths[1::2])
        value, gradient = _buffer_loss(decays, others, work, separation, participations, worst)
        return value, np.cumsum(gradient * np.exp(-depths)) * gaps

    results = []
    for length in dict.fromkeys((len(work), min(len(work), separation))):  # the memory that may be of use
        depths = np.linspace(np.log(2.0 * length + 2.0), 0.1, 2 * buffers)
        start = np.log(np.append(depths[:-1] - depths[1:], depths[-1]))
        results.append(minimize(loss, start, jac=True, method="L-BFGS-B", options=_SEARCH))
    depths, _ = _depths(min(results, key=lambda result: float(result.fun)).x)
    return _used(depths)


def buffered(decays: Array, scales: Array, steps: int) -> Array:
    """The first column of a buffered Toeplitz matrix: 1, and then the sum of scales times powers of decays."""
    found = np.ones(steps)
    found[1:] = 0.0
    for decay, scale in zip(decays, scales, strict=True):
        found[1:] += scale * decay ** np.arange(steps - 1)
    return found


def buffered_response(decays: Array, scales: Array, work: Array) -> Array:
    """The first column of A C^-1 for a buffered Toeplitz matrix C."""
    order = np.argsort(-decays)
    return _cascade(work, decays[order], inverse_decays(decays[order], scales[order]))


def inverse_decays(decays: Array, scales: Array) -> Array:
    """The decays of the inverse, which is a buffered Toeplitz matrix too, in falling order.

    They are the eigenvalues of diag(decays) - 1 scales^T; scaled by the roots of the scales it is symmetric, so they
    are real, and each lies between two decays.
    """
    roots = np.sqrt(scales)
    found: Array = np.linalg.eigvalsh(np.diag(decays) - np.outer(roots, roots))[::-1]
    return found


def _summed(column: Array, separation: int, participations: int) -> Array:
    """The sum of the columns 0, s, 2s, ... of the matrix, as many as there are participations."""
    rows = -(-len(column) // separation)
    folded = np.cumsum(padded(column, rows * separation).reshape(rows, separation), axis=0)
    if participations < rows:
        folded[participations:] -= folded[:-participations].copy()
    found: Array = folded.reshape(-1)[: len(column)]
    return found


def _summed_back(values: Array, separation: int, participations: int) -> Array:
    """The transpose of `_summed`."""
    return _summed(values[::-1], separation, participations)[::-1]


def _weights(steps: int, worst: bool) -> Array:
    return np.ones(steps) if worst else np.arange(steps, 0, -1) / steps


def _loss(column: Array, work: Array, separation: int, participations: int, worst: bool) -> tuple[float, Array]:
    """log(error * squared sensitivity) and its gradient by the entries of the column."""
    steps = len(work)
    with np.errstate(all="ignore"):  # a step too far of the search is unstable
        moved = response(column, work)
        again = lfilter([1.0], column, moved)  # d response / d c[j] = -again, j steps later
        weighted = _weights(steps, worst) * moved
        error = float(weighted @ moved)
        summed = _summed(padded(column, steps), separation, participations)
        squared = float(summed @ summed)
        value = np.log(error) + np.log(squared)
        if not (np.isfinite(value) and np.isfinite(again).all()):
            return 1e10, np.zeros_like(column)
    if len(column) < _SHORT:
        products = np.array([weighted[place:] @ again[: steps - place] for place in range(len(column))])
    else:
        from scipy.signal import correlate

        products = correlate(weighted, again, "full", method="fft")[steps - 1 : steps - 1 + len(column)]
    back = _summed_back(summed, separation, participations)[: len(column)]
    return float(value), -2.0 * products / error + 2.0 * back / squared


def _used(depths: Array) -> tuple[Array, Array]:
    """Decays and scales from interlaced depths, in single precision, without buffers of no use.

    scale[j] is the product of t_j - u_i over all i, divided by that of t_j - t_i over all i but j; the differences are
    taken between depths, because those of numbers near 1 have no digits left.
    """

    def logs(one: float, others: Array) -> float:
        with np.errstate(divide="ignore"):  # depths too near to be told apart: no scale at all
            return float((np.log(-np.expm1(-np.abs(one - others))) - np.minimum(one, others)).sum())

    tops, bottoms = depths[0::2], depths[1::2]
    scales = np.exp([logs(top, bottoms) - logs(top, np.delete(tops, place)) for place, top in enumerate(tops)])
    decays, places = np.unique(single(-np.expm1(-tops)), return_inverse=True)
    scales = single(np.bincount(places, np.nan_to_num(scales), len(decays)).astype(np.float64))
    if scales.sum() > 1.0:
        scales = single(scales * (1.0 - 2.0**-22))  # rounded up
    kept = scales > _UNUSED
    return decays[kept][::-1], scales[kept][::-1]


def _depths(logs: Array) -> tuple[Array, Array]:
    """Falling depths -log(1 - decay) from the logarithms of the gaps between them, and the gaps."""
    gaps = np.exp(np.clip(logs, -25.0, 3.0))
    return np.cumsum(gaps[::-1])[::-1], gaps


def _buffer_loss(
    decays: Array, others: Array, work: Array, separation: int, participations: int, worst: bool
) -> tuple[float, Array]:
    """log(error * squared sensitivity) and its gradient by t1, u1, t2, u2, ..."""
    steps, moved = len(work), _cascade(work, decays, others)
    column = _cascade(padded(np.ones(1), steps), others, decays)
    weighted = _weights(steps, worst) * moved
    error = float(weighted @ moved)
    summed = _summed(column, separation, participations)
    squared = float(summed @ summed)
    by_response = 2.0 * weighted / error
    by_column = 2.0 * _summed_back(summed, separation, participations) / squared
    later, column_later = np.append(0.0, moved[:-1]), np.append(0.0, column[:-1])
    gradient = np.empty(2 * len(decays))
    for first, sign, places in ((0, 1.0, decays), (1, -1.0, others)):
        for place, decay in enumerate(places):
            pole = [1.0, -decay]
            change = by_column @ lfilter([1.0], pole, column_later) - by_response @ lfilter([1.0], pole, later)
            gradient[first + 2 * place] = sign * change
    return float(np.log(error) + np.log(squared)), gradient


def _cascade(values: Array, zeros: Array, poles: Array) -> Array:
    """Values through one filter (1 - zero B) / (1 - pole B) after the other, B being the step back."""
    for zero, pole in zip(zeros, poles, strict=True):
        values = lfilter([1.0, -zero], [1.0, -pole], values)
    return values
