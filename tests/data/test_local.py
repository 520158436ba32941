"""Records with noise: what changes, what stays, and what is promised for whom."""

from __future__ import annotations

import json

import numpy as np
import pytest

from reticent.data import Answers, GaussianNoise, LaplaceNoise, LocalNoise, OneHot, Records
from reticent.data.local import sampler_for
from reticent.errors import DataError, UsageError
from reticent.privacy import DiscreteLaplace, Guarantee, RandomisedResponse, Relation, Unit
from reticent.randomness import Randomness

SEED = Randomness.simulated(5)


def table(**more) -> Records:
    draw = np.random.default_rng(0)
    features = np.stack([draw.normal(size=60), draw.integers(0, 4, 60), draw.uniform(size=60)], axis=1)
    more.setdefault("feature_names", ("weight", "colour", "share"))
    return Records(features, draw.integers(0, 3, 60), classes=3, name="table", **more)


def test_labels_alone() -> None:
    records = table()
    noisy = LocalNoise(labels=Answers(1.0))(records, SEED)
    assert (noisy.features == records.features).all()
    assert (noisy.labels != records.labels).any()
    assert (noisy.classes, noisy.name, noisy.feature_names) == (3, "table", records.feature_names)
    promise = noisy.guarantee
    assert promise is not None
    assert promise.only == ("label",)
    assert promise.mechanisms == (RandomisedResponse(1.0, 3),)
    assert (promise.unit, promise.relation, promise.simulated) == (Unit.EXAMPLE, Relation.REPLACE_ONE, True)
    text = promise.text(1e-5)
    assert "differential privacy of the label only" in text
    assert "unit: example (of one, only: label; all else is taken as known)" in text
    assert "any attack on the label, at 1 % false positives" in text
    assert "not covered: the features, and what can be told from them" in text
    assert "label only" in str(promise)


def test_columns_and_whole_records() -> None:
    records = table()
    some = LocalNoise(features={"colour": Answers(1.0, 4), 0: LaplaceNoise(0.5, -3.0, 3.0)})(records, SEED)
    assert some.guarantee is not None
    assert some.guarantee.only == ("weight", "colour")
    assert (some.features[:, 2] == records.features[:, 2]).all()
    assert set(some.features[:, 1]) <= {0.0, 1.0, 2.0, 3.0}
    assert "not covered: the other 1 columns and the labels" in some.guarantee.text(1e-5)
    whole = LocalNoise(
        labels=Answers(1.0),
        features={
            "weight": LaplaceNoise(0.5, -3.0, 3.0),
            "colour": OneHot(1.0, 4),
            "share": GaussianNoise(2.0, 0.0, 1.0),
        },
    )
    noisy = whole(records, SEED)
    assert noisy.guarantee is not None
    assert noisy.guarantee.only == ()
    assert noisy.features.shape == (60, 6)
    assert noisy.feature_names == ("weight", "colour = 0", "colour = 1", "colour = 2", "colour = 3", "share")
    assert set(noisy.features[:, 1:5].ravel()) == {0.0, 1.0}
    kinds = {type(mechanism).__name__ for mechanism in noisy.guarantee.mechanisms}
    assert kinds == {"RandomisedResponse", "DiscreteLaplace", "DiscreteGaussian"}
    # Labels 1, colours 1, weights 0.5, and the Gaussian's part.
    assert noisy.guarantee.epsilon(1e-6) > 2.5
    assert Guarantee.from_dict(json.loads(json.dumps(noisy.guarantee.as_dict()))) == noisy.guarantee
    assert LocalNoise.from_dict(json.loads(json.dumps(whole.as_dict()))) == whole


def test_one_noise_for_all_numbers_of_pictures() -> None:
    pictures = Records(np.linspace(0, 1, 2 * 3 * 4 * 4).reshape(2, 3, 4, 4), [0, 1])
    noise = LocalNoise(features=LaplaceNoise(0.1, 0.0, 1.0))
    noisy = noise(pictures, SEED)
    assert noisy.features.shape == pictures.features.shape
    assert noisy.guarantee is not None
    assert noisy.guarantee.only == ("features",)
    (charge,) = noisy.guarantee.mechanisms
    assert isinstance(charge, DiscreteLaplace)
    assert charge.count == 48
    assert LocalNoise.from_dict(noise.as_dict()) == noise
    with pytest.raises(UsageError, match="a table to name columns of"):
        LocalNoise(features={0: LaplaceNoise(0.1, 0.0, 1.0)})(pictures, SEED)


def test_whole_numbers_stay_whole() -> None:
    tokens = Records(np.arange(12).reshape(6, 2) % 4, [0, 1, 0, 1, 0, 1])
    assert LocalNoise(features=Answers(1.0, 4))(tokens, SEED).features.dtype == np.int64


@pytest.mark.slow
def test_people_with_several_rows_are_charged_for_all_of_them() -> None:
    owners = np.repeat(np.arange(20), 3)
    owners[:2] = 19  # the last person owns five rows
    people = table(unit=Unit.PERSON, owners=owners)
    promise = LocalNoise(labels=Answers(0.5)).guarantee(people)
    assert promise.unit is Unit.PERSON
    assert promise.mechanisms == (RandomisedResponse(0.5, 3, 5),)
    assert promise.epsilon(1e-12) == pytest.approx(2.5, abs=1e-2)
    assert "no person owns more than 5 row(s)" in promise.text(1e-5)
    single = LocalNoise(labels=Answers(0.5)).guarantee(table(unit=Unit.PERSON))
    assert single.mechanisms == (RandomisedResponse(0.5, 3, 1),)


def test_the_guarantee_travels_with_the_records() -> None:
    records = table()
    noisy = LocalNoise(labels=Answers(1.0))(records, SEED)
    assert noisy.take([1, 2, 3]).guarantee == noisy.guarantee
    assert noisy.scaled().guarantee == noisy.guarantee
    assert records.guarantee is None
    assert noisy.joined(records).guarantee is None
    both = noisy.joined(noisy).guarantee
    assert both is not None
    assert both.mechanisms == (RandomisedResponse(1.0, 3, 2),)
    other = LocalNoise(features={"weight": LaplaceNoise(1.0, 0.0, 1.0)})(records, SEED)
    with pytest.raises(UsageError, match="label only/example/replace_one and weight only/example/replace_one"):
        noisy.joined(other)
    with pytest.raises(UsageError, match="records without noise"):
        LocalNoise(labels=Answers(1.0))(noisy, SEED)


def test_simulations_repeat_and_secure_noise_does_not() -> None:
    noise = LocalNoise(labels=Answers(1.0), features={"weight": LaplaceNoise(1.0, -3.0, 3.0)})
    records = table()
    one, two = noise(records, Randomness.simulated(1)), noise(records, Randomness.simulated(1))
    assert one.digest() == two.digest() != noise(records, Randomness.simulated(2)).digest()
    assert noise(records, sampler="exact").digest() != noise(records, sampler="exact").digest()
    secure = noise(records)
    assert secure.guarantee is not None
    assert not secure.guarantee.simulated
    assert "drawn by OpenDP" in secure.guarantee.text(1e-5)
    exact = noise(records, sampler="exact").guarantee
    assert exact is not None
    assert "in whole numbers, exactly" in exact.text(1e-5)


def test_public_facts_stand_in_the_guarantee() -> None:
    noisy = LocalNoise(labels=Answers(1.0))(table(public_facts=("the cut at 3",)), SEED)
    assert noisy.guarantee is not None
    assert "the cut at 3" in noisy.guarantee.assumptions


def test_what_is_refused() -> None:
    records = table()
    for wrong in (
        LocalNoise,
        lambda: LocalNoise(labels=LaplaceNoise(1.0, 0.0, 1.0)),  # type: ignore[arg-type]
        lambda: LocalNoise(features={"weight": 3}),  # type: ignore[dict-item]
        lambda: LocalNoise(features=3),  # type: ignore[arg-type]
        lambda: LocalNoise(features={"height": Answers(1.0, 2)})(records, SEED),
        lambda: LocalNoise(features={7: Answers(1.0, 2)})(records, SEED),
        lambda: LocalNoise(features={0: Answers(1.0, 2), "weight": Answers(1.0, 2)})(records, SEED),
        lambda: LocalNoise(labels=Answers(1.0, 5))(records, SEED),
        lambda: LocalNoise(labels=Answers(1.0))(records, SEED, sampler="opendp"),
        lambda: LocalNoise(labels=Answers(1.0))(records, SEED, sampler="numpy"),
        lambda: LocalNoise(labels=Answers(1.0))(records, 3),  # type: ignore[arg-type]
        lambda: LocalNoise.from_dict({"labels": None}),
    ):
        with pytest.raises(UsageError, match=r"^Expected"):
            wrong()
    with pytest.raises(DataError, match="from 0 to 2 in colour"):
        LocalNoise(features={"colour": Answers(1.0, 3)})(records, SEED)
    assert sampler_for(None, Randomness.secure()) == "opendp"
    assert sampler_for(None, SEED) == sampler_for("exact", Randomness.secure()) == "exact"
