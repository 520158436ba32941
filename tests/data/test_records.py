"""Records: what they refuse, and what stays the same when they are chosen from, joined and named."""

from __future__ import annotations

import copy
import hashlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from reticent.data import Records
from reticent.errors import DataError, UsageError
from reticent.privacy.units import Unit

FINITE = st.floats(-1e6, 1e6, width=32)


@st.composite
def some_records(draw: st.DrawFn, columns: int | None = None, owned: bool | None = None) -> Records:
    n = draw(st.integers(1, 12))
    width = columns or draw(st.integers(1, 4))
    features = draw(arrays.arrays(np.float32, (n, width), elements=FINITE))
    labels = draw(arrays.arrays(np.int64, n, elements=st.integers(0, 3)))
    with_owners = draw(st.booleans()) if owned is None else owned
    owners = draw(arrays.arrays(np.int64, n, elements=st.integers(0, 3))) if with_owners else None
    return Records(features, labels, classes=4, unit=Unit.PERSON, owners=owners, public_facts=["all were scaled by 2"])


def same(a: Records, b: Records) -> bool:
    owners = [None if one.owners is None else one.owners.tolist() for one in (a, b)]
    rest = ("classes", "name", "unit", "feature_names", "public_facts")
    kept = all(getattr(a, name) == getattr(b, name) for name in rest)
    return a.digest() == b.digest() and owners[0] == owners[1] and kept


@pytest.mark.parametrize(
    ("features", "labels", "says"),
    [
        ([1.0, 2.0], [0, 1], "one row per record"),
        (3.0, [0], "one row per record"),
        ([], [], "one row per record"),
        (np.zeros((2, 0)), [0, 1], "at least one column"),
        (np.zeros((2, 3, 0)), [0, 1], "at least one column"),
        ([[1.0], [2.0]], [[1, 0], [0, 1]], r"labels of shape \(n,\)"),
        ([[1.0], [2.0]], 1, r"labels of shape \(n,\)"),
        ([[1.0], [2.0]], [0, 1, 1], "2 records and 3 labels"),
        (np.zeros((0, 2)), [], "at least one record"),
        ([[1.0], [2.0, 3.0]], [0, 1], "different lengths"),
        ([["a"], ["b"]], [0, 1], "Expected numbers in features"),
        ([[1.0], [2.0]], ["yes", "no"], "Expected numbers in labels"),
        (np.array([[1.0], [None]], dtype=object), [0, 1], "Expected numbers in features, got object"),
        ([[1j], [2]], [0, 1], "got complex"),
        (np.array([["2020-01-01"]], dtype="datetime64[D]"), [0], "Expected numbers"),
        ([[1.0], [float("nan")]], [0, 1], r"in 1 of 2 records \(first at row 1\)"),
        ([[float("inf")], [-float("inf")]], [0, 1], "in 2 of 2 records"),
        (np.array([[2**63]], dtype=np.uint64), [0], r"below 2\*\*63 in features"),
        ([[1.0], [2.0]], [0.5, 1], "Expected whole numbers"),
        ([[1.0], [2.0]], [float("nan"), 1], "Expected whole numbers"),
        ([[1.0], [2.0]], [float("inf"), 1], "Expected whole numbers"),
        ([[1.0], [2.0]], [1e300, 1], r"below 2\*\*63 in labels"),
        ([[1.0], [2.0]], [-1e300, 1], r"below 2\*\*63 in labels"),
        ([[1.0], [2.0]], np.array([2**64 - 1, 1], dtype=np.uint64), r"below 2\*\*63 in labels"),
        ([[1.0], [2.0]], [-1, 1], "labels from 0 or more, got labels from -1 to 1"),
    ],
)
def test_what_is_refused(features: Any, labels: Any, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        Records(features, labels)
    assert caught.value.remedy


@pytest.mark.skipif(
    bool(np.finfo(np.longdouble).max <= np.finfo(np.float64).max), reason="no wider floats on this machine"
)
def test_wide_numbers_that_do_not_fit_are_refused_without_a_warning() -> None:
    with pytest.raises(DataError, match="NaN or infinity in 1 of 2"):
        Records(np.array([[1.0], [1e300]], dtype=np.longdouble), [0, 1])


@pytest.mark.parametrize(
    ("more", "kind", "says"),
    [
        ({"classes": 1}, UsageError, "classes >= 2"),
        ({"classes": 2.5}, UsageError, "whole number classes"),
        ({"classes": True}, UsageError, "whole number classes"),
        ({"classes": 2, "labels": [0, 2]}, DataError, "labels from 0 to 1, got labels from 0 to 2"),
        ({"unit": "person"}, UsageError, "Unit.PERSON"),
        ({"owners": ["a"]}, DataError, "one owner per record"),
        ({"owners": [["a"], ["b"]]}, DataError, "one owner per record"),
        ({"owners": "a"}, DataError, "one owner per record"),
        ({"feature_names": ["a"]}, DataError, "1 names for features"),
        ({"feature_names": ["a", "b"], "features": np.zeros((2, 1, 2))}, DataError, "none for images"),
    ],
)
def test_what_is_refused_around_them(more: dict[str, Any], kind: type[Exception], says: str) -> None:
    arguments = {"features": [[1.0, 2.0], [3.0, 4.0]], "labels": [0, 1], **more}
    with pytest.raises(kind, match=says):
        Records(**arguments)


@pytest.mark.parametrize(
    ("given_type", "kept_type"),
    [
        ("f2", "f4"),
        ("f4", "f4"),
        (">f4", "f4"),
        ("f8", "f8"),
        (">f8", "f8"),
        ("i1", "i8"),
        ("u4", "i8"),
        ("i8", "i8"),
        ("?", "f4"),
    ],
)
def test_types(given_type: str, kept_type: str) -> None:
    records = Records(np.ones((2, 3), dtype=given_type), np.array([0, 1], dtype=np.uint8))
    assert records.features.dtype == np.dtype(kept_type)
    assert records.features.dtype.isnative
    assert records.labels.dtype == np.int64
    assert (records.features == 1).all()


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64])
def test_changing_the_callers_arrays_changes_nothing(kind: type[np.generic]) -> None:
    x, y, owners = np.ones((2, 2), kind), np.array([0, 1]), np.array([7, 8])
    records = Records(x, y, owners=owners)
    before = records.digest()
    x[:], y[:], owners[:] = 5, 0, 9
    assert records.digest() == before
    assert records.owners is not None
    assert records.owners.tolist() == [7, 8]


def test_labels_may_be_whole_floats_or_booleans() -> None:
    assert Records([[1], [2]], [0.0, 2.0]).labels.tolist() == [0, 2]
    assert Records([[1], [2]], [True, False]).labels.tolist() == [1, 0]


def test_number_of_classes() -> None:
    assert Records([[1.0]], [0]).classes == 2
    assert Records([[1.0]], [4]).classes == 5
    seven: Any = np.int64(7)
    assert Records([[1.0]], [0], classes=seven).classes == 7


def test_repr_shows_sizes_and_no_value() -> None:
    records = Records([[123.456, 9.0]], [1], name="toy", owners=["Ada"], unit=Unit.PERSON, feature_names=["x", "y"])
    assert repr(records) == "Records(toy: 1 records, features (2,), 2 classes, unit person)"


class Tensor:
    """What Records asks of a torch tensor."""

    def __init__(self, values: Any, known: bool = True) -> None:
        self.values, self.known, self.dtype = np.asarray(values), known, "torch.bfloat16"

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> Any:
        if not self.known:
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.values


def test_tensors_without_importing_torch() -> None:
    pair = (Tensor([[1.0], [2.0]]), Tensor([0, 1]))
    assert len(Records.of(SimpleNamespace(tensors=pair))) == 2
    with pytest.raises(DataError, match=r"bfloat16.*\.float\(\)"):
        Records(Tensor([[1.0], [2.0]], known=False), [0, 1])


def test_real_tensors() -> None:
    torch = pytest.importorskip("torch")
    x, y = torch.ones(2, 3, requires_grad=True), torch.tensor([0, 1])
    records = Records.of(torch.utils.data.TensorDataset(x, y))
    assert (records.features.shape, records.labels.tolist()) == ((2, 3), [0, 1])
    with pytest.raises(DataError, match="bfloat16"):
        Records(x.to(torch.bfloat16), y)


def test_of() -> None:
    records = Records([[1.0], [2.0]], [0, 1])
    assert Records.of(records) is records
    assert Records.of(([[1.0], [2.0]], [0, 1]), name="pair").name == "pair"
    assert Records.of([[[1.0], [2.0]], [0, 1]]).labels.tolist() == [0, 1]
    for wrong in (None, "ab", ([[1.0]],), np.zeros((3, 2)), SimpleNamespace(tensors=(1, 2, 3))):
        with pytest.raises(DataError, match="pair"):
            Records.of(wrong)


@settings(deadline=None)
@given(records=some_records(), data=st.data())
def test_take_chooses_rows_and_keeps_the_rest(records: Records, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(-len(records), len(records) - 1), max_size=20))
    taken = records.take(rows)
    assert len(taken) == len(rows)
    assert taken.features.shape[1:] == records.features.shape[1:]
    for place, row in enumerate(rows):
        assert np.array_equal(taken.features[place], records.features[row])
        assert taken.labels[place] == records.labels[row]
        assert taken.owners is None or taken.owners[place] == records.owners[row]  # type: ignore[index]
    assert (taken.classes, taken.name, taken.unit) == (records.classes, records.name, records.unit)


@settings(deadline=None)
@given(records=some_records(), data=st.data())
def test_a_mask_is_the_same_as_its_rows(records: Records, data: st.DataObject) -> None:
    mask = data.draw(arrays.arrays(np.bool_, len(records)))
    assert same(records.take(mask), records.take(np.flatnonzero(mask)))
    assert same(records.take(np.arange(len(records))), records)


@pytest.mark.parametrize(
    "rows", [0, [[0]], [0.0], ["a"], [True], np.zeros((2, 2), bool), [2], [-3], [10**12], None, np.array([None])]
)
def test_rows_that_cannot_be_taken(rows: Any) -> None:
    with pytest.raises(DataError, match="Expected row"):
        Records([[1.0], [2.0]], [0, 1]).take(rows)


def test_nothing_can_be_taken_but_not_trained_on() -> None:
    nothing = Records([[1.0], [2.0]], [0, 1]).take([])
    assert len(nothing) == 0
    assert nothing.take([]).features.shape == (0, 1)
    with pytest.raises(DataError, match="there are no records"):
        nothing.require_two_classes()


@settings(deadline=None)
@given(records=some_records(), data=st.data())
def test_cutting_and_joining_gives_the_same_records(records: Records, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(records)))
    first, second = records.take(range(cut)), records.take(range(cut, len(records)))
    assert same(first.joined(second), records)


@settings(deadline=None)
@given(a=some_records(columns=2, owned=True), b=some_records(columns=2, owned=True))
def test_joined_follows_and_keeps_owners(a: Records, b: Records) -> None:
    both = a.joined(b)
    assert len(both) == len(a) + len(b)
    assert same(both.take(range(len(a))), a)
    assert same(both.take(range(len(a), len(both))), b)


def test_joined_takes_the_larger_number_of_classes_and_all_public_facts() -> None:
    both = Records([[1.0]], [0], public_facts=["a", "b"]).joined(Records([[1.0]], [5], public_facts=["b", "c"]))
    assert both.classes == 6
    assert both.public_facts == ("a", "b", "c")


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"features": [[1.0]]}, "one shape"),
        ({"features": [[1, 2]]}, "one type"),
        ({"unit": Unit.EXAMPLE}, "one unit"),
        ({"feature_names": ("b", "a")}, "one list of columns"),
        ({"feature_names": None}, "one list of columns"),
        ({"owners": None}, "one kind of owners"),
        ({"owners": [3]}, "one kind of owners"),
    ],
)
def test_what_cannot_be_joined(other: dict[str, Any], says: str) -> None:
    mine: dict[str, Any] = {
        "features": [[1.0, 2.0]],
        "labels": [0],
        "unit": Unit.PERSON,
        "owners": ["Ada"],
        "feature_names": ("a", "b"),
    }
    if "features" in other and len(other["features"][0]) == 1:
        other = {**other, "feature_names": ("a",)}
    with pytest.raises(DataError, match=says):
        Records(**mine).joined(Records(**{**mine, **other}))


def test_two_classes() -> None:
    both = Records([[1.0], [2.0]], [0, 1])
    assert both.require_two_classes() is both
    with pytest.raises(DataError, match="all 2 labels are 1"):
        Records([[1.0], [2.0]], [1, 1]).require_two_classes()


@settings(deadline=None)
@given(records=some_records(), data=st.data())
def test_digest_depends_on_every_value_and_on_the_order(records: Records, data: st.DataObject) -> None:
    digest = records.digest()
    assert digest == Records(records.features, records.labels).digest()
    row = data.draw(st.integers(0, len(records) - 1))
    features, labels = records.features.copy(), records.labels.copy()
    features[row, 0] += 1 + abs(features[row, 0])
    assert Records(features, labels).digest() != digest
    labels[row] = (labels[row] + 1) % 4
    assert Records(records.features, labels).digest() != digest
    backwards = records.take(range(len(records) - 1, -1, -1))
    unchanged = np.array_equal(backwards.features, records.features) and np.array_equal(
        backwards.labels, records.labels
    )
    assert (backwards.digest() == digest) == unchanged or np.signbit(records.features).any()


def test_digest_is_that_of_types_shapes_and_bytes() -> None:
    wide, tall = Records(np.zeros((1, 4)), [0]), Records(np.zeros((1, 2, 2)), [0])
    assert wide.digest() != tall.digest() != Records(np.zeros((1, 4), np.float32), [0]).digest()
    parts = b"<f8(1, 4)" + bytes(32) + b"<i8(1,)" + bytes(8)
    assert wide.digest() == hashlib.sha256(parts).hexdigest()
    everything = Records(np.arange(24.0).reshape(4, 6), [0, 1, 0, 1])
    view = everything.take([0, 1])
    view.features = np.asfortranarray(view.features)  # another order in memory, the same numbers
    assert view.digest() == everything.take([0, 1]).digest()


def test_records_can_be_copied_whole() -> None:
    records = Records([[1.0], [2.0]], [0, 1], owners=["a", "b"], unit=Unit.CLIENT, feature_names=["x"])
    assert same(copy.deepcopy(records), records)


def test_rows_with_owners_are_peoples() -> None:
    assert Records([[1.0], [2.0]], [0, 1], owners=["a", "a"]).unit is Unit.PERSON
    assert Records([[1.0], [2.0]], [0, 1]).unit is Unit.EXAMPLE
    assert Records([[1.0], [2.0]], [0, 1], owners=["a", "a"], unit=Unit.CLIENT).unit is Unit.CLIENT


def test_classes_may_have_words_and_keep_them() -> None:
    records = Records(np.eye(4), [0, 1, 0, 1], class_names=["<=50K", ">50K"])
    assert records.classes_of_rows.tolist() == ["<=50K", ">50K", "<=50K", ">50K"]
    for same in (records.take([0, 1]), records.scaled(), records.joined(records)):
        assert same.class_names == ("<=50K", ">50K")
    assert Records(np.eye(4), [0, 1, 0, 1]).classes_of_rows.tolist() == [0, 1, 0, 1]
    assert Records(np.eye(2), [0, 0], class_names=["a", "b", "c"]).classes == 3
    assert copy.deepcopy(records).class_names == records.class_names
    plain = Records(np.eye(4), [0, 1, 2, 1])
    assert records.joined(records.__class__(np.eye(4), [0, 1, 0, 1])).class_names == ("<=50K", ">50K")
    assert records.joined(plain).class_names is None  # a class without a word
    with pytest.raises(DataError, match="one list of classes"):
        records.joined(Records(np.eye(4), [0, 1, 0, 1], class_names=["no", "yes"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_names": ["a", "a"]}, "two or more different words"),
        ({"class_names": "ab"}, "two or more different words"),
        ({"class_names": ["a", "b"], "classes": 3}, "one word for each of 3 classes"),
        ({"class_names": ["a", "b"]}, "labels from 0 to 1, got labels from 0 to 2"),
    ],
)
def test_words_that_do_not_fit_the_classes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Records(np.eye(3), [0, 1, 2], **options)


def test_labels_as_words_are_refused_with_the_way_to_keep_them() -> None:
    with pytest.raises(DataError, match=r"class_names=encoder\.classes_"):
        Records(np.eye(2), ["no", "yes"])
