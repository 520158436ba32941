"""Thresholds keep the rate that they were made for, on people whom they never saw; the better method is chosen."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from reticent.attacks.reidentification import (
    CANDIDATES,
    Knowledge,
    Known,
    Likelihood,
    Matches,
    Method,
    ScoreboardRH,
    beyond_ties,
    calibrated,
    choose,
    choosing,
    learned,
    match,
)
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


def test_several_draws_of_each_target_keep_the_rate_and_vary_less() -> None:
    """Draws independent, alike, and between: the rate on average, and no more than the theorem adds."""
    draw = np.random.default_rng(2)
    rates = {}
    for person, own in ((0.0, 1.0), (1.0, 0.0), (0.7, 0.7)):
        found = []
        for _ in range(3000):
            scores = person * draw.standard_normal((59, 1)) + own * draw.standard_normal((59, 6))
            threshold = calibrated(scores, level=0.1)
            found.append(norm.sf(threshold / np.hypot(person, own)))
        rates[own] = np.array(found)
    # deviations: about 0.016 for independent draws and 0.039 for copies; 6 of them over sqrt(3000)
    assert abs(rates[1.0].mean() - 0.1) < 6 * 0.016 / np.sqrt(3000) + 1 / 360
    assert abs(rates[0.0].mean() - 0.1) < 6 * 0.039 / np.sqrt(3000)
    assert rates[0.7].mean() < 0.1 + 1 / 60 + 6 * 0.03 / np.sqrt(3000)
    assert rates[1.0].std() < 0.5 * rates[0.0].std()
    copies = np.repeat(draw.standard_normal((59, 1)), 6, axis=1)
    assert calibrated(copies, level=0.1) == calibrated(copies[:, 0], level=0.1)
    with pytest.raises(NotEnoughEvidence, match="got 58"):  # draws are no targets
        calibrated(np.zeros((58, 100)), level=1 / 60)


def test_the_threshold_of_the_method_that_won_is_not_its_lucky_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight methods that are equally good: the one that wins has a low threshold, unless it is calibrated again."""
    source = np.random.default_rng(3)
    nobody = np.zeros(39, dtype=np.int64)

    def drawn(_release, _targets, _known, _knowledge, _method, _randomness, absent=False) -> Matches:
        clear = source.standard_normal(39) + (0.0 if absent else 1.5)
        return Matches(clear, nobody + 1, nobody * 0.0, nobody * 0.0, nobody > 0)

    monkeypatch.setattr(choosing, "match", drawn)
    methods = [Likelihood(one / 10) for one in range(1, 9)]

    def rate(again: list[Known]) -> float:
        asked = {"level": 0.1, "methods": methods, "again": again}
        given = (None, nobody, None, Knowledge(1), Randomness.simulated(1))
        return float(np.mean([norm.sf(choose(*given, **asked).threshold) for _ in range(400)]))  # type: ignore[arg-type]

    # deviation of one rate about 0.05 (one draw) or 0.02 (five): 6 of them over sqrt(400)
    assert rate([]) > 0.1 + 6 * 0.05 / 20
    assert abs(rate([Known(nobody, nobody, None)] * 5) - 0.1) < 6 * 0.02 / 20 + 1 / 200


@pytest.mark.slow
@pytest.mark.parametrize("method", CANDIDATES[-3:], ids=lambda one: one.name)
@pytest.mark.parametrize("items", [4, 8])
def test_people_who_are_really_outside_are_named_as_seldom_as_was_said(method: Method, items: int) -> None:
    """Few distinct scores: half of the people are left out, and thresholds come from targets among the others.

    A threshold from a release with one row less lets the scoreboard name 17 % of them at 8 items, where 5 % was asked.
    """
    knowledge, rates = Knowledge(items, days=None, values=False), []
    for seed in range(4):
        source = Randomness.simulated(seed)
        made = simulated_ratings(500, 300, 20_000, source)
        there = np.arange(made.count) < 250
        release = releases.as_it_is(made.keeping(there[made.people]))
        able = np.flatnonzero(made.sizes >= items)
        inside, outside = able[there[able]][:150], able[~there[able]]
        known = [learned(made, part, knowledge, source.spawn(f"{len(part)}")) for part in (inside, outside)]
        again = [learned(made, inside, knowledge, source.spawn(f"again {place}")) for place in range(3)]
        chosen = choose(release, inside, known[0], knowledge, source, level=0.05, methods=[method], again=again)
        gone = match(release, outside, known[1], knowledge, method, source, absent=True)
        rates.append((gone.clear > chosen.threshold).mean())
    # 4 x 250 at 5 %, and thresholds from 4 x 150 targets (of one draw, at the worst): 5 deviations of both
    assert np.mean(rates) < 0.05 + 5 * np.sqrt(0.05 / 1000 + 0.05 / 600)


def test_a_tie_is_a_tie_whatever_the_order_of_its_sum() -> None:
    sums = np.array([np.float32(0.1) + np.float32(0.2) + np.float32(0.3), 0.6, 0.3 + 0.2 + 0.1] * 40)
    assert (sums > beyond_ties(sums[1::3].tolist(), level=0.1)).sum() == 0
    assert beyond_ties(np.arange(99.0), level=0.01) < 98.01
    assert beyond_ties(np.full(99, np.inf), level=0.01) == np.inf


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
