"""What the commands share: consoles, progress bars, and errors in one shape."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from reticent.errors import DataWarning, ReticentError, UsageError
from reticent.evidence import canonical_json

__all__ = ["Bars", "bars", "errors", "fail", "notes", "output", "print_json", "writable"]

output = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(error: ReticentError) -> int:
    """Print the error to standard error; returns its exit code."""
    errors.print(Text.assemble(("error: ", "bold red"), error.what))
    if error.remedy:
        errors.print(Text.assemble(("       ", ""), error.remedy))
    return error.exit_code


@contextmanager
def notes() -> Iterator[None]:
    """What is odd about data, on standard error in one line each; other warnings stay as they are."""
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def told(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, DataWarning):
                errors.print(Text.assemble(("note: ", "bold"), str(message)))
            else:
                shown(message, category, *place, **more)

        warnings.filterwarnings("default", category=DataWarning)
        warnings.showwarning = told
        yield


def print_json(value: Any) -> None:
    """Canonical JSON and a newline on standard output."""
    sys.stdout.write(canonical_json(value).decode() + "\n")


def writable(path: Path, endings: tuple[str, ...]) -> Path:
    """The path, if a file can be written there; checked before long work, not after it.

    Raises:
        UsageError: another ending, a folder that does not exist or cannot be written, or a folder in the way.
    """
    import os

    if path.suffix.lower() not in endings:
        raise UsageError(
            f"Expected an output that ends in {' or '.join(endings)}, got {str(path)!r}.", "Choose another name."
        )
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise UsageError(
            f"Expected an output in a folder that exists and can be written to, got {str(path)!r}.",
            "Make the folder, or choose another one.",
        )
    return path


class Bars:
    """Progress bars by name; silent when standard error is not a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, name: str, done: int, total: int) -> None:
        """Show that `done` of `total` are done under this name."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._tasks[name], completed=done, total=total)


@contextmanager
def bars(*, quiet: bool) -> Iterator[Bars]:
    """Progress bars on standard error, while the block runs."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:>4.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=errors,
        disable=quiet or not errors.is_terminal,
    ) as progress:
        yield Bars(progress)
