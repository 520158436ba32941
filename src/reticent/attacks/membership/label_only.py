"""Attacks that see labels only, and ask: is the model right about the record, and about records close to it?

Promise: both use the predicted class and nothing else. `gap` asks nothing beyond the record itself; `agreement` asks as
many more times as there are perturbations, for each record. Memberships are not used, so a threshold may come from
non-members that are set aside; where shadow models are not kept, there is no other honest source of one.

`gap` (Yeom et al., 2018) names exactly the records that the model is right about. `agreement` (Choquette-Choo et al.,
2021, section 4.2) is the share of a record's perturbed copies that the model is still right about, the record itself
included. Which perturbations are tried is fixed beforehand, never tuned on the memberships: for tables, Gaussian noise
of 0.05 to 0.8 deviations of each column; for images, shifts by a pixel and mirror images.

Shapes: features are (n, ...), labels (n,); scores (n,) float64, larger meaning "member".

Example:
    >>> import numpy as np
    >>> from reticent.attacks.membership.label_only import agreement
    >>> from reticent.models import Target
    >>> from reticent.randomness import Randomness
    >>> line = Target(lambda x: np.column_stack([-x[:, 0], x[:, 0]]), classes=2, exposure="label")
    >>> near, far = agreement(line, np.array([[0.01], [3.0]]), np.array([1, 1]), randomness=Randomness.simulated(0))
    >>> bool(near < far == 1.0), line.queries
    (True, 42)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.errors import UsageError
from reticent.models import Target
from reticent.randomness import Randomness, required

__all__ = ["Perturbation", "agreement", "gap", "noisy", "perturbations_for", "shifted"]

Floats = npt.NDArray[np.float64]
Features = npt.NDArray[Any]
Perturbation = Callable[[Features, Randomness], Features]
"""From features to perturbed ones of the same shape."""

_STRENGTHS = (0.05, 0.1, 0.2, 0.4, 0.8)  # of a column's deviation
_REPEATS = 4


def gap(target: Target, features: Features, labels: npt.NDArray[np.int64]) -> Floats:
    """(n,) 1 where the model is right, 0 where it is wrong."""
    return np.asarray(target.predicted(features) == labels, dtype=np.float64)


def agreement(
    target: Target,
    features: Features,
    labels: npt.NDArray[np.int64],
    *,
    randomness: Randomness,
    perturbations: Sequence[Perturbation] | None = None,
) -> Floats:
    """(n,) share of the record and its perturbed copies that the model is right about.

    Args:
        target: the model.
        features: the records.
        labels: their true classes.
        randomness: source of the perturbations.
        perturbations: one copy of every record for each; `perturbations_for(features)` by default.

    Raises:
        UsageError: features without perturbations of their own (token ids), or a perturbation that changes the shape.
    """
    source = required(randomness)
    tried = perturbations_for(features) if perturbations is None else tuple(perturbations)
    target.require_queries((1 + len(tried)) * len(features))
    right = (target.predicted(features) == labels).astype(np.float64)
    for number, perturb in enumerate(tried):
        copies = np.asarray(perturb(features, source.spawn(f"copy {number}")))
        if copies.shape != features.shape:
            raise UsageError(
                f"Expected a perturbation to keep the shape {features.shape}, got {copies.shape}.",
                "Return one perturbed copy of every record.",
            )
        right += target.predicted(copies.astype(features.dtype)) == labels
    return np.asarray(right / (1 + len(tried)))


def perturbations_for(features: Features) -> tuple[Perturbation, ...]:
    """Noise on the columns of tables; shifts and mirror images of whatever has two or more axes.

    Raises:
        UsageError: whole numbers, such as token ids, of which no neighbours are known.
    """
    if features.dtype.kind != "f":
        raise UsageError(
            f"Expected numbers that may be perturbed, got {features.dtype} such as token ids.",
            "Pass perturbations: functions from (features, randomness) to features.",
        )
    if features.ndim > 2:
        return tuple(
            shifted(down, right, mirror)
            for mirror in (False, True)
            for down in (-1, 0, 1)
            for right in (-1, 0, 1)
            if (down, right, mirror) != (0, 0, False)
        )
    deviations = features.astype(np.float64).std(axis=0)
    return tuple(noisy(strength * deviations) for strength in _STRENGTHS for _ in range(_REPEATS))


def noisy(deviations: Floats) -> Perturbation:
    """Gaussian noise with these standard deviations, one for each column."""

    def perturb(features: Features, randomness: Randomness) -> Features:
        return features + deviations * randomness.normal(features.shape)

    return perturb


def shifted(down: int, right: int, mirror: bool = False) -> Perturbation:
    """Images, whose last two axes are rows and columns, mirrored and moved; what is uncovered repeats the edge."""

    def perturb(features: Features, _: Randomness) -> Features:
        image = features[..., ::-1] if mirror else features
        rows = np.clip(np.arange(image.shape[-2]) - down, 0, image.shape[-2] - 1)
        columns = np.clip(np.arange(image.shape[-1]) - right, 0, image.shape[-1] - 1)
        return np.asarray(image[..., rows[:, None], columns])

    return perturb
