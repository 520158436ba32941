"""Samplers: every law against what theory says of it, and rejected when another sampler is planted in its place."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
import torch
from scipy.stats import binom, chi2, norm
from tests.oracles.batches import batches_of, incidence

import reticent as rt
from reticent.errors import UsageError
from reticent.privacy import (
    AllocatedGaussian,
    Cyclic,
    FixedSize,
    FixedSizeGaussian,
    Poisson,
    RandomAllocation,
    Relation,
    SampledGaussian,
    Sampler,
    Shuffled,
    TruncatedGaussian,
    TruncatedPoisson,
    WithReplacement,
    WithReplacementGaussian,
)
from reticent.randomness import Randomness

ADD, REPLACE = Relation.ADD_OR_REMOVE_ONE, Relation.REPLACE_ONE
SIZE, BATCH, STEPS = 200, 20, 3000
RATE = BATCH / SIZE
ALPHA = 1e-6  # probability of a false alarm, of each test
SAMPLERS = [
    Poisson(),
    TruncatedPoisson(most=30),
    FixedSize(),
    WithReplacement(),
    Shuffled(),
    RandomAllocation(),
    RandomAllocation(uses=3),
    Cyclic(groups=4),
]


def table(sampler, seed=1, steps=STEPS, size=SIZE, batch=BATCH):
    source = Randomness.simulated(seed)
    return incidence(map(np.unique, batches_of(size, batch, steps, source, sampler)), size)


def counts_fit(seen, rate=RATE):
    """Exact binomial bounds on how often each unit is drawn, split over the units."""
    counts, tail = seen.sum(0), ALPHA / (2 * seen.shape[1])
    return binom.ppf(tail, len(seen), rate) <= counts.min() <= counts.max() <= binom.isf(tail, len(seen), rate)


def sizes_vary(seen, rate=RATE):
    """Whether batch sizes vary as n q (1 - q) says: chi-square on squared deviations from n q."""
    statistic = ((seen.sum(1) - seen.shape[1] * rate) ** 2).sum() / (seen.shape[1] * rate * (1 - rate))
    # The binomial's small excess kurtosis (-0.01 here) is far below what widens the bounds.
    return chi2.ppf(ALPHA / 2, len(seen)) <= statistic <= chi2.isf(ALPHA / 2, len(seen))


def rows_are_independent(seen, rate=RATE):
    """Whether neighbouring rows of the table share as many members as independent ones: steps, or units of its T."""
    both, pairs = int((seen[1:] & seen[:-1]).sum()), seen[1:].size
    # Neighbouring pairs share a coin: variance n [q2 (1 - q2) + 2 (q3 - q4)] with powers of q.
    variance = pairs * (rate**2 * (1 - rate**2) + 2 * (rate**3 - rate**4))
    return abs(both - pairs * rate**2) <= norm.isf(ALPHA / 2) * variance**0.5


def test_poisson_is_independent_coins():
    assert counts_fit(table(Poisson(), 1))
    assert sizes_vary(table(Poisson(), 2))
    assert rows_are_independent(table(Poisson(), 3))
    assert rows_are_independent(np.ascontiguousarray(table(Poisson(), 4).T))


@pytest.mark.parametrize("planted", [Shuffled(), RandomAllocation(), FixedSize(), Cyclic(groups=4)], ids=repr)
def test_what_is_planted_for_poisson_is_caught(planted):
    """A shuffle first of all: the usual mistake. Each differs in batch sizes, or in what steps have in common."""
    seen = table(planted, 5)
    assert not (sizes_vary(seen) and rows_are_independent(seen))


def test_poisson_gives_empty_batches_too():
    """P(empty) = 0.9^10 = 0.349: 400 steps give fewer than 90 empties with probability below 1e-7."""
    batches = batches_of(10, 1, 400, Randomness.simulated(6))
    assert len(batches) == 400
    assert sum(len(batch) == 0 for batch in batches) > 90


def test_truncation_cuts_at_random():
    """Batches above 25 of 20 expected are cut to 25 (one in eight), all others are untouched; no unit is favoured."""
    whole, cut = table(Poisson(), 7), table(TruncatedPoisson(most=25), 7)
    full = whole.sum(1) > 25
    assert 0.05 < full.mean() < 0.2
    assert (cut[full].sum(1) == 25).all()
    np.testing.assert_array_equal(cut[~full], whole[~full])
    assert (cut <= whole).all()
    survived, drawn = cut[full].sum(0), whole[full].sum(0)
    share = survived.sum() / drawn.sum()
    statistic = ((survived - share * drawn) ** 2 / (share * (1 - share) * drawn)).sum()
    assert statistic < chi2.isf(ALPHA, SIZE)
    first = np.sort(whole[full].cumsum(1) * whole[full], axis=1)  # planted: the first 25 of each batch survive
    assert first.max() > 25
    planted = (whole[full] & (whole[full].cumsum(1) <= 25)).sum(0)
    assert ((planted - share * drawn) ** 2 / (share * (1 - share) * drawn)).sum() > chi2.isf(ALPHA, SIZE)


def uniform(batches, size, batch_size, alpha=ALPHA):
    """Chi-square tests over all sets, and over the pairs of two batches in a row, wrong with 2 alpha at most."""
    sets = {chosen: place for place, chosen in enumerate(itertools.combinations(range(size), batch_size))}
    seen = np.array([sets[tuple(batch.tolist())] for batch in batches])
    single = np.bincount(seen, minlength=len(sets))
    pairs = np.bincount(seen[:-1:2] * len(sets) + seen[1::2], minlength=len(sets) ** 2)
    return all(
        ((counts - counts.mean()) ** 2 / counts.mean()).sum() < chi2.isf(alpha, len(counts) - 1)
        for counts in (single, pairs)
    )


@pytest.mark.slow
def test_of_fixed_size_every_set_is_as_likely_and_batches_are_independent():
    """20,000 batches of 2 out of 5: ten sets, a hundred pairs of sets. A shuffled pass is rejected (planted fault)."""
    assert uniform(batches_of(5, 2, 20_000, Randomness.secure(), FixedSize()), 5, 2)
    shuffled = [batch for batch in batches_of(5, 2, 30_000, Randomness.secure(), Shuffled()) if len(batch) == 2]
    assert not uniform(shuffled[:20_000], 5, 2)
    assert counts_fit(table(FixedSize(), 8))


def test_draws_with_replacement_are_multinomial():
    """Each of 30 units is drawn Binomial(6 * 2000, 1/30) times, and twice in a batch as often as chance says."""
    batches = batches_of(30, 6, 2000, Randomness.secure(), WithReplacement())
    assert {len(batch) for batch in batches} == {6}
    counts = np.bincount(np.concatenate(batches), minlength=30)
    tail = ALPHA / 60
    assert binom.ppf(tail, 12_000, 1 / 30) <= counts.min() <= counts.max() <= binom.isf(tail, 12_000, 1 / 30)
    distinct = sum(len(np.unique(batch)) == 6 for batch in batches)
    probability = math.prod(1 - k / 30 for k in range(6))
    assert binom.ppf(ALPHA / 2, 2000, probability) <= distinct <= binom.isf(ALPHA / 2, 2000, probability)


def test_a_pass_gives_every_unit_once():
    batches = batches_of(23, 5, 10, Randomness.secure(), Shuffled())
    assert [len(batch) for batch in batches] == [5, 5, 5, 5, 3] * 2
    for turn in (batches[:5], batches[5:]):
        assert sorted(np.concatenate(turn)) == list(range(23))
    assert [batch.tolist() for batch in batches[:5]] != [batch.tolist() for batch in batches[5:]]


@pytest.mark.parametrize("uses", [1, 2, 5])
def test_random_allocation_is_a_uniform_choice_for_each_unit_by_itself(uses):
    """6 steps, so 6 over `uses` equally likely patterns; chi-square over them and over pairs of neighbouring units."""
    size = 30_000
    batches = batches_of(size, size * uses // 6, 12, Randomness.secure(), RandomAllocation(uses))
    seen = incidence(batches, size)
    assert (seen[:6].sum(0) == uses).all()
    assert (seen[6:].sum(0) == uses).all()
    patterns = {p: k for k, p in enumerate(itertools.combinations(range(6), uses))}
    number = len(patterns)

    def of(rounds):
        return np.array([patterns[tuple(np.flatnonzero(column))] for column in rounds.T])

    one, two = of(seen[:6]), of(seen[6:])
    tables = [np.bincount(one, minlength=number), np.bincount(one * number + two, minlength=number**2)]
    tables.append(np.bincount(one[::2] * number + one[1::2], minlength=number**2))
    for counts in tables:
        assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < chi2.isf(ALPHA, len(counts) - 1)


def test_cyclic_groups_take_turns():
    seen = table(Cyclic(groups=4), 9)
    groups = [set(np.flatnonzero(seen[turn::4].any(0))) for turn in range(4)]
    assert set.union(*groups) == set(range(SIZE))
    assert sum(map(len, groups)) == SIZE  # none in two
    # Within a group, and in its turns, coins at four times the rate.
    for turn, group in enumerate(groups):
        mine = seen[turn::4][:, sorted(group)]
        assert counts_fit(mine, 4 * RATE)
        assert rows_are_independent(mine, 4 * RATE)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_charged_for_what_is_drawn(sampler):
    relation = sampler.relations[0]
    plan = rt.Plan(1.5, dataset_size=1000, batch_size=50, steps=110, delta=1e-4, relation=relation, sampling=sampler)
    assert rt.Plan.from_dict(json.loads(json.dumps(plan.as_dict()))) == plan
    mechanisms = plan.guarantee().mechanisms
    wanted = {
        "poisson": (SampledGaussian(1.5, 0.05, 110),),
        "truncated_poisson": (TruncatedGaussian(1.5, 0.05, 110, dataset_size=1000, most=30),),
        "fixed_size": (FixedSizeGaussian(1.5, 0.05, 110),),
        "with_replacement": (WithReplacementGaussian(1.5, 1000, 50, 110),),
        "shuffled": (SampledGaussian(1.5, 1.0, 6),),
        "random_allocation": (AllocatedGaussian(1.5, 20, 6),),
        "cyclic": (SampledGaussian(1.5, 0.2, 28),),
    }
    if sampler == RandomAllocation(uses=3):  # 60 steps a round; two rounds of three blocks of 20
        assert mechanisms == (AllocatedGaussian(1.5, 20, 6),)
    else:
        assert mechanisms == wanted[sampler.kind]
    assert sampler.assumption in plan.guarantee().assumptions
    assert plan.guarantee(steps=0).epsilon(1e-4) == 0.0


def test_uses_that_do_not_divide_a_round_have_blocks_of_two_lengths():
    charge = RandomAllocation(uses=3).mechanisms(1.0, 1000, 43, steps=70)  # 70 steps a round: 23, 23, 24
    assert charge == (AllocatedGaussian(1.0, 23, 2), AllocatedGaussian(1.0, 24, 1))


@pytest.mark.parametrize("sampler", [FixedSize(), WithReplacement(), Shuffled()], ids=repr)
def test_fixed_sizes_are_only_for_exchanged_units(sampler):
    with pytest.raises(UsageError, match=r"Expected relation=Relation\.REPLACE_ONE"):
        rt.Plan(1.0, dataset_size=40, batch_size=7, steps=9, delta=1e-3, sampling=sampler)


def test_what_is_not_covered_is_refused():
    with pytest.raises(UsageError, match=r"Expected relation=Relation\.ADD_OR_REMOVE_ONE with RandomAllocation"):
        rt.Plan(1.0, dataset_size=40, batch_size=7, steps=9, delta=1e-3, relation=REPLACE, sampling=RandomAllocation())
    with pytest.raises(UsageError, match="Expected a Sampler, got sampling='shuffled'"):
        rt.Plan(1.0, dataset_size=40, batch_size=7, steps=9, delta=1e-3, sampling="shuffled")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"groups \* batch_size <= dataset_size"):
        rt.Plan(1.0, dataset_size=40, batch_size=7, steps=9, delta=1e-3, sampling=Cyclic(groups=6))
    for wrong in (lambda: TruncatedPoisson(0), lambda: RandomAllocation(0), lambda: Cyclic(1.5)):
        with pytest.raises(UsageError, match="whole number"):
            wrong()
    for values in ({"kind": "poison"}, {"kind": "cyclic"}, {"kind": "poisson", "most": 3}):
        with pytest.raises(UsageError, match="Expected"):
            Sampler.from_dict(values)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_calibrated_for_what_is_drawn(sampler):
    plan = rt.Plan.calibrate(
        epsilon=2.0, delta=1e-5, dataset_size=5000, batch_size=100, steps=100, relation=sampler.relations[-1],
        sampling=TruncatedPoisson(150) if sampler == TruncatedPoisson(30) else sampler,
    )  # fmt: skip
    assert 1.99 <= plan.guarantee().epsilon(1e-5) <= 2.0


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_both_front_doors_draw_the_same_batches_and_say_so(sampler):
    plan = rt.Plan(
        1.0, dataset_size=40, batch_size=8, steps=7, delta=1e-3, relation=sampler.relations[0], sampling=sampler
    )
    x, y = torch.arange(40.0)[:, None] + torch.zeros(1, 3), torch.arange(40) % 2
    run = rt.train(torch.nn.Linear(3, 2), (x, y), plan=plan)
    assert run.guarantee.mechanisms == plan.guarantee().mechanisms
    model = torch.nn.Linear(3, 2)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=8, shuffle=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    private = rt.make_private(model, optimizer, loader, plan=plan, randomness=Randomness.simulated(1))
    seen = []
    for _ in range(2):
        if private.loader.drawn < plan.steps:
            for a, b in private.loader:
                seen.append(a[:, 0].long().tolist())
                torch.nn.functional.cross_entropy(private.model(a), b).backward()
                private.optimizer.step()
    source = Randomness.simulated(1).spawn("sampling")
    assert seen == [batch.tolist() for batch in batches_of(40, 8, 7, source, sampler)]
    assert private.guarantee.mechanisms == plan.guarantee().mechanisms
    assert sampler.assumption in private.guarantee.text(1e-3)
