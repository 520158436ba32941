"""The likelihood-ratio attack: would the model answer like this if the record had not been in its training data?

Promise: `likelihood_ratio` gives, for each record, the logarithm of how much likelier the target's answer is among
reference models that were trained with the record than among those that were not. Only the reference models' own
memberships are used, never the target's.

Each side is a Gaussian with the record's own mean and a variance pooled over records, which is steadier than a variance
per record when there are fewer than about 64 reference models (Carlini et al., 2022, section 5.C). A mean is shrunk
towards the mean of all records on its side, as far as the record's own models are too few to tell (empirical Bayes,
normal means), so a record that no reference model was trained with (or without) still gets a sensible score.

Shapes: scores are (models, records) float64, larger meaning more confident in the true label; membership is boolean.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.membership import likelihood_ratio
    >>> membership = np.array([[True, False], [False, True], [True, True], [False, False]])
    >>> reference = np.where(membership, 5.0, 1.0) + np.array([[0.1], [-0.1], [0.2], [-0.2]])
    >>> ratio = likelihood_ratio(np.array([5.1, 0.9]), reference, membership)
    >>> bool(ratio[0] > 0 > ratio[1])
    True
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from reticent.errors import UsageError

__all__ = ["leave_one_out", "likelihood_ratio"]

Floats = npt.NDArray[np.float64]
_SMALLEST_VARIANCE = 1e-12  # of a side on which all models agree to the last bit


def likelihood_ratio(target: Floats, reference: Floats, membership: npt.NDArray[np.bool_]) -> Floats:
    """(records,) log-likelihood ratio of member against non-member.

    Args:
        target: (records,) scores of the attacked model.
        reference: (models, records) scores of reference models.
        membership: (models, records) whether the record was in that reference model's training data.

    Raises:
        UsageError: shapes that do not fit, or fewer than four reference models.
    """
    _check(reference, membership)
    if target.shape != reference.shape[1:]:
        raise UsageError(
            f"Expected one target score per record, got {target.shape} for {reference.shape[1]} records.",
            "Score the target on the same records as the reference models.",
        )
    if not np.isfinite(target).all():
        raise UsageError("Expected finite target scores, got NaN or infinity.", "Look for a training that diverged.")
    centre, counts, sums, squares = _sums(reference, membership)
    return _ratio(target, centre, counts, sums, squares)


def leave_one_out(reference: Floats, membership: npt.NDArray[np.bool_]) -> Floats:
    """(models, records) scores when each reference model in turn is the target and the others are its references."""
    _check(reference, membership)
    centre, counts, sums, squares = _sums(reference, membership)
    out = np.empty(reference.shape)
    for model in range(len(reference)):
        inside = membership[model]
        own = np.stack([inside, ~inside]).astype(np.float64)
        score = reference[model]
        moved = score - centre
        out[model] = _ratio(score, centre, counts - own, sums - own * moved, squares - own * moved**2)
    return out


def _check(reference: Floats, membership: npt.NDArray[np.bool_]) -> None:
    if reference.ndim != 2 or reference.shape != membership.shape:
        raise UsageError(
            f"Expected scores and membership of one shape (models, records), got {reference.shape} "
            f"and {membership.shape}.",
            "Score every reference model on every record.",
        )
    if membership.dtype != bool:
        raise UsageError(
            f"Expected membership as True and False, got {membership.dtype}.", "Convert it with .astype(bool)."
        )
    if len(reference) < 4:
        raise UsageError(f"Expected at least 4 reference models, got {len(reference)}.", "Train more of them.")
    if not np.isfinite(reference).all():
        raise UsageError("Expected finite scores, got NaN or infinity.", "Look for a model whose training diverged.")


def _sums(reference: Floats, membership: npt.NDArray[np.bool_]) -> tuple[Floats, Floats, Floats, Floats]:
    """Each record's centre; counts, sums and sums of squares around it, per side (members first): (2, records) each.

    Around the centre, because the difference of large squares has no correct digits.
    """
    centre = reference.mean(axis=0)
    moved = reference - centre
    sides = np.stack([membership, ~membership]).astype(np.float64)
    counts = sides.sum(axis=1)
    return centre, counts, np.einsum("smr,mr->sr", sides, moved), np.einsum("smr,mr->sr", sides, moved**2)


def _ratio(target: Floats, middle: Floats, counts: Floats, sums: Floats, squares: Floats) -> Floats:
    sides = []
    for n, total, square in zip(counts, sums, squares, strict=True):
        seen = n > 0
        if not seen.any():
            raise UsageError(
                "Expected reference models with and without each record, got only one kind.",
                "Draw each reference model's training records at random, about half of them.",
            )
        moved = np.divide(total, n, out=np.zeros_like(total), where=seen)
        residual = np.maximum(square - n * moved**2, 0.0)
        mean = middle + moved
        within = max(float(residual.sum() / max(n.sum() - seen.sum(), 1.0)), _SMALLEST_VARIANCE)
        grand = float(mean[seen].mean())
        between = max(float(mean[seen].var() - within * (1 / n[seen]).mean()), _SMALLEST_VARIANCE)
        shrinkage = 1 / (1 + n * between / within)  # 1 for a record that no model of this side has seen
        centre = mean + shrinkage * (grand - mean)
        # The predictive variance: the spread of a model's answer, and what is not known of its centre.
        spread = within + between * shrinkage
        sides.append(-0.5 * np.log(spread) - (target - centre) ** 2 / (2 * spread))
    inside, outside = sides
    return np.asarray(inside - outside)
