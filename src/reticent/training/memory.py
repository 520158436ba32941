"""How much memory a computation holds at once, and how much there is.

Promise: `PeakMemory` gives the most bytes that torch's tensors held at once inside its block, beyond those that lived
before; `available_bytes` gives what a process may still take, a container's limit included. `fitting_size` finds from
small trial runs how many examples fit.

Not covered: memory outside of torch's tensors (numpy, the allocator's own, workspaces of libraries).

Example:
    >>> import torch
    >>> from reticent.training.memory import PeakMemory
    >>> with PeakMemory(torch.device("cpu")) as peak:
    ...     small = torch.zeros(10).clone() + (torch.ones(1000) * 2).sum()
    >>> peak.bytes >= 2 * 4000
    True
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["PeakMemory", "available_bytes", "fitting_size"]

_SHARE = 0.5  # of the available memory: the rest is for what the trial did not see
_GROWTH = 4


class PeakMemory:
    """A block whose peak of tensor memory is measured; `bytes` holds it afterwards.

    Args:
        device: where the tensors live. On CUDA torch's own counter is read; elsewhere every tensor that an operation
            gives is followed until it is gone.
    """

    def __init__(self, device: torch.device) -> None:
        self.bytes = 0
        self._device = device
        self._follower: _Follower | None = None
        self._before = 0

    def __enter__(self) -> PeakMemory:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
            torch.cuda.reset_peak_memory_stats(self._device)
            self._before = torch.cuda.memory_allocated(self._device)
        else:
            self._follower = _Follower()
            self._follower.__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        if self._follower is not None:
            self._follower.__exit__(*error)  # type: ignore[no-untyped-call]
            self.bytes = self._follower.peak
        else:
            torch.cuda.synchronize(self._device)
            self.bytes = torch.cuda.max_memory_allocated(self._device) - self._before


class _Follower(TorchDispatchMode):
    """Counts the bytes of all storages that operations make, from the first time they are seen until they are freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._now = 0
        self._seen: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if _is_plain(leaf)}
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if _is_plain(leaf):
                self._follow(leaf.untyped_storage(), given)
        return result

    def _follow(self, storage: torch.UntypedStorage, given: set[int]) -> None:
        key = storage._cdata
        if key in self._seen or key in given:  # a view of what was there before
            return
        self._seen[key] = storage.nbytes()
        self._now += self._seen[key]
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._gone, key)

    def _gone(self, key: int) -> None:
        self._now -= self._seen.pop(key, 0)


def _is_plain(leaf: Any) -> bool:
    return isinstance(leaf, torch.Tensor) and leaf.layout == torch.strided and not leaf.is_meta


def available_bytes(device: torch.device) -> int:
    """Memory that can still be taken on a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, StopIteration, ValueError):
        line = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable"))
        free = int(line.split()[1]) * 1024
    with contextlib.suppress(OSError, ValueError):  # a container's limit, where there is one
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        free = min(free, limit - int((group / "memory.current").read_text()))
    return max(free, 0)


def fitting_size(trial: Callable[[int], Any], device: torch.device, *, most: int, beside: int = 0) -> int:
    """How many examples, at most `most`, fit into half of the available memory.

    Args:
        trial: runs what is to be run on so many examples. It is called with few first, and with more until the examples
            take more memory than what is there for any number of them.
        device: where it runs.
        most: the largest number that is needed.
        beside: bytes that are needed whatever the number of examples.
    """
    room = _SHARE * available_bytes(device) - beside
    size, alone = 1, _peak(trial, 1, device, warm=True)
    before = alone
    while size < most:
        more = min(most, size * _GROWTH)
        peak = _peak(trial, more, device)
        each = max(0.0, (peak - before) / (more - size))
        if peak >= 2 * alone or more == most or peak > room:
            return max(1, min(most, more + int((room - peak) / max(each, 1.0))))
        size, before = more, peak
    return most


def _peak(trial: Callable[[int], Any], size: int, device: torch.device, *, warm: bool = False) -> int:
    if warm:
        trial(size)  # whatever is made once and kept is there before the counting starts
    with PeakMemory(device) as peak:
        trial(size)
    return peak.bytes
