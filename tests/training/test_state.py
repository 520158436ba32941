"""States come back to the bit, whole or not at all."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.errors import IntegrityError, UsageError
from reticent.training.state import load_state, save_state

plain = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5)
tensors = st.sampled_from(
    [torch.arange(3), torch.tensor(1.5, dtype=torch.bfloat16), torch.zeros(2, 0), torch.tensor([True])]
)
trees = st.recursive(
    plain | tensors,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.integers() | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def same(one, other):
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@settings(max_examples=60, deadline=None)
@given(trees)
def test_what_is_saved_comes_back(tmp_path_factory, tree):
    path = save_state(tmp_path_factory.mktemp("s") / "a.state", tree)
    assert same(load_state(path), tree)


def test_shared_memory_and_strides_are_no_obstacle(tmp_path):
    base = torch.arange(6.0).reshape(2, 3)
    found = load_state(save_state(tmp_path / "a", {"base": base, "turned": base.T, "row": base[0]}))
    assert torch.equal(found["turned"], base.T)
    assert torch.equal(found["row"], base[0])


def test_other_values_are_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(UsageError, match="plain values in a training's state, got object"):
        save_state(tmp_path / "a", {"x": object()})
    assert list(tmp_path.iterdir()) == []


def test_missing_damaged_and_foreign_files_are_told_apart(tmp_path):
    with pytest.raises(UsageError, match="got no file"):
        load_state(tmp_path / "none")
    path = save_state(tmp_path / "a", {"x": torch.ones(100)})
    (tmp_path / "cut").write_bytes(path.read_bytes()[:-8])
    (tmp_path / "text").write_text("hello")
    from safetensors.torch import save_file

    save_file({"x": torch.ones(1)}, tmp_path / "foreign")
    for name in ("cut", "text", "foreign"):
        with pytest.raises(IntegrityError, match="Expected a training state"):
            load_state(tmp_path / name)


def test_nobody_else_may_read_it(tmp_path):
    path = save_state(tmp_path / "run.state", {"noise": torch.zeros(2)})
    assert path.stat().st_mode & 0o077 == 0
