"""Check digits of many numbers at once.

Promise: each function says of every row of a matrix of digits whether its check digits are right, as python-stdnum does
one by one (the tests compare them); what only a look at the number as text can decide is left to the pattern before it.

Shapes: digits (numbers, places) uint8, all rows of one length; the answer (numbers,) bool.

Sources: ISO/IEC 7812 (Luhn), ISO 7064 (MOD 11,10; MOD 11-2; MOD 97-10), Verhoeff 1969; national rules as
python-stdnum documents them.

Example:
    >>> from reticent.data.scan.checksums import luhn, matrix
    >>> import pyarrow as pa
    >>> luhn(matrix(pa.array(["4111111111111111", "4111111111111112"]))).tolist()
    [True, False]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "Check",
    "aadhaar",
    "cpf",
    "iban",
    "isikukood",
    "luhn",
    "matrix",
    "mod_11_10",
    "mod_11_2",
    "nhs",
    "npi",
    "number",
    "fodselsnummer",
    "tckimlik",
    "vin",
    "weighted",
]

Array = npt.NDArray[Any]
Check = Callable[[Array], npt.NDArray[np.bool_]]

_DOUBLED: Final = np.array([0, 2, 4, 6, 8, 1, 3, 5, 7, 9], dtype=np.int64)
_TIMES: Final = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
        [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
        [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
        [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
        [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
        [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
        [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
        [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ]
)
_TURN: Final = np.array([1, 5, 7, 6, 2, 8, 3, 0, 9, 4])


def matrix(texts: Any, base: int = 48) -> npt.NDArray[np.int64]:
    """Texts of one length (arrow, ASCII) as (texts, length) numbers: the bytes less `base`."""
    if not len(texts):
        return np.zeros((0, 0), dtype=np.int64)
    _, where, data = texts.buffers()
    offsets = np.frombuffer(where, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    whole = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
    return whole.reshape(len(texts), -1).astype(np.int64) - base


def number(digits: Array) -> npt.NDArray[np.int64]:
    """(numbers,) the value of at most 18 digits."""
    found = np.zeros(len(digits), dtype=np.int64)
    for place in range(digits.shape[1]):
        found = found * 10 + digits[:, place]
    return found


def luhn(digits: Array) -> npt.NDArray[np.bool_]:
    """ISO/IEC 7812: cards, IMEI, Canadian, Swedish, South African, Greek and Israeli numbers."""
    total = digits[:, ::-2].sum(axis=1) + _DOUBLED[digits[:, -2::-2]].sum(axis=1)
    right: npt.NDArray[np.bool_] = total % 10 == 0
    return right


def npi(digits: Array) -> npt.NDArray[np.bool_]:
    """US National Provider Identifier: Luhn of the ten digits behind 80840."""
    before = np.tile(np.array([8, 0, 8, 4, 0]), (len(digits), 1))
    return luhn(np.hstack([before, digits]))


def weighted(weights: Sequence[int], modulus: int, *, minus: bool = False, ten: int | None = None) -> Check:
    """A check digit at the end that is the weighted sum of the others, modulo `modulus`.

    Args:
        weights: of the digits before the last.
        modulus: of the sum.
        minus: the check digit is (modulus - sum) modulo modulus.
        ten: what stands for a check digit of 10; None: no such number is given out.
    """
    factors = np.array(weights)

    def check(digits: Array) -> npt.NDArray[np.bool_]:
        wanted = digits[:, : len(factors)] @ factors % modulus
        wanted = (-wanted) % modulus if minus else wanted
        if ten is not None:
            wanted = np.where(wanted == 10, ten, wanted)
        right: npt.NDArray[np.bool_] = digits[:, len(factors)] == wanted
        return right

    return check


def nhs(digits: Array) -> npt.NDArray[np.bool_]:
    """UK NHS number: modulo 11, a remainder of 11 written as 0."""
    return weighted(range(10, 1, -1), 11, minus=True)(digits)


def mod_11_10(digits: Array) -> npt.NDArray[np.bool_]:
    """ISO 7064 MOD 11,10: German Steuer-ID, Croatian OIB."""
    check = np.full(len(digits), 5, dtype=np.int64)
    for place in range(digits.shape[1]):
        check = (np.where(check == 0, 10, check) * 2 % 11 + digits[:, place]) % 10
    right: npt.NDArray[np.bool_] = check == 1
    return right


def mod_11_2(digits: Array) -> npt.NDArray[np.bool_]:
    """ISO 7064 MOD 11-2 of a Chinese number; a last character X has become 40 (its byte less that of 0)."""
    last = np.where(digits[:, -1] == 40, 10, digits[:, -1])
    total = np.zeros(len(digits), dtype=np.int64)
    for place in range(digits.shape[1] - 1):
        total = (total + digits[:, place]) * 2 % 11
    right: npt.NDArray[np.bool_] = (total + last) % 11 == 1
    return right


def aadhaar(digits: Array) -> npt.NDArray[np.bool_]:
    """Verhoeff's check digit: Indian Aadhaar."""
    turns = [np.arange(10)]
    for _ in range(7):
        turns.append(_TURN[turns[-1]])
    check = np.zeros(len(digits), dtype=np.int64)
    for place, column in enumerate(digits[:, ::-1].T):
        check = _TIMES[check, turns[place % 8][column]]
    right: npt.NDArray[np.bool_] = check == 0
    return right


def cpf(digits: Array) -> npt.NDArray[np.bool_]:
    """Brazilian CPF: two digits modulo 11; not all digits the same."""
    right: npt.NDArray[np.bool_] = (digits != digits[:, :1]).any(axis=1)
    for last in (9, 10):
        wanted = digits[:, :last] @ np.arange(last + 1, 1, -1) * 10 % 11 % 10
        right &= digits[:, last] == wanted
    return right


def isikukood(digits: Array) -> npt.NDArray[np.bool_]:
    """Estonian and Lithuanian: modulo 11, with other weights where that gives 10."""
    once = digits[:, :10] @ np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11
    again = digits[:, :10] @ np.array([3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10
    right: npt.NDArray[np.bool_] = digits[:, 10] == np.where(once == 10, again, once)
    return right


def fodselsnummer(digits: Array) -> npt.NDArray[np.bool_]:
    """Norwegian: two check digits modulo 11."""
    first = weighted((3, 7, 6, 1, 8, 9, 4, 5, 2), 11, minus=True)(digits[:, :10])
    return first & weighted((5, 4, 3, 2, 7, 6, 5, 4, 3, 2), 11, minus=True)(digits)


def tckimlik(digits: Array) -> npt.NDArray[np.bool_]:
    """Turkish: two check digits."""
    odd, even = digits[:, 0:9:2].sum(axis=1), digits[:, 1:8:2].sum(axis=1)
    tenth = (7 * odd - even) % 10
    right: npt.NDArray[np.bool_] = (digits[:, 9] == tenth) & (digits[:, 10] == digits[:, :10].sum(axis=1) % 10)
    return right


def iban(characters: Array) -> npt.NDArray[np.bool_]:
    """ISO 13616: modulo 97 of the number with its first four characters at the end; bytes less 48 as they are."""
    moved = np.hstack([characters[:, 4:], characters[:, :4]])
    moved = np.where(moved > 9, moved - 7, moved)  # A is 10
    rest = np.zeros(len(moved), dtype=np.int64)
    for place in range(moved.shape[1]):
        one = moved[:, place]
        rest = np.where(one > 9, rest * 100 + one, rest * 10 + one) % 97
    right: npt.NDArray[np.bool_] = rest == 1
    return right


_VIN: Final = {letter: value for letters, value in (
    ("AJ", 1), ("BKS", 2), ("CLT", 3), ("DMU", 4), ("ENV", 5), ("FW", 6), ("GPX", 7), ("HY", 8), ("RZ", 9),
) for letter in letters}  # fmt: skip


def vin(characters: Array) -> npt.NDArray[np.bool_]:
    """Vehicle numbers with North America's check digit (49 CFR 565.15); bytes less 48 as they are."""
    table = np.zeros(64, dtype=np.int64)
    table[:10] = np.arange(10)
    for letter, value in _VIN.items():
        table[ord(letter) - 48] = value
    weights = np.array([8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2])
    wanted = table[characters] @ weights % 11
    found = np.where(characters[:, 8] == ord("X") - 48, 10, np.where(characters[:, 8] > 9, -1, characters[:, 8]))
    right: npt.NDArray[np.bool_] = found == wanted
    return right
