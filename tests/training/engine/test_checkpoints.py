"""Checkpointed blocks are forgotten and computed again; torch's own doors are put back."""

from __future__ import annotations

import functools
import gc
import threading
import weakref

import pytest
import torch
import torch.utils.checkpoint as place
from tests.oracles import gradients as oracle
from tests.training.engine.cases import Fn, numbers
from torch import nn

from reticent.errors import ModelError
from reticent.training.engine import record


def names(model):
    return [name for name, _ in model.named_parameters()]


@pytest.mark.parametrize("reentrant", [False, True])
def test_torchs_own_checkpoints_work_beside_and_after_an_error(reentrant):
    def fails(self, x):
        raise KeyError("mine")

    def plain():
        x = numbers(5).requires_grad_()
        place.checkpoint(torch.tanh, x, use_reentrant=reentrant).sum().backward()
        return bool(x.grad.any())

    class Beside(threading.Thread):
        found = False

        def run(self):
            self.found = plain()

    def starts_a_thread(self, x):
        beside = Beside()
        beside.start()
        beside.join()
        assert beside.found
        return self.a(x)

    model = Fn(starts_a_thread, a=nn.Linear(5, 2)).double()
    record(model, ["a.weight"], (numbers(5),), {})
    with pytest.raises(KeyError, match="mine"):
        record(Fn(fails, a=nn.Linear(5, 2)), ["a.weight"], (numbers(5),), {})
    assert plain()


@pytest.mark.parametrize("reentrant", [False, True])
def test_what_a_block_saves_is_forgotten_until_the_backward_pass(reentrant):
    kept = []

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x * x
            ctx.save_for_backward(y)
            kept.append(weakref.ref(y))
            return y.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * 2 * ctx.saved_tensors[0].sqrt()

    block = Fn(
        lambda self, x: Square.apply(self.a(x).abs() + 0 * x.sum().item()),
        a=nn.Linear(5, 5),
    )
    model = Fn(lambda self, x: place.checkpoint(self.block, x, use_reentrant=reentrant), block=block).double()
    outputs, recording = record(model, names(model), (numbers(5),), {})
    gc.collect()
    assert kept
    assert all(reference() is None for reference in kept)
    outputs.sum().backward()
    assert recording.gathered()[0].names == {"block.a.weight", "block.a.bias"}


def test_nested_arguments_and_keywords():
    def inside(pair, *, scale, shift):
        return pair[0] * scale + pair[1]["y"] @ shift

    model = Fn(
        lambda self, x: place.checkpoint(
            inside, (self.a(x), {"y": x}), scale=x[:, :2], shift=self.s, use_reentrant=False
        ),
        a=nn.Linear(5, 2), s=nn.Parameter(torch.randn(5, 2)),
    ).double()  # fmt: skip
    plain = Fn(lambda self, x: inside((self.a(x), {"y": x}), scale=x[:, :2], shift=self.s), a=model.a, s=model.s)
    x, found = numbers(5), []
    for network in (model, plain):
        outputs, recording = record(network, names(network), (x,), {})
        assert not recording.looped
        (outputs**2).sum().backward()
        found.append(recording.gathered()[0].dense())
    for name, gradient in found[1].items():
        torch.testing.assert_close(found[0][name], gradient)


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("loop", [False, True])
def test_what_a_block_was_given_by_partial_and_what_is_the_same_for_all(reentrant, loop):
    """As transformers hands masks (of each example) and positions (the same for all) to its checkpointed layers."""

    def inside(layer, x, *, mask, positions):
        attended = nn.functional.scaled_dot_product_attention(x, x, x, attn_mask=positions)
        return layer((x + attended) * mask) * positions.sum()

    class Blocks(nn.Module):
        def __init__(self, checkpointed):
            super().__init__()
            self.a, self.b, self.checkpointed = nn.Linear(5, 5), nn.Linear(5, 5), checkpointed

        def forward(self, x):
            hidden = self.a(x).requires_grad_(True)  # as transformers asks of embeddings under checkpoints
            positions = torch.ones(1, 3, 3, dtype=x.dtype).tril()
            block = functools.partial(inside, self.b, mask=(x > 0).to(x.dtype), positions=positions)
            for _ in range(2):
                hidden = (
                    place.checkpoint(block, hidden, use_reentrant=reentrant) if self.checkpointed else block(hidden)
                )
            return hidden.sum((1, 2))

    model, x, found = Blocks(checkpointed=True).double(), numbers(3, 5), []
    plain = Blocks(checkpointed=False).double()
    plain.load_state_dict(model.state_dict())
    for network in (model, plain):
        outputs, recording = record(network, names(network), (x,), {}, loop=loop)
        (outputs**2).sum().backward()
        parts = [part.dense() for part in recording.gathered()]
        found.append({name: torch.cat([part[name] for part in parts]) for name in names(network)})
    expected = oracle.one_by_one(plain, (x,), lambda outputs, _: (outputs**2).sum())
    for name, gradient in expected.items():
        assert gradient.any()
        torch.testing.assert_close(found[0][name], gradient)
        torch.testing.assert_close(found[1][name], gradient)


def test_a_block_that_does_not_repeat_itself_is_refused():
    class Changing(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.calls = nn.Linear(5, 5), []

        def forward(self, x):
            self.calls.append(1)
            return self.a(x).tanh() if len(self.calls) % 2 else self.a(x)

    model = Fn(lambda self, x: place.checkpoint(self.block, x, use_reentrant=False), block=Changing()).double()
    outputs, _ = record(model, names(model), (numbers(5),), {})
    with pytest.raises(ModelError, match="does the same again"):
        outputs.sum().backward()
