"""Noisy sums over samples, against closed forms and dp-accounting."""

from __future__ import annotations

import pytest

from reticent.privacy import Guarantee, Relation, SampledGaussian

REPLACE = Relation.REPLACE_ONE


def test_replacing_moves_a_gaussian_sum_twice_as_far() -> None:
    for steps in (1, 7):
        replace = Guarantee((SampledGaussian(2.6, 1.0, steps),), relation=REPLACE)
        add = Guarantee((SampledGaussian(1.3, 1.0, steps),))
        assert replace.epsilon(1e-5) == pytest.approx(add.epsilon(1e-5), rel=1e-6)
        assert replace.delta(0.5) == pytest.approx(add.delta(0.5), rel=1e-5)
