"""Sums over processes: each coordinate gets its noise once, whoever holds it, and the sum is that of one process."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import chi2, norm
from tests.training import processes
from tests.training.processes import COORDINATES, EXPECTED, NOISE_FAULTS, NORM, ROUNDS, SIGMA
from tests.training.worlds import World

DEVIATION = SIGMA * NORM / EXPECTED
LARGEST = 100 * 1601  # coordinates of the largest parameter
REJECTED = 1e-7  # for each of the numbers below; about 120 are looked at, so a false alarm comes once in 80000 runs


def faults_in(draws: np.ndarray) -> list[str]:
    """What is wrong with (rounds, coordinates) draws that should be independent and Gaussian with `DEVIATION`."""
    assert draws.shape == (ROUNDS, COORDINATES)
    scaled = draws.astype(float) / DEVIATION
    found = []
    total = float((scaled**2).sum())
    if min(chi2.cdf(total, scaled.size), chi2.sf(total, scaled.size)) < REJECTED / 2:
        found.append(f"deviation off by a factor of {np.sqrt(total / scaled.size):.4f}")
    reach = norm.isf(REJECTED / 2)
    if abs(scaled.sum()) > reach * np.sqrt(scaled.size):
        found.append("mean")
    if abs((scaled[1:] * scaled[:-1]).sum()) > reach * np.sqrt(scaled[1:].size):
        found.append("steps are dependent")
    found.extend(
        f"coordinates are dependent at a distance of {lag}"
        for lag in (1, LARGEST // 4, LARGEST // 2)  # neighbours, and where other processes' parts begin
        if abs((scaled[:, lag:] * scaled[:, :-lag]).sum()) > reach * np.sqrt(scaled[:, lag:].size)
    )
    # Two of n float32 Gaussian numbers agree rarely (rounding; a few in a thousand); copies agree by the thousand.
    if min(len(np.unique(row)) for row in draws) < 0.95 * COORDINATES:
        found.append("numbers are used twice")
    return found


CASES = [
    (size, kind, reduction, parts)
    for size in (1, 2, 4)
    for kind in ("ddp", "fsdp")
    for reduction in ("mean", "sum")
    for parts in (False, True)
]


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 4])
def test_noise_enters_the_global_sum_exactly_once(world: Callable[[int], World], size: int) -> None:
    """A million draws for each way of splitting a training: deviation sigma C / L, independent, whatever the split."""
    for _, kind, reduction, parts in (case for case in CASES if case[0] == size):
        draws = world(size).run(processes.noise, kind, reduction, parts)[0]
        assert faults_in(draws) == [], (kind, reduction, parts)


@pytest.mark.slow
@pytest.mark.parametrize("fault", NOISE_FAULTS)
def test_a_planted_fault_in_the_noise_is_caught(world: Callable[[int], World], fault: str) -> None:
    for kind in ("ddp", "fsdp"):
        draws = world(4).run(processes.noise, kind, "mean", False, None, fault)[0]
        assert faults_in(draws) != [], kind


@pytest.mark.slow
def test_simulated_noise_is_that_of_one_process(world: Callable[[int], World]) -> None:
    alone = world(1).run(processes.noise, "plain", "mean", False, 7)[0]
    assert faults_in(alone) == []
    for size, kind, parts in ((2, "ddp", True), (4, "ddp", False), (2, "fsdp", False), (4, "fsdp", True)):
        assert np.array_equal(world(size).run(processes.noise, kind, "mean", parts, 7)[0], alone), (size, kind)
