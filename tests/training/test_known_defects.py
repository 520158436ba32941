"""Defects seen in other libraries, one test each: none of them may occur here.

The names say where each was seen: Opacus 1.6, fastDP 2.1, TF Privacy 0.9 (read, not run, unless an issue is named).
Left out is what cannot occur because the part does not exist here yet (distributed samplers, Lightning, FSDP).
"""

from __future__ import annotations

import copy

import pytest
import torch
from tests.oracles import gradients as oracle
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

import reticent as rt
from reticent.errors import UsageError
from reticent.training import PerExampleModel, PrivateLoader, PrivateSum, clipped_sum
from reticent.training.engine import Gathered
from reticent.training.seeding import seeded

SIZE = 3


@pytest.fixture(autouse=True)
def _fixed_weights():
    with seeded(rt.Randomness.simulated(20)):
        yield


def numbers(*shape):
    return torch.randn(SIZE, *shape, dtype=torch.float64)


def compare(model, x):
    """Gradients, and norms over all parameters, against the loop; gives the gathered gradients back."""
    model = model.double()
    private = PerExampleModel(model)
    (private(x).sin() ** 2).sum().backward()
    expected = oracle.one_by_one(model, (x,), lambda out, i: (out.sin() ** 2).sum())
    (part,) = private.gathered()
    for name, gradient in expected.items():
        torch.testing.assert_close(private.gradients()[name], gradient, rtol=1e-10, atol=1e-13, msg=name)
    norms = sum(part.squared_norms().values())
    torch.testing.assert_close(
        norms, sum((g**2).reshape(SIZE, -1).sum(1) for g in expected.values()), rtol=1e-10, atol=0
    )
    return private


def test_opacus_sampler_leaves_empty_batches_out():
    data = TensorDataset(torch.arange(50))
    loader = PrivateLoader(DataLoader(data), rt.Plan(1.0, 50, 1, 200, delta=1e-3), rt.Randomness.simulated(1))
    sizes = []
    while loader.drawn < 200:
        for (batch,) in loader:
            sizes.append(len(batch))
            loader.stepped()
    assert len(sizes) == 200
    assert 0 in sizes


@pytest.mark.parametrize(("epochs", "size"), [(1, 93), (1, 99), (1, 105), (3, 75), (90, 77)])
def test_opacus_steps_are_truncated_by_floating_point(epochs, size):
    plan = rt.Plan.calibrate(epsilon=50, delta=1e-3, dataset_size=size, batch_size=1, epochs=epochs)
    assert plan.steps == epochs * size


def test_opacus_embedding_trains_the_padding_row():
    private = compare(nn.Embedding(5, 4, padding_idx=2), torch.tensor([[2, 2, 1], [2, 0, 2], [4, 3, 2]]))
    assert not private.gradients()["weight"][:, 2].any()


def test_opacus_embedding_bag_counts_duplicates_once():
    for mode in ("sum", "mean", "max"):
        compare(nn.EmbeddingBag(5, 4, mode=mode), torch.tensor([[1, 1, 1], [2, 2, 0], [4, 3, 4]]))


@pytest.mark.parametrize("mode", ["reflect", "circular", "replicate"])
def test_opacus_convolution_ignores_the_padding_mode(mode):
    compare(nn.Conv2d(2, 3, 3, padding=1, padding_mode=mode), numbers(2, 5, 5))


def test_opacus_layer_norm_without_bias_crashes():
    compare(nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4, bias=False)), numbers(4))


def test_opacus_ghost_linear_of_rank_four_gives_nothing():
    compare(nn.Linear(30, 40), numbers(2, 3, 30))


def test_opacus_ghost_norm_is_stale_for_a_layer_that_is_not_used():
    class Sometimes(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.used = nn.Linear(4, 4), nn.Linear(4, 4), True

        def forward(self, x):
            return self.b(self.a(x)) if self.used else self.a(x)

    model = Sometimes()
    private = compare(model, numbers(4))
    private.forget()
    model.used = False
    private = compare(model, numbers(4))
    assert not private.gradients()["b.weight"].any()


def test_opacus_ghost_norms_are_rounded_under_autocast():
    model, x = nn.Linear(300, 200), torch.randn(SIZE, 60, 300)
    private = PerExampleModel(model)
    with torch.autocast("cpu", torch.bfloat16):
        private(x).sum().backward()
        (part,) = private.gathered()
        norms, dense = part.squared_norms()["weight"], part.dense()["weight"]
    torch.testing.assert_close(norms, dense.double().square().sum((1, 2)), rtol=1e-5, atol=0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
def test_opacus_one_broken_example_poisons_the_sum(bad):
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2))
    x = torch.randn(SIZE, 2, 5, 5)
    broken = x.clone()
    broken[1, 0, 2, 2] = bad
    totals = []
    for inputs in (broken, x[[0, 2]]):
        private = PerExampleModel(copy.deepcopy(model))
        (private(inputs) ** 2).sum().backward()
        total = PrivateSum(rt.Plan(0.0, 100, 1, 1, delta=1e-3), dict(model.named_parameters()), rt.Randomness.secure())
        total.add(private.take())
        totals.append(torch.cat([value.reshape(-1) for value in total.finish().values()]))
    assert bool(torch.isfinite(totals[0]).all())
    moved = float((totals[0] - totals[1]).norm())
    assert moved <= 1 + 1e-5
    if bad != 1e30:
        assert moved < 1e-5


def test_opacus_adaptive_clipping_divides_by_the_actual_batch_and_changes_within_it():
    plan = rt.Plan(0.0, 1000, 10, 5, l2_clip_norm=1.0, delta=1e-4, clipping=rt.Clipping(quantile=0.5))
    moves = []
    for count in (2, 20):
        total = PrivateSum(plan, {"w": torch.zeros(1)}, rt.Randomness.secure())
        for _ in range(2):
            total.add([Gathered.of({"w": torch.full((count // 2, 1), 9.0)})])
            assert total.thresholds == [1.0]  # every part of a batch is clipped to the same threshold
        total.finish()
        moves.append(torch.tensor(total.thresholds).log().item())
    assert moves[1] == pytest.approx(0.2 * 1.0)  # min(1/2 - 20/2/10 ...): all 20 too long, over the expected 10
    assert moves[0] == pytest.approx(0.2 * 0.1)


def test_opacus_accounts_any_sampler_as_poisson_and_drops_weights_silently():
    data = TensorDataset(torch.randn(20, 3), torch.arange(20) % 2)
    model = nn.Linear(3, 2)
    weighted = DataLoader(data, batch_size=5, sampler=WeightedRandomSampler([1.0] * 20, 20))
    with pytest.raises(UsageError, match="would be replaced by Poisson sampling"):
        rt.make_private(
            model, torch.optim.SGD(model.parameters(), lr=1.0), weighted, plan=rt.Plan(1.0, 20, 5, 4, delta=1e-3)
        )
    private = rt.make_private(
        model,
        torch.optim.SGD(model.parameters(), lr=1.0),
        DataLoader(data, batch_size=5),
        plan=rt.Plan(1.0, 20, 5, 4, delta=1e-3),
    )
    sizes = set()
    while private.loader.drawn < 4:
        for x, y in private.loader:
            nn.functional.cross_entropy(private.model(x), y).backward()
            private.optimizer.step()
            sizes.add(len(x))
    assert len(sizes) > 1  # Poisson samples differ in size
    assert "Poisson" in private.guarantee.text(1e-3)


def test_fastdp_tied_weights_are_clipped_by_their_last_use_only():
    table, out = nn.Embedding(40, 30), nn.Linear(30, 40, bias=False)
    out.weight = table.weight
    model = nn.Sequential(table, nn.Tanh(), out).double()
    x = torch.randint(0, 40, (SIZE, 5))
    compare(model, x)
    private = PerExampleModel(model)
    (100 * private(x)).square().sum().backward()
    total = PrivateSum(
        rt.Plan(0.0, 100, 1, 1, l2_clip_norm=0.1, delta=1e-3), dict(model.named_parameters()), rt.Randomness.secure()
    )
    (part,) = private.take()
    for i in range(SIZE):
        total.add([Gathered.of({name: g[i : i + 1] for name, g in part.dense().items()})])
        assert float(total.finish()["0.weight"].norm()) <= 0.1 * (1 + 1e-9)


@pytest.mark.parametrize("groups", [2, 4])
def test_fastdp_grouped_convolution_has_garbage_gradients(groups):
    compare(nn.Conv2d(4, 8, 3, groups=groups), numbers(4, 5, 5))


def test_fastdp_parameters_of_unknown_modules_are_frozen():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.position = nn.Parameter(torch.randn(1, 1, 4)), nn.Parameter(torch.randn(1, 4, 4))

        def forward(self, x):
            return torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position

    private = compare(nn.Sequential(Tokens(), nn.Linear(4, 2)), numbers(3, 4))
    assert all(bool(gradient.any()) for gradient in private.gradients().values())


def test_fastdp_noise_in_the_parameters_precision_and_once_per_part():
    plan = rt.Plan(1.0, 1000, 10, 5, delta=1e-4)
    parameter = torch.zeros(20_000, dtype=torch.bfloat16)
    total = PrivateSum(plan, {"w": parameter}, rt.Randomness.simulated(2))
    for _ in range(4):
        total.add([Gathered.of({"w": torch.zeros(2, 20_000, dtype=torch.bfloat16)})])
    noise = total.finish()["w"]
    assert noise.dtype == torch.float32
    assert len(noise.unique()) > 19_000  # bfloat16 would leave some hundreds of values
    assert float(noise.std()) == pytest.approx(0.1, rel=0.05)  # 10 standard errors of 0.5 %


def test_tf_privacy_norms_of_shared_layers_are_bounded_from_above_only():
    shared = nn.Linear(20, 20)
    compare(nn.Sequential(shared, nn.Tanh(), shared, nn.Tanh(), shared), numbers(20))


def test_opacus_issue_792_ignored_positions_change_the_others_weight():
    """A mean over the positions of the batch that are not ignored is no mean over examples."""
    model, x = nn.Linear(4, 3), torch.randn(6, 5, 4)
    y = torch.randint(0, 3, (6, 5))
    y[0, 1:] = -100

    def loss(outputs, targets):
        return nn.functional.cross_entropy(outputs.flatten(0, 1), targets.flatten(), ignore_index=-100)

    with pytest.raises(UsageError, match="one term per example"):
        rt.check_model(model, (x, y), loss=loss)


def test_opacus_issue_571_the_expected_batch_size_follows_the_private_data():
    """The divisor is the plan's, whatever was drawn."""
    gradients = {"w": torch.ones(7, 2)}
    total, _ = clipped_sum(gradients, l2_clip_norm=10.0)
    step = PrivateSum(
        rt.Plan(0.0, 100, 4, 1, l2_clip_norm=10.0, delta=1e-3), {"w": torch.zeros(2)}, rt.Randomness.secure()
    )
    step.add([Gathered.of(gradients)])
    torch.testing.assert_close(step.finish()["w"], total["w"] / 4)
