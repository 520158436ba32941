"""The S-curve, the choice of bands, and pairs against all pairs by loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.duplicates import bands as module
from reticent.data.duplicates.bands import NEIGHBOURS, Bands, few_enough, pairs_of
from reticent.errors import DataError, UsageError


@settings(deadline=None)
@given(st.floats(0.5, 0.99), st.floats(0.5, 0.999))
def test_the_choice_keeps_the_recall_that_was_asked_for(near: float, recall: float) -> None:
    chosen = Bands.chosen(near, far=near / 4, recall=recall)
    assert chosen.chance(near) >= recall - 1e-12
    if chosen.bands > 1:
        assert Bands(chosen.bands - 1, chosen.rows).chance(near) < recall  # no band is too many


def test_a_far_pair_too_near_is_refused() -> None:
    with pytest.raises(UsageError, match="far < near"):
        Bands.chosen(0.5, far=0.5, recall=0.9)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=2), min_size=1, max_size=20))
def test_pairs_are_those_that_agree_in_a_band(keys: list[list[int]]) -> None:
    found = pairs_of(np.array(keys, np.uint64))
    wanted = [
        (one, other)
        for one, other in itertools.combinations(range(len(keys)), 2)
        if any(a == b for a, b in zip(keys[one], keys[other], strict=True))
    ]
    assert [tuple(pair) for pair in found.pairs.tolist()] == wanted
    assert found.crowded == 0


def test_a_full_bucket_stays_connected_and_is_counted() -> None:
    rows = 4 * NEIGHBOURS
    found = pairs_of(np.zeros((rows, 1), np.uint64))
    assert found.crowded == rows
    assert len(found.pairs) <= NEIGHBOURS * rows
    assert {(row, row + 1) for row in range(rows - 1)} <= {tuple(pair) for pair in found.pairs.tolist()}


def test_one_row_has_no_pairs() -> None:
    assert pairs_of(np.zeros((1, 3), np.uint64)).pairs.shape == (0, 2)


def test_too_many_pairs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 5)
    with pytest.raises(DataError, match="at most 5 pairs"):
        pairs_of(np.zeros((10, 1), np.uint64))
    few_enough(5)
