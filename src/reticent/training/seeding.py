"""torch's own generator, set from a `Randomness` for the length of a block and put back afterwards; modes, too.

Weight initialisation and dropout draw from torch's global generator. This is the one place that seeds it; noise and
sampling never come from it. Processes that train together must not have theirs in the same state: see `set_apart`.

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
import hashlib
from collections.abc import Iterator, Sequence

import torch

from reticent.randomness import Randomness
from reticent.training.ranks import Ranks

__all__ = ["generator_states", "seeded", "set_apart", "set_generators", "unchanged_generators", "unchanged_modes"]


@contextlib.contextmanager
def unchanged_generators() -> Iterator[None]:
    """A block after which torch's generators are where they were before."""
    with torch.random.fork_rng(devices=_used_devices()):
        yield


@contextlib.contextmanager
def unchanged_modes(model: torch.nn.Module) -> Iterator[None]:
    """A block after which every module is in the mode that it was in: a part may differ from the whole."""
    modes = {module: module.training for module in model.modules()}
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextlib.contextmanager
def seeded(randomness: Randomness) -> Iterator[None]:
    """Seed torch inside the block; its state outside is untouched."""
    with unchanged_generators():
        _seed(randomness.seed())
        yield


def generator_states() -> list[torch.Tensor]:
    """Where torch's generators are: the processor's, then every GPU's that is in use."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in _used_devices())]


def set_generators(states: Sequence[torch.Tensor]) -> None:
    """Put torch's generators where they were; GPUs only if there are as many as then."""
    first, *others = states
    torch.set_rng_state(first)
    if len(others) == len(_used_devices()):
        for device, state in zip(_used_devices(), others, strict=True):
            torch.cuda.set_rng_state(state, device)


def set_apart(ranks: Ranks, randomness: Randomness) -> None:
    """Move torch's generators where a process before this one has its own in the same state."""
    if ranks.alone:
        return
    digest = hashlib.sha256()
    for state in generator_states():
        digest.update(state.numpy().tobytes())
    if ranks.everybody(digest.digest()).index(digest.digest()) < ranks.rank:
        _seed(randomness.spawn(ranks.label("torch")).seed())


def _seed(seed: int) -> None:
    torch.default_generator.manual_seed(seed)
    for device in _used_devices():
        torch.cuda.default_generators[device].manual_seed(seed)


def _used_devices() -> list[int]:
    # A GPU that nobody has used yet is left alone: seeding it would wait there and take effect outside the block.
    return list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
