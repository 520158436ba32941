"""How accurate networks are that were trained on randomised answers instead of labels.

Run: python benchmarks/label_privacy.py [--json] [--seeds 10] [--epsilons 0.5,1,2,4,8]

Digits (1,797 pictures, 10 classes) and breast cancer (569 patients, 2 classes), both bundled with scikit-learn. Four
fifths are trained on, one fifth is tested on, split anew for each seed. The network is a linear layer, trained by Adam
(learning rate 0.01, batches of 128, 30 passes); these settings were the same everywhere, and were chosen by looking at
accuracies for four of the seeds, which the promise does not cover. Features of the cancer set are scaled by their means
and deviations: in label privacy features are public.

* none: cross entropy on the answers. forward, backward: the losses of `reticent.training.labels`. staged: two stages,
  with forward correction. ordinary: the true labels.
* epsilon: of the label only, under REPLACE_ONE, pure (delta 0).
* Accuracies are means over seeds with 95 % t-intervals; a seed changes split, answers, batches and weights.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from typing import Any

import numpy as np
import torch
from scipy import stats
from sklearn.datasets import load_breast_cancer, load_digits

import reticent as rt
from reticent.data import Records
from reticent.training import LabelPrivateRecipe

WAYS: dict[str, dict[str, Any]] = {
    "none": {"correction": "none"},
    "forward": {"correction": "forward"},
    "backward": {"correction": "backward"},
    "staged": {"correction": "forward", "stages": 2},
}
SETTINGS: dict[str, Any] = {"epochs": 30, "batch_size": 128}


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=0.01)


def data(name: str) -> Records:
    if name == "digits":
        features, labels = load_digits(return_X_y=True)
        return Records((features / 16).astype(np.float32), labels, classes=10, name=name)
    features, labels = load_breast_cancer(return_X_y=True)
    return Records(((features - features.mean(0)) / features.std(0)).astype(np.float32), labels, classes=2, name=name)


def accuracy(model: torch.nn.Module, records: Records) -> float:
    with torch.no_grad():
        found = model(torch.from_numpy(records.features)).argmax(1).numpy()
    return float((found == records.labels).mean())


def trained(records: Records, way: str, epsilon: float, seed: int) -> float:
    order = rt.Randomness.simulated(1000 + seed).permutation(len(records))
    size = math.floor(0.8 * len(records))
    members, others = records.take(order[:size]), records.take(order[size:])
    source = rt.Randomness.simulated(seed)

    def build() -> torch.nn.Module:
        return torch.nn.Linear(records.features.shape[1], records.classes)

    if way == "ordinary":
        return accuracy(rt.Recipe(build, adam, **SETTINGS)(members, source), others)
    return accuracy(LabelPrivateRecipe(build, adam, epsilon=epsilon, **SETTINGS, **WAYS[way])(members, source), others)


def summary(values: list[float]) -> dict[str, float]:
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    mean = float(np.mean(values))
    return {"mean": round(mean, 4), "low": round(mean - half, 4), "high": round(mean + half, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epsilons", default="0.5,1,2,4,8")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for name in ("digits", "breast_cancer"):
        records = data(name)
        for way, epsilon in [("ordinary", math.inf)] + [
            (way, float(epsilon)) for epsilon in asked.epsilons.split(",") for way in WAYS
        ]:
            start = time.process_time()
            found = summary([trained(records, way, epsilon, seed) for seed in range(asked.seeds)])
            shown = epsilon if math.isfinite(epsilon) else None
            seconds = round((time.process_time() - start) / asked.seeds, 3)
            rows.append({"data": name, "way": way, "epsilon": shown, **found, "seconds": seconds})
            if not asked.json:
                one = rows[-1]
                print(f"{name:14} {way:9} {shown!s:5} {one['mean']:.3f} ({one['low']:.3f} to {one['high']:.3f})")
    if asked.json:
        print(json.dumps({"seeds": asked.seeds, "settings": SETTINGS, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
