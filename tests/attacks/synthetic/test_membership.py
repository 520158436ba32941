"""Scores find what was put into a release, and nothing where nothing was."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from reticent.attacks.synthetic import Encoded, Kernel, calibrated_distance, density_ratio


def rows(values: np.ndarray) -> Encoded:
    return Encoded(values.reshape(len(values), -1), np.zeros((len(values), 0), np.int32), np.zeros(0, np.int64))


def above(members: np.ndarray, others: np.ndarray) -> float:
    return float((members[:, None] > others[None, :]).mean() + (members[:, None] == others[None, :]).mean() / 2)


def test_a_copied_row_comes_first_unless_the_reference_holds_it_too() -> None:
    rng = np.random.default_rng(0)
    release, reference = rows(rng.normal(size=(200, 3))), rows(rng.normal(size=(200, 3)))
    assert (calibrated_distance(release, release=release, reference=reference) == 1).all()
    assert (calibrated_distance(reference, release=release, reference=reference) == -1).all()
    assert (calibrated_distance(release, release=release, reference=release) == 0).all()


def test_calibration_helps_where_common_rows_lie_close_to_everything() -> None:
    """Members and others, half of both in a crowd: without the reference, crowd and members are mistaken."""
    rng = np.random.default_rng(1)

    scale = np.repeat([[0.05], [2.0]], 300, axis=0)
    source, others, reference = (scale * rng.normal(size=(600, 4)) for _ in range(3))
    release = rows(source + 0.3 * scale * rng.normal(size=(600, 4)))
    scores = [calibrated_distance(rows(part), release=release, reference=rows(reference)) for part in (source, others)]
    plain = [-((part[:, None] - release.numbers[None]) ** 2).sum(axis=2).min(axis=1) for part in (source, others)]
    assert above(*scores) > above(*plain) + 0.05


def test_the_density_ratio_is_the_ratio_of_densities() -> None:
    """A release from another normal distribution: the ratio is known."""
    rng = np.random.default_rng(2)
    release, reference = rows(rng.normal(1, 1, 20_000)), rows(rng.normal(0, 1, 20_000))
    grid = np.linspace(-1, 2, 13)
    found = density_ratio(rows(grid), release=release, reference=reference, kernel=Kernel(0.1, 0.1))
    truth = norm.logpdf(grid, 1) - norm.logpdf(grid, 0)
    assert np.abs(found - truth).max() < 0.15


def test_nothing_is_found_in_a_release_that_was_made_from_nobody() -> None:
    """False alarm at 6 standard errors of the area: about 1e-9."""
    rng = np.random.default_rng(3)
    source, others, reference, release = (rows(rng.normal(size=(1000, 3))) for _ in range(4))
    error = np.sqrt(2001 / (12 * 1000 * 1000))
    for score in (density_ratio, calibrated_distance):
        found = [score(part, release=release, reference=reference) for part in (source, others)]
        assert abs(above(*found) - 0.5) < 6 * error
        leaky = [score(part, release=source, reference=reference) for part in (source, others)]
        assert above(*leaky) - 0.5 > 6 * error
