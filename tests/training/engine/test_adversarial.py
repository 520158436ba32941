"""Networks and numbers that were made to break the engine, found by reviewers: each is exact, bounded, or refused."""

from __future__ import annotations

import collections

import pytest
import torch
import torch.nn.functional as F
import torch.utils.checkpoint
from tests.oracles import gradients as oracle
from tests.training.engine.cases import SIZE, Fn, numbers, tokens
from torch import nn

from reticent.errors import ModelError
from reticent.privacy import Plan
from reticent.randomness import Randomness
from reticent.training import PerExampleModel, PrivateSum
from reticent.training.engine import record
from reticent.training.seeding import seeded


@pytest.fixture(autouse=True)
def _fixed_weights():
    with seeded(Randomness.simulated(20)):
        yield


def contributed(model, inputs):
    """The length of what one example contributes at clipping norm 1, and how long its gradient is."""
    names = [name for name, _ in model.named_parameters()]
    outputs, recording = record(model, names, inputs, {})
    outputs.sum().backward()
    plan = Plan(0.0, 100, 1, 1, l2_clip_norm=1.0, delta=1e-3)
    total = PrivateSum(plan, dict(model.named_parameters()), Randomness.secure())
    total.add(recording.gathered())
    return float(torch.cat([value.double().reshape(-1) for value in total.finish().values()]).norm())


# Numbers: one example whose terms cancel must not contribute more than the clipping norm -----------------------------


def test_rows_of_a_table_that_cancel():
    model = Fn(lambda self, i, x: (self.e(i)[..., 0] * x).sum(1), e=nn.Embedding(10, 1))
    x = torch.tensor([[1e12, -(1e12 - 65536.0), -65533.0]])
    assert contributed(model, (torch.tensor([[3, 3, 3]]), x)) <= 1 + 1e-5


@pytest.mark.parametrize("groups", [1, 2])
def test_positions_of_a_convolution_that_cancel(groups):
    model = Fn(lambda self, x, w: (self.c(x) * w).sum((1, 2)), c=nn.Conv1d(64, 64, 1, groups=groups, bias=False))
    x = torch.ones(1, 64, 3) * 1e6
    w = torch.tensor([1e6, -(1e6 - 0.0625), -0.06]).expand(1, 64, 3)
    assert contributed(model, (x, w)) <= 1 + 1e-5


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_a_tied_table_whose_two_uses_cancel(scale):
    a = torch.randn(64, 64)
    a = scale * (a - a.T + 1e-3 * torch.eye(64))

    def forward(self, i, x):
        return (F.linear(self.e(i) @ a, self.e.weight) * x[..., None]).gather(-1, i[..., None]).sum((1, 2))

    model = Fn(forward, e=nn.Embedding(200, 64))
    assert contributed(model, (torch.tensor([[3, 7]]), torch.full((1, 2), 1e4))) <= 1 + 1e-5


def test_positions_of_a_wide_layer_that_nearly_cancel():
    d, sign = 8192, torch.tensor([1.0, -1.0])
    model = Fn(lambda self, x: (self.a(x) * sign[:, None]).sum((1, 2)), a=nn.Linear(d, 32, bias=False))
    for _ in range(25):
        u = (torch.rand(1, 1, d) + 0.5) * 3e3 / d**0.5
        assert contributed(model, (u * (1 + 7e-4 * torch.randn(1, 2, d)),)) <= 1 + 1e-4


# Uses of parameters that are hard to see ------------------------------------------------------------------------------

Pair = collections.namedtuple("Pair", "one other")


class Scaled(torch.autograd.Function):
    """A function without a rule for vmap, which function modes do not see."""

    @staticmethod
    def forward(ctx, x, q):
        ctx.save_for_backward(x, q)
        return x * q

    @staticmethod
    def backward(ctx, gradient):
        x, q = ctx.saved_tensors
        return gradient * q, (gradient * x).sum(0)


def with_query(forward, **parts):
    return lambda: (Fn(forward, q=nn.Parameter(torch.randn(1, 3)), **parts), (numbers(3),))


USES = {
    "input of a linear layer": with_query(lambda self, x: x + self.a(self.q), a=nn.Linear(3, 3)),
    "input of a layer norm": with_query(lambda self, x: x + self.n(self.q), n=nn.LayerNorm(3)),
    "input of an rms norm": with_query(lambda self, x: x + self.n(self.q), n=nn.RMSNorm(3)),
    "input of a group norm": with_query(lambda self, x: x + self.n(self.q), n=nn.GroupNorm(1, 3)),
    "input of a convolution": with_query(lambda self, x: x + self.c(self.q[None])[0], c=nn.Conv1d(1, 1, 3, padding=1)),
    "padded input": with_query(
        lambda self, x: x + F.conv1d(self.q[None], self.w, padding="same")[0], w=nn.Parameter(torch.randn(1, 1, 2))
    ),
    "state of an lstm": lambda: (
        Fn(
            lambda self, x: self.r(x, (self.h, self.c))[0],
            r=nn.LSTM(3, 4, batch_first=True),
            h=nn.Parameter(torch.randn(1, 1, 4)),
            c=nn.Parameter(torch.randn(1, 1, 4)),
        ),
        (numbers(5, 3),),
    ),
    "state of a cell": lambda: (
        Fn(lambda self, x: self.r(x, (self.h, self.h))[1], r=nn.LSTMCell(3, 4), h=nn.Parameter(torch.randn(1, 4))),
        (numbers(3),),
    ),
    "weights of a bag": lambda: (
        Fn(
            lambda self, i: self.b(i, per_sample_weights=self.w),
            b=nn.EmbeddingBag(11, 3, mode="sum"),
            w=nn.Parameter(torch.randn(1, 4)),
        ),
        (tokens(4),),
    ),
    "query of attention": lambda: (
        Fn(
            lambda self, x: F.scaled_dot_product_attention(self.q, x[:, None], x[:, None])[:, 0],
            q=nn.Parameter(torch.randn(1, 1, 2, 4)),
        ),
        (numbers(5, 4),),
    ),
    "list by keyword": with_query(lambda self, x: torch.cat(tensors=[x, self.q], dim=1)),
    "named tuple": with_query(lambda self, x: x * torch.stack(Pair(self.q, self.q * 2)).sum(0)),
    "transposed in a list": with_query(
        lambda self, x: torch.cat([x, (self.w.T @ self.w)[:1]], 1), w=nn.Parameter(torch.randn(2, 3))
    ),
    "function without a rule": lambda: (
        Fn(lambda self, x: Scaled.apply(x, self.q), q=nn.Parameter(torch.randn(3))),
        (numbers(3),),
    ),
    "function without a rule, transposed": lambda: (
        Fn(lambda self, x: Scaled.apply(x, self.q.T[0]), q=nn.Parameter(torch.randn(3, 1))),
        (numbers(3),),
    ),
    "transposed weight of a norm": lambda: (
        Fn(
            lambda self, x: F.layer_norm(x, (3, 5), self.a.T, self.b.T),
            a=nn.Parameter(torch.randn(5, 3)),
            b=nn.Parameter(torch.randn(5, 3)),
        ),
        (numbers(3, 5),),
    ),
    "computed bias": lambda: (
        Fn(
            lambda self, x: F.linear(x, self.w, torch.cat([self.q, self.q * 2])),
            w=nn.Parameter(torch.randn(30, 40)),
            q=nn.Parameter(torch.randn(15)),
        ),
        (numbers(2, 40),),
    ),
    "computed bias of a convolution": lambda: (
        Fn(
            lambda self, x: F.conv1d(x, self.w, self.q * 2),
            w=nn.Parameter(torch.randn(3, 2, 2)),
            q=nn.Parameter(torch.randn(3)),
        ),
        (numbers(2, 5),),
    ),
    "bias of other shapes": lambda: (
        Fn(
            lambda self, x: F.linear(x, self.w, self.s) + F.linear(x, self.w, self.t),
            w=nn.Parameter(torch.randn(30, 40)),
            s=nn.Parameter(torch.randn(1)),
            t=nn.Parameter(torch.randn(2, 30)),
        ),
        (numbers(2, 40),),
    ),
    "weight in its own type": lambda: (
        Fn(
            lambda self, x: F.linear(x, self.w.to(x.dtype), self.b.to(x)),
            w=nn.Parameter(torch.randn(30, 40)),
            b=nn.Parameter(torch.randn(30)),
        ),
        (numbers(2, 40),),
    ),
    "mm by keyword": lambda: (
        Fn(lambda self, x: torch.mm(x, mat2=self.w), w=nn.Parameter(torch.randn(3, 2))),
        (numbers(3),),
    ),
    "in place on a recurrent output": lambda: (
        Fn(lambda self, x: self.r(x)[0].relu_(), r=nn.LSTM(3, 4, batch_first=True)),
        (numbers(5, 3),),
    ),
    "no positions": lambda: (
        Fn(
            lambda self, x: self.a(x[:, :0]).sum((1, 2)) + self.b(x).sum((1, 2)),
            a=nn.Linear(40, 30),
            b=nn.Linear(40, 30),
        ),
        (numbers(2, 40),),
    ),
    "many cells": lambda: (Fn(stepped, c=nn.LSTMCell(3, 4)), (numbers(60, 3),)),
}


def stepped(self, x):
    state = None
    for t in range(x.shape[1]):
        state = self.c(x[:, t], state)
    return state[0]


def term(outputs):
    return (outputs.sin() ** 2).sum()


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("name", USES)
def test_uses_that_are_hard_to_see_are_exact(name):
    model, inputs = USES[name]()
    model = model.double()
    private = PerExampleModel(model)
    term(private(*inputs)).backward()
    expected = oracle.one_by_one(model, inputs, lambda out, i: term(out))
    found = private.gradients()
    for key, gradient in expected.items():
        torch.testing.assert_close(found[key], gradient, rtol=1e-10, atol=1e-12, msg=key)


def test_a_returned_parameter_is_each_examples_own():
    model = Fn(lambda self, x: (x * 2, self.q), q=nn.Parameter(torch.randn(1, 3))).double()
    private = PerExampleModel(model)
    doubled, q = private(numbers(3))
    assert q.shape == (SIZE, 3)
    (q * torch.arange(SIZE)[:, None]).sum().backward()
    assert private.gradients()["q"][:, 0, 0].tolist() == [0, 1, 2, 3]
    del doubled


def test_complex_weights():
    class Turn(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(3, 2, dtype=torch.complex128))

        def forward(self, x):
            return torch.view_as_real((x + 1j * x.flip(-1)) @ self.w)

    model, x = Turn(), numbers(5, 3)
    private = PerExampleModel(model)
    term(private(x)).backward()
    expected = oracle.one_by_one(model, (x,), lambda out, i: term(out))
    (part,) = private.gathered()
    torch.testing.assert_close(part.dense()["w"].reshape(SIZE, 3, 2), expected["w"], rtol=1e-10, atol=1e-12)


def test_a_second_order_gradient_through_a_layer_that_is_not_trained():
    def forward(self, x):
        h = self.a(x)
        slope = torch.autograd.grad((self.n(h) * h.detach()).sum(), h, create_graph=True)[0]
        return slope + h

    model, x = Fn(forward, a=nn.Linear(5, 5), n=nn.LayerNorm(5)).double(), numbers(5)
    private = PerExampleModel(model, ["a.weight", "a.bias"])
    term(private(x)).backward()
    expected = oracle.one_by_one(model, (x,), lambda out, i: term(out))
    torch.testing.assert_close(private.gradients()["a.weight"], expected["a.weight"], rtol=1e-9, atol=1e-11)


# What cannot be seen is refused ---------------------------------------------------------------------------------------


def test_a_parameter_that_nobody_can_exchange_is_refused():
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.q = nn.Parameter(torch.randn(3))
            self.__dict__["hidden"] = [self.q]

        def forward(self, x):
            return Scaled.apply(x, self.hidden[0])

    with pytest.raises(ModelError, match="q is used in a way that cannot"):
        PerExampleModel(Hidden().double())(numbers(3))


def test_a_gradient_that_reaches_a_parameter_is_refused_when_gradients_are_read():
    model = nn.Linear(3, 2).double()
    private = PerExampleModel(model)
    outputs = private(numbers(3))
    (outputs.sum() + model.weight.square().sum()).backward()
    with pytest.raises(ModelError, match="a gradient of the whole batch"):
        private.gathered()


def test_hooks_on_gradients_are_refused():
    model = nn.Linear(3, 2).double()
    model.weight.register_hook(lambda gradient: 2 * gradient)
    with pytest.raises(ModelError, match="without gradient hooks, but weight has one"):
        PerExampleModel(model)(numbers(3))
    model = nn.Sequential(nn.Linear(3, 2))
    model[0].register_full_backward_hook(lambda *_: None)
    with pytest.raises(ModelError, match=r"0 \(Linear\) has one"):
        PerExampleModel(model)


def test_embeddings_scaled_by_the_batch_are_refused():
    with pytest.raises(ModelError, match="without scale_grad_by_freq"):
        PerExampleModel(nn.Embedding(11, 3, scale_grad_by_freq=True))(tokens(4))


def test_a_checkpointed_input_that_is_changed_afterwards_is_refused():
    def forward(self, x):
        h = self.a(x)
        y = torch.utils.checkpoint.checkpoint(self.b, h, use_reentrant=False)
        h.add_(1)
        return y + h

    private = PerExampleModel(Fn(forward, a=nn.Linear(5, 20), b=nn.Linear(20, 20)).double())
    with pytest.raises(ModelError, match="changed in place"):
        private(numbers(5)).sum().backward()


# Combinations of settings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outer", [False, True])
@pytest.mark.parametrize("inner", [False, True])
def test_nested_checkpoints(outer, inner):
    def forward(self, x):
        def deep(h):
            return torch.utils.checkpoint.checkpoint(self.b, h, use_reentrant=inner).tanh() * h

        return torch.utils.checkpoint.checkpoint(deep, self.a(x), use_reentrant=outer)

    parts = {"a": nn.Linear(5, 20), "b": nn.Sequential(nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 20))}
    model, x = Fn(forward, **parts).double(), numbers(5)
    plain = Fn(lambda self, x: self.b(self.a(x)).tanh() * self.a(x), **parts)
    found = []
    for network in (model, plain):
        private = PerExampleModel(network)
        term(private(x)).backward()
        assert not private.looped
        found.append(private.gradients())
    for key, gradient in found[1].items():
        torch.testing.assert_close(found[0][key], gradient, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpoints_under_autocast(reentrant):
    block = nn.Sequential(nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 20))
    model = Fn(
        lambda self, x: torch.utils.checkpoint.checkpoint(self.b, self.a(x), use_reentrant=reentrant),
        a=nn.Linear(5, 20),
        b=block,
    )
    x = numbers(5).float()
    found = []
    for network in (model, nn.Sequential(model.a, block)):
        private = PerExampleModel(network)
        with torch.autocast("cpu", torch.bfloat16):
            outputs = private(x)
        outputs.float().sum().backward()
        found.append(list(private.gradients().values()))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_autocast_leaves_double_precision_alone():
    model, x = nn.Linear(5, 3).double(), numbers(2, 5)
    private = PerExampleModel(model)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = private(x)
        assert outputs.dtype == torch.float64
        outputs.sum().backward()
    torch.testing.assert_close(private.gradients()["weight"], x.sum(1)[:, None].expand(-1, 3, -1), rtol=1e-10, atol=0)


def test_the_new_way_to_set_precision_is_kept():
    before = torch.backends.mkldnn.matmul.fp32_precision
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"
    try:
        private = PerExampleModel(nn.Linear(5, 3))
        private(torch.randn(4, 5)).sum().backward()
        private.gathered()[0].squared_norms()
        assert torch.backends.mkldnn.matmul.fp32_precision == "bf16"
    finally:
        torch.backends.mkldnn.matmul.fp32_precision = before


def test_memory_of_many_cells_is_that_of_one_form():
    model, inputs = USES["many cells"]()
    names = [name for name, _ in model.named_parameters()]
    outputs, recording = record(model.double(), names, inputs, {})
    outputs.sum().backward()
    (part,) = recording.gathered()
    assert {len(uses) for uses in part._parts.values()} == {1}
