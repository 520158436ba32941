"""Learn from randomised answers instead of labels: nobody's label is known for certain, not even to the trainer.

Run: python examples/label_private_training.py

    >>> accuracies, guarantee = main(epochs=5)
    >>> guarantee.only, guarantee.epsilon(1e-6) <= 2.0
    (('label',), True)
"""

from __future__ import annotations

import torch

import reticent as rt
from reticent.audits import split
from reticent.data import Answers, LocalNoise, load
from reticent.training import LabelPrivateRecipe, forward_loss


def main(epochs: int = 40) -> tuple[dict[str, float], rt.Guarantee]:
    """Accuracies on unseen patients, and what was promised about the others' labels."""
    source = rt.Randomness.secure()
    members, others = split(load("breast_cancer").scaled(), source)

    def build() -> torch.nn.Module:
        return torch.nn.Linear(30, 2)

    def adam(parameters):
        return torch.optim.Adam(parameters, lr=0.01)

    def accuracy(model: torch.nn.Module) -> float:
        with torch.no_grad():
            right = model(torch.from_numpy(others.features)).argmax(1) == torch.from_numpy(others.labels)
        return float(right.float().mean())

    # One call: answers, a loss that knows how often they lie, and a second stage that asks with a prior.
    recipe = LabelPrivateRecipe(build, adam, epochs, 64, epsilon=1.0, stages=2, sampler="exact")
    run = recipe.run(members, source)

    # By hand: noisy records that carry their promise, and any loop with the same loss.
    noisy = LocalNoise(labels=Answers(epsilon=1.0))(members, source, sampler="exact")
    again = rt.train(build(), noisy, forward_loss(1.0), optimizer=adam, epochs=epochs, batch_size=64)
    assert again.guarantee == noisy.guarantee

    # Every label was asked for twice, so for somebody who sees both networks the promises add up.
    promise = run.guarantee.compose(noisy.guarantee)
    return {"two stages": accuracy(run.model), "by hand": accuracy(again.model)}, promise


if __name__ == "__main__":
    accuracies, guarantee = main()
    for name, value in accuracies.items():
        print(f"accuracy on unseen patients, {name}: {value:.2f}")
    print()
    print(guarantee.text(1e-6))
