"""Canonical JSON and whole files."""

from __future__ import annotations

import enum
import hashlib
import json
import math
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent.errors import UsageError
from reticent.evidence import canonical_json, digest, parse, write_whole

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)

# RFC 8785, sections 3.2.2 and 3.2.3, and appendix B: IEEE 754 bits and their text.
RFC_NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "becbf647612f3696": "-0.0000033333333333333333",
}


def number(bits: str) -> float:
    return float(np.frombuffer(bytes.fromhex(bits), dtype=">f8")[0])


@pytest.mark.parametrize(("bits", "text"), RFC_NUMBERS.items())
def test_numbers_of_the_rfc(bits: str, text: str) -> None:
    assert canonical_json(number(bits)) == text.encode()
    assert parse(text) == number(bits)


def test_the_document_of_the_rfc() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"\u002f",
        "literals": [None, True, False],
    }
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical_json(value) == expected.encode()


def test_keys_stand_in_the_order_of_utf_16() -> None:
    """RFC 8785, section 3.2.3: an emoji (a surrogate pair) sorts before U+FB33, unlike by code point."""
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    assert list(parse(canonical_json(dict.fromkeys(keys, 0)))) == [
        "\r",
        "1",
        "\u0080",
        "\u00f6",
        "\u20ac",
        "\U0001f600",
        "\ufb33",
    ]


@pytest.mark.slow
@given(PLAIN)
def test_bytes_parse_back_and_are_stable(value: Any) -> None:
    content = canonical_json(value)
    assert parse(content) == value
    assert canonical_json(parse(content)) == content
    assert json.loads(content.decode("utf-8"), parse_int=float) == json.loads(json.dumps(value), parse_int=float)


@given(st.dictionaries(st.text(), st.integers(0, 9), min_size=2))
def test_order_of_insertion_does_not_matter(value: dict[str, int]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical_json(turned) == canonical_json(value)
    assert digest(turned) == digest(value)


def test_equal_values_are_equal_bytes() -> None:
    assert canonical_json(1.0) == canonical_json(1) == b"1"
    assert canonical_json((1, (2,))) == canonical_json([1, [2]]) == b"[1,[2]]"
    assert canonical_json({"a": ({"b": ()},)}) == b'{"a":[{"b":[]}]}'
    assert canonical_json(np.float64(0.1)) == canonical_json(0.1)


def test_digest_is_sha_256_of_the_bytes() -> None:
    assert digest({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()


class Colour(enum.Enum):
    RED = "red"


def endless() -> list[Any]:
    inside: list[Any] = []
    inside.append(inside)
    return inside


REFUSED = [
    math.nan,
    math.inf,
    -math.inf,
    2**53,
    -(2**53),
    10**400,
    b"text",
    bytearray(b"text"),
    {1: "key"},
    {None: 0},
    {1, 2},
    1j,
    Colour.RED,
    Path("a"),
    object(),
    np.float32(0.5),
    np.int64(1),
    np.bool_(True),
    np.zeros(2),
    np.array(1.0),
    "\ud800",
    {"\ud800": 1},
    endless(),
]


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"a": [0, x]}, lambda x: (x,)], ids=["bare", "dict", "tuple"])
def test_what_json_cannot_say_is_refused(value: Any, wrap: Callable[[Any], Any]) -> None:
    with pytest.raises(
        UsageError, match=r"^Expected plain values that JSON can say exactly, got .*\. Convert"
    ) as caught:
        canonical_json(wrap(value))
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1,]",
        "{'a':1}",
        "NaN",
        "[Infinity]",
        '{"a":-Infinity}',
        b"\xff\xfe\xff",
        b'"\xff"',
        "[" * 100_000,
        "1" * 5000,
        "01",
        "nul",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_what_is_not_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(UsageError, match=r"^Expected JSON, got something else: .* Check that the file is complete\.$"):
        parse(text)


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', '[{"b":{"a":1,"b":2,"a":3}}]', '{"a":1,"\\u0061":2}'])
def test_a_key_that_stands_twice_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="Expected every key of a JSON object once, got one twice"):
        parse(text)


def test_a_number_that_is_no_float_is_not_bent() -> None:
    """2^53 + 1 is not a float; reading it as one would let two texts share a hash."""
    assert parse("9007199254740993") == 2**53 + 1
    with pytest.raises(UsageError, match="JSON can say exactly"):
        canonical_json(parse("9007199254740993"))


def test_write_whole_writes_and_replaces(tmp_path: Path) -> None:
    target = tmp_path / "record.json"
    assert write_whole(target, b"one") == target
    assert target.read_bytes() == b"one"
    assert write_whole(str(target), b"") == target
    assert target.read_bytes() == b""
    assert list(tmp_path.iterdir()) == [target]


def test_write_whole_gives_ordinary_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        mode = write_whole(tmp_path / "a", b"").stat().st_mode
        assert os.umask(0o027) == 0o027, "the mask was not put back"
    finally:
        os.umask(before)
    assert stat.S_IMODE(mode) == 0o640


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "stop"])
@pytest.mark.parametrize("existing", [None, b"old"], ids=["new", "existing"])
def test_a_failed_write_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, failure: BaseException, existing: bytes | None
) -> None:
    target = tmp_path / "record.json"
    if existing is not None:
        target.write_bytes(existing)

    def fail(handle: Any, *_: Any, **__: Any) -> None:
        if step == "fdopen":
            os.close(handle)  # as the real one does when it fails
        raise failure

    monkeypatch.setattr(os, step, fail)
    expected = UsageError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        write_whole(target, b"new")
    if isinstance(caught.value, UsageError):
        assert str(caught.value) == (
            f"Expected to write {target}, but: No space left on device. "
            "Choose a folder that exists, can be written to and has room."
        )
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == (
        [("record.json", existing)] if existing is not None else []
    )


def test_write_whole_needs_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Expected to write .*missing.*No such file or directory"):
        write_whole(tmp_path / "missing" / "a.json", b"")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(UsageError, match=r"Expected to write .*Is a directory"):
        write_whole(folder, b"")
    assert list(tmp_path.rglob("*")) == [folder]


@pytest.mark.skipif(os.name != "posix", reason="Windows cannot open folders")
def test_contents_reach_the_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened = []
    fsync, replace = os.fsync, os.replace

    def noted_sync(handle: int) -> None:
        happened.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def noted_replace(source: str, target: Path) -> None:
        assert Path(source).read_bytes() == b"content"
        happened.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "replace", noted_replace)
    write_whole(tmp_path / "a", b"content")
    assert happened == ["file", "rename", "folder"]
