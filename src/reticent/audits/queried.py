"""Attacks on one model without shadow models: what its answers, more questions, or its parameters give away.

Promise: every attack that was asked for gets its own finding: executed, inconclusive, or not run with the reason. The
confidence is shared by the attacks that ran (Bonferroni), so picking the most successful of them afterwards is allowed.
A record's score never uses its own membership; thresholds are set on non-members set aside, which are then not counted.
Queries are counted, and a budget that is too small is refused before the first one.

Without shadow models there is nothing to compare a record with but other records: a record that is easy for any model
looks like a member. So these attacks are weaker than those of `rt.audit(trainer=...)`, and finding little with them
says little.

Example:
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from reticent.audits.case import prepare
    >>> from reticent.audits.queried import findings_without_shadows
    >>> from reticent.data import Records
    >>> from reticent.models import Exposure
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(0)
    >>> x = source.normal((400, 10))
    >>> records = Records(x, x[:, 0] + source.normal(400) > 0)
    >>> members, others = records.take(range(200)), records.take(range(200, 400))
    >>> model = KNeighborsClassifier(1).fit(members.features, members.labels)
    >>> case = prepare(model, members, others, exposure=Exposure.LABEL, confidence=0.95, randomness=source, name="1-NN")
    >>> gap, boundary = findings_without_shadows(case, ["gap", "boundary"])
    >>> 0.5 < gap.estimates["auc"].low < boundary.estimates["auc"].low, boundary.details["queries"] > 10_000
    (True, True)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.membership.boundary import BoundarySearch, boundary_distance
from reticent.attacks.membership.label_only import Perturbation, agreement, perturbations_for
from reticent.attacks.membership.white_box import gradient_norm
from reticent.audits.case import Case
from reticent.audits.learned import Quantile, Trajectory
from reticent.audits.thresholds import finding_of, own_thresholds
from reticent.audits.validity import doubts
from reticent.errors import UsageError
from reticent.evidence import Estimate, Finding
from reticent.models import Exposure, TextClassifier
from reticent.randomness import Randomness

__all__ = [
    "METHODS",
    "Agreement",
    "Boundary",
    "Confidence",
    "Gap",
    "GradientNorm",
    "Method",
    "chosen_methods",
    "findings_without_shadows",
    "require_budget",
]

Floats = npt.NDArray[np.float64]
_WHOLE = "the records are whole numbers, such as token ids, between which there is no way"


class Method(Protocol):
    """An attack on one model."""

    @property
    def name(self) -> str:
        """As it stands in findings."""

    @property
    def whole(self) -> bool:
        """Whether it attacks all records, whatever the others are limited to."""

    def exposure(self, case: Case) -> str:
        """What it sees of the model."""

    def unfit(self, case: Case) -> str:
        """Why it cannot be run on this case; empty if it can."""

    def queries(self, case: Case) -> int:
        """The most queries it makes, those about the records themselves included."""

    def details(self, case: Case) -> Mapping[str, Any]:
        """What its finding says beyond the usual, as plain values."""

    def scores(self, case: Case, randomness: Randomness) -> Floats:
        """(records,) larger for members."""


@dataclasses.dataclass(frozen=True)
class Confidence:
    """The log-odds of the true label, as far as the exposure shows them."""

    name: str = "confidence of the true label"

    @property
    def whole(self) -> bool:
        """As many records as it is limited to."""
        return False

    def exposure(self, case: Case) -> str:
        """The case's own."""
        return case.target.exposure.value

    def unfit(self, case: Case) -> str:
        """Never."""
        return ""

    def queries(self, case: Case) -> int:
        """None."""
        return 0

    def details(self, case: Case) -> Mapping[str, Any]:
        """Nothing more."""
        return {}

    def scores(self, case: Case, randomness: Randomness) -> Floats:
        """See `Signals`."""
        return case.signal


@dataclasses.dataclass(frozen=True)
class Gap(Confidence):
    """Whoever the model is right about was a member (Yeom et al., 2018)."""

    name: str = "gap: right means member"

    def exposure(self, case: Case) -> str:
        """Labels."""
        return Exposure.LABEL.value

    def scores(self, case: Case, randomness: Randomness) -> Floats:
        """See `reticent.attacks.membership.label_only.gap`; the case has asked already."""
        return case.correct.astype(np.float64)


@dataclasses.dataclass(frozen=True)
class Agreement(Gap):
    """The share of perturbed copies that the model is right about; `perturbations` are yours, or the usual ones."""

    name: str = "agreement on perturbed copies"
    perturbations: tuple[Perturbation, ...] | None = None

    def unfit(self, case: Case) -> str:
        """Where no perturbations are known."""
        return _WHOLE if self.perturbations is None and case.pool.features.dtype.kind != "f" else ""

    def queries(self, case: Case) -> int:
        """One for each perturbation of each record."""
        tried = self.perturbations or perturbations_for(case.pool.features)
        return (1 + len(tried)) * len(case.pool)

    def scores(self, case: Case, randomness: Randomness) -> Floats:
        """See `reticent.attacks.membership.label_only.agreement`."""
        pool = case.pool
        return agreement(
            case.target, pool.features, pool.labels, randomness=randomness, perturbations=self.perturbations
        )


@dataclasses.dataclass(frozen=True)
class Boundary(Gap):
    """The distance to the decision boundary, found by `search`."""

    name: str = "distance to the decision boundary"
    search: BoundarySearch = dataclasses.field(default_factory=BoundarySearch)

    def unfit(self, case: Case) -> str:
        """Where features do not change gradually."""
        return _WHOLE if case.pool.features.dtype.kind != "f" else ""

    def queries(self, case: Case) -> int:
        """See `BoundarySearch.queries`."""
        return self.search.queries * len(case.pool)

    def scores(self, case: Case, randomness: Randomness) -> Floats:
        """See `reticent.attacks.membership.boundary`."""
        pool = case.pool
        return boundary_distance(case.target, pool.features, pool.labels, randomness=randomness, search=self.search)


@dataclasses.dataclass(frozen=True)
class GradientNorm(Confidence):
    """Minus the norm of the record's gradient: the attacker has the parameters."""

    name: str = "norm of the gradient"

    def exposure(self, case: Case) -> str:
        """Parameters."""
        return "parameters"

    def unfit(self, case: Case) -> str:
        """Unless it is a torch module with trained parameters."""
        model = self._model(case)
        module = model.model if isinstance(model, TextClassifier) else model
        if not hasattr(module, "named_parameters"):
            return "the model is no torch module: its parameters cannot be looked into"
        trained = any(parameter.requires_grad for parameter in module.parameters())
        return "" if trained else "no parameter of the model requires a gradient"

    def scores(self, case: Case, randomness: Randomness) -> Floats:
        """See `reticent.attacks.membership.white_box`."""
        return gradient_norm(self._model(case), case.pool.features, case.pool.labels)

    @staticmethod
    def _model(case: Case) -> Any:
        adapter = case.target.adapter
        return adapter if isinstance(adapter, TextClassifier) else case.target.model


METHODS: dict[str, Method] = {
    "confidence": Confidence(),
    "gap": Gap(),
    "agreement": Agreement(),
    "boundary": Boundary(),
    "gradient norm": GradientNorm(),
    "quantile": Quantile(),
    "trajectory": Trajectory(),
}
"""The attacks by their short names, with their usual settings; the last one's snapshots and trainer are an audit's."""


def chosen_methods(methods: Sequence[Method | str]) -> tuple[Method, ...]:
    """The methods that are meant.

    Raises:
        UsageError: an unknown one, or one twice.
    """
    if isinstance(methods, str):
        raise UsageError(f"Expected a list of methods, got {methods!r}.", f"Pass [{methods!r}].")
    chosen = tuple(_method(one) for one in methods)
    names = [method.name for method in chosen]
    if len(set(names)) < len(names):
        raise UsageError(f"Expected methods, each once, got {names}.", f"Choose from {', '.join(METHODS)}.")
    return chosen


def _method(one: Method | str) -> Method:
    if isinstance(one, str) or not hasattr(one, "scores"):
        return METHODS[_checks.one_of(METHODS, method=one)]
    return one


def require_budget(case: Case, methods: Sequence[Method | str], *, limit: int | None = None) -> None:
    """Raise `UsageError` if the model's budget does not hold the queries of these attacks; asks nothing."""
    _planned(case, chosen_methods(methods), limit)


def _planned(
    case: Case, chosen: Sequence[Method], limit: int | None
) -> tuple[dict[str, Case], dict[str, str], list[Method]]:
    """The part of the case that each method attacks, why it cannot be run on it, and the methods that can."""
    part = case if limit is None else _part(case, _checks.at_least(10, limit=limit))
    attacked = {method.name: case if method.whole else part for method in chosen}
    unfit = {method.name: method.unfit(attacked[method.name]) for method in chosen}
    running = [method for method in chosen if not unfit[method.name]]
    case.target.require_queries(sum(method.queries(attacked[method.name]) for method in running))
    return attacked, unfit, running


def findings_without_shadows(
    case: Case, methods: Sequence[Method | str] = ("confidence",), *, limit: int | None = None
) -> tuple[Finding, ...]:
    """Attack the case's model with each of the methods.

    Args:
        case: from `reticent.audits.case.prepare`.
        methods: short names from `METHODS`, or methods with settings of their own.
        limit: attack so many members and so many non-members at most, drawn at random; all by default, and by methods
            that say `whole`.

    Returns:
        One finding for each method, in order. `details` hold the queries it made (for those that make none: the one
        about every record) and how many attacks share the confidence.

    Raises:
        UsageError: no method, an unknown one, one twice, or a budget of queries that is too small.
    """
    chosen = chosen_methods(methods)
    if not chosen:
        raise UsageError("Expected methods, each once, got [].", f"Choose from {', '.join(METHODS)}.")
    reasons = doubts(
        blind=case.blind,
        copies=case.shared,
        nonmembers=int((~case.truth).sum()),
        several_rows=case.pool.owner_count < len(case.pool),
    )
    attacked, unfit, running = _planned(case, chosen, limit)
    shared = 1 - (1 - case.confidence) / max(1, len(running))
    found = []
    for method in chosen:
        part = attacked[method.name]
        if unfit[method.name]:
            seen = method.exposure(case)
            found.append(Finding.not_run(method.name, case.target.name, seen, reason=unfit[method.name]))
            continue
        before = part.target.queries
        scores = method.scores(part, case.source.spawn(f"attack {method.name}"))
        made = part.target.queries - before
        estimates = _shared(
            own_thresholds(dataclasses.replace(part, confidence=shared), scores), case.confidence, len(running)
        )
        details = {
            "queries": made or len(part.pool),
            "attacks_sharing_the_confidence": len(running),
            "records_left_out": len(case.pool) - len(part.pool),
            **method.details(part),
        }
        found.append(
            finding_of(part, method.name, estimates, reasons, 0, exposure=method.exposure(case), details=details)
        )
    return tuple(found)


def _part(case: Case, limit: int) -> Case:
    """The case of some of the records: as many members and non-members at most, at random."""
    source = case.source.spawn("limit")
    rows = np.sort(
        np.concatenate(
            [side[source.permutation(len(side))[:limit]] for side in map(np.flatnonzero, (case.truth, ~case.truth))]
        )
    )
    return dataclasses.replace(
        case,
        pool=case.pool.take(rows),
        truth=case.truth[rows],
        answers=case.answers[:, rows],
        signals=case.signals.of_records(rows),
    )


def _shared(estimates: dict[str, Estimate], confidence: float, attacks: int) -> dict[str, Estimate]:
    """Intervals that were made wider, with the confidence that all attacks' together have."""
    if attacks == 1:
        return estimates
    said = f"confidence shared by {attacks} attacks"
    return {
        name: dataclasses.replace(one, confidence=confidence, method=f"{one.method}; {said}")
        for name, one in estimates.items()
    }
