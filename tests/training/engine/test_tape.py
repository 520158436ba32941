"""The tape adds uses up before it squares, and leaves torch's settings as they were."""

from __future__ import annotations

import pytest
import torch

from reticent.training.engine.contributions import Dense, Product, lookup
from reticent.training.engine.tape import Gathered, Tape, full_precision


def draw(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def uses(kind):
    """Several uses of one (4, 3) parameter by 5 examples."""
    index = torch.arange(10).reshape(5, 2) % 4
    return {
        "dense": [Dense(draw(0, 5, 4, 3)), Dense(draw(1, 5, 4, 3))],
        "products": [Product(draw(0, 5, 1, 4), draw(1, 5, 1, 3)), Product(draw(2, 5, 1, 4), draw(3, 5, 1, 3))],
        "tied": [lookup(index, draw(0, 5, 2, 3), 4), Product(draw(2, 5, 1, 4), draw(3, 5, 1, 3))],
        "tied, the other way round": [Product(draw(2, 5, 1, 4), draw(3, 5, 1, 3)), lookup(index, draw(0, 5, 2, 3), 4)],
        "everything": [
            Dense(draw(4, 5, 4, 3)),
            lookup(index, draw(0, 5, 2, 3), 4),
            Product(draw(2, 5, 1, 4), draw(3, 5, 1, 3)),
        ],
    }[kind]


@pytest.mark.parametrize("kind", ["dense", "products", "tied", "tied, the other way round", "everything"])
def test_uses_add_up_before_they_are_squared(kind):
    tape = Tape({"w": torch.Size([4, 3])}, 5)
    tape.open()
    expected = sum(use.dense() for use in uses(kind))
    for use in uses(kind):
        tape.slot("w").add(use)
    gathered = tape.gathered()
    torch.testing.assert_close(gathered.dense()["w"], expected)
    torch.testing.assert_close(gathered.squared_norms()["w"], expected.square().sum((1, 2)))
    factors = torch.tensor([1.0, 0.0, 2.0, 0.5, 1.0], dtype=torch.float64)
    total = (factors[:, None, None] * expected).sum(0)
    torch.testing.assert_close(gathered.weighted({"w": factors})["w"], total)
    torch.testing.assert_close(gathered.weighted_one("w", factors), total)
    torch.testing.assert_close(gathered.weighted({"w": factors}, release=True)["w"], total)
    assert gathered.names == set()


def test_an_example_with_factor_zero_takes_no_part():
    values = draw(0, 3, 2)
    values[1] = torch.nan
    total = Gathered.of({"w": values}).weighted({"w": torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)})
    torch.testing.assert_close(total["w"], values[0] + values[2])


def test_gradients_before_the_end_of_the_forward_pass_are_an_error():
    with pytest.raises(RuntimeError, match="before the forward pass was over"):
        Tape({"w": torch.Size([2])}, 1).slot("w").add(Dense(torch.ones(1, 2)))


def test_settings_are_put_back():
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16), pytest.raises(KeyError), full_precision():
            assert torch.backends.mkldnn.matmul.fp32_precision == "ieee"
            assert torch.backends.cudnn.conv.fp32_precision == "ieee"
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
            raise KeyError
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.backends.mkldnn.matmul.fp32_precision != "ieee"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_gradients_are_formed_a_few_examples_at_a_time_and_may_be_written_to(monkeypatch):
    left, right = torch.randn(7, 3, 4), torch.randn(7, 3, 5)
    index, rows = torch.randint(0, 6, (7, 3)), torch.randn(7, 3, 2)
    held = {"linear": [Product(left, right)], "table": [lookup(index, rows, 6)], "bias": [Dense(torch.randn(7, 4))]}
    shapes = {"linear": torch.Size([4, 5]), "table": torch.Size([6, 2]), "bias": torch.Size([4])}
    gathered = Gathered(shapes, held, 7)
    wanted = gathered.dense()
    for most in (1, 80, 10**6):
        monkeypatch.setattr("reticent.training.engine.tape._FEW", most)
        parts = list(gathered.formed())
        assert len(parts) == {1: 7, 80: 4, 10**6: 1}[most]
        for name, whole in wanted.items():
            found = torch.cat([part[name] for part in parts])
            torch.testing.assert_close(found, whole.reshape(7, -1), rtol=1e-6, atol=1e-6)
        for part in parts:
            for values in part.values():
                values.zero_()
