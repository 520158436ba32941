"""Derivatives of single layers, and memory that stays; whole networks are in `test_formulas`."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest
import torch
from torch import nn

from reticent.training.engine import products
from reticent.training.fleets import layers
from reticent.training.fleets.derivatives import ACTIVATIONS, Room, Site, part_of


def test_memory_is_asked_for_once():
    room = Room(torch.zeros(0, dtype=torch.double))
    first = room("a", 2, 3)
    assert room("a", 2, 3) is first
    assert room("b", 2, 3) is not first
    assert room("a", 3, 2) is not first
    assert first.dtype == torch.double


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_activations_overwrite_and_their_derivative_is_autograds(kind):
    x = torch.randn(2, 3, 4, dtype=torch.double, requires_grad=True)
    gradient, part = torch.randn(2, 3, 4, dtype=torch.double), part_of(kind(), "")
    kind()(x).backward(gradient)
    own = x.detach().clone()
    values, saved = part.forward(Site("0", {}, {}, Room(own), adds=False), own)
    assert values is own
    torch.testing.assert_close(values, kind()(x.detach()))
    back = part.backward(Site("0", {}, {}, Room(own), adds=False), saved, gradient.clone(), further=True)
    torch.testing.assert_close(back, x.grad)


def test_large_products_are_the_same(monkeypatch):
    """Those that go to the other library, one model at a time."""
    found = []
    for limit in (0, 1e99):
        monkeypatch.setattr(layers, "_LARGE", limit)
        monkeypatch.setattr(products, "_LARGE", limit)
        torch.random.manual_seed(2)
        part, x, gradient = part_of(nn.Linear(30, 20), "l."), torch.randn(3, 30, 40), torch.randn(3, 20, 40)
        values = {"l.weight": torch.randn(3, 20, 30), "l.bias": torch.randn(3, 20)}
        gradients = {name: torch.zeros_like(value) for name, value in values.items()}
        site = Site("0", values, gradients, Room(x), adds=False)
        out, saved = part.forward(site, x.transpose(1, 2).contiguous().transpose(1, 2))
        back = part.backward(site, saved, gradient, further=True)
        found.append([out, back, *gradients.values()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="the allocator is another")
def test_memory_that_is_given_back_is_not_asked_for_again():
    # Blocks that malloc asked the system for one by one; they go back as soon as they are freed.
    code = """
import ctypes, torch
from reticent.training.fleets.derivatives import keep_memory
fields = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
Info = type("Info", (ctypes.Structure,), {{"_fields_": [(field, ctypes.c_size_t) for field in fields]}})
mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Info
if {keeps}: keep_memory()
before = mallinfo2().hblks
several = [torch.empty(5_000_000) for _ in range(4)]
print(mallinfo2().hblks - before)
"""
    asked = [
        int(subprocess.run([sys.executable, "-c", code.format(keeps=keeps)], capture_output=True, check=True).stdout)
        for keeps in (True, False)
    ]
    assert asked == [0, 4]
