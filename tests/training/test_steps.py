"""Views, augmentation and physical batches, in `train` and in a loop of one's own."""

from __future__ import annotations

import pytest
import torch
from tests.oracles import gradients as oracle
from tests.oracles.batches import batches_of
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import reticent as rt
from reticent.errors import UsageError

N, STEPS = 40, 6
X = torch.randn(N, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = (X[:, 0] > 0).long()
cross_entropy = nn.functional.cross_entropy


def network():
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)).double()
    with torch.no_grad():
        for place, parameter in enumerate(model.parameters()):
            parameter.copy_(torch.linspace(-1, 1 + place, parameter.numel()).reshape(parameter.shape))
    return model


def plan_of(noise=0.0, clip=0.3):
    return rt.Plan(noise, N, 10, STEPS, l2_clip_norm=clip, delta=1e-3)


def trained(noise=0.0, loss=cross_entropy, **options):
    return rt.train(
        network(),
        (X, Y),
        loss,
        plan=plan_of(noise),
        optimizer=lambda p: torch.optim.SGD(p, lr=0.5),
        randomness=rt.Randomness.simulated(1),
        **options,
    ).model


def by_hand(term, rows_of):
    """DP-SGD without noise, where `rows_of(x)` gives an example's views and `term` their average loss."""
    model, source = network(), rt.Randomness.simulated(1).spawn("sampling")
    for batch in batches_of(N, N // 4, STEPS, source):
        totals = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
        for i in batch:
            loss = term(model(rows_of(X[i : i + 1])), Y[i])
            found = dict(zip(totals, torch.autograd.grad(loss, list(model.parameters())), strict=True))
            clipped, _ = oracle.clipped_sum({name: g[None] for name, g in found.items()}, 0.3)
            for name, gradient in clipped.items():
                totals[name] += gradient
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.sub_(0.5 * totals[name] / 10)
    return model


def same(one, other):
    for (name, a), b in zip(one.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11, msg=name)


def mirrored(x):
    """Two views of each row, side by side: as it is, and mirrored."""
    changed = x.clone()
    changed[1::2] = -x[1::2]
    return changed


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_gradient_of_the_average_over_views_is_clipped(reduction):
    expected = by_hand(lambda out, y: cross_entropy(out, y.expand(2)), lambda x: torch.cat([x, -x]))
    loss = nn.CrossEntropyLoss(reduction=reduction)
    same(trained(loss=loss, views=2, augment=mirrored), expected)
    same(trained(loss=loss, views=2, augment=mirrored, physical_batch_size=3), expected)


def test_augmentation_without_views():
    same(trained(augment=lambda x: 2 * x), by_hand(lambda out, y: cross_entropy(out, y.expand(1)), lambda x: 2 * x))


@pytest.mark.parametrize("size", [1, 3, 7, None])
@pytest.mark.parametrize("views", [1, 2])
def test_the_physical_size_changes_nothing(size, views):
    whole = trained(noise=1.0, views=views, physical_batch_size=10**6)
    same(trained(noise=1.0, views=views, physical_batch_size=size), whole)


def test_views_and_augmentation_need_a_plan_and_keep_the_rows():
    with pytest.raises(UsageError, match="views and augment with a plan"):
        rt.train(network(), (X, Y), epochs=1, batch_size=5, views=2)
    with pytest.raises(UsageError, match="augmented inputs"):
        trained(augment=lambda x: x[:1])
    with pytest.raises(UsageError, match="save_every"):
        trained(save_every=0)


@pytest.mark.parametrize(
    "optimizer", [torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop, torch.optim.Adagrad, torch.optim.NAdam]
)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_batch_in_parts_takes_one_step_with_noise_once(optimizer, reduction):
    found = []
    for size in (None, 4, 1):
        model = network()
        loader = DataLoader(TensorDataset(X, Y), batch_size=10, shuffle=True)
        options = {"momentum": 0.9} if optimizer is torch.optim.SGD else {}
        private = rt.make_private(
            model, optimizer(model.parameters(), lr=0.1, **options), loader, plan=plan_of(1.0),
            physical_batch_size=size,            loss_reduction=reduction, randomness=rt.Randomness.simulated(3),
        )  # fmt: skip
        parts = 0
        while private.loader.drawn < STEPS:
            for x, y in private.loader:
                assert size is None or len(x) <= size
                private.optimizer.zero_grad()
                cross_entropy(private.model(x), y, reduction=reduction).backward()
                private.optimizer.step()
                parts += 1
        assert (parts == STEPS) is (size is None)
        found.append((model, private.guarantee))
    for model, guarantee in found[1:]:
        same(model, found[0][0])
        assert guarantee == found[0][1]


def test_leaving_a_batch_between_its_parts_is_refused():
    model = network()
    loader = DataLoader(TensorDataset(X, Y), batch_size=20, shuffle=True)
    private = rt.make_private(
        model, torch.optim.SGD(model.parameters(), lr=0.1), loader, plan=plan_of(), physical_batch_size=2
    )
    for x, y in private.loader:
        cross_entropy(private.model(x), y).backward()
        private.optimizer.step()
        break
    with pytest.raises(UsageError, match="the loop went on without"):
        next(iter(private.loader))


def test_a_refused_step_stays_refused():
    """A loop that catches the error must not go on past the batch."""
    model = network()
    loader = DataLoader(TensorDataset(X, Y), batch_size=20, shuffle=True)
    private = rt.make_private(model, torch.optim.SGD(model.parameters(), lr=0.1), loader, plan=plan_of())
    batches = iter(private.loader)
    x, y = next(batches)
    with pytest.raises(UsageError, match="the model saw"):
        private.optimizer.step()
    with pytest.raises(UsageError, match="the loop went on without"):
        next(batches)
    del x, y


def test_views_in_a_loop_of_ones_own():
    """Every example comes from the data set as often as asked, and its views' average is clipped."""

    class Alternating(torch.utils.data.Dataset):
        calls = 0

        def __len__(self):
            return N

        def __getitem__(self, i):
            self.calls += 1
            return (X[i] if self.calls % 2 else -X[i]), Y[i]

    data = Alternating()
    model = network()
    private = rt.make_private(
        model, torch.optim.SGD(model.parameters(), lr=0.5), DataLoader(data, batch_size=10, shuffle=True),
        plan=plan_of(), views=2, physical_batch_size=4, randomness=rt.Randomness.simulated(1),
    )  # fmt: skip
    data.calls = 0
    while private.loader.drawn < STEPS:
        for x, y in private.loader:
            assert torch.equal(x[::2], -x[1::2])
            cross_entropy(private.model(x), y).backward()
            private.optimizer.step()
    same(model, by_hand(lambda out, y: cross_entropy(out, y.expand(2)), lambda x: torch.cat([x, -x])))
