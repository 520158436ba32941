"""A promise to people: whose rows are drawn, that their gradient is one, and that nobody is promised too much."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from tests.oracles.batches import batches_of
from torch.nn.functional import cross_entropy

import reticent as rt
from reticent.data import Records
from reticent.errors import DataError, UsageError
from reticent.privacy import GroupedGaussian, Poisson, PoissonRows, Relation, SampledGaussian, Unit
from reticent.randomness import Randomness
from reticent.training import private as owned_training
from reticent.training.owning import Owners, units_in, units_of

N = 90
NAMES = np.array([*range(10), *np.repeat(np.arange(10, 30), 4)])  # ten people with one row, twenty with four
X = torch.linspace(-2, 2, 3 * N).reshape(N, 3).sin()
Y = (torch.arange(N) * 7 % 3 == 0).long()
MIXED = Records(X.numpy(), Y.numpy(), owners=NAMES, unit=Unit.PERSON)


def plan_of(**changes):
    values = {"dataset_size": 30, "batch_size": 6, "steps": 8, "delta": 1e-3, "unit": Unit.PERSON, **changes}
    return rt.Plan(values.pop("noise_multiplier", 1.0), **values)


def network():
    model = torch.nn.Linear(3, 2).double()
    with torch.no_grad():
        model.weight.copy_(torch.arange(6.0).reshape(2, 3) / 10)
        model.bias.zero_()
    return model


@settings(max_examples=60, deadline=None)
@given(owners=st.lists(st.integers(0, 6), min_size=1, max_size=30), number=st.integers(1, 6), data=st.data())
def test_each_gives_its_own_rows_as_evenly_as_can_be(owners, number, data):
    known = Owners(owners)
    names = sorted(set(owners))
    units = np.array(data.draw(st.lists(st.integers(0, len(names) - 1), unique=True)), dtype=np.int64)
    rows = known.rows(units, number, Randomness.secure())
    assert rows.shape == (len(units), number)
    for unit, mine in zip(units, rows, strict=True):
        own = np.flatnonzero(np.array(owners) == names[unit])
        times = [int((mine == row).sum()) for row in own]
        assert sum(times) == number
        assert max(times) - min(times) <= 1
    assert (known.count, known.most, len(known)) == (len(names), max(map(owners.count, owners)), len(owners))


def test_which_rows_is_left_to_chance():
    """Two of five rows of each of 4,000 people: ten pairs, equally likely; chi-square, wrong with 1e-6."""
    known = Owners(np.repeat(np.arange(4000), 5))
    rows = np.sort(known.rows(np.arange(4000), 2, Randomness.secure()) % 5, axis=1)
    pairs = {pair: place for place, pair in enumerate(itertools.combinations(range(5), 2))}
    counts = np.bincount([pairs[tuple(row)] for row in rows.tolist()], minlength=10)
    assert ((counts - 400) ** 2 / 400).sum() < chi2.isf(1e-6, 9)
    planted = np.bincount([0] * 500 + [pairs[tuple(row)] for row in rows[500:].tolist()], minlength=10)
    assert ((planted - 400) ** 2 / 400).sum() > chi2.isf(1e-6, 9)


def by_hand(plan, rows_of):
    """DP-SGD over people without noise: the mean gradient over a person's rows, clipped as one."""
    model, source = network(), Randomness.simulated(1).spawn("sampling")
    for number, batch in enumerate(batches_of(30, plan.batch_size, plan.steps, source)):
        totals = [torch.zeros_like(p) for p in model.parameters()]
        for rows in rows_of(batch, number, source):
            loss = cross_entropy(model(X.double()[rows]), Y[rows])
            found = torch.autograd.grad(loss, list(model.parameters()))
            norm = sum(float((g**2).sum()) for g in found) ** 0.5
            for total, gradient in zip(totals, found, strict=True):
                total.add_(gradient * min(1.0, plan.l2_clip_norm / norm))
        with torch.no_grad():
            for parameter, total in zip(model.parameters(), totals, strict=True):
                parameter.sub_(0.5 * total / plan.batch_size)
    return model


@pytest.mark.parametrize("physical", [None, 2])
def test_a_persons_gradient_is_clipped_as_one(physical):
    """Four rows for each person: all of hers for who owns four, and one of them four times for who owns one."""
    plan = plan_of(noise_multiplier=0.0, rows_per_unit=4, l2_clip_norm=0.1)

    def rows_of(batch, number, source):
        return [np.flatnonzero(np.unique(NAMES)[unit] == NAMES) for unit in batch]

    expected = by_hand(plan, rows_of)
    run = rt.train(
        network(), Records(X.double().numpy(), Y.numpy(), owners=NAMES, unit=Unit.PERSON), plan=plan,
        optimizer=lambda p: torch.optim.SGD(p, lr=0.5), randomness=Randomness.simulated(1),
        physical_batch_size=physical,
    )  # fmt: skip
    for one, other in zip(run.model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X.double(), Y), batch_size=6, shuffle=True)
    private = rt.make_private(
        model, optimizer, loader, plan=plan, loss=cross_entropy, owners=NAMES, randomness=Randomness.simulated(1),
        physical_batch_size=physical,
    )  # fmt: skip
    while private.loader.drawn < plan.steps:
        for x, y in private.loader:
            optimizer.zero_grad()
            cross_entropy(private.model(x), y).backward()
            optimizer.step()
    for one, other in zip(model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_fewer_rows_than_she_owns_are_a_choice_at_random():
    plan = plan_of(noise_multiplier=0.0, rows_per_unit=2, l2_clip_norm=0.1)

    def rows_of(batch, number, source):
        return Owners(NAMES).rows(batch, 2, source.spawn(f"rows {number}"))

    expected = by_hand(plan, rows_of)
    run = rt.train(
        network(), Records(X.double().numpy(), Y.numpy(), owners=NAMES, unit=Unit.PERSON), plan=plan,
        optimizer=lambda p: torch.optim.SGD(p, lr=0.5), randomness=Randomness.simulated(1),
    )  # fmt: skip
    for one, other in zip(run.model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_the_promise_is_to_people_and_says_so():
    run = rt.train(torch.nn.Linear(3, 2), MIXED, plan=plan_of(rows_per_unit=3))
    assert run.guarantee.mechanisms == (SampledGaussian(1.0, 0.2, 8),)
    text = run.guarantee.text(1e-3)
    assert "unit: person" in text
    assert "n = 30" in text
    assert "owns one row" not in text
    assert rt.Plan.from_dict(run.plan.as_dict()) == run.plan


def test_rows_are_protected_only_by_name():
    rows = plan_of(unit=Unit.EXAMPLE, dataset_size=N, batch_size=9)
    with pytest.raises(UsageError, match=r"Unit\.EXAMPLE for 90 rows of 30 owners.*example_level=True"):
        rt.train(torch.nn.Linear(3, 2), MIXED, plan=rows)
    run = rt.train(torch.nn.Linear(3, 2), MIXED, plan=rows, example_level=True)
    assert "the promise is to single rows: some people own up to 4" in run.guarantee.assumptions
    model = torch.nn.Linear(3, 2)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), batch_size=9, shuffle=True)

    def start(**more):
        return rt.make_private(
            model, torch.optim.SGD(model.parameters(), lr=0.1), loader, target_epsilon=3.0, target_delta=1e-3,
            epochs=1, owners=NAMES, **more,
        )  # fmt: skip

    with pytest.raises(UsageError, match=r"Unit\.EXAMPLE for 90 rows of 30 owners"):
        start()
    weaker = "the promise is to single rows: some people own up to 4"
    assert weaker in start(example_level=True).guarantee.assumptions
    people = start(unit=Unit.PERSON, rows_per_unit=2)
    assert (people.plan.dataset_size, people.plan.unit, people.plan.rows_per_unit) == (30, Unit.PERSON, 2)


def test_rows_can_be_drawn_and_charged_for_all_that_a_person_owns():
    plan = plan_of(dataset_size=N, batch_size=9, sampling=PoissonRows(4))
    run = rt.train(torch.nn.Linear(3, 2), MIXED, plan=plan)
    assert run.guarantee.mechanisms == (GroupedGaussian(1.0, 0.1, 8, rows=4),)
    assert run.guarantee.epsilon(1e-3) > plan_of(dataset_size=N, batch_size=9).guarantee().epsilon(1e-3)
    with pytest.raises(UsageError, match=r"at most 3 rows for each person, got one with 4.*Records\.limited"):
        rt.train(torch.nn.Linear(3, 2), MIXED, plan=plan_of(dataset_size=N, batch_size=9, sampling=PoissonRows(3)))
    fewer = MIXED.limited(3, Randomness.secure())
    assert len(fewer) == 70
    limited = plan_of(dataset_size=70, batch_size=7, sampling=PoissonRows(3))
    assert rt.train(torch.nn.Linear(3, 2), fewer, plan=limited).guarantee.mechanisms[0].rows == 3
    unknown = rt.train(torch.nn.Linear(3, 2), (X, Y), plan=plan)
    assert "no person owns more than 4 rows" in unknown.guarantee.assumptions


def test_limits_keep_rows_at_random():
    seen = np.zeros(N)
    for _ in range(200):
        kept = MIXED.limited(2, Randomness.secure())
        assert Owners(kept.owners).most == 2
        assert len(kept) == 50
        places = [int(np.flatnonzero((MIXED.features == row).all(1))[0]) for row in kept.features]
        seen[places] += 1
    assert (seen[:10] == 200).all()
    assert 60 <= seen[10:].min() <= seen[10:].max() <= 140  # 100 expected, 7 standard deviations at 50


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"unit": Unit.EXAMPLE, "rows_per_unit": 2}, "unit=example, rows_per_unit=2"),
        ({"unit": Unit.EXAMPLE, "sampling": PoissonRows(2)}, "unit=example"),
        ({"rows_per_unit": 2, "sampling": PoissonRows(2)}, "rows_per_unit=2"),
        ({"rows_per_unit": 0}, "rows_per_unit >= 1"),
        ({"sampling": PoissonRows(2), "relation": Relation.REPLACE_ONE}, "ADD_OR_REMOVE_ONE with PoissonRows"),
    ],
)
def test_plans_that_make_no_sense(changes, text):
    with pytest.raises(UsageError, match=text):
        plan_of(**changes)


def test_owners_that_do_not_fit():
    with pytest.raises(DataError, match="one owner for each of 90 rows, got 3"):
        units_of(plan_of(), [1, 2, 3], N)
    assert Owners(torch.tensor([3, 3, 1])).count == Owners(["a", "b", "a"]).count == 2
    with pytest.raises(DataError, match="one owner for each row"):
        Owners([[1], [2]])
    assert units_of(plan_of(), None, N).assumptions == ("every person owns one row",)
    assert units_in(Unit.PERSON, Poisson(), NAMES, N) == 30
    assert units_in(Unit.PERSON, PoissonRows(4), NAMES, N) == units_in(Unit.PERSON, None, None, N) == N


def test_what_a_person_moves_is_bounded_however_much_she_owns():
    """Neighbouring data sets: the 500 extreme rows of one more person move the clipped sum by the clipping norm."""
    plan = plan_of(noise_multiplier=0.0, rows_per_unit=8, l2_clip_norm=0.5, dataset_size=31, batch_size=31, steps=1)
    names = np.concatenate([NAMES, np.full(500, 99)])
    x = torch.cat([X, 1e3 * torch.ones(500, 3)]).double()
    y = torch.cat([Y, torch.zeros(500, dtype=torch.long)])
    moved = []
    for size, people in ((590, 31), (90, 30)):
        model = network()
        rt.train(
            model, Records(x[:size].numpy(), y[:size].numpy(), owners=names[:size], unit=Unit.PERSON),
            plan=plan_of(
                noise_multiplier=0.0, rows_per_unit=8, l2_clip_norm=0.5, dataset_size=people, batch_size=people, steps=1
            ),
            optimizer=lambda p: torch.optim.SGD(p, lr=1.0), randomness=Randomness.simulated(1),
        )  # fmt: skip
        pairs = zip(model.parameters(), network().parameters(), strict=True)
        moved.append(people * torch.cat([(a - b).detach().reshape(-1) for a, b in pairs]))
    # Eight rows of four are all of them twice: nothing else differs between the two.
    assert float((moved[0] - moved[1]).norm()) <= plan.l2_clip_norm * (1 + 1e-9)
    assert float((moved[0] - moved[1]).norm()) > 0.4


def by_size(examples):
    return torch.utils.data.default_collate(sorted(examples, key=lambda example: float(example[0][0])))


@pytest.mark.parametrize("caught", [True, False])
def test_a_collation_that_sorts_would_let_a_person_move_more(monkeypatch, caught):
    """Without the refusal (planted) her rows stand among those of others, and move more than the clipping norm."""
    if not caught:
        monkeypatch.setattr(owned_training, "order_on_trial", lambda loader, rows: ())
    moved = []
    names = np.repeat(np.arange(31), 4)
    x = torch.cat([X[:, :1].repeat(2, 3)[:120], 1e3 * torch.tensor([[-1.0], [0], [0.2], [1]]).repeat(1, 3)]).double()
    y = torch.cat([torch.arange(120) % 2, torch.tensor([0, 1, 0, 1])])
    for people in (31, 30):
        model, rows = network(), 4 * people
        plan = plan_of(
            noise_multiplier=0.0, rows_per_unit=4, l2_clip_norm=0.05, dataset_size=people, batch_size=people, steps=1
        )
        data = torch.utils.data.TensorDataset(x[:rows], y[:rows])
        loader = torch.utils.data.DataLoader(data, batch_size=people, shuffle=True, collate_fn=by_size)
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        options = {"plan": plan, "owners": names[:rows], "randomness": Randomness.simulated(1)}
        if caught:
            with pytest.raises(UsageError, match="keeps the order of its examples"):
                rt.make_private(model, optimizer, loader, **options)
            continue
        private = rt.make_private(model, optimizer, loader, **options)
        for inputs, targets in private.loader:
            cross_entropy(private.model(inputs), targets).backward()
            optimizer.step()
        pairs = zip(model.parameters(), network().parameters(), strict=True)
        moved.append(people * torch.cat([(a - b).detach().reshape(-1) for a, b in pairs]))
    assert caught or float((moved[0] - moved[1]).norm()) > 3 * 0.05


@pytest.mark.parametrize(("rows", "views", "said"), [(1, 1, False), (4, 1, True), (1, 2, True)])
def test_the_guarantee_says_what_rests_on_the_order(rows, views, said):
    model = network()
    data = torch.utils.data.TensorDataset(X.double(), Y)

    def start(collate):
        loader = torch.utils.data.DataLoader(data, batch_size=6, shuffle=True, collate_fn=collate)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        return rt.make_private(
            model, optimizer, loader, plan=plan_of(rows_per_unit=rows), owners=NAMES, views=views
        )  # fmt: skip

    private = start(None)
    order = "collation keeps the order of the rows (tried on some records)"
    assert (order in private.guarantee.assumptions) == said
    if said:
        with pytest.raises(UsageError, match="keeps the order of its examples"):
            start(by_size)
    else:
        start(by_size)  # every row is clipped by itself: their order is nothing
