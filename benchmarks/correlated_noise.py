"""What correlated noise spares: errors of prefix sums at equal privacy, beside published figures; cost; one training.

Run: python benchmarks/correlated_noise.py [--json] [--only errors,amplified,published,cost,training]
     [--seeds 10] [--epsilons 2,8] [--passes 20]

* errors: root mean square (and largest) error of the prefix sums of 1,000 steps at noise multiplier 1 (equal privacy by
  definition: the noise is as large as the sensitivity), where every unit takes part once, and where it takes part ten
  times, 100 steps apart. `least_dense` is the least mean error of any factorisation (one participation; Denisov et al.,
  2022, theorem 3.2, and the dual bound below it).
* amplified: the same errors at equal epsilon, when batches are sampled: Poisson samples and independent noise (DP-SGD),
  groups taking turns with as many bands as groups (BandMF), and a fixed order without amplification (bands, buffers).
* published: what others found for the same encoders, beside ours.
* cost: processor time of making noise, for each parameter and step, and of finding encoders.
* training: accuracy on handwritten digits at equal epsilon, several seeds, with 95 % intervals.

One thread; processor time.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.stats import t as student
from torch import nn

import reticent as rt
from reticent.data import load
from reticent.privacy import Banded, BufferedToeplitz, Correlation, Cyclic, Plan, prefix_error
from reticent.training.noise import NoiseStream
from reticent.training.seeding import seeded

STEPS = 1000
ONCE = {"separation": STEPS, "participations": 1}
TENFOLD = {"separation": 100, "participations": 10}
PARTS = ("errors", "amplified", "published", "cost", "training")


def processor(task: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of a task, and what it gives."""
    start = time.process_time()
    found = task()
    return time.process_time() - start, found


def dense_optimum(steps: int, rounds: int = 40) -> tuple[float, float]:
    """The least mean error of any factorisation with one participation, and a bound below it."""
    prefix = np.tril(np.ones((steps, steps)))
    gram = prefix.T @ prefix
    dual = np.ones(steps)
    for _ in range(rounds):
        roots = np.sqrt(dual)
        values, vectors = np.linalg.eigh(roots[:, None] * gram * roots)
        middle = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
        dual = np.diag(middle).copy()
    below = 2 * np.trace(middle) - dual.sum()
    encoded = middle / roots[:, None] / roots
    scales = np.sqrt(np.diag(encoded))
    least = np.trace(gram @ np.linalg.inv(encoded / np.outer(scales, scales)))
    return math.sqrt(least / steps), math.sqrt(below / steps)


def encoders(participation: dict[str, int]) -> dict[str, Callable[[], Correlation]]:
    """Names and makers of the encoders that are compared."""
    made: dict[str, Callable[[], Correlation]] = {"independent": Banded.independent}
    made["square root, all bands"] = lambda: Banded.square_root(STEPS)
    for bands in (2, 4, 8, 16, 32, 64, 100, STEPS):
        made[f"bands {bands}"] = lambda bands=bands: Banded.optimal(STEPS, bands, **participation)
        made[f"square root, bands {bands}"] = lambda bands=bands: Banded.square_root(bands)
    for buffers in (1, 2, 3, 4, 5):
        made[f"buffers {buffers}"] = lambda buffers=buffers: BufferedToeplitz.optimal(STEPS, buffers, **participation)
    return made


def errors() -> dict[str, Any]:
    """Errors at noise multiplier 1."""
    result: dict[str, Any] = {}
    for name, participation in (("once", ONCE), ("ten times", TENFOLD)):
        rows = []
        base = Banded.independent().error(STEPS, **participation)
        for label, make in encoders(participation).items():
            took, encoder = processor(make)
            mean = encoder.error(STEPS, **participation)
            rows.append({
                "encoder": label, "mean": mean, "worst": encoder.error(STEPS, worst=True, **participation),
                "to_independent": mean / base, "memory": encoder.buffers, "seconds": round(took, 3),
            })  # fmt: skip
        result[name] = rows
    least, below = dense_optimum(STEPS)
    result["least_dense"] = {"mean": least, "dual_bound": below}
    return result


def amplified() -> list[dict[str, Any]]:
    """Errors at equal epsilon: 50,000 units, batches of 500, 1,000 steps, delta 1e-5, add or remove one."""
    size, batch, delta = 50_000, 500, 1e-5
    promise: dict[str, Any] = {"delta": delta, "dataset_size": size, "batch_size": batch, "steps": STEPS}
    rows = []
    for epsilon in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0):
        row: dict[str, Any] = {"epsilon": epsilon}
        plain = Plan.calibrate(epsilon=epsilon, **promise)
        base = plain.noise_multiplier * Banded.independent().error(STEPS)
        row["dp_sgd"] = base
        for bands in (2, 4, 8, 16, 32, 64, 100):
            encoder = Banded.optimal(STEPS, bands)
            plan = Plan.calibrate(epsilon=epsilon, sampling=Cyclic(bands), correlation=encoder, **promise)
            row[f"bands {bands}"] = plan.noise_multiplier * encoder.error(STEPS, participations=1)
        for buffers in (2, 4):
            buffered = BufferedToeplitz.optimal(STEPS, buffers, **TENFOLD)
            plan = Plan.calibrate(epsilon=epsilon, sampling=Cyclic(100), correlation=buffered, **promise)
            row[f"buffers {buffers}, fixed order"] = plan.noise_multiplier * buffered.error(STEPS, **TENFOLD)
        others = {name: value for name, value in row.items() if name not in ("epsilon", "dp_sgd")}
        row["best"] = min(others, key=others.__getitem__)
        row["best_to_dp_sgd"] = others[row["best"]] / base
        rows.append(row)
    return rows


def published() -> list[dict[str, Any]]:
    """Encoders that others have found, and bounds that they state, beside ours."""
    took, golden = processor(lambda: BufferedToeplitz.optimal(100_000, 2, worst=True))
    rows: list[dict[str, Any]] = [{
        "what": "BLT, 100,000 steps, 2 buffers, one participation, least worst error: decays and scales",
        "source": "JAX Privacy 2.2, buffered_toeplitz_test.py, test_optimize_single_participation_golden",
        "published": {"decays": [0.9999528892, 0.9857068667], "scales": [0.0122853238, 0.1878393665]},
        "ours": {"decays": golden.decays, "scales": golden.scales}, "seconds": round(took, 2),
    }]  # fmt: skip
    limits = [
        (10, 1, 1.04),
        (100, 2, 1.03),
        (100, 3, 1.03),
        (1000, 2, 1.04),
        (1000, 3, 1.03),
        (10_000, 1, 1.45),
        (10_000, 3, 1.03),
        (10_000, 4, 1.03),
        (100_000, 2, 1.16),
        (100_000, 4, 1.03),
        (1_000_000, 5, 1.05),
    ]
    for steps, buffers, limit in limits:
        took, encoder = processor(
            lambda steps=steps, buffers=buffers: BufferedToeplitz.optimal(steps, buffers, worst=True)
        )
        rows.append({
            "what": f"BLT, {steps} steps, {buffers} buffers: worst error over 1 + log(n) / pi",
            "source": "JAX Privacy 2.2, test_optimize_single_participation_near_optimal: at most",
            "published": limit, "ours": encoder.error(steps, worst=True) / (1 + math.log(steps) / math.pi),
            "seconds": round(took, 2),
        })  # fmt: skip
    return rows


def cost(size: int = 1_000_000, repeats: int = 15) -> dict[str, Any]:
    """Nanoseconds for each parameter and step, secure noise in single precision."""
    like = torch.zeros(size)
    result: dict[str, Any] = {"parameters": size}
    kinds: dict[str, Correlation] = {"independent": Banded.independent()}
    kinds |= {f"bands {bands}": Banded.square_root(bands) for bands in (2, 4, 8, 16, 32, 64)}
    kinds |= {f"buffers {b}": BufferedToeplitz(tuple(0.9**j for j in range(b)), (0.1,) * b) for b in (1, 2, 3, 4, 5)}
    for name, encoder in kinds.items():
        stream, source = NoiseStream(encoder), rt.Randomness.secure()
        stream.draw("w", like, source)
        took = [
            processor(lambda stream=stream, source=source: stream.draw("w", like, source))[0] for _ in range(repeats)
        ]
        result[name] = {"ns": 1e9 * statistics.median(took) / size, "bytes": 4 * encoder.buffers}
    return result


class Digits:
    """Handwritten digits in three parts: to train on, to choose learning rates on, and to judge on."""

    def __init__(self) -> None:
        records = load("digits")
        order = rt.Randomness.simulated(0).permutation(len(records))
        features, labels = torch.from_numpy(records.features), torch.from_numpy(records.labels)
        self.train, self.choose, self.judge = (
            (features[rows], labels[rows]) for rows in (order[:1200], order[1200:1440], order[1440:])
        )

    def accuracy(self, plan: Plan, rate: float, seed: int, part: tuple[torch.Tensor, torch.Tensor]) -> float:
        """Of a network with one hidden layer, trained as planned at a constant learning rate."""
        source = rt.Randomness.simulated(seed)
        with seeded(source.spawn("network")):
            model = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
        x, y = (values.numpy() for values in self.train)
        rt.train(
            model, (x, y), plan=plan, optimizer=lambda p: torch.optim.SGD(p, lr=rate), randomness=source,
            physical_batch_size=1200,
        )  # fmt: skip
        with torch.no_grad():
            return float((model(part[0]).argmax(dim=1) == part[1]).float().mean())


def interval(values: list[float]) -> dict[str, float]:
    """Mean and 95 % interval of Student's t over seeds."""
    half = student.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    mean = statistics.mean(values)
    return {"mean": mean, "low": mean - half, "high": mean + half}


def training(seeds: int, epsilons: tuple[float, ...], passes: int) -> list[dict[str, Any]]:
    """Accuracy at equal epsilon; learning rates are chosen on records and seeds of their own."""
    digits, steps = Digits(), 20 * passes
    promise: dict[str, Any] = {"delta": 1e-4, "dataset_size": 1200, "batch_size": 60, "steps": steps}
    rows = []
    for epsilon in epsilons:
        plans = {"dp_sgd": Plan.calibrate(epsilon=epsilon, **promise)}
        for bands in (2, 4, 8, 16):
            plans[f"bands {bands}"] = Plan.calibrate(
                epsilon=epsilon, sampling=Cyclic(bands), correlation=Banded.optimal(steps, bands), **promise
            )
        buffered = BufferedToeplitz.optimal(steps, 4, separation=20)
        plans["buffers, fixed order"] = Plan.calibrate(
            epsilon=epsilon, sampling=Cyclic(20), correlation=buffered, **promise
        )
        plain: list[float] = []
        for name, plan in plans.items():
            tried = {
                rate: statistics.mean(digits.accuracy(plan, rate, 1000 + seed, digits.choose) for seed in range(3))
                for rate in (0.25, 0.5, 1.0, 2.0, 4.0)
            }
            rate = max(tried, key=tried.__getitem__)
            found = [digits.accuracy(plan, rate, seed, digits.judge) for seed in range(seeds)]
            plain = found if name == "dp_sgd" else plain
            better = (
                interval([one - other for one, other in zip(found, plain, strict=True)]) if name != "dp_sgd" else None
            )
            rows.append({
                "epsilon": epsilon, "passes": passes, "noise": name, "learning_rate": rate, "accuracy": interval(found),
                "better_than_dp_sgd": better, "prefix_error": prefix_error(plan), "seeds": seeds,
            })  # fmt: skip
            print(json.dumps(rows[-1]), file=sys.stderr)
    return rows


def main() -> None:
    """Print everything as JSON, or as text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epsilons", default="2,8")
    parser.add_argument("--passes", type=int, default=20)
    settings = parser.parse_args()
    torch.set_num_threads(1)
    epsilons = tuple(float(value) for value in settings.epsilons.split(","))
    parts: dict[str, Callable[[], Any]] = {
        "errors": errors,
        "amplified": amplified,
        "published": published,
        "cost": cost,
        "training": lambda: training(settings.seeds, epsilons, settings.passes),
    }
    result = {name: parts[name]() for name in settings.only.split(",")}
    json.dump(result, sys.stdout, indent=None if settings.json else 1)
    print()


if __name__ == "__main__":
    main()
