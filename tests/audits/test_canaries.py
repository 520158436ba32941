"""Canaries are what they say, coins are fair, and exactly what the coins show is planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

import reticent as rt
from reticent.audits.canaries import blank, coins, mislabelled, plant, surprising
from reticent.errors import DataError, UsageError
from reticent.privacy import Relation, Unit

DRAW = np.random.default_rng(3)
SPARE = rt.Records(DRAW.normal(size=(60, 4)), np.arange(60) % 3, classes=3)
DATA = rt.Records(DRAW.normal(size=(30, 4)), np.arange(30) % 3, classes=3)
SOURCE = rt.Randomness.simulated(2)


def rows_of(records):
    return {(*row.tolist(), int(label)) for row, label in zip(records.features, records.labels, strict=True)}


def test_coins_are_fair():
    heads = int(coins(10_000, rt.Randomness.simulated(0)).sum())
    assert 2 * min(binom.cdf(heads, 10_000, 0.5), binom.sf(heads - 1, 10_000, 0.5)) > 1e-6


def test_mislabelled_records_are_real_ones_with_any_other_label():
    found = mislabelled(SPARE, 60, SOURCE)
    assert (found.records.labels != found.stand_ins.labels).all()
    assert rows_of(found.stand_ins) == rows_of(SPARE)
    np.testing.assert_array_equal(found.records.features, found.stand_ins.features)
    shifts = np.bincount((found.records.labels - found.stand_ins.labels) % 3, minlength=3)
    assert shifts[0] == 0
    assert min(shifts[1:]) > 10
    assert found.labels_only
    assert len(found) == 60


def test_surprising_labels_are_the_least_likely_and_wrong():
    logits = DRAW.normal(size=(4, 3))
    found = surprising(SPARE, 20, lambda x: x @ logits, SOURCE)
    answers = found.records.features @ logits
    for row, label, truth in zip(answers, found.records.labels, found.stand_ins.labels, strict=True):
        assert label == min((k for k in range(3) if k != truth), key=lambda k: row[k])


def test_blank_records_are_constant_each_at_its_own_level():
    images = rt.Records(DRAW.random((20, 3, 3)), np.arange(20) % 2)
    found = blank(images, 15, SOURCE)
    levels = found.records.features.reshape(15, -1)
    assert (levels == levels[:, :1]).all()
    assert len(set(levels[:, 0])) == 15
    assert images.features.min() <= levels.min() < levels.max() <= images.features.max()
    assert set(found.records.labels) == {0, 1}
    assert not found.labels_only
    assert rows_of(found.stand_ins) <= rows_of(images) if images.features.ndim == 2 else True
    with pytest.raises(DataError, match="whole numbers"):
        blank(rt.Records(np.arange(20).reshape(10, 2), np.arange(10) % 2), 5, SOURCE)


def test_what_the_coins_show_is_planted_and_nothing_else():
    canaries = mislabelled(SPARE, 40, SOURCE)
    included = coins(40, SOURCE)
    planted = plant(DATA, canaries, included, SOURCE)
    assert rows_of(planted) == rows_of(DATA) | rows_of(canaries.records.take(included))
    assert len(planted) == 30 + included.sum()
    assert planted.classes == 3
    last = {(*row.tolist(),) for row in planted.features[-10:]}
    assert not last <= {(*row.tolist(),) for row in canaries.records.features}  # in random order


def test_where_neighbours_are_exchanged_stand_ins_take_the_place():
    canaries = mislabelled(SPARE, 40, SOURCE)
    included = coins(40, SOURCE)
    planted = plant(DATA, canaries, included, SOURCE, relation=Relation.REPLACE_ONE)
    expected = rows_of(DATA) | rows_of(canaries.records.take(included)) | rows_of(canaries.stand_ins.take(~included))
    assert rows_of(planted) == expected
    assert len(planted) == 70


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("relation", list(Relation))
def test_all_or_none(value, relation):
    canaries = mislabelled(SPARE, 10, SOURCE)
    planted = plant(DATA, canaries, np.full(10, value), SOURCE, relation=relation)
    assert len(planted) == 30 + (10 if value or relation is Relation.REPLACE_ONE else 0)


def test_canaries_are_people_of_their_own_and_carry_no_promise():
    promise = rt.Guarantee()
    owned = rt.Records(
        DATA.features, DATA.labels, classes=3, owners=[f"p{k // 3}" for k in range(30)], guarantee=promise
    )
    planted = plant(owned, mislabelled(SPARE, 10, SOURCE), np.ones(10, dtype=bool), SOURCE)
    assert planted.unit is Unit.PERSON
    assert planted.owner_count == 10 + 10
    assert planted.guarantee is None
    assert owned.guarantee is promise
    assert owned.owners is not None
    assert owned.owners[0] == "p0"
    counts = np.unique(planted.owner_index(), return_counts=True)[1]
    assert sorted(counts) == [1] * 10 + [3] * 10


def test_misuse_is_refused():
    canaries = mislabelled(SPARE, 10, SOURCE)
    with pytest.raises(DataError, match="at least 61 records"):
        mislabelled(SPARE, 61, SOURCE)
    for wrong in (np.ones(9, dtype=bool), np.ones(10)):
        with pytest.raises(UsageError, match="for each of 10 canaries"):
            plant(DATA, canaries, wrong, SOURCE)
    with pytest.raises(DataError, match="of one shape"):
        plant(rt.Records(DRAW.normal(size=(5, 2)), [0, 1, 0, 1, 0]), canaries, np.ones(10, dtype=bool), SOURCE)
