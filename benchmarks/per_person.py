"""What statistics about single records, groups and people cost, and how many records at risk they find.

Run: python benchmarks/per_person.py [--json] [--records 50000] [--models 64]

* cost: processor seconds for simulated scores of so many records and models.
* power: records called exposed (familywise error 5 %) and listed (false discovery rate 5 %) by the exact tests, and by
  counting right guesses with a Clopper-Pearson bound (what was there before, approximate), for 2,000 records of 20
  classes with one label in ten replaced at random, and networks 100-64-20 trained on random halves of them.

One thread; processor time.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.stats import beta

from reticent.attacks.membership import leave_one_out
from reticent.audits.groups import disparity
from reticent.audits.persons import by_person
from reticent.audits.pooled import pooled_curve
from reticent.audits.randomisation import column_tests
from reticent.audits.reasons import reasons
from reticent.audits.risks import record_risks
from reticent.audits.spread import spread
from reticent.data import Records
from reticent.models import Exposure, Fleet, Signals
from reticent.randomness import Randomness


def seconds(run: Callable[[], Any]) -> float:
    start = time.process_time()
    run()
    return round(time.process_time() - start, 2)


def cost(records: int, models: int) -> list[dict[str, Any]]:
    draw, source = np.random.Generator(np.random.PCG64(0)), Randomness.simulated(0)
    membership = draw.random((models, records)) < 0.5
    scores = draw.normal(size=(models, records)) + membership * draw.exponential(size=records)
    fleet = Fleet(Signals(scores, scores, scores > 0), membership)
    owners = np.arange(records) // 5
    whole = membership[:, ::5][:, owners]
    pool = Records(draw.normal(size=(records, 100)), draw.integers(0, 10, records))
    runs = {
        "exact tests": lambda: column_tests(scores, membership, randomness=source),
        "list of records at risk": lambda: record_risks(fleet, randomness=source),
        "pooled curve, 400 draws": lambda: pooled_curve(
            scores, membership, rates=(0.1, 0.01, 0.001), randomness=source
        ),
        "10 groups, 400 draws": lambda: disparity(scores, membership, pool.labels, randomness=source),
        "people of 5 rows, 3 ways": lambda: by_person(scores, whole, owners, randomness=source),
        "spread over trainings": lambda: spread(scores, membership),
        "reasons for 500, 100 features": lambda: reasons(pool, fleet, range(500), randomness=source),
    }
    return [{"what": name, "records": records, "models": models, "seconds": seconds(run)} for name, run in runs.items()]


def trained(models: int) -> Fleet:
    """Networks on random halves of a pool, all at once."""
    draw, classes, columns, size = np.random.Generator(np.random.PCG64(5)), 20, 100, 2000
    prototypes = draw.integers(0, 2, (classes, 2, columns))
    true, which = draw.integers(0, classes, size), draw.integers(0, 2, size)
    bits = prototypes[true, which] ^ (draw.random((size, columns)) < 0.22)
    labels = np.where(draw.random(size) < 0.1, draw.integers(0, classes, size), true)
    x, y = torch.tensor((2.0 * bits - 1) * 3 / columns**0.5, dtype=torch.float32), torch.tensor(labels)
    membership = draw.random((models, size)) < 0.5
    make = torch.Generator().manual_seed(0)
    weights = [
        torch.randn(models, columns, 64, generator=make) / columns**0.5,
        torch.zeros(models, 1, 64),
        torch.randn(models, 64, classes, generator=make) / 8,
        torch.zeros(models, 1, classes),
    ]
    for one in weights:
        one.requires_grad_()
    optimizer = torch.optim.SGD(weights, lr=0.1, momentum=0.9)

    def logits(batch: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(torch.baddbmm(weights[1], batch, weights[0]))
        return torch.baddbmm(weights[3], hidden, weights[2])

    inside = [np.flatnonzero(row) for row in membership]
    steps = min(len(rows) for rows in inside) // 100
    for _ in range(40):
        order = torch.tensor(np.stack([draw.permutation(rows)[: steps * 100] for rows in inside]))
        for step in range(steps):
            rows = order[:, step * 100 : step * 100 + 100]
            loss = torch.nn.functional.cross_entropy(logits(x[rows]).reshape(-1, classes), y[rows].reshape(-1))
            optimizer.zero_grad()
            (loss * models).backward()  # the mean over models gives each of them its own mean
            optimizer.step()
    with torch.no_grad():
        answers = torch.log_softmax(logits(x.expand(models, size, columns)), -1).numpy()
    return Fleet.of(answers, labels, membership, Exposure.LOGITS)


def guessed(fleet: Fleet) -> int | None:
    """Records whose count of right guesses has a lower bound above one half, for all at once."""
    models, records = fleet.membership.shape
    right = ((leave_one_out(fleet.scores, fleet.membership) > 0) == fleet.membership).sum(axis=0)
    low = beta.ppf(0.05 / records / 2, right, models - right + 1)
    return int((low > 0.5).sum()) if beta.ppf(0.05 / records / 2, models, 1) > 0.5 else None


def power() -> list[dict[str, Any]]:
    fleet, rows = trained(64), []
    for models in (8, 16, 32, 64):
        some = fleet.take(slice(0, models))
        found = record_risks(some, randomness=Randomness.simulated(0))
        row = {"listed": found.count, "exposed": found.exposed, "by_guesses": guessed(some)}
        rows.append({"what": "records found", "models": models, **row})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--models", type=int, default=64)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for row in cost(arguments.records, arguments.models) + power():
        print(json.dumps(row) if arguments.json else "  ".join(f"{name}: {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
