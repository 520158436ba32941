"""A private training watched from inside: records whose gradients are known, and every noisy gradient that it used.

Promise: whatever trains the `Trial`'s network on its records sees gradients that were chosen here: record i's gradient
is row i of its features, in the first step and in every other. So `watch` knows what a training that does as its plan
says would have released, without a hook in it: in each step, for each canary, the sum over clipped gradients projected
on the canary's direction is 0 or 1 clipping norms, plus noise of `noise_multiplier` clipping norms.

How: the network is linear, without a bias, and the loss is the mean of its outputs; the gradient of one output by the
weights is the input itself. A linear network has two weight vectors ("left" and "right"), and every direction lies half
in each, so that a clipping norm or a noise that is not over all parameters together shows. The optimizer moves nothing
and keeps the gradients that it is given. This works for every training that takes a torch network, an optimizer, a data
set and a loss: `make_private`, `train`, Opacus' PrivacyEngine, a loop of one's own.

* gradient canaries: directions that are orthogonal to each other and to all else (Nasr et al., 2023, section 4: Dirac
  gradients are the strongest that there are). Each is in the data by a fair coin of its own. One that is not is a
  record with gradient zero, which is no record to the sum; under `Relation.REPLACE_ONE` it is one with the opposite
  gradient, which is the farthest neighbour. They are `SIZE` times as long as the clipping norm.
* fillers: all other records; they share one direction, so that their number in each batch can be read.
* silent directions: in nobody's gradient. What is released there is noise alone.

Not covered: what other networks than a linear one do to the engine (`reticent.training.check_model`); secrets that a
training keeps from its optimizer; thresholds that move with the data, correlated noise, units of several rows (all
refused).

Shapes: n records, m canaries, k silent numbers, T steps. All released numbers are in clipping norms, on the sum.

Example:
    >>> import reticent as rt
    >>> from reticent.audits.engines import by_make_private
    >>> from reticent.audits.probes import watch
    >>> plan = rt.Plan(1.0, dataset_size=200, batch_size=20, steps=10, delta=1e-3)
    >>> trace = watch(by_make_private, plan, canaries=50, randomness=rt.Randomness.simulated(0))
    >>> trace.canaries.shape, trace.silent.shape, trace.fillers.shape
    ((10, 50), (10, 256), (10,))
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy import (
    Cyclic,
    FixedSize,
    Plan,
    Poisson,
    RandomAllocation,
    Relation,
    Shuffled,
    TruncatedPoisson,
    Unit,
)
from reticent.randomness import Randomness, required

__all__ = ["SILENT", "SIZE", "Kept", "Probe", "Trace", "Training", "Trial", "probed", "watch"]

Floats = npt.NDArray[np.float64]

SIZE = 100.0
"""Length of a canary's gradient, in clipping norms: whoever does not clip it lets it stand out."""
SILENT = 256
"""Silent numbers in each step, half of them in either weight vector."""

_SAMPLERS = (Poisson, TruncatedPoisson, RandomAllocation, Cyclic, FixedSize, Shuffled)
_LARGEST = 1 << 27  # numbers of the features


class Probe(torch.nn.Module):
    """A linear network over 2h inputs without a bias, whose weights are two vectors of length h."""

    def __init__(self, half: int) -> None:
        super().__init__()
        self.width = half  # "half" is a method of every module
        self.left = torch.nn.Linear(half, 1, bias=False)
        self.right = torch.nn.Linear(half, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 1) outputs, whose gradients by the weights are the inputs."""
        output: torch.Tensor = self.left(x[:, : self.width]) + self.right(x[:, self.width :])
        return output


class Kept(torch.optim.Optimizer):
    """An optimizer that moves nothing and keeps what it would have moved by.

    Attributes:
        released: for each step, the gradients of all parameters, one after the other.
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        super().__init__(parameters, {})
        self.released: list[Floats] = []

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Keep the gradients; nothing happens where there are none."""
        del closure
        found = [p.grad for group in self.param_groups for p in group["params"]]
        if all(gradient is None for gradient in found):
            return  # a part of a batch that is not over yet
        missing = [p for group in self.param_groups for p in group["params"] if p.grad is None]
        if missing:
            raise UsageError(
                f"Expected a gradient for every parameter in a step, got none for {len(missing)} of {len(found)}.",
                "Train all parameters of trial.network.",
            )
        self.released.append(
            np.concatenate([g.detach().cpu().double().numpy().ravel() for g in found if g is not None])
        )


@dataclasses.dataclass(frozen=True)
class Trial:
    """What a training under audit is given: it should do with these what it always does.

    Attributes:
        network: to be trained.
        optimizer: to be used; it keeps what it is given, and moves nothing.
        data: the records, as a data set of pairs (inputs, targets). The targets mean nothing.
        loss: called as loss(outputs, targets): the mean over the examples.
        plan: what it should execute.
        randomness: where it should draw from, if it takes a `Randomness`; another one for each run.
    """

    network: torch.nn.Module
    optimizer: Kept
    data: torch.utils.data.TensorDataset
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    plan: Plan
    randomness: Randomness


Training = Callable[[Trial], Any]
"""Trains a `Trial`; what it returns is ignored."""


@dataclasses.dataclass(frozen=True)
class Trace:
    """What one training released, in clipping norms on the sum.

    Attributes:
        canaries: (T, m) in each canary's direction: noise, and 1 where the canary took part.
        included: (m,) whether the canary is in the data.
        fillers: (T,) in the fillers' direction: how many took part, and noise.
        silent: (T, k) where nobody's gradient is.
    """

    canaries: Floats
    included: npt.NDArray[np.bool_]
    fillers: Floats
    silent: Floats

    @property
    def steps(self) -> int:
        """Steps that were taken."""
        return len(self.fillers)


def probed(plan: Plan) -> Plan:
    """The plan, if a probe can tell what it would release.

    Raises:
        UsageError: a plan whose outputs have a law that is not written here, or without noise.
    """
    refused = {
        "noise_multiplier": plan.noise_multiplier if plan.noise_multiplier <= 0 else None,
        "unit": plan.unit if plan.unit is not Unit.EXAMPLE else None,
        "clipping": plan.clipping if plan.clipping.quantile is not None else None,
        "sampling": plan.sampling if not isinstance(plan.sampling, _SAMPLERS) else None,
        "correlation": plan.correlation if not plan.correlation.is_independent else None,
    }
    if not isinstance(plan.clipping.groups, str):
        refused["clipping"] = plan.clipping
    for name, value in refused.items():
        if value is not None:
            raise UsageError(
                "Expected a plan for single rows with independent noise, fixed thresholds of equal groups and a "
                f"sampler of rows at one rate, got {name}={value!r}.",
                "Audit a plan that differs in this alone; the engine is the same.",
            )
    return plan


def watch(training: Training, plan: Plan, *, canaries: int, randomness: Randomness, silent: int = SILENT) -> Trace:
    """Run a training once on gradients that are known, and take down what it released.

    Args:
        training: called once with a `Trial`.
        plan: what it should execute.
        canaries: how many of the plan's records are canaries, in the data or not by fair coins.
        randomness: source of the coins and of the trial's own randomness.
        silent: numbers of which nobody's gradient has any.

    Raises:
        UsageError: a plan that cannot be probed; more canaries than records; a training that took no step, or used
            another optimizer.
    """
    probed(plan)
    source = required(randomness)
    _checks.at_least(1, canaries=canaries)
    _checks.at_least(4, silent=silent)
    if canaries >= plan.dataset_size:
        raise UsageError(
            f"Expected fewer canaries than the plan's {plan.dataset_size} records, got canaries={canaries}.",
            "Plan with more records: the others fill up.",
        )
    half = 1 + canaries + silent // 2
    if plan.dataset_size * 2 * half > _LARGEST:
        raise UsageError(
            f"Expected at most {_LARGEST} numbers as gradients, got {plan.dataset_size} records of {2 * half}.",
            "Audit with fewer canaries, or a smaller plan with the same sampling rate and noise.",
        )
    included = source.spawn("coins").bernoulli(0.5, canaries)
    features = _gradients(plan, included, half, source.spawn("places"))
    labels = torch.arange(plan.dataset_size) % 2
    network = Probe(half)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1.0)
    trial = Trial(
        network,
        Kept(network.parameters()),
        torch.utils.data.TensorDataset(features, labels),
        _mean_output,
        plan,
        source.spawn("training"),
    )
    training(trial)
    return _read(trial, included, half)


def _mean_output(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    del targets
    return outputs.mean()


def _gradients(plan: Plan, included: npt.NDArray[np.bool_], half: int, source: Randomness) -> torch.Tensor:
    """(n, 2h) the records' gradients, in an order that says nothing."""
    n, m = plan.dataset_size, len(included)
    norms = [plan.l2_clip_norm_at(step) for step in range(plan.steps)]
    long = SIZE * max(norms)
    # As long as the threshold, so that canaries outweigh them; longer where a threshold is not met exactly.
    short = plan.l2_clip_norm if plan.clip_schedule.is_constant and not plan.clipping.normalised else long
    absent = 0.0 if plan.relation is Relation.ADD_OR_REMOVE_ONE else -1.0
    rows = source.permutation(n)
    features = np.zeros((n, 2, half), dtype=np.float32)
    features[rows[:m], :, 1 + np.arange(m)] = (np.where(included, 1.0, absent) * long / math.sqrt(2))[:, None]
    features[rows[m:], :, 0] = short / math.sqrt(2)
    return torch.from_numpy(features.reshape(n, 2 * half))


def _read(trial: Trial, included: npt.NDArray[np.bool_], half: int) -> Trace:
    plan, m = trial.plan, len(included)
    if not trial.optimizer.released:
        raise UsageError(
            "Expected a training that steps with trial.optimizer, got none of its steps.",
            "Train trial.network with trial.optimizer, or with a wrapper around it.",
        )
    released = np.stack(trial.optimizer.released)
    norms = np.array([plan.l2_clip_norm_at(min(step, plan.steps - 1)) for step in range(len(released))])
    sums = (released * (plan.batch_size / norms)[:, None]).reshape(len(released), 2, half)
    together = (sums[:, 0] + sums[:, 1]) / math.sqrt(2)
    return Trace(together[:, 1 : 1 + m], included, together[:, 0], sums[:, :, 1 + m :].reshape(len(released), -1))
