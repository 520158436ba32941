"""How large lower bounds on epsilon are, and how often they are wrong, beside the rules of other libraries.

Run: python benchmarks/bounds.py [--json] [--repeats 30] [--trials 300]

* tightness: mean bounds (delta 1e-5, 95 %) from one run of a Gaussian mechanism whose epsilon is known; scores are
  N(0,1) and N(mu,1). All methods see the same scores. `milliseconds`: median processor time of a bound.
* false_violations: how often the bound exceeds the true epsilon of randomised response whose confidences mean nothing
  (a tight mechanism), in per cent; 5 are allowed. And of the Gaussian mechanism, for methods that assume one.

f-dp, f-dp-any, steinke      `one_run(method=...)`: two-sided, five budgets with fixed weights.
f-dp even, steinke even      The same with ten budgets that share the error probability equally.
runs gaussian                `many_runs(method="gaussian")` on halves, as if each canary had a run of its own: no bound
                             from one run.
hull steinke, hull f-dp      What jax_privacy's auditor does by default: one-sided guesses at all corners of the ROC
                             curve's hull, the error probability divided by their number, which depends on the data.
grid steinke                 What Privacy Meter does: the largest bound over a grid of budgets on either side, without a
                             correction.

The last three are written here from their published rules; neither library is imported.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from reticent.audits.bounds import Budgets, many_runs, one_run
from reticent.audits.bounds.counting import largest_parameters, steinke_epsilons
from reticent.audits.bounds.curves import GAUSSIAN, epsilon_of, mu_of
from reticent.randomness import Randomness

DELTA = 1e-5
Method = Callable[[Any, Any], float]


def hull(scores: Any, included: Any) -> tuple[Any, Any]:
    """Guesses and correct ones at the corners of the ROC curve's concave hull, both ends among them."""
    order = np.argsort(-scores)
    true = np.concatenate([[0], np.cumsum(included[order])]).astype(float)
    false = np.concatenate([[0], np.cumsum(~included[order])]).astype(float)
    kept: list[int] = []
    for place in range(len(true)):
        while len(kept) > 1:
            a, b = kept[-2], kept[-1]
            if (true[b] - true[a]) * (false[place] - false[a]) > (true[place] - true[a]) * (false[b] - false[a]):
                break
            kept.pop()
        kept.append(place)
    return true[kept] + false[kept], true[kept]


def by_hull(scores: Any, included: Any, f_dp: bool) -> float:
    guesses, correct = hull(scores, included)
    chance = 0.05 / len(guesses)
    used = guesses > 0
    guesses, correct = guesses[used], correct[used]
    chances = np.full(len(guesses), chance)
    if f_dp:
        return epsilon_of(float(largest_parameters(GAUSSIAN, len(scores), guesses, correct, chances).max()), DELTA)
    return float(steinke_epsilons(len(scores), guesses, correct, chances, DELTA).max())


def by_grid(scores: Any, included: Any) -> float:
    ranked = included[np.argsort(scores)]
    low, high = np.cumsum(~ranked), np.cumsum(ranked[::-1])
    each = np.unique(np.round(np.linspace(0, len(scores) / 2, 11)[1:]).astype(int))
    sides = np.concatenate([[0], each])
    pairs = [(a, b) for a in sides for b in sides if a + b > 0]
    made = np.array([a + b for a, b in pairs], float)
    right = np.array([(low[a - 1] if a else 0) + (high[b - 1] if b else 0) for a, b in pairs], float)
    return float(steinke_epsilons(len(scores), made, right, np.full(len(pairs), 0.05), DELTA).max())


METHODS: dict[str, Method] = {
    "f-dp": lambda s, i: one_run(s, i, delta=DELTA).epsilon,
    "f-dp even": lambda s, i: one_run(s, i, delta=DELTA, guesses=Budgets.even(len(s))).epsilon,
    "f-dp-any": lambda s, i: one_run(s, i, delta=DELTA, method="f-dp-any").epsilon,
    "steinke": lambda s, i: one_run(s, i, delta=DELTA, method="steinke").epsilon,
    "steinke even": lambda s, i: one_run(
        s, i, delta=DELTA, method="steinke", guesses=Budgets.even(len(s))
    ).epsilon,
    "runs gaussian": lambda s, i: many_runs(
        s[i], s[~i], delta=DELTA, method="gaussian", threshold=Randomness.simulated(len(s))
    ).epsilon,
    "hull steinke": lambda s, i: by_hull(s, i, f_dp=False),
    "hull f-dp": lambda s, i: by_hull(s, i, f_dp=True),
    "grid steinke": by_grid,
}  # fmt: skip
FOR_ANY = ("f-dp-any", "steinke", "steinke even", "hull steinke", "grid steinke")
FOR_GAUSSIAN = ("f-dp", "f-dp even", "hull f-dp", "runs gaussian")


def gaussian(chance: Randomness, canaries: int, epsilon: float) -> tuple[Any, Any]:
    included = chance.bernoulli(0.5, canaries)
    return chance.normal(canaries) + (mu_of(epsilon, DELTA) if epsilon else 0.0) * included, included


def response(chance: Randomness, canaries: int, epsilon: float) -> tuple[Any, Any]:
    included = chance.bernoulli(0.5, canaries)
    truthful = chance.bernoulli(1 / (1 + np.exp(-epsilon)), canaries)
    return np.where(included == truthful, 1.0, -1.0) * chance.uniform(canaries), included


def tightness(repeats: int) -> list[dict[str, Any]]:
    rows = []
    for canaries in (1000, 5000):
        for epsilon in (1.0, 2.0, 4.0, 8.0):
            chance = Randomness.simulated(canaries).spawn(str(epsilon))
            found: dict[str, list[float]] = {name: [] for name in METHODS}
            taken: dict[str, list[float]] = {name: [] for name in METHODS}
            for _ in range(repeats):
                scores, included = gaussian(chance, canaries, epsilon)
                for name, method in METHODS.items():
                    start = time.process_time()
                    found[name].append(method(scores, included))
                    taken[name].append(time.process_time() - start)
            rows += [
                {
                    "canaries": canaries,
                    "epsilon": epsilon,
                    "method": name,
                    "mean": round(statistics.mean(found[name]), 3),
                    "error": round(statistics.stdev(found[name]) / repeats**0.5, 3),
                    "milliseconds": round(1e3 * statistics.median(taken[name]), 1),
                }
                for name in METHODS
            ]
    return rows


def false_violations(trials: int) -> list[dict[str, Any]]:
    rows = []
    settings = [(response, name, FOR_ANY) for name in ("randomised response",)]
    settings += [(gaussian, "gaussian", FOR_GAUSSIAN)]
    for kind, name, methods in settings:
        for epsilon in (0.0, 1.0):
            chance = Randomness.simulated(7).spawn(f"{name} {epsilon}")
            wrong = dict.fromkeys(methods, 0)
            for _ in range(trials):
                scores, included = kind(chance, 1000, epsilon)
                for method in methods:
                    wrong[method] += METHODS[method](scores, included) > epsilon
            rows += [
                {"mechanism": name, "epsilon": epsilon, "method": method, "per_cent": round(100 * count / trials, 1)}
                for method, count in wrong.items()
            ]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--trials", type=int, default=300)
    options = parser.parse_args()
    found = {"tightness": tightness(options.repeats), "false_violations": false_violations(options.trials)}
    if options.json:
        print(json.dumps(found, indent=1))
        return
    for name, rows in found.items():
        print(f"\n{name}")
        for row in rows:
            print("  " + "  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
