"""What one use of a parameter adds to every example's gradient, in the form that is cheapest to hold.

Promise: whatever its form, a contribution stands for one array of shape (B, *parameter.shape): the gradients that a
loop over the examples would give. Its squared norms and its weighted sum over the examples are those of that array.
Everything is computed in float32 or better whatever the precision of the network, and norms are added up in float64.

A linear layer that saw T positions of an example has the gradient left^T right, from its output gradients (T, p) and
its inputs (T, d). Either the T (p + d) numbers of the factors are held, or the p d numbers of the product, whichever
is smaller (up to a factor of two, because the product is the faster one then): norms of a product cost T^2 (p + d)
operations from its factors ("ghost norm", Goodfellow, 2015; Li et al., 2022, section 4) and T p d by forming it; the
sum over examples is one matrix product from the factors ("book-keeping", Bu et al., 2023, algorithm 1), and one over
the examples alone from the products.

Shapes: B examples, T positions; `left` (B, T, p), `right` (B, T, d), `index` (B, T).

Example:
    >>> import torch
    >>> from reticent.training.engine.contributions import product
    >>> left, right = torch.ones(2, 1, 30), torch.ones(2, 1, 20)
    >>> use = product(left, right)
    >>> type(use).__name__, use.squared_norms().round(decimals=3).tolist()
    ('Product', [600.0, 600.0])
    >>> use.weighted(torch.tensor([1.0, 10.0], dtype=torch.float64))[0, :3].tolist()
    [11.0, 11.0, 11.0]
"""

from __future__ import annotations

import abc
import collections
import contextlib
import dataclasses
import math
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import torch

from reticent.training.engine import products

__all__ = [
    "Contribution",
    "Dense",
    "Lookup",
    "Product",
    "exact",
    "gram_norms",
    "inner",
    "product",
    "scaled",
    "scratch",
    "shared_grams",
    "wide",
]

_BLOCK = 1 << 10  # numbers whose squares are added up in their own precision
_SMALL = 1 << 14  # numbers of which a copy in float64 costs nothing
_CHUNK = 1 << 22  # numbers that are formed at a time where only their norm is asked for
_WHOLE = 6e6  # products of numbers in a Gram matrix; below, halving it costs more in calls than it saves

KEPT = 2
"""Gradients are never held in a form that is more than this many times as large as the other."""

_LONG = 64
"""Positions for which both forms take the same time if they are of the same size.

Formed gradients are written and read twice (1.1 ns a number); Gram matrices take 1.5e-11 T^2 s for each of p + d.
"""

CANCELS = 1e-3
"""Where a squared norm is less than this share of the squared mass, the example's gradient is formed in float64.

Above it the rounding of what is added up, some 1e-7 of the mass, stays below 1e-5 of the norm.
"""


def wide(values: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
    """The same numbers in float32 or better, or in the given precision."""
    return values.to(torch.promote_types(values.dtype, torch.float32) if dtype is None else dtype)


_scratch = threading.local()


@contextlib.contextmanager
def scratch() -> Iterator[None]:
    """A block in which `scaled` writes into one piece of memory, again and again.

    Fresh memory costs more than the multiplication that fills it: the system hands it out page by page.
    """
    _scratch.memory = {}
    try:
        yield
    finally:
        del _scratch.memory


def scaled(values: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """values * factors, valid until the next call."""
    memory = getattr(_scratch, "memory", None)
    if memory is None:
        return values * factors
    key = (values.dtype, values.device)
    if key not in memory or memory[key].numel() < values.numel():
        memory[key] = values.new_empty(values.numel())
    return torch.mul(values, factors, out=memory[key][: values.numel()].view(values.shape))


_grams = threading.local()


@contextlib.contextmanager
def shared_grams(parts: Iterable[Contribution]) -> Iterator[None]:
    """A block in which a factor that several of these products have (queries, keys, values) is squared once."""
    factors = [_place(factor) for part in parts if isinstance(part, Product) for factor in (part.left, part.right)]
    _grams.wanted, _grams.kept = {which for which, count in collections.Counter(factors).items() if count > 1}, {}
    try:
        yield
    finally:
        del _grams.wanted, _grams.kept


def _place(factor: torch.Tensor) -> tuple[Any, ...]:
    """Where its numbers lie and how: factors that are held at the same time and agree in this are the same."""
    return factor.data_ptr(), factor.shape, factor.stride(), factor.dtype


def _is_shared(factor: torch.Tensor) -> bool:
    return _place(factor) in getattr(_grams, "wanted", ())


def _gram(factor: torch.Tensor) -> torch.Tensor:
    values, place = wide(factor), _place(factor)
    if not _is_shared(factor):
        return products.each_rows(values, values)
    if place not in _grams.kept:
        _grams.kept[place] = products.each_rows(values, values)
    found: torch.Tensor = _grams.kept[place]
    return found


def exact(values: torch.Tensor) -> torch.dtype:
    """The precision in which norms are added up: float64, except where the device has none."""
    return torch.float32 if values.device.type == "mps" else torch.float64


class Contribution(abc.ABC):
    """One use of a parameter by a batch of B examples."""

    @property
    @abc.abstractmethod
    def examples(self) -> int:
        """B."""

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """Number of elements of the parameter."""

    @abc.abstractmethod
    def measured(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(B,) squared norms, and (B,) squared masses, in float64.

        The mass is the sum of the norms of what is added up to give the gradient. Where it is much larger than the
        norm, terms cancel, and both the norm and the weighted sum are rounding: see `CANCELS`.
        """

    @abc.abstractmethod
    def dense(self, dtype: torch.dtype | None = None) -> torch.Tensor:
        """(B, *shape) the gradients themselves, computed in the given precision (float32 or better by default)."""

    def squared_norms(self) -> torch.Tensor:
        """(B,) squared norms alone."""
        return self.measured()[0]

    @abc.abstractmethod
    def weighted(self, factors: torch.Tensor) -> torch.Tensor:
        """(*shape) the sum over examples of factor times gradient; `factors` is (B,) in float64."""

    @abc.abstractmethod
    def take(self, rows: torch.Tensor | slice) -> Contribution:
        """The same for some of the examples."""

    def join(self, other: Contribution) -> Contribution | None:
        """The sum with another use of the same parameter, or None where no form is cheaper than holding both."""
        return None


@dataclasses.dataclass
class Dense(Contribution):
    """The gradients themselves: `values` (B, *shape)."""

    values: torch.Tensor

    @property
    def examples(self) -> int:  # noqa: D102
        return len(self.values)

    @property
    def size(self) -> int:  # noqa: D102
        return math.prod(self.values.shape[1:])

    def measured(self) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: D102
        flat = wide(self.values).reshape(len(self.values), self.size)
        dtype = exact(flat)
        if flat.numel() <= _SMALL:
            norms: torch.Tensor = torch.linalg.vector_norm(flat, dim=1, dtype=dtype).square()
            return norms, norms
        # Blocks are short enough for their own precision; what they give is added up in float64.
        whole = self.size - self.size % _BLOCK
        blocks = flat[:, :whole].reshape(len(flat), whole // _BLOCK, _BLOCK)
        parts = [torch.linalg.vector_norm(blocks, dim=2), torch.linalg.vector_norm(flat[:, whole:], dim=1)[:, None]]
        norms = torch.cat(parts, 1).to(dtype).square().sum(1)
        odd = ~torch.isfinite(norms)
        if bool(odd.any()):  # squares overflow in single precision before they do in double
            norms[odd] = torch.linalg.vector_norm(flat[odd], dim=1, dtype=dtype).square()
        return norms, norms

    def dense(self, dtype: torch.dtype | None = None) -> torch.Tensor:  # noqa: D102
        return wide(self.values, dtype)

    def weighted(self, factors: torch.Tensor) -> torch.Tensor:  # noqa: D102
        flat = wide(self.values).reshape(len(self.values), self.size)
        return (factors.to(flat.dtype) @ flat).reshape(self.values.shape[1:])

    def take(self, rows: torch.Tensor | slice) -> Dense:  # noqa: D102
        return Dense(self.values[rows])

    def join(self, other: Contribution) -> Contribution | None:  # noqa: D102
        if isinstance(other, Product):  # the gradients are there already: adding to them is all that is left
            left, right = wide(other.left), wide(other.right)
            own = self.dense().reshape(self.examples, left.shape[2], right.shape[2])
            return Dense(torch.baddbmm(own, left.transpose(1, 2), right).reshape(self.values.shape))
        return Dense(self.dense() + other.dense()) if isinstance(other, Dense) else None


@dataclasses.dataclass
class Product(Contribution):
    """left^T right: `left` (B, T, p), `right` (B, T, d), for a parameter of shape (p, d)."""

    left: torch.Tensor
    right: torch.Tensor

    @property
    def examples(self) -> int:  # noqa: D102
        return len(self.left)

    @property
    def size(self) -> int:  # noqa: D102
        return self.left.shape[2] * self.right.shape[2]

    def measured(self) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: D102
        positions = self.left.shape[1]
        if positions <= 1:
            norms = Dense(self.left).squared_norms() * Dense(self.right).squared_norms()
            return norms, norms
        step = max(1, _CHUNK // (2 * positions**2))
        if step >= self.examples and (_is_shared(self.left) or _is_shared(self.right)):
            return gram_norms(_gram(self.left), _gram(self.right))
        parts = []
        for start in range(0, self.examples, step):
            part = self.take(slice(start, start + step))
            parts.append(_halved_gram(wide(part.left), wide(part.right)))
        return torch.cat([norms for norms, _ in parts]), torch.cat([masses for _, masses in parts])

    def dense(self, dtype: torch.dtype | None = None) -> torch.Tensor:  # noqa: D102
        return wide(self.left, dtype).transpose(1, 2) @ wide(self.right, dtype)

    def weighted(self, factors: torch.Tensor) -> torch.Tensor:  # noqa: D102
        left, right = wide(self.left), wide(self.right)
        column = factors.to(left.dtype)[:, None, None]
        if left.shape[2] <= right.shape[2]:
            left = scaled(left, column)
        else:
            right = scaled(right, column)
        return products.rows(left.reshape(-1, left.shape[2]).T, right.reshape(-1, right.shape[2]).T)

    def take(self, rows: torch.Tensor | slice) -> Product:  # noqa: D102
        return Product(self.left[rows], self.right[rows])

    def join(self, other: Contribution) -> Contribution | None:  # noqa: D102
        if isinstance(other, Product):  # the sum of two products is the product of their positions put end to end
            return product(torch.cat([self.left, other.left], dim=1), torch.cat([self.right, other.right], dim=1))
        return other.join(self) if isinstance(other, Dense) else None


def product(left: torch.Tensor, right: torch.Tensor) -> Contribution:
    """left^T right in the cheaper of its two forms."""
    positions, p, d = left.shape[1], left.shape[2], right.shape[2]
    held = Product(left, right)
    most = min(KEPT, max(1 / KEPT, positions / _LONG))
    return Dense(held.dense()) if p * d <= most * positions * (p + d) else held


@dataclasses.dataclass
class Lookup(Contribution):
    """Rows of a table: `rows` (B, T, d) go to the rows `index` (B, T) of a parameter of shape (count, d).

    An index below zero takes no part. Every example asks for each row at most once: build it with `lookup`, which adds
    repeated rows up.
    """

    index: torch.Tensor
    rows: torch.Tensor
    count: int

    @property
    def examples(self) -> int:  # noqa: D102
        return len(self.rows)

    @property
    def size(self) -> int:  # noqa: D102
        return self.count * self.rows.shape[2]

    def measured(self) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: D102
        return Dense(self.rows).measured()

    def dense(self, dtype: torch.dtype | None = None) -> torch.Tensor:  # noqa: D102
        rows, used = wide(self.rows, dtype), self.index >= 0
        found = rows.new_zeros(self.examples * self.count, rows.shape[2])
        first = torch.arange(self.examples, device=rows.device)[:, None] * self.count
        found.index_add_(0, (first + self.index)[used], rows[used])
        return found.reshape(self.examples, self.count, rows.shape[2])

    def weighted(self, factors: torch.Tensor) -> torch.Tensor:  # noqa: D102
        rows, used = wide(self.rows), self.index >= 0
        rows = scaled(rows, factors.to(rows.dtype)[:, None, None])
        return rows.new_zeros(self.count, rows.shape[2]).index_add_(0, self.index[used], rows[used])

    def take(self, rows: torch.Tensor | slice) -> Lookup:  # noqa: D102
        return Lookup(self.index[rows], self.rows[rows], self.count)

    def join(self, other: Contribution) -> Contribution | None:  # noqa: D102
        if isinstance(other, Lookup):
            return lookup(torch.cat([self.index, other.index], 1), torch.cat([self.rows, other.rows], 1), self.count)
        return None


def lookup(index: torch.Tensor, rows: torch.Tensor, count: int) -> Lookup:
    """A lookup in which rows that an example asks for several times are added up where they come first.

    What is added up here is what is measured and what is summed later: no rounding lies in between.
    """
    examples, positions = index.shape
    rows = wide(rows)
    example = torch.arange(examples, device=index.device)[:, None]
    keys = torch.where(index >= 0, example * (count + 1) + index, example * (count + 1) + count).reshape(-1)
    unique, place = torch.unique(keys, return_inverse=True)
    if len(unique) == len(keys) and bool((index >= 0).all()):
        return Lookup(index, rows, count)
    order = torch.arange(len(keys), device=index.device)
    first = torch.full((len(unique),), len(keys), device=index.device).scatter_reduce_(0, place, order, "amin")
    summed = torch.zeros_like(rows).reshape(len(keys), -1).index_add_(0, first[place], rows.reshape(len(keys), -1))
    kept = torch.full_like(keys, -1)
    kept[first] = unique % (count + 1)
    kept = torch.where(kept == count, -1, kept)
    summed[kept < 0] = 0.0
    return Lookup(kept.reshape(examples, positions), summed.reshape(rows.shape), count)


def inner(table: Lookup, other: Product) -> torch.Tensor:
    """(B,) inner products of the gradients of a table and of a linear layer that share their parameter.

    Row index[t] of left^T right is sum_s left[s, index[t]] right[s]; its product with rows[t] needs no table.
    """
    used = table.index >= 0
    index = table.index.clamp(min=0)
    left, right = wide(other.left), wide(other.right)
    chosen = torch.gather(left, 2, index[:, None, :].expand(-1, left.shape[1], -1))  # (B, S, T)
    products = right @ wide(table.rows).transpose(1, 2)  # (B, S, T)
    return (chosen * products * used[:, None, :]).sum((1, 2), dtype=exact(left))


def _halved_gram(left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Squared norms and masses of left^T right. Gram matrices are symmetric: a quarter of them is not computed."""
    half = left.shape[1] // 32 * 16
    if half == 0 or all(products.is_split(v) and v[0].numel() * len(v[0]) < _WHOLE for v in (left, right)):
        return gram_norms(products.each_rows(left, left), products.each_rows(right, right))
    (a, b), (c, d) = ((values[:, :half], values[:, half:]) for values in (left, right))
    first, first_mass = gram_norms(products.each_rows(a, a), products.each_rows(c, c))
    # The second half with everything: what lies between the halves, and its own Gram matrix.
    lefts, rights = products.each_rows(b, left), products.each_rows(d, right)
    second, second_mass = gram_norms(lefts[:, :, half:], rights[:, :, half:])
    between = lefts[:, :, :half].mul_(rights[:, :, :half]).sum((1, 2), dtype=exact(left))
    masses = (first_mass.sqrt() + second_mass.sqrt()).square()
    slack = 0.5 * torch.finfo(left.dtype).eps * (masses - first_mass - second_mass)
    return (first + second + 2.0 * between).clamp(min=0.0) + slack, masses


def gram_norms(lefts: torch.Tensor, rights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(B,) squared norms and masses of left^T right from the Gram matrices (B, T, T) of both.

    The squared norm is the sum over positions s and t of <left s, left t> <right s, right t>.
    """
    squares = torch.diagonal(lefts, dim1=1, dim2=2) * torch.diagonal(rights, dim1=1, dim2=2)
    masses = squares.clamp(min=0.0).sqrt().sum(1, dtype=exact(lefts)).square()
    norms = (lefts * rights).sum((1, 2), dtype=exact(lefts))
    # A norm that comes out too small would clip too little, so what rounding usually takes away is added.
    return norms.clamp(min=0.0) + 0.5 * torch.finfo(lefts.dtype).eps * masses, masses
