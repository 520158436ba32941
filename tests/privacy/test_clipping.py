"""What a plan says about clipping: shares, groups, and the price of a private quantile."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent.errors import UsageError
from reticent.privacy import Clipping, Plan

NAMES = ["body.0.weight", "body.0.bias", "body.2.weight", "head.weight", "head.bias", "scale"]


def test_one_group_for_everything_by_default():
    assert Clipping().assigned(NAMES) == (dict.fromkeys(NAMES, 0), [1.0])


def test_layers_are_the_modules_that_own_the_parameters():
    groups, parts = Clipping(groups="layer").assigned(NAMES)
    assert list(groups.values()) == [0, 0, 1, 2, 2, 3]
    assert parts == [0.5] * 4


def test_named_groups_take_the_longest_name_that_fits():
    groups, parts = Clipping(groups={"body": 3.0, "body.2": 4.0}).assigned(NAMES)
    assert list(groups.values()) == [0, 0, 1, 2, 2, 2]
    assert parts == pytest.approx([3 / math.sqrt(26), 4 / math.sqrt(26), 1 / math.sqrt(26)])


@given(st.dictionaries(st.sampled_from(["body", "body.0", "head", "scale"]), st.floats(0.01, 100), min_size=1))
def test_thresholds_add_up_to_the_clipping_norm(shares):
    _, parts = Clipping(groups=shares).assigned(NAMES)
    assert sum(part**2 for part in parts) == pytest.approx(1.0)


def test_a_group_without_parameters_is_refused():
    with pytest.raises(UsageError, match="begin with 'tail', got none"):
        Clipping(groups={"tail": 1.0}).assigned(NAMES)


@given(st.floats(0.05, 50), st.integers(1, 10_000), st.integers(1, 200))
def test_counts_and_gradients_together_cost_what_the_plan_says(noise, batch_size, groups):
    """Andrew et al. (2021), theorem 1: 1/z^2 = 1/z_gradients^2 + groups / (2 sigma_counts)^2."""
    how = Clipping(quantile=0.5)
    counts = how.count_noise(noise, batch_size, groups=groups)
    gradients = how.gradient_noise_multiplier(noise, batch_size, groups=groups)
    assert gradients**-2 + groups * (0.5 / counts) ** 2 == pytest.approx(noise**-2)
    assert noise <= gradients <= 1.03 * noise


@pytest.mark.parametrize("how", [Clipping(), Clipping(normalised=True), Clipping(groups="layer")])
def test_without_a_quantile_the_gradients_get_the_planned_noise(how):
    assert how.gradient_noise_multiplier(1.3, 10, groups=3) == 1.3


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"groups": "layers"}, "groups"),
        ({"groups": {}}, "a mapping of names to shares"),
        ({"groups": {"head": 0.0}}, "head"),
        ({"quantile": 1.0}, "quantile"),
        ({"quantile": 0.5, "normalised": True}, "got both"),
        ({"learning_rate": 0.0}, "learning_rate"),
    ],
)
def test_values_out_of_range_are_refused(options, text):
    with pytest.raises(UsageError, match=text):
        Clipping(**options)


@pytest.mark.parametrize("how", [Clipping(), Clipping({"head": 2}, quantile=0.4), Clipping("layer", normalised=True)])
def test_a_plan_carries_it_through_plain_values(how):
    plan = Plan(1.0, 1000, 50, 10, delta=1e-4, clipping=how)
    assert Plan.from_dict(plan.as_dict()) == plan
    assert plan.guarantee() == Plan(1.0, 1000, 50, 10, delta=1e-4).guarantee()


def test_anything_else_in_a_plan_is_refused():
    with pytest.raises(UsageError, match="Expected a Clipping"):
        Plan(1.0, 1000, 50, 10, delta=1e-4, clipping="flat")
    with pytest.raises(UsageError, match="fields of clipping"):
        Clipping.from_dict({"groups": "all"})
