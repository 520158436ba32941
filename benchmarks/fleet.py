"""What a fleet of shadow models costs, beside the same models trained one after the other.

Run: python benchmarks/fleet.py [--json] [--only digits,purchase,cnn64,cnn16] [--repeats 3] [--jobs 1]

Both train the same models from the same streams with `reticent.training.fleets.fit_many`, `ways="one by one"` against
its own choice, in turns; times are processor time of this process and its children, everything included (building,
trial and measurement, training, answering). Reported are medians, their ratio, and the largest difference between the
log-odds of the two, also in units of their spread between models. Bars: 8 times for the small network on the digits, 4
times for one of Purchase size, 2 times for the convolutional ones.

A third runs in the same turns: the plain loop that tools for membership inference train their shadow models with, a
`DataLoader` over the model's part of the records, forward, backward, step. It draws other batches, so its answers are
others; its cost is what leaving such a tool for a fleet saves. reticent's own "one by one" gathers whole batches
from one array and is the faster of the two.

The optimizer is Adam, the default of `rt.train`; `--optimizer sgd` has less for stacking to spare.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import resource
import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from reticent.data import Records
from reticent.models import Fleet
from reticent.randomness import Randomness
from reticent.training import Recipe
from reticent.training.fleets import choose, fit_many


class Task(NamedTuple):
    """A training, the records, and how many models."""

    about: str
    build: Callable[[], nn.Module]
    pool: Callable[[], Records]
    models: int
    batch: int
    epochs: int
    bar: float


def mlp(*widths: int) -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 10),
    )


def digits() -> Records:
    found = load_digits()
    return Records(found.data.astype(np.float32) / 16, found.target)


def purchases() -> Records:
    """600 binary features and 100 classes, in clusters, as in the Purchase-100 set."""
    source = Randomness.simulated(1)
    centres = source.uniform((100, 600)) < 0.2
    labels = source.integers(100, 4000)
    features = centres[labels] ^ (source.uniform((4000, 600)) < 0.1)
    return Records(features.astype(np.float32), labels, classes=100)


def images() -> Records:
    """28 x 28 images: the digits, enlarged."""
    found = load_digits()
    large = np.kron(found.data.reshape(-1, 8, 8)[:640] / 16, np.ones((4, 4)))[:, None, 2:-2, 2:-2]
    return Records(large.astype(np.float32), found.target[:640], classes=10)


TASKS = {
    "digits": Task("MLP 64-64-10", functools.partial(mlp, 64, 64, 10), digits, 64, 64, 20, 8.0),
    "digits32": Task("MLP 64-64-10, 32 models", functools.partial(mlp, 64, 64, 10), digits, 32, 64, 20, 8.0),
    "purchase": Task("MLP 600-128-100", functools.partial(mlp, 600, 128, 100), purchases, 64, 128, 4, 4.0),
    "cnn64": Task("CNN 1x28x28, 16-32, batch 64", cnn, images, 16, 64, 6, 2.0),
    "cnn16": Task("CNN 1x28x28, 16-32, batch 16", cnn, images, 16, 16, 4, 2.0),
}
OPTIMIZERS = {
    "adam": functools.partial(torch.optim.Adam, lr=1e-3),
    "sgd": functools.partial(torch.optim.SGD, lr=0.1, momentum=0.9),
}


def processor_seconds() -> float:
    """Of this process and of children that have ended."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def plain_loops(task: Task, optimizer: str, pool: Records, masks: np.ndarray[Any, Any]) -> list[torch.Tensor]:
    """What every model answers, trained as shadow models are elsewhere."""
    x, y = torch.from_numpy(pool.features), torch.from_numpy(pool.labels)
    answers = []
    for mask in masks:
        rows = torch.from_numpy(np.flatnonzero(mask))
        part = torch.utils.data.Subset(torch.utils.data.TensorDataset(x, y), rows.tolist())
        loader = torch.utils.data.DataLoader(part, batch_size=task.batch, shuffle=True)
        model = task.build()
        steps = OPTIMIZERS[optimizer](model.parameters())
        model.train()
        for _ in range(task.epochs):
            for features, labels in loader:
                steps.zero_grad()
                nn.functional.cross_entropy(model(features), labels).backward()
                steps.step()
        model.eval()
        with torch.no_grad():
            answers.append(torch.cat([model(some).log_softmax(1) for some in x.split(1024)]))
    return answers


def measured(task: Task, optimizer: str, repeats: int, jobs: int) -> dict[str, Any]:
    pool = task.pool()
    recipe = Recipe(task.build, OPTIMIZERS[optimizer], epochs=task.epochs, batch_size=task.batch)
    source = Randomness.simulated(3)
    masks = np.stack([source.spawn(f"mask {k}").bernoulli(0.5, len(pool)) for k in range(task.models)])
    took: dict[str, list[float]] = {"plain loop": [], "one by one": [], "fleet": []}
    fleets: dict[str, Fleet] = {}
    for _ in range(repeats):
        start = processor_seconds()
        plain_loops(task, optimizer, pool, masks)
        took["plain loop"].append(processor_seconds() - start)
        for name, ways in (("one by one", "one by one"), ("fleet", None)):
            start = processor_seconds()
            fleets[name] = fit_many(recipe, pool, masks, randomness=source, ways=ways, jobs=jobs)
            if jobs > 1:
                from loky import get_reusable_executor

                get_reusable_executor().shutdown()  # children count once they have ended
            took[name].append(processor_seconds() - start)
    way = choose(recipe, pool, [source.spawn(f"model {k}") for k in range(task.models)])
    apart = np.abs(fleets["fleet"].scores - fleets["one by one"].scores)
    spread = np.median(fleets["one by one"].scores.std(axis=0))
    ratio, plain = (
        statistics.median(a / b for a, b in zip(took[other], took["fleet"], strict=True))
        for other in ("one by one", "plain loop")
    )
    return {
        "about": task.about,
        "models": task.models,
        "way": way.name,
        "together": way.together,
        "median_seconds": {name: round(statistics.median(times), 3) for name, times in took.items()},
        "median_of_ratios": round(ratio, 2),
        "median_of_ratios_to_plain_loop": round(plain, 2),
        "bar": task.bar,
        "largest_difference": float(apart.max()),
        "median_difference": float(np.median(apart)),
        "largest_difference_in_spreads": float(apart.max() / spread),
    }


def main() -> None:
    """Print everything as JSON, or as lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default=",".join(TASKS))
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adam")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    settings = parser.parse_args()
    torch.set_num_threads(settings.threads)
    result = {
        "benchmark": "fleet",
        "settings": vars(settings),
        "tasks": {
            name: measured(TASKS[name], settings.optimizer, settings.repeats, settings.jobs)
            for name in settings.only.split(",")
        },
    }
    if settings.json:
        print(json.dumps(result))
        return
    for name, found in result["tasks"].items():
        print(name, json.dumps(found))


if __name__ == "__main__":
    main()
