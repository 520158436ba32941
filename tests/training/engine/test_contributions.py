"""Every form in which gradients are held gives the norms and sums of the gradients themselves."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.training.engine.contributions import Dense, Product, inner, lookup, product, scaled, scratch
from reticent.training.engine.convolutions import Convolved, Geometry


def draw(seed, *shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def agrees(use, gradients, rtol=1e-10):
    flat = gradients.reshape(len(gradients), -1)
    factors = torch.linspace(-1.0, 2.0, len(gradients), dtype=torch.float64)
    torch.testing.assert_close(use.dense().double().reshape(gradients.shape), gradients, rtol=rtol, atol=1e-12)
    torch.testing.assert_close(use.squared_norms(), (flat**2).sum(1), rtol=rtol, atol=1e-12)
    total = (factors @ flat).reshape(gradients.shape[1:])
    torch.testing.assert_close(use.weighted(factors).double().reshape(total.shape), total, rtol=rtol, atol=1e-11)
    some = use.take(torch.tensor([0]))
    torch.testing.assert_close(some.squared_norms(), (flat[:1] ** 2).sum(1), rtol=rtol, atol=1e-12)


sizes = st.integers(1, 5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), sizes, sizes, sizes, sizes)
def test_products(seed, examples, positions, p, d):
    left, right = draw(seed, examples, positions, p), draw(seed + 1, examples, positions, d)
    gradients = torch.einsum("btp,btd->bpd", left, right)
    agrees(Product(left, right), gradients)
    chosen = product(left, right)
    agrees(chosen, gradients)
    held = p * d if isinstance(chosen, Dense) else positions * (p + d)
    assert held <= 2 * min(p * d, positions * (p + d))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), sizes, sizes, sizes, st.integers(1, 4))
def test_lookups_add_up_repeated_rows_and_leave_padding_out(seed, examples, positions, d, count):
    index = torch.randint(-1, count, (examples, positions), generator=torch.Generator().manual_seed(seed))
    rows = draw(seed, examples, positions, d)
    gradients = torch.zeros(examples, count, d, dtype=torch.float64)
    for b in range(examples):
        for t in range(positions):
            if index[b, t] >= 0:
                gradients[b, index[b, t]] += rows[b, t]
    agrees(lookup(index, rows, count), gradients)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), sizes, sizes, sizes, sizes)
def test_uses_of_one_parameter_join_into_their_sum(seed, examples, s, t, d):
    count = 4
    one, other = (product(draw(seed + i, examples, s, count), draw(seed + 5 + i, examples, s, d)) for i in range(2))
    both = one.join(other)
    if both is not None:
        agrees(both, one.dense() + other.dense())
    index = torch.randint(0, count, (examples, t), generator=torch.Generator().manual_seed(seed))
    first, second = (lookup(index, draw(seed + 8 + i, examples, t, d), count) for i in range(2))
    agrees(first.join(second), first.dense() + second.dense())
    tied = Product(draw(seed, examples, s, count), draw(seed + 1, examples, s, d))
    expected = (first.dense() * tied.dense()).sum((1, 2))
    torch.testing.assert_close(inner(first, tied), expected, rtol=1e-10, atol=1e-12)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 10**6),
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
def test_norms_of_convolutions_need_no_patches(seed, image, kernel, stride, padding, dilation):
    channels, outputs = 2, 3
    walk = Geometry(stride, padding, dilation, False, (0, 0), 1)
    out = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip(image, padding, dilation, kernel, stride, strict=True)
    ]
    if min(out) < 1:
        return
    x, g = draw(seed, 3, 1, channels, *image), draw(seed + 1, 3, 1, outputs, *out)
    weight = torch.zeros(outputs, channels, *kernel, dtype=torch.float64, requires_grad=True)
    gradients = []
    for i in range(3):
        y = torch.nn.functional.conv2d(x[i], weight, None, stride, padding, dilation)
        gradients.append(torch.autograd.grad(y, weight, g[i])[0])
    agrees(Convolved(x, g, tuple(weight.shape), walk), torch.stack(gradients))


def test_norms_of_cancelling_positions_are_never_too_small():
    """Positions that cancel leave a gradient far below the rounding of what was added: the bound must still hold."""
    left, right = draw(0, 200, 64, 48), draw(1, 200, 64, 40)
    left[:, 32:], right[:, 32:] = -left[:, :32], right[:, :32] * (1 + 1e-6)
    single = Product(left.float(), right.float())
    truth = Product(left.float().double(), right.float().double()).dense().square().sum((1, 2))
    assert bool((truth < 1e-9 * single.squared_norms().max() + 1).all())
    assert bool((single.squared_norms() >= truth * (1 - 1e-5)).all())
    # ... while gradients that do not cancel keep their norms to single precision.
    plain = Product(draw(2, 200, 64, 48).float(), draw(3, 200, 64, 40).float())
    expected = plain.dense().double().square().sum((1, 2))
    torch.testing.assert_close(plain.squared_norms(), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("size", [1, 3, 1023, 1024, 1025, 5000])
def test_norms_of_long_and_short_gradients(size):
    values = draw(4, 6, size, dtype=torch.float32)
    torch.testing.assert_close(Dense(values).squared_norms(), values.double().square().sum(1), rtol=1e-6, atol=0)


def test_norms_whose_squares_overflow_in_single_precision():
    values = torch.full((2, 3000), 1e30)
    values[1] = 1.0
    expected = values.double().square().sum(1)
    torch.testing.assert_close(Dense(values).squared_norms(), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_shows_in_its_own_norm_only(bad):
    uses = {
        "dense": lambda i: Dense(draw(0, 4, 5).index_fill(0, torch.tensor([i]), bad)),
        "left": lambda i: Product(draw(0, 4, 2, 9).index_fill(0, torch.tensor([i]), bad), draw(1, 4, 2, 9)),
        "right": lambda i: Product(draw(0, 4, 2, 9), draw(1, 4, 2, 9).index_fill(0, torch.tensor([i]), bad)),
        "rows": lambda i: lookup(
            torch.zeros(4, 2, dtype=torch.long), draw(1, 4, 2, 9).index_fill(0, torch.tensor([i]), bad), 3
        ),
        "image": lambda i: Convolved(
            draw(0, 4, 1, 2, 3).index_fill(0, torch.tensor([i]), bad),
            draw(1, 4, 1, 5, 2),
            (5, 2, 2),
            Geometry((1,), (0,), (1,), False, (0,), 1),
        ),
    }
    for name, build in uses.items():
        finite = torch.isfinite(build(2).squared_norms())
        assert finite.tolist() == [True, True, False, True], name


def test_scratch_memory_is_used_again_and_let_go():
    with scratch():
        first = scaled(torch.ones(4, 3), torch.full((4, 1), 2.0))
        assert first.tolist() == [[2.0] * 3] * 4
        second = scaled(torch.ones(2, 3), torch.full((2, 1), 3.0))
        assert second.data_ptr() == first.data_ptr()
    assert scaled(torch.ones(2), torch.ones(2)).data_ptr() != second.data_ptr()
