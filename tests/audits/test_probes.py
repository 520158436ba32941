"""What a probe shows is what was released: exact sums of known gradients, in clipping norms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import reticent as rt
from reticent.audits.probes import SIZE, Kept, Probe, probed, watch
from reticent.errors import UsageError
from reticent.privacy import Banded, Clipping, Cyclic, Poisson, PoissonRows, Relation, Schedule, Streamed, Unit

SOURCE = rt.Randomness.simulated(1)


def plan_of(**more):
    return rt.Plan(**{"noise_multiplier": 1.0, "dataset_size": 40, "batch_size": 10, "steps": 3, "delta": 1e-3, **more})


def everyone(trial):
    """All records in every step, each clipped by hand, without noise."""
    x, _ = trial.data.tensors
    for step in range(trial.plan.steps):
        norm = trial.plan.l2_clip_norm_at(step)
        total = torch.zeros(x.shape[1], dtype=torch.float64)
        for row in x.double():
            total += row * min(1.0, norm / max(float(row.norm()), 1e-300))
        half = len(total) // 2
        for parameter, part in zip(trial.network.parameters(), (total[:half], total[half:]), strict=True):
            parameter.grad = (part / trial.plan.batch_size).float().reshape(parameter.shape)
        trial.optimizer.step()


@pytest.mark.parametrize("schedule", [Schedule(), Schedule(((1, 1.0), (2, 0.25)))])
@pytest.mark.parametrize("norm", [1.0, 0.3])
def test_a_canary_shows_as_one_where_it_is_in(norm, schedule):
    trace = watch(everyone, plan_of(l2_clip_norm=norm, clip_schedule=schedule), canaries=15, randomness=SOURCE)
    assert trace.steps == 3
    np.testing.assert_allclose(trace.canaries, np.tile(trace.included, (3, 1)), atol=1e-5)
    np.testing.assert_allclose(trace.fillers, 25, rtol=1e-5)
    assert not trace.silent.any()


def test_where_neighbours_are_exchanged_the_other_one_is_the_farthest():
    trace = watch(everyone, plan_of(relation=Relation.REPLACE_ONE), canaries=15, randomness=SOURCE)
    np.testing.assert_allclose(trace.canaries, np.tile(np.where(trace.included, 1.0, -1.0), (3, 1)), atol=1e-5)


def test_gradients_are_the_inputs():
    network, x = Probe(3), torch.randn(5, 6)
    for row in x:
        network.zero_grad()
        network(row[None]).mean().backward()
        found = torch.cat([parameter.grad.ravel() for parameter in network.parameters()])
        torch.testing.assert_close(found, row)


def test_records_have_the_lengths_that_they_should_and_lie_anywhere():
    kept = []

    def look(trial):
        kept.append(trial.data.tensors[0].norm(dim=1).numpy())
        everyone(trial)

    trace = watch(look, plan_of(), canaries=20, randomness=SOURCE)
    lengths = np.round(np.sort(kept[0]), 3)
    inside = int(trace.included.sum())
    assert lengths.tolist() == [0.0] * (20 - inside) + [1.0] * 20 + [SIZE] * inside
    assert (np.flatnonzero(kept[0] == 0) > 20).any()
    assert (np.flatnonzero(kept[0] == 0) < 20).any()


def test_coins_and_places_differ_from_run_to_run_and_can_be_repeated():
    traces = [watch(everyone, plan_of(), canaries=30, randomness=rt.Randomness.simulated(s)) for s in (1, 2, 1)]
    assert (traces[0].included != traces[1].included).any()
    assert (traces[0].included == traces[2].included).all()


def test_an_optimizer_that_keeps_moves_nothing():
    network = Probe(2)
    before = [parameter.clone() for parameter in network.parameters()]
    kept = Kept(network.parameters())
    kept.step()  # a part of a batch: nothing is there
    assert kept.released == []
    network(torch.ones(1, 4)).sum().backward()
    kept.step()
    assert [one.tolist() for one in kept.released] == [[1.0] * 4]
    assert all((a == b).all() for a, b in zip(before, network.parameters(), strict=True))
    next(network.parameters()).grad = None
    with pytest.raises(UsageError, match="gradient for every parameter"):
        kept.step()


@pytest.mark.parametrize(
    "changed",
    [
        {"noise_multiplier": 0.0},
        {"clipping": Clipping(quantile=0.5)},
        {"clipping": Clipping(groups={"left": 1.0, "right": 2.0})},
        {"unit": Unit.PERSON, "sampling": PoissonRows(2)},
        {"sampling": Streamed(), "relation": Relation.REPLACE_ONE},
        {"sampling": Cyclic(groups=2), "correlation": Banded((1.0, 0.5))},
    ],
)
def test_plans_whose_law_is_not_written_here_are_refused(changed):
    with pytest.raises(UsageError, match="single rows with independent noise"):
        probed(plan_of(**changed))


def test_misuse_is_refused():
    with pytest.raises(UsageError, match="fewer canaries"):
        watch(everyone, plan_of(), canaries=40, randomness=SOURCE)
    with pytest.raises(UsageError, match="none of its steps"):
        watch(lambda trial: None, plan_of(), canaries=10, randomness=SOURCE)
    with pytest.raises(UsageError, match="numbers as gradients"):
        big = rt.Plan(1.0, dataset_size=100_000, batch_size=100, steps=1, delta=1e-6, sampling=Poisson())
        watch(everyone, big, canaries=50_000, randomness=SOURCE)
