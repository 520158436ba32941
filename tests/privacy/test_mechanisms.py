"""Mechanisms: descriptions that check themselves, survive JSON, and carry a loss that is exact where theory is."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest

from reticent.errors import UsageError
from reticent.evidence import canonical_json
from reticent.privacy import EpsilonDelta, Guarantee, Laplace, Mechanism, Relation, SampledGaussian
from reticent.privacy.mechanisms import mechanism_from_dict, mechanism_to_dict

ADD = Relation.ADD_OR_REMOVE_ONE
REPLACE = Relation.REPLACE_ONE
EXAMPLES = [
    SampledGaussian(1.1, 0.01, 300),
    SampledGaussian(0.7),
    Laplace(2.0, 3),
    EpsilonDelta(0.5, 1e-6, 2),
    EpsilonDelta(0.5),
]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SampledGaussian(-1.0), r"Expected noise_multiplier >= 0, got noise_multiplier=-1.0\."),
        (lambda: SampledGaussian(math.nan), "got noise_multiplier=nan"),
        (lambda: SampledGaussian(math.inf), "got noise_multiplier=inf"),
        (lambda: SampledGaussian(1.0, 1.5), "Expected 0 <= sample_rate <= 1, got sample_rate=1.5"),
        (lambda: SampledGaussian(1.0, 0.1, -1), "Expected a whole number count >= 0, got count=-1"),
        (lambda: SampledGaussian(1.0, 0.1, 1.5), "Expected a whole number count >= 0, got count=1.5"),
        (lambda: Laplace(-0.5), "Expected noise_multiplier >= 0, got noise_multiplier=-0.5"),
        (lambda: Laplace(1.0, True), "got count=True"),
        (lambda: EpsilonDelta(-0.1), "Expected epsilon >= 0, got epsilon=-0.1"),
        (lambda: EpsilonDelta(0.1, 1.0), r"Expected 0 < delta < 1, got delta=1.0\. Did you swap epsilon and delta\?"),
        (lambda: EpsilonDelta(0.1, -1e-9), "Expected 0 < delta < 1, got delta=-1e-09"),
        (lambda: EpsilonDelta(1e-6, 3), "Did you swap epsilon and delta"),
        (lambda: EpsilonDelta(0.1, 0.0, -2), "got count=-2"),
    ],
)
def test_bad_values_are_refused(build: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build()


@pytest.mark.parametrize(
    ("mechanism", "free", "unbounded"),
    [
        (SampledGaussian(1.0, 0.5, 1), False, False),
        (SampledGaussian(0.0, 0.5, 1), False, True),
        (SampledGaussian(0.0, 0.0, 1), True, False),
        (SampledGaussian(0.0, 0.5, 0), True, False),
        (Laplace(1.0), False, False),
        (Laplace(0.0), False, True),
        (Laplace(0.0, 0), True, False),
        (EpsilonDelta(0.0, 0.0), True, False),
        (EpsilonDelta(0.0, 0.1), False, False),
        (EpsilonDelta(1.0, 0.1, 0), True, False),
        (EpsilonDelta(1e6), False, True),
        (EpsilonDelta(1e6, 0.0, 0), True, False),
    ],
)
def test_free_and_unbounded(mechanism: Mechanism, free: bool, unbounded: bool) -> None:
    assert (mechanism.is_free, mechanism.is_unbounded) == (free, unbounded)
    epsilon = Guarantee((mechanism,)).epsilon(1e-5) if not (isinstance(mechanism, EpsilonDelta) and not free) else None
    if epsilon is not None:
        assert (epsilon == 0, epsilon == math.inf) == (free, unbounded)


@pytest.mark.parametrize("mechanism", EXAMPLES, ids=repr)
def test_immutable_and_hashable(mechanism: Mechanism) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        mechanism.count = 0  # type: ignore[misc]
    assert hash(mechanism) == hash(dataclasses.replace(mechanism))


@pytest.mark.parametrize("mechanism", EXAMPLES, ids=repr)
def test_survives_json(mechanism: Mechanism) -> None:
    assert mechanism_from_dict(json.loads(json.dumps(mechanism_to_dict(mechanism)))) == mechanism
    assert mechanism_from_dict(json.loads(canonical_json(mechanism_to_dict(mechanism)))) == mechanism


def test_numpy_numbers_are_kept_as_python_numbers() -> None:
    given = SampledGaussian(np.float32(1.5), np.float64(0.25), np.int64(7))  # type: ignore[arg-type]
    assert given == SampledGaussian(1.5, 0.25, 7)
    assert canonical_json(mechanism_to_dict(given)) == canonical_json(mechanism_to_dict(SampledGaussian(1.5, 0.25, 7)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "sampled_gausian"}, "Did you mean 'sampled_gaussian'"),
        (
            {"kind": None},
            "Expected kind to be one of sampled_gaussian, fixed_size_gaussian, laplace, epsilon_delta, best_of",
        ),
        ({"kind": "laplace"}, "Expected the fields of laplace, got"),
        ({"extra": 1}, "Expected the fields of sampled_gaussian, got"),
        ({"count": "3"}, "Expected a whole number count >= 0, got count='3'"),
        ({"noise_multiplier": None}, "got noise_multiplier=None"),
    ],
)
def test_foreign_dictionaries_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        mechanism_from_dict({**mechanism_to_dict(EXAMPLES[0]), **change})


@pytest.mark.parametrize("mechanism", EXAMPLES, ids=repr)
def test_a_missing_field_is_not_filled_in(mechanism: Mechanism) -> None:
    """A lost `count` would otherwise read as one step."""
    whole = mechanism_to_dict(mechanism)
    for name in set(whole) - {"kind"}:
        with pytest.raises(UsageError, match=f"Expected the fields of {mechanism.kind}"):
            mechanism_from_dict({key: value for key, value in whole.items() if key != name})


@pytest.mark.parametrize("scale", [0.5, 1.0, 4.0])
def test_laplace_is_purely_private(scale: float) -> None:
    """Dwork et al. (2006): epsilon = sensitivity / scale, and twice that when a unit is exchanged."""
    for relation, epsilon in ((ADD, 1 / scale), (REPLACE, 2 / scale)):
        guarantee = Guarantee((Laplace(scale),), relation=relation)
        assert guarantee.epsilon(1e-13) == pytest.approx(epsilon, abs=1e-6)
        assert guarantee.delta(epsilon + 1e-4) <= 1e-14
        assert guarantee.delta(0.0) == pytest.approx(1 - math.exp(-epsilon / 2), abs=1e-7)


def test_laplace_composes() -> None:
    three = Guarantee((Laplace(3.0, 3),))
    assert 1.0 - 1e-6 <= three.epsilon(1e-13) <= 1.0 + 3e-4  # rounded up by at most one interval for each use
    assert three.epsilon(1e-2) < 0.95


@pytest.mark.parametrize("relation", Relation)
def test_proven_numbers_are_given_back(relation: Relation) -> None:
    guarantee = Guarantee((EpsilonDelta(0.7, 1e-6),), relation=relation)
    assert 0.7 - 1e-9 <= guarantee.epsilon(1e-6 * (1 + 1e-9)) <= 0.7 + 1e-4
    assert guarantee.delta(0.7 + 1e-4) == pytest.approx(1e-6, rel=1e-6)
    assert guarantee.epsilon(0.9e-6) == math.inf
    assert Guarantee((EpsilonDelta(0.7),), relation=relation).epsilon(1e-12) == pytest.approx(0.7, abs=1e-4)


@pytest.mark.parametrize("epsilon", [0.00013, 0.5, 0.12345])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_uses_of_a_private_mechanism_compose_as_randomised_response(epsilon: float, count: int) -> None:
    """Kairouz, Oh and Viswanath (2015), theorem 3.3, for delta = 0: a sum over the number of truthful answers."""
    truth, at = 0.0, epsilon * 0.5
    for lies in range(count + 1):
        weight = math.comb(count, lies) / (1 + math.exp(epsilon)) ** count
        ours, theirs = math.exp((count - lies) * epsilon), math.exp(lies * epsilon)
        truth += weight * max(0.0, ours - math.exp(at) * theirs)
    got = Guarantee((EpsilonDelta(epsilon, 0.0, count),)).delta(at)
    assert truth - 1e-12 <= got <= truth + count * 1e-4


def test_losses_of_proven_numbers_add_up_at_most() -> None:
    assert Guarantee((EpsilonDelta(0.1, 1e-7, 10),)).epsilon(1.001e-6) <= 1.0 + 1e-3
    assert Guarantee((EpsilonDelta(0.1, 1e-7, 10),)).epsilon(1e-2) < 0.9
    assert Guarantee((EpsilonDelta(0.0, 0.1, 2),)).delta(0.0) == pytest.approx(1 - 0.9**2, rel=1e-6)


def test_replacing_moves_a_gaussian_sum_twice_as_far() -> None:
    for steps in (1, 7):
        replace = Guarantee((SampledGaussian(2.6, 1.0, steps),), relation=REPLACE)
        add = Guarantee((SampledGaussian(1.3, 1.0, steps),))
        assert replace.epsilon(1e-5) == pytest.approx(add.epsilon(1e-5), rel=1e-6)
        assert replace.delta(0.5) == pytest.approx(add.delta(0.5), rel=1e-5)


@pytest.mark.parametrize(
    ("mechanism", "words"),
    [
        (SampledGaussian(1.1, 0.01, 300), ["300 Gaussian", "Poisson samples at rate 0.01", "noise multiplier 1.1"]),
        (SampledGaussian(0.7), ["1 Gaussian", "all units", "0.7"]),
        (Laplace(2.0, 3), ["3 Laplace", "noise scale 2"]),
        (EpsilonDelta(0.5, 1e-6, 2), ["2 use(s)", "epsilon=0.5", "delta=1e-06"]),
    ],
)
def test_text_names_every_number(mechanism: Mechanism, words: list[str]) -> None:
    assert all(word in mechanism.text() for word in words)
