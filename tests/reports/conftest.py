"""Real records of tiny audits and comparisons, made once; their noise is simulated unless they say otherwise."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch

import reticent as rt
from reticent.audits import Arm, compare, split
from reticent.data import Records
from reticent.evidence import Record
from reticent.randomness import Randomness

HOSTILE = "<img src=x onerror=alert(1)>"


def _sides(name: str) -> tuple[Records, Records]:
    x = Randomness.simulated(0).normal((90, 60))
    return split(Records(x, x[:, 0] > 0, name=name), Randomness.simulated(1))


def _compared(name: str, randomness: Randomness | None) -> Record:
    members, nonmembers = _sides(name)
    build = functools.partial(torch.nn.Linear, 60, 2)
    plan = rt.Plan.calibrate(epsilon=0.5, delta=1e-3, dataset_size=len(members), batch_size=20, steps=4)
    sgd, adam = functools.partial(torch.optim.SGD, lr=0.5), functools.partial(torch.optim.Adam, lr=0.1)
    arms = [
        Arm("ordinary", rt.Recipe(build, adam, epochs=30, batch_size=64), "ordinary", "As usual."),
        Arm("stopped early", rt.Recipe(build, sgd, epochs=1, batch_size=20), "control", "One pass."),
        Arm("private, epsilon 0.5", rt.Recipe(build, sgd, plan=plan), "private", "With noise."),
    ]
    return compare(members, nonmembers, arms, shadows=8, jobs=1, randomness=randomness).record


def _audited(name: str, **more: Any) -> Record:
    members, nonmembers = _sides("made up")
    trainer = rt.Recipe(
        functools.partial(torch.nn.Linear, 60, 2),
        functools.partial(torch.optim.Adam, lr=0.1),
        epochs=20,
        batch_size=64,
    )
    model = trainer(members, Randomness.simulated(0))
    settings = {"trainer": trainer, "shadows": 8, "jobs": 1, "randomness": Randomness.simulated(0), "name": name}
    return rt.audit(model, members, nonmembers, **{**settings, **more}).record


@pytest.fixture(scope="session")
def records() -> dict[str, Record]:
    return {
        "comparison": _compared("made up", Randomness.simulated(1)),
        "secure comparison": _compared("made up", None),
        "hostile comparison": _compared(HOSTILE, Randomness.simulated(1)),
        "audit": _audited("the model"),
        "audit without trainer": _audited("the model", trainer=None),
        "hostile audit": _audited(HOSTILE),
    }
