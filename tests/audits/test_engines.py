"""The adapters: three ways into one engine, and how another implementation is brought in."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import reticent as rt
from reticent.audits.engines import by_make_private, by_steps, by_train, planned, private_sum, released_by
from reticent.audits.probes import watch
from reticent.audits.whitebox import audit_training
from reticent.privacy import Clipping, FixedSize, Relation

PLAN = rt.Plan(0.8, dataset_size=120, batch_size=12, steps=12, delta=1e-3, l2_clip_norm=0.5)


@pytest.mark.parametrize("adapter", [by_make_private, by_train])
@pytest.mark.parametrize(
    "changed", [{}, {"sampling": FixedSize(), "relation": Relation.REPLACE_ONE}, {"clipping": Clipping("layer")}]
)
def test_the_parts_put_together_are_the_engine(adapter, changed):
    plan = rt.Plan.from_dict({**PLAN.as_dict()})
    plan = type(plan)(**{**{f: getattr(plan, f) for f in plan.__dataclass_fields__}, **changed})
    one, other = (watch(way, plan, canaries=40, randomness=rt.Randomness.simulated(3)) for way in (adapter, by_steps))
    for name in ("canaries", "fillers", "silent"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-4, err_msg=name)


def test_batches_may_be_empty():
    plan = rt.Plan(1.0, dataset_size=60, batch_size=1, steps=20, delta=1e-3)
    sizes = []

    def look(trial):
        sizes.extend(len(rows) for rows in planned(trial))
        by_steps(trial)

    assert watch(look, plan, canaries=20, randomness=rt.Randomness.simulated(0)).steps == 20
    assert min(sizes) == 0


def test_parts_can_be_exchanged():
    def halved(trial):
        release = released_by(private_sum(trial))
        by_steps(trial, released=lambda model, size: {name: g / 2 for name, g in release(model, size).items()})

    whole, half = (watch(way, PLAN, canaries=40, randomness=rt.Randomness.simulated(3)) for way in (by_steps, halved))
    np.testing.assert_allclose(half.silent, whole.silent / 2, rtol=1e-6)


def test_a_loop_of_ones_own_is_an_adapter():
    """DP-SGD written out in a few lines of torch, with torch's own noise and coins."""

    def mine(trial):
        plan, (x, _) = trial.plan, trial.data.tensors
        draw = torch.Generator().manual_seed(trial.randomness.seed())
        parameters = list(trial.network.parameters())
        for _ in range(plan.steps):
            rows = torch.rand(len(x), generator=draw) < plan.sample_rate
            totals = [torch.zeros_like(parameter) for parameter in parameters]
            for row in x[rows]:
                found = torch.autograd.grad(trial.network(row[None]).sum(), parameters)
                length = torch.sqrt(sum((g**2).sum() for g in found))
                for total, gradient in zip(totals, found, strict=True):
                    total.add_(gradient, alpha=min(1.0, plan.l2_clip_norm / max(float(length), 1e-12)))
            for parameter, total in zip(parameters, totals, strict=True):
                noise = torch.randn(total.shape, generator=draw) * plan.noise_multiplier * plan.l2_clip_norm
                parameter.grad = (total + noise) / plan.batch_size
            trial.optimizer.step()

    audit = audit_training(mine, PLAN, canaries=60, confidence=1 - 1e-6, randomness=rt.Randomness.simulated(5))
    assert audit.passed, audit


@pytest.mark.filterwarnings("ignore:Secure RNG turned off:UserWarning", "ignore:Full backward hook:UserWarning")
@pytest.mark.skipif(importlib.util.find_spec("opacus") is None, reason="Opacus is not installed")
def test_opacus_is_an_adapter():
    from opacus import PrivacyEngine

    def by_opacus(trial):
        plan = trial.plan
        network, optimizer, loader = PrivacyEngine().make_private(
            module=trial.network,
            optimizer=trial.optimizer,
            data_loader=DataLoader(trial.data, batch_size=plan.batch_size, shuffle=True),
            noise_multiplier=plan.noise_multiplier,
            max_grad_norm=plan.l2_clip_norm,
        )
        taken = 0
        while taken < plan.steps:
            for x, y in loader:
                if taken == plan.steps:
                    break
                optimizer.zero_grad()
                trial.loss(network(x), y).backward()
                optimizer.step()
                taken += 1

    assert watch(by_opacus, PLAN, canaries=40, randomness=rt.Randomness.simulated(0)).steps == PLAN.steps
