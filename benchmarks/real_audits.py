"""What audits of networks on real data find, and how long they take: Adult and Fashion-MNIST, plain and private.

Run: python benchmarks/real_audits.py [--sets adult,fashion-mnist] [--records 10000] [--shadows 64] [--json]
(once before: reticent data fetch adult; reticent data fetch fashion-mnist)

Each set: so many records drawn at random, members by fair coins, an ordinary network, and the same one trained with
DP-SGD at epsilon 3 (noise from a seeded generator: the claim is that of the same training with secure noise). Every
network is audited with shadow models of its own kind, scored by the default method. The seed is fixed; figures are
those of one audit, with its intervals.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import resource
import time
from typing import Any

import torch
from torch import nn

import reticent as rt
from reticent.audits import split
from reticent.data.sampling import ready_set

DELTA = 1e-5
EPSILON = 3.0


def mlp(inputs: int, classes: int) -> nn.Module:
    """Two layers, 128 units."""
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 128), nn.ReLU(), nn.Linear(128, classes))


def recipes(members: rt.Records) -> dict[str, tuple[rt.Recipe, rt.Plan | None]]:
    """The plain and the private training."""
    build = functools.partial(mlp, members.features[0].size, members.classes)
    plan = rt.Plan.calibrate(
        epsilon=EPSILON, delta=DELTA, dataset_size=len(members), batch_size=256, epochs=20, unit=members.unit
    )
    return {
        "plain": (rt.Recipe(build, functools.partial(torch.optim.Adam, lr=2e-3), epochs=40, batch_size=128), None),
        "private": (rt.Recipe(build, functools.partial(torch.optim.SGD, lr=1.0, momentum=0.9), plan=plan), plan),
    }


def seconds() -> float:
    """Processor seconds of this process and of its children that ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def audited(name: str, records: int, shadows: int) -> list[dict[str, Any]]:
    """Both audits of a set."""
    source = rt.Randomness.simulated(1)
    members, others = split(ready_set(name, source, most=records), source)
    rows = []
    for kind, (recipe, plan) in recipes(members).items():
        wall, busy = time.perf_counter(), seconds()
        run = recipe.run(members, source.spawn(kind))
        audit = rt.audit(
            run.model,
            members,
            others,
            trainer=recipe,
            shadows=shadows,
            coins=True,
            guarantee=run.guarantee,
            randomness=source.spawn(f"audit {kind}"),
            jobs=1,
            name=f"{name}, {kind}",
        )
        found = audit.repeated.estimates
        row: dict[str, Any] = {
            "set": name,
            "training": kind,
            "members": len(members),
            "others": len(others),
            "shadows": shadows,
            "wall_s": round(time.perf_counter() - wall, 1),
            "cpu_s": round(seconds() - busy, 1),
            "claimed_epsilon": None if run.guarantee is None or plan is None else run.guarantee.epsilon(plan.delta),
            "exposed": audit.risks.exposed if audit.risks else None,
            "listed": audit.risks.count if audit.risks else None,
            "estimates": {key: [round(v, 4) for v in (e.value, e.low, e.high)] for key, e in found.items()},
            "on_the_model": {
                key: [round(v, 4) for v in (e.value, e.low, e.high)] for key, e in audit.finding.estimates.items()
            },
        }
        for what, claim in (("training", audit.epsilon_of_training), ("model", audit.epsilon_of_model)):
            row[f"epsilon_of_{what}_at_least"] = None if claim.bound is None else round(claim.bound.epsilon, 3)
            row[f"verdict_of_{what}"] = None if claim.verdict is None else claim.verdict.conclusion.value
        rows.append(row)
    return rows


def main() -> None:
    """Print a line for each audit, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default="adult,fashion-mnist")
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--shadows", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for name in arguments.sets.split(",") for row in audited(name, arguments.records, arguments.shadows)]
    result = {"benchmark": "real_audits", "machine": platform.machine(), "cores": os.cpu_count(), "audits": rows}
    if arguments.json:
        print(json.dumps(result))
        return
    for row in rows:
        print(f"{row['set']}, {row['training']}: {row['wall_s']} s ({row['cpu_s']} s of processor time)")
        for key in ("auc", "true_positive_rate_at_0.01", "true_positive_rate_at_0.001", "accuracy on non-members"):
            print(f"  {key}: {row['estimates'].get(key)}")
        print(f"  listed {row['listed']}, exposed {row['exposed']} of {row['members'] + row['others']}")
        print(
            f"  epsilon of the training at least {row['epsilon_of_training_at_least']} ({row['verdict_of_training']})"
        )
        print(f"  epsilon of the model at least {row['epsilon_of_model_at_least']} ({row['verdict_of_model']})")


if __name__ == "__main__":
    main()
