"""How accurate a student of noisy teachers gets, beside ordinary training and DP-SGD at the same epsilon.

Run: python benchmarks/pate.py --data digits|fashion-mnist [--seeds 5] [--json]
(once before: reticent data fetch fashion-mnist)

Teachers and students are support-vector machines, which DP-SGD cannot train; DP-SGD trains a linear layer. Public
inputs are records of the same source whose labels nobody looks at. Accuracy is on records that neither teachers nor
students have seen; intervals are Student's, over seeds, each with its own split of the parts, trainings and noise.

| arm | what |
|---|---|
| on_public | trained on as many public inputs with their true labels: what a student can hope for |
| on_private | trained on (at most 10,000 of) the private records: no promise; does not depend on the seed |
| ensemble | a student of all answers without noise: no promise |
| gnmax | a student of the noisy answers to the first so many public inputs |
| confident | a student of the answers that pass a noisy threshold, as many as the budget pays for |
| dp_sgd | DP-SGD on the private records, `rt.train` |

`agreement` is what the answers of gnmax cost by the data-dependent figure (no promise), and what a promise made of it
would cost: a test with noise by smooth sensitivity whether the figure stays below a bound (propose-test-release), with
the best of its settings. Where that is above the epsilon of the arm, agreement saves nothing that can be promised.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import time
from typing import Any

import numpy as np
import torch
from scipy.stats import norm
from scipy.stats import t as student_t
from sklearn.svm import SVC

import reticent as rt
from reticent.data import Records, load
from reticent.privacy import Voting
from reticent.privacy.agreement import renyi_if_likely
from reticent.privacy.renyi import ORDERS
from reticent.randomness import Randomness


@dataclasses.dataclass(frozen=True)
class Settings:
    """What was chosen for a data set, by looking at seeds that are not reported (100 and up)."""

    delta: float
    teachers: int
    answers: dict[float, tuple[int, int]]  # at each epsilon: of gnmax, and planned for confident
    tests: int
    threshold: float
    test_share: float
    batch_size: int
    epochs: float
    learning_rate: float


SETTINGS = {
    "digits": Settings(1e-4, 150, {3.0: (50, 40), 8.0: (100, 80)}, 150, 50.0, 0.2, 300, 20, 4.0),
    "fashion-mnist": Settings(1e-5, 250, {3.0: (1200, 800), 8.0: (1200, 800)}, 2000, 150.0, 0.2, 4096, 20, 2.0),
}


def split_of(name: str) -> tuple[Records, Records, Records]:
    """Private records, public inputs (with labels, for `on_public` alone), and what is judged."""
    if name == "digits":
        whole = load("digits")
        order = Randomness.simulated(0).permutation(len(whole))
        return whole.take(order[:1200]), whole.take(order[1200:1497]), whole.take(order[1497:])
    whole, unseen = load(name), load(name, split="test")
    private, public, judged = whole.take(range(54_000)), whole.take(range(54_000, 60_000)), unseen
    return tuple(
        Records(part.features.reshape(len(part), -1), part.labels, name=name) for part in (private, public, judged)
    )


class Machine:
    """A support-vector machine that remembers what it said."""

    def __init__(self, records: Records) -> None:
        self.model, self.said = SVC(C=5.0).fit(records.features, records.labels), {}

    def predict(self, x: np.ndarray) -> np.ndarray:
        key = hash(x.tobytes())
        if key not in self.said:
            self.said[key] = self.model.predict(x)
        return self.said[key]


class Fit:
    """Trains machines, on the same part once: parts and teachers are the same in all arms of a seed."""

    def __init__(self) -> None:
        self.made: dict[str, Machine] = {}

    def __call__(self, records: Records, randomness: Randomness) -> Machine:
        key = records.digest()
        if key not in self.made:
            self.made[key] = Machine(records)
        return self.made[key]


def dp_sgd(private: Records, how: Settings, epsilon: float, source: Randomness) -> Any:
    plan = rt.Plan.calibrate(
        epsilon=epsilon, delta=how.delta, dataset_size=len(private), batch_size=how.batch_size, epochs=how.epochs
    )
    layer = torch.nn.Linear(private.features.shape[1], private.classes)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    return rt.train(
        layer,
        private,
        plan=plan,
        optimizer=lambda p: torch.optim.SGD(p, lr=how.learning_rate, momentum=0.9),
        randomness=source,
    ).model


def accuracy(model: Any, judged: Records) -> float:
    if isinstance(model, torch.nn.Module):
        with torch.no_grad():
            found = model(torch.from_numpy(judged.features)).argmax(dim=1).numpy()
    else:
        found = model.predict(judged.features)
    return float((found == judged.labels).mean())


def promised_by_testing(counts: np.ndarray, noise: float, delta: float) -> float:
    """The least epsilon at which labels may be released if a noisy test finds them cheap enough, or infinity.

    The cost at one order is a sum over questions of a function of the gap g between the two largest counts, which one
    unit moves by at most 2. Its smooth sensitivity S (Nissim, Raskhodnikova and Smith, 2007) is a maximum over windows
    of gaps. Released are cost + S z1 and log S + smoothness z2; the upper end of what they say is held against a bound,
    and wrong with probability 0.05 delta at most. That adds up to a promise (Redberg, Zhu and Wang, 2023). The bound is
    where this run would pass half of the time: nobody could have known it beforehand.
    """
    ordered = np.sort(counts, axis=1)
    gaps, teachers, classes = ordered[:, -1] - ordered[:, -2], int(counts.sum(axis=1).max()), counts.shape[1]
    histogram, best, z = np.bincount(gaps, minlength=teachers + 1), math.inf, float(norm.isf(0.05 * delta / 2))
    every = np.arange(teachers + 1)
    table = np.array(
        [
            renyi_if_likely(
                min(math.log(classes - 1) + float(norm.logsf(g / (noise * math.sqrt(2)))), math.log1p(-1 / classes)),
                1 / noise**2,
            )
            for g in every
        ]
    )
    for place in np.flatnonzero((ORDERS > 1.9) & (ORDERS < 40))[::8]:
        order, costs = float(ORDERS[place]), table[:, place]
        steps = [np.abs(costs[np.clip(every + move, 0, teachers)] - costs) for move in (-2, -1, 1, 2)]
        local = np.max(steps, axis=0)
        widest = [local]
        for _ in range(teachers // 2):
            last = widest[-1]
            widest.append(
                np.maximum(last, np.maximum(last[np.maximum(every - 2, 0)], last[np.minimum(every + 2, teachers)]))
            )
        sums = np.array(widest) @ histogram
        for smoothness in np.array([0.05, 0.1, 0.2, 0.3]) / order:
            smooth = float(np.max(np.exp(-smoothness * np.arange(len(sums))) * sums))
            ratio = math.exp(smoothness)
            spread = order + (1 - order) * ratio**2
            if spread <= 0:
                continue
            for first in np.geomspace(1, 100, 25):
                wider = -math.log(ratio) - math.log(spread) / (2 * (order - 1)) + order / (2 * first**2 * spread)
                other = math.log(ratio) - math.log(order + (1 - order) / ratio**2) / (2 * (order - 1))
                tested = max(wider, other + order / (2 * first**2))
                for second in np.geomspace(1, 100, 15):
                    bound = float(costs @ histogram) + z * first * smooth * math.exp(smoothness * second * z)
                    total = bound + tested + order / (2 * second**2)
                    room = math.log1p(-1 / order) - (math.log(0.95 * delta) + math.log(order)) / (order - 1)
                    best = min(best, total + room)
    return best


def one_seed(name: str, seed: int) -> dict[str, Any]:
    how, (private, public, judged) = SETTINGS[name], split_of(name)
    source, fit = Randomness.simulated(seed), Fit()
    asked, most = public.take(range(min(how.tests, len(public)))), max(most for most, _ in how.answers.values())
    found: dict[str, Any] = {"on_public": accuracy(Machine(asked.take(range(most))), judged)}
    common: dict[str, Any] = {"teachers": how.teachers, "randomness": source, "jobs": 1}
    plain = rt.teach(private, asked.features, fit, voting=Voting(0.0), answers=most, **common)
    found["ensemble"] = accuracy(plain.student, judged)
    found["ensemble_labels"] = float((plain.labels == asked.labels)[plain.answered].mean())
    for epsilon, (answers, planned) in how.answers.items():
        promise = {"epsilon": epsilon, "delta": how.delta}
        gnmax = rt.teach(private, asked.features, fit, answers=answers, **promise, **common)
        voting = Voting.calibrate(
            answers=planned, tests=len(asked), threshold=how.threshold, test_share=how.test_share, **promise
        )
        confident = rt.teach(private, asked.features, fit, voting=voting, **promise, **common)
        for arm, taught in (("gnmax", gnmax), ("confident", confident)):
            given = taught.answered
            assert taught.guarantee.epsilon(how.delta) <= epsilon
            found[f"{arm}@{epsilon:g}"] = accuracy(taught.student, judged)
            found[f"{arm}_labels@{epsilon:g}"] = float((taught.labels == asked.labels)[given].mean())
            found[f"{arm}_answers@{epsilon:g}"] = int(given.sum())
            found[f"{arm}_asked@{epsilon:g}"] = taught.asked
        found[f"dp_sgd@{epsilon:g}"] = accuracy(dp_sgd(private, how, epsilon, source.spawn("dp_sgd")), judged)
        found[f"noise@{epsilon:g}"] = noise = gnmax.voting.noise
        found[f"agreement@{epsilon:g}"] = gnmax.data_dependent_cost(how.delta).epsilon
        votes = plain.uncovered.votes[:answers]
        found[f"agreement_promised@{epsilon:g}"] = promised_by_testing(votes, noise, how.delta)
    return found


def interval(values: list[float]) -> dict[str, float]:
    mean, count = float(np.mean(values)), len(values)
    half = float(student_t.isf(0.025, count - 1) * np.std(values, ddof=1) / math.sqrt(count)) if count > 1 else math.nan
    return {"mean": mean, "low": mean - half, "high": mean + half}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", choices=list(SETTINGS), default="digits")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    runs = [one_seed(arguments.data, seed) for seed in seeds]
    figures = {name: interval([run[name] for run in runs]) for name in runs[0]}
    private, _, judged = split_of(arguments.data)
    figures["on_private"] = {"mean": accuracy(Machine(private.take(range(min(10_000, len(private))))), judged)}
    if arguments.json:
        settings = dataclasses.asdict(SETTINGS[arguments.data])
        print(
            json.dumps(
                {
                    "data": arguments.data,
                    "seeds": list(seeds),
                    "settings": settings,
                    "figures": figures,
                    "runs": runs,
                    "processor_seconds": time.process_time() - start,
                },
                indent=1,
            )
        )
        return
    for name, figure in figures.items():
        print(name.ljust(28), " ".join(f"{value:8.3f}" for value in figure.values()))
    print(f"processor time: {time.process_time() - start:.0f} s")


if __name__ == "__main__":
    main()
