"""How often the audit of private trainings finds each injected bug, and how often it accuses the right engine.

Run: python benchmarks/injected_bugs.py [--json] [--repeats 20] [--clean 100] [--confidence 0.95] [--noise 1]

Every training is audited on fresh draws: the self-test's plan, twice, with half of its records as canaries, as
`audit_training` does by default. Bars: every bug is found in at least 95 % of its audits; the right engine is accused
in no more than 1 - confidence of its own (95 % Clopper-Pearson intervals stand beside both). For each bug, the share of
its audits in which each question found it is given: which question catches what.

Bounds on whole runs cannot exceed what so many canaries can show: they find more where less is promised (`--noise 3`),
where the batches' own traces are buried deeper. The bars are for the self-test's noise.

Times are processor time of one audit.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections import Counter
from typing import Any

from reticent.audits.bugs import BUGS
from reticent.audits.engines import by_make_private, by_steps, by_train
from reticent.audits.probes import Training
from reticent.audits.selftest import PLAN
from reticent.audits.statistics import clopper_pearson
from reticent.audits.whitebox import QUESTIONS, audit_training
from reticent.privacy import Plan
from reticent.randomness import Randomness


def repeated(training: Training, plan: Plan, repeats: int, confidence: float, source: Randomness) -> dict[str, Any]:
    """How many of so many audits fail, and which questions make them fail."""
    failed, by, bounds, started = 0, Counter[str](), [], time.process_time()
    for number in range(repeats):
        audit = audit_training(training, plan, confidence=confidence, randomness=source.spawn(f"audit {number}"))
        failed += not audit.passed
        by.update(check.name for check in audit.failed)
        bounds.append(audit.bound.epsilon)
    low, high = clopper_pearson(failed, repeats, 0.95)
    return {
        "audits": repeats,
        "failed": failed,
        "share": failed / repeats,
        "low": low,
        "high": high,
        "by": {name: by[name] / repeats for name in QUESTIONS if by[name]},
        "median_bound": sorted(bounds)[repeats // 2],
        "seconds": (time.process_time() - started) / repeats,
    }


def measured(plan: Plan, repeats: int, clean: int, confidence: float) -> dict[str, Any]:
    """Everything that is reported."""
    source = Randomness.simulated(18)
    right = {"make_private": (by_make_private, clean // 5), "train": (by_train, clean // 5), "parts": (by_steps, clean)}
    found = {
        "plan": plan.as_dict(),
        "canaries": min(plan.dataset_size // 2, 1000),
        "runs": 2,
        "confidence": confidence,
        "claimed": plan.guarantee().epsilon(plan.delta),
        "right": {
            name: repeated(training, plan, count, confidence, source.spawn(name))
            for name, (training, count) in right.items()
            if count
        },
        "bugs": {bug.name: repeated(bug, plan, repeats, confidence, source.spawn(bug.name)) for bug in BUGS},
    }
    accused = [found["right"]["parts"]["low"] <= 1 - confidence]
    return {**found, "met": all([*accused, *(one["share"] >= 0.95 for one in found["bugs"].values())])}


def shown(found: dict[str, Any]) -> str:
    """A table."""
    plan = found["plan"]
    lines = [
        f"{plan['steps']} steps on {plan['dataset_size']} records, batches of {plan['batch_size']}, noise "
        f"{plan['noise_multiplier']:g}: epsilon {found['claimed']:.3g} at {plan['delta']:g}; {found['canaries']} "
        f"canaries in each of {found['runs']} runs, {100 * found['confidence']:g} % confidence"
    ]
    for group in ("right", "bugs"):
        for name, one in found[group].items():
            by = ", ".join(f"{question} {100 * share:.0f} %" for question, share in one["by"].items())
            lines.append(
                f"{name:28} failed {one['failed']:3d} of {one['audits']:3d} [{one['low']:.2f}, {one['high']:.2f}]  "
                f"{one['seconds']:.1f} s  {by}"
            )
    return "\n".join([*lines, f"bars met: {found['met']}"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--clean", type=int, default=100)
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--noise", type=float, default=PLAN.noise_multiplier)
    asked = parser.parse_args()
    found = measured(
        dataclasses.replace(PLAN, noise_multiplier=asked.noise), asked.repeats, asked.clean, asked.confidence
    )
    print(json.dumps(found, indent=2) if asked.json else shown(found))
    sys.exit(not found["met"])


if __name__ == "__main__":
    main()
