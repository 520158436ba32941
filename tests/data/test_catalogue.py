"""The catalogue: complete, pinned, and honest about whose data it is."""

from __future__ import annotations

import ast
import dataclasses
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from reticent import data
from reticent.data import Entry, entries
from reticent.data.catalogue import Bundle, Member, Source, entry
from reticent.errors import UsageError

DATA = [
    *(
        "diabetes",
        "breast_cancer",
        "digits",
        "wine",
        "fashion-mnist",
        "mnist5k",
        "orl-faces",
        "adult",
        "credit-default",
    ),
    *("german-credit", "law-school", "nursery", "warfarin", "rdatasets", "movielens-100k", "febrl4", "shakespeare"),
    *("keyboard-lm", "pii-templates"),
]
WEIGHTS = ["smollm2", "textgenrnn", "efficientnet-lite0", "face-recognition-models", "minilm", "en-core-web-sm"]
TEXTS = ("title", "about", "size", "package", "version", "package_licence", "data_terms", "credit", "owner")

every = pytest.mark.parametrize("one", entries(), ids=lambda one: one.name)


def test_all_sets_are_there_and_the_default_comes_first() -> None:
    assert [one.name for one in entries() if one.kind == "data"] == DATA
    assert [one.name for one in entries()] == [*DATA, *WEIGHTS]
    assert {one.kind for one in entries()} == {"data", "weights"}


@every
def test_every_entry_says_what_it_is_whose_it_is_and_on_what_terms(one: Entry) -> None:
    for field in TEXTS:
        text = getattr(one, field)
        assert text, field
        assert text == text.strip(), field
    assert entry(one.name) is one
    assert re.fullmatch(r"[a-z0-9_-]+", one.name)
    assert PurePosixPath(one.folder).parts == (one.folder,)  # it becomes the name of one folder
    assert "://" not in "".join(str(value) for value in dataclasses.astuple(one))


@every
def test_every_file_is_pinned(one: Entry) -> None:
    if one.source is Source.SKLEARN:
        assert (one.members, one.bundle, one.download_bytes, one.archive) == ((), None, 0, "")
        return
    assert one.archive
    assert one.download_bytes > 0
    assert one.prefix.endswith("/")
    assert one.members or one.bundle
    assert one.unpacked_bytes > 0
    pins = [member.sha256 for member in one.members] + ([one.bundle.sha256] if one.bundle else [])
    if one.source is Source.PYPI:
        assert one.archive_sha256 is not None
        pins.append(one.archive_sha256)
        assert one.archive.endswith(("-none-any.whl", ".tar.gz"))  # one file for every system
    assert all(re.fullmatch(r"[0-9a-f]{64}", pin) for pin in pins)
    assert len(set(pins)) == len(pins)


@every
def test_a_set_for_classification_names_its_unit(one: Entry) -> None:
    if one.task:
        assert one.kind == "data"
        assert one.unit is not None
    if one.kind == "weights":
        assert one.unit is None


def test_pickles_are_declared() -> None:
    pickles = {one.name for one in entries() if one.is_pickle}
    assert pickles == {"warfarin", "rdatasets", "efficientnet-lite0"}
    assert all("pickle" in entry(name).notes for name in pickles)
    suffixes = (".pkl", ".compress", ".pickle", ".pth", ".pt")
    assert pickles == {
        one.name
        for one in entries()
        if any(file.path.endswith(suffixes) for file in one.members)
        or (one.bundle and one.bundle.pattern.endswith(suffixes))
    }


def test_nothing_in_the_package_imports_pickle() -> None:
    for file in Path(data.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {"pickle", "joblib", "torch", "pandas", "dill"} & {name.split(".")[0] for name in names}, file


def test_importing_the_room_brings_neither_sklearn_nor_torch() -> None:
    check = "import sys, reticent.data; print([m for m in ('sklearn', 'torch', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_exact_exports() -> None:
    noises = ["Answers", "GaussianNoise", "LaplaceNoise", "LocalNoise", "OneHot"]
    assert sorted(data.__all__) == sorted([*noises, "Entry", "Records", "entries", "fetch", "load", "load_with"])
    assert all(callable(getattr(data, name)) for name in data.__all__)


def test_an_entry_cannot_be_changed_and_knows_its_files() -> None:
    faces = entry("orl-faces")
    with pytest.raises(dataclasses.FrozenInstanceError):
        faces.version = "2"  # type: ignore[misc]
    assert faces.wants("s1/1.pgm")
    assert not faces.wants("s10/target.jpg")
    both = dataclasses.replace(faces, members=(Member("x", 3, ""),), bundle=Bundle("s*", 1, 4, ""))
    assert both.unpacked_bytes == 7
    assert both.wants("x")
    assert not both.wants("y")


def test_unknown_entry() -> None:
    with pytest.raises(UsageError, match=r"name='adullt'.*Did you mean 'adult'"):
        entry("adullt")
