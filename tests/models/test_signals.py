"""Signals: log-odds at any confidence, and no more than the exposure shows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from reticent.errors import UsageError
from reticent.models import Exposure, Signals

DRAW = np.random.default_rng(5)
LABELS = DRAW.integers(0, 3, 7)


def answers(logits):
    """(models, records, classes) log-probabilities."""
    return logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))


ANSWERS = answers(2 * DRAW.normal(size=(4, 7, 3)))


@pytest.mark.parametrize("exposure", list(Exposure))
def test_each_number_by_a_loop(exposure):
    shown = Signals.of(ANSWERS, LABELS, exposure)
    for m in range(4):
        for r, label in enumerate(LABELS):
            p = math.exp(ANSWERS[m, r, label])
            right = all(ANSWERS[m, r, label] >= other for other in ANSWERS[m, r])
            assert shown.correct[m, r] == right
            odds, log = (
                (math.log(p / (1 - p)), math.log(p)) if exposure is not Exposure.LABEL else (2 * right - 1, right - 1)
            )
            assert shown.odds[m, r] == pytest.approx(odds, abs=1e-12)
            assert shown.logs[m, r] == pytest.approx(log, abs=1e-12)


@given(st.floats(-300, 300), st.sampled_from([np.float32, np.float64]))
def test_log_odds_keep_their_digits_where_probabilities_are_one(gap, dtype):
    with mp.workdps(400):
        rest = mp.log(2 * mp.exp(-mpf(gap)))
        logs = np.array(
            [[[-mp.log(1 + 2 * mp.exp(-mpf(gap))), *[-mpf(gap) - mp.log(1 + 2 * mp.exp(-mpf(gap)))] * 2]]], dtype=dtype
        )
    shown = Signals.of(logs, np.array([0]), Exposure.LOGITS)
    assert shown.odds[0, 0] == pytest.approx(float(-rest), abs=1e-4 if dtype == np.float32 else 1e-10)


def test_scores_hide_what_probabilities_round_away():
    logs = np.array([[[0.0, -800.0], [-800.0, 0.0]]])
    logits, scores = (Signals.of(logs, np.array([0, 0]), one).odds[0] for one in (Exposure.LOGITS, Exposure.SCORES))
    assert logits.tolist() == [800.0, -800.0]
    assert np.abs(scores) == pytest.approx(-math.log(1e-300))


def test_parts_of_signals():
    shown = Signals.of(ANSWERS, LABELS, Exposure.LOGITS)
    assert (len(shown), shown.records) == (4, 7)
    again = Signals.stacked([shown.model(k) for k in range(4)])
    assert np.array_equal(again.odds, shown.odds)
    assert np.array_equal(again.correct, shown.correct)
    assert np.array_equal(shown.of_records(LABELS == 0).logs, shown.logs[:, LABELS == 0])


def test_what_is_refused():
    with pytest.raises(UsageError, match="answers of shape"):
        Signals.of(ANSWERS[0], LABELS, Exposure.LOGITS)
    with pytest.raises(UsageError, match="one shape"):
        Signals(np.zeros((2, 3)), np.zeros((2, 2)), np.zeros((2, 3), dtype=bool))
    with pytest.raises(UsageError, match="finite"):
        Signals(np.full((2, 3), np.nan), np.zeros((2, 3)), np.zeros((2, 3), dtype=bool))


def test_exposures_by_name():
    assert Exposure.of("scores") is Exposure.SCORES
    with pytest.raises(UsageError, match="exposure"):
        Exposure.of("everything")
