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

__all__ = ["seeded"]


@contextlib.contextmanager
def seeded(randomness: Randomness) -> Iterator[None]:
    """Seed torch inside the block; its state outside is untouched."""
    # A GPU that nobody has used yet is left alone: seeding it would wait there and take effect outside the block.
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        seed = randomness.seed()
        torch.default_generator.manual_seed(seed)
        for device in devices:
            torch.cuda.default_generators[device].manual_seed(seed)
        yield
