"""A workshop for the tests of fetching: it builds wheels, source distributions and Debian packages, and publishes them
on a real package index on the loopback, to which pip is pointed. Nothing leaves this machine.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from reticent import errors
from reticent.data._archives import sha256_of
from reticent.data.catalogue import Bundle, Entry, Member, Source

IN_ANOTHER_PROCESS = """
import json, sys
from reticent.data.catalogue import Entry, Member, Source
from reticent.data.fetch import bring

fields, limit = json.loads(sys.argv[1])
fields["members"] = tuple(Member(*one) for one in fields["members"])
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
print(bring(Entry(**{**fields, "source": Source.PYPI})))
"""


class Handler(SimpleHTTPRequestHandler):
    stall: ClassVar[threading.Event | None] = None

    def log_message(self, *args: object) -> None:
        pass

    def copyfile(self, source: Any, outputfile: Any) -> None:
        if Handler.stall is not None and not self.path.endswith("/"):
            outputfile.write(source.read(600_000))
            outputfile.flush()
            Handler.stall.wait(20)
            return
        super().copyfile(source, outputfile)


class Workshop:
    """Builds and publishes below `root`; every archive holds `numbers`, a megabyte, so that pip shows progress."""

    prefix = "tiny_data/files/"
    numbers = bytes(range(256)) * 4_000

    def __init__(self, root: Path) -> None:
        self.root = root
        self.page = root / "index" / "simple" / "tiny-data"
        self.page.mkdir(parents=True)

    def wheel(self, name: str, files: dict[str, bytes]) -> Path:
        info = f"{name.split('-', maxsplit=1)[0]}-1.0.dist-info"
        extra = {
            f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n",
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": b"",
        }
        with zipfile.ZipFile(self.root / name, "w") as opened:
            for inside, content in {**files, **extra}.items():
                opened.writestr(inside, content)
        return self.root / name

    def tar(self, name: str, files: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
        (self.root / name).write_bytes(_tar(files, "w:gz", links))
        return self.root / name

    def deb(self, name: str, files: dict[str, bytes]) -> Path:
        parts = {
            "debian-binary": b"2.0\n",
            "control.tar.gz": _tar({}, "w:gz") + b"\0",  # of odd or even size: both are padded right
            "data.tar.xz": _tar({f"./{inside}": content for inside, content in files.items()}, "w:xz"),
        }
        raw = b"!<arch>\n"
        for part, content in parts.items():
            raw += f"{part:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
            raw += content + b"\n" * (len(content) % 2)
        (self.root / name).write_bytes(raw)
        return self.root / name

    def publish(self, archive: Path) -> None:
        (self.page / archive.name).write_bytes(archive.read_bytes())
        names = [one.name for one in self.page.iterdir() if one.name != "index.html"]
        links = "".join(f'<a href="{name}">{name}</a>' for name in names)
        (self.page / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")

    def member(self, path: str, content: bytes) -> Member:
        return Member(path, len(content), hashlib.sha256(content).hexdigest())

    def bundle(self, pattern: str, files: dict[str, bytes]) -> Bundle:
        lines = "".join(f"{name}\0{hashlib.sha256(files[name]).hexdigest()}\n" for name in sorted(files))
        size = sum(len(content) for content in files.values())
        return Bundle(pattern, len(files), size, hashlib.sha256(lines.encode()).hexdigest())

    def described(self, archive: Path, **changes: Any) -> Entry:
        """An entry for an archive that holds `numbers.bin`."""
        texts = ("title", "about", "size", "package_licence", "data_terms", "credit", "owner")
        fields: dict[str, Any] = {
            "name": "tiny",
            "source": Source.PYPI,
            "package": "tiny-data",
            "version": "1.0",
            "unit": None,
            "archive": archive.name,
            "archive_sha256": sha256_of(archive),
            "download_bytes": archive.stat().st_size,
            "prefix": self.prefix,
            "members": (self.member("numbers.bin", self.numbers),),
        }
        return Entry(**{**dict.fromkeys(texts, ""), **fields, **changes})

    def debian(self) -> Entry:
        archive = self.deb("tiny-data_1.0_all.deb", {f"usr/{self.prefix}numbers.bin": self.numbers})
        return self.described(archive, source=Source.DEBIAN, archive_sha256=None, prefix=f"usr/{self.prefix}")

    def put(self, entry: Entry) -> Path:
        """Put the entry's archive into the cache, as one does by hand."""
        target = self.root / "cache" / "archives" / entry.archive
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((self.root / entry.archive).read_bytes())
        return target

    def in_cache(self) -> list[str]:
        folder = self.root / "cache" / "data"
        return sorted(os.listdir(folder)) if folder.exists() else []

    def in_another_process(self, entry: Entry, limit: int = 0) -> subprocess.Popen[str]:
        """Fetch it there; `limit` is the largest file, in bytes, that the process may write."""
        names = [name for name in Entry.__dataclass_fields__ if name not in {"source", "members"}]
        fields: dict[str, Any] = {name: getattr(entry, name) for name in names}
        fields["members"] = [(one.path, one.size, one.sha256) for one in entry.members]
        command = [sys.executable, "-c", IN_ANOTHER_PROCESS, json.dumps([fields, limit])]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _tar(files: dict[str, bytes], mode: str, links: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as opened:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
        for name, where in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, where
            opened.addfile(info)
    return out.getvalue()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    """A workshop whose index is the only one that pip sees."""
    shop = Workshop(tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "index")))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    settings = {
        "PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}/simple/",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
        "PIP_RETRIES": "0",
        "PIP_DEFAULT_TIMEOUT": "15",
        "NO_PROXY": "127.0.0.1",
        "RETICENT_CACHE": str(tmp_path / "cache"),
        "MARKER": str(tmp_path / "marker"),
        "PYTHONPATH": str(Path(errors.__file__).parents[1]),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    yield shop
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def stalled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The index sends half of every archive and then nothing."""
    go_on = threading.Event()
    monkeypatch.setattr(Handler, "stall", go_on)
    yield
    go_on.set()


@pytest.fixture
def tiny(shop: Workshop) -> Entry:
    """A published wheel, and its entry."""
    files = {f"{shop.prefix}numbers.bin": shop.numbers, f"{shop.prefix}more.py": b"1"}
    archive = shop.wheel("tiny_data-1.0-py3-none-any.whl", files)
    shop.publish(archive)
    return shop.described(archive)
