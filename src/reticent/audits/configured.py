"""Carry out what a configuration says, and hold the result against its policy.

Promise: files are read, the model is loaded and the policy understood before anything is trained or asked. A limit of
the policy fails only where the whole measured interval lies above it; a figure that could not be resolved is named as
such and never passes for a small one.

Example:
    >>> from reticent.audits.configuration import AuditConfig
    >>> from reticent.audits.configured import prepared
    >>> config = AuditConfig.parse('''
    ... [data]
    ... set = "diabetes"
    ... [training]
    ... trainer = "operator:itemgetter"
    ... ''')
    >>> ready = prepared(config)
    >>> len(ready.members) + len(ready.nonmembers), ready.coins
    (442, True)
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent._numbers import percentage, shown
from reticent.audits.case import checked_sides
from reticent.audits.comparison import split
from reticent.audits.configuration import AuditConfig, DataPart, load_object
from reticent.audits.learned import SNAPSHOTS
from reticent.audits.membership import Audit, audit, require_whole_records
from reticent.audits.power import Power, power
from reticent.data import Records
from reticent.data.files import Read, read_records
from reticent.data.sampling import ready_set
from reticent.errors import UsageError
from reticent.evidence import Status
from reticent.evidence.bounds import Conclusion
from reticent.privacy import Guarantee
from reticent.privacy.rounding import round_down
from reticent.randomness import Randomness
from reticent.reports import written_for
from reticent.training.fleets.learners import as_trainer, trained

__all__ = ["Limit", "Ready", "carried_out", "limits", "planned", "prepared", "require_replaceable"]


_WRITE = "Write json.dumps(run.guarantee.as_dict()) of the private training into it."
_DIGITS = 12  # of limits: as they were written
_FIELDS = tuple(field.name for field in dataclasses.fields(Guarantee))


@dataclasses.dataclass(frozen=True)
class Ready:
    """What a configuration names, read and checked."""

    members: Records
    nonmembers: Records
    groups: Mapping[str, npt.NDArray[Any]]
    coins: bool
    model: Any
    snapshots: tuple[Any, ...]
    trainer: Any
    guarantee: Guarantee | None
    source: Randomness


@dataclasses.dataclass(frozen=True)
class Limit:
    """One limit of the policy and what was measured.

    Attributes:
        name: what is limited.
        most: the limit.
        low: the lower end of what was measured; None if it could not be resolved.
        violated: of a claim: what its own test says, which is sharper than the lower end.
        kind: "share", or "number".
    """

    name: str
    most: float
    low: float | None
    violated: bool | None = None
    kind: str = "number"

    def text(self, value: float) -> str:
        """The limit as it is printed."""
        if self.kind == "share":
            return percentage(value, _DIGITS)
        return f"{value:.0f}" if float(value).is_integer() else shown(value, _DIGITS)

    @property
    def measured(self) -> str:
        """What was measured, as it is printed: rounded down, but never to the limit or below it if it lies above."""
        if self.low is None:
            return "not resolvable"
        rounded = (round_down(self.low, digits) for digits in range(4, _DIGITS))
        return self.text(next((one for one in rounded if (one > self.most) == (self.low > self.most)), self.low))

    @property
    def status(self) -> str:
        """Either "kept" (not shown to be exceeded), "exceeded" or "not resolvable"."""
        if self.low is None:
            return "not resolvable"
        exceeded = self.low > self.most if self.violated is None else self.violated
        return "exceeded" if exceeded else "kept"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        most = self.most if math.isfinite(self.most) else None
        return {"name": self.name, "most": most, "low": self.low, "status": self.status}


def prepared(config: AuditConfig) -> Ready:
    """Everything that a configuration names.

    Raises:
        UsageError: a file or an object that is not there.
        DataError: records that cannot be used.
    """
    seed = config.attack.seed
    source = Randomness.secure() if seed is None else Randomness.simulated(seed)
    for place in (config.output.record, config.output.report):
        if place is not None:
            _require_writable(config.path(place), place)
    guarantee = None if config.claim is None else _guarantee(config)
    members, nonmembers, groups = _sides(config, source)
    checked_sides(members, nonmembers)
    members.joined(nonmembers).require_two_classes()
    trainer = None if config.training is None else as_trainer(load_object(config.training.trainer, config.folder))
    model, snapshots = _model(config), _snapshots(config)
    if model is None:
        watched = "trajectory" in config.attack.attacks and callable(getattr(trainer, "snapshots", None))
        snapshots = _watched(trainer, members, source) if watched else ()
        model = snapshots[-1] if watched else _trained(trainer, members, source)
    coins = config.data.set is not None if config.data.coins is None else config.data.coins
    return Ready(members, nonmembers, groups, coins, model, snapshots, trainer, guarantee, source)


def require_replaceable(config: AuditConfig) -> None:
    """Raise `UsageError` if a file stands where a result goes, unless it is one of the same audit.

    The same audit: a page or record that reticent wrote of a model of this name on data of this name.
    """
    data = config.data
    name = data.name or (data.set if data.set is not None else Path(str(data.members)).stem)
    same = f"reticent audit of {_name(config)!r} on {name!r}"
    for key, place in (("report", config.output.report), ("record", config.output.record)):
        if place is None or not config.path(place).is_file():
            continue
        there = written_for(config.path(place))
        if there != same:
            what = "a file that reticent did not write" if there is None else f"a {there}"
            raise UsageError(
                f"Expected no file, or one of a {same}, at {key}={place!r}, found {what}.",
                f"Name another {key} in [output], or replace it with --overwrite.",
            )


def _name(config: AuditConfig) -> str:
    return "the model" if config.model is None else config.model.name


def planned(config: AuditConfig, ready: Ready) -> Power:
    """What the audit will be able to say: known before anything is trained or asked."""
    members, others = len(ready.members), len(ready.nonmembers)
    return power(
        members,
        others,
        shadows=0 if config.training is None else config.training.shadows,
        people=ready.members.joined(ready.nonmembers).owner_count,
        confidence=_confidence(config),
        level=1 - _confidence(config),
        inclusion=0.5 if ready.coins else None,
    )


def carried_out(config: AuditConfig, ready: Ready, *, progress: Callable[[int, int], None] | None = None) -> Audit:
    """The audit that a configuration describes."""
    training = config.training
    options: dict[str, Any] = {}
    if training is not None:
        store = None if training.store is None else config.path(training.store)
        options = {"shadows": training.shadows, "jobs": training.jobs, "executor": training.executor, "store": store}
        options["removal"] = training.removal
    return audit(
        ready.model,
        ready.members,
        ready.nonmembers,
        trainer=ready.trainer,
        exposure=config.attack.exposure,
        method=config.attack.method,
        attacks=tuple(config.attack.attacks),
        limit=config.attack.limit,
        snapshots=ready.snapshots,
        answers=None if config.model is None else config.model.answers,
        confidence=_confidence(config),
        groups=ready.groups or None,
        coins=ready.coins,
        randomness=ready.source,
        progress=progress,
        name=_name(config),
        guarantee=ready.guarantee,
        **options,
    )


def limits(config: AuditConfig, found: Audit) -> tuple[Limit, ...]:
    """The policy's limits with what was measured.

    On repeated trainings where there were any, else on the model, where that is conclusive; by person where some own
    several rows.
    """
    policy = config.policy
    alone = {} if found.finding.status is Status.INCONCLUSIVE else found.finding.estimates
    estimates = dict(found.repeated.estimates or alone)
    if found.people is not None:  # who owns several rows is known by all of them
        curve = found.people.curve
        estimates = {"auc": curve.auc, **{f"true_positive_rate_at_{rate:g}": one for rate, one in curve.at.items()}}
    records, members, two = (
        ("records", "members", "two") if found.people is None else ("people", "people", "two people")
    )
    lows = {name: estimate.low for name, estimate in estimates.items()}
    given = []
    if policy.most_auc is not None:
        given.append(Limit(f"right one of {two} (AUC)", policy.most_auc, lows.get("auc"), kind="share"))
    for rate, most in policy.most_named.items():
        given.append(
            Limit(
                f"{members} named at {percentage(float(rate))} false alarms",
                most,
                lows.get(f"true_positive_rate_at_{rate}"),
                kind="share",
            )
        )
    if policy.most_exposed is not None:
        given.append(Limit(f"{records} exposed", policy.most_exposed, found.record.body["exposed"]))
    if config.claim is not None:
        given += _claims(found)
    return tuple(given)


def _claims(found: Audit) -> list[Limit]:
    """What was said of the claim; not resolvable where nothing conclusive was."""
    said = []
    for what, claim in (("the training", found.epsilon_of_training), ("the model", found.epsilon_of_model)):
        verdict = claim.verdict
        if verdict is not None and verdict.conclusion is not Conclusion.INCONCLUSIVE:
            violated = verdict.conclusion is Conclusion.VIOLATION
            said.append(Limit(f"claim about {what}", verdict.claimed, verdict.bound.epsilon, violated))
    if said:
        return said
    claimed = [one.verdict.claimed for one in (found.epsilon_of_training, found.epsilon_of_model) if one.verdict]
    return [Limit("claim", claimed[0] if claimed else math.inf, None)]


def _confidence(config: AuditConfig) -> float:
    """Of each interval, so that all limits of the policy hold together with the confidence that was asked for."""
    policy = config.policy
    single = [policy.most_auc, policy.most_exposed, config.claim]
    several = len(policy.most_named) + sum(one is not None for one in single)
    return 1 - (1 - config.attack.confidence) / max(1, several)


def _sides(config: AuditConfig, source: Randomness) -> tuple[Records, Records, dict[str, npt.NDArray[Any]]]:
    data = config.data
    if data.set is not None:
        return *split(ready_set(data.set, source, most=data.records), source), {}
    inside, outside = (_read(data, config, name) for name in (data.members, data.nonmembers))
    groups = {name: np.concatenate([inside.groups[name], outside.groups[name]]) for name in data.groups}
    return inside.records, outside.records, groups


def _read(data: DataPart, config: AuditConfig, name: str | None) -> Read:
    return read_records(
        config.path(str(name)),
        label=data.label,
        owner=data.owner,
        groups=data.groups,
        ignore=data.ignore,
        classes=data.classes,
        name=data.name,
        identifier=data.id,
    )


def _model(config: AuditConfig) -> Any:
    part = config.model
    if part is None or not part.given:
        return None
    if part.onnx is not None:
        if not config.path(part.onnx).is_file():
            raise UsageError(f"Expected an ONNX file at {part.onnx!r}, found none.", "Check the path.")
        return config.path(part.onnx)
    if part.load is not None:
        return _loaded(part.load, config)
    from reticent.models import Endpoint

    missing = [variable for variable in part.headers.values() if variable not in os.environ]
    if missing:
        raise UsageError(f"Expected the environment variables {missing}, which hold headers.", "Set them.")
    options = {
        "rate": part.queries_per_second,
        "budget": part.most_queries,
        "answers": part.answers,
        "request": part.request,
        "response": part.response,
        "headers": {header: os.environ[variable] for header, variable in part.headers.items()},
    }
    return Endpoint(str(part.endpoint), **{name: value for name, value in options.items() if value is not None})


def _loaded(where: str, config: AuditConfig) -> Any:
    """What is named there, or what the function of that name returns."""
    found = load_object(where, config.folder)
    is_model = hasattr(found, "named_parameters") or hasattr(found, "predict_proba")
    return found if is_model or not callable(found) else found()


def _snapshots(config: AuditConfig) -> tuple[Any, ...]:
    """The given model as it was earlier in its training, and as it is."""
    named = None if config.model is None else config.model.snapshots
    if named is None:
        return ()
    if isinstance(named, str):
        found = _loaded(named, config)
        if not isinstance(found, list | tuple):
            raise UsageError(
                f"Expected a list of models from {named!r}, got {type(found).__name__}.",
                "Return the snapshots in order.",
            )
        return tuple(found)
    missing = [one for one in named if not config.path(one).is_file()]
    if missing:
        raise UsageError(f"Expected ONNX files at {missing}, found none.", "Check the paths.")
    return tuple(config.path(one) for one in named)


def _watched(trainer: Any, members: Records, source: Randomness) -> tuple[Any, ...]:
    """The model that the trainer makes of the members, after equal parts of its training."""
    return tuple(trainer.snapshots(members, source.spawn("target"), SNAPSHOTS))


def _trained(trainer: Any, members: Records, source: Randomness) -> Any:
    """The model that the trainer makes of the members, where none was given."""
    return trained(trainer, members, source.spawn("target"))


def _require_writable(path: Path, place: str) -> None:
    """Try it, with a file that is gone again: permissions alone do not tell."""
    if not path.parent.is_dir():
        raise UsageError(f"Expected the folder of {place!r} to exist.", "Make it, or choose another place.")
    if path.is_dir():
        raise UsageError(f"Expected a file at {place!r}, found a folder.", "Choose another place.")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise UsageError(
            f"Expected to write {place!r}, but: {error.strerror or error}.", "Choose a folder that can be written to."
        ) from error


def _guarantee(config: AuditConfig) -> Guarantee:
    assert config.claim is not None  # noqa: S101
    path, named = config.path(config.claim.guarantee), f"guarantee={config.claim.guarantee!r}"
    try:
        values = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(
            f"Expected a file for guarantee in [claim], got {named}, which cannot be read.", f"Check the path. {_WRITE}"
        ) from error
    except ValueError as error:
        raise UsageError(f"Expected a guarantee as JSON, got {named}, which is none: {error}.", _WRITE) from error
    missing = [name for name in _FIELDS if name not in values] if isinstance(values, dict) else list(_FIELDS)
    if missing:
        raise UsageError(f"Expected the fields of a guarantee in JSON, got {named} without {missing}.", _WRITE)
    try:
        guarantee = Guarantee.from_dict(values)
    except UsageError as error:
        raise UsageError(f"Expected a guarantee in JSON, got {named}, in which: {error.what}", _WRITE) from error
    require_whole_records(guarantee)
    return guarantee
