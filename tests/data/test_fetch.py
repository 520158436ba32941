"""Fetching, against a real package index on the loopback, with the real pip as a subprocess.

Promise checked: the pinned bytes or an error in one sentence, and nothing left behind. No test leaves this machine.
"""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from reticent.data import catalogue, fetch
from reticent.data._archives import unpack
from reticent.data._clients import _explained
from reticent.data.catalogue import Entry, Member
from reticent.errors import FetchError, IntegrityError, MissingExtra, UsageError

module = importlib.import_module("reticent.data.fetch")  # the package's attribute of that name is the function
clients = importlib.import_module("reticent.data._clients")
bring, fetched = module.bring, module.fetched

SETUP = 'import os, pathlib\npathlib.Path(os.environ["MARKER"]).write_text("ran")\nraise SystemExit(1)\n'


def test_fetch_brings_the_listed_files_reports_progress_and_needs_no_index_again(
    tmp_path: Path, shop: Any, tiny: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[int, int]] = []
    folder = bring(tiny, progress=lambda done, total: steps.append((done, total)))
    assert folder == tmp_path / "cache" / "data" / "tiny-1.0"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"numbers.bin": shop.numbers}
    assert shop.in_cache() == ["tiny-1.0"]
    assert len(steps) >= 2
    assert steps == sorted(steps)
    assert steps[-1] == (tiny.download_bytes, tiny.download_bytes)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    assert bring(tiny) == folder == fetched(tiny)
    (folder / "numbers.bin").write_bytes(shop.numbers[:-1] + b"?")
    for call in (bring, fetched):
        with pytest.raises(IntegrityError, match=r"numbers\.bin.*Delete the folder"):
            call(tiny)


def test_the_argument_goes_before_the_environment(tmp_path: Path, shop: Any, tiny: Entry) -> None:
    assert bring(tiny, cache=tmp_path / "other") == tmp_path / "other" / "data" / "tiny-1.0"
    assert shop.in_cache() == []


def test_default_cache_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RETICENT_CACHE", raising=False)
    assert "reticent" in module.cache_root().parts


@pytest.mark.parametrize("right", [True, False])
def test_setup_py_of_a_source_distribution_never_runs(tmp_path: Path, shop: Any, right: bool) -> None:
    files = {"tiny_data-1.0/setup.py": SETUP.encode(), f"tiny_data-1.0/{shop.prefix}numbers.bin": shop.numbers}
    archive = shop.tar("tiny_data-1.0.tar.gz", files)
    shop.publish(archive)
    changes = {} if right else {"archive_sha256": "0" * 64}
    entry = shop.described(archive, prefix=f"tiny_data-1.0/{shop.prefix}", **changes)
    if right:
        assert (bring(entry) / "numbers.bin").read_bytes() == shop.numbers
    else:
        with pytest.raises(IntegrityError, match="refused"):
            bring(entry)
        assert shop.in_cache() == []
    assert not (tmp_path / "marker").exists()


def test_wrong_hash_of_a_wheel(tmp_path: Path, shop: Any, tiny: Entry) -> None:
    with pytest.raises(IntegrityError, match="0000"):
        bring(shop.described(tmp_path / tiny.archive, archive_sha256="0" * 64))
    assert shop.in_cache() == []


def test_wrong_hash_of_a_member(tmp_path: Path, shop: Any, tiny: Entry) -> None:
    with pytest.raises(IntegrityError, match="not the one in the catalogue"):
        bring(shop.described(tmp_path / tiny.archive, members=(Member("numbers.bin", len(shop.numbers), "0" * 64),)))
    with pytest.raises(IntegrityError, match="found none"):
        bring(shop.described(tmp_path / tiny.archive, members=(shop.member("absent.bin", b""),)))
    assert shop.in_cache() == []


def test_offline(tmp_path: Path, shop: Any, tiny: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")  # the discard port: nobody listens
    monkeypatch.setenv("PIP_RETRIES", "1")  # pip says why only when it tries again, as it does by default
    with pytest.raises(FetchError, match=rf"did not answer.*{tiny.archive}.*archives"):
        bring(tiny)
    assert shop.in_cache() == []


def test_package_gone(tmp_path: Path, shop: Any, tiny: Entry) -> None:
    with pytest.raises(FetchError, match="index configured here has none"):
        bring(shop.described(tmp_path / tiny.archive, version="2.0"))
    assert shop.in_cache() == []


def test_an_old_pip_has_no_raw_progress(
    tmp_path: Path, shop: Any, tiny: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = clients._run

    def old(command: list[str], *rest: Any, **more: Any) -> tuple[int, str]:
        return (2, "option --progress-bar: invalid choice: 'raw'") if "raw" in command else real(command, *rest, **more)

    monkeypatch.setattr(clients, "_run", old)
    steps: list[tuple[int, int]] = []
    assert bring(tiny, progress=lambda *step: steps.append(step)).is_dir()
    assert steps == [(tiny.download_bytes, tiny.download_bytes)]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs setrlimit")
@pytest.mark.parametrize("by_hand", [False, True])
def test_no_space_left(tmp_path: Path, shop: Any, tiny: Entry, by_hand: bool) -> None:
    if by_hand:  # then it is the unpacking that meets the limit, not pip
        shop.put(tiny)
    with shop.in_another_process(tiny, limit=500_000) as process:
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "No space was left" in complaint.splitlines()[-1]
    assert "RETICENT_CACHE" in complaint.splitlines()[-1]
    assert shop.in_cache() == []


@pytest.mark.parametrize(
    ("number", "says"), [(errno.ENOSPC, "No space was left"), (errno.EROFS, "may write to"), (errno.EIO, "Mend that")]
)
def test_what_the_system_says_in_plain_words(
    shop: Any, tiny: Entry, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    shop.put(tiny)
    monkeypatch.setattr(module, "unpack", fails)
    with pytest.raises(FetchError, match=says):
        bring(tiny)
    assert shop.in_cache() == []


def test_cache_that_cannot_be_written(tmp_path: Path, shop: Any, tiny: Entry) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FetchError, match=r"could not be written.*RETICENT_CACHE"):
        bring(tiny, cache=tmp_path / "file")


@pytest.mark.usefixtures("stalled")
def test_interrupted_in_the_callback(shop: Any, tiny: Entry) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring(tiny, progress=stop)
    assert shop.in_cache() == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
@pytest.mark.usefixtures("stalled")
def test_interrupted_by_a_signal(tmp_path: Path, shop: Any, tiny: Entry) -> None:
    with shop.in_another_process(tiny) as process:
        ends = time.monotonic() + 30
        while not list(tmp_path.glob("cache/data/.tiny*/tmp/pip-unpack*/*")) and time.monotonic() < ends:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in complaint
    assert shop.in_cache() == []


@pytest.mark.slow
def test_two_processes_at_once(tmp_path: Path, shop: Any, tiny: Entry) -> None:
    both = [shop.in_another_process(tiny) for _ in range(2)]
    for process in both:
        out, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint
        assert (Path(out.strip()) / "numbers.bin").read_bytes() == shop.numbers
    assert shop.in_cache() == ["tiny-1.0"]


@pytest.mark.parametrize("there", ["the same", "other bytes", "nothing"])
def test_another_process_was_faster(shop: Any, tiny: Entry, monkeypatch: pytest.MonkeyPatch, there: str) -> None:
    shop.put(tiny)

    def late(source: Path, target: Path) -> None:
        if there != "nothing":
            target.mkdir()
            (target / "numbers.bin").write_bytes(shop.numbers if there == "the same" else b"other")
        raise OSError(errno.ENOTEMPTY, "Directory not empty", str(target))

    monkeypatch.setattr(module.os, "replace", late)
    if there == "the same":
        assert (bring(tiny) / "numbers.bin").read_bytes() == shop.numbers
    else:
        with pytest.raises(FetchError if there == "nothing" else IntegrityError):
            bring(tiny)


def test_files_put_there_by_hand(tmp_path: Path, shop: Any, tiny: Entry) -> None:
    with pytest.raises(FetchError, match="Run: reticent data fetch tiny"):
        fetched(tiny)
    folder = tmp_path / "cache" / "data" / "tiny-1.0"
    folder.mkdir(parents=True)
    (folder / "other.bin").write_bytes(b"")
    with pytest.raises(IntegrityError, match=r"numbers\.bin.*found none"):
        bring(tiny)
    (folder / "numbers.bin").write_bytes(shop.numbers)
    assert bring(tiny) == folder


def test_archive_put_there_by_hand(tmp_path: Path, shop: Any, tiny: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    archive = shop.put(tiny)
    (tmp_path / "cache" / "data" / "tiny-1.0").mkdir(parents=True)  # an empty folder is not in the way
    assert (bring(tiny) / "numbers.bin").read_bytes() == shop.numbers
    archive.write_bytes(b"other")
    (tmp_path / "cache" / "data" / "tiny-1.0").rename(tmp_path / "away")
    with pytest.raises(IntegrityError, match="put the original there"):
        bring(tiny)
    assert shop.in_cache() == []


@pytest.mark.parametrize("name", ["../../evil.txt", "..\\evil.txt", "/etc/evil", "C:evil"])
@pytest.mark.parametrize("kind", ["wheel", "tar"])
def test_paths_that_leave_the_folder_are_refused(tmp_path: Path, shop: Any, name: str, kind: str) -> None:
    files = {shop.prefix + name: b"evil"}
    archive = shop.wheel("e-1.0.whl", files) if kind == "wheel" else shop.tar("e-1.0.tar.gz", files)
    shop.put(entry := shop.described(archive, members=(), bundle=shop.bundle("*", {"evil": b"evil"})))
    with pytest.raises(IntegrityError, match="inside the folder"):
        bring(entry)
    assert shop.in_cache() == []
    assert not list(tmp_path.rglob("*evil*"))


def test_links_are_not_taken_and_unlisted_files_neither(tmp_path: Path, shop: Any) -> None:
    files = {f"{shop.prefix}a/one.txt": b"1", f"{shop.prefix}setup.py": b"2", "elsewhere.txt": b"3"}
    archive = shop.tar("l.tar.gz", files, links={f"{shop.prefix}b/link.txt": "/etc/passwd"})
    shop.put(entry := shop.described(archive, members=(), bundle=shop.bundle("*.txt", {"a/one.txt": b"1"})))
    folder = bring(entry)
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()] == ["a/one.txt"]
    (folder / "a" / "two.txt").write_bytes(b"")
    with pytest.raises(IntegrityError, match="got 2 with"):
        bring(entry)


def test_more_bytes_than_promised_are_refused(tmp_path: Path, shop: Any) -> None:
    archive = shop.wheel("big.whl", {f"{shop.prefix}numbers.bin": shop.numbers})
    with pytest.raises(IntegrityError, match="got more"):
        unpack(archive, shop.described(archive, members=(Member("numbers.bin", 10, "0" * 64),)), tmp_path / "into")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.whl", b"PK"),
        ("a.tar.gz", b"\x1f\x8b00"),
        ("a.deb", b"!<arch>\nnope"),
        ("b.deb", b"no"),
        ("c.deb", b"!<arch>\n" + b"x" * 60),
    ],
)
def test_broken_archives(tmp_path: Path, shop: Any, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IntegrityError, match="broken"):
        unpack(tmp_path / name, shop.described(tmp_path / name), tmp_path / "into")


def test_a_pickle_stays_a_file(tmp_path: Path, shop: Any) -> None:
    marker = tmp_path / "marker"
    content = f"cpathlib\nPath.touch\n(cpathlib\nPath\n(S'{marker}'\ntRtR.".encode()
    archive = shop.wheel("p-1.0.whl", {f"{shop.prefix}table.pkl": content})
    shop.put(entry := shop.described(archive, members=(shop.member("table.pkl", content),), is_pickle=True))
    assert (bring(entry) / "table.pkl").read_bytes() == content
    assert not marker.exists()


def test_debian_package_by_hand_and_without_apt(tmp_path: Path, shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = shop.debian()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match=r"no apt-get here.*numbers\.bin into .*tiny-1\.0"):
        bring(entry)
    shop.put(entry)
    assert (bring(entry) / "numbers.bin").read_bytes() == shop.numbers


APT = "#!/bin/sh\necho dlstatus:1:0.0000:x\necho dlstatus:1:50.0000:x\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("cp {deb} .", ""),
        ("echo 'E: Unable to locate package tiny-data'; exit 100", "Run apt-get update"),
        ("echo 'E: Failed to fetch tiny  Could not resolve host'; exit 100", "did not answer"),
    ],
)
def test_apt(tmp_path: Path, shop: Any, monkeypatch: pytest.MonkeyPatch, script: str, says: str) -> None:
    entry = shop.debian()
    apt = tmp_path / "bin" / "apt-get"
    apt.parent.mkdir()
    apt.write_text(APT + script.format(deb=tmp_path / entry.archive) + "\n")
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{apt.parent}{os.pathsep}{os.environ['PATH']}")
    steps: list[tuple[int, int]] = []
    if says:
        with pytest.raises(FetchError, match=says):
            bring(entry)
        return
    assert bring(entry, progress=lambda *step: steps.append(step)).is_dir()
    assert [done for done, _ in steps] == [0, round(entry.download_bytes / 2), entry.download_bytes]


@pytest.mark.parametrize(
    ("output", "kind", "says"),
    [
        ("python: No module named pip", FetchError, "ensurepip"),
        ("ERROR: [Errno 28] No space left on device\nERROR: connection broken", FetchError, "No space was left"),
        ("ERROR: Could not install: [Errno 13] Permission denied: '/x'", FetchError, "could not be written"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", IntegrityError, "refused"),
        ("line\nERROR: Something new", FetchError, "Something new"),
        ("", FetchError, "said nothing"),
    ],
)
def test_one_sentence_and_a_remedy(shop: Any, output: str, kind: type[Exception], says: str) -> None:
    error = _explained(shop.debian(), shop.root, output)
    assert type(error) is kind
    assert says in str(error)
    assert "\n" not in str(error)
    assert error.remedy


def test_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'digits'"):
        fetch("digitz")


def test_bundled_sets_need_no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (fetch("diabetes") / "diabetes_data_raw.csv.gz").is_file()
    assert fetched(catalogue.entry("wine")) == fetch("diabetes")
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"reticent\[lab\]"):
        fetch("diabetes")
