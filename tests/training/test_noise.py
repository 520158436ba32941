"""Streams of correlated noise: their law, the matrices that they stand for, and faults that would be noticed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from tests.privacy.test_toeplitz import dense

from reticent.errors import UsageError
from reticent.privacy import Banded, BufferedToeplitz
from reticent.privacy.correlations import Correlation
from reticent.randomness import Randomness
from reticent.training import noise
from reticent.training.noise import NoiseStream

ENCODERS = [
    Banded.independent(),
    Banded((1.0, 0.5)),
    Banded.optimal(50, 5),
    BufferedToeplitz((0.9,), (0.3,)),
    BufferedToeplitz.optimal(50, 3),
]
LIKE = {torch.float32: torch.zeros(7, dtype=torch.float32), torch.float64: torch.zeros(7, dtype=torch.float64)}


def streamed(stream, steps, like, source, first=0):
    return np.stack(
        [stream.draw("w", like, source.spawn(f"step {step}")).numpy().copy() for step in range(first, steps)]
    )


def independent(steps, size, source):
    return np.stack([source.spawn(f"step {step}").normal(size) for step in range(steps)])


@pytest.mark.parametrize("encoder", ENCODERS, ids=str)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 3e-5)])
def test_it_solves_the_triangular_system(encoder, dtype, tolerance):
    steps = 50
    found = streamed(NoiseStream(encoder), steps, LIKE[dtype], Randomness.simulated(1))
    wanted = np.linalg.solve(dense(encoder.encoder(steps), steps), independent(steps, 7, Randomness.simulated(1)))
    np.testing.assert_allclose(found, wanted, atol=tolerance)


@pytest.mark.parametrize(
    "encoder",
    [Banded.optimal(2000, 32, separation=100), BufferedToeplitz.optimal(2000, 5, separation=100)],
    ids=["b", "d"],
)
def test_rounding_does_not_pile_up_over_thousands_of_steps(encoder):
    """In single precision, against double precision; sums of the noise are what the training feels."""
    exact, found = (
        streamed(NoiseStream(encoder), 2000, LIKE[dtype], Randomness.simulated(2))
        for dtype in (torch.float64, torch.float32)
    )
    np.testing.assert_allclose(found, exact, atol=1e-5)
    np.testing.assert_allclose(found.cumsum(axis=0, dtype=np.float64), exact.cumsum(axis=0), atol=3e-5)


def looks_right(values, encoder, alpha=1e-6):
    """Likelihood-ratio test that columns of (steps, n) are independent with covariance (C^T C)^-1; n is large."""
    steps, count = values.shape
    whitened = dense(encoder.encoder(steps), steps) @ values.astype(np.float64)
    sample = whitened @ whitened.T / count
    statistic = count * (np.trace(sample) - np.linalg.slogdet(sample)[1] - steps)
    return statistic <= chi2.isf(alpha, steps * (steps + 1) / 2)


def forgets_a_buffer(stream, like, source):
    drawn = []
    for step in range(8):
        drawn.append(stream.draw("w", like, source.spawn(f"step {step}")))
        stream._memories["w"].kept[0] = 0
    return torch.stack(drawn).numpy()


def starts_again(stream, like, source):
    drawn = []
    for step in range(8):
        if step == 5:
            stream.forget()
        drawn.append(stream.draw("w", like, source.spawn(f"step {step}")))
    return torch.stack(drawn).numpy()


def wrong_sign(stream, like, source):
    drawn = []
    for step in range(8):
        fresh = noise._independent(like, source.spawn(f"step {step}"))
        right = stream.draw("w", like, source.spawn(f"step {step}"))
        drawn.append(2 * fresh - right)
    return torch.stack(drawn).numpy()


def repeats_its_noise(stream, like, source):
    return torch.stack([stream.draw("w", like, source.spawn(f"step {step % 7}")) for step in range(8)]).numpy()


def too_large(stream, like, source):
    return 1.02 * streamed(stream, 8, like, source)


FAULTS = [forgets_a_buffer, starts_again, wrong_sign, repeats_its_noise, too_large]
LAWS = [Banded((1.0, 0.5)), Banded.square_root(4), BufferedToeplitz((0.9, 0.3), (0.3, 0.3))]


@pytest.mark.parametrize("encoder", [Banded.independent(), *LAWS], ids=str)
def test_the_law_is_the_one_that_is_accounted(encoder):
    """Secure noise; a false alarm once in a million runs."""
    values = streamed(NoiseStream(encoder), 8, torch.zeros(20_000), Randomness.secure())
    assert looks_right(values, encoder)


@pytest.mark.parametrize("encoder", LAWS, ids=str)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_planted_faults_are_noticed(encoder, fault):
    assert not looks_right(fault(NoiseStream(encoder), torch.zeros(20_000), Randomness.simulated(3)), encoder)


@settings(max_examples=40, deadline=None)
@given(encoder=st.sampled_from(ENCODERS), stop=st.integers(0, 14))
def test_a_stream_that_was_taken_up_goes_on_to_the_bit(encoder, stop):
    like, source = torch.zeros(3, 2), Randomness.simulated(4)
    whole = streamed(NoiseStream(encoder), 15, like, source)
    first = NoiseStream(encoder)
    start = streamed(first, stop, like, source) if stop else np.empty((0, 3, 2), np.float32)
    second = NoiseStream(encoder)
    second.restore(first.state())
    rest = streamed(second, 15, like, source, first=stop) if stop < 15 else np.empty((0, 3, 2), np.float32)
    assert np.array_equal(np.concatenate([start, rest]), whole)


def test_pieces_have_noise_of_their_own():
    stream, source = NoiseStream(LAWS[1]), Randomness.secure()
    drawn = np.stack([[stream.draw(name, torch.zeros(20_000), source).numpy() for name in "ab"] for _ in range(6)])
    assert looks_right(drawn[:, 0], LAWS[1])
    assert looks_right(drawn[:, 1], LAWS[1])
    between = np.corrcoef(drawn[:, 0], drawn[:, 1])[:6, 6:]
    assert np.abs(between).max() < 6 / math.sqrt(20_000)


def test_what_is_forgotten_is_wiped():
    stream = NoiseStream(LAWS[1])
    stream.draw("w", torch.zeros(5), Randomness.secure())
    kept = stream.state()["w"]["kept"]
    assert kept.abs().sum() > 0
    stream.forget()
    assert kept.abs().sum() == 0
    assert stream.state() == {}


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: {"x": state["w"]},
        lambda state: {"w": {**state["w"], "kept": state["w"]["kept"][:1]}},
        lambda state: {"w": {**state["w"], "at": 3}},
        lambda state: {"w": {**state["w"], "at": -1}},
    ],
)
def test_the_state_of_another_stream_is_refused(damage):
    stream, other = NoiseStream(LAWS[1]), NoiseStream(LAWS[1])
    stream.draw("w", torch.zeros(5), Randomness.secure())
    other.restore(damage(stream.state()))
    with pytest.raises(UsageError, match="Expected past noise"):
        other.draw("w", torch.zeros(5), Randomness.secure())


def test_what_was_restored_is_saved_again_before_it_is_used():
    stream, other = NoiseStream(LAWS[1]), NoiseStream(LAWS[1])
    for name in "ab":
        stream.draw(name, torch.zeros(5), Randomness.secure())
    other.restore(stream.state())
    other.draw("a", torch.zeros(5), Randomness.secure())
    assert torch.equal(other.state()["b"]["kept"], stream.state()["b"]["kept"])
    assert other.state()["a"]["at"] == 2


def test_what_cannot_be_streamed_is_refused():
    class Other(Correlation):
        bands = None
        buffers = 1

        def encoder(self, steps):
            return np.ones(steps)

        response = encoder

        def text(self):
            return "?"

    with pytest.raises(UsageError, match="can be streamed"):
        NoiseStream(Other()).draw("w", torch.zeros(2), Randomness.simulated(1))
