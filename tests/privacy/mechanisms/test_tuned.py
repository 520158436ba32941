"""What choosing among several trainings costs, against dp-accounting."""

from __future__ import annotations

import json
import math

import pytest
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
from dp_accounting.dp_event import RepeatAndSelectDpEvent
from dp_accounting.rdp import RdpAccountant

from reticent.errors import UsageError
from reticent.privacy import BestOf, EpsilonDelta, Guarantee, SampledGaussian


@pytest.mark.parametrize(("mean", "shape"), [(10, 1.0), (10, 0.0), (3, 0.5), (50, 2.0)])
def test_the_best_of_several_runs_costs_what_dp_accounting_says(mean: float, shape: float) -> None:
    one = SampledGaussian(1.5, 0.04, 500)
    tuned = Guarantee((BestOf((one,), mean, shape),))
    base = SelfComposedDpEvent(PoissonSampledDpEvent(0.04, GaussianDpEvent(1.5)), 500)
    wanted = RdpAccountant().compose(RepeatAndSelectDpEvent(base, mean, shape)).get_epsilon(1e-5)
    assert tuned.renyi_epsilon(1e-5) == pytest.approx(wanted, rel=1e-3)
    assert wanted * (1 - 1e-3) <= tuned.epsilon(1e-5) <= wanted * (1 + 2e-3)
    assert tuned.epsilon(1e-5) > Guarantee((one,)).epsilon(1e-5)
    both = tuned.compose(Guarantee((one,)))
    assert tuned.epsilon(1e-5) < both.epsilon(1e-5) < tuned.epsilon(1e-5) + Guarantee((one,)).epsilon(1e-5)
    assert Guarantee.from_dict(json.loads(json.dumps(both.as_dict()))) == both
    assert "the best of" in tuned.text(1e-5)


def test_what_has_no_best() -> None:
    one = SampledGaussian(1.5, 0.04, 500)
    for wrong in (((one,), 1.0), ((one,), 10, -1.0), (("x",), 10)):
        with pytest.raises(UsageError, match=r"^Expected"):
            BestOf(*wrong)  # type: ignore[arg-type]
    assert Guarantee((BestOf((EpsilonDelta(1.0, 1e-6),), 10),)).epsilon(1e-5) == math.inf
    assert Guarantee((BestOf((SampledGaussian(1.0, 0.0, 5),), 10),)).epsilon(1e-5) == 0.0
