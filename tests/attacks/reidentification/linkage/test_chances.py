"""Where probabilities come from, and what is expected of links."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.attacks.reidentification.linkage.chances import Chances, chances
from reticent.attacks.reidentification.linkage.fellegi_sunter import Candidates
from reticent.attacks.reidentification.linkage.matching import probabilities
from reticent.attacks.reidentification.linkage.strangers import Strangers
from reticent.randomness import Randomness

ROWS = (400, 400)


def pairs(matches: int, strangers: bool = True) -> Candidates:
    """Some rows with their own (weight 18), and 100 families on either side (weight 12)."""
    generator = np.random.default_rng(0)
    left = np.concatenate([np.arange(matches), generator.permutation(400)[:100]])
    right = np.concatenate([np.arange(matches), generator.permutation(400)[:100]])
    factor = np.concatenate([generator.normal(18, 3, matches), generator.normal(12, 3, 100)])
    keep = np.unique(left * 400 + right, return_index=True)[1]
    sides = tuple(Strangers(np.arange(100), generator.normal(12, 3, 100), 400, 399) for _ in range(2))
    return Candidates(left[keep], right[keep], factor[keep], (), (), (), sides if strangers else ())


def found(matches: int, present: float | None = None, strangers: bool = True) -> Chances:
    known = pairs(matches, strangers)
    return chances(known, ROWS, Randomness.simulated(0), present=present, one_to_one=True)


def test_families_are_not_taken_for_people() -> None:
    """The weights alone say that a quarter of all rows is there for sure; nobody is."""
    alone, learned = found(0, strangers=False), found(0)
    assert alone.share > 0.2
    assert alone.claimed
    assert "independent" in alone.source
    assert not learned.claimed
    assert learned.share < 0.05
    assert learned.probability.max() < 0.5
    there = found(200)
    assert there.claimed
    assert there.share == pytest.approx(0.5, abs=0.06)


def test_a_share_that_is_known() -> None:
    more, less = found(200, present=0.9), found(200, present=0.1)
    assert (more.share, less.share) == (0.9, 0.1)
    assert more.probability.sum() > less.probability.sum()
    known = pairs(0)
    wanted, _ = probabilities(known.release, known.register, known.log_factor, rows=ROWS, present=0.5)
    without = found(0, present=0.5)  # no evidence, but the caller knows that half of them are there
    assert without.claimed
    assert (without.probability == wanted).all()


def test_the_band_of_right_links() -> None:
    there, known = found(200), pairs(200)
    kept = np.flatnonzero(there.probability > 0.5)
    right, low, high = there.expected(kept, known.log_factor)
    assert right == pytest.approx(there.probability[kept].sum())
    assert 0 < low < right < high <= len(kept)
    assert there.expected(kept[:0], known.log_factor) == (0, 0, 0)
    alone = found(200, strangers=False)
    right, low, high = alone.expected(kept, known.log_factor)
    spread = 2 * np.sqrt((alone.probability[kept] * (1 - alone.probability[kept])).sum())
    assert low == pytest.approx(max(0, right - spread))
