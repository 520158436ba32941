"""What exact noise costs: nanoseconds for each number, and a private step with and without a grid.

Run: python benchmarks/discrete_noise.py [--json] [--repeats 5]

* draws: processor time for a million numbers of `discrete_gaussian` and `discrete_laplace`, beside the floating-point
  Gaussian numbers of `Randomness.normal`, and OpenDP's vector mechanisms (a hundred thousand; extra `local`).
* steps: a private step (forward, backward, clipping, noise, update) of networks on random data, with `Plan(grid=None)`
  and `Plan(grid=2**-20)`; medians of interleaved steps, one thread, processor time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import reticent as rt
from reticent.privacy.discrete import discrete_gaussian, discrete_laplace
from reticent.training import PerExampleModel, PrivateSum

MILLION = 1_000_000
NETWORKS: dict[str, tuple[Callable[[], torch.nn.Module], tuple[int, ...]]] = {
    "linear 64-10": (lambda: torch.nn.Linear(64, 10), (256, 64)),
    "mlp 784-256-256-10": (
        lambda: torch.nn.Sequential(
            torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 256), torch.nn.ReLU(),
            torch.nn.Linear(256, 10),
        ),
        (256, 784),
    ),
    "cnn 3x32x32": (
        lambda: torch.nn.Sequential(
            torch.nn.Conv2d(3, 16, 3, stride=2), torch.nn.GroupNorm(4, 16), torch.nn.ReLU(),
            torch.nn.Conv2d(16, 32, 3, stride=2), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(1568, 10),
        ),
        (64, 3, 32, 32),
    ),
}  # fmt: skip


def spent(task: Callable[[], Any], repeats: int) -> float:
    """Median processor time of a task in seconds."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        task()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def draws(repeats: int) -> list[dict[str, Any]]:
    source, rows = rt.Randomness.secure(), []
    rows.append({"law": "normal (float64)", "ns": round(1e3 * spent(lambda: source.normal(MILLION), repeats), 1)})
    for scale in (1.0, 2.5, 1000.0, 2.0**20, 2.0**28):
        for law, draw in (
            ("gaussian", lambda s=scale: discrete_gaussian(MILLION, deviation=s, randomness=source)),
            ("laplace", lambda s=scale: discrete_laplace(MILLION, scale=s, randomness=source)),
        ):
            rows.append({"law": f"discrete {law}", "scale": scale, "ns": round(1e3 * spent(draw, repeats), 1)})
    try:
        import opendp.prelude as dp
    except ModuleNotFoundError:
        return rows
    dp.enable_features("contrib")
    vector = dp.vector_domain(dp.atom_domain(T="i64"))
    for law, made in (
        ("gaussian", dp.m.make_gaussian(vector, dp.l2_distance(T="i64"), scale=1000.0)),
        ("laplace", dp.m.make_laplace(vector, dp.l1_distance(T="i64"), scale=1000.0)),
    ):
        zeros = [0] * 100_000
        ns = round(1e4 * spent(lambda made=made, zeros=zeros: made(zeros), repeats), 1)
        rows.append({"law": f"opendp {law}", "scale": 1000.0, "ns": ns})
    return rows


def steps(repeats: int) -> list[dict[str, Any]]:
    rows = []
    for name, (build, shape) in NETWORKS.items():
        x, y = torch.randn(shape), torch.randint(0, 10, shape[:1])
        tasks = {}
        for grid in (None, 2.0**-20):
            model = build()
            private = PerExampleModel(model)
            plan = rt.Plan(1.0, dataset_size=60_000, batch_size=shape[0], steps=1, delta=1e-6, grid=grid)
            total = PrivateSum(plan, dict(model.named_parameters()), rt.Randomness.secure())
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            tasks[grid] = lambda m=model, p=private, t=total, o=optimizer, x=x, y=y: step(m, p, t, o, x, y)
        taken: dict[float | None, list[float]] = {grid: [] for grid in tasks}
        for _ in range(2 * repeats):
            for grid, task in tasks.items():
                taken[grid].append(spent(task, 1))
        plain, whole = (1e3 * statistics.median(values[1:]) for values in taken.values())
        size = sum(p.numel() for p in model.parameters())
        rows.append({
            "network": name, "parameters": size, "batch": shape[0], "plain_ms": round(plain, 2),
            "grid_ms": round(whole, 2), "ratio": round(whole / plain, 2),
        })  # fmt: skip
    return rows


def step(model: Any, private: Any, total: Any, optimizer: Any, x: torch.Tensor, y: torch.Tensor) -> None:
    torch.nn.functional.cross_entropy(private(x), y, reduction="sum").backward()
    total.add(private.take())
    for name, gradient in total.finish().items():
        dict(model.named_parameters())[name].grad = gradient
    optimizer.step()
    optimizer.zero_grad()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    np.seterr(all="raise", under="ignore")
    found = {"draws": draws(asked.repeats), "steps": steps(asked.repeats)}
    if asked.json:
        print(json.dumps(found, indent=1))
        return
    for table in found.values():
        for row in table:
            print("  ".join(f"{name} {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
