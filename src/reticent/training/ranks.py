"""The processes that train one network together.

Promise: all of them draw the batch that one process would draw, and each takes every so many-th example of it, so that
the union of the shares is the batch, whatever sampler drew it: the law that is accounted for is the law of one process.
With simulated randomness it is that batch to the bit. An error in one process is an error in all of them (`together`),
with its text, as far as the others can still be told; steps, batches and counts are compared at every step.

How: facts, counts and errors travel on a channel of their own (gloo, over the processor), so that they are never
mistaken for collectives of the loop, and never wait for a GPU.

Not covered: what travels between the processes is neither encrypted nor noisy (clipped sums, and the key that batches
are drawn with): they, and the network between them, have to be as safe as the data. A process that leaves the loop for
reasons of its own ends the others only when it ends itself, which `torchrun` sees to.

Example:
    >>> import numpy as np
    >>> from reticent.training.ranks import Ranks
    >>> alone = Ranks.of("all")  # torch.distributed was not initialised
    >>> alone.size, alone.share(np.array([4, 7, 9])).tolist()
    (1, [4, 7, 9])
    >>> [Ranks(rank, 2).share(np.array([4, 7, 9])).tolist() for rank in (0, 1)]
    [[4, 9], [7]]
"""

from __future__ import annotations

import atexit
import contextlib
import datetime
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

from reticent import _checks
from reticent.errors import PeerError, ReticentError, UsageError
from reticent.randomness import Randomness

__all__ = ["Ranks", "fingerprint"]

_ALIKE = "Build network, data, plan and randomness in the same way in every process."
_NO_LIMIT = 1 << 62
_LAST_WORDS = datetime.timedelta(seconds=30)  # how long a process that failed waits for the others to hear of it
_channels: list[tuple[Any, Any]] = []  # the processes of the world, and their channel


class Ranks:
    """This process among those that train together; build it with `of`.

    Attributes:
        rank: which one this is, from 0.
        size: how many there are; 1 where nothing is shared.
    """

    def __init__(self, rank: int = 0, size: int = 1, channel: Any = None) -> None:
        self.rank, self.size = rank, size
        self._channel = channel
        self._broken = False

    @classmethod
    def of(cls, processes: str = "all") -> Ranks:
        """The processes of an initialised `torch.distributed` ("all"), or this one alone ("one").

        Raises:
            UsageError: started by torchrun as one of several, but `torch.distributed` is not initialised.
        """
        if _checks.one_of(("all", "one"), processes=processes) == "one" or not dist.is_available():
            return cls()
        if not dist.is_initialized():
            several = int(os.environ.get("WORLD_SIZE", "1")) > 1 and "TORCHELASTIC_RUN_ID" in os.environ
            if several:
                raise UsageError(
                    f"Expected torch.distributed to be initialised in the {os.environ['WORLD_SIZE']} processes that "
                    "torchrun started, got it uninitialised: each would train a network of its own.",
                    'Call torch.distributed.init_process_group() first, or pass processes="one".',
                )
            return cls()
        size = dist.get_world_size()
        return cls() if size == 1 else cls(dist.get_rank(), size, _channel())

    @property
    def alone(self) -> bool:
        """Whether there is only this process."""
        return self.size == 1

    # Batches ----------------------------------------------------------------------------------------------------------

    def share(self, batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """This process's part of a batch that all of them have drawn."""
        return batch[self.rank :: self.size]

    def largest_share(self, examples: int) -> int:
        """The most examples that a process has of a batch of so many: the same number everywhere."""
        return -(-examples // self.size)

    def sampling(self, randomness: Randomness) -> Randomness:
        """The stream that all processes draw batches from: a fresh secure key of the first one, or the simulation's."""
        if self.alone or not randomness.is_secure:
            return randomness.spawn("sampling")
        words = torch.from_numpy(Randomness.secure().bits(4).astype(np.int64))  # every process draws; the first counts
        return Randomness.shared(self._from_first(words).numpy().tobytes())

    def label(self, name: str) -> str:
        """The name of a stream that each process needs for itself; in the first one the name alone."""
        return name if self.rank == 0 else f"{name} of process {self.rank}"

    # Facts ------------------------------------------------------------------------------------------------------------

    def same(self, facts: Mapping[str, Any], *, remedy: str = _ALIKE) -> None:
        """Refuse to go on unless every process states the same, in the same order.

        Raises:
            PeerError: they differ; the first difference is named.
        """
        if self.alone:
            return
        told = [json.loads(data) for data in self.everybody(json.dumps({k: str(v) for k, v in facts.items()}).encode())]
        for name in [*facts, *(name for theirs in told for name in theirs)]:
            others = [rank for rank, theirs in enumerate(told) if theirs.get(name) != told[0].get(name)]
            if others:
                self._broken = True
                raise PeerError(
                    f"Expected the same {name} in all {self.size} processes, but process 0 has "
                    f"{_short(told[0].get(name))} and process {others[0]} has {_short(told[others[0]].get(name))}.",
                    remedy,
                )

    def least(self, limit: int | None) -> int | None:
        """The smallest of all processes' limits; None is no limit."""
        if self.alone:
            return limit
        told = self._gathered(torch.tensor([_NO_LIMIT if limit is None else limit]))
        smallest = min(int(value) for value in told)
        return None if smallest == _NO_LIMIT else smallest

    def added(self, numbers: Sequence[float]) -> list[float]:
        """Each number added up over the processes, in float64: the same sums everywhere."""
        if self.alone:
            return list(numbers)
        told = self._gathered(torch.tensor(numbers, dtype=torch.float64))
        return [float(value) for value in torch.stack(told).sum(0)]

    def first(self, numbers: Sequence[float]) -> list[float]:
        """The numbers of the first process."""
        return list(numbers) if self.alone else self._from_first(torch.tensor(numbers, dtype=torch.float64)).tolist()

    def everybody(self, data: bytes) -> list[bytes]:
        """What every process tells."""
        if self.alone:
            return [data]
        sizes = [int(value) for value in self._gathered(torch.tensor([len(data)]))]
        padded = torch.zeros(max(*sizes, 1), dtype=torch.uint8)
        padded[: len(data)] = torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else padded[:0]
        told = self._gathered(padded)
        return [bytes(value[:size].numpy()) for value, size in zip(told, sizes, strict=True)]

    # Errors -----------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def together(self, what: str, number: int = 0) -> Iterator[None]:
        """A block that all processes leave in the same way, with the same number; an error in one is one in all.

        Raises:
            PeerError: another process left it with an error, or with another number.
        """
        with self.telling():
            yield
        if not self.alone:
            self._meet(what, number, "")

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        """A block whose error the other processes are told when they next meet."""
        try:
            yield
        except PeerError:
            raise  # everybody knows
        except Exception as error:
            if not self.alone and not self._broken:
                with contextlib.suppress(Exception):  # this process's own error is the one to be seen here
                    self._meet("", 0, f"{type(error).__name__}: {error}"[:2000] or "an error without a text")
            raise

    def _meet(self, what: str, number: int, failure: str) -> None:
        text = failure.encode()
        wait = _LAST_WORDS if failure else None
        told = torch.stack(self._gathered(torch.tensor([len(text), number]), wait))
        sizes = [int(value) for value in told[:, 0]]
        if any(sizes):
            padded = torch.zeros(max(sizes), dtype=torch.uint8)
            padded[: len(text)] = torch.frombuffer(bytearray(text), dtype=torch.uint8) if text else padded[:0]
            said = self._gathered(padded, wait)
            self._broken = True
            rank = next(rank for rank, size in enumerate(sizes) if size)
            raise PeerError(
                f"Expected all {self.size} processes to go on, but process {rank} failed: "
                f"{bytes(said[rank][: sizes[rank]].numpy()).decode(errors='replace')}",
                "Mend what failed there; the training goes on from a saved state, or starts anew.",
            )
        if len({int(value) for value in told[:, 1]}) > 1:
            self._broken = True
            raise PeerError(
                f"Expected the same {what} in all {self.size} processes, but they differ.",
                "Run the same loop in every process: same order of calls, no process that leaves out or adds a step.",
            )

    # The channel ------------------------------------------------------------------------------------------------------

    def _gathered(self, value: torch.Tensor, wait: datetime.timedelta | None = None) -> list[torch.Tensor]:
        told = [torch.empty_like(value) for _ in range(self.size)]
        with self._heard():
            work = dist.all_gather(told, value, group=self._channel, async_op=True)
            assert work is not None  # noqa: S101
            work.wait() if wait is None else work.wait(wait)
        return told

    def _from_first(self, value: torch.Tensor) -> torch.Tensor:
        with self._heard():
            dist.broadcast(value, src=0, group=self._channel)
        return value

    @contextlib.contextmanager
    def _heard(self) -> Iterator[None]:
        if self._broken:
            raise PeerError(
                "Expected processes that do the same thing, but in this training they have fallen out of step.",
                "Start anew, or from a saved state.",
            )
        try:
            yield
        except ReticentError:
            raise
        except RuntimeError as error:  # of torch, which has none of its own for a peer that is gone
            self._broken = True
            raise PeerError(
                f"Expected an answer from all {self.size} processes, but one is gone or does something else ({error}).",
                "Look for the first error in the output of the other processes.",
            ) from error


def fingerprint(number: int, batch: npt.NDArray[Any]) -> int:
    """63 bits that tell a step and its batch from others; only peers may see them: they follow from who is in it."""
    digest = hashlib.blake2b(np.ascontiguousarray(batch, dtype=np.int64).tobytes(), digest_size=8, salt=b"%d" % number)
    return int.from_bytes(digest.digest(), "little") >> 1


def _channel() -> Any:
    """A gloo group of all processes; made once, since every one keeps sockets open."""
    world = dist.group.WORLD
    for known, channel in _channels:
        if known is world:
            return channel
    if not _channels:
        atexit.register(_close)
    _channels[:] = [(world, dist.new_group(backend="gloo"))]
    return _channels[0][1]


def _close() -> None:
    """gloo's threads outlive the interpreter, and abort the process, if nobody ends them."""
    with contextlib.suppress(Exception):
        if dist.is_initialized() and _channels[0][0] is dist.group.WORLD:
            dist.destroy_process_group(_channels[0][1])


def _short(text: Any) -> str:
    text = str(text)
    return text if len(text) < 200 else f"{text[:200]}..."
