"""Records, networks and trainings that the tests of fleets share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from reticent.data import Records
from reticent.randomness import Randomness
from reticent.training import Recipe

DRAW = np.random.default_rng(4)


def _table(records: int = 60, columns: int = 5, classes: int = 3) -> Records:
    return Records(DRAW.normal(size=(records, columns)), np.arange(records) % classes)  # float64


def _images(records: int = 40) -> Records:
    return Records(DRAW.normal(size=(records, 2, 9, 9)), np.arange(records) % 3)


@pytest.fixture
def table() -> Records:
    return _table()


@pytest.fixture
def images() -> Records:
    return _images()


@pytest.fixture
def masks(table: Records) -> Any:
    """Six parts of rather different sizes."""
    rates = np.array([0.2, 0.35, 0.5, 0.5, 0.65, 0.9])
    drawn = np.random.default_rng(5).random((6, len(table))) < rates[:, None]
    assert len(set(drawn.sum(axis=1))) >= 5
    return drawn


@pytest.fixture
def streams() -> list[Randomness]:
    return [Randomness.simulated(7).spawn(f"model {k}") for k in range(6)]


def mlp() -> nn.Module:
    """In double precision, so that nothing but the order of sums can differ."""
    return nn.Sequential(
        nn.Linear(5, 7), nn.Tanh(), nn.LayerNorm(7), nn.Linear(7, 40), nn.ReLU(), nn.Linear(40, 3)
    ).double()


@pytest.fixture
def recipe() -> Callable[..., Recipe]:
    def make(build: Any = mlp, optimizer: Any = None, **options: Any) -> Recipe:
        optimizer = functools.partial(torch.optim.Adam, lr=0.02) if optimizer is None else optimizer
        return Recipe(build, optimizer, **{"epochs": 4, "batch_size": 8, **options})

    return make


def alone(recipe: Recipe, pool: Records, masks: Any, streams: list[Randomness]) -> Any:
    """The oracle: what the recipe itself gives, one model after the other, as (models, records, outputs)."""
    said = []
    for mask, stream in zip(masks, streams, strict=True):
        model = recipe(pool.take(mask), stream)
        x = torch.from_numpy(pool.features)
        x = x.to(next(model.parameters()).dtype) if x.is_floating_point() else x
        with torch.no_grad():
            said.append(model(x).numpy())
    return np.stack(said)


@pytest.fixture
def one_by_one() -> Callable[..., Any]:
    return alone
