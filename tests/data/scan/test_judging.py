"""Luck is told from identifiers, and rivals are left out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from benchmarks._identifiers import digits, numbers

from reticent.data.scan import scan
from reticent.data.scan.judging import by_luck, excess, share_of


def test_luck_by_hand() -> None:
    expected = sum(math.comb(12, k) * 0.1**k * 0.9 ** (12 - k) for k in range(3, 13))
    assert by_luck(3, 12, 0.1) == pytest.approx(expected)
    assert by_luck(0, 12, 0.1) == 1
    assert excess(0, 0, 0.1) == 0


def test_random_numbers_are_luck_and_cards_among_them_are_not() -> None:
    """Sixteen digits pass Luhn one time in ten; 5 % of cards among such numbers of cards' ranges are seen."""
    rng = np.random.default_rng(5)
    random = ["4" + one for one in digits(2000, 15, rng)]
    assert not scan({"c": random}).direct
    cards = numbers("payment card number", 400, rng)
    found = scan({"c": [*random[:1600], *cards]}).direct
    assert [(one.kind, one.confidence) for one in found] == [("payment card number", "checksum")]
    assert found[0].cells - found[0].by_luck == pytest.approx(400, abs=80)


def test_too_few_to_tell_is_said() -> None:
    rng = np.random.default_rng(6)
    found = scan({"c": [*numbers("payment card number", 2, rng), "open", "closed"]})
    assert found.direct == ()
    assert [(one.kind, one.candidates, one.passed) for one in found.unclear] == [("payment card number", 2, 2)]
    assert [one.kind for one in scan({"c": numbers("payment card number", 5, rng)}).direct] == ["payment card number"]


def test_one_lucky_number_in_many_rows_is_one_number() -> None:
    found = scan({"c": ["4111111111111111"] * 500})
    assert found.direct == ()
    assert found.unclear[0].candidates == 1


def test_with_a_hint_a_pattern_is_enough_and_the_note_says_so() -> None:
    rng = np.random.default_rng(7)
    (one,) = scan({"bsn": digits(200, 9, rng)}).direct
    assert (one.kind, one.confidence, one.cells) == ("Dutch BSN", "pattern", 200)
    assert "as luck would" in one.note


def test_a_name_alone() -> None:
    (one,) = scan({"iban": ["to come", "later"]}).direct
    assert (one.kind, one.confidence, one.first_row) == ("IBAN", "name only", None)


def test_shares_are_counted_or_have_intervals() -> None:
    counted, sampled = share_of(3, 10, sampled=False), share_of(3, 10, sampled=True)
    assert (counted.low, counted.high) == (0.3, 0.3)
    assert sampled.low < 0.1
    assert sampled.high > 0.6
