"""Private training whose noise takes back a part of what it added before.

Run: python examples/correlated_noise.py

    >>> plan, independent, accuracy, guarantee = main(epochs=2)
    >>> plan.correlation.text()
    'noise correlated by 4 bands'
    >>> prefix_error(plan) < prefix_error(independent), guarantee.epsilon(1e-4) <= 4.0
    (True, True)
"""

from __future__ import annotations

import torch

import reticent as rt
from reticent.audits import split
from reticent.data import load
from reticent.privacy import Plan, correlated_plan, prefix_error


def main(epochs: int = 5) -> tuple[Plan, Plan, float, rt.Guarantee]:
    """The plan of least error, that of DP-SGD, accuracy on unseen digits, and what was promised to the others."""
    members, others = split(load("digits"), rt.Randomness.secure())
    promise = {"epsilon": 4.0, "delta": 1e-4, "dataset_size": len(members), "batch_size": 60, "epochs": epochs}
    plan, independent = correlated_plan(**promise, unit=members.unit), Plan.calibrate(**promise, unit=members.unit)

    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.Tanh(), torch.nn.Linear(64, 10))
    run = rt.train(model, members, plan=plan, optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1.0))
    with torch.no_grad():
        right = model(torch.from_numpy(others.features)).argmax(dim=1) == torch.from_numpy(others.labels)
    assert run.guarantee is not None
    return plan, independent, float(right.float().mean()), run.guarantee


if __name__ == "__main__":
    plan, independent, accuracy, guarantee = main()
    print(f"{plan.correlation.text()}, {plan.sampling}; accuracy on unseen digits: {accuracy:.2f}")
    print(f"error of running sums: {prefix_error(plan):.2f}; of DP-SGD {prefix_error(independent):.2f}\n")
    print(guarantee.text(1e-4))
