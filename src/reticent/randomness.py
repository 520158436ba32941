"""The only door to randomness: one cryptographic generator, keyed by the system or, by name, by a seed.

Promise: every function of reticent that draws takes a `Randomness`; none has a default. `Randomness.secure()` is keyed
with 256 bits from the operating system and cannot be replayed. `Randomness.simulated(seed)` is the same generator under
a known key: repeatable (its bits on every platform, its Gaussian numbers up to the rounding of the platform's logarithm
and tangent), and therefore no protection at all, so a guarantee that rests on it says "simulation".

Covered: a secure generator is never cloned. Pickling, copying or forking one gives the other side a fresh key, so two
processes never add the same noise; threads that share one get different numbers. Past output cannot be recomputed from
memory read later: every refill erases the key that made it (fast key erasure, Bernstein, 2017).
Not covered: `normal` is rounded to float64, so the low-order bits of an output can carry information (Mironov, 2012),
and its tail ends at 9.4 standard deviations (mass below 1e-20). `reticent.privacy.discrete` draws, from the same bits,
noise in whole numbers of exactly the stated law; `Plan(grid=...)` and `reticent.data.local` use that.

Example:
    >>> from reticent.randomness import Randomness
    >>> noise = Randomness.secure().normal((3, 2), standard_deviation=0.5)
    >>> noise.shape, noise.dtype.name
    ((3, 2), 'float64')
    >>> Randomness.simulated(7).integers(10, 4).tolist() == Randomness.simulated(7).integers(10, 4).tolist()
    True
"""

from __future__ import annotations

import hashlib
import math
import os
import threading
import weakref
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from reticent import _checks
from reticent.errors import UsageError

__all__ = ["Randomness", "required"]

_KEY_BYTES = 32
# Refills double from the first to the largest, so that a few numbers are cheap and many are too. Their sizes depend on
# nothing else: a stream does not change with the sizes in which it is asked for.
_FIRST_REFILL, _LARGEST_REFILL = 1 << 12, 1 << 17
_ZEROS = bytes(_LARGEST_REFILL)
_BLOCK = 1 << 15


_alive: weakref.WeakSet[Randomness] = weakref.WeakSet()


class Randomness:
    """A stream of random numbers; build it with `secure()` or `simulated(seed)`."""

    def __init__(self, key: bytes, *, seed: int | None, path: str = "", shared: bool = False) -> None:
        self._key = key
        self._shared = key if shared else None  # what streams of this one are derived from
        self._buffer = b""
        self._refills = 0
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._seed = seed
        self._path = path
        _alive.add(self)

    @classmethod
    def secure(cls) -> Randomness:
        """A generator that nobody can replay: what noise for a promise must come from."""
        return cls(os.urandom(_KEY_BYTES), seed=None)

    @classmethod
    def simulated(cls, seed: int) -> Randomness:
        """A repeatable generator, for experiments and audits; whoever knows the seed can subtract the noise."""
        _checks.at_least(0, seed=seed)
        return cls(hashlib.sha256(f"reticent simulation {int(seed)}".encode()).digest(), seed=int(seed))

    @classmethod
    def shared(cls, key: bytes) -> Randomness:
        """A generator that every process which holds the key has alike, streams included; secure if the key is.

        For what processes have to know alike. Noise from it would be the same noise in each of them.

        Raises:
            UsageError: the key is not 32 bytes long.
        """
        if not isinstance(key, bytes) or len(key) != _KEY_BYTES:
            raise UsageError(f"Expected a key of {_KEY_BYTES} bytes, got another.", "Draw it with os.urandom(32).")
        return cls(key, seed=None, shared=True)

    @property
    def is_secure(self) -> bool:
        """Whether nobody can replay it: nobody else, if it is shared."""
        return self._seed is None

    @property
    def is_shared(self) -> bool:
        """Whether other processes hold the same key."""
        return self._shared is not None

    def __repr__(self) -> str:
        return "Randomness.secure()" if self._seed is None else f"Randomness.simulated({self._seed}{self._path!r})"

    def __reduce__(self) -> tuple[object, ...]:
        if self._shared is not None:
            raise UsageError(
                "Expected a shared generator to stay in its process, got a copy of it: the two would go on with the "
                "same numbers.",
                "Give the other process a generator of its own.",
            )
        if self._seed is None:
            return (Randomness.secure, ())
        return (_restored, (self._key, self._buffer, self._refills, self._seed, self._path))

    def spawn(self, label: str) -> Randomness:
        """An independent stream named `label`; simulated or shared, the same label always gives the same stream."""
        if self._shared is not None:
            return Randomness(_derived(self._shared, label), seed=None, shared=True)
        if self._seed is None:
            return Randomness.secure()
        # Escaped as in JSON Pointer, so that the stream "a/b" is not the stream "b" of the stream "a".
        path = f"{self._path}/{label.replace('~', '~0').replace('/', '~1')}"
        return Randomness(
            hashlib.sha256(f"reticent simulation {self._seed}{path}".encode()).digest(), seed=self._seed, path=path
        )

    def bits(self, count: int) -> npt.NDArray[np.uint64]:
        """(count,) independent 64-bit words."""
        drawn = self._bytes(8 * _checks.at_least(0, count=count))
        return np.frombuffer(drawn, dtype="<u8").astype(np.uint64, copy=False)

    def uniform(self, shape: int | tuple[int, ...]) -> npt.NDArray[np.float64]:
        """Uniform numbers in [0, 1), multiples of 2^-53."""
        drawn = (self.bits(math.prod(_shape(shape))) >> np.uint64(11)).astype(np.float64)
        return (drawn * 2.0**-53).reshape(_shape(shape))

    def normal(self, shape: int | tuple[int, ...], *, standard_deviation: float = 1.0) -> npt.NDArray[np.float64]:
        """Independent Gaussian numbers with mean 0 (Box and Muller, 1958), in float64."""
        drawn = np.empty(math.prod(_shape(shape)))
        self._each_normal(drawn, standard_deviation, np.copyto)
        return drawn.reshape(_shape(shape))

    def add_normal(self, totals: npt.NDArray[np.floating], *, standard_deviation: float, divisor: float = 1.0) -> None:
        """Add independent Gaussian numbers to a contiguous array of float32 or float64 in place, and divide the sums.

        The numbers are those that `normal` would give, up to the rounding of the array's type, without an array of
        their own.

        Raises:
            UsageError: the array is not contiguous.
        """
        if not totals.flags.c_contiguous:
            raise UsageError("Expected a contiguous array to add noise to, got strides.", "Copy it first.")
        if totals.dtype not in (np.float32, np.float64):
            raise UsageError(f"Expected float32 or float64 to add noise to, got {totals.dtype}.", "Convert it first.")
        flat = totals.reshape(-1)

        def add(part: npt.NDArray[Any], values: npt.NDArray[Any]) -> None:
            part += values
            if divisor != 1.0:
                part /= divisor

        self._each_normal(flat, standard_deviation, add)

    def _each_normal(
        self,
        flat: npt.NDArray[Any],
        standard_deviation: float,
        use: Callable[[npt.NDArray[Any], npt.NDArray[Any]], None],
    ) -> None:
        _checks.non_negative(standard_deviation=standard_deviation)
        space = _space(flat.dtype)
        try:
            # In blocks that stay in the processor's cache; the numbers are gone once they have been used.
            for start in range(0, flat.size, _BLOCK):
                part = flat[start : start + _BLOCK]
                values = _gaussian(self.bits(2 * ((part.size + 1) // 2)), standard_deviation, space)
                use(part, values[: part.size])
        finally:
            space.forget(min(flat.size + 1, _BLOCK))

    def bernoulli(self, probability: float, size: int) -> npt.NDArray[np.bool_]:
        """(size,) independent coins that show True with the given probability, exact to 2^-64."""
        probability = _checks.fraction(probability=probability)
        if probability == 1.0:
            return np.ones(size, dtype=bool)
        return self.bits(size) < np.uint64(int(probability * 2.0**64))

    def integers(self, high: int, size: int) -> npt.NDArray[np.int64]:
        """(size,) whole numbers, each of 0 .. high-1 equally likely (rejection, so without modulo bias)."""
        high = _checks.at_least(1, high=high)
        if high > 1 << 63:
            raise UsageError(f"Expected high <= 2^63, got high={high}.", "Larger numbers do not fit into int64.")
        limit = np.uint64((1 << 64) - ((1 << 64) % high) - 1)
        drawn = self.bits(size)
        while (over := drawn > limit).any():
            drawn = np.where(over, self.bits(size), drawn)
        return (drawn % np.uint64(high)).astype(np.int64)

    def permutation(self, size: int) -> npt.NDArray[np.int64]:
        """The numbers 0 .. size-1 in random order; a tie of two 64-bit keys is the only bias."""
        return np.argsort(self.bits(size), kind="stable")

    def seed(self) -> int:
        """A 63-bit seed for a library that draws itself, such as torch's weight initialisation; never for noise."""
        return int(self.bits(1)[0] >> np.uint64(1))

    def _bytes(self, count: int) -> bytes:
        if self._process != os.getpid():
            self._after_fork()
        parts = []
        with self._lock:  # two threads must never be given the same bytes
            while count > 0:
                if not self._buffer:
                    self._refill()
                parts.append(self._buffer[:count])
                self._buffer = self._buffer[count:]  # what has been given is not kept
                count -= len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _refill(self) -> None:
        stream = Cipher(algorithms.ChaCha20(self._key, bytes(16)), mode=None).encryptor()
        size = min(_FIRST_REFILL << min(self._refills, 16), _LARGEST_REFILL)
        self._key, self._buffer = stream.update(_ZEROS[:_KEY_BYTES]), stream.update(memoryview(_ZEROS)[:size])
        self._refills += 1

    def _after_fork(self) -> None:
        self._lock = threading.Lock()  # the old one may have been held by a thread that is not here
        if self._seed is None:
            self._key, self._buffer, self._refills = os.urandom(_KEY_BYTES), b"", 0
            self._shared = None  # the fork is none of the processes that agreed on a key
        self._process = os.getpid()  # last: whoever sees it may draw


def _renew() -> None:
    for stream in list(_alive):
        stream._after_fork()


if hasattr(os, "register_at_fork"):  # before there is a second thread that could draw
    os.register_at_fork(after_in_child=_renew)


class _Space:
    """Memory in which a block of numbers is made, again and again: the system hands out fresh memory page by page."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        half = _BLOCK // 2
        self.drawn = np.empty(_BLOCK, dtype)
        self.wide, self.bits = np.empty(half), np.empty(half, np.uint64)
        self.radius, self.tangent, self.square = (np.empty(half, dtype) for _ in range(3))

    def forget(self, count: int) -> None:
        """Wipe a block of `count` numbers, so that it cannot be read from memory later."""
        for array in vars(self).values():
            array[:count].fill(0)


_spaces = threading.local()


def _space(dtype: npt.DTypeLike) -> _Space:
    name = np.dtype(dtype).name
    if not hasattr(_spaces, name):
        setattr(_spaces, name, _Space(dtype))
    found: _Space = getattr(_spaces, name)
    return found


def _gaussian(words: npt.NDArray[np.uint64], standard_deviation: float, space: _Space) -> npt.NDArray[Any]:
    """As many normal numbers as words, an even number of at most a block; they lie in `space`.

    Radius and angle come from 63 and 53 random bits through float64, whatever the type of the result; in float32 the
    number is right to that type's rounding.
    """
    pairs = len(words) // 2
    wide, bits, radius = space.wide[:pairs], space.bits[:pairs], space.radius[:pairs]
    tangent, square, drawn = space.tangent[:pairs], space.square[:pairs], space.drawn[: 2 * pairs]
    # The squared radius in [0, 88.7] from 63 bits (converting signed numbers takes no branch); adding a half keeps the
    # logarithm finite.
    np.right_shift(words[:pairs], np.uint64(1), out=bits)
    np.copyto(wide, bits.view(np.int64), casting="unsafe")
    wide += 0.5
    wide *= 2.0**-63
    np.log(wide, out=wide)
    wide *= -2.0
    np.copyto(radius, wide, casting="unsafe")
    np.sqrt(radius, out=radius)
    radius *= standard_deviation
    # The point on the circle from the tangent t of half its angle, (1 - t^2, 2t) / (1 + t^2): numpy has a vectorised
    # tangent on most processors, and seldom a vectorised sine.
    np.right_shift(words[pairs:], np.uint64(11), out=bits)
    np.copyto(wide, bits.view(np.int64), casting="unsafe")
    wide *= 2.0**-53 * math.pi
    np.tan(wide, out=wide)
    np.copyto(tangent, wide, casting="unsafe")
    np.multiply(tangent, tangent, out=square)
    np.subtract(1.0, square, out=drawn[:pairs])
    square += 1.0
    radius /= square
    drawn[:pairs] *= radius
    radius *= 2.0
    np.multiply(tangent, radius, out=drawn[pairs:])
    return drawn


def _shape(shape: int | tuple[int, ...]) -> tuple[int, ...]:
    sizes = (shape,) if isinstance(shape, Integral) else tuple(shape)  # type: ignore[arg-type]
    return tuple(_checks.at_least(0, size=size) for size in sizes)


def _derived(key: bytes, label: str) -> bytes:
    return hashlib.blake2b(label.encode(), key=key, digest_size=_KEY_BYTES, person=b"reticent stream").digest()


def _restored(key: bytes, buffer: bytes, refills: int, seed: int, path: str) -> Randomness:
    stream = Randomness(key, seed=seed, path=path)
    stream._buffer, stream._refills = buffer, refills
    return stream


def required(randomness: object) -> Randomness:
    """The argument if it is a `Randomness`, or `UsageError`: numbers and foreign generators are not accepted."""
    if isinstance(randomness, Randomness):
        return randomness
    raise UsageError(
        f"Expected a Randomness, got randomness={randomness!r}.",
        "Pass Randomness.secure(), or Randomness.simulated(seed) for a repeatable experiment.",
    )
