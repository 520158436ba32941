"""Taking the pinned files out of a downloaded archive, and checking that they are the pinned ones.

Promise: only files that the entry names are written, only below the given folder, and never more bytes than the entry
says. `verify` reads every byte. Reads wheels (zip), source distributions (tar) and Debian packages (ar around tar) with
the standard library alone, so a Debian package can be opened anywhere.

Errors: `IntegrityError`, in every case.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import IO, Final

from reticent.data.catalogue import Entry
from reticent.errors import IntegrityError

__all__ = ["sha256_of", "unpack", "verify"]

_CHUNK: Final = 1 << 20
_BROKEN: Final = (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, UnicodeDecodeError)
_AR_MAGIC: Final = b"!<arch>\n"
_AR_HEADER: Final = 60

_Opener = Callable[[], IO[bytes]]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            sha.update(block)
    return sha.hexdigest()


def unpack(archive: Path, entry: Entry, into: Path) -> None:
    """Write the entry's files from the archive to the new folder `into`."""
    left = entry.unpacked_bytes
    into.mkdir()
    try:
        with closing(_files(archive)) as files:
            for name, opener in files:
                path = _path_of(name, entry)
                if path is not None:
                    left -= _copy(opener, into / path, left, entry)
    except _BROKEN as error:
        raise IntegrityError(
            f"Expected {archive.name} to be a readable archive, got a broken one ({error}).",
            "Delete it, and pip's cache of it (pip cache purge), and fetch again.",
        ) from error


def verify(folder: Path, entry: Entry, remedy: str) -> None:
    """Check that the folder holds the entry's files, byte for byte; `remedy` ends the message when it does not."""
    for member in entry.members:
        path = folder / member.path
        if not path.is_file():
            raise IntegrityError(f"Expected the file {member.path} of {entry.name} in {folder}, found none.", remedy)
        found = sha256_of(path) if path.stat().st_size == member.size else f"{path.stat().st_size} bytes"
        if found != member.sha256:
            raise IntegrityError(
                f"Expected {member.path} of {entry.name} to have {member.size} bytes and SHA-256 {member.sha256}, "
                f"got {found} in {folder}.",
                remedy,
            )
    if entry.bundle is not None:
        _verify_bundle(folder, entry, remedy)


def _verify_bundle(folder: Path, entry: Entry, remedy: str) -> None:
    bundle = entry.bundle
    if bundle is None:  # pragma: no cover (asked by the caller)
        return
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    chosen = sorted(name for name in paths if entry.wants(name))
    sha = hashlib.sha256()
    for name in chosen:
        sha.update(f"{name}\0{sha256_of(paths[name])}\n".encode())
    if len(chosen) != bundle.count or sha.hexdigest() != bundle.sha256:
        raise IntegrityError(
            f"Expected {bundle.count} files {bundle.pattern} of {entry.name} with joint SHA-256 {bundle.sha256}, "
            f"got {len(chosen)} with {sha.hexdigest()} in {folder}.",
            remedy,
        )


def _path_of(name: str, entry: Entry) -> PurePosixPath | None:
    """Where below the target a file of the archive goes; None when the entry does not take it."""
    relative = name.removeprefix(entry.prefix)
    if not name.startswith(entry.prefix) or not entry.wants(relative):
        return None
    path = PurePosixPath(relative)
    # a pattern may match names that would leave the folder, on this system or (backslash, drive) on another
    if path.is_absolute() or ".." in path.parts or "\\" in relative or ":" in relative:
        raise IntegrityError(
            f"Expected only paths inside the folder in the archive of {entry.name}, got {name!r}.",
            "Do not use this archive: it tries to write elsewhere.",
        )
    return path


def _copy(opener: _Opener, target: Path, limit: int, entry: Entry) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with opener() as source, target.open("wb") as out:
        while block := source.read(_CHUNK):
            written += len(block)
            if written > limit:
                raise IntegrityError(
                    f"Expected {entry.unpacked_bytes} bytes in the files of {entry.name}, got more.",
                    "Do not use this archive: it is not the one in the catalogue.",
                )
            out.write(block)
    return written


def _files(archive: Path) -> Generator[tuple[str, _Opener]]:
    """Name and opener of each regular file, in the archive's order; an opener is good until the next step."""
    if archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                if not info.is_dir():
                    yield info.filename, lambda info=info: opened.open(info)  # type: ignore[misc]
        return
    with archive.open("rb") as raw, tarfile.open(fileobj=_inner_tar(raw) if archive.suffix == ".deb" else raw) as tar:
        for member in tar:
            if member.isreg():  # links and devices are never taken
                yield member.name.removeprefix("./"), lambda member=member: _extracted(tar, member)  # type: ignore[misc]


def _extracted(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(member)
    if file is None:  # pragma: no cover (regular files only come here)
        raise tarfile.TarError(f"{member.name} is not a regular file")
    return file


def _inner_tar(raw: IO[bytes]) -> IO[bytes]:
    """The `data.tar.*` of a Debian package: an `ar` archive with headers of 60 bytes, each part padded to even size."""
    if raw.read(len(_AR_MAGIC)) != _AR_MAGIC:
        raise tarfile.ReadError("not a Debian package")
    while len(header := raw.read(_AR_HEADER)) == _AR_HEADER:
        name, digits = header[:16].decode("ascii").strip().rstrip("/"), header[48:58].strip()
        if not digits.isdigit():
            break
        if name.startswith("data.tar"):
            return io.BytesIO(raw.read(int(digits)))
        raw.seek(int(digits) + int(digits) % 2, io.SEEK_CUR)
    raise tarfile.ReadError("no data.tar in the Debian package")
