"""DP-SGD with one mistake each: what an audit has to find.

Promise: every bug is reticent's own engine (batches, per-example gradients, clipped sums, noise; put together in
`reticent.audits.engines.by_steps`) with exactly one thing done wrongly, as it has been done wrongly in practice; the
guarantee that its plan states does not hold for it. They are for testing audits, this one and others, and for nothing
else.

Example:
    >>> import reticent as rt
    >>> from reticent.audits.bugs import BUGS
    >>> from reticent.audits.probes import watch
    >>> plan = rt.Plan(1.0, dataset_size=100, batch_size=20, steps=5, delta=1e-3)
    >>> bug = next(bug for bug in BUGS if bug.name == "no noise")
    >>> trace = watch(bug, plan, canaries=10, randomness=rt.Randomness.simulated(0))
    >>> float(abs(trace.silent).max())
    0.0
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np

from reticent.audits.engines import Gradients, Rows, by_steps, planned, private_sum, released_by
from reticent.audits.probes import Trial
from reticent.privacy import Plan
from reticent.randomness import Randomness
from reticent.training import PerExampleModel
from reticent.training.engine import Gathered

__all__ = ["BUGS", "Bug"]


@dataclasses.dataclass(frozen=True)
class Bug:
    """A training (called with a `Trial`) that is wrong in one way.

    Attributes:
        name: short.
        what: what it does, and who has done so.
        training: the training.
    """

    name: str
    what: str
    training: Callable[[Trial], None]

    def __call__(self, trial: Trial) -> None:
        """Train, wrongly."""
        self.training(trial)


# Noise ------------------------------------------------------------------------------------------------------------


def _on(changed: Callable[[Plan], Plan]) -> Callable[[Trial], None]:
    """The engine on another plan than the one that is accounted for."""
    return lambda trial: by_steps(trial, released=released_by(private_sum(trial, changed(trial.plan))))


def _noise_times(factor: Callable[[Plan], float]) -> Callable[[Trial], None]:
    return _on(lambda plan: dataclasses.replace(plan, noise_multiplier=plan.noise_multiplier * factor(plan)))


def _same_noise_each_step(trial: Trial) -> None:
    seed = trial.randomness.spawn("the one seed").seed()

    def release(model: PerExampleModel, size: int) -> Gradients:
        # A sum of its own for each step, from the same seed: each draws the noise of a first step.
        return released_by(private_sum(trial, noise=Randomness.simulated(seed)))(model, size)

    by_steps(trial, released=release)


def _same_seed_each_run(trial: Trial) -> None:
    by_steps(trial, released=released_by(private_sum(trial, noise=Randomness.simulated(0))))


def _noise_on_one_parameter(trial: Trial) -> None:
    """The bare sums of the second parameter, the noisy ones of the first."""
    noisy = released_by(private_sum(trial))
    bare = released_by(private_sum(trial, dataclasses.replace(trial.plan, noise_multiplier=0.0)))

    def release(model: PerExampleModel, size: int) -> Gradients:
        held = model.gradients() if size else {}
        first = noisy(model, size)
        second = bare(_Holding(held), size)
        last = list(first)[-1]
        return {**first, last: second[last]}

    by_steps(trial, released=release)


# Clipping ---------------------------------------------------------------------------------------------------------


class _Holding:
    """Gradients in the place of a model that holds them."""

    def __init__(self, gradients: Gradients) -> None:
        self._gradients = gradients

    def take(self) -> list[Gathered]:
        return [Gathered.of(self._gradients)]


def _scaled_clip(factor: float) -> Callable[[Trial], None]:
    """A longer threshold with the noise of the stated one."""
    return _on(
        lambda plan: dataclasses.replace(
            plan, l2_clip_norm=plan.l2_clip_norm * factor, noise_multiplier=plan.noise_multiplier / factor
        )
    )


def _clip_after_averaging(trial: Trial) -> None:
    """The mean gradient is clipped, as `torch.nn.utils.clip_grad_norm_` does; noise as if each had been."""
    plan = trial.plan
    # One "example" of B times the mean, a threshold of B C and a noise multiplier of sigma / B.
    wide = dataclasses.replace(
        plan,
        l2_clip_norm=plan.l2_clip_norm * plan.batch_size,
        noise_multiplier=plan.noise_multiplier / plan.batch_size,
    )
    release = released_by(private_sum(trial, wide))

    def released(model: PerExampleModel, size: int) -> Gradients:
        found = model.gradients() if size else {}  # of the loss' mean: their sum is the mean
        model.forget()
        mean = {name: plan.batch_size * values.sum(dim=0, keepdim=True) for name, values in found.items()}
        return release(_Holding(mean), 1 if size else 0)

    by_steps(trial, released=released)


def _clip_each_parameter(trial: Trial) -> None:
    """Each parameter's gradient is clipped to the whole threshold: together they are longer."""
    sums = {name: private_sum(trial) for name, _ in trial.network.named_parameters()}
    each = {name: released_by(total) for name, total in sums.items()}

    def released(model: PerExampleModel, size: int) -> Gradients:
        found = model.gradients() if size else {}
        model.forget()
        return {name: one(_Holding({name: found[name]} if size else {}), size)[name] for name, one in each.items()}

    by_steps(trial, released=released)


def _divided_by_drawn(trial: Trial) -> None:
    """The noisy sum over the size of the batch that was drawn, not over the expected one."""
    release = released_by(private_sum(trial))

    def released(model: PerExampleModel, size: int) -> Gradients:
        return {name: mean * (trial.plan.batch_size / max(1, size)) for name, mean in release(model, size).items()}

    by_steps(trial, released=released)


# Batches ----------------------------------------------------------------------------------------------------------


def _all_records(trial: Trial) -> Iterator[Rows]:
    for _ in range(trial.plan.steps):
        yield np.arange(trial.plan.dataset_size)


def _epochs(trial: Trial, *, anew: bool) -> Iterator[Rows]:
    """Batches of equal size, one after the other, of an order that is drawn once or for each epoch."""
    n, size = trial.plan.dataset_size, trial.plan.batch_size
    each = math.ceil(n / size)
    for step in range(trial.plan.steps):
        epoch, place = divmod(step, each)
        order = trial.randomness.spawn(f"order {epoch if anew else 0}").permutation(n)
        yield np.sort(order[place * size : (place + 1) * size])


def _every_batch_twice(trial: Trial) -> Iterator[Rows]:
    """Each Poisson sample is used for two steps."""
    for number, rows in enumerate(planned(trial)):
        if number % 2 == 0:
            kept = rows
        yield kept


def _with_batches(batches: Callable[[Trial], Iterator[Rows]]) -> Callable[[Trial], None]:
    return lambda trial: by_steps(trial, batches=batches(trial))


BUGS: tuple[Bug, ...] = (
    Bug("no noise", "clips and forgets the noise", _noise_times(lambda plan: 0.0)),
    Bug("half the noise", "noise with half of its standard deviation", _noise_times(lambda plan: 0.5)),
    Bug(
        "noise divided twice",
        "noise that is divided by the batch size before it is added to the sum, which is divided again",
        _noise_times(lambda plan: 1 / plan.batch_size),
    ),
    Bug("same noise each step", "the generator is seeded anew in every step", _same_noise_each_step),
    Bug("same noise each run", "the generator is seeded with a number that stands in the program", _same_seed_each_run),
    Bug("noise on one parameter", "one parameter's gradient is released without noise", _noise_on_one_parameter),
    Bug("no clipping", "adds noise and forgets to clip", _scaled_clip(1e6)),
    Bug("clipping at twice the norm", "clips at twice the norm that the noise is for", _scaled_clip(2.0)),
    Bug(
        "clipping after averaging",
        "clips the mean gradient, as is done against exploding gradients, and not each example's",
        _clip_after_averaging,
    ),
    Bug("clipping each parameter", "clips each parameter's gradient to the norm of all", _clip_each_parameter),
    Bug(
        "divided by the batch drawn",
        "divides the noisy sum by the size of the batch that was drawn, which is not public",
        _divided_by_drawn,
    ),
    Bug("no subsampling", "all records in every step", _with_batches(_all_records)),
    Bug("fixed batches", "one order of the records, cut into batches", _with_batches(lambda t: _epochs(t, anew=False))),
    Bug(
        "shuffled batches",
        "a new order in each epoch, cut into batches",
        _with_batches(lambda t: _epochs(t, anew=True)),
    ),
    Bug("every batch twice", "two steps on each sample", _with_batches(_every_batch_twice)),
)
"""Every bug, in the order in which reports list them."""
