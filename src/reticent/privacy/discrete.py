"""Noise in whole numbers, drawn exactly: discrete Gaussian, discrete Laplace, randomised answers.

Promise: what is drawn has exactly the stated law. Every coin is a comparison of whole numbers; no floating-point number
takes part in a draw, so no rounding can tell the inputs apart (Mironov, 2012). Scales are fractions 2^28 / b with a
whole b; `on_lattice` gives the least such fraction at or above a number, and it is the one that is used.

    discrete Laplace   P(x) proportional to e^(-|x| / t)
    discrete Gaussian  P(x) proportional to e^(-x^2 / (2 s^2))      (Canonne, Kamath and Steinke, 2020)
    answers            the truth with probability w / 2^62, each other answer with (2^62 - w) / (k - 1) / 2^62

Proof, for the Gaussian with s = a / b and a = 2^28 (Karney, 2016, algorithm D, with its first two steps as a table):

1. Draw k >= 0 with probability proportional to e^(-k^2 / 2): a uniform number U is compared with the cumulative
   probabilities F(k). Bits of U are drawn until the first ones of F(k), computed in decimal arithmetic with an error
   below their last place, decide; the first 35 do but for one draw in 10^10.
2. Draw a sign and a whole number y of [k s, (k + 1) s): y = ceil(k s) + j, where j is uniform below ceil(s), and pairs
   with y >= (k + 1) s are rejected. Reject the negative zero. With u = b y - k a, a whole number below a, y = k s + s x
   and x = u / a. Every y that is not rejected has one k, and is equally likely given that k and sign.
3. Accept with probability e^(-x (2 k + x) / 2). Since k^2 + x (2 k + x) = (k + x)^2 = (y / s)^2, what is accepted has
   probability proportional to e^(-y^2 / (2 s^2)).

The exponent in 3. is a whole number over 2^57. e^(-g) with g <= 1 is the probability that the first K >= 1 at which a
coin of probability g / K fails is odd (Canonne, Kamath and Steinke, 2020, algorithm 1); that coin is two coins, g and
1 / K, and each is a comparison of whole numbers. Larger g are several such coins.

The Laplace law with t = a / r: x = u + a v, with u uniform below a and accepted with probability e^(-u / a), and v
drawn from e^(-v), has probability proportional to e^(-x / a); floor(x / r) then has e^(-y r / a) (ibid., algorithm 2).

Not covered: how long a draw takes depends on how often something was rejected. Noise that is drawn in large batches
shows little of it (Jin, McMurtry, Rubinstein and Ohrimenko, 2022).

Example:
    >>> from reticent.privacy.discrete import discrete_gaussian, on_lattice
    >>> from reticent.randomness import Randomness
    >>> drawn = discrete_gaussian(100_000, deviation=1000, randomness=Randomness.secure())
    >>> drawn.dtype.name, bool(980 < drawn.std() < 1020), on_lattice(1000) >= 1000
    ('int64', True, True)
"""

from __future__ import annotations

import functools
import math
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import UsageError
from reticent.randomness import Randomness, required

__all__ = ["answers", "discrete_gaussian", "discrete_laplace", "honest_weight", "on_lattice"]

Whole = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

_BITS = 28
_UNIT = 1 << _BITS  # a
_FRACTION = 2 * _BITS + 1  # exponents are whole numbers over 2 to the power of this
_SMALLEST = Fraction(1, 1 << 12)
_TABLE = 64 - _BITS - 1  # bits of a word that choose k; the others are sign and j
_ANSWER = 62  # bits of the word that chooses an answer
_BLOCK = 1 << 14  # draws that stay in the processor's cache
_LEAST = 64


def on_lattice(scale: object) -> Fraction:
    """The least fraction 2^28 / b with a whole b that is not below the number.

    Raises:
        UsageError: a number above 2^28 or below 2^-12, or none.
    """
    _checks.positive(scale=scale)
    exact = Fraction(scale)  # type: ignore[call-overload]  # a number, as was just checked
    if not _SMALLEST <= exact <= _UNIT:
        raise UsageError(
            f"Expected 2^-12 <= scale <= 2^28 steps, got scale={float(exact):.6g}.",
            "Choose a coarser grid for a larger scale, a finer one for a smaller.",
        )
    return Fraction(_UNIT, math.floor(_UNIT / exact))


def discrete_gaussian(size: int, *, deviation: object, randomness: Randomness) -> Whole:
    """(size,) independent whole numbers with P(x) proportional to e^(-x^2 / (2 s^2)).

    Args:
        size: how many.
        deviation: s is `on_lattice(deviation)`; from 1 on it is the standard deviation but for 1e-7 of it.
        randomness: where the bits come from.
    """
    parts = on_lattice(deviation)
    b = int(_UNIT / parts)
    source = required(randomness)

    def attempt(count: int) -> Whole:
        words = source.bits(count)
        k, unsure = _chosen(words >> np.uint64(_BITS + 1), _gaussian_weight)
        for place in unsure:
            k[place] = _decided(int(words[place]) >> (_BITS + 1), source, _gaussian_weight)
        negative = (words >> np.uint64(_BITS)) & np.uint64(1) == 1
        if b == 1:
            u = words & np.uint64(_UNIT - 1)
            y = (k << np.uint64(_BITS)) + u
            kept = ~(negative & (y == 0))
        else:
            j = source.integers(-(-_UNIT // b), count).astype(np.uint64)
            first = (k << np.uint64(_BITS)) + np.uint64(b - 1)
            first //= np.uint64(b)
            y = first + j
            u = y * np.uint64(b) - (k << np.uint64(_BITS))
            kept = (u < np.uint64(_UNIT)) & ~(negative & (y == 0))
        # x (2 k + x) / 2 = k u / a + u^2 / (2 a^2)
        mixed = k * u
        low = ((mixed & np.uint64(_UNIT - 1)) << np.uint64(_BITS + 1)) + u * u
        whole = (mixed >> np.uint64(_BITS)) + (low >> np.uint64(_FRACTION))
        kept &= _survives(whole, low << np.uint64(64 - _FRACTION), source)
        found = y.astype(np.int64)
        np.negative(found, out=found, where=negative)
        return _kept(found, kept)

    return _filled(_checks.at_least(0, size=size), attempt)


def discrete_laplace(size: int, *, scale: object, randomness: Randomness) -> Whole:
    """(size,) independent whole numbers with P(x) proportional to e^(-|x| / t), where t is `on_lattice(scale)`."""
    r = int(_UNIT / on_lattice(scale))
    source = required(randomness)

    def attempt(count: int) -> Whole:
        words = source.bits(count)
        v, unsure = _chosen(words >> np.uint64(_BITS + 1), _laplace_weight)
        for place in unsure:
            v[place] = _decided(int(words[place]) >> (_BITS + 1), source, _laplace_weight)
        negative = (words >> np.uint64(_BITS)) & np.uint64(1) == 1
        u = words & np.uint64(_UNIT - 1)
        kept = _survives(np.zeros_like(u), u << np.uint64(64 - _BITS), source)
        found = (((v << np.uint64(_BITS)) + u) // np.uint64(r)).astype(np.int64)
        kept &= ~(negative & (found == 0))
        np.negative(found, out=found, where=negative)
        return _kept(found, kept)

    return _filled(_checks.at_least(0, size=size), attempt)


def honest_weight(epsilon: float, categories: int) -> tuple[int, int]:
    """(w, w'): of 2^62 equally likely words, how many make the truth the answer, and how many each other answer.

    w + (k - 1) w' = 2^62, and 1 <= w / w' <= e^epsilon. Above an epsilon of 42 a lie still has w' = 1.

    Raises:
        UsageError: an epsilon so small that 2^62 words cannot tell it from zero.
    """
    others = _checks.at_least(2, categories=categories) - 1
    with localcontext(Context(prec=60)):
        # Right to the last of 60 digits; the margin is for that and for the operations that follow.
        ratio = Decimal(min(_checks.positive(epsilon=epsilon), 100.0)).exp() * (1 - Decimal(10) ** -50)
        lie = math.ceil(Decimal(1 << _ANSWER) / (ratio + others))
    honest = (1 << _ANSWER) - others * lie
    if honest < lie:
        raise UsageError(
            f"Expected an epsilon that 2^62 words can express for {categories} categories, got epsilon={epsilon!r}.",
            "Pass a larger one, or leave the column out.",
        )
    return honest, lie


def answers(
    values: npt.NDArray[Any], *, categories: int | npt.NDArray[Any], epsilon: float, randomness: Randomness
) -> Whole:
    """Each value, or another of its categories: k-ary randomised response (Warner, 1965; Kairouz et al., 2016).

    Args:
        values: (n,) whole numbers below `categories`; what is not (another category than those that may be answered) is
            answered uniformly.
        categories: how many there are, one number or (n,).
        epsilon: the truth is at most e^epsilon times as likely as each other answer.
        randomness: where the bits come from.
    """
    truth = np.asarray(values, dtype=np.int64)
    counts = np.broadcast_to(np.asarray(categories, dtype=np.int64), truth.shape)
    source, found = required(randomness), np.zeros_like(truth)
    for count in np.unique(counts).tolist():
        chosen = np.flatnonzero(counts == count)
        if count == 1:
            continue  # one answer, whatever the truth
        own, (honest, lie) = truth[chosen], honest_weight(epsilon, count)
        known = (own >= 0) & (own < count)
        drawn = (source.bits(len(chosen)) >> np.uint64(64 - _ANSWER)).astype(np.int64)
        shift = np.where(drawn < honest, 0, 1 + (drawn - honest) // lie)
        uniform = source.integers(count, len(chosen))
        found[chosen] = np.where(known, (own + shift) % count, uniform)
    return found


def _kept(found: Whole, kept: npt.NDArray[np.bool_]) -> Whole:
    return found[kept]


def _filled(size: int, attempt: Any) -> Whole:
    """`size` of the numbers that attempts give, in their order."""
    found = np.empty(size, dtype=np.int64)
    done = 0
    while done < size:
        # Where much is rejected, more than is missing is tried; what is not used is dropped unseen.
        part = attempt(min(_BLOCK, max(_LEAST, 2 * (size - done))))[: size - done]
        found[done : done + len(part)] = part
        done += len(part)
    return found


def _survives(whole: Words, fraction: Words, source: Randomness) -> npt.NDArray[np.bool_]:
    """Coins that show True with probability e^-(whole + fraction / 2^64)."""
    found = np.ones(len(whole), dtype=bool)
    # The first K at which a coin of probability fraction / K fails: True where it is odd.
    left = np.flatnonzero(source.bits(len(fraction)) < fraction)
    found[left] = False
    k = 2
    while len(left):
        left = left[(source.integers(k, len(left)) == 0) & (source.bits(len(left)) < fraction[left])]
        k += 1
        found[left] = k % 2 == 1
    left = np.flatnonzero(found & (whole > 0))
    turn = 1
    while len(left):
        found[left] = passed = _one_eth(len(left), source)
        left = left[passed]
        left = left[whole[left] > turn]
        turn += 1
    return found


def _one_eth(count: int, source: Randomness) -> npt.NDArray[np.bool_]:
    """Coins that show True with probability 1/e: the same with g = 1, where the coin for K = 1 never fails."""
    found = np.zeros(count, dtype=bool)
    left, k = np.arange(count), 2
    while len(left):
        left = left[source.integers(k, len(left)) == 0]
        k += 1
        found[left] = k % 2 == 1
    return found


def _gaussian_weight(k: int) -> Decimal:
    return (Decimal(-k * k) / 2).exp()


def _laplace_weight(k: int) -> Decimal:
    return Decimal(-k).exp()


@functools.lru_cache(maxsize=64)
def _cumulative(weight: Any, bits: int) -> tuple[int, ...]:
    """floor(2^bits F(k)) for k = 0, 1, ... up to the first that is 2^bits - 1; F are cumulative probabilities."""
    digits = bits // 3 + 20
    while True:
        with localcontext(Context(prec=digits)):
            terms: list[Decimal] = []
            while not terms or terms[-1] > Decimal(10) ** (5 - digits):
                terms.append(weight(len(terms)))
            # Each term and each sum is right to its last digit; the terms left out are less than the last one.
            total, slack = sum(terms), len(terms) * Decimal(10) ** (8 - digits)
            sums, running = [], Decimal(0)
            for term in terms:
                running += term
                low = math.floor((running / total - slack) * (1 << bits))
                high = math.floor((running / total + slack) * (1 << bits))
                sums.append((low, min(high, (1 << bits) - 1)))
                if low >= (1 << bits) - 1:
                    break
        if all(low == high for low, high in sums):
            return tuple(low for low, _ in sums)
        digits *= 2


def _chosen(first: Words, weight: Any) -> tuple[Words, list[int]]:
    """The k that the first bits of a uniform number choose, and the places where they do not decide."""
    limits = _cumulative(weight, _TABLE)
    found = np.zeros(len(first), dtype=np.uint64)
    unsure = np.zeros(len(first), dtype=bool)
    for limit in limits:
        found += first > np.uint64(limit)
        unsure |= first == np.uint64(limit)
    return found, np.flatnonzero(unsure).tolist()


def _decided(first: int, source: Randomness, weight: Any) -> int:
    """The same with as many more bits as it takes."""
    value, bits = first, _TABLE
    while True:
        limits = _cumulative(weight, bits)
        if value not in limits:
            return sum(value > limit for limit in limits)
        value, bits = (value << 64) | int(source.bits(1)[0]), bits + 64
