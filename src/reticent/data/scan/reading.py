"""What was found in a text is remembered, so that no text is read twice in a scan.

Promise: a text that comes again, in another piece of the table or another column, is not read again, as long as at most
`REMEMBERED` different texts were read before; later ones are read whenever they come. Memory is bounded, and holds keys
of texts (`reticent.data.scan.values.Keys`), never the texts: two texts have the same key with probability below 2^-56.

Example:
    >>> import pyarrow as pa
    >>> from reticent.data.scan.reading import Reading
    >>> from reticent.data.scan.values import Keys, Values
    >>> from reticent.randomness import Randomness
    >>> asked = []
    >>> def reader(texts):
    ...     asked.extend(texts.to_pylist())
    ...     return {"name": [0]}
    >>> read, keys = Reading(reader), Keys(Randomness.simulated(1))
    >>> import numpy as np
    >>> for _ in range(2):
    ...     values = Values.of(pa.array(["Dear Ann", "nothing"]), 0, keys)
    ...     found = read(values, np.arange(2))
    >>> {kind: places.tolist() for kind, places in found.items()}, asked
    ({'name': [0]}, ['Dear Ann', 'nothing'])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent.data.scan.values import Values

__all__ = ["REMEMBERED", "Reader", "Reading"]

Reader = Callable[[Any], dict[str, list[int]]]
"""From an arrow array of texts to the places of those that each kind is in."""

REMEMBERED: Final = 1 << 18
_AT_ONCE: Final = 4096
_KINDS: Final = 64

Places = npt.NDArray[np.int64]


class Reading:
    """A reader with a memory.

    Args:
        reader: what looks into texts.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._keys = np.zeros(0, np.uint64)
        self._found = np.zeros(0, np.uint64)
        self._kinds: list[str] = []

    def __call__(self, values: Values, places: Places) -> dict[str, Places]:
        """The places, of those given, of texts that each kind is in."""
        parts: dict[str, list[Places]] = {}
        for start in range(0, len(places), _AT_ONCE):
            for kind, here in self._some(values, places[start : start + _AT_ONCE]).items():
                parts.setdefault(kind, []).append(here)
        return {kind: np.concatenate(found) for kind, found in parts.items()}

    def _some(self, values: Values, places: Places) -> dict[str, Places]:
        import pyarrow as pa

        keys = values.keys[places]
        where = np.searchsorted(self._keys, keys)
        known = np.zeros(len(places), dtype=bool)
        if len(self._keys):
            known = self._keys[np.minimum(where, len(self._keys) - 1)] == keys
        found = np.zeros(len(places), np.uint64)
        found[known] = self._found[where[known]]
        new = np.flatnonzero(~known)
        beyond: dict[str, Places] = {}
        if len(new):
            for kind, inside in self._reader(values.texts.take(pa.array(places[new]))).items():
                if (number := self._number(kind)) is None:
                    beyond[kind] = places[new[inside]]
                else:
                    found[new[inside]] |= np.uint64(1 << number)
            if not beyond:
                self._remember(keys[new], found[new])
        named = {kind: places[found & np.uint64(1 << number) != 0] for number, kind in enumerate(self._kinds)}
        return {kind: here for kind, here in {**named, **beyond}.items() if len(here)}

    def _number(self, kind: str) -> int | None:
        """A kind's bit; None if there are no more."""
        if kind not in self._kinds:
            if len(self._kinds) == _KINDS:
                return None
            self._kinds.append(kind)
        return self._kinds.index(kind)

    def _remember(self, keys: npt.NDArray[np.uint64], found: npt.NDArray[np.uint64]) -> None:
        room = REMEMBERED - len(self._keys)
        if room <= 0:
            return
        together = np.concatenate([self._keys, keys[:room]])
        order = np.argsort(together, kind="stable")
        self._keys = together[order]
        self._found = np.concatenate([self._found, found[:room]])[order]
