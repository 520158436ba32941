"""How well each membership score tells members, by how many reference models there are, and what scoring costs.

Run: python benchmarks/membership_scores.py [--seeds 10] [--draws 3] [--models 2,4,8,16,64] [--json]
     python benchmarks/membership_scores.py --only accuracy|digits|cost|choice

The task: 2000 records; each of 20 classes has two random binary prototypes of 100 bits; a record flips each bit of one
of them with probability .22, features are +-3 / sqrt(100); 10 % of the labels are replaced at random. Networks
100-64-20, ReLU, weights N(0, 1 / fan-in), SGD with momentum .9, learning rate .1, batches of 100, 40 epochs, each
trained on a random half. Of 80 networks 64 are references and 16 targets. For each target, K references are drawn at
random, `--draws` times. All networks of a task train together (`torch.bmm`): two seconds a task.

Areas and rates are within one target, averaged over targets and tasks; intervals are 95 % bootstrap, tasks resampled
and targets within them. Nothing was chosen on these tasks: `student` was made on others and on other data.

| row | what |
|---|---|
| names of `METHODS` | this library |
| offline two-sided | -log N(s; out mean, pooled variance): a foil, ranks both tails first |
| record, unguarded | LiRA with a record's own variance, 1e-30 where it has one model: a foil |
| global deviation | LiRA with the standard deviation of all scores of its side: a foil |
| swapped deviation | the same, the members' side's for both: a foil |

`published` is the table that this project measured once on one such task, by a prototype.
"""

from __future__ import annotations

import argparse
import json
import time
import tracemalloc
from typing import Any

import numpy as np
import torch
from scipy.stats import norm, rankdata

from reticent.attacks.membership import METHODS, choose, leave_one_out_p_values, p_values
from reticent.attacks.membership.moments import Moments
from reticent.models import Exposure, Signals
from reticent.randomness import Randomness

RECORDS, CLASSES, BITS, HIDDEN = 2000, 20, 100, 64
EPOCHS, BATCH, RATE, MOMENTUM = 40, 100, 0.1, 0.9
REFERENCES, TARGETS = 64, 16
COUNTS = ("auc", "tpr_at_0.01", "tpr_at_0.001")

PUBLISHED = {
    2: {"loss": 0.703, "rmia": 0.761, "rmia_offline": 0.765, "lira": 0.772, "record, unguarded": 0.654,
        "lira_offline": 0.724, "offline two-sided": 0.572, "shrunken": 0.794, "shrunken_regressed": 0.803},
    4: {"loss": 0.703, "rmia": 0.794, "rmia_offline": 0.785, "lira": 0.794, "record, unguarded": 0.562,
        "lira_offline": 0.736, "offline two-sided": 0.595, "shrunken": 0.811, "shrunken_regressed": 0.819},
    8: {"loss": 0.703, "rmia": 0.810, "rmia_offline": 0.800, "lira": 0.817, "record, unguarded": 0.737,
        "lira_offline": 0.756, "offline two-sided": 0.621, "shrunken": 0.827, "shrunken_regressed": 0.832},
    16: {"loss": 0.703, "rmia": 0.822, "rmia_offline": 0.811, "lira": 0.830, "record, unguarded": 0.822,
         "lira_offline": 0.769, "offline two-sided": 0.628, "shrunken": 0.838, "shrunken_regressed": 0.840},
    64: {"loss": 0.703, "rmia": 0.830, "rmia_offline": 0.818, "lira": 0.840, "record, unguarded": 0.846,
         "lira_offline": 0.779, "offline two-sided": 0.637, "shrunken": 0.848, "shrunken_regressed": 0.848},
}  # fmt: skip
BARS = {2: 0.803, 4: 0.819, 8: 0.832, 16: 0.840}
"""Areas that the default method must reach."""


def records(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of a task."""
    draw = Randomness.simulated(seed)
    prototypes = draw.integers(2, CLASSES * 2 * BITS).reshape(CLASSES, 2, BITS)
    classes, which = draw.integers(CLASSES, RECORDS), draw.integers(2, RECORDS)
    bits = prototypes[classes, which] ^ draw.bernoulli(0.22, RECORDS * BITS).reshape(RECORDS, BITS)
    replaced = np.where(draw.bernoulli(0.1, RECORDS), draw.integers(CLASSES, RECORDS), classes)
    return ((2 * bits - 1) * 3 / np.sqrt(BITS)).astype(np.float32), replaced


def trained(
    features: np.ndarray, labels: np.ndarray, seed: int, classes: int = CLASSES
) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities (models, records, classes) and membership (models, records) of networks trained together."""
    models, count, width = REFERENCES + TARGETS, *features.shape
    source = torch.Generator().manual_seed(seed)
    order = torch.rand(models, count, generator=source).argsort(1)[:, : count // 2]
    membership = torch.zeros(models, count, dtype=torch.bool).scatter_(1, order, True)
    weights = [
        torch.randn(models, width, HIDDEN, generator=source) / width**0.5,
        torch.zeros(models, 1, HIDDEN),
        torch.randn(models, HIDDEN, classes, generator=source) / HIDDEN**0.5,
        torch.zeros(models, 1, classes),
    ]
    speeds = [torch.zeros_like(weight) for weight in weights]
    x, y = torch.from_numpy(features), torch.from_numpy(labels)
    for _ in range(EPOCHS):
        order = order.gather(1, torch.rand(order.shape, generator=source).argsort(1))
        for start in range(0, order.shape[1], BATCH):
            batch = order[:, start : start + BATCH]
            inputs = x[batch]
            before = torch.baddbmm(weights[1], inputs, weights[0])
            hidden = before.relu()
            error = torch.baddbmm(weights[3], hidden, weights[2]).softmax(-1)
            error.scatter_add_(2, y[batch][..., None], -torch.ones(*batch.shape, 1))
            error /= batch.shape[1]
            back = torch.bmm(error, weights[2].transpose(1, 2)) * (before > 0)
            gradients = (
                torch.bmm(inputs.transpose(1, 2), back),
                back.sum(1, keepdim=True),
                torch.bmm(hidden.transpose(1, 2), error),
                error.sum(1, keepdim=True),
            )
            for weight, speed, gradient in zip(weights, speeds, gradients, strict=True):
                speed.mul_(MOMENTUM).add_(gradient)
                weight.sub_(speed, alpha=RATE)
    hidden = torch.baddbmm(weights[1], x.expand(models, -1, -1), weights[0]).relu()
    return torch.baddbmm(weights[3], hidden, weights[2]).log_softmax(-1).numpy(), membership.numpy()


def measured(scores: np.ndarray, truth: np.ndarray) -> list[float]:
    """Area, and true-positive rates above the threshold that at most 1 % and 0.1 % of non-members exceed."""
    members = int(truth.sum())
    area = (rankdata(scores)[truth].sum() - members * (members + 1) / 2) / (members * (len(truth) - members))
    others = np.sort(scores[~truth])[::-1]
    return [float(area)] + [float((scores[truth] > others[int(rate * len(others))]).mean()) for rate in (0.01, 0.001)]


def foils(target: Signals, references: Signals, membership: np.ndarray) -> dict[str, np.ndarray]:
    """Scores as others compute them."""
    values, kept = target.odds[0], Moments.of(references.odds, membership)
    seen = kept.count > 0
    mean = np.where(seen, kept.mean, [[kept.mean[side][seen[side]].mean()] for side in (0, 1)])
    pooled = np.array([kept.within(side) or 1.0 for side in (0, 1)])
    unguarded = np.sqrt(kept.residual / np.maximum(kept.count, 1) + 1e-30)
    deviations = [references.odds[own].std() for own in (membership, ~membership)]
    return {
        "offline two-sided": np.square(values - mean[1]) / pooled[1],
        "record, unguarded": norm.logpdf(values, mean[0], unguarded[0]) - norm.logpdf(values, mean[1], unguarded[1]),
        "swapped deviation": norm.logpdf(values, mean[0], deviations[0]) - norm.logpdf(values, mean[1], deviations[0]),
        "global deviation": norm.logpdf(values, mean[0], deviations[0]) - norm.logpdf(values, mean[1], deviations[1]),
    }


def task(seed: int) -> tuple[Signals, np.ndarray, dict[str, float]]:
    features, labels = records(seed)
    answers, membership = trained(features, labels, seed)
    signals = Signals.of(answers, labels, Exposure.LOGITS)
    right = {"train": float(signals.correct[membership].mean()), "test": float(signals.correct[~membership].mean())}
    return signals, membership, right


def accuracy(seeds: int, draws: int, counts: list[int]) -> dict[str, Any]:
    """Every row at every number of references: value and interval of all three figures."""
    found: dict[tuple[int, str], list[list[list[float]]]] = {}
    rights = []
    for seed in range(seeds):
        signals, membership, right = task(seed)
        rights.append(right)
        draw = Randomness.simulated(seed).spawn("references")
        for models in counts:
            each: dict[str, list[list[float]]] = {}
            for number in range(REFERENCES, REFERENCES + TARGETS):
                tries: dict[str, list[list[float]]] = {}
                for _ in range(draws if models < REFERENCES else 1):
                    chosen = draw.permutation(REFERENCES)[:models]
                    given = (signals.model(number), signals.take(chosen), membership[chosen])
                    rows = {name: method.score(*given) for name, method in METHODS.items()} | foils(*given)
                    for name, scores in rows.items():
                        tries.setdefault(name, []).append(measured(scores, membership[number]))
                for name, several in tries.items():
                    each.setdefault(name, []).append(list(np.mean(several, axis=0)))
            for name, targets in each.items():
                found.setdefault((models, name), []).append(targets)
    table: dict[int, dict[str, Any]] = {}
    for (models, name), values in found.items():
        table.setdefault(models, {})[name] = interval(np.array(values)) | {
            "published": PUBLISHED.get(models, {}).get(name)
        }
    return {
        "table": table,
        "train": np.mean([r["train"] for r in rights]),
        "test": np.mean([r["test"] for r in rights]),
    }


def digits(replaced: float, counts: tuple[int, ...] = (2, 8, 64)) -> dict[str, Any]:
    """Areas on the digits of scikit-learn, where networks leak little, or more if labels are replaced."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    draw = Randomness.simulated(0)
    y = np.where(draw.bernoulli(replaced, len(y)), draw.integers(10, len(y)), y)
    answers, membership = trained((x / 16).astype(np.float32), y, 0, 10)
    signals = Signals.of(answers, y, Exposure.LOGITS)
    result: dict[str, Any] = {"test": round(float(signals.correct[~membership].mean()), 3)}
    for models in counts:
        rows: dict[str, list[list[float]]] = {}
        for number in range(REFERENCES, REFERENCES + TARGETS):
            chosen = draw.permutation(REFERENCES)[:models]
            for name in ("student", "shrunken_regressed", "lira", "rmia", "rmia_offline", "loss"):
                scores = METHODS[name].score(signals.model(number), signals.take(chosen), membership[chosen])
                rows.setdefault(name, []).append(measured(scores, membership[number]))
        result[str(models)] = {name: interval(np.array([each]))["auc"] for name, each in rows.items()}
    return result


def interval(values: np.ndarray, resamples: int = 2000) -> dict[str, Any]:
    """Mean of (tasks, targets, figures), and the bootstrap's central 95 %."""
    draw = Randomness.simulated(0)
    tasks, targets = values.shape[:2]
    rows = draw.integers(tasks, resamples * tasks).reshape(resamples, tasks, 1)
    columns = draw.integers(targets, resamples * tasks * targets).reshape(resamples, tasks, targets)
    means = values[rows, columns].mean(axis=(1, 2))
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    middle = values.mean(axis=(0, 1))
    return {name: [round(float(part[i]), 4) for part in (middle, low, high)] for i, name in enumerate(COUNTS)}


def cost(models: int = 64, many: int = 50_000) -> dict[str, Any]:
    """Seconds of processor time and peak memory of scoring, and of every reference in turn."""
    draw = Randomness.simulated(0)
    membership = draw.bernoulli(0.5, models * many).reshape(models, many)
    odds = 3 * draw.normal(many) + 2 * membership + np.exp(0.3 * draw.normal(many)) * draw.normal((models, many))
    signals = Signals(odds, -np.logaddexp(0, -odds), odds > 0)
    target = signals.model(0)
    result = {}
    pairs = {name: (method.score, method.leave_one_out) for name, method in METHODS.items()}
    pairs["p_values"] = (p_values, leave_one_out_p_values)
    for name, (score, in_turn) in pairs.items():
        once = seconds(lambda score=score: score(target, signals, membership))
        turns = seconds(lambda in_turn=in_turn: in_turn(signals, membership))
        tracemalloc.start()
        score(target, signals, membership)
        peak = round(tracemalloc.get_traced_memory()[1] / 2**20, 1)
        tracemalloc.stop()
        result[name] = {"score_seconds": once, "leave_one_out_seconds": turns, "score_peak_mib": peak}
    return result


def seconds(call: Any) -> float:
    began = time.process_time()
    call()
    return round(time.process_time() - began, 3)


def choice(seeds: list[int], counts: list[int]) -> list[dict[str, Any]]:
    """What `choose` takes, and what the best of its candidates would have been on the targets."""
    rows = []
    for seed in seeds:
        signals, membership, _ = task(seed)
        for models in counts:
            kept = Randomness.simulated(seed).spawn("choice").permutation(REFERENCES)[:models]
            found = choose(signals.take(kept), membership[kept])
            areas = {}
            for candidate in found.table:
                each = [
                    measured(
                        candidate.method.score(signals.model(n), signals.take(kept), membership[kept]), membership[n]
                    )[0]
                    for n in range(REFERENCES, REFERENCES + TARGETS)
                ]
                areas[str(candidate.method)] = round(float(np.mean(each)), 4)
            best, taken = max(areas, key=lambda name: areas[name]), str(found.method)
            row = {"chosen": taken, "auc": areas[taken], "best": best, "best_auc": areas[best]}
            rows.append({"seed": seed, "models": models, **row})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--models", default="2,4,8,16,64")
    parser.add_argument("--only", choices=["accuracy", "digits", "cost", "choice"])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    result: dict[str, Any] = {}
    began = time.process_time()
    counts = [int(part) for part in asked.models.split(",")]
    if asked.only in (None, "accuracy"):
        result["accuracy"] = accuracy(asked.seeds, asked.draws, counts)
        result["bars"] = {
            models: {"bar": bar, "auc": rows["student"]["auc"], "reached": rows["student"]["auc"][2] >= bar}
            for models, bar in BARS.items()
            if (rows := result["accuracy"]["table"].get(models))
        }
    if asked.only in (None, "digits"):
        result["digits"] = {f"{share:.0%} of the labels replaced": digits(share) for share in (0.0, 0.1)}
    if asked.only in (None, "choice"):
        result["choice"] = choice([0, 1], [3, 8])
    if asked.only in (None, "cost"):
        result["cost"] = cost()
    result["processor_seconds"] = round(time.process_time() - began, 1)
    if asked.json:
        print(json.dumps(result, indent=1))
        return
    for models, rows in result.get("accuracy", {}).get("table", {}).items():
        print(f"\n{models} reference models: auc [interval]; TPR at 1 %, at 0.1 %; auc published")
        for name, row in sorted(rows.items(), key=lambda item: -item[1]["auc"][0]):
            area, one, tenth = (row[what] for what in COUNTS)
            rest = f"{one[0]:.3f} {tenth[0]:.3f}  {row['published']}"
            print(f"  {name:20s} {area[0]:.3f} [{area[1]:.3f}, {area[2]:.3f}]  {rest}")
    for what in ("bars", "digits", "choice", "cost"):
        print(json.dumps(result.get(what), indent=1))


if __name__ == "__main__":
    main()
