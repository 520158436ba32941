"""An ordinary PyTorch loop, made private, with the promise printed at the end.

Run: python examples/private_loop.py

    >>> accuracy, guarantee = main(epochs=3)
    >>> guarantee.epsilon(1e-3) <= 3.0
    True
"""

from __future__ import annotations

import torch

import reticent as rt
from reticent.audits import split
from reticent.data import load


def main(epochs: int = 20) -> tuple[float, rt.Guarantee]:
    """Accuracy on unseen patients, and what was promised to the others."""
    members, others = split(load("diabetes"), rt.Randomness.secure())
    data = torch.utils.data.TensorDataset(torch.from_numpy(members.features), torch.from_numpy(members.labels))
    loader = torch.utils.data.DataLoader(data, batch_size=64, shuffle=True)
    model = torch.nn.Sequential(torch.nn.Linear(10, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

    private = rt.make_private(
        model,
        optimizer,
        loader,
        target_epsilon=3.0,
        target_delta=1e-3,
        epochs=epochs,
        unit=members.unit,
        public_facts=members.public_facts,
    )
    for _ in range(epochs):
        for x, y in private.loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(private.model(x), y).backward()
            optimizer.step()

    with torch.no_grad():
        right = model(torch.from_numpy(others.features)).argmax(dim=1) == torch.from_numpy(others.labels)
    return float(right.float().mean()), private.guarantee


if __name__ == "__main__":
    accuracy, guarantee = main()
    print(f"accuracy on unseen patients: {accuracy:.2f}\n")
    print(guarantee.text(1e-3))
