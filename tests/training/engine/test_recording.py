"""Every gradient, norm and clipped sum of the engine against a loop that feeds one example at a time."""

from __future__ import annotations

import pytest
import torch
from tests.oracles import gradients as oracle
from tests.training.engine.cases import CASES, SIZE, Fn, numbers
from torch import nn

from reticent.randomness import Randomness
from reticent.training.engine import record, recorder
from reticent.training.seeding import seeded

WEIGHTS = torch.arange(1.0, SIZE + 1, dtype=torch.float64)
# What vmap cannot run; everything else has to run on the whole batch at once.
LOOPED = {
    "branches on the data",
    "chosen positions",
    "differentiates itself",
    "vmap of its own",
    "vmap of its own, over the batch",
    *(f"{name}, packed" for name in ("lstm", "gru", "rnn, tanh")),
    *(f"checkpointed{kind}, in a loop" for kind in ("", ", reentrant")),
}


@pytest.fixture(autouse=True)
def _fixed_weights():
    with seeded(Randomness.simulated(20)):
        yield


def term(outputs, weights):
    """One number for each example, different for each and not linear."""
    return ((outputs.double().sin() ** 2).reshape(len(outputs), -1).sum(1) * weights).sum()


def by_backward(model, inputs):
    """The oracle for what refuses `torch.autograd.grad` (reentrant checkpoints)."""
    rows = {name: [] for name, p in model.named_parameters() if p.requires_grad}
    for i in range(SIZE):
        model.zero_grad()
        term(model(*(value[i : i + 1] for value in inputs)), WEIGHTS[i : i + 1]).backward()
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                rows[name].append(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone())
    model.zero_grad()
    return {name: torch.stack(parts) for name, parts in rows.items()}


def expected_of(name, model, inputs):
    if "reentrant" in name:
        return by_backward(model, inputs)
    return oracle.one_by_one(model, inputs, lambda out, i: term(out, WEIGHTS[i : i + 1]))


def recorded(model, inputs, **options):
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    outputs, recording = record(model, names, inputs, {}, **options)
    term(outputs, WEIGHTS[: len(outputs)]).backward()
    assert all(parameter.grad is None for parameter in model.parameters())
    return outputs.detach(), recording


def whole(recording, expected, what):
    """The parts of a recording put together, zeros where the loss did not reach."""
    found = {name: [] for name in expected}
    for part in recording.gathered():
        values = getattr(part, what)()
        for name, gradient in expected.items():
            shape = gradient.shape[1:] if what == "dense" else ()
            found[name].append(values.get(name, torch.zeros(part.examples, *shape, dtype=torch.float64)))
    return {name: torch.cat(parts) for name, parts in found.items()}


def summed(recording, factors):
    totals, start = {}, 0
    for part in recording.gathered():
        own = factors[start : start + part.examples]
        start += part.examples
        for name, total in part.weighted(dict.fromkeys(part.names, own)).items():
            totals[name] = totals.get(name, 0) + total
    return totals


def check(name, model, inputs, recording, rtol, atol):
    expected = {key: value.to_dense().double() for key, value in expected_of(name, model, inputs).items()}
    assert any(bool(gradient.any()) for gradient in expected.values())
    factors = torch.tensor([0.5, 0.0, 2.0, 1.0], dtype=torch.float64)
    close = {"rtol": rtol, "atol": atol, "check_dtype": False}
    norms, dense, totals = whole(recording, expected, "squared_norms"), whole(recording, expected, "dense"), None
    totals = summed(recording, factors)
    scale = max(float(gradient.abs().max()) for gradient in expected.values())
    for key, gradient in expected.items():
        flat = gradient.reshape(SIZE, -1)
        torch.testing.assert_close(
            dense[key], gradient, **close | {"atol": atol * scale}, msg=lambda m, k=key: f"{k} {m}"
        )
        torch.testing.assert_close(
            norms[key],
            (flat**2).sum(1),
            **close | {"atol": atol * scale**2 * flat.shape[1]},
            msg=lambda m, k=key: f"{k} {m}",
        )
        total = totals.get(key, torch.zeros(gradient.shape[1:]))
        torch.testing.assert_close(
            total,
            (factors @ flat).reshape(total.shape),
            **close | {"atol": 4 * atol * scale},
            msg=lambda m, k=key: f"{k} {m}",
        )


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("name", CASES)
def test_equals_the_loop(name):
    model, inputs = CASES[name]()
    model = model.double()
    outputs, recording = recorded(model, inputs)
    assert recording.looped is (name in LOOPED)
    plain = torch.cat([model(*(value[i : i + 1] for value in inputs)) for i in range(SIZE)])
    torch.testing.assert_close(outputs, plain.detach(), rtol=1e-10, atol=1e-12)
    check(name, model, inputs, recording, 1e-10, 1e-13)


# In single precision: one of every kind is enough, the formulas are the same.
SINGLE = [name for place, name in enumerate(CASES) if place % 5 == 0]


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("name", SINGLE)
def test_equals_the_loop_in_single_precision(name):
    model, inputs = CASES[name]()
    model, inputs = model.float(), tuple(v.float() if v.is_floating_point() else v for v in inputs)
    _, recording = recorded(model, inputs)
    double = tuple(v.double() if v.is_floating_point() else v for v in inputs)
    check(name, model.double(), double, recording, 1e-5, 1e-5)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.usefixtures("everything_is_large")
@pytest.mark.parametrize("name", SINGLE[::2])
def test_equals_the_loop_where_products_go_to_onednn(name):
    test_equals_the_loop_in_single_precision(name)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("name", [name for name in CASES if name not in LOOPED][2::6])
def test_equals_the_loop_where_torch_has_no_shortcut_to_the_batch(name, monkeypatch):
    monkeypatch.setattr(recorder, "_by_hand", lambda: False)
    test_equals_the_loop(name)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("name", [name for name in CASES if name not in LOOPED][::4])
def test_the_loop_with_rules_gives_the_same(name):
    model, inputs = CASES[name]()
    model = model.double()
    _, recording = recorded(model, inputs, loop=True)
    assert recording.looped
    check(name, model, inputs, recording, 1e-10, 1e-13)


AUTOCAST = [
    "linear 40 to 30, rank 3, bias True, inside",
    "conv2d, wide, padding, inside",
    "layer norm, inside",
    "encoder layer",
]


@pytest.mark.parametrize("name", AUTOCAST)
def test_under_autocast_norms_stay_in_full_precision(name):
    """bfloat16 keeps 8 bits: gradients agree to a few percent, and their norms with themselves to single precision."""
    model, inputs = CASES[name]()
    model, inputs = model.float(), tuple(value.float() for value in inputs)
    names = [key for key, _ in model.named_parameters()]
    with torch.autocast("cpu", torch.bfloat16):
        outputs, recording = record(model, names, inputs, {})
        loss = term(outputs, WEIGHTS)
    assert outputs.dtype == torch.bfloat16 or "norm" in name or "encoder" in name
    loss.backward()
    (part,) = recording.gathered()
    with torch.autocast("cpu", torch.bfloat16):  # whoever steps inside of it gets no rounded norms either
        dense, norms = part.dense(), part.squared_norms()
        totals = part.weighted(dict.fromkeys(part.names, torch.ones(SIZE, dtype=torch.float64)))
    expected = expected_of(name, model.double(), tuple(value.double() for value in inputs))
    for key, gradient in expected.items():
        assert dense[key].dtype == totals[key].dtype == torch.float32
        own = dense[key].double().reshape(SIZE, -1)
        torch.testing.assert_close(norms[key].double(), (own**2).sum(1), rtol=1e-5, atol=0)
        torch.testing.assert_close(totals[key].double(), dense[key].double().sum(0), rtol=1e-4, atol=1e-5)
        error = float((dense[key] - gradient).norm() / (gradient.norm() + 1e-12))
        assert error < 0.1 or gradient.norm() < 0.05, (key, error)


def test_compiled_networks_run_as_they_are():
    plain = nn.Sequential(nn.Linear(5, 20), nn.Tanh(), nn.Linear(20, 3)).double()
    x = numbers(5)
    _, recording = recorded(torch.compile(plain, backend="eager"), (x,))
    assert not recording.looped
    expected = {f"_orig_mod.{name}": value for name, value in expected_of("", plain, (x,)).items()}
    found = whole(recording, expected, "dense")
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("rows", [2, 4])
def test_several_rows_of_one_example_add_up(rows):
    model = nn.Sequential(nn.Conv2d(2, 6, 3), nn.GroupNorm(2, 6), nn.ReLU(), nn.Flatten(), nn.Linear(54, 3)).double()
    x = numbers(2, 5, 5)
    names = [name for name, _ in model.named_parameters()]
    outputs, recording = record(model, names, (x,), {}, rows=rows)
    assert outputs.shape == (SIZE, 3)
    term(outputs, WEIGHTS).backward()
    each = oracle.one_by_one(model, (x,), lambda out, i: term(out, WEIGHTS[i : i + 1]))
    (part,) = recording.gathered()
    assert part.examples == SIZE // rows
    dense, norms = part.dense(), part.squared_norms()
    for name, gradient in each.items():
        together = gradient.reshape(SIZE // rows, rows, *gradient.shape[1:]).sum(1)
        torch.testing.assert_close(dense[name], together, rtol=1e-10, atol=1e-13)
        torch.testing.assert_close(norms[name], (together**2).reshape(len(together), -1).sum(1), rtol=1e-10, atol=1e-13)


def test_inputs_by_keyword():
    model = Fn(lambda self, x: self.a(x), a=nn.Linear(5, 2)).double()
    model.forward = lambda *, x, scale: model.a(x) * scale
    x = numbers(5)
    outputs, recording = record(model, ["a.weight"], (), {"x": x, "scale": 2.0})
    outputs.sum().backward()
    torch.testing.assert_close(recording.gathered()[0].dense()["a.weight"], 2 * x[:, None].expand(-1, 2, -1))


def test_two_backward_passes_add_up():
    model, x = nn.Linear(40, 30).double(), numbers(2, 40)
    outputs, recording = record(model, ["weight", "bias"], (x,), {})
    outputs.sum().backward(retain_graph=True)
    once = recording.gathered()[0].dense()
    outputs.sum().backward()
    twice = recording.gathered()[0]
    for name, gradient in twice.dense().items():
        torch.testing.assert_close(gradient, 2 * once[name])
    torch.testing.assert_close(twice.squared_norms()["weight"], 4 * (once["weight"] ** 2).sum((1, 2)))


def test_dropout_differs_between_examples_and_repeats_in_checkpoints():
    block = nn.Sequential(nn.Linear(5, 50), nn.Dropout(0.5), nn.Linear(50, 3)).double()
    x = numbers(5)[:1].expand(SIZE, -1)
    plain, _ = recorded(block, (x,))
    assert len({float(row[0]) for row in plain}) == SIZE
    checked = Fn(lambda self, x: torch.utils.checkpoint.checkpoint(self.block, x, use_reentrant=False), block=block)
    results = []
    for model in (block, checked):
        with seeded(Randomness.simulated(3)):
            _, recording = recorded(model, (x,))
        results.append(recording.gathered()[0].dense())
    for name, gradient in results[0].items():
        torch.testing.assert_close(results[1][f"block.{name}"], gradient)


class Doubled(torch.Tensor):
    """A weight with a product of its own, as quantised ones have."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func is torch.nn.functional.linear:
            return func(args[0], 2 * args[1].as_subclass(torch.Tensor), *args[2:], **(kwargs or {}))
        return super().__torch_function__(func, types, args, kwargs or {})


def test_frozen_weights_with_a_product_of_their_own_keep_it():
    frozen = nn.Linear(3, 3, bias=False)
    frozen.weight = nn.Parameter(frozen.weight.detach().as_subclass(Doubled), requires_grad=False)
    model, x = nn.Sequential(frozen, nn.Linear(3, 2)), torch.randn(SIZE, 3)
    outputs, _ = record(model, ["1.weight", "1.bias"], (x,), {})
    torch.testing.assert_close(outputs, model(x))


def test_small_signals_of_an_lstm_keep_their_digits():
    model, x = nn.LSTM(3, 4, bias=False, batch_first=True), 1e-6 * torch.randn(SIZE, 10, 3)
    (outputs, _), _ = record(model, [name for name, _ in model.named_parameters()], (x,), {})
    torch.testing.assert_close(outputs, model(x)[0], rtol=1e-4, atol=0)
