"""Batches of fixed size: their law, and the way from a plan to the batches of both front doors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import binom, chi2
from torch.utils.data import DataLoader, TensorDataset

import reticent as rt
from reticent.errors import UsageError
from reticent.privacy import FixedSizeGaussian, Relation
from reticent.randomness import Randomness
from reticent.training.sampling import fixed_size_batches, planned_batches, shuffled_batches

PLAN = rt.Plan(
    1.0, dataset_size=40, batch_size=7, steps=9, delta=1e-3, relation=Relation.REPLACE_ONE, sampling="fixed_size"
)


def uniform(batches, size, batch_size, alpha=1e-6):
    """Chi-square tests over all sets, and over the pairs of two batches in a row, wrong with 2 alpha at most."""
    sets = {chosen: place for place, chosen in enumerate(itertools.combinations(range(size), batch_size))}
    seen = np.array([sets[tuple(batch.tolist())] for batch in batches])
    single = np.bincount(seen, minlength=len(sets))
    pairs = np.bincount(seen[:-1:2] * len(sets) + seen[1::2], minlength=len(sets) ** 2)
    return all(
        ((counts - counts.mean()) ** 2 / counts.mean()).sum() < chi2.isf(alpha, len(counts) - 1)
        for counts in (single, pairs)
    )


def test_every_set_is_as_likely_as_any_other_and_batches_are_independent():
    """20,000 batches of 2 out of 5: ten sets, a hundred pairs of sets. A shuffled pass is rejected (planted fault)."""
    batches = list(fixed_size_batches(5, batch_size=2, steps=20_000, randomness=Randomness.secure()))
    assert uniform(batches, 5, 2)
    shuffled = []
    for epoch in range(10_000):
        passed = shuffled_batches(5, batch_size=2, randomness=Randomness.simulated(1), epoch=epoch)
        shuffled += [np.sort(batch) for batch in passed if len(batch) == 2]
    assert not uniform(shuffled, 5, 2)


def test_inclusion_counts():
    """Each of 30 units is in 2,000 batches of 6 a binomial number of times: outside its range with 1e-6 in all."""
    counts = np.zeros(30)
    for batch in fixed_size_batches(30, batch_size=6, steps=2000, randomness=Randomness.secure()):
        assert len(batch) == len(set(batch.tolist())) == 6
        counts[batch] += 1
    low, high = binom.ppf(1e-6 / 60, 2000, 0.2), binom.isf(1e-6 / 60, 2000, 0.2)
    assert low <= counts.min() <= counts.max() <= high


def test_a_batch_can_be_everything_but_no_more():
    (batch,) = fixed_size_batches(4, batch_size=4, steps=1, randomness=Randomness.secure())
    assert batch.tolist() == [0, 1, 2, 3]
    with pytest.raises(UsageError, match="batch_size <= 4"):
        next(fixed_size_batches(4, batch_size=5, steps=1, randomness=Randomness.secure()))


def test_batches_go_on_where_they_were():
    whole = list(planned_batches(PLAN, steps=9, randomness=Randomness.simulated(2)))
    rest = list(planned_batches(PLAN, steps=4, randomness=Randomness.simulated(2), start=5))
    assert [batch.tolist() for batch in whole[5:]] == [batch.tolist() for batch in rest]
    assert {len(batch) for batch in whole} == {7}


def test_both_front_doors_draw_them_and_say_so():
    x, y = torch.randn(40, 3), torch.arange(40) % 2
    run = rt.train(torch.nn.Linear(3, 2), (x, y), plan=PLAN)
    assert run.guarantee.mechanisms == (FixedSizeGaussian(1.0, 7 / 40, 9),)
    model = torch.nn.Linear(3, 2)
    loader = DataLoader(TensorDataset(x, y), batch_size=7, shuffle=True)
    private = rt.make_private(model, torch.optim.SGD(model.parameters(), lr=0.1), loader, plan=PLAN)
    for a, b in private.loader:
        assert len(a) == 7
        torch.nn.functional.cross_entropy(private.model(a), b).backward()
        private.optimizer.step()
    text = private.guarantee.text(1e-3)
    assert "samples of fixed size without replacement" in text
    assert "no unit twice" in text
    assert "replace_one" in text


def test_removal_has_no_samples_of_the_same_share():
    with pytest.raises(UsageError, match="REPLACE_ONE with batches of fixed size"):
        rt.Plan(1.0, dataset_size=40, batch_size=7, steps=9, delta=1e-3, sampling="fixed_size")
    with pytest.raises(UsageError, match="REPLACE_ONE for samples of fixed size"):
        rt.Guarantee((FixedSizeGaussian(1.0, 0.1, 3),)).epsilon(1e-5)
    with pytest.raises(UsageError, match="sampling"):
        rt.Plan(1.0, dataset_size=40, batch_size=7, steps=9, delta=1e-3, sampling="shuffled")


def test_calibrated_for_what_is_drawn():
    plan = rt.Plan.calibrate(
        epsilon=2.0, delta=1e-5, dataset_size=5000, batch_size=50, steps=400, relation=Relation.REPLACE_ONE,
        sampling="fixed_size",
    )  # fmt: skip
    assert 1.99 <= plan.guarantee().epsilon(1e-5) <= 2.0
    assert rt.Plan.from_dict(plan.as_dict()) == plan
