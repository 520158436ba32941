"""Products of matrices, by the faster of the two libraries that torch brings along.

Promise: the numbers are those of `first @ second.T`, to the rounding of their type, on every device.

On processors of AMD with AVX-512, torch hands float32 products to MKL, which does not use AVX-512 there; oneDNN, which
torch uses for convolutions, does, and takes half the time (Zen 5: 230 against 105 GFlop/s on one core). So there, and
only there, large products go to oneDNN. It prepares a program for each new shape (some 0.6 ms); since batches vary in
size, only products that gain more than that count as large. What fixed shapes gain is worth a call much earlier.

torch has no public name for this product. Where the one used here is missing, torch's own product is taken.

Shapes: matrices (m, k) and (n, k), the sum over k.

Example:
    >>> import torch
    >>> from reticent.training.engine.products import rows
    >>> rows(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0], [5.0, 6.0]]), torch.tensor([0.5, 0.0]))
    tensor([[11.5000, 17.0000]])
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

__all__ = ["each_rows", "is_split", "of_torch", "rows"]

_LARGE = 2.5e8  # operations whose gain is at least twice what preparing costs
_WORTH_A_CALL = 3e6  # operations of one example: a call costs as much as some 2e6 of them
_FEW = 4  # threads that find work in the product of one example

_setting = threading.local()


@contextlib.contextmanager
def of_torch() -> Iterator[None]:
    """A block in which this thread takes torch's own products everywhere: to compare, and to look for faults."""
    _setting.off = True
    try:
        yield
    finally:
        _setting.off = False


def rows(
    first: torch.Tensor, second: torch.Tensor, bias: torch.Tensor | None = None, *, times: int = 1
) -> torch.Tensor:
    """(m, n) the inner products of the rows of (m, k) and (n, k), plus `bias` (n,); one of `times` such products."""
    work = 2 * first.numel() * len(second) * times
    if work >= _LARGE and _faster(first, second) and (bias is None or bias.dtype == torch.float32):
        # torch copies the first factor if its rows do not lie side by side: then it should be the smaller one.
        if bias is None and not first.is_contiguous() and len(first) >= 4 * len(second):
            turned: torch.Tensor = _one_dnn()(second, first, None, "none", [], "").T
            return turned
        product: torch.Tensor = _one_dnn()(first, second, bias, "none", [], "")
        return product
    return first @ second.T if bias is None else torch.addmm(bias, first, second.T)


def each_rows(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """(B, S, T) the inner products of the rows of each of (B, S, p) and (B, T, p)."""
    if not is_split(second) or not _faster(first, second):
        return first @ second.transpose(1, 2)
    product = _one_dnn()
    pairs = zip(first.unbind(), second.unbind(), strict=True)
    return torch.stack([product(a, b, None, "none", [], "") for a, b in pairs])


def is_split(values: torch.Tensor) -> bool:
    """Whether `each_rows` takes (B, T, p) example by example.

    Their shapes do not change from batch to batch, but each costs a call, and many threads would find no work in it.
    """
    work = 2 * values.shape[1] ** 2 * values.shape[2]
    return work >= _WORTH_A_CALL and torch.get_num_threads() <= _FEW and _faster(values, values)


def _faster(first: torch.Tensor, second: torch.Tensor) -> bool:
    return (
        first.dtype == second.dtype == torch.float32
        and first.device.type == second.device.type == "cpu"
        and first.numel() > 0
        and second.numel() > 0
        and _is_slow_in_mkl()
        and bool(torch._C._get_mkldnn_enabled())
        and not getattr(_setting, "off", False)
    )


@functools.cache
def _is_slow_in_mkl() -> bool:
    try:
        processor = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:  # not Linux
        return False
    return (
        "AuthenticAMD" in processor
        and torch.backends.cpu.get_cpu_capability().startswith("AVX512")
        and torch.backends.mkl.is_available()
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


@functools.cache
def _one_dnn() -> Callable[..., Any]:
    found: Callable[..., Any] = torch.ops.mkldnn._linear_pointwise.default
    return found
