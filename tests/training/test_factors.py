"""Factors bound norms, whatever the norms are."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.privacy import Clipping
from reticent.training.factors import factors_of

norms = st.lists(st.one_of(st.floats(0.0, 1e30), st.just(float("nan")), st.just(float("inf"))), min_size=1, max_size=8)


@settings(max_examples=200, deadline=None)
@given(norms, st.floats(1e-3, 1e3), st.booleans())
def test_what_can_be_used_is_no_longer_than_its_threshold(values, threshold, normalised):
    given_ = torch.tensor(values, dtype=torch.float64)
    (factors,), usable = factors_of([given_], [threshold], Clipping(normalised=normalised))
    assert not usable[~torch.isfinite(given_)].any()
    assert (factors[usable] * given_[usable] <= threshold * (1 + 1e-12)).all()
    if not normalised:
        short = usable & (given_ <= threshold)
        assert (factors[short] >= 1.0 - 1e-15).all()


def test_one_group_that_cannot_be_used_takes_the_example_with_it():
    factors, usable = factors_of([torch.tensor([1.0, 1.0]), torch.tensor([1.0, torch.inf])], [0.5, 2.0], Clipping())
    assert usable.tolist() == [True, False]
    assert factors[0].tolist() == pytest.approx([0.5, 0.5])
