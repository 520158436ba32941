"""Rounds and units with several rows, against brute force, closed forms and dp-accounting."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.privacy.mechanisms.test_sums import hockey_stick

from reticent.errors import UsageError
from reticent.privacy import AllocatedGaussian, GroupedGaussian, Guarantee, Relation, SampledGaussian

REPLACE = Relation.REPLACE_ONE


def test_a_round_of_one_step_has_everybody() -> None:
    one = Guarantee((AllocatedGaussian(1.3, 1, 5),))
    plain = Guarantee((SampledGaussian(1.3, 1.0, 5),))
    assert plain.epsilon(1e-6) <= one.epsilon(1e-6) <= plain.epsilon(1e-6) * (1 + 1e-3)
    assert one.renyi_epsilon(1e-6) == plain.renyi_epsilon(1e-6)
    assert Guarantee((AllocatedGaussian(1.3, 2),)).renyi_epsilon(1e-6) == math.inf


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(noise=st.floats(0.5, 5.0), steps=st.integers(2, 200), rounds=st.integers(1, 20))
def test_a_round_costs_less_than_all_and_more_than_nothing(noise: float, steps: int, rounds: int) -> None:
    """Not knowing in which step hides something; more steps hide more; and without noise nothing is hidden."""
    allocated = Guarantee((AllocatedGaussian(noise, steps, rounds),)).epsilon(1e-6)
    assert 0 < allocated <= Guarantee((SampledGaussian(noise, 1.0, rounds),)).epsilon(1e-6) * (1 + 1e-3)
    assert Guarantee((AllocatedGaussian(noise, 2 * steps, rounds),)).epsilon(1e-6) <= allocated * (1 + 2e-3)


def test_a_unit_with_one_row_is_a_row() -> None:
    one = Guarantee((GroupedGaussian(1.1, 0.02, 300, rows=1),))
    row = Guarantee((SampledGaussian(1.1, 0.02, 300),))
    assert one.epsilon(1e-6) == pytest.approx(row.epsilon(1e-6), rel=1e-6)
    assert one.renyi_epsilon(1e-6) == pytest.approx(row.renyi_epsilon(1e-6), rel=1e-12)


def test_rows_that_all_take_part_move_the_sum_together() -> None:
    many = Guarantee((GroupedGaussian(4.0, 1.0, 3, rows=4),))
    assert many.epsilon(1e-6) == pytest.approx(Guarantee((SampledGaussian(1.0, 1.0, 3),)).epsilon(1e-6), rel=1e-6)


@pytest.mark.parametrize("values", list(itertools.product((1.0, -1.0, 0.3), repeat=2)))
def test_groups_are_never_charged_below_brute_force(values: tuple[float, float]) -> None:
    """Two rows of one person, drawn by coins; whatever the two contribute."""
    noise, rate = 1.4, 0.3
    promise = Guarantee((GroupedGaussian(noise, rate, 1, rows=2),))
    drawn = [
        (
            math.prod(rate if coin else 1 - rate for coin in coins),
            sum(c * v for c, v in zip(coins, values, strict=True)),
        )
        for coins in itertools.product((0, 1), repeat=2)
    ]
    for epsilon in (0.0, 0.4, 1.2):
        for one, other in ((drawn, [(1.0, 0.0)]), ([(1.0, 0.0)], drawn)):
            found = hockey_stick(one, other, noise, epsilon)
            assert found <= promise.delta(epsilon) + 1e-9
            if values == (1.0, 1.0) and one is drawn:
                assert found == pytest.approx(promise.delta(epsilon), abs=1e-5)


def test_what_is_not_known_is_refused() -> None:
    for mechanism in (AllocatedGaussian(1.0, 10), GroupedGaussian(1.0, 0.1, rows=3)):
        with pytest.raises(UsageError, match=r"Expected Relation\.ADD_OR_REMOVE_ONE for"):
            Guarantee((mechanism,), relation=REPLACE).epsilon(1e-5)
    for wrong in (lambda: AllocatedGaussian(1.0, 0), lambda: GroupedGaussian(1.0, 0.1, rows=0)):
        with pytest.raises(UsageError, match="whole number"):
            wrong()


def test_no_noise_and_nothing() -> None:
    for mechanism in (AllocatedGaussian(0.0, 10), GroupedGaussian(0.0, 0.1, rows=3)):
        assert Guarantee((mechanism,)).epsilon(1e-5) == math.inf
        assert Guarantee((mechanism.times(0),)).epsilon(1e-5) == 0.0
