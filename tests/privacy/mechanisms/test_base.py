"""Mechanisms: descriptions that check themselves, survive JSON, and say what they are."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest

from reticent.errors import UsageError
from reticent.evidence import canonical_json
from reticent.privacy import EpsilonDelta, Guarantee, Laplace, Mechanism, SampledGaussian
from reticent.privacy.mechanisms import mechanism_from_dict, mechanism_to_dict

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
            "Expected kind to be one of .*laplace",
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
