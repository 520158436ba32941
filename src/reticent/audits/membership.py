"""`audit`: what does this model give away about who was in its training data?

Promise: every figure has an interval and stands beside what an attacker without the model achieves. Thresholds come
from other models or other records than the ones they are judged on. If members and non-members can be told apart
without the model, the finding is inconclusive; what was not tried is listed as not run.

How: the trainer is repeated on random halves of the records (shadow models), the likelihood-ratio attack learns from
them how the training answers for records it has seen and not seen, and the given model is then attacked. Each shadow
model also serves as the target of the others, which tells how the training as such behaves, at lower false-positive
rates than a single model can resolve, and which records it gives away.

Without a trainer only the model's own confidence is attacked: weaker, and said so.

Example:
    >>> import torch, reticent as rt
    >>> from reticent.data import load
    >>> from reticent.randomness import Randomness
    >>> data, source = load("diabetes"), Randomness.simulated(0)
    >>> fit = rt.Recipe(lambda: torch.nn.Linear(10, 2), lambda p: torch.optim.Adam(p, lr=0.1), epochs=5, batch_size=32)
    >>> inside = source.bernoulli(0.5, len(data))
    >>> members, nonmembers = data.take(inside), data.take(~inside)
    >>> model = fit(members, source.spawn("target"))
    >>> audit = rt.audit(model, members, nonmembers, trainer=fit, shadows=8, jobs=1, randomness=source)
    >>> audit.finding.status.value, "auc" in audit.finding.estimates
    ('executed', True)
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.membership import Method
from reticent.audits.bodies import NOT_TESTED
from reticent.audits.case import checked_sides, prepare
from reticent.audits.concluding import attack_names, conclude
from reticent.audits.learned import Trajectory
from reticent.audits.outcome import Audit, Wishes
from reticent.audits.queried import chosen_methods, require_budget
from reticent.audits.removal import Removal, audit_after_removal
from reticent.audits.risks import RiskList
from reticent.audits.shadows import Trainer, train_shadows
from reticent.audits.thresholds import RATES
from reticent.data import Records
from reticent.errors import UsageError
from reticent.models import Exposure
from reticent.privacy import Guarantee
from reticent.randomness import Randomness, required
from reticent.training.fleets.learners import as_trainer

__all__ = ["NOT_TESTED", "RATES", "Audit", "audit", "require_whole_records"]


def audit(
    model: Any,
    members: Any,
    nonmembers: Any,
    *,
    trainer: Trainer | None = None,
    shadows: int = 64,
    exposure: Exposure | str = Exposure.LOGITS,
    answers: str | None = None,
    confidence: float = 0.95,
    method: str | None = None,
    groups: Mapping[str, npt.NDArray[Any]] | None = None,
    coins: bool = False,
    attacks: Sequence[Any] = (),
    limit: int | None = None,
    snapshots: Sequence[Any] = (),
    removal: bool = False,
    jobs: int | None = None,
    executor: Executor | str | None = None,
    store: str | Path | None = None,
    randomness: Randomness | None = None,
    progress: Callable[[int, int], None] | None = None,
    name: str = "the model",
    guarantee: Guarantee | None = None,
) -> Audit:
    """Attack a model's training-set membership.

    Args:
        model: a torch module, a scikit-learn classifier, the path of an ONNX file, a Hugging Face classifier (alone or
            with its tokenizer), an `Endpoint`, or a function from features to logits or probabilities; see
            `reticent.models.kinds`.
        members: records that it was trained on: `Records`, a pair (features, labels), or a TensorDataset.
        nonmembers: records from the same source that it was not trained on.
        trainer: repeats the model's training: called as trainer(records, randomness), returns a model.
        shadows: how many models to train with it.
        exposure: what the attacker sees of the answers: "label", "scores", "logits", "scores:2 digits",
            "scores:top 1"; see `Exposure`.
        answers: "logits", "probabilities" or "labels": what the model's answers are; by default known or recognised.
        confidence: of every interval.
        method: of scoring against shadow models, so only with a trainer: a name from
            `reticent.attacks.membership.METHODS`, "student" by default, or "choose": the one that attacks half of the
            shadow models best, each with the others of them; the other half judges it.
        groups: names of groupings to the group of each record, members first: groups are compared. Classes are anyway,
            if there are not many.
        coins: whether members were drawn from all records by independent fair coins, one for each owner, as `rt.split`
            does. Then a lower bound on epsilon is stated for the given model, and shadow models are drawn so, too.
        attacks: further attacks on the one model, which ask it again ("gap", "agreement", "boundary"), look at its
            parameters ("gradient norm"), learn what to expect from the non-members ("quantile"), or watch trainings
            ("trajectory"); see `reticent.audits.queried` and `reticent.audits.learned`.
        limit: how many members, and how many others, those attack at most; "quantile" and "trajectory" attack all.
        snapshots: for "trajectory": the model after equal parts of its training, the last of them the model itself.
        removal: whether to take the records at risk out, train as many shadow models again, audit again, and once more
            with as many others taken out, to tell what that does to those who stay; trains three times as many models.
        jobs: processes for the shadow models; all cores by default.
        executor: where else to train them: an executor, "dask:ADDRESS" or "ray:ADDRESS".
        store: a folder that keeps the answers of finished shadow models, for going on after a stop or with more models.
        randomness: source of every draw; the operating system's by default.
        progress: called as progress(models_done, models).
        name: what to call the model in the report.
        guarantee: what was promised about the model's training, to stand beside what is measured.

    Raises:
        DataError: records that cannot be used.
        ModelError: a model that cannot be asked, or answers with NaN.
        NotEnoughEvidence: fewer than ten members or non-members.
        UsageError: an argument that means nothing, before the model is asked; a budget that does not hold the queries
            of `attacks`, before anything is trained; a guarantee for labels or some columns only, which bounds nothing
            about membership.
    """
    source = Randomness.secure() if randomness is None else required(randomness)
    if guarantee is not None and not isinstance(guarantee, Guarantee):
        raise UsageError(f"Expected a Guarantee, got guarantee={guarantee!r}.", "Pass what a private training gave.")
    if guarantee is not None:
        require_whole_records(guarantee)
    if groups is not None and not isinstance(groups, Mapping):
        raise UsageError(
            f"Expected groups as a dictionary, got {type(groups).__name__}.", 'Pass {"sex": one value per record}.'
        )
    exposure = Exposure.of(exposure)
    if trainer is None and method is not None:
        raise UsageError(
            f"Expected a trainer with a method of scoring against shadow models, got method={method!r} and none.",
            "Pass trainer=..., or leave method out: without shadow models the confidence of the one model is attacked.",
        )
    method = "student" if method is None else method
    if trainer is not None:
        _checks.at_least(8 if method == "choose" else 4, shadows=shadows)
        trainer = as_trainer(trainer)
    inside, outside = checked_sides(members, nonmembers)
    filled = _filled(attacks, trainer, snapshots, answers)
    wishes = _wishes(method, _groups(groups, len(inside) + len(outside)), coins, filled, limit)
    case = prepare(
        model,
        inside,
        outside,
        exposure=exposure,
        confidence=confidence,
        randomness=source,
        name=name,
        answers=answers,
        coins=coins,
    )
    require_budget(case, wishes.attacks, limit=limit)
    usual: dict[str, Any] = {
        "randomness": source,
        "exposure": exposure,
        "answers": answers,
        "inclusion": case.inclusion,
        "jobs": jobs,
        "executor": executor,
        "store": store,
    }
    models = 3 * shadows if removal else shadows
    if removal:
        again = {**usual, "shadows": shadows, "progress": _after(progress, shadows, models)}
        wishes = dataclasses.replace(wishes, removal=functools.partial(_removed, trainer, case.pool, again))
    fleet = None
    if trainer is not None:
        fleet = train_shadows(trainer, case.pool, count=shadows, progress=_after(progress, 0, models), **usual)
    return conclude(case, fleet, guarantee, wishes)


def require_whole_records(guarantee: Guarantee) -> None:
    """Raise `UsageError` for a guarantee that covers parts of records only."""
    if guarantee.only:
        raise UsageError(
            f"Expected a guarantee for whole records, got one for the {', '.join(guarantee.only)} only: it says "
            "nothing about who was in the training data.",
            "Leave it out.",
        )


def _wishes(
    method: str, groups: Mapping[str, npt.NDArray[Any]], coins: bool, attacks: Sequence[Any], limit: int | None
) -> Wishes:
    _checks.one_of(attack_names(), method=method)
    if limit is not None:
        _checks.at_least(10, limit=limit)
    return Wishes(method, groups, coins, tuple(attacks), limit)


def _filled(attacks: Sequence[Any], trainer: Trainer | None, snapshots: Any, answers: str | None) -> tuple[Any, ...]:
    """The attacks, with what those on the course of a training need."""
    if not isinstance(snapshots, list | tuple):
        raise UsageError(f"Expected a list of snapshots, got {type(snapshots).__name__}.", "Put the models in a list.")
    chosen = chosen_methods(attacks)
    if snapshots and not any(isinstance(one, Trajectory) for one in chosen):
        raise UsageError("Expected snapshots for the attack that uses them.", 'Ask for attacks=("trajectory",).')
    return tuple(
        dataclasses.replace(
            one,
            snapshots=tuple(one.snapshots or snapshots),
            trainer=trainer if one.trainer is None else one.trainer,
            answers=answers if one.answers is None else one.answers,
        )
        if isinstance(one, Trajectory)
        else one
        for one in chosen
    )


def _removed(trainer: Any, pool: Records, options: Mapping[str, Any], risks: RiskList, method: Method) -> Removal:
    return audit_after_removal(trainer, pool, risks, method=method, **options)


def _after(progress: Callable[[int, int], None] | None, models: int, total: int) -> Callable[[int, int], None] | None:
    """Progress of a part of the models, those before it counted."""
    return None if progress is None else lambda done, _: progress(models + done, total)


def _groups(groups: Mapping[str, npt.NDArray[Any]] | None, records: int) -> dict[str, npt.NDArray[Any]]:
    named = {name: np.asarray(values) for name, values in ({} if groups is None else groups).items()}
    for name, values in named.items():
        if values.shape != (records,):
            raise UsageError(
                f"Expected one group for each of {records} records in groups[{name!r}], got shape {values.shape}.",
                "Give the groups of the members, then those of the others.",
            )
    return named
