"""Real processes for tests: started once, connected by gloo over loopback, and asked to run functions."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

__all__ = ["World", "worlds"]


class World:
    """`size` processes that wait for functions; each runs them as one rank of an initialised torch.distributed."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.answers: list[tuple[bool, Any]] = []
        self._folder = tempfile.TemporaryDirectory()
        context = multiprocessing.get_context("spawn")
        self._ends, self._processes = [], []
        for rank in range(size):
            mine, theirs = context.Pipe()
            arguments = (rank, size, str(Path(self._folder.name) / "store"), theirs)
            process = context.Process(target=_serve, args=arguments)
            process.start()
            theirs.close()
            self._ends.append(mine)
            self._processes.append(process)

    def outcomes(self, function: Callable[..., Any], *args: Any, wait: float = 120) -> list[tuple[bool, Any]]:
        """For each rank whether the function went well, and what it gave or the text of its error."""
        for end in self._ends:
            end.send((function, args))
        self.answers = []
        for rank, end in enumerate(self._ends):
            assert end.poll(wait), f"process {rank} of {self.size} hangs in {function.__name__}"
            self.answers.append(end.recv())
        return self.answers

    def run(self, function: Callable[..., Any], *args: Any) -> list[Any]:
        """What the function gives in each rank."""
        found = self.outcomes(function, *args)
        for rank, (well, value) in enumerate(found):
            assert well, f"process {rank} of {self.size} failed:\n{value}"
        return [value for _, value in found]

    def errors(self, function: Callable[..., Any], *args: Any) -> list[str]:
        """The last line of the error that the function has to raise in each rank."""
        found = self.outcomes(function, *args)
        assert not any(well for well, _ in found), found
        return [text.strip().splitlines()[-1] for _, text in found]

    def close(self) -> None:
        """End the processes."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.send(None)
        for process in self._processes:
            process.join(20)
            if process.is_alive():
                process.kill()
        self._folder.cleanup()


def worlds() -> Iterator[Callable[[int], World]]:
    """A function from the number of processes to a world of so many; the body of a module's fixture."""
    made: dict[int, World] = {}

    def of(size: int) -> World:
        if size not in made:
            made[size] = World(size)
        return made[size]

    try:
        yield of
    finally:
        for world in made.values():
            world.close()


def _serve(rank: int, size: int, store: str, end: Any) -> None:
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    if Path("/sys/class/net/lo").exists():
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
    while True:
        asked = end.recv()
        if asked is None:
            break
        function, args = asked
        try:
            end.send((True, function(*args)))
        except Exception:
            end.send((False, traceback.format_exc()))
    dist.destroy_process_group()
    os._exit(0)  # the interpreter takes a second to go, and there are seven of them
