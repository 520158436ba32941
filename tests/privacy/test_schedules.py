"""Schedules: what each step gets, and what turns of steps are charged with."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent.errors import UsageError
from reticent.evidence import canonical_json
from reticent.privacy import Schedule

segments = st.lists(st.tuples(st.integers(1, 9), st.sampled_from([0.5, 1.0, 2.0, 1.25])), min_size=1, max_size=5)


def by_hand(pairs, steps):
    factors = [factor for count, factor in pairs for _ in range(count)]
    return [*factors, *[pairs[-1][1]] * steps][:steps]


@given(pairs=segments, steps=st.integers(0, 60))
def test_factors_are_those_of_a_loop(pairs, steps):
    schedule = Schedule(tuple(pairs))
    wanted = by_hand(pairs, steps)
    assert schedule.factors(steps).tolist() == wanted
    assert [schedule.factor(step) for step in range(steps)] == wanted
    assert Schedule.of(wanted or [1.0]).factors(steps).tolist() == wanted
    assert schedule.is_constant == all(factor == 1.0 for _, factor in pairs)


@given(pairs=segments, steps=st.integers(0, 60), turn=st.integers(1, 12))
def test_a_turn_is_charged_with_its_least_noise(pairs, steps, turn):
    factors = by_hand(pairs, steps)
    wanted: dict[float, int] = {}
    for first in range(0, steps, turn):
        least = min(factors[first : first + turn])
        wanted[least] = wanted.get(least, 0) + 1
    found = Schedule(tuple(pairs)).least(steps, turn)
    assert found == wanted
    assert list(found) == list(wanted)


@given(pairs=segments)
def test_records_round_trip(pairs):
    schedule = Schedule(tuple(pairs))
    plain = json.loads(canonical_json(schedule.as_list()))
    assert Schedule.from_list(plain) == schedule
    assert hash(Schedule.from_list(plain)) == hash(schedule)


def test_equal_neighbours_are_one_stretch():
    assert Schedule(((3, 1.0), (2, 1.0), (4, 2))) == Schedule(((5, 1.0), (4, 2.0)))


def test_a_stretch_may_be_longer_than_memory():
    assert Schedule(((10**15, 2.0), (1, 1.0))).factors(3).tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("make", [Schedule.linear, Schedule.exponential])
@pytest.mark.parametrize(("steps", "pieces"), [(100, 7), (3, 20), (1, 1), (1000, 1000)])
def test_ramps_go_from_start_to_end(make, steps, pieces):
    schedule = make(2.0, 0.5, steps=steps, pieces=pieces)
    factors = schedule.factors(steps)
    assert factors[0] == pytest.approx(2.0)
    assert len(schedule.segments) == min(steps, pieces)
    assert sum(count for count, _ in schedule.segments) == steps
    if min(steps, pieces) > 1:
        assert schedule.factor(10**9) == pytest.approx(0.5)
        strides = np.diff([f if make == Schedule.linear else np.log(f) for _, f in schedule.segments])
        np.testing.assert_allclose(strides, strides[0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Schedule(()), "at least one segment"),
        (lambda: Schedule(3), r"\(steps, factor\)"),
        (lambda: Schedule(((1, 1.0, 2.0),)), r"\(steps, factor\)"),
        (lambda: Schedule(((0, 1.0),)), "steps >= 1"),
        (lambda: Schedule(((1, 0.0),)), "factor > 0"),
        (lambda: Schedule(((1, float("nan")),)), "factor > 0"),
        (lambda: Schedule.linear(0.0, 1.0, steps=3), "start > 0"),
        (lambda: Schedule.exponential(1.0, -1.0, steps=3), "end > 0"),
        (lambda: Schedule.linear(1.0, 2.0, steps=0), "steps >= 1"),
        (lambda: Schedule.of([]), "at least one segment"),
        (lambda: Schedule.from_list("x"), r"\(steps, factor\)"),
    ],
)
def test_nonsense_is_refused(make, message):
    with pytest.raises(UsageError, match=message):
        make()
