"""What weights are worth, learned from simulated strangers, against the truth of the simulation."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.attacks.reidentification.linkage.strangers import Strangers, worth
from reticent.randomness import Randomness

ROWS = (2000, 2000)


def alike(generator: np.random.Generator, families: int = 300, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Rows and weights of strangers: many by chance, and pairs of families, whose weights are those of matches."""
    chance = 2 - generator.exponential(3, generator.poisson(8000))
    family = generator.normal(16 + shift, 4, generator.poisson(families))
    rows = np.concatenate([generator.integers(0, 2000, len(chance)), generator.integers(0, 2000, len(family))])
    return rows, np.concatenate([chance, family])


def strangers(generator: np.random.Generator, **settings: float) -> Strangers:
    return Strangers(*alike(generator, **settings), 2000, 1999)  # type: ignore[arg-type]


def test_odds_are_right_where_families_look_like_matches() -> None:
    """800 matches at N(20, 4^2), 300 families at N(16, 4^2): classes of probability hold what they say.

    To 0.06 and four deviations of what chance does to a class.
    """
    generator = np.random.default_rng(0)
    _, apart = alike(generator)
    weights = np.concatenate([apart, generator.normal(20, 4, 800)])
    true = np.arange(len(weights)) >= len(apart)
    found = worth(weights, (strangers(generator), strangers(generator)), rows=ROWS)
    assert found.evidence > 50
    assert found.matches == pytest.approx(800, abs=80)
    chance = 1 / (1 + np.exp(-found.log_odds(weights)))
    for low in (0.1, 0.3, 0.5, 0.7, 0.9):
        inside = (chance >= low) & (chance < low + 0.2)
        wanted, n = chance[inside].mean(), int(inside.sum())
        assert abs(true[inside].mean() - wanted) < 0.06 + 4 * np.sqrt(wanted * (1 - wanted) / n)
    assert (np.diff(found.log_odds(np.linspace(-30, 60, 500))) >= 0).all()


def test_nobody_is_found_where_nobody_is() -> None:
    """60 pairs of tables without a match: evidence above 4 never comes up (it stayed below 2.5 in 1400 others)."""
    generator = np.random.default_rng(1)
    for _ in range(60):
        found = worth(alike(generator)[1], (strangers(generator), strangers(generator)), rows=ROWS)
        assert found.evidence < 4
        assert found.matches < 100


def test_clusters_count_for_less() -> None:
    """The same pairs in families of eight give less evidence than pairs on their own."""
    generator = np.random.default_rng(2)
    rows, weights = alike(generator)
    many = np.where(weights > 8, rows // 100, rows)
    matches = np.concatenate([weights, generator.normal(20, 4, 60)])
    single, together = (
        worth(matches, (Strangers(of, weights, 2000, 1999),) * 2, rows=ROWS).evidence for of in (rows, many)
    )
    assert together < 0.7 * single


def test_typing_errors_of_one_table_cost_half() -> None:
    """Weights of strangers are 3 higher in one table and 3 lower in the other: the odds stay those of the middle."""
    generator = np.random.default_rng(3)
    weights = np.concatenate([alike(generator)[1], generator.normal(20, 4, 800)])
    same = worth(weights, (strangers(generator), strangers(generator)), rows=ROWS)
    apart = worth(weights, (strangers(generator, shift=-3), strangers(generator, shift=3)), rows=ROWS)
    at = np.array([18.0, 22.0])
    assert apart.log_odds(at) == pytest.approx(same.log_odds(at), abs=1.5)


def test_people_who_stand_twice_in_one_table_alone_do_not_hide_matches() -> None:
    generator = np.random.default_rng(4)
    weights = np.concatenate([alike(generator, families=0)[1], generator.normal(20, 4, 800)])
    rows, factors = alike(generator, families=0)
    twice = Strangers(
        np.concatenate([rows, generator.integers(0, 2000, 200)]),
        np.concatenate([factors, generator.normal(20, 4, 200)]),
        2000,
        1999,
    )
    found = worth(weights, (strangers(generator, families=0), twice), rows=ROWS)
    assert found.matches > 0.9 * 800


def test_the_band_is_as_wide_as_chance() -> None:
    """The number of matches expected lies in the band of its own draws, and draws differ."""
    generator = np.random.default_rng(5)
    weights = np.concatenate([alike(generator)[1], generator.normal(20, 4, 800)])
    sides = strangers(generator), strangers(generator)
    found = worth(weights, sides, rows=ROWS, randomness=Randomness.simulated(0), draws=10)
    again = worth(weights, sides, rows=ROWS, randomness=Randomness.simulated(0), draws=10)
    sums = [float((1 / (1 + np.exp(-one.log_odds(weights)))).sum()) for one in found.drawn]
    assert len(sums) == 10
    assert 3 < np.std(sums) < 100
    assert abs(np.mean(sums) - found.matches) < 2.5 * np.std(sums)
    assert (again.drawn[3].values == found.drawn[3].values).all()


def test_tables_of_two_rows_and_no_pairs() -> None:
    nothing = Strangers(np.zeros(0, np.int64), np.zeros(0), 2, 1)
    found = worth(np.zeros(0), (nothing, nothing), rows=(2, 2))
    assert found.evidence < 4
    assert found.matches == 0
