"""Descriptions of correlated noise: what they cost, what they spare, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.privacy.test_toeplitz import by_trying_all, dense

from reticent.errors import UsageError
from reticent.evidence import canonical_json
from reticent.privacy import Banded, BufferedToeplitz, workload
from reticent.privacy.correlations import correlation_from_dict

BUFFERED = BufferedToeplitz((0.9, 0.5), (0.2, 0.4))
BANDED = Banded((1.0, 0.5, 0.25))
RISING = Banded((1.0, -0.5, 0.75))
KINDS = [Banded.independent(), BANDED, RISING, BUFFERED, Banded.square_root(5)]


@pytest.mark.parametrize("encoder", KINDS, ids=str)
@pytest.mark.parametrize("steps", [1, 2, 3, 17])
def test_columns_and_inverses_are_those_of_the_matrices(encoder, steps):
    matrix = dense(encoder.encoder(steps), steps)
    inverse = np.linalg.inv(matrix)
    np.testing.assert_allclose(encoder.inverse(steps), inverse[:, 0], rtol=1e-9, atol=1e-12)
    prefix = np.tril(np.ones((steps, steps)))
    np.testing.assert_allclose(encoder.response(np.ones(steps)), (prefix @ inverse)[:, 0], rtol=1e-9, atol=1e-12)
    assert matrix[0, 0] == 1.0


@pytest.mark.parametrize("encoder", KINDS, ids=str)
@pytest.mark.parametrize("worst", [False, True])
def test_the_error_is_that_of_the_matrices(encoder, worst):
    steps, separation = 12, 4
    errors = ((np.tril(np.ones((steps, steps))) @ np.linalg.inv(dense(encoder.encoder(steps), steps))) ** 2).sum(axis=1)
    if encoder.bands is not None and encoder.bands > separation:
        separation = 6
    wanted = by_trying_all(encoder.encoder(steps), steps, separation, 3) * math.sqrt(
        errors.max() if worst else errors.mean()
    )
    assert encoder.error(steps, separation=separation, worst=worst) == pytest.approx(wanted, rel=1e-9)


def test_the_workload_is_what_an_optimizer_makes_of_a_gradient():
    momentum, decay, steps = 0.9, 0.97, 12
    velocity = parameter = 0.0
    wanted = []
    for step in range(steps):
        velocity = momentum * velocity + (1.0 if step == 0 else 0.0)
        parameter = decay * parameter + velocity
        wanted.append(parameter)
    np.testing.assert_allclose(workload(steps, momentum=momentum, decay=decay), wanted, rtol=1e-12)
    assert workload(3).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("encoder", KINDS, ids=str)
@pytest.mark.parametrize("worst", [False, True])
def test_the_error_of_a_workload_is_that_of_the_matrices(encoder, worst):
    steps = 12
    rows = dense(workload(steps, momentum=0.8, decay=0.9), steps) @ np.linalg.inv(dense(encoder.encoder(steps), steps))
    errors = (rows**2).sum(axis=1)
    wanted = encoder.sensitivity(steps) * math.sqrt(errors.max() if worst else errors.mean())
    assert encoder.error(steps, momentum=0.8, decay=0.9, worst=worst) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("kind", [Banded, BufferedToeplitz])
def test_what_is_best_depends_on_what_is_added_up(kind):
    """Where half of every change is gone after a step, there is little left to take back."""
    plain, forgetting = kind.optimal(200, 3, separation=200), kind.optimal(200, 3, separation=200, decay=0.5)
    assert forgetting.error(200, decay=0.5) < plain.error(200, decay=0.5)
    assert plain.error(200) < forgetting.error(200)
    pushed = kind.optimal(200, 3, separation=200, momentum=0.9)
    assert pushed.error(200, momentum=0.9) < plain.error(200, momentum=0.9)
    independent = Banded.independent()
    assert forgetting.error(200, decay=0.5) > 0.9 * independent.error(200, decay=0.5)
    assert plain.error(200) < 0.7 * independent.error(200)


def test_independent_noise_is_that_of_a_random_walk():
    assert Banded.independent().error(1000) == pytest.approx(math.sqrt(500.5))
    assert Banded.independent().error(1000, separation=10, participations=7) == pytest.approx(math.sqrt(7 * 500.5))
    assert Banded.independent().is_independent
    assert not BUFFERED.is_independent


@settings(max_examples=60, deadline=None)
@given(
    rest=st.lists(st.floats(-2, 2), max_size=3),
    steps=st.integers(1, 9),
    separation=st.integers(1, 9),
    k=st.integers(1, 3),
)
def test_sensitivity_is_that_of_the_worst_pattern_or_refused(rest, steps, separation, k):
    """Also for coefficients that rise or are negative, where participations have no row in common."""
    encoder = Banded((1.0, *rest))
    try:
        found = encoder.sensitivity(steps, separation=separation, participations=k)
    except UsageError:
        assert len(rest) + 1 > separation
        return
    assert found == pytest.approx(by_trying_all(encoder.encoder(steps), steps, min(separation, steps), k), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    buffers=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.3)), max_size=3),
    steps=st.integers(1, 8),
    separation=st.integers(1, 8),
    k=st.integers(1, 3),
)
def test_buffers_always_have_a_sensitivity(buffers, steps, separation, k):
    encoder = BufferedToeplitz(tuple(d for d, _ in buffers), tuple(s for _, s in buffers))
    wanted = by_trying_all(encoder.encoder(steps), steps, min(separation, steps), k)
    assert encoder.sensitivity(steps, separation=separation, participations=k) == pytest.approx(wanted, rel=1e-12)


def test_no_more_participations_than_there_is_room_for():
    assert BANDED.sensitivity(10, separation=5, participations=100) == BANDED.sensitivity(10, separation=5)
    assert BANDED.sensitivity(10, separation=5) == pytest.approx(math.sqrt(2 * (1 + 1 / 4 + 1 / 16)))
    assert BANDED.sensitivity(10) == pytest.approx(math.sqrt(1 + 1 / 4 + 1 / 16))  # once, by default
    assert BANDED.sensitivity(10, separation=99) == BANDED.sensitivity(10)


def test_bands_that_rise_need_room():
    assert RISING.sensitivity(9, separation=3) == pytest.approx(math.sqrt(3 * (1 + 1 / 4 + 9 / 16)))
    with pytest.raises(UsageError, match=r"at most 2 bands .* got 3 bands that rise"):
        RISING.sensitivity(9, separation=2)


@pytest.mark.parametrize("kind", [Banded, BufferedToeplitz])
def test_ten_thousand_steps_are_a_matter_of_seconds(kind):
    """No figure is asserted: a matrix of this size would not fit into memory several times over."""
    encoder = kind.optimal(10_000, 4, separation=100)
    assert encoder.error(10_000, separation=100) < Banded.independent().error(10_000, separation=100) * 0.6


def test_what_is_best_depends_on_how_often_units_take_part():
    once = BufferedToeplitz.optimal(500, 2)
    often = BufferedToeplitz.optimal(500, 2, separation=50)
    assert once.error(500) < often.error(500)
    assert often.error(500, separation=50) < once.error(500, separation=50)
    assert Banded.optimal(100, 8).coefficients == Banded.optimal(100, 8, separation=8).coefficients
    assert Banded.optimal(100, 8, worst=True) != Banded.optimal(100, 8)
    assert Banded.optimal(5, 8, separation=2).bands <= 5


@pytest.mark.parametrize("encoder", [Banded.optimal(200, 20), BufferedToeplitz.optimal(200, 3), Banded.square_root(9)])
def test_what_is_found_is_held_by_single_precision(encoder):
    numbers = [number for values in encoder.as_dict().values() if isinstance(values, list) for number in values]
    assert numbers == [float(np.float32(number)) for number in numbers]


@pytest.mark.parametrize("encoder", [*KINDS, BufferedToeplitz.optimal(100, 3)], ids=str)
def test_records_round_trip(encoder):
    plain = json.loads(canonical_json(encoder.as_dict()))
    assert correlation_from_dict(plain) == encoder
    assert hash(correlation_from_dict(plain)) == hash(encoder)
    assert encoder.text()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Banded(()), "begin with 1"),
        (lambda: Banded((0.5, 0.5)), "begin with 1"),
        (lambda: Banded((1.0, math.nan)), "finite numbers"),
        (lambda: Banded((1.0, "a")), "finite numbers"),
        (lambda: Banded(1.0), "finite numbers"),
        (lambda: BufferedToeplitz((0.9,), ()), "a scale for each decay"),
        (lambda: BufferedToeplitz((1.1,), (0.1,)), "between 0 and 1"),
        (lambda: BufferedToeplitz((-0.1,), (0.1,)), "between 0 and 1"),
        (lambda: BufferedToeplitz((0.9,), (-0.1,)), "not negative"),
        (lambda: BufferedToeplitz((0.9, 0.8), (0.6, 0.5)), "at most 1"),
        (lambda: Banded.optimal(0, 3), "steps >= 1"),
        (lambda: Banded.optimal(10, 0), "bands >= 1"),
        (lambda: Banded.square_root(0), "bands >= 1"),
        (lambda: BufferedToeplitz.optimal(10, 0), "buffers >= 1"),
        (lambda: BANDED.sensitivity(0), "steps >= 1"),
        (lambda: BANDED.sensitivity(5, separation=0), "separation >= 1"),
        (lambda: BANDED.error(5, participations=0), "participations >= 1"),
        (lambda: workload(0), "steps >= 1"),
        (lambda: workload(5, momentum=1.0), "momentum < 1"),
        (lambda: workload(5, decay=1.1), "decay <= 1"),
        (lambda: correlation_from_dict({"kind": "dense"}), "banded"),
        (lambda: correlation_from_dict({"kind": "banded"}), "fields of banded"),
        (lambda: correlation_from_dict([1.0]), "banded"),
    ],
)
def test_nonsense_is_refused(make, message):
    with pytest.raises(UsageError, match=message):
        make()
