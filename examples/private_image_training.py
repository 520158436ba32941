"""Images, privately: check the network, average over shifted views, follow a quantile of the norms, stop and go on.

Run: python examples/private_image_training.py

    >>> result = main(epochs=2)
    >>> result.epsilon <= 8.0, result.resumed_the_same
    (True, True)
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import torch
from sklearn.datasets import load_digits

import reticent as rt
from reticent.training import Run
from reticent.training.seeding import seeded

DELTA = 1e-4


class Result(NamedTuple):
    accuracy: float
    epsilon: float
    resumed_the_same: bool


def network() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3, padding=1),
        torch.nn.GroupNorm(4, 16),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(16, 32, 3, padding=1),
        torch.nn.GroupNorm(8, 32),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(32 * 16, 10),
    )


def shifted(x: torch.Tensor) -> torch.Tensor:
    """Every image moved by one pixel to a side of its own."""
    moves = torch.randint(-1, 2, (len(x),))
    return torch.stack([image.roll(int(move), dims=-1) for image, move in zip(x, moves, strict=True)])


def main(epochs: int = 20) -> Result:
    """Accuracy on unseen digits, the epsilon of what was executed, and whether a stop in between changed anything."""
    digits = load_digits()
    x = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16  # the scanner's range: a public constant
    y = torch.tensor(digits.target)
    rt.check_model(network(), (x[:8], y[:8]), loss=torch.nn.functional.cross_entropy)

    plan = rt.Plan.calibrate(
        epsilon=8,
        delta=DELTA,
        dataset_size=1500,
        batch_size=250,
        epochs=epochs,
        clipping=rt.Clipping(quantile=0.5),
    )
    source = rt.Randomness.simulated(1)  # repeatable, to compare two runs; leave it out for secure randomness

    def train(state: Path, **options: object) -> Run:
        with seeded(source.spawn("weights")):
            model = network()
        return rt.train(
            model,
            (x[:1500], y[:1500]),
            plan=plan,
            optimizer=lambda parameters: torch.optim.SGD(parameters, lr=2.0, momentum=0.5),
            views=2,
            augment=shifted,
            randomness=source,
            state=state,
            save_every=1,
            **options,  # type: ignore[arg-type]
        )

    def stop(done: int, total: int) -> None:
        if done == total // 2:
            raise KeyboardInterrupt

    with tempfile.TemporaryDirectory() as folder:
        whole = train(Path(folder) / "whole.state")
        try:
            train(Path(folder) / "stopped.state", progress=stop)
        except KeyboardInterrupt:
            taken_up = train(Path(folder) / "stopped.state")

    with torch.no_grad():
        right = whole.model(x[1500:]).argmax(dim=1) == y[1500:]
    same = all(torch.equal(a, b) for a, b in zip(whole.model.parameters(), taken_up.model.parameters(), strict=True))
    assert whole.guarantee is not None
    return Result(float(right.float().mean()), whole.guarantee.epsilon(DELTA), same)


if __name__ == "__main__":
    found = main()
    print(f"accuracy on unseen digits: {found.accuracy:.2f}, epsilon {found.epsilon:.2f} at delta {DELTA}")
    print("a stop in between changed nothing" if found.resumed_the_same else "a stop in between changed the result")
