"""Label-private training: labels are asked for once, by randomised response, and the network learns from the answers.

Promise: what `LabelPrivateRecipe` trains depends on each label only through one randomised answer, so its guarantee is
that of the answers, whatever the network, the optimizer and the number of epochs: epsilon-differential privacy of the
label, and of nothing else. Features are taken as known, and what they tell about a label is not hidden. The answers may
be published too (`LabelPrivateRun.answered`).

Answers are lies with a known probability. A loss that ignores this learns the lies; `correction` says what is done:

* "forward": the likelihood of the answer, log sum_y P(answer | y) P(y | x) (Patrini et al., 2017, section 4.2).
* "backward": the loss whose expectation over the answers is that of the true label (ibid., section 4.1); unbiased, and
  noisy where lies are frequent.
* "none": the loss on the answers as they are.

With several `stages` the records are divided at random. The first part is answered plainly, and each later part by
randomised response with a prior, which a network trained on the answers of the parts before gives
(`reticent.data.priors`; Ghazi et al., 2021, LP-MST). The parts are disjoint: each label is still answered once, by a
mechanism that depends on the answers of others only, so stages cost nothing (parallel composition). Several rows of one
owner are charged for each row.

Not covered: choosing settings, or when to stop, by the true labels; accuracies on training records; starting again,
which asks anew (compose).

Example:
    >>> import torch
    >>> from reticent.data import load
    >>> from reticent.randomness import Randomness
    >>> from reticent.training import LabelPrivateRecipe
    >>> recipe = LabelPrivateRecipe(
    ...     lambda: torch.nn.Linear(10, 2), lambda p: torch.optim.Adam(p, lr=0.01), epochs=5, batch_size=64, epsilon=2.0
    ... )
    >>> run = recipe.run(load("diabetes"), Randomness.simulated(0))
    >>> run.guarantee.only, round(run.guarantee.epsilon(1e-9), 3)
    (('label',), 2.0)
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reticent import _checks
from reticent.data import Answers, LocalNoise, Records
from reticent.data.local import sampler_for, without_noise
from reticent.data.priors import prior_answers
from reticent.errors import ModelError, UsageError
from reticent.evidence import Record, now
from reticent.privacy import Guarantee, RandomisedResponse
from reticent.randomness import Randomness, required
from reticent.training.loop import Run
from reticent.training.losses import Loss
from reticent.training.seeding import seeded
from reticent.training.steps import OrdinarySteps, Progress

__all__ = ["LabelPrivateRecipe", "LabelPrivateRun", "backward_loss", "forward_loss"]

_CORRECTIONS = ("forward", "backward", "none")
_NEVER = -1e30  # the logarithm of a probability of zero, with a gradient that is a number
_ROWS = 4096  # records at a time whose priors are computed


@dataclasses.dataclass(frozen=True)
class LabelPrivateRun(Run):
    """A finished label-private training.

    Attributes:
        answered: the records with answers in place of labels; they have the same guarantee.
        how: epsilon, correction and stages.
    """

    answered: Records | None = None
    how: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def record(self) -> Record:
        """The training as a record; see `Run.record`."""
        plain = super().record
        return Record(plain.kind, {**plain.body, "labels": self.how}, created=plain.created)


@dataclasses.dataclass(frozen=True)
class LabelPrivateRecipe:
    """A label-private training that can be repeated on other records; `rt.audit` takes it as a trainer.

    Args:
        build: a function that makes an untrained network with one output (a logit) for each class.
        optimizer: a function from parameters to an optimizer.
        epochs: passes over the data, in each stage.
        batch_size: of every step.
        epsilon: what an answer may give away about a label.
        correction: "forward", "backward" (for one stage) or "none"; see the module's page.
        stages: into how many parts the records are divided; 1 for one answer without a prior.
        sampler: "opendp" or "exact"; see `reticent.data.local`.
    """

    build: Callable[[], torch.nn.Module]
    optimizer: Callable[[Iterable[torch.nn.Parameter]], torch.optim.Optimizer]
    epochs: int
    batch_size: int
    epsilon: float
    correction: str = "forward"
    stages: int = 1
    sampler: str | None = None

    def __post_init__(self) -> None:
        _checks.positive(epsilon=self.epsilon)
        _checks.at_least(1, epochs=self.epochs)
        _checks.at_least(1, batch_size=self.batch_size)
        _checks.one_of(_CORRECTIONS, correction=self.correction)
        if _checks.at_least(1, stages=self.stages) > 1 and self.correction == "backward":
            raise UsageError(
                "Expected correction 'forward' or 'none' with several stages, got 'backward': answers that are chosen "
                "among a few labels cannot be inverted.",
                "Pass stages=1, or another correction.",
            )

    def __call__(self, records: Records, randomness: Randomness) -> torch.nn.Module:
        """The trained network."""
        return self.run(records, randomness).model

    def run(
        self, records: Any, randomness: Randomness | None = None, progress: Progress | None = None
    ) -> LabelPrivateRun:
        """The training with its guarantee.

        Args:
            records: `Records`, a pair (features, labels), or a TensorDataset.
            randomness: source of answers, parts, batches and weights: the operating system's by default.
            progress: called as progress(steps_done, steps).

        Raises:
            DataError: records that cannot be used.
            ModelError: a network whose outputs are not one for each class.
            UsageError: arguments that do not fit together; more stages than records.
            MissingExtra: OpenDP is not installed, and `sampler` is not "exact".
        """
        data = without_noise(Records.of(records))
        source = Randomness.secure() if randomness is None else required(randomness)
        chosen = sampler_for(self.sampler, source)
        if self.stages > len(data):
            raise UsageError(f"Expected stages <= {len(data)} records, got {self.stages}.", "Pass fewer.")
        order = source.spawn("parts").permutation(len(data))
        answers, allowed = data.labels.copy(), np.ones((len(data), data.classes), dtype=bool)
        done, model, told = 0, None, _Told(progress, self._steps(len(data)))
        for stage, part in enumerate(np.array_split(order, self.stages)):
            asked = source.spawn(f"answers {stage}")
            if model is None:
                noise = LocalNoise(labels=Answers(self.epsilon))
                answers[part] = noise(data.take(part), asked, sampler=chosen).labels
            else:
                answers[part], allowed[part] = prior_answers(
                    data.labels[part],
                    _priors(model, data.features[part], data.classes),
                    epsilon=self.epsilon,
                    randomness=asked,
                    sampler=chosen,
                )
            done += len(part)
            model = self._trained(data, order[:done], answers, allowed, source.spawn(f"stage {stage}"), told)
        guarantee = self._guarantee(data, chosen, simulated=not source.is_secure)
        answered = _with_labels(data, answers, guarantee)
        how = {"epsilon": self.epsilon, "correction": self.correction, "stages": self.stages}
        assert model is not None  # noqa: S101  # there is at least one stage
        return LabelPrivateRun(
            model, guarantee, None, told.done, 0, answered.digest(), now(), guarantee, answered=answered, how=how
        )

    def _steps(self, size: int) -> int:
        parts = np.cumsum([len(part) for part in np.array_split(np.arange(size), self.stages)]).tolist()
        return sum(self.epochs * -(-seen // min(self.batch_size, seen)) for seen in parts)

    def _trained(
        self,
        data: Records,
        rows: npt.NDArray[np.int64],
        answers: npt.NDArray[np.int64],
        allowed: npt.NDArray[np.bool_],
        source: Randomness,
        told: _Told,
    ) -> torch.nn.Module:
        """A fresh network, trained on the answers about these rows."""
        with seeded(source.spawn("build")):
            model = self.build()
        parameter = next(model.parameters(), None)
        if parameter is None:
            raise ModelError("Expected a network with trainable parameters, got none.", "Pass a module with layers.")
        x = torch.from_numpy(np.ascontiguousarray(data.features[rows])).to(parameter.device)
        x = x.to(parameter.dtype) if x.is_floating_point() else x
        # An answer and the labels it was chosen among travel together, so that any order of batches keeps them so.
        y = torch.from_numpy(np.concatenate([answers[rows, None], allowed[rows]], axis=1)).to(parameter.device)
        losses: dict[str, Loss] = {
            "forward": functools.partial(_forward, self.epsilon),
            "backward": lambda logits, target: backward_loss(self.epsilon)(logits, target[:, 0]),
            "none": lambda logits, target: torch.nn.functional.cross_entropy(logits, target[:, 0]),
        }
        model.train()
        with seeded(source.spawn("torch")):
            steps = OrdinarySteps(
                model,
                _checked(losses[self.correction], data.classes),
                self.optimizer([p for p in model.parameters() if p.requires_grad]),
                source,
                size=len(x),
                epochs=self.epochs,
                batch_size=self.batch_size,
            )
            told.done += steps.run(x, y, progress=told.step)
        return model.eval()

    def _guarantee(self, data: Records, sampler: str, *, simulated: bool) -> Guarantee:
        base = LocalNoise(labels=Answers(self.epsilon)).guarantee(data, sampler=sampler, simulated=simulated)
        own = (
            *(("the parts of the stages were chosen at random, without looking at labels",) * (self.stages > 1)),
            "not covered: choosing settings, or when to stop, by the true labels; accuracies on these records",
        )
        mechanisms = base.mechanisms
        if self.stages > 1:  # among how many labels an answer was chosen varies: two are the worst
            mechanisms = (RandomisedResponse(self.epsilon, 2, base.mechanisms[0].count),)
        return dataclasses.replace(base, mechanisms=mechanisms, assumptions=(*base.assumptions, *own))


def forward_loss(epsilon: float) -> Loss:
    """The mean over a batch of -log P(answer | x), for logits and answers that were given among all classes.

    The answers are those of `Answers(epsilon)`; any loop can use it, on records that `LocalNoise` made.

    Example:
        >>> import torch
        >>> from reticent.training import forward_loss
        >>> logits, answers = torch.zeros(2, 4), torch.tensor([0, 3])
        >>> round(float(forward_loss(1.0)(logits, answers)), 4)  # log 4, whatever epsilon
        1.3863
    """
    _checks.positive(epsilon=epsilon)

    def loss(logits: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        every = torch.ones_like(logits, dtype=answers.dtype)
        return _forward(epsilon, logits, torch.cat([answers[:, None], every], dim=1))

    return loss


def backward_loss(epsilon: float) -> Loss:
    """The mean over a batch of an unbiased estimate of the true labels' cross entropy, from answers among all classes.

    With the probabilities h of the truth and l of each lie it is (loss(answer) - l * sum of all losses) / (h - l).
    """
    _checks.positive(epsilon=epsilon)

    def loss(logits: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        law = RandomisedResponse(epsilon, logits.shape[1])
        losses = -torch.nn.functional.log_softmax(logits, dim=1)
        own = losses.gather(1, answers[:, None].to(torch.int64))[:, 0]
        return ((own - law.lie * losses.sum(1)) / (law.honest - law.lie)).mean()

    return loss


def _forward(epsilon: float, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean of -log P(answer | x); `target` is (B, 1 + classes): the answer, and among which labels it was chosen."""
    answer, allowed = target[:, :1].to(torch.int64), target[:, 1:].to(torch.bool)
    log_p = torch.nn.functional.log_softmax(logits, dim=1)
    count = allowed.sum(1).to(log_p.dtype)
    # P(answer) = ((e^eps - 1) p(answer) + p(allowed)) / (e^eps + k - 1) + p(others) / k
    total = epsilon + torch.log1p((count - 1.0) * math.exp(-epsilon))
    own = log_p.gather(1, answer)[:, 0] + epsilon + math.log(-math.expm1(-epsilon)) - total
    inside = torch.where(allowed, log_p, _NEVER).logsumexp(1) - total
    outside = torch.where(allowed, _NEVER, log_p).logsumexp(1) - count.log()
    return -torch.stack([own, inside, outside]).logsumexp(0).mean()


def _checked(loss: Loss, classes: int) -> Loss:
    def checked(logits: Any, target: torch.Tensor) -> torch.Tensor:
        if not isinstance(logits, torch.Tensor) or logits.shape != (len(target), classes):
            got = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
            raise ModelError(
                f"Expected one logit for each of {classes} classes, got outputs {got}.", "Change the last layer."
            )
        return loss(logits, target)

    return checked


def _priors(model: torch.nn.Module, features: npt.NDArray[Any], classes: int) -> npt.NDArray[np.float64]:
    """(n, classes) what a network takes for likely."""
    parameter = next(model.parameters())
    found = [np.empty((0, classes))]
    with torch.no_grad():
        for start in range(0, len(features), _ROWS):
            x = torch.from_numpy(np.ascontiguousarray(features[start : start + _ROWS])).to(parameter.device)
            logits = model(x.to(parameter.dtype) if x.is_floating_point() else x)
            found.append(logits.double().softmax(1).cpu().numpy())
    return np.concatenate(found)


def _with_labels(data: Records, labels: npt.NDArray[np.int64], guarantee: Guarantee) -> Records:
    return Records(
        data.features,
        labels,
        classes=data.classes,
        class_names=data.class_names,
        origin=data.origin,
        name=data.name,
        unit=data.unit,
        owners=data.owners,
        feature_names=data.feature_names,
        public_facts=data.public_facts,
        guarantee=guarantee,
        rests_on=data.rests_on,
    )


class _Told:
    """Steps of all stages together, for whoever watches."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self.done = progress, total, 0

    def step(self, done: int, _total: int) -> None:
        if self._progress is not None:
            self._progress(self.done + done, self._total)
