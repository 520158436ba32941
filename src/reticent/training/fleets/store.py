"""Answers of finished models on disk, so that a fleet that was stopped goes on and a larger one trains what is new.

Promise: what is found under a key was made by the same trainer (`fingerprints`) on the same records (with whatever they
say of themselves: names of columns, owners, guarantee), part and stream,
under the same versions of reticent, torch, numpy and scikit-learn; every file holds a hash of its contents, and a
damaged one is trained again. Files appear whole or not at all, so that several processes may share a folder.

With simulated randomness the stream stands in the key: the same call finds the same models. With secure randomness
there is nothing to repeat, so the folder keeps the parts that were drawn before any model is trained (a fleet that
stops goes on with exactly these, whichever models were done), and the answers under part and occurrence.

The files hold answers of models and who was in their training data: they are as confidential as the records. They are
written for their owner only, as numpy's .npz without pickle.

Example:
    >>> import tempfile, numpy as np
    >>> from reticent.data import load
    >>> from reticent.randomness import Randomness
    >>> from reticent.training.fleets.store import Store
    >>> folder, mask = tempfile.TemporaryDirectory(), np.arange(442) % 2 == 0
    >>> kept = Store(folder.name).of("my training, version 1", load("diabetes"))
    >>> key = kept.key(mask, Randomness.simulated(0))
    >>> kept.get(key) is None, kept.put(key, mask, np.zeros((442, 2), np.float32)), kept.get(key).shape
    (True, None, (442, 2))
    >>> folder.cleanup()
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.data import Records
from reticent.errors import UsageError
from reticent.evidence import digest, software, write_whole
from reticent.randomness import Randomness
from reticent.training.fleets.fingerprints import fingerprint

__all__ = ["Kept", "Store"]

_FORMAT = "reticent-fleet/2"
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Store:
    """A folder for answers.

    Args:
        folder: made if it is not there.
        drawn: how the parts were drawn; secure fleets share drawn parts only where this is the same.
    """

    folder: str | Path
    drawn: str = ""

    def of(self, trainer: str, pool: Records) -> Kept:
        """What is kept of one training on some records.

        Args:
            trainer: its fingerprint.
            pool: the records.

        Raises:
            UsageError: the folder cannot be made.
        """
        folder = Path(self.folder)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise UsageError(
                f"Expected to use the folder {folder}, but: {error.strerror or error}.", "Choose another."
            ) from error
        versions = {name: text for name, text in software().items() if name not in ("python", "scipy")}
        # Whatever of the records a trainer can see, counts.
        rest = {name: getattr(pool, name) for name in Records.__slots__ if name not in ("features", "labels")}
        body = {
            "format": _FORMAT,
            "trainer": trainer,
            "records": pool.digest(),
            "about": fingerprint(rest),
            "versions": versions,
        }
        return Kept(folder, digest(body), digest({**body, "drawn": self.drawn}))


@dataclasses.dataclass(frozen=True)
class Kept:
    """One training's answers in a folder; made by `Store.of`."""

    folder: Path
    training: str
    draws: str

    def keys(self, masks: npt.NDArray[np.bool_], streams: Sequence[Randomness]) -> list[str]:
        """(models,) names of the models; equal parts of a secure fleet count as first, second and so on."""
        seen: dict[bytes, int] = {}
        found = []
        for mask, stream in zip(masks, streams, strict=True):
            packed = np.packbits(mask).tobytes()
            seen[packed] = seen.get(packed, 0) + 1
            found.append(self.key(mask, stream, occurrence=seen[packed]))
        return found

    def key(self, mask: npt.NDArray[np.bool_], stream: Randomness, *, occurrence: int = 1) -> str:
        """The name of one model's answers."""
        who = f"occurrence {occurrence} {self.draws}" if stream.is_secure else repr(stream)
        part = hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()
        return digest({"training": self.training, "part": part, "records": len(mask), "stream": who})

    def get(self, key: str) -> npt.NDArray[np.float32] | None:
        """(records, classes) answers, or None if there are none, or none that are whole."""
        found = _read(self._path(key), key)
        return None if found is None else found["answers"]

    def put(self, key: str, mask: npt.NDArray[np.bool_], answers: npt.NDArray[np.float32]) -> None:
        """Write a model's answers.

        Raises:
            UsageError: the folder cannot be written, or the disk is full.
        """
        _write(self._path(key), key, {"answers": answers, "mask": np.packbits(mask)})

    def drawn(self, records: int) -> npt.NDArray[np.bool_]:
        """(models, records) the parts that secure fleets of this training have drawn so far, oldest first."""
        found = []
        for path in sorted(self.folder.glob(f"parts-{self.draws[:32]}-*.npz")):
            values = _read(path, self.draws)
            if values is not None and int(values["records"]) == records:
                found.append(np.unpackbits(values["parts"], axis=1, count=records).astype(bool))
        return np.concatenate(found) if found else np.empty((0, records), dtype=bool)

    def keep_drawn(self, masks: npt.NDArray[np.bool_]) -> None:
        """Write parts down before models are trained on them."""
        path = self.folder / f"parts-{self.draws[:32]}-{time.time_ns():020d}-{os.urandom(4).hex()}.npz"
        _write(path, self.draws, {"parts": np.packbits(masks, axis=1), "records": np.array(masks.shape[1])})

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"


def _write(path: Path, key: str, values: dict[str, npt.NDArray[Any]]) -> None:
    content = io.BytesIO()
    sealed: dict[str, Any] = {**values, "sha256": np.frombuffer(_seal(key, values), np.uint8)}
    np.savez(content, **sealed)
    write_whole(path, content.getvalue(), for_owner_only=True)


def _read(path: Path, key: str) -> dict[str, npt.NDArray[Any]] | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(
            f"Expected to read {path}, but: {error.strerror or error}.", "Choose another folder."
        ) from error
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            values = {name: archive[name] for name in archive.files}
    except Exception as error:  # of what a damaged archive makes numpy and zipfile raise there is no list
        _log.warning("%s is damaged (%s) and is not used", path.name, type(error).__name__)
        return None
    sealed = values.pop("sha256", None)
    if sealed is None or sealed.tobytes() != _seal(key, values):
        _log.warning("%s is damaged, or of another model, and is not used", path.name)
        return None
    return values


def _seal(key: str, values: dict[str, npt.NDArray[Any]]) -> bytes:
    sha = hashlib.sha256(key.encode())
    for name, array in sorted(values.items()):
        sha.update(f"{name} {array.dtype.str} {array.shape}".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.digest()
