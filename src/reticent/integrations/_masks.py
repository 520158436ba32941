"""What transformers decides by looking at a whole batch, written out so that vmap can carry examples along."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["batched_masks"]


@contextlib.contextmanager
def batched_masks() -> Iterator[None]:
    """A block in which transformers always writes attention masks out.

    It would ask of every batch whether anything is padded, to spare itself the mask; vmap cannot answer for all
    examples at once, so a private forward pass would run them one by one. `make_private` uses this by itself; put it
    around `private.model(...)` in a loop of your own.
    """
    try:
        from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS as MASKS
    except ImportError:  # another version: slower, as exact
        yield
        return

    def written_out(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def always(*args: Any, **named: Any) -> Any:
            return function(*args, **{**named, "allow_is_causal_skip": False, "allow_is_bidirectional_skip": False})

        return always

    kinds = [kind for kind in ("sdpa", "eager") if kind in MASKS and kind not in MASKS._local_mapping]
    for kind in kinds:
        MASKS[kind] = written_out(MASKS[kind])
    try:
        yield
    finally:
        for kind in kinds:
            del MASKS[kind]
