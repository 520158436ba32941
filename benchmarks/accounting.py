"""How fast, how tight and how frugal the accountant is, beside dp-accounting and Opacus' accountants.

Run: python benchmarks/accounting.py [--json] [--repeats 5]

* epsilon: milliseconds for the epsilon of a DP-SGD plan (both directions, nothing cached), and its difference to
  dp-accounting's loss distributions (interval 1e-4) in parts of it. Bars: 50 ms, 0.1 %.
* curve: milliseconds for the bound on the true-positive rate at 1,000 false-positive rates. Bar: 1 s.
* noise: the noise multiplier that meets a promise, calibrated here, and by Opacus with its RDP and PRV accountants
  (extra `bench`; left out without it). Less is better: bars are the savings against RDP, of dp-accounting's
  distributions on an interval of 1e-3, that were known when the bar was set.
* samplers: the noise multiplier for the same promises when batches are drawn in other ways. `RandomAllocation` is under
  ADD_OR_REMOVE_ONE, as Poisson sampling is; `FixedSize` and `Shuffled` are under REPLACE_ONE, where an exchanged unit
  is charged twice: Poisson's noise under that relation stands beside them. The saving of an allocation is against
  Poisson sampling with as many units in a batch.

Times are medians of processor time on one thread.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from dp_accounting.pld import privacy_loss_distribution as pld

from reticent.privacy import (
    FixedSize,
    Guarantee,
    Plan,
    Poisson,
    RandomAllocation,
    Relation,
    SampledGaussian,
    Shuffled,
    TruncatedPoisson,
    accounting,
)

SETTINGS = [  # rate, noise, steps, delta
    (0.04, 1.5, 2250, 1e-5),
    (256 / 60000, 1.1, 14062, 1e-5),
    (0.01, 1.0, 1000, 1e-5),
    (0.001, 0.6, 10000, 1e-6),
    (4096 / 50000, 3.0, 2468, 1e-5),
    (0.5, 5.0, 200, 1e-5),
    (0.00256, 0.9, 4900, 1e-5),
]
PROMISES = [  # size, batch, steps, epsilon, delta, saving against RDP in per cent that was asked for
    (50_000, 500, 1000, 1.0, 1e-5, 6.4),
    (50_000, 4096, 1000, 1.0, 1e-5, 7.6),
    (50_000, 4096, 2000, 3.0, 1e-5, 6.8),
    (50_000, 4096, 2500, 8.0, 1e-5, 5.6),
    (60_000, 512, 2340, 1.0, 1e-5, 6.6),
    (60_000, 512, 4688, 3.0, 1e-5, 4.9),
    (100_000, 100, 10000, 2.0, 1e-7, 11.8),
]


def seconds(task: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Median processor time of a task, and what it gives."""
    taken, found = [], None
    for _ in range(repeats):
        accounting.composed.cache_clear()
        start = time.process_time()
        found = task()
        taken.append(time.process_time() - start)
    return statistics.median(taken), found


def epsilons(repeats: int) -> list[dict[str, Any]]:
    """Time and tightness of single epsilons."""
    rows = []
    for rate, noise, steps, delta in SETTINGS:
        promise = Guarantee((SampledGaussian(noise, rate, steps),))
        took, mine = seconds(lambda promise=promise, delta=delta: promise.epsilon(delta), repeats)
        start = time.process_time()
        theirs = pld.from_gaussian_mechanism(noise, sampling_prob=rate, value_discretization_interval=1e-4)
        wanted = theirs.self_compose(steps).get_epsilon_for_delta(delta)
        other = time.process_time() - start
        rows.append({
            "rate": rate, "noise": noise, "steps": steps, "delta": delta, "epsilon": mine, "dp_accounting": wanted,
            "difference": mine / wanted - 1, "ms": round(1e3 * took, 2), "dp_accounting_ms": round(1e3 * other, 1),
            "renyi": promise.renyi_epsilon(delta),
        })  # fmt: skip
    return rows


def curves(repeats: int) -> list[dict[str, Any]]:
    """Time of a whole trade-off curve."""
    rates = np.geomspace(1e-6, 1.0, 1000)
    rows = []
    for rate, noise, steps, _ in SETTINGS:
        promise = Guarantee((SampledGaussian(noise, rate, steps),))
        took, _ = seconds(lambda promise=promise: promise.true_positive_rate(rates), repeats)
        rows.append({"rate": rate, "noise": noise, "steps": steps, "ms": round(1e3 * took, 2)})
    return rows


def noises() -> list[dict[str, Any]]:
    """Noise multipliers for the same promises."""
    rows = []
    for size, batch, steps, epsilon, delta, asked in PROMISES:
        start = time.process_time()
        plan = Plan.calibrate(epsilon=epsilon, delta=delta, dataset_size=size, batch_size=batch, steps=steps)
        took = time.process_time() - start
        row: dict[str, Any] = {
            "size": size, "batch": batch, "steps": steps, "epsilon": epsilon, "delta": delta,
            "noise": plan.noise_multiplier, "reached": plan.guarantee().epsilon(delta), "ms": round(1e3 * took),
        }  # fmt: skip
        for kind in ("rdp", "prv"):
            row[f"opacus_{kind}"] = _opacus(kind, epsilon, delta, batch / size, steps)
        if isinstance(row["opacus_rdp"], float):
            row["saving_percent"] = round(100 * (1 - plan.noise_multiplier / row["opacus_rdp"]), 2)
            row["bar_percent"] = asked
        rows.append(row)
    return rows


def samplers() -> list[dict[str, Any]]:
    """Noise multipliers for the same promises, by sampler."""
    rows = []
    for size, batch, steps, epsilon, delta, _ in PROMISES:
        roomy = math.ceil(batch + 4 * math.sqrt(batch * (1 - batch / size)))
        ways = {
            "poisson": (Poisson(), Relation.ADD_OR_REMOVE_ONE),
            "truncated_poisson": (TruncatedPoisson(roomy), Relation.ADD_OR_REMOVE_ONE),
            "random_allocation": (RandomAllocation(), Relation.ADD_OR_REMOVE_ONE),
            "poisson_replace_one": (Poisson(), Relation.REPLACE_ONE),
            "fixed_size": (FixedSize(), Relation.REPLACE_ONE),
            "shuffled": (Shuffled(), Relation.REPLACE_ONE),
        }
        row: dict[str, Any] = {"size": size, "batch": batch, "steps": steps, "epsilon": epsilon, "delta": delta}
        row["most"] = roomy
        for name, (sampler, relation) in ways.items():
            start = time.process_time()
            plan = Plan.calibrate(
                epsilon=epsilon, delta=delta, dataset_size=size, batch_size=batch, steps=steps, sampling=sampler,
                relation=relation,
            )  # fmt: skip
            row[name] = plan.noise_multiplier
            row[f"{name}_ms"] = round(1e3 * (time.process_time() - start))
        # A round has a whole number of steps, so its batches are a little smaller: beside Poisson's of that size.
        even = round(size / -(-size // batch))
        same = Plan.calibrate(epsilon=epsilon, delta=delta, dataset_size=size, batch_size=even, steps=steps)
        row["poisson_of_that_size"] = same.noise_multiplier
        row["allocation_saving_percent"] = round(100 * (1 - row["random_allocation"] / same.noise_multiplier), 2)
        rows.append(row)
    return rows


def _opacus(kind: str, epsilon: float, delta: float, rate: float, steps: int) -> float | str:
    try:
        from opacus.accountants.utils import get_noise_multiplier

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(
                get_noise_multiplier(
                    target_epsilon=epsilon, target_delta=delta, sample_rate=rate, steps=steps, accountant=kind,
                    epsilon_tolerance=0.001,
                )
            )  # fmt: skip
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:100]}"


def main() -> None:
    """Print everything as JSON, or as text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    settings = parser.parse_args()
    result = {
        "benchmark": "accounting",
        "epsilon": epsilons(settings.repeats),
        "curve": curves(settings.repeats),
        "noise": noises(),
        "samplers": samplers(),
    }
    if settings.json:
        json.dump(result, sys.stdout)
        return
    for row in result["epsilon"]:
        print(
            f"q={row['rate']:.5g} noise={row['noise']} T={row['steps']} delta={row['delta']:g}: epsilon "
            f"{row['epsilon']:.5f} ({row['difference']:+.1e} of dp-accounting's) in {row['ms']} ms, theirs "
            f"{row['dp_accounting_ms']} ms; Renyi {row['renyi']:.4f}"
        )
    print(f"trade-off curves: at most {max(row['ms'] for row in result['curve'])} ms")
    for row in result["noise"]:
        others = ", ".join(
            f"Opacus {kind} {value:.4f}" if isinstance(value := row[f"opacus_{kind}"], float) else f"{kind}: {value}"
            for kind in ("rdp", "prv")
        )
        saving = (
            f"; {row['saving_percent']} % less than RDP (asked {row['bar_percent']})" if "saving_percent" in row else ""
        )
        print(
            f"n={row['size']} B={row['batch']} T={row['steps']} epsilon={row['epsilon']} delta={row['delta']:g}: noise "
            f"{row['noise']:.4f} in {row['ms']} ms (epsilon {row['reached']:.5f}); {others}{saving}"
        )
    for row in result["samplers"]:
        kinds = [name for name in row if f"{name}_ms" in row]
        found = ", ".join(f"{name} {row[name]:.4f} ({row[f'{name}_ms']} ms)" for name in kinds)
        print(
            f"n={row['size']} B={row['batch']} T={row['steps']} epsilon={row['epsilon']} delta={row['delta']:g}: "
            f"{found}; allocation saves {row['allocation_saving_percent']} %"
        )


if __name__ == "__main__":
    main()
