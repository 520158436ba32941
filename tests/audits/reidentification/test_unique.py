"""Shares of people who are alone are those of counting; intervals hold the truth of a population that is known."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from reticent.audits.reidentification import unicity
from reticent.data.tables import Table
from reticent.errors import NotEnoughEvidence, UsageError
from reticent.randomness import Randomness


def test_all_columns_are_the_uniques_of_the_table() -> None:
    draw = np.random.default_rng(1)
    table = Table.of({name: draw.integers(0, 8, 900) for name in "abc"})
    found = unicity(table, ["a", "b", "c"], points=[3], randomness=Randomness.simulated(1))
    classes = table.classes()
    alone = (classes.sizes[classes.of_rows] == 1).mean()
    assert found.findings[0].estimates["alone"].value == pytest.approx(alone)
    assert found.findings[0].baseline["alone"].value == pytest.approx(1 / 900)


def test_intervals_hold_the_share_of_everybody() -> None:
    """300 of 2 000 are drawn, 120 times: the interval misses the truth at most 5 % of the time (6 deviations: 17 %)."""
    draw = np.random.default_rng(2)
    table = Table.of({name: draw.integers(0, 12, 2000) for name in "abc"})
    classes = table.classes()
    truth = (classes.sizes[classes.of_rows] == 1).mean()
    missed = 0
    for seed in range(120):
        found = unicity(table, ["a", "b", "c"], points=[3], people=300, randomness=Randomness.simulated(seed))
        missed += not found.findings[0].estimates["alone"].contains(truth)
    assert missed / 120 < 0.17


def test_less_exact_points_leave_fewer_alone(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    trips = Table.of(
        {
            "who": np.repeat(np.arange(400), 12),
            "where": draw.integers(0, 30, 4800),
            "hour": draw.integers(0, 24 * 60, 4800),
        }
    )
    found = unicity(
        trips,
        ["where", "hour"],
        person="who",
        points=(1, 2, 4),
        precisions={"as it is": {}, "week": {"hour": 168}},
        randomness=Randomness.simulated(1),
    )
    shares = [[one.estimates["alone"].value for one in curve.findings] for curve in found.curves[:2]]
    assert all(a <= b for line in shares for a, b in itertools.pairwise(line))
    assert shares[0][1] > shares[1][1]
    page = found.save(tmp_path / "alone.html").read_text()
    assert "Who is alone" in page


def test_points_that_nobody_has_are_refused() -> None:
    table = Table.of({"who": [1, 1, 2], "where": ["a", "b", "a"]})
    with pytest.raises(NotEnoughEvidence, match="people with 3 points"):
        unicity(table, ["where"], person="who", points=[3])
    with pytest.raises(UsageError, match="points from 1 to 1"):
        unicity(table, ["where"], points=[2])
    found = unicity(table, ["where"], person="who", points=[2], randomness=Randomness.simulated(1))
    assert found.findings[0].details["people with fewer points"] == 1
