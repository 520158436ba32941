"""A uniform sample of the rows of a source of unknown length, drawn while it is read once.

Promise: every set of n rows is equally likely to be the sample, whatever their order. What a sample without a finding
says of all rows is `missed_at_most`: with the stated confidence no larger a share of them holds what the detectors
would recognise. That bound is of sampling only: what the detectors do not recognise is not in it.

How it works: each row draws a 64-bit number; the rows with the n smallest are kept (the chance of a tie that matters is
below n² 2^-64). The bound is Clopper and Pearson's (1934), one-sided; draws without replacement only make it smaller.

Example:
    >>> from reticent.data.scan.sampling import missed_at_most
    >>> round(missed_at_most(0, 1000, 0.95), 5)
    0.00299
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from reticent import _checks
from reticent.randomness import Randomness

__all__ = ["missed_at_most", "sample"]


def missed_at_most(hits: int, rows: int, confidence: float) -> float:
    """The upper one-sided Clopper-Pearson bound on a share.

    Args:
        hits: rows of the sample that count.
        rows: of the sample, drawn uniformly.
        confidence: how often such a bound is not below the truth.
    """
    from scipy.special import betaincinv

    _checks.at_least(1, rows=rows)
    confidence = _checks.open_fraction(confidence=confidence)
    return 1.0 if hits == rows else float(betaincinv(hits + 1, rows - hits, confidence))


def sample(batches: Iterable[Any], size: int, randomness: Randomness) -> tuple[Any, int]:
    """A uniform sample of rows of arrow record batches, in their order, and how many rows there were.

    Returns:
        An arrow table (None if there was nothing at all), and the number of rows read.
    """
    import pyarrow as pa

    draws = randomness.spawn("sample of rows")
    kept: Any = None
    numbers = np.zeros(0, dtype=np.uint64)
    rows = 0
    for batch in batches:
        drawn = draws.bits(batch.num_rows)
        rows += batch.num_rows
        near = np.flatnonzero(drawn <= numbers.max()) if len(numbers) >= size else np.arange(len(drawn))
        more = pa.Table.from_batches([batch]).take(pa.array(near))
        kept = more if kept is None else pa.concat_tables([kept, more])
        numbers = np.concatenate([numbers, drawn[near]])
        if len(numbers) > size:
            stay = np.sort(np.argpartition(numbers, size - 1)[:size])
            kept, numbers = kept.take(pa.array(stay)).combine_chunks(), numbers[stay]
    return kept, rows
