"""torch's own generator, set from a `Randomness` for the length of a block and put back afterwards.

Weight initialisation and dropout draw from torch's global generator. This is the one place that seeds it; noise and
sampling never come from it.

Example:
    >>> import torch
    >>> from reticent.randomness import Randomness
    >>> from reticent.training.seeding import seeded
    >>> with seeded(Randomness.simulated(1)):
    ...     first = torch.rand(2)
    >>> with seeded(Randomness.simulated(1)):
    ...     print(bool((first == torch.rand(2)).all()))
    True
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from reticent.randomness import Randomness

__all__ = ["seeded", "unchanged_generators"]


@contextlib.contextmanager
def unchanged_generators() -> Iterator[None]:
    """A block after which torch's generators are where they were before."""
    with torch.random.fork_rng(devices=_used_devices()):
        yield


@contextlib.contextmanager
def seeded(randomness: Randomness) -> Iterator[None]:
    """Seed torch inside the block; its state outside is untouched."""
    with unchanged_generators():
        seed = randomness.seed()
        torch.default_generator.manual_seed(seed)
        for device in _used_devices():
            torch.cuda.default_generators[device].manual_seed(seed)
        yield


def _used_devices() -> list[int]:
    # A GPU that nobody has used yet is left alone: seeding it would wait there and take effect outside the block.
    return list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
