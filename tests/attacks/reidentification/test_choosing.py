"""Thresholds keep the rate that they were made for, on people whom they never saw; the better method is chosen."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.attacks.reidentification import Knowledge, Likelihood, ScoreboardRH, calibrated, choose, learned, match
from reticent.data.ratings import releases, simulated_ratings
from reticent.errors import NotEnoughEvidence
from reticent.randomness import Randomness


def test_the_threshold_is_an_order_statistic() -> None:
    assert calibrated(np.arange(99.0), level=0.01) == 98
    assert calibrated(np.arange(199.0), level=0.01) == 197
    with pytest.raises(NotEnoughEvidence, match="at least 99 calibration targets"):
        calibrated(np.arange(98.0), level=0.01)


def test_new_people_exceed_it_as_often_as_was_said() -> None:
    """Continuous scores: exactly `level` on average. A threshold at the plain quantile would exceed it by a third."""
    draw = np.random.default_rng(1)
    exceeded = [
        (draw.standard_normal(200) > calibrated(draw.standard_normal(29), level=0.1)).mean() for _ in range(4000)
    ]
    # deviation of one about 0.057: 6 of them over sqrt(4000) are 0.0054
    assert abs(np.mean(exceeded) - 0.1) < 0.0054
    plain = [(draw.standard_normal(200) > np.sort(draw.standard_normal(29))[25]).mean() for _ in range(4000)]
    assert np.mean(plain) > 0.1054


@pytest.mark.slow
def test_the_better_method_is_chosen_and_keeps_its_rate_on_others() -> None:
    source = Randomness.simulated(1)
    made = simulated_ratings(2500, 400, 100_000, source)
    knowledge = Knowledge(3, days=14)
    people = np.flatnonzero(made.sizes >= 8)[source.permutation(int((made.sizes >= 8).sum()))[:1100]]
    first, others = people[:300], people[300:]
    known = [learned(made, part, knowledge, source.spawn(f"{len(part)}")) for part in (first, others)]
    release = releases.as_it_is(made)
    chosen = choose(release, first, known[0], knowledge, source, level=0.02)
    assert isinstance(chosen.method, Likelihood)
    assert chosen.named["scoreboard-RH"] < chosen.named[chosen.method.name]
    gone = match(release, others, known[1], knowledge, chosen.method, source, absent=True)
    # 800 at 2 %, and a threshold that is itself drawn: 6 deviations of both
    assert (gone.clear > chosen.threshold).mean() < 0.02 + 6 * np.sqrt(0.02 / 800 + 0.02 / 300)
    only = choose(release, first, known[0], knowledge, source, level=0.02, methods=[ScoreboardRH()])
    assert only.method == ScoreboardRH()
