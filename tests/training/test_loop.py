"""`train`: private training equals DP-SGD by hand; ordinary training learns; both repeat under a simulation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.oracles import gradients as oracle
from tests.oracles.batches import batches_of
from torch import nn

from reticent.data import Records
from reticent.errors import UsageError
from reticent.evidence import Record
from reticent.privacy import Plan, Unit
from reticent.randomness import Randomness
from reticent.training import Recipe, train
from reticent.training.seeding import seeded

N = 80
DRAW = np.random.default_rng(6)
X = DRAW.normal(size=(N, 4))
Y = (X[:, 0] > 0).astype(np.int64)
DATA = Records(X, Y)
cross_entropy = nn.functional.cross_entropy


def network(*extra):
    with seeded(Randomness.simulated(8)):
        return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), *extra, nn.Linear(5, 2)).double()


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.5)


def plan_of(noise=0.0, **options):
    return Plan(noise, **{"dataset_size": N, "batch_size": 8, "steps": 15, "delta": 1e-3, **options})


def fit(model=None, *, plan=None, seed=1, data=DATA, optimizer=sgd, **options):
    plan = plan_of() if plan is None else plan
    model = network() if model is None else model
    return train(model, data, plan=plan, optimizer=optimizer, randomness=Randomness.simulated(seed), **options)


def assert_same(model, expected, **tolerances):
    for (name, one), other in zip(model.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, **{"rtol": 1e-9, "atol": 1e-11, **tolerances}, msg=name)


def by_hand(plan, seed=1):
    source = Randomness.simulated(seed).spawn("sampling")
    batches = batches_of(N, plan.batch_size, plan.steps, source)
    tensors = torch.from_numpy(X), torch.from_numpy(Y)
    options = {"rate": 0.5, "l2_clip_norm": plan.l2_clip_norm, "expected": plan.batch_size}
    return oracle.private_sgd(network(), cross_entropy, *tensors, batches, **options)


@pytest.mark.parametrize("clip", [0.2, 1.0, 1e6])
@pytest.mark.parametrize("noise", [0.0, 1e-13])
def test_equals_private_sgd_by_hand(clip, noise):
    plan = plan_of(noise, l2_clip_norm=clip)
    run = fit(plan=plan)
    assert (run.steps, run.ignored_examples, run.plan) == (15, 0, plan)
    assert_same(run.model, by_hand(plan), atol=1e-11 + 10 * noise * clip)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_reduction_of_the_loss_does_not_matter(reduction):
    run = fit(loss=lambda out, y: cross_entropy(out, y, reduction=reduction))
    assert_same(run.model, by_hand(plan_of()))


@pytest.mark.parametrize("physical", [1, 3, 8, 500])
def test_physical_batches_change_nothing(physical):
    assert_same(fit(plan=plan_of(0.7), physical_batch_size=physical).model, fit(plan=plan_of(0.7)).model)


def test_noise_is_added_at_every_step_also_when_batches_are_empty():
    """One unit's step of deviation 0.5 per coordinate, 400 times over: the sum's mean square within 5 errors."""
    wide = nn.Linear(4, 2_000, bias=False).double()
    with torch.no_grad():
        wide.weight.zero_()
    plan = Plan(0.5, N, 1, 25, l2_clip_norm=1e-9, delta=1e-3)
    fit(wide, plan=plan, optimizer=lambda p: torch.optim.SGD(p, lr=1e9), loss=lambda out, y: 0 * out.sum())
    moved = wide.weight.detach().numpy()
    assert (moved**2).mean() == pytest.approx(25 * 0.5**2, rel=5 * (2 / moved.size) ** 0.5)


def test_repeats_to_the_bit_under_a_simulation():
    model = [network(nn.Dropout(0.5)) for _ in range(3)]
    for one, seed in zip(model, (4, 4, 5), strict=True):
        fit(one, plan=plan_of(0.7), seed=seed)
    assert_same(model[0], model[1], rtol=0, atol=0)
    assert not torch.equal(model[0][0].weight, model[2][0].weight)


def test_secure_runs_differ():
    first, second = (train(network(), DATA, plan=plan_of(0.7), optimizer=sgd).model for _ in range(2))
    assert not torch.equal(first[0].weight, second[0].weight)


@pytest.mark.parametrize("options", [{"plan": plan_of(0.7)}, {"epochs": 2, "batch_size": 8}])
def test_torchs_own_generator_is_untouched(options):
    before = torch.get_rng_state()
    train(network(nn.Dropout(0.5)), DATA, optimizer=sgd, **options)
    assert torch.equal(torch.get_rng_state(), before)


def test_ordinary_training_learns_and_promises_nothing():
    run = train(network(), DATA, optimizer=lambda p: torch.optim.Adam(p, lr=0.05), epochs=20, batch_size=16)
    accuracy = (run.model(torch.from_numpy(X)).argmax(1).numpy() == Y).mean()
    assert accuracy > 0.95
    assert (run.guarantee, run.plan, run.steps) == (None, None, 100)
    assert not run.model.training


def test_private_training_learns_when_the_noise_is_small():
    run = fit(plan=plan_of(0.3, steps=80))
    assert (run.model(torch.from_numpy(X)).argmax(1).numpy() == Y).mean() > 0.9


def test_ordinary_training_repeats_and_uses_each_record_once_per_pass():
    seen = []

    def loss(outputs, labels):
        seen.append(len(labels))
        return cross_entropy(outputs, labels)

    options = {"optimizer": sgd, "epochs": 2, "batch_size": 30}
    runs = [train(network(), DATA, loss, randomness=Randomness.simulated(2), **options) for _ in range(2)]
    assert seen == [30, 30, 20] * 4
    assert_same(runs[0].model, runs[1].model, rtol=0, atol=0)


def test_the_default_optimizer_is_adam():
    runs = [fit(optimizer=optimizer) for optimizer in (None, lambda p: torch.optim.Adam(p, lr=1e-3))]
    assert_same(runs[0].model, runs[1].model, rtol=0, atol=0)


@pytest.mark.parametrize("options", [{"plan": plan_of(0.7)}, {"plan": None, "epochs": 3, "batch_size": 30}])
def test_progress_is_told(options):
    told = []
    run = train(network(), DATA, optimizer=sgd, progress=lambda *args: told.append(args), **options)
    assert told == [(done, run.steps) for done in range(1, run.steps + 1)]


def test_what_the_guarantee_says():
    data = Records(X, Y, public_facts=["the mean of column 2"])
    simulated = fit(plan=plan_of(1.0), data=data).guarantee
    secure = train(network(), data, plan=plan_of(1.0), optimizer=sgd).guarantee
    assert simulated.text(1e-3).startswith("SIMULATION, no promise")
    assert "SIMULATION" not in secure.text(1e-3)
    assert "assumes: the mean of column 2" in secure.text(1e-3)
    assert "owns one row" not in secure.text(1e-3)
    assert secure.mechanisms[0].count == 15
    assert secure.epsilon(1e-3) == plan_of(1.0).guarantee().epsilon(1e-3)


@pytest.mark.parametrize("unit", [Unit.PERSON, Unit.CLIENT])
def test_a_promise_to_people_is_for_as_many_people_as_there_are(unit):
    plan = plan_of(1.0, unit=unit)
    assert f"every {unit.value} owns one row" in fit(plan=plan).guarantee.assumptions
    fit(plan=plan, data=Records(X, Y, owners=np.arange(N)))
    with pytest.raises(
        ValueError, match=r"a plan for these 40 (person|client) units, got one for 80.*number of people"
    ):
        fit(plan=plan, data=Records(X, Y, owners=np.arange(N) // 2))


def test_the_record_holds_no_data():
    secret = X.copy()
    secret[0, 0] = 1234.5678
    run = fit(plan=plan_of(0.7), data=Records(secret, Y))
    content = run.record.to_json()
    assert Record.from_json(content) == run.record
    assert run.record.body["plan"] == run.plan.as_dict()
    assert run.record.body["guarantee"]["simulated"] is True
    assert b"1234.5678" not in content
    assert b"ignored" not in content
    # A digest would tell whoever knows all other records whether this one is in, which the guarantee says nobody can.
    assert run.record.body["data"] is None
    assert run.data.encode() not in content
    ordinary = train(network(), DATA, epochs=1, batch_size=30).record
    assert (ordinary.body["guarantee"], ordinary.body["data"]) == (None, DATA.digest())


def test_examples_without_a_finite_gradient_are_counted_and_move_nothing():
    def loss(outputs, labels):
        return cross_entropy(outputs, labels) / (labels[0] != 1)  # infinite for one class

    run = fit(loss=loss)
    source = Randomness.simulated(1).spawn("sampling")
    batches = batches_of(N, N // 10, 15, source)
    assert run.ignored_examples == sum(int((Y[rows] == 1).sum()) for rows in batches) > 0
    tensors = torch.from_numpy(X), torch.from_numpy(Y)
    kept = [rows[Y[rows] == 0] for rows in batches]
    expected = oracle.private_sgd(network(), cross_entropy, *tensors, kept, rate=0.5, l2_clip_norm=1.0, expected=8)
    assert_same(run.model, expected)


def test_gradients_left_on_frozen_parameters_are_not_applied():
    model = network()
    cross_entropy(model(torch.from_numpy(X)), torch.from_numpy(Y)).backward()
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    fit(model, optimizer=sgd(model.parameters()))
    assert torch.equal(model[0].weight, before)


def test_a_recipe_repeats_and_builds_afresh():
    recipe = Recipe(lambda: nn.Linear(4, 2), sgd, plan=plan_of(0.7))
    models = [recipe(Records(X.astype(np.float32), Y), Randomness.simulated(seed)) for seed in (3, 3, 4)]
    assert_same(models[0], models[1], rtol=0, atol=0)
    assert not torch.equal(models[0].weight, models[2].weight)
    assert not models[0].training


def test_a_recipe_fits_its_plan_to_other_numbers_of_records():
    recipe = Recipe(network, sgd, plan=plan_of(0.7))
    run = recipe.run(DATA.take(range(40)), Randomness.simulated(3))
    assert (run.plan.dataset_size, run.plan.batch_size, run.plan.steps) == (40, 4, 15)
    assert run.plan.sample_rate == plan_of().sample_rate
    assert run.guarantee.epsilon(1e-3) == pytest.approx(plan_of(0.7).guarantee().epsilon(1e-3))
    both = [int(np.flatnonzero(DATA.labels == k)[0]) for k in (0, 1)]
    tiny = recipe.run(DATA.take([*both, 5]), Randomness.simulated(3))
    assert (tiny.plan.batch_size, tiny.plan.noise_multiplier) == (1, 0.7)


def test_a_recipe_trains_ordinarily_too():
    told = []
    recipe = Recipe(network, sgd, epochs=2, batch_size=40)
    run = recipe.run(DATA, Randomness.simulated(3), progress=lambda *args: told.append(args))
    assert (run.guarantee, told) == (None, [(1, 4), (2, 4), (3, 4), (4, 4)])


@pytest.mark.parametrize(
    ("whole", "part"),
    [
        ({"plan": plan_of(0.7, steps=16)}, {"plan": plan_of(0.7, steps=4)}),
        ({"epochs": 4, "batch_size": 24}, {"epochs": 1, "batch_size": 24}),
    ],
    ids=["private", "ordinary"],
)
def test_a_recipe_is_watched_at_equal_parts_of_the_training_it_always_does(whole, part):
    """The first snapshot is what a training of a quarter of the steps gives, the last what the whole one gives."""
    usual, quarter = (Recipe(lambda: network(nn.Dropout(0.5)), sgd, **how) for how in (whole, part))
    course = usual.snapshots(DATA, Randomness.simulated(3), 4)
    assert len(course) == 4
    assert not any(model.training for model in course)
    for model, recipe in ((course[0], quarter), (course[-1], usual)):
        assert_same(model, recipe(DATA, Randomness.simulated(3)), rtol=0, atol=0)
    assert_same(course[1], usual.snapshots(DATA, Randomness.simulated(3), 2)[0], rtol=0, atol=0)


def test_more_snapshots_than_steps_are_refused():
    recipe = Recipe(network, sgd, epochs=1, batch_size=40)
    assert len(recipe.snapshots(DATA, Randomness.simulated(3), 2)) == 2
    with pytest.raises(UsageError, match="as the training has steps, got count=3 for 2"):
        recipe.snapshots(DATA, Randomness.simulated(3), 3)


ELSEWHERE = nn.Parameter(torch.ones(1))
BAD = X.copy()
BAD[3, 1] = np.nan


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"model": nn.Flatten()}, "trainable parameters, got none"),
        ({"model": network().requires_grad_(False)}, "trainable parameters, got none"),
        ({"model": network(nn.BatchNorm1d(5))}, r"\(BatchNorm1d\) mixes them"),
        ({"plan": plan_of(dataset_size=N + 1)}, "these 80 records, got one for 81"),
        ({"epochs": 3}, "inside the plan"),
        ({"batch_size": 3}, "inside the plan"),
        ({"loss": lambda out, y: out}, "one term per example"),
        ({"optimizer": torch.optim.SGD([ELSEWHERE], lr=1.0)}, "over the parameters of this model only"),
        ({"optimizer": lambda p: torch.optim.SGD([*p, ELSEWHERE], lr=1.0)}, "over the parameters of this model only"),
        ({"data": (BAD, Y)}, r"NaN or infinity in 1 of 80 records \(first at row 3\)"),
        ({"data": DATA.take([])}, "there are no records"),
        ({"physical_batch_size": 0}, "physical_batch_size >= 1"),
    ],
)
def test_what_cannot_be_trained_is_refused(values, text):
    model = values.pop("model", None)
    with pytest.raises(ValueError, match=text):
        fit(model, **values)


@pytest.mark.parametrize("options", [{}, {"epochs": 2}, {"batch_size": 5}, {"epochs": 0, "batch_size": 5}])
def test_ordinary_training_needs_epochs_and_batch_size(options):
    with pytest.raises(ValueError, match="epochs"):
        train(network(), DATA, optimizer=sgd, **options)


def test_randomness_must_be_a_randomness():
    with pytest.raises(ValueError, match="Expected a Randomness"):
        train(network(), DATA, plan=plan_of(), randomness=np.random.default_rng(0))


@pytest.mark.parametrize("options", [{"plan": plan_of(0.7)}, {"plan": None, "epochs": 3, "batch_size": 30}])
def test_an_optimizer_that_asks_several_times_is_refused(options):
    with pytest.raises(UsageError, match="LBFGS, which asks for the loss several times"):
        train(network(), DATA, optimizer=torch.optim.LBFGS, **options)
