"""`make_private`: the ordinary loop equals DP-SGD written by hand, and counts what it promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from tests.oracles import gradients as oracle
from tests.oracles.batches import batches_of
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from reticent.errors import BudgetExhausted, UsageError
from reticent.privacy import Plan, Unit
from reticent.randomness import Randomness
from reticent.training import make_private

N = 60
DRAW = np.random.default_rng(5)
X = torch.from_numpy(DRAW.normal(size=(N, 4)))
Y = torch.from_numpy(DRAW.integers(0, 2, N))
cross_entropy = nn.functional.cross_entropy


def network():
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)).double()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
    return model


def plan_of(noise=0.0, *, steps=12, batch_size=6, clip=1.0, size=N, unit=Unit.EXAMPLE):
    return Plan(noise, size, batch_size, steps, l2_clip_norm=clip, unit=unit, delta=1e-3)


def sgd(model, rate=0.5):
    return torch.optim.SGD(model.parameters(), lr=rate)


def loader_of(data=None, **options):
    return DataLoader(TensorDataset(X, Y) if data is None else data, **{"batch_size": 6, "shuffle": True, **options})


def private_of(model=None, *, optimizer=sgd, seed=1, plan=None, loader=None, **options):
    model = network() if model is None else model
    return make_private(
        model,
        optimizer(model),
        loader_of() if loader is None else loader,
        plan=plan_of() if plan is None else plan,
        randomness=Randomness.simulated(seed),
        **options,
    )


def fit(private, *, loss=cross_entropy, scheduler=None):
    """All epochs of the plan, in the ordinary loop; gives the batch sizes back."""
    sizes = []
    while private.loader.drawn < private.plan.steps:
        for x, y in private.loader:
            private.optimizer.zero_grad()
            loss(private.model(x), y).backward()
            private.optimizer.step()
            sizes.append(len(x))
        if scheduler is not None:
            scheduler.step()
    return sizes


def same_batches(plan, seed=1):
    source = Randomness.simulated(seed).spawn("sampling")
    return batches_of(plan.dataset_size, plan.batch_size, plan.steps, source)


def assert_same(model, expected, **tolerances):
    for (name, one), other in zip(model.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, **{"rtol": 1e-9, "atol": 1e-11, **tolerances}, msg=name)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("clip", [0.3, 1e6])
def test_equals_private_sgd_by_hand(reduction, clip):
    plan = plan_of(clip=clip)
    private = private_of(plan=plan, loss_reduction=reduction)
    sizes = fit(private, loss=lambda out, y: cross_entropy(out, y, reduction=reduction))
    batches = same_batches(plan)
    assert sizes == [len(batch) for batch in batches]
    expected = oracle.private_sgd(
        network(), cross_entropy, X, Y, batches, rate=0.5, l2_clip_norm=clip, expected=plan.batch_size
    )
    assert_same(private.model.module, expected)


def test_without_noise_and_clipping_it_is_plain_sgd_on_the_same_batches():
    plan = plan_of(clip=1e9)
    private = private_of(plan=plan)
    fit(private)
    model = network()
    optimizer = sgd(model)
    for rows in same_batches(plan):
        optimizer.zero_grad()
        (cross_entropy(model(X[rows]), Y[rows], reduction="sum") / plan.batch_size).backward()
        optimizer.step()
    assert_same(private.model.module, model)
    assert not torch.allclose(model[0].weight, network()[0].weight)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda model: torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01),
        lambda model: torch.optim.Adam(model.parameters(), lr=0.05),
    ],
    ids=["momentum", "adam"],
)
def test_other_optimizers_see_the_same_gradients(optimizer):
    plan = plan_of(clip=1e9)
    private = private_of(plan=plan, optimizer=optimizer)
    fit(private)
    model = network()
    plain = optimizer(model)
    for rows in same_batches(plan):
        plain.zero_grad()
        (cross_entropy(model(X[rows]), Y[rows], reduction="sum") / plan.batch_size).backward()
        plain.step()
    assert_same(private.model.module, model, rtol=1e-6, atol=1e-9)


def test_schedulers_work():
    plan = plan_of(steps=20)
    model = network()
    optimizer = sgd(model)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    private = make_private(model, optimizer, loader_of(), plan=plan, randomness=Randomness.simulated(1))
    fit(private, scheduler=scheduler)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.125)


class Wide(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        return x[:, 0].double() * self.w.double().mean()


@pytest.mark.parametrize("forward", [True, False])
def test_an_empty_batch_takes_its_step_with_the_whole_noise(forward):
    """Chi-square on 100 000 numbers, level 1e-6; two thirds and three halves of the deviation are rejected."""
    plan = plan_of(2.0, batch_size=1, clip=0.5, steps=200)
    private = private_of(Wide(100_000), plan=plan, optimizer=lambda model: sgd(model, rate=1.0))
    x = next(x for x, _ in _stepping(private) if len(x) == 0)
    with torch.no_grad():
        private.model.module.w.zero_()
    if forward:
        private.model(x).sum().backward()
    private.optimizer.step()
    moved = private.model.module.w.detach().double().numpy()
    planned = plan.noise_multiplier * plan.l2_clip_norm / plan.batch_size
    low, high = chi2.ppf(5e-7, len(moved)), chi2.isf(5e-7, len(moved))
    assert low <= (moved**2).sum() / planned**2 <= high
    for wrong in (2 / 3, 3 / 2):
        assert not low <= (moved**2).sum() / (wrong * planned) ** 2 <= high


def _stepping(private):
    """The loader's batches; for those that are not taken, the loop's other three lines."""
    for x, y in private.loader:
        yield x, y
        if private.model.pending is None and len(x):
            private.model(x).sum().backward()
        private.optimizer.step()


def test_the_guarantee_counts_the_batches_that_were_drawn():
    private = private_of(plan=plan_of(1.0, steps=20))
    assert private.guarantee.epsilon(1e-3) == 0
    for done, (x, y) in enumerate(private.loader, start=1):
        cross_entropy(private.model(x), y).backward()
        private.optimizer.step()
        if done == 3:
            break
    assert private.guarantee.mechanisms[0].count == 3
    assert private.guarantee.epsilon(1e-3) == private.plan.guarantee(steps=3).epsilon(1e-3)
    assert "step 3 of 20" in repr(private)
    next(iter(private.loader))  # drawn, and never stepped on
    assert private.guarantee.mechanisms[0].count == 4


@pytest.mark.parametrize(("epochs", "batch_size"), [(3, 6), (3, 7), (5, 60), (2, 59)])
def test_whole_epochs_give_exactly_that_many_passes(epochs, batch_size):
    private = _calibrated(epochs, batch_size)
    total = 0
    for _ in range(epochs):
        expected = len(private.loader)
        taken = sum(1 for _ in _stepping(private))
        assert taken == expected
        assert abs(taken - N / batch_size) < 1
        total += taken
    assert total == private.plan.steps == math.ceil(epochs * N / batch_size)
    assert private.guarantee.epsilon(1e-3) <= 5.0
    with pytest.raises(BudgetExhausted, match=f"at most {total} steps"):
        next(iter(private.loader))


def _calibrated(epochs, batch_size, **options):
    model = network()
    values = {"target_epsilon": 5.0, "target_delta": 1e-3, "epochs": epochs, **options}
    return make_private(model, sgd(model), loader_of(batch_size=batch_size), **values)


def test_two_iterators_cannot_share_one_budget():
    private = private_of(plan=plan_of(1.0, steps=10))
    one, other = iter(private.loader), iter(private.loader)
    with pytest.raises(UsageError, match="one place at a time"):
        draw([one, other, one], private)
    assert private.loader.drawn == 2


def draw(iterators, private):
    for iterator in iterators:
        next(iterator)
        private.loader.stepped()


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_change_nothing(workers):
    private = private_of(plan=plan_of(0.5), loader=loader_of(num_workers=workers))
    fit(private)
    alone = private_of(plan=plan_of(0.5))
    fit(alone)
    assert_same(private.model.module, alone.model.module, rtol=0, atol=0)


class Rows(Dataset):
    def __len__(self):
        return N

    def __getitem__(self, row):
        return {"x": X[row], "y": Y[row]}


def test_dictionary_batches_also_when_empty():
    plan = plan_of(batch_size=1, steps=60)
    private = private_of(plan=plan, loader=loader_of(Rows()))
    sizes = []
    for batch in private.loader:
        cross_entropy(private.model(batch["x"]), batch["y"]).backward()
        private.optimizer.step()
        sizes.append(len(batch["x"]))
    assert 0 in sizes
    assert sizes == [len(rows) for rows in same_batches(plan)]


def test_the_network_trains_on_the_batches_as_collated():
    def collate(examples):
        return torch.stack([x for x, _ in examples]) * 0, torch.stack([y for _, y in examples])

    private = private_of(loader=loader_of(collate_fn=collate))
    for x, y in private.loader:
        assert not x.any()
        assert x.shape == (len(y), 4)
        cross_entropy(private.model(x), y).backward()
        private.optimizer.step()


def test_batches_without_tensors_are_refused_at_once():
    with pytest.raises(ValueError, match="batches of tensors with the batch in front, got str"):
        private_of(plan=plan_of(batch_size=1, steps=60), loader=loader_of(collate_fn=lambda rows: "text"))


def test_an_example_that_is_not_finite_is_counted_and_moves_nothing():
    bad = X.clone()
    bad[17] = torch.nan
    plan = plan_of(steps=40)
    private = private_of(plan=plan, loader=loader_of(TensorDataset(bad, Y)))
    fit(private, loss=lambda out, y: cross_entropy(out, y, reduction="sum") / max(len(y), 1))
    batches = same_batches(plan)
    assert private.ignored_examples == sum(17 in rows for rows in batches) > 0
    expected = oracle.private_sgd(
        network(), cross_entropy, X, Y, [r[r != 17] for r in batches], rate=0.5, l2_clip_norm=1.0, expected=6
    )
    assert_same(private.model.module, expected)


def test_what_the_guarantee_says():
    text = private_of(plan=plan_of(1.0)).guarantee.text(1e-3)
    assert text.startswith("SIMULATION, no promise")
    assert "the loss is the mean over the batch of one term per example" in text
    assert "owns one row" not in text
    for unit in (Unit.PERSON, Unit.CLIENT):
        assert f"every {unit.value} owns one row" in private_of(plan=plan_of(1.0, unit=unit)).guarantee.text(1e-3)
    assert "SIMULATION" not in _calibrated(1, 6).guarantee.text(1e-3)


def test_repeats_under_a_simulation_and_never_when_secure():
    first, second, other = (private_of(plan=plan_of(0.5), seed=seed) for seed in (1, 1, 2))
    for private in (first, second, other):
        fit(private)
    assert_same(first.model.module, second.model.module, rtol=0, atol=0)
    assert not torch.equal(first.model.module[0].weight, other.model.module[0].weight)


def test_evaluation_between_steps_is_free():
    plain = private_of(plan=plan_of(0.5))
    fit(plain)
    private = private_of(plan=plan_of(0.5))
    for x, y in private.loader:
        with torch.no_grad():
            private.model(X)
        private.model.eval()
        private.model(X)
        private.model.train()
        private.optimizer.zero_grad()
        cross_entropy(private.model(x), y).backward()
        private.optimizer.step()
    while private.loader.drawn < private.plan.steps:
        fit(private)
    assert_same(private.model.module, plain.model.module, rtol=0, atol=0)


@pytest.mark.parametrize("clear", [True, False])
def test_raw_gradients_never_reach_the_optimizer(clear):
    """A penalty on the parameters, or a second loss on the network itself, would be lost: it is refused."""
    private = private_of()
    steps = 0
    with pytest.raises(ValueError, match=r"another one.*weight_decay"):
        for x, y in private.loader:
            if clear:
                private.optimizer.zero_grad()
            cross_entropy(private.model(x), y).backward()
            if steps == 2:
                before = [p.detach().clone() for p in private.model.module.parameters()]
                (1e3 * private.model.module(X)).sum().backward()
            private.optimizer.step()
            steps += 1
    assert steps == 2
    assert all(torch.equal(a, b) for a, b in zip(before, private.model.module.parameters(), strict=True))


def test_a_loop_that_never_clears_gradients_is_the_same():
    """The noisy gradient of the last step is replaced, not added to."""
    private, clean = private_of(), private_of()
    for source in (private, clean):
        for x, y in source.loader:
            if source is clean:
                source.optimizer.zero_grad()
            cross_entropy(source.model(x), y).backward()
            source.optimizer.step()
    assert_same(private.model.module, clean.model.module, rtol=0, atol=0)
