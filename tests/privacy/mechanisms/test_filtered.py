"""A filter costs what one Gaussian sum with its separation does."""

from __future__ import annotations

import pytest
from tests.oracles.votes import gaussian_epsilon

from reticent.privacy import GaussianFilter, GNMax, Guarantee, Relation, SampledGaussian
from reticent.privacy.mechanisms import mechanism_from_dict, mechanism_to_dict


@pytest.mark.parametrize("relation", Relation)
@pytest.mark.parametrize("separation", [0.1, 1.0, 3.0])
def test_costs_one_gaussian_sum(separation, relation):
    guarantee = Guarantee((GaussianFilter(separation),), relation=relation)
    exact = gaussian_epsilon(separation, 1e-5)
    assert exact * (1 - 1e-9) <= guarantee.epsilon(1e-5) <= exact * (1 + 1e-4)
    assert guarantee.renyi_epsilon(1e-5) >= exact


def test_filters_compose_with_other_mechanisms():
    both = Guarantee((GaussianFilter(0.6), GNMax(10.0, 32)))  # 0.6^2 + 2 * 32 / 10^2 = 1
    assert both.epsilon(1e-5) == pytest.approx(Guarantee((SampledGaussian(1.0),)).epsilon(1e-5), rel=2e-4)
    assert Guarantee((GaussianFilter(0.6, 4),)).epsilon(1e-5) == pytest.approx(gaussian_epsilon(1.2, 1e-5), rel=2e-4)


def test_an_empty_filter_costs_nothing():
    assert GaussianFilter(0.0).is_free
    assert Guarantee((GaussianFilter(0.0), GaussianFilter(1.0, 0))).epsilon(1e-9) == 0.0
    one = GaussianFilter(0.25, 2)
    assert mechanism_from_dict(mechanism_to_dict(one)) == one
    assert "0.25 standard deviations" in one.text()
