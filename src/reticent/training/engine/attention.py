"""Scaled dot-product attention: it has no parameters, but vmap would run it one example after the other.

Promise: what `torch.nn.functional.scaled_dot_product_attention` gives for each example, computed for the batch at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812

if TYPE_CHECKING:
    from reticent.training.engine.recorder import Recorder

__all__ = ["rules"]


def _attention(
    recorder: Recorder,
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **options: Any,
) -> Any:
    """Attention has no parameters; vmap would run it one example after the other."""
    if not query.ndim == key.ndim == value.ndim >= 3:
        return NotImplemented
    lead = query.ndim - 3  # dimensions that are joined with the batch
    if not query.shape[:lead] == key.shape[:lead] == value.shape[:lead]:
        return NotImplemented
    masks = () if attn_mask is None else (attn_mask,)

    def use(flags: list[bool], *tensors: torch.Tensor) -> torch.Tensor:
        size = next(len(tensor) for tensor, flag in zip(tensors, flags, strict=True) if flag)
        q, k, v = (
            (tensor if flag else tensor.expand(size, *tensor.shape)).flatten(0, lead)
            for tensor, flag in zip(tensors[:3], flags[:3], strict=True)
        )
        mask = _joined_mask(tensors[3], flags[3], query.ndim, (size, *query.shape[:lead])) if masks else None
        found = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=dropout_p, is_causal=is_causal, **options
        )
        whole: torch.Tensor = found.unflatten(0, (size, *query.shape[:lead]))
        return whole

    return recorder.run_raw(use, query, key, value, *masks)


def _joined_mask(mask: torch.Tensor, batched: bool, dimensions: int, sizes: tuple[int, ...]) -> torch.Tensor:
    """The mask of (size * lead, heads, L, S) attention, from one for each example or one for all."""
    if not batched:
        mask = mask.unsqueeze(0)
    missing = dimensions - (mask.ndim - 1)
    mask = mask.reshape(mask.shape[0], *([1] * missing), *mask.shape[1:])
    if all(n == 1 for n in mask.shape[: len(sizes)]):
        return mask.flatten(0, len(sizes) - 1)  # broadcast as it is
    return mask.expand(*sizes, *mask.shape[len(sizes) :]).flatten(0, len(sizes) - 1)


rules: dict[Any, Callable[..., Any]] = {F.scaled_dot_product_attention: _attention}
"""torch function to rule."""
