"""Loading: the readers on small files made here, the bundled sets for real, the others where the cache has them."""

from __future__ import annotations

import gzip
import importlib
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from reticent.data import load
from reticent.data._readers import read_grid, read_idx, read_pgm, read_table
from reticent.data.catalogue import Source, entries, entry
from reticent.errors import DataError, FetchError, IntegrityError, MissingExtra, UsageError
from reticent.privacy.units import Unit

module = importlib.import_module("reticent.data.load")  # the package's attribute of that name is the function
fetching = importlib.import_module("reticent.data.fetch")

# name, split, shape, rows of each class
SHAPES: list[tuple[str, str, tuple[int, ...], list[int]]] = [
    ("diabetes", "train", (442, 10), [221, 221]),
    ("breast_cancer", "train", (569, 30), [212, 357]),
    ("digits", "train", (1797, 64), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
    ("wine", "train", (178, 13), [59, 71, 48]),
    ("fashion-mnist", "train", (60_000, 1, 28, 28), [6_000] * 10),
    ("fashion-mnist", "test", (10_000, 1, 28, 28), [1_000] * 10),
    ("mnist5k", "train", (5_000, 1, 28, 28), [500] * 10),
    ("orl-faces", "train", (300, 1, 112, 92), [10] * 30),
    ("adult", "train", (45_222, 104), [34_014, 11_208]),
    ("credit-default", "train", (30_000, 32), [23_364, 6_636]),
    ("german-credit", "train", (1_000, 59), [700, 300]),
    ("law-school", "train", (21_791, 13), [2_431, 19_360]),
    ("nursery", "train", (12_960, 24), [4_320, 4_266, 2, 4_044, 328]),
]
BUNDLED = [case for case in SHAPES if entry(case[0]).source is Source.SKLEARN]
FETCHED = [case for case in SHAPES if entry(case[0]).source is not Source.SKLEARN]


def check(name: str, split: str, shape: tuple[int, ...], counts: list[int]) -> None:
    records = load(name, split=split)
    assert records.features.shape == shape
    assert records.features.dtype == np.float32
    assert np.bincount(records.labels).tolist() == counts
    assert (records.name, records.unit, records.classes) == (name, entry(name).unit, len(counts))
    if len(shape) == 2:
        assert records.feature_names is not None
        assert len(set(records.feature_names)) == shape[1]
    else:
        assert 0 <= records.features.min() < 0.1
        assert 0.9 < records.features.max() <= 1


@pytest.mark.parametrize(("name", "split", "shape", "counts"), BUNDLED)
def test_bundled_sets(name: str, split: str, shape: tuple[int, ...], counts: list[int]) -> None:
    check(name, split, shape, counts)
    assert load(name).digest() == load(name).digest()


@pytest.mark.slow
@pytest.mark.fetched
@pytest.mark.parametrize(("name", "split", "shape", "counts"), FETCHED)
def test_fetched_sets(name: str, split: str, shape: tuple[int, ...], counts: list[int]) -> None:
    try:
        fetching.fetched(entry(name))
    except FetchError:
        pytest.skip(f"the data set {name} is not in the cache; run: reticent data fetch {name}")
    check(name, split, shape, counts)


@pytest.mark.fetched
def test_all_faces_are_whole() -> None:
    try:
        faces = load("orl-faces")
    except FetchError:
        pytest.skip("the data set orl-faces is not in the cache; run: reticent data fetch orl-faces")
    assert faces.owners is not None
    assert faces.owners[0] == "s1"
    assert faces.owners[-1] == "s30"
    # a picture whose rows are shifted is far rougher between rows than between columns
    rows, columns = (np.abs(np.diff(faces.features[:, 0], axis=axis)).mean(axis=(1, 2)) for axis in (1, 2))
    assert (rows < 1.5 * columns).all()


def test_every_task_is_covered_and_named() -> None:
    assert {case[0] for case in SHAPES} == set(module.names(task_only=True))
    assert module.names() == tuple(one.name for one in entries())


def test_diabetes_is_scaled_by_constants_and_labelled_at_its_median() -> None:
    raw = importlib.import_module("sklearn.datasets").load_diabetes(scaled=False)
    patients = load("diabetes")
    assert (patients.labels == (raw.target > np.median(raw.target))).all()
    # affine in the raw values, column by column, with constants that no patient changes
    for column in range(10):
        slope, shift = np.polyfit(raw.data[:, column], patients.features[:, column], 1)
        assert np.allclose(patients.features[:, column], slope * raw.data[:, column] + shift, atol=1e-4)
        assert round(1 / slope, 4) == round(1 / slope, 1)
    assert "fixed round numbers" in patients.public_facts[0]
    assert "above 140" in patients.public_facts[1]
    assert load("digits").public_facts == ()


@pytest.mark.parametrize("name", ["warfarin", "shakespeare", "smollm2"])
def test_other_sets_give_the_command_for_their_folder(name: str) -> None:
    with pytest.raises(UsageError, match=f"reticent data fetch {name}"):
        load(name)


@pytest.mark.parametrize("name", [case[0] for case in FETCHED])
def test_a_set_that_was_not_fetched_gives_the_command(tmp_path: Path, name: str) -> None:
    with pytest.raises(FetchError, match=f"Run: reticent data fetch {name}"):
        load(name, cache=tmp_path)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data" / entry("german-credit").folder
    folder.mkdir(parents=True)
    (folder / "german.csv").write_text("credit-label\n1\n")
    with pytest.raises(IntegrityError, match=r"german\.csv"):
        load("german-credit", cache=tmp_path)


def test_wrong_names_and_splits() -> None:
    with pytest.raises(UsageError, match="Did you mean 'wine'"):
        load("wines")
    with pytest.raises(UsageError, match="Did you mean 'test'"):
        load("wine", split="tests")
    with pytest.raises(UsageError, match="comes in one piece"):
        load("wine", split="test")


def test_missing_sklearn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtra, match=r"reticent\[lab\]"):
        load("wine")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for every fetched set."""
    monkeypatch.setattr(module, "fetched", lambda found, cache: tmp_path)
    return tmp_path


def zipped(path: Path, *texts: str) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        for place, text in enumerate(texts):
            opened.writestr(f"{place}.csv", text)
    return path


def test_one_hot_labels_and_dropped_columns(folder: Path) -> None:
    zipped(folder / "law.csv.zip", "LSAT,PF_0,Sex,PF_1\n1.5,0,1,1\n2.5,1,0,0\n")
    law = load("law-school")
    assert (law.features.tolist(), law.labels.tolist()) == ([[1.5, 1], [2.5, 0]], [1, 0])
    assert (law.feature_names, law.unit) == (("LSAT", "Sex"), Unit.PERSON)
    (folder / "UCI_Credit_Card.csv").write_text("ID,AGE,default-payment-next-month\n1,30,0\n2,40,1\n")
    credit = load("credit-default")
    assert (credit.features.tolist(), credit.labels.tolist()) == ([[30], [40]], [0, 1])
    zipped(folder / "law.csv.zip", "LSAT,PF_0,Sex,PF_1\n1.5,1,1,1\n2.5,1,0,0\n")
    with pytest.raises(DataError, match="one label in each row"):
        load("law-school")


def idx(values: np.ndarray[Any, Any]) -> bytes:
    codes = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
    head = bytes([0, 0, codes[values.dtype.str[1:]], values.ndim]) + np.array(values.shape, ">u4").tobytes()
    return head + values.astype(values.dtype.newbyteorder(">")).tobytes()


def test_images_have_a_channel_and_lie_between_0_and_1(folder: Path) -> None:
    for part, rows in (("train", 4), ("t10k", 2)):
        pixels = np.full((rows, 28, 28), 255, np.uint8)
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels)))
        labels = np.arange(rows, dtype=np.uint8)
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    assert load("fashion-mnist").features.shape == (4, 1, 28, 28)
    assert load("fashion-mnist", split="test").features.shape == (2, 1, 28, 28)
    assert load("fashion-mnist").features.max() == 1
    row = ",".join(["255"] * 784)
    (folder / "mnist_5k.csv.gz").write_bytes(gzip.compress(f"{row},0\n{row},7\n".encode()))
    assert load("mnist5k").features.shape == (2, 1, 28, 28)
    assert load("mnist5k").labels.tolist() == [0, 7]


def test_faces_of_thirty_people_with_their_owners(folder: Path) -> None:
    for person in range(1, 41):
        (folder / f"s{person}").mkdir()
        for picture in range(1, 11):
            (folder / f"s{person}" / f"{picture}.pgm").write_bytes(b"P5\n3 2\n255\n" + bytes([person] * 6))
    faces = load("orl-faces")
    assert faces.features.shape == (300, 1, 2, 3)
    assert (faces.features[:, 0, 0, 0] * 255).round().astype(int).tolist() == (faces.labels + 1).tolist()
    assert faces.owners is not None
    assert faces.owners.tolist() == [f"s{label + 1}" for label in faces.labels]
    assert faces.unit is Unit.PERSON


@settings(deadline=None)
@given(
    values=st.sampled_from(["u1", "i1", "i2", "i4", "f4", "f8"]).flatmap(
        lambda kind: arrays.arrays(kind, arrays.array_shapes(max_dims=4, max_side=4))
    ),
    packed=st.booleans(),
)
def test_idx_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, values: np.ndarray[Any, Any], packed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / ("x-ubyte.gz" if packed else "x-ubyte")
    path.write_bytes(gzip.compress(idx(values)) if packed else idx(values))
    read = read_idx(path)
    assert read.dtype == values.dtype
    np.testing.assert_array_equal(read, values)


@settings(deadline=None)
@given(image=arrays.arrays(np.uint8, (5, 4)))
def test_converted_line_ends_are_undone(tmp_path_factory: pytest.TempPathFactory, image: np.ndarray[Any, Any]) -> None:
    raw = b"P5\n4 5\n255\n" + image.tobytes().replace(b"\r\n", b"\r\r")
    path = tmp_path_factory.getbasetemp() / "x.pgm"
    path.write_bytes(raw)
    whole = read_pgm(path)
    path.write_bytes(raw.replace(b"\n", b"\r\n"))
    np.testing.assert_array_equal(read_pgm(path), whole)


def test_the_pair_13_10_of_a_picture_is_found_again(tmp_path: Path) -> None:
    image = np.repeat(np.array([[200, 12, 12, 90, 10, 150, 10, 60]], np.uint8), 6, axis=0)
    image[3, 1:3] = (13, 10)  # the conversion leaves this pair alone, and undoing it takes the 13 away
    raw = b"P5\r\n8 6\r\n255\r\n" + re.sub(rb"(?<!\r)\n", b"\r\n", image.tobytes())
    (tmp_path / "x.pgm").write_bytes(raw)
    np.testing.assert_array_equal(read_pgm(tmp_path / "x.pgm"), image)


@pytest.mark.parametrize(
    ("reader", "name", "content"),
    [
        (read_idx, "x", b"\0\0\7\1\0\0\0\1x"),
        (read_idx, "x", b""),
        (read_idx, "x", idx(np.zeros((2, 2), np.uint8))[:-1]),
        (read_idx, "x", b"\0\0\10\2\0\0\0\1"),
        (read_idx, "x.gz", b"not gzip"),
        (read_pgm, "x.pgm", b"P2\n1 1\n255\n0"),
        (read_pgm, "x.pgm", b"P5\n2 2\n255\n0"),
        (read_pgm, "x.pgm", b"P5\r\n2 1\r\n255\r\n0"),
        (read_pgm, "x.pgm", b"P5"),
        (read_table, "x.csv", b"a,b\n1,2,3\n"),
        (read_table, "x.csv", b"a,b\n1,two\n"),
        (read_table, "x.csv.zip", b"not zip"),
        (read_grid, "x.csv.gz", gzip.compress(b"1,2\n3\n", mtime=0)),
    ],
)
def test_broken_files_are_named(tmp_path: Path, reader: Any, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"Expected .*{name}"):
        reader(tmp_path / name)


def test_a_zip_holds_one_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds 2 files"):
        read_table(zipped(tmp_path / "x.csv.zip", "a\n1\n", "a\n1\n"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent"):
        read_table(tmp_path / "absent.csv")
