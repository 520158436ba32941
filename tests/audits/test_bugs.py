"""Each bug is wrong in the one way that it says, and is found; the engine that they break is not accused."""

from __future__ import annotations

import numpy as np
import pytest

import reticent as rt
from reticent.audits.bugs import BUGS
from reticent.audits.engines import by_steps
from reticent.audits.probes import watch
from reticent.audits.selftest import PLAN
from reticent.audits.whitebox import audit_training

SMALL = rt.Plan(1.0, dataset_size=200, batch_size=20, steps=20, delta=1e-3)
BY_NAME = {bug.name: bug for bug in BUGS}


def traced(training, seed=1):
    return watch(training, SMALL, canaries=100, randomness=rt.Randomness.simulated(seed))


RIGHT = traced(by_steps)


def ratio_of_noise(trace):
    return float(trace.silent.std() / RIGHT.silent.std())


@pytest.mark.parametrize(
    ("name", "factor"), [("no noise", 0.0), ("half the noise", 0.5), ("noise divided twice", 1 / 20)]
)
def test_noise_of_another_size(name, factor):
    assert ratio_of_noise(traced(BY_NAME[name])) == pytest.approx(factor, rel=1e-5)


def test_noise_that_comes_again():
    each_step, each_run = BY_NAME["same noise each step"], BY_NAME["same noise each run"]
    np.testing.assert_allclose(np.ptp(traced(each_step).silent, axis=0), 0, atol=1e-6)
    np.testing.assert_array_equal(traced(each_run, 1).silent, traced(each_run, 2).silent)
    assert np.ptp(traced(each_run).silent, axis=0).min() > 1


def test_noise_on_one_parameter_is_the_right_noise_there_and_none_elsewhere():
    silent = traced(BY_NAME["noise on one parameter"]).silent
    half = silent.shape[1] // 2
    np.testing.assert_allclose(silent[:, :half], RIGHT.silent[:, :half], rtol=1e-5)
    assert not silent[:, half:].any()


def means(trace):
    """What canaries weigh when they take part: the mean of those that are in, over the sampling rate."""
    return float(trace.canaries[:, trace.included].mean() / SMALL.sample_rate)


@pytest.mark.parametrize(
    ("name", "weight", "tolerance"),
    [
        ("clipping at twice the norm", 2.0, 0.4),
        ("clipping each parameter", np.sqrt(2), 0.4),
        ("no clipping", 100.0, 20.0),
        ("no subsampling", 10.0, 0.4),
        ("fixed batches", 1.0, 0.4),
        ("shuffled batches", 1.0, 0.4),
    ],
)
def test_what_is_left_of_the_engine_is_right(name, weight, tolerance):
    trace = traced(BY_NAME[name])
    assert means(trace) == pytest.approx(weight, abs=tolerance)
    assert ratio_of_noise(trace) == pytest.approx(1.0, rel=1e-4)


def test_clipping_after_averaging_lets_one_record_fill_the_step():
    trace = traced(BY_NAME["clipping after averaging"])
    assert ratio_of_noise(trace) == pytest.approx(1.0, rel=1e-4)
    sums = np.sqrt((trace.canaries**2).sum(axis=1) + trace.fillers**2)
    assert np.median(sums) == pytest.approx(SMALL.batch_size, rel=0.2)  # a mean as long as the threshold


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
@pytest.mark.slow
def test_every_bug_is_found(bug):
    audit = audit_training(bug, PLAN, confidence=0.99, randomness=rt.Randomness.simulated(4))
    assert not audit.passed
    assert bug.what


def test_the_small_plan_is_not_accused_without_a_bug():
    assert audit_training(by_steps, SMALL, confidence=1 - 1e-5, randomness=rt.Randomness.simulated(2)).passed
