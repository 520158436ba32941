"""One training, many canaries: what the final model shows of the coins that decided which of them it saw.

Promise: `audit_by_canaries` trains once on records with canaries planted by fair coins, guesses the coins from the
model's answers alone, and turns the guesses into a lower bound on epsilon that holds with the stated confidence
(`reticent.audits.bounds.one_run`), beside what was promised. The scores never touch the coins.

Scores: the log-odds that the model gives to the canary's label, less those of a reference that was trained without any
canary: a record that every model finds easy is no sign of membership (Watson et al., 2022). The reference is trained by
the same trainer, with randomness of its own; without one the log-odds stand alone.

Not covered: a training that is worse on other canaries, other records or other starts than on these; what somebody sees
who has more than the final model's answers (`reticent.audits.whitebox` audits the training from inside, and is much
sharper). A bound below the promise is no proof of anything: the verdict says how large a leak would have been found.

Where the promise is under `ADD_OR_REMOVE_ONE`, a canary more is a record more, and a `Recipe` follows with its expected
batch size: what that tells is not counted, as guarantees take the number of records for public.

Example:
    >>> import numpy as np, torch, reticent as rt
    >>> from reticent.audits.canaries import mislabelled
    >>> from reticent.audits.planted import audit_by_canaries
    >>> source = rt.Randomness.simulated(0)
    >>> x = source.normal((400, 20)).astype("float32")
    >>> data, spare = rt.Records(x[:100], np.arange(100) % 2), rt.Records(x[100:], np.arange(300) % 2)
    >>> fit = rt.Recipe(lambda: torch.nn.Linear(20, 2), lambda p: torch.optim.Adam(p), epochs=1, batch_size=50)
    >>> audit = audit_by_canaries(fit, data, mislabelled(spare, 200, source), delta=1e-3, randomness=source)
    >>> audit.claimed is None, audit.auc.n
    (True, 200)
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.audits.bounds import judge, one_run, test_claim
from reticent.audits.canaries import Canaries, coins, plant
from reticent.audits.shadows import Trainer
from reticent.audits.statistics import auc
from reticent.data import Records
from reticent.errors import NotEnoughEvidence, UsageError
from reticent.evidence import Estimate
from reticent.evidence.bounds import LowerBound, Verdict
from reticent.models import Exposure, Target
from reticent.privacy import Guarantee, Relation, Unit
from reticent.randomness import Randomness, required
from reticent.training import Recipe

__all__ = ["CanaryAudit", "audit_by_canaries"]

Floats = npt.NDArray[np.float64]

_FEWEST = 20


@dataclasses.dataclass(frozen=True)
class CanaryAudit:
    """What one training showed of its canaries.

    Attributes:
        bound: the lower bound on epsilon.
        auc: how well scores tell canaries that are in from others.
        verdict: what the bound says about the promise; None where nothing was promised.
        scores: (m,) larger meaning "in".
        included: (m,) the coins.
        kind: of canaries, in words.
        exposure: what of the model was seen.
        reference: whether scores are differences to a model without canaries.
    """

    bound: LowerBound
    auc: Estimate
    verdict: Verdict | None
    scores: Floats
    included: npt.NDArray[np.bool_]
    kind: str
    exposure: Exposure
    reference: bool

    @property
    def claimed(self) -> float | None:
        """The epsilon that was promised at the bound's delta, or None."""
        return None if self.verdict is None else self.verdict.claimed

    def __str__(self) -> str:
        return "\n".join(
            (
                f"{self.bound.trials} {self.kind}, seen by {self.exposure.value}: area under the curve {self.auc}",
                str(self.bound),
                "nothing was promised" if self.verdict is None else str(self.verdict),
            )
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values; scores and coins are not among them."""
        return {
            "kind": self.kind,
            "exposure": self.exposure.value,
            "reference": self.reference,
            "auc": self.auc.as_dict(),
            "bound": self.bound.as_dict(),
            "verdict": None if self.verdict is None else self.verdict.as_dict(),
        }


def audit_by_canaries(
    trainer: Trainer,
    records: Any,
    canaries: Canaries,
    *,
    guarantee: Guarantee | None = None,
    delta: float | None = None,
    reference: bool = True,
    exposure: Exposure = Exposure.LOGITS,
    confidence: float = 0.95,
    randomness: Randomness | None = None,
) -> CanaryAudit:
    """Train once with canaries, guess which were in, and bound epsilon from below.

    Args:
        trainer: called as trainer(records, randomness); returns a model. A `Recipe` with a plan brings its guarantee.
        records: what is trained on beside the canaries.
        canaries: see `reticent.audits.canaries`; 1,000 of them can show an epsilon of about 5, 100 one of about 3.
        guarantee: what is promised, if the trainer is no `Recipe` with a plan.
        delta: of the bound; that of the recipe's plan by default.
        reference: whether to train a model without canaries, whose scores are taken off.
        exposure: what is seen of the answers.
        confidence: of the bound.
        randomness: source of every draw; the operating system's by default.

    Raises:
        UsageError: no delta; a guarantee for labels or columns only that these canaries do not test.
        NotEnoughEvidence: fewer than 20 canaries.
        DataError, ModelError: records or a model that cannot be used.
    """
    source = Randomness.secure() if randomness is None else required(randomness)
    exposure = Exposure.of(exposure)
    if len(canaries) < _FEWEST:
        raise NotEnoughEvidence(
            f"Expected at least {_FEWEST} canaries, got {len(canaries)}.", "With fewer no bound is above 1; add some."
        )
    plan = trainer.plan if isinstance(trainer, Recipe) else None
    delta = plan.delta if delta is None and plan is not None else delta
    if delta is None:
        raise UsageError(
            "Expected delta, or a Recipe with a plan, got neither.",
            "Pass delta=1e-5, or what your promise is stated at.",
        )
    relation = Relation.ADD_OR_REMOVE_ONE
    if guarantee is not None or plan is not None:
        relation = guarantee.relation if guarantee is not None else plan.relation  # type: ignore[union-attr]
    _refuse_others(guarantee, canaries)
    base = Records.of(records)
    included = coins(len(canaries), source.spawn("coins"))
    training = plant(base, canaries, included, source.spawn("plant"), relation=relation)
    if isinstance(trainer, Recipe):
        run = trainer.run(training, source.spawn("target"))
        model, promised = run.model, run.guarantee if guarantee is None else guarantee
    else:
        model, promised = trainer(training, source.spawn("target")), guarantee
    scores = _odds(model, canaries, exposure)
    if reference:
        scores = scores - _odds(trainer(base, source.spawn("reference")), canaries, exposure)
    unit = base.unit if promised is None else promised.unit
    bound = one_run(
        scores,
        included,
        delta=delta,
        confidence=confidence,
        method="f-dp-any",
        ties=source.spawn("ties"),
        unit=unit,
        relation=relation,
    )
    return CanaryAudit(
        bound,
        auc(scores[included], scores[~included], confidence=confidence),
        None if promised is None else _verdict(bound, promised, scores, included, source.spawn("ties")),
        scores,
        included,
        canaries.kind,
        exposure,
        reference,
    )


def _verdict(
    bound: LowerBound, promised: Guarantee, scores: Floats, included: npt.NDArray[np.bool_], ties: Randomness
) -> Verdict:
    """On the whole curve that was promised, where there is one; `ties` breaks them as it did for the bound."""
    epsilon = promised.epsilon(bound.delta)
    if promised.only or not math.isfinite(epsilon):
        return judge(bound, epsilon)
    return judge(bound, promised, p_value=test_claim(scores, included, promised, ties=ties))


def _odds(model: Any, canaries: Canaries, exposure: Exposure) -> Floats:
    records = canaries.records
    return Target(model, classes=records.classes, exposure=exposure).log_odds(records.features, records.labels)


def _refuse_others(guarantee: Guarantee | None, canaries: Canaries) -> None:
    """A promise for labels alone is tested by canaries that differ from their stand-ins in nothing else."""
    if guarantee is None or not guarantee.only:
        return
    exchanged = guarantee.relation is Relation.REPLACE_ONE and guarantee.unit is Unit.EXAMPLE
    if guarantee.only != ("label",) or not canaries.labels_only or not exchanged:
        raise UsageError(
            f"Expected canaries that differ in what is protected alone, got {canaries.kind} for a promise about the "
            f"{', '.join(guarantee.only)} under {guarantee.relation.name}.",
            "Use mislabelled canaries for a promise about labels under Relation.REPLACE_ONE.",
        )
