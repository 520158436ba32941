"""What the processes of one training agree on before its first step.

Promise: a training starts in all processes or in none: with the same plan, network, starting values and kind of
randomness, with as many records, and with the same ones as far as a few of them show. torch's generators are set apart
where two processes have theirs in the same state: dropout masks that repeat would tie examples together, and the
promise rests on examples that are treated each by itself.

Not covered: data sets that differ elsewhere than in the records that are looked at; generators of numpy or Python that
transforms draw from. A guarantee of several processes lists both.

Example:
    >>> import torch
    >>> from reticent.training.agreeing import agree
    >>> from reticent.training.ranks import Ranks
    >>> agree(Ranks(), torch.nn.Linear(2, 1), {"plan": "the same"})  # one process agrees with itself
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from reticent.errors import PeerError
from reticent.randomness import Randomness
from reticent.training.ranks import Ranks
from reticent.training.seeding import seeded
from reticent.training.sharding import is_sharded
from reticent.training.streaming import Stream

__all__ = ["agree", "assumed", "same_records", "same_values"]

_UNKNOWN = b"unknown"
_START = (
    "Set one seed in all of them before the network is built, or wrap it in DistributedDataParallel, which copies it."
)


def agree(ranks: Ranks, model: torch.nn.Module, facts: Mapping[str, Any]) -> None:
    """Refuse to start unless all processes state the same facts and start from the same network.

    Raises:
        PeerError: they do not.
    """
    if ranks.alone:
        return
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    shapes = {name: f"{tuple(value.shape)} {value.dtype} {value.requires_grad}" for name, value in tensors.items()}
    ranks.same({**facts, "network": shapes})
    same_values(ranks, model, "starting value", remedy=_START)


def same_values(ranks: Ranks, model: torch.nn.Module, what: str, *, remedy: str) -> None:
    """Refuse to go on unless what every process holds of a network is the same to the bit.

    What is sharded is one parameter, of which every process has another part.

    Raises:
        PeerError: the first parameter or buffer that differs.
    """
    if ranks.alone:
        return
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    held = {name: value for name, value in tensors.items() if not is_sharded(value)}
    ranks.same({f"{what} of {name}": _digest(value) for name, value in held.items()}, remedy=remedy)


def same_records(ranks: Ranks, dataset: Any) -> None:
    """Refuse data sets that differ between processes, as far as a few records show.

    Records that come out differently each time, or that are made of other things than tensors, arrays and plain values,
    tell nothing.

    Raises:
        PeerError: a record differs.
    """
    if ranks.alone:
        return
    places = {0} if isinstance(dataset, Stream) else {0, len(dataset) // 2, len(dataset) - 1}
    for place in sorted(places):
        told = ranks.everybody(_record(dataset, place))
        if len(set(told)) > 1 and _UNKNOWN not in told:
            raise PeerError(
                f"Expected the same data set in all {ranks.size} processes, but record {place} differs: batches are "
                "drawn from all records, and shared out.",
                "Give every process the whole data set, in the same order; not a part of its own.",
            )


def settings_of(optimizer: torch.optim.Optimizer) -> str:
    """An optimizer's kind and settings, in words."""
    groups = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    return f"{type(optimizer).__name__} {groups}"


def assumed(ranks: Ranks) -> tuple[str, ...]:
    """What a guarantee of several processes rests on beside the assumptions of one; nothing for one process."""
    if ranks.alone:
        return ()
    return (
        f"each of the {ranks.size} processes holds the same records in the same order (tried on some records)",
        f"the {ranks.size} processes and the network between them are trusted: clipped sums travel without noise",
        "processes draw dropout and augmentation from generators in states of their own",
    )


def _record(dataset: Any, place: int) -> bytes:
    """The digest of a record that is the same each time, or that it tells nothing."""
    try:
        seen = []
        for _ in range(2):
            with seeded(Randomness.simulated(0)):
                seen.append(hashlib.sha256(_content(dataset[place])).digest())
    except Exception:  # the loop may read it in its own way
        return _UNKNOWN
    return seen[0] if seen[0] == seen[1] else _UNKNOWN


def _content(value: Any) -> bytes:
    if isinstance(value, torch.Tensor):
        return b"tensor" + str((value.shape, value.dtype)).encode() + _bytes(value)
    if isinstance(value, np.ndarray):
        return b"array" + str((value.shape, value.dtype)).encode() + value.tobytes()
    if isinstance(value, bool | int | float | complex | str | bytes | np.generic | type(None)):
        return repr(value).encode()
    if isinstance(value, dict):
        value = [part for pair in value.items() for part in pair]
    if isinstance(value, tuple | list):
        return b"(" + b"".join(hashlib.sha256(_content(part)).digest() for part in value) + b")"
    raise TypeError(f"no content known of {type(value).__name__}")


def _digest(value: torch.Tensor) -> str:
    return hashlib.sha256(_bytes(value)).hexdigest()


def _bytes(value: torch.Tensor) -> bytes:
    held: bytes = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return held
