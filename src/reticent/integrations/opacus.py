"""What an accountant of Opacus has counted, as a guarantee.

Promise: `guarantee_of` reads the history of an accountant (triples of noise multiplier, sample rate and steps) and
gives the guarantee of those mechanisms, computed here from their privacy-loss distributions: at or below what Opacus'
Renyi accountant reports, and what its PRV accountant reports less that one's margin. Numbers of its GDP accountant are
a central limit's and too small; the guarantee is not. Plain dictionaries are enough: Opacus is not needed, and no file
is opened or unpickled.

Not covered, and listed by the guarantee: Opacus accounts for Poisson samples whether or not they were drawn
(`poisson_sampling=False` changes nothing in its numbers), counts the steps of its optimizer and trusts that each had
its noise, and takes that noise from torch's ordinary generator unless `secure_mode=True`.

Example:
    >>> from reticent.integrations.opacus import guarantee_of
    >>> state = {"mechanism": "rdp", "history": [(1.5, 0.04, 2250)]}  # accountant.state_dict()
    >>> round(guarantee_of(state).epsilon(1e-5), 3)  # Opacus: 7.329
    6.769
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy import Guarantee, Relation, SampledGaussian, Unit

__all__ = ["guarantee_of"]

_CHECKPOINTS = "privacy_accountant_state_dict"
_MECHANISMS = ("rdp", "prv", "gdp")
_ASSUMED = (
    "every batch was a fresh Poisson sample (Opacus accounts as if, also for poisson_sampling=False)",
    "every step that Opacus counted added its noise, and no step was taken that it did not count",
    "the noise could not be predicted: with secure_mode=False, the default, Opacus takes it from torch's generator",
    "the loss is the mean or the sum of one term per example; Opacus does not check it",
    "when to stop was not decided by looking at the data, at losses or at the parameters",
    "not covered: attacks on the rounding of noise to floating point (Mironov, 2012)",
    "the parameters and the optimizer start from values that do not depend on these data (otherwise: compose)",
    "not covered: losses, metrics and counts seen during training; they must not be released, nor steer it",
    "not covered: choosing hyper-parameters by looking at these data",
)


def guarantee_of(
    source: Any, *, unit: Unit = Unit.EXAMPLE, dataset_size: int | None = None, poisson_sampling: bool = True
) -> Guarantee:
    """The guarantee of what an accountant of Opacus has counted.

    Args:
        source: an accountant, its `state_dict()`, or a loaded checkpoint of `PrivacyEngine.save_checkpoint`. From a
            file: `torch.load(path, weights_only=True)`.
        unit: who owns a row; `Unit.PERSON` states that every person owns one.
        dataset_size: number of units, if it is public; then a delta at or above 1/n is refused.
        poisson_sampling: as it was given to `PrivacyEngine.make_private`.

    Raises:
        UsageError: no such state; a history with impossible values; batches that were not Poisson samples.
    """
    if not poisson_sampling:
        raise UsageError(
            "Expected batches that were Poisson samples, got poisson_sampling=False: what Opacus reports for shuffled "
            "batches is not proven for them.",
            "Train again with Poisson samples; nothing can be promised for this run by these numbers.",
        )
    state = _state_of(source)
    mechanism = _checks.one_of(_MECHANISMS, mechanism=state["mechanism"])
    if mechanism == "gdp":
        warnings.warn(
            "Opacus' GDP accountant reports too little: an approximation by a central limit, below the truth. What was "
            "said from it has to be corrected; this guarantee is computed from the history itself.",
            stacklevel=2,
        )
    return Guarantee(
        mechanisms=tuple(_mechanism(entry) for entry in state["history"]),
        unit=unit,
        relation=Relation.ADD_OR_REMOVE_ONE,
        assumptions=(*(() if unit is Unit.EXAMPLE else (f"every {unit.value} owns one row",)), *_ASSUMED),
        dataset_size=dataset_size,
    )


def _state_of(source: Any) -> Mapping[str, Any]:
    if not isinstance(source, Mapping) and callable(getattr(source, "state_dict", None)):
        source = source.state_dict()
    if isinstance(source, Mapping) and _CHECKPOINTS in source:
        source = source[_CHECKPOINTS]
    if not isinstance(source, Mapping) or not {"history", "mechanism"} <= set(source):
        got = f"the keys {sorted(map(str, source))}" if isinstance(source, Mapping) else type(source).__name__
        raise UsageError(
            f"Expected an accountant of Opacus, or its state with history and mechanism, got {got}.",
            "Pass accountant.state_dict(); from a file, torch.load(path, weights_only=True).",
        )
    if isinstance(source["history"], str | bytes) or not isinstance(source["history"], Sequence):
        raise UsageError(
            f"Expected a history as a list, got {type(source['history']).__name__}.", "Pass it as Opacus wrote it."
        )
    return source


def _mechanism(entry: Any) -> SampledGaussian:
    if isinstance(entry, str | bytes) or not isinstance(entry, Sequence) or len(entry) != 3:
        raise UsageError(
            f"Expected triples (noise multiplier, sample rate, steps) in the history, got {entry!r}.",
            "Pass it as Opacus wrote it.",
        )
    noise_multiplier, sample_rate, steps = entry
    return SampledGaussian(noise_multiplier=noise_multiplier, sample_rate=sample_rate, count=steps)
