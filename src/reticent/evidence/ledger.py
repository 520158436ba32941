"""A file to which lines are added, each on disk before the next thing happens.

Promise: when `add` returns, the line is on disk and survives a crash, also of the machine; after a stop at any moment
the file has every line for which `add` had returned, and a line that was cut off is struck out. Every line is bound to
all that stand before it by a hash: lines that were changed, taken out or put in between are found. One process at a
time has the file; a second one is refused, and a process that was killed leaves no lock behind.

Not covered: whoever can write to the folder can put an older file back, or write a whole new one (a hash, not a
signature).

Example:
    >>> import tempfile
    >>> from reticent.evidence.ledger import Ledger
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Ledger(f"{folder}/answers", {"epsilon": 3}) as ledger:
    ...         ledger.add({"answer": 1})
    ...     with Ledger(f"{folder}/answers", {"epsilon": 3}) as ledger:
    ...         ledger.lines
    [{'answer': 1}]
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import IO, Any, Self

from reticent.errors import IntegrityError, UsageError
from reticent.evidence.canonical import canonical_json, parse, sync_folder

__all__ = ["Ledger", "take_alone"]

_FORMAT = "reticent-ledger/1"


class Ledger:
    """Lines of plain values on disk.

    Args:
        path: the file; made if it is not there.
        about: plain values that have to be the same for a file to be taken up.

    Attributes:
        lines: what has been added, also before.

    Raises:
        UsageError: another process has the file, it is about something else, or the folder cannot be written to.
        IntegrityError: not a ledger, or a damaged one.
    """

    def __init__(self, path: str | Path, about: dict[str, Any]) -> None:
        self.path = Path(path)
        head = {"format": _FORMAT, "about": about}
        try:
            # Never replaced by another file: a second process that came at the same time would lock the old one.
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
            self._file = os.fdopen(handle, "r+b", buffering=0)
        except OSError as error:
            raise UsageError(
                f"Expected to write to {self.path}, but: {error.strerror or error}.", "Choose a file that can be."
            ) from error
        try:
            take_alone(self._file, self.path)
            self.lines: list[dict[str, Any]] = []
            self._last, self._broken = "", False
            self._begin(head)
            self._read(head)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def add(self, line: dict[str, Any]) -> None:
        """Write a line; what it is about may happen when this returns.

        Raises:
            UsageError: it could not be written; the ledger takes no more lines then.
        """
        if self._broken or self._file.closed:
            raise UsageError(f"Expected an open ledger, got one that was closed at {self.path}.", "Open it again.")
        digest, content = _bound(self._last, line)
        self._broken = True  # until the line is whole
        try:
            written = self._file.write(content)
            if written != len(content):
                raise OSError("the disk is full")
            os.fsync(self._file.fileno())
        except OSError as error:
            raise UsageError(
                f"Expected to write to {self.path}, but: {error.strerror or error}.", "Make room and open it again."
            ) from error
        self._broken, self._last = False, digest
        self.lines.append(line)

    def _begin(self, head: dict[str, Any]) -> None:
        """Write the first line of a new file, or of one whose first line was cut off."""
        first, content = _bound("", head)[1], self._file.read()
        self._file.seek(0)
        if b"\n" in content:
            return
        if not first.startswith(content):
            raise IntegrityError(f"Expected a ledger, got something else at {self.path}.", "Pass its file.")
        self._file.write(first)
        os.fsync(self._file.fileno())
        self._file.seek(0)
        sync_folder(self.path.parent)  # the name of the file survives a crash, too

    def _read(self, head: dict[str, Any]) -> None:
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        for number, line in enumerate(content[:whole].splitlines(keepends=True)):
            value = self._checked(line)
            if number == 0 and value != parse(canonical_json(head)):
                theirs = value.get("about") if value.get("format") == _FORMAT else value
                raise UsageError(
                    f"Expected the ledger of {head['about']}, got that of {theirs} at {self.path}.",
                    "Open it with the settings that it was made with, or pass another file.",
                )
            if number:
                self.lines.append(value)
        # What stands behind the last whole line was being written when everything stopped: nobody has seen it.
        self._file.truncate(whole)
        self._file.seek(whole)

    def _checked(self, line: bytes) -> dict[str, Any]:
        digest, _, content = line.rstrip(b"\n").partition(b" ")
        found = hashlib.sha256(self._last.encode() + content).hexdigest()
        if digest.decode("ascii", "replace") != found:
            raise IntegrityError(
                f"Expected a ledger with every line in its place, got a line that does not fit at {self.path}.",
                "Fetch the file again from where it was kept.",
            )
        self._last = found
        value: dict[str, Any] = parse(content)
        return value


def take_alone(file: IO[bytes], path: Path) -> None:
    """Lock an open file for this process until it is closed; a process that dies leaves no lock behind.

    Raises:
        UsageError: another process has it, or this one has it open a second time.
    """
    try:
        if os.name == "posix":
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:  # pragma: no cover
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError as error:
        raise UsageError(
            f"Expected {path} to be free, but another process has it.",
            "Work with it from one process: two would not know what the other has given out.",
        ) from error


def _bound(last: str, line: dict[str, Any]) -> tuple[str, bytes]:
    """(hash of a line and all before it, the line as it is written)."""
    content = canonical_json(line)
    digest = hashlib.sha256(last.encode() + content).hexdigest()
    return digest, f"{digest} ".encode() + content + b"\n"
