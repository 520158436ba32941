"""Fleets: one set of answers, looked at under every exposure."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.errors import UsageError
from reticent.models import Exposure, Fleet, Signals

DRAW = np.random.default_rng(6)
LOGITS = DRAW.normal(size=(5, 8, 3))
ANSWERS = LOGITS - np.log(np.exp(LOGITS).sum(axis=2, keepdims=True))
LABELS = DRAW.integers(0, 3, 8)
MEMBERSHIP = DRAW.random((5, 8)) < 0.5


def test_an_exposure_is_a_view_of_the_answers():
    fleet = Fleet.of(ANSWERS, LABELS, MEMBERSHIP)
    for exposure in Exposure:
        seen = fleet.under(exposure)
        assert np.array_equal(seen.scores, Signals.of(ANSWERS, LABELS, exposure).odds)
        assert np.array_equal(seen.correct, fleet.correct)
        assert np.array_equal(seen.under(Exposure.LOGITS).scores, fleet.scores)


def test_some_of_the_models():
    fleet = Fleet.of(ANSWERS, LABELS, MEMBERSHIP)
    some = fleet.take([3, 1])
    assert len(some) == 2
    assert np.array_equal(some.scores, fleet.scores[[3, 1]])
    assert np.array_equal(some.membership, MEMBERSHIP[[3, 1]])
    assert np.array_equal(some.under(Exposure.LABEL).scores, fleet.under(Exposure.LABEL).scores[[3, 1]])


def test_what_is_refused():
    signals = Signals.of(ANSWERS, LABELS, Exposure.LOGITS)
    with pytest.raises(UsageError, match="kept its answers"):
        Fleet(signals, MEMBERSHIP).under(Exposure.LABEL)
    with pytest.raises(UsageError, match="True and False"):
        Fleet(signals, MEMBERSHIP.astype(int))
    with pytest.raises(UsageError, match="shape"):
        Fleet(signals, MEMBERSHIP[:4])
