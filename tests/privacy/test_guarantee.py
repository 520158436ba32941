"""Guarantees: the edge cases of the page, the trade-off curve, composition, files and words."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import norm

from reticent.errors import UsageError
from reticent.evidence import canonical_json
from reticent.privacy import EpsilonDelta, Guarantee, Laplace, Mechanism, Relation, SampledGaussian, Unit

REPLACE = Relation.REPLACE_ONE
RATES = np.concatenate([[0.0], np.geomspace(1e-9, 0.5, 200), 1 - np.geomspace(0.499, 1e-9, 200), [1.0]])
SAMPLED = SampledGaussian(1.0, 0.01, 1000)
FULL = Guarantee(
    (SAMPLED, Laplace(20.0), EpsilonDelta(0.1, 1e-7)),
    unit=Unit.PERSON,
    relation=REPLACE,
    assumptions=("first", "second"),
    dataset_size=5000,
    simulated=True,
)


@functools.cache
def promise(*mechanisms: Mechanism, relation: Relation = Relation.ADD_OR_REMOVE_ONE) -> Guarantee:
    return Guarantee(mechanisms, relation=relation)


@pytest.mark.parametrize(
    "nothing",
    [
        (),
        (SampledGaussian(1.0, 0.5, 0),),
        (SampledGaussian(1.0, 0.0, 100),),
        (SampledGaussian(0.0, 0.0, 100), Laplace(0.0, 0)),
    ],
)
@pytest.mark.parametrize("relation", Relation)
def test_nothing_released(nothing: tuple[Mechanism, ...], relation: Relation) -> None:
    guarantee = Guarantee(nothing, relation=relation)
    assert guarantee.epsilon(1e-12) == 0
    assert (guarantee.delta(0), guarantee.delta(math.inf), guarantee.advantage()) == (0, 0, 0)
    np.testing.assert_array_equal(guarantee.true_positive_rate(RATES), RATES)


@pytest.mark.parametrize("naked", [SampledGaussian(0.0), SampledGaussian(0.0, 1e-6, 1), Laplace(0.0)], ids=repr)
def test_no_noise(naked: Mechanism) -> None:
    guarantee = Guarantee((SAMPLED, naked))
    assert guarantee.epsilon(0.999) == math.inf
    assert (guarantee.delta(0), guarantee.delta(1e9), guarantee.advantage()) == (1, 1, 1)
    np.testing.assert_array_equal(guarantee.true_positive_rate(RATES), np.ones_like(RATES))


@pytest.mark.parametrize("delta", [0, 1, -1e-5, 3, math.nan, math.inf, "1e-5", None, True])
def test_delta_outside_0_1_is_refused(delta: Any) -> None:
    for guarantee in (promise(SAMPLED), Guarantee()):
        with pytest.raises(UsageError, match="Expected 0 < delta < 1, got delta="):
            guarantee.epsilon(delta)


def test_swapped_epsilon_and_delta_are_noticed() -> None:
    with pytest.raises(UsageError, match=r"got delta=3\. Did you swap epsilon and delta\?"):
        promise(SAMPLED).epsilon(3)


def test_delta_of_one_record_is_refused_when_the_size_is_known() -> None:
    sized = Guarantee((SAMPLED,), dataset_size=1000)
    with pytest.raises(UsageError, match=r"Expected delta < 1/n = 0\.001 for n=1000, got delta=0\.001.*try delta=0"):
        sized.epsilon(1e-3)
    assert sized.epsilon(0.9e-3) == promise(SAMPLED).epsilon(0.9e-3)
    assert promise(SAMPLED).epsilon(1e-3) > 0
    with pytest.raises(UsageError, match="Expected a whole number dataset_size >= 1, got dataset_size=0"):
        Guarantee(dataset_size=0)


@pytest.mark.parametrize("epsilon", [-1e-12, -3, math.nan, "1", None])
def test_epsilon_below_0_is_refused(epsilon: Any) -> None:
    with pytest.raises(UsageError, match=r"Expected epsilon >= 0, got epsilon="):
        promise(SAMPLED).delta(epsilon)


@pytest.mark.parametrize("rate", [-0.01, 1.01, math.nan, [0.1, 2.0], 5])
def test_rates_outside_0_1_are_refused(rate: Any) -> None:
    with pytest.raises(UsageError, match=r"Expected 0 <= false_positive_rate <= 1.*not percentages"):
        promise(SAMPLED).true_positive_rate(rate)


def test_infinite_epsilon_leaves_almost_nothing() -> None:
    assert promise(SampledGaussian(1.0)).delta(math.inf) <= 1e-12
    assert promise(EpsilonDelta(1.0, 1e-3)).delta(math.inf) == pytest.approx(1e-3)


@pytest.mark.parametrize("mu", [0.1, 1.0, 2.5])
def test_curve_of_a_gaussian_is_exact_and_never_below(mu: float) -> None:
    """Dong, Roth and Su (2022), eq. 6: TPR = Phi(Phi^-1(FPR) + mu)."""
    exact = norm.cdf(norm.ppf(RATES) + mu)
    got = promise(SampledGaussian(1 / mu)).true_positive_rate(RATES)
    assert (got - exact).min() >= -1e-9
    assert (got - exact).max() <= 1e-4


@pytest.mark.parametrize(
    "guarantee",
    [
        promise(SAMPLED),
        promise(SampledGaussian(1.5, 0.1, 200)),
        promise(SAMPLED, relation=REPLACE),
        promise(Laplace(1.0)),
        promise(EpsilonDelta(1.0, 1e-3)),
        promise(SAMPLED, Laplace(0.5, 2)),
    ],
    ids=repr,
)
def test_curve_is_a_trade_off_curve(guarantee: Guarantee) -> None:
    grid = np.linspace(0, 1, 501)
    curve = guarantee.true_positive_rate(grid)
    assert (curve >= grid).all()
    assert curve.max() <= 1
    assert curve[-1] == 1
    assert np.diff(curve).min() >= 0, "not monotone"
    # Concave for each of the two data sets that may be named; of the higher of both only where they are alike.
    assert np.diff(curve, 2).max() <= 1e-3, "not concave"
    assert guarantee.true_positive_rate(RATES).min() >= 0
    # The largest gap is the advantage, which is delta at epsilon 0.
    assert guarantee.advantage() == guarantee.delta(0)
    assert (curve - grid).max() == pytest.approx(guarantee.advantage(), abs=2e-3)
    assert (curve - grid).max() <= guarantee.advantage() + 1e-12
    # No attack beats any of the (epsilon, delta) pairs.
    for epsilon in (0.0, 0.3, 1.0, 4.0):
        limit = guarantee.delta(epsilon) + math.exp(epsilon) * grid
        assert (curve <= limit + 1e-3).all()


def test_curve_of_laplace_is_exact() -> None:
    """The most powerful test on Laplace noise of scale 1: a threshold, with slopes e, 1/x and 1/e."""
    grid = np.linspace(0, 1, 301)
    exact = np.where(grid < 1 / (2 * math.e), math.e * grid, 1 - 1 / (4 * math.e * np.maximum(grid, 1e-9)))
    exact = np.where(grid > 0.5, 1 - (1 - grid) / math.e, exact)
    got = promise(Laplace(1.0)).true_positive_rate(grid)
    assert (got - exact).min() >= -1e-9
    assert (got - exact).max() <= 2e-4


def test_curve_of_proven_numbers_is_two_lines_and_their_mirror() -> None:
    """Kairouz, Oh and Viswanath (2015), eq. 4."""
    grid = np.linspace(0, 1, 301)
    up = 1e-3 + math.e * grid
    mirror = 1 - (1 - 1e-3 - grid) / math.e
    got = promise(EpsilonDelta(1.0, 1e-3)).true_positive_rate(grid)
    exact = np.minimum(np.minimum(up, mirror), 1)
    assert (got - exact).min() >= -1e-9
    assert (got - exact).max() <= 1e-4


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3,), (2, 3), (2, 0), (1, 2, 2)])
def test_shapes_are_kept(shape: tuple[int, ...]) -> None:
    rates = np.linspace(0.1, 0.9, math.prod(shape)).reshape(shape)
    got: Any = promise(SAMPLED).true_positive_rate(rates)
    assert np.shape(got) == shape
    assert isinstance(got, float if shape == () else np.ndarray)
    one_by_one = [promise(SAMPLED).true_positive_rate(float(rate)) for rate in rates.reshape(-1)]
    np.testing.assert_array_equal(np.reshape(got, -1), one_by_one)


def test_long_arrays_are_the_same_in_pieces() -> None:
    rates = np.linspace(0, 1, 2500)
    whole: npt.NDArray[np.float64] = promise(SAMPLED).true_positive_rate(rates)
    np.testing.assert_array_equal(whole[1000:1100], promise(SAMPLED).true_positive_rate(rates[1000:1100]))


def test_composition_is_free_of_order_and_merges() -> None:
    parts = [promise(SAMPLED), promise(Laplace(8.0)), promise(SampledGaussian(4.0, 0.1, 10))]
    first, *others = [a.compose(b, c).epsilon(1e-5) for a, b, c in permutations(parts)]
    assert others == pytest.approx([first] * 5, rel=1e-6)
    assert first > max(part.epsilon(1e-5) for part in parts)
    twice = promise(SAMPLED).compose(promise(SAMPLED))
    assert twice.mechanisms == (SampledGaussian(1.0, 0.01, 2000),)
    assert twice == Guarantee((SampledGaussian(1.0, 0.01, 2000),))
    assert promise(SAMPLED).compose() == promise(SAMPLED)
    assert promise(SAMPLED).compose(Guarantee()) == promise(SAMPLED)


def test_gaussians_compose_to_a_gaussian() -> None:
    """sqrt(mu1^2 + mu2^2), exactly."""
    both = promise(SampledGaussian(1 / 0.6)).compose(promise(SampledGaussian(1 / 0.8)))
    assert both.epsilon(1e-5) == pytest.approx(promise(SampledGaussian(1.0)).epsilon(1e-5), abs=3e-4)


def test_composition_keeps_what_must_be_said() -> None:
    a = Guarantee((SAMPLED,), assumptions=("x", "y"), dataset_size=1000)
    b = Guarantee((SAMPLED,), assumptions=("y", "z"), dataset_size=50_000, simulated=True)
    for both in (a.compose(b), b.compose(a)):
        assert both.dataset_size == 50_000
        assert both.simulated
        assert sorted(both.assumptions) == ["x", "y", "z"]
        with pytest.raises(UsageError, match=r"Expected delta < 1/n"):
            both.epsilon(5e-4)  # fine for a alone


@pytest.mark.parametrize("other", [Guarantee(unit=Unit.CLIENT), Guarantee(relation=REPLACE)])
def test_composition_refuses_mixed_promises(other: Guarantee) -> None:
    with pytest.raises(UsageError, match="Expected guarantees for one unit and relation, got example/add_or_remove"):
        promise(SAMPLED).compose(other)


@pytest.mark.parametrize("rate", [0.01, 0.3, 1.0])
def test_replacing_lies_between_removing_and_removing_twice(rate: float) -> None:
    mechanism = SampledGaussian(3.0, rate, 20)
    add, replace = promise(mechanism), promise(mechanism, relation=REPLACE)
    once, twice = add.true_positive_rate(RATES), add.true_positive_rate(add.true_positive_rate(RATES))
    got = replace.true_positive_rate(RATES)
    assert (got >= once - 1e-9).all()
    assert (got <= twice + 1e-4).all()
    assert replace.epsilon(1e-5) >= add.epsilon(1e-5)


def test_immutable() -> None:
    mechanisms = [SAMPLED]
    guarantee = Guarantee(mechanisms, assumptions=["a"])  # type: ignore[arg-type]
    mechanisms.append(SampledGaussian(0.0))
    assert guarantee.mechanisms == (SAMPLED,)
    assert guarantee.assumptions == ("a",)
    with pytest.raises(dataclasses.FrozenInstanceError):
        guarantee.simulated = True  # type: ignore[misc]
    assert hash(guarantee) == hash(Guarantee((SAMPLED,), assumptions=("a",)))


@pytest.mark.parametrize("guarantee", [Guarantee(), FULL, promise(SAMPLED)], ids=["empty", "full", "plain"])
def test_survives_json(guarantee: Guarantee) -> None:
    assert Guarantee.from_dict(guarantee.as_dict()) == guarantee
    assert Guarantee.from_dict(json.loads(json.dumps(guarantee.as_dict()))) == guarantee
    assert Guarantee.from_dict(json.loads(canonical_json(guarantee.as_dict()))) == guarantee


def test_every_field_is_needed_and_no_other_is_read() -> None:
    whole = FULL.as_dict()
    for name in whole:
        with pytest.raises(UsageError, match="Expected the fields of a guarantee"):
            Guarantee.from_dict({key: value for key, value in whole.items() if key != name})
    with pytest.raises(UsageError, match="Expected the fields of a guarantee"):
        Guarantee.from_dict({**whole, "epsilon": 0.1})


@pytest.mark.parametrize(
    "change",
    [
        {"mechanisms": None},
        {"mechanisms": [5]},
        {"mechanisms": [{"kind": "magic"}]},
        {"unit": "row"},
        {"relation": "neighbours"},
        {"assumptions": None},
        {"dataset_size": 0},
    ],
    ids=repr,
)
def test_foreign_dictionaries_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="Expected a guarantee as written by as_dict"):
        Guarantee.from_dict({**FULL.as_dict(), **change})


def test_text_says_everything() -> None:
    text = FULL.text(1e-5)
    lines = text.splitlines()
    assert lines[0].startswith("SIMULATION, no promise")
    written = re.search(r"epsilon = ([\d.]+),", text)
    assert written
    assert FULL.epsilon(1e-5) <= float(written[1]) <= 1.001 * FULL.epsilon(1e-5), "a printed bound is rounded up"
    for words in (
        "delta = 1e-05",
        "unit: person (everything that one person contributed)",
        "neighbouring relation: replace_one",
        "assumes: first",
        "assumes: second",
        *(mechanism.text() for mechanism in FULL.mechanisms),
        "at 1 % false positives",
    ):
        assert words in text
    plain = promise(SAMPLED).text(1e-5)
    assert "SIMULATION" not in plain
    assert "add_or_remove_one" in plain
    assert "none: nothing was released" in Guarantee().text(1e-5)
    with pytest.raises(UsageError, match="Did you swap"):
        FULL.text(2.0)


def test_what_is_promised_for_attributes_only_says_so_and_composes_with_nothing_else() -> None:
    labels = Guarantee((EpsilonDelta(1.0),), relation=Relation.REPLACE_ONE, only=("label",))
    whole = Guarantee((EpsilonDelta(1.0),), relation=Relation.REPLACE_ONE)
    assert "differential privacy of the label only" in labels.text(1e-5)
    assert "everything" not in labels.text(1e-5)
    assert "label only" in str(labels)
    assert "only" not in whole.text(1e-5)
    for one, other in ((labels, whole), (whole, labels)):
        with pytest.raises(UsageError, match=r"one unit and relation, got .*label only/example/replace_one"):
            one.compose(other)
    assert labels.compose(labels).only == ("label",)
    assert Guarantee.from_dict(json.loads(json.dumps(labels.as_dict()))) == labels
    for wrong in ("label", (3,)):
        with pytest.raises(UsageError, match="Expected names of attributes"):
            Guarantee(only=wrong)  # type: ignore[arg-type]
