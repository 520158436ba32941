"""Tensors inside tuples, lists and dicts: what networks take and give.

Promise: `each` and `joined` keep the structure, named tuples included; anything that is not made of tensors is refused
by name.

Example:
    >>> import torch
    >>> from reticent.training.engine.structures import each
    >>> each({"logits": torch.ones(2), "pair": (torch.zeros(1), None)}, lambda tensor: tensor.shape[0])
    {'logits': 2, 'pair': (1, None)}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from reticent.errors import ModelError, UsageError

__all__ = ["each", "examples_in", "is_constant", "joined", "rows_first"]


def each(outputs: Any, change: Callable[[torch.Tensor], Any]) -> Any:
    """The same structure with every tensor changed; None stays None.

    Raises:
        ModelError: something in it is not a tensor.
    """
    if isinstance(outputs, torch.Tensor):
        return change(outputs)
    if outputs is None:
        return None
    if isinstance(outputs, tuple | list):
        return _sequence(outputs, [each(part, change) for part in outputs])
    if isinstance(outputs, Mapping):
        return _mapping(outputs, {key: each(part, change) for key, part in outputs.items()})
    raise _refused(outputs)


def joined(parts: list[Any]) -> Any:
    """One structure of tensors with the batch in front, from several."""
    first = parts[0]
    if isinstance(first, torch.Tensor):
        return torch.cat(parts)
    if first is None:
        return None
    if isinstance(first, tuple | list):
        return _sequence(first, [joined([part[i] for part in parts]) for i in range(len(first))])
    if isinstance(first, Mapping):
        return _mapping(first, {key: joined([part[key] for part in parts]) for key in first})
    raise _refused(first)


def examples_in(inputs: tuple[Any, ...], named: Mapping[str, Any], rows: int) -> int:
    """The number of examples in a network's inputs, all of whose tensors have rows * examples as first dimension."""
    values = [*inputs, *named.values()]
    for value in values:
        if not isinstance(value, torch.Tensor) and not is_constant(value):
            raise UsageError(
                f"Expected tensors and plain constants as inputs, got {type(value).__name__}: "
                "what it holds could not be split by example.",
                "Pass every tensor as an argument of its own, with the batch as first dimension.",
            )
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    sizes = {len(value) for value in tensors if value.ndim > 0}
    if len(sizes) != 1 or any(value.ndim == 0 for value in tensors):
        raise UsageError(
            f"Expected inputs with the batch as first dimension, got sizes {sorted(sizes)}.",
            "Pass tensors of shape (batch, ...), and constants as plain Python values.",
        )
    size = sizes.pop()
    if size % rows:
        raise UsageError(
            f"Expected {rows} rows for every example, got {size} rows.", "Put the views of an example side by side."
        )
    return size // rows


def is_constant(value: Any) -> bool:
    """Whether a value is the same for all examples: a plain Python value."""
    if isinstance(value, tuple):
        return all(is_constant(part) for part in value)
    return value is None or isinstance(value, bool | int | float | complex | str | bytes | torch.dtype | torch.device)


def rows_first(output: torch.Tensor, rows: int) -> torch.Tensor:
    """The output for one example of `rows` rows, which has them first, or is one number."""
    if output.ndim == 0 and rows == 1:
        return output.reshape(1)
    if output.ndim == 0 or len(output) != rows:
        raise ModelError(
            f"Expected outputs with the batch as first dimension, got shape {tuple(output.shape)} for one example.",
            "Move the batch to the front of what forward() returns.",
        )
    return output


def _sequence(like: Any, parts: list[Any]) -> Any:
    return type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)


def _mapping(like: Any, parts: dict[str, Any]) -> Any:
    return parts if type(like) is dict else type(like)(**parts)


def _refused(value: Any) -> ModelError:
    return ModelError(
        f"Expected tensors as outputs, got {type(value).__name__}.", "Return tensors, or tuples or dicts of them."
    )
