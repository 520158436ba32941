"""Exposures: their texts, and what they leave of an answer."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent.errors import UsageError
from reticent.models import Exposure, Fleet, Signals

DRAW = np.random.default_rng(7)
LABELS = DRAW.integers(0, 5, 40)
SHARES = DRAW.dirichlet(np.full(5, 0.4), size=(3, 40))


def seen(text):
    return Signals.of(np.log(SHARES), LABELS, Exposure.of(text))


@given(st.none() | st.integers(1, 15), st.none() | st.integers(1, 10**6))
def test_a_text_names_an_exposure(digits, top):
    one = Exposure("scores", digits, top)
    assert Exposure.of(one.value) == Exposure.of(one) == one
    for copied in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):  # noqa: S301
        assert copied == one
        assert hash(copied) == hash(one)


@pytest.mark.parametrize("one", ["label", "scores", "logits", "scores:1 digit", "scores:3 digits", "scores:top 2"])
@pytest.mark.parametrize(
    "other", ["label", "scores", "logits", "scores:2 digits", "scores:top 1", "scores:top 3, 2 digits"]
)
def test_what_shows_less(one, other):
    less = {"label": 0, "scores": 1, "logits": 2}
    a, b = Exposure.of(one), Exposure.of(other)
    plain = less[a.shows] < less[b.shows] or a == b
    digits = b.digits is None or (a.digits or 99) <= b.digits
    top = b.top is None or (a.top or 99) <= b.top
    assert a.within(b) == (plain or (a.shows == b.shows and digits and top))
    assert a.within(Exposure.LOGITS)
    assert Exposure.LABEL.within(a)


def test_the_named_ones():
    assert [one.value for one in Exposure] == ["label", "scores", "logits"]
    for one in Exposure:
        assert Exposure.of(one.value) is pickle.loads(pickle.dumps(one)) is copy.copy(one) is one  # noqa: S301
    assert str(Exposure.of("scores:top 2, 3 digits")) == "scores:top 2, 3 digits"
    assert repr(Exposure.SCORES) == "Exposure.of('scores')"
    texts = ("scores:1 digit", "scores:2 digits", "scores:top 1", "scores:top 1, 2 digits", "scores:top 3")
    assert len({Exposure.of(one).meaning for one in (*Exposure, *texts)}) == 8
    assert Exposure.of("scores:1 digit") == Exposure("scores", 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "labels",
        "scores:",
        "scores: 2 digits",
        "scores:2",
        "label:2 digits",
        "scores:top 1 2 digits",
        "top 1",
        None,
        3,
        *["scores:2 digits, top 1", "scores:top 1, ", "scores:, 2 digits", "scores:0 digits", "scores:top 0"],
    ],
)
def test_other_texts_are_refused(text):
    with pytest.raises(UsageError, match="Expected"):
        Exposure.of(text)


@pytest.mark.parametrize(("shows", "digits", "top"), [("logits", 2, None), ("label", None, 1), ("scores", 16, None)])
def test_what_cannot_be_restricted(shows, digits, top):
    with pytest.raises(UsageError, match="Expected digits"):
        Exposure(shows, digits, top)


@pytest.mark.parametrize("digits", [1, 2, 4])
def test_rounded_scores_by_a_loop(digits):
    found = seen(f"scores:{digits} digits")
    floor = 10.0**-digits / 4
    for m in range(3):
        for r, label in enumerate(LABELS):
            p = round(SHARES[m, r, label], digits)
            assert found.logs[m, r] == pytest.approx(math.log(max(p, floor)))
            assert found.odds[m, r] == pytest.approx(math.log(max(p, floor)) - math.log(max(1 - p, floor)))
    np.testing.assert_array_equal(found.correct, SHARES.argmax(axis=2) == LABELS)


@pytest.mark.parametrize("top", [1, 2, 4])
def test_the_best_few_by_a_loop(top):
    found = seen(f"scores:top {top}")
    for m in range(3):
        for r, label in enumerate(LABELS):
            best = sorted(range(5), key=lambda c: -SHARES[m, r, c])[:top]
            rest = 1 - sum(SHARES[m, r, c] for c in best)
            p = SHARES[m, r, label] if label in best else rest / (5 - top)
            assert found.logs[m, r] == pytest.approx(math.log(p), abs=1e-9)
            assert found.odds[m, r] == pytest.approx(math.log(p / (1 - p)), abs=1e-9)


def test_what_is_hidden_changes_nothing():
    """Two answers that look alike under an exposure give the same signals."""
    labels = np.array([2])
    for text, one, other in (
        ("scores:top 1", [0.7, 0.2, 0.1], [0.7, 0.1, 0.2]),
        ("scores:2 digits", [0.7, 0.2, 0.1], [0.701, 0.202, 0.097]),
        ("scores:top 1, 1 digits", [0.7, 0.2, 0.1], [0.74, 0.1, 0.16]),
        ("label", [0.7, 0.2, 0.1], [0.4, 0.3, 0.3]),
    ):
        first, second = (Signals.of(np.log([[p]]), labels, Exposure.of(text)) for p in (one, other))
        assert first.odds == pytest.approx(second.odds)
        assert first.logs == pytest.approx(second.logs)
        rest = Signals.of(np.log([[one]]), labels, Exposure.SCORES).odds
        assert rest != pytest.approx(Signals.of(np.log([[other]]), labels, Exposure.SCORES).odds)


def test_restrictions_that_restrict_nothing():
    for text in ("scores:15 digits", "scores:top 5"):
        np.testing.assert_allclose(seen(text).odds, seen("scores").odds, rtol=1e-6)
    sure = np.array([[[-1e-30, -70.0, -80.0]]])
    for text in ("scores", "scores:top 3", "scores:top 4"):
        assert Signals.of(sure, np.array([0]), Exposure.of(text)).odds[0, 0] == pytest.approx(70, abs=0.01)
    assert Signals.of(sure, np.array([0]), Exposure.of("scores:top 2")).odds[0, 0] < 40


def test_certain_answers_stay_finite():
    sure = np.log([[[1.0, 1e-300], [1e-300, 1.0]]])
    for text in ("scores:2 digits", "scores:top 1", "scores:top 1, 3 digits"):
        found = Signals.of(sure, np.array([0, 0]), Exposure.of(text)).odds[0]
        assert found[0] == pytest.approx(-found[1], rel=1e-3)
        assert 5 < found[0] < 40


def test_fleets_under_restrictions():
    fleet = Fleet.of(np.log(SHARES), LABELS, DRAW.random((3, 40)) < 0.5)
    np.testing.assert_array_equal(fleet.under(Exposure.of("scores:top 2")).scores, seen("scores:top 2").odds)
