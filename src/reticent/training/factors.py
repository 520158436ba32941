"""By what each example's gradient is multiplied, so that it is no longer than its threshold.

Promise: a factor times its norm is at most the threshold, up to rounding; an example that cannot be measured is named.

Example:
    >>> import torch
    >>> from reticent.privacy import Clipping
    >>> from reticent.training.factors import factors_of
    >>> (factors,), usable = factors_of([torch.tensor([0.5, 4.0, torch.inf])], [1.0], Clipping())
    >>> factors[:2].tolist(), usable.tolist()
    ([1.0, 0.25], [True, True, False])
"""

from __future__ import annotations

import torch

from reticent.privacy import Clipping

__all__ = ["factors_of"]

_AUTOMATIC = 0.01  # Bu et al. (2023): keeps the factor of a vanishing gradient bounded


def factors_of(
    norms: list[torch.Tensor], thresholds: list[float], clipping: Clipping
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """For each group (B,) by what to multiply the examples' gradients; and (B,) which of them can be used at all."""
    factors, usable = [], torch.ones_like(norms[0], dtype=torch.bool)
    for norm, threshold in zip(norms, thresholds, strict=True):
        factor = threshold / (norm + _AUTOMATIC) if clipping.normalised else (threshold / norm).clamp(max=1.0)
        # A gradient so long that its square overflows, or that the factor loses digits, is ignored too: always safe.
        usable &= torch.isfinite(norm) & (factor >= torch.finfo(torch.float32).tiny)
        factors.append(factor)
    return factors, usable
