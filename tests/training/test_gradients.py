"""`PerExampleModel` against a loop that feeds one example at a time."""

from __future__ import annotations

import collections
import itertools

import pytest
import torch
from tests.oracles import gradients as oracle
from tests.training.engine.cases import Fn
from torch import nn

from reticent.randomness import Randomness
from reticent.training import PerExampleModel
from reticent.training.seeding import seeded

SIZE = 4
PADDED = torch.tensor([[0, 0, 1], [1, 1, 1], [2, 0, 2], [3, 4, 3]])


@pytest.fixture(autouse=True)
def _fixed_weights():
    with seeded(Randomness.simulated(20)):
        yield


def squares(outputs, weights):
    """(B,) one term per example, different for each and not linear."""
    return (outputs.double().sin() ** 2).reshape(len(outputs), -1).sum(1) * weights


def compare(model, inputs, *, reduction="sum", rtol=1e-10, atol=1e-13, chosen=lambda outputs: outputs):
    """Check every gradient against the loop; gives the private model back."""
    weights = torch.arange(1.0, len(inputs[0]) + 1, dtype=torch.float64)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    private = PerExampleModel(model)
    terms = squares(chosen(private(*inputs)), weights)
    size = len(inputs[0])
    (terms.sum() if reduction == "sum" else terms.mean() * size).backward()
    found = private.gradients()
    expected = oracle.one_by_one(model, inputs, lambda out, i: squares(chosen(out), weights[i : i + 1]).sum())
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name].to(gradient.dtype), gradient, rtol=rtol, atol=atol, msg=name)
    assert any(bool(gradient.any()) for gradient in found.values())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(parameter.grad is None for parameter in model.parameters())
    return private


def numbers(*shape, dtype=torch.float64):
    return torch.randn(SIZE, *shape, dtype=dtype)


def tokens(length, vocabulary=7):
    return torch.randint(0, vocabulary, (SIZE, length))


def mlp(dtype=torch.float64):
    return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3, bias=False)).to(dtype)


def convolution(**options):
    return nn.Sequential(nn.Conv2d(4, 8, 3, padding=1, **options), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 2))


def attention(batch_first):
    def forward(self, ids):
        x = self.embedding(ids)
        if not batch_first:
            x = x.transpose(0, 1)
        out = self.attention(x, x, x, need_weights=False)[0]
        return self.head(out if batch_first else out.transpose(0, 1))

    parts = {"embedding": nn.Embedding(7, 8), "head": nn.Linear(8, 3)}
    return Fn(forward, attention=nn.MultiheadAttention(8, 2, batch_first=batch_first), **parts)


def encoder():
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    stack = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    return Fn(
        lambda self, ids: self.head(self.stack(self.embedding(ids)).mean(1)),
        embedding=nn.Embedding(7, 8),
        stack=stack,
        head=nn.Linear(8, 3),
    )


def recurrent(kind, **options):
    return Fn(
        lambda self, x: self.head(self.cells(x)[0][:, -1]),
        cells=kind(3, 5, batch_first=True, **options),
        head=nn.Linear(5 * (2 if options.get("bidirectional") else 1), 2),
    )


def padded():
    """Its padding row is not zero: a zero row would have no gradient by itself here."""
    model = nn.Embedding(7, 3, padding_idx=0)
    nn.init.normal_(model.weight)
    return model


def tied(**options):
    embedding, head = nn.Embedding(7, 6, **options), nn.Linear(6, 7, bias=False)
    nn.init.normal_(embedding.weight)
    head.weight = embedding.weight
    return Fn(lambda self, ids: self.head(self.embedding(ids).tanh()), embedding=embedding, head=head)


def frozen():
    model = mlp()
    model[0].weight.requires_grad_(False)
    return model


CASES = {
    "mlp": lambda: (mlp(), numbers(5)),
    "linear on 4-d inputs": lambda: (nn.Linear(5, 2), numbers(2, 3, 5)),
    "group norm": lambda: (
        nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.GroupNorm(2, 4), nn.ReLU(inplace=True), nn.Flatten()),
        numbers(1, 8, 8),
    ),
    "circular": lambda: (convolution(padding_mode="circular"), numbers(4, 6, 6)),
    "reflect": lambda: (convolution(padding_mode="reflect"), numbers(4, 6, 6)),
    "groups": lambda: (convolution(groups=2), numbers(4, 6, 6)),
    "depthwise": lambda: (convolution(groups=4), numbers(4, 6, 6)),
    "1-d dilated": lambda: (nn.Conv1d(2, 3, 3, dilation=2), numbers(2, 9)),
    "transposed": lambda: (nn.ConvTranspose2d(2, 3, 3, stride=2), numbers(2, 4, 4)),
    "lstm": lambda: (recurrent(nn.LSTM), numbers(6, 3)),
    "two-way lstm": lambda: (recurrent(nn.LSTM, num_layers=2, bidirectional=True), numbers(6, 3)),
    "gru": lambda: (recurrent(nn.GRU), numbers(6, 3)),
    "attention": lambda: (attention(True), tokens(5)),
    "attention, batch second": lambda: (attention(False), tokens(5)),
    "transformer": lambda: (encoder(), tokens(5)),
    "tied": lambda: (tied(), tokens(5)),
    "called twice": lambda: (Fn(lambda self, x: self.a(self.a(x).tanh()), a=nn.Linear(5, 5)), numbers(5)),
    "frozen subset": lambda: (frozen(), numbers(5)),
    "unused": lambda: (Fn(lambda self, x: self.a(x), a=nn.Linear(5, 2), b=nn.Linear(3, 3)), numbers(5)),
    "bare parameter": lambda: (
        Fn(
            lambda self, x: self.a(torch.cat([self.token.expand(len(x), 1, 5), x], 1)).tanh().prod(1),
            a=nn.Linear(5, 2),
            token=nn.Parameter(torch.randn(1, 1, 5)),
        ),
        numbers(3, 5),
    ),
    "padding": lambda: (padded(), PADDED),
    "padding, tied": lambda: (tied(padding_idx=0), PADDED),
    "padding, loop": lambda: (nn.Sequential(padded(), recurrent(nn.LSTM)), PADDED),
    "bag, padding": lambda: (nn.EmbeddingBag(7, 4, mode="sum", padding_idx=0), PADDED),
    "bag, duplicates": lambda: (
        nn.EmbeddingBag(7, 4, mode="sum"),
        torch.tensor([[1, 1, 1], [2, 2, 3], [4, 5, 6], [0, 0, 6]]),
    ),
    "bag, mean": lambda: (nn.EmbeddingBag(7, 4, mode="mean"), tokens(5)),
    "layer norm without bias": lambda: (nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4, bias=False)), numbers(5)),
    "instance norm": lambda: (nn.Sequential(nn.Conv2d(2, 3, 3), nn.InstanceNorm2d(3, affine=True)), numbers(2, 6, 6)),
    "prelu": lambda: (nn.Sequential(nn.Linear(5, 4), nn.PReLU(4)), numbers(5)),
    "control flow": lambda: (
        Fn(lambda self, x: self.a(x) if x.sum().item() > 0 else self.b(x), a=nn.Linear(5, 2), b=nn.Linear(5, 2)),
        numbers(5),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_the_loop(name):
    model, x = CASES[name]()
    compare(model.double(), (x,))


def test_parameters_and_frozen_ones_are_named():
    model, x = CASES["frozen subset"]()
    assert set(compare(model, (x,)).gradients()) == {"0.bias", "2.weight"}
    model, x = CASES["tied"]()
    assert set(compare(model.double(), (x,)).gradients()) == {"embedding.weight"}


def test_unused_parameter_has_zero_gradients():
    model, x = CASES["unused"]()
    found = compare(model.double(), (x,)).gradients()
    assert found["b.weight"].shape == (SIZE, 3, 3)
    assert not found["b.weight"].any()


def test_padding_row_has_no_gradient_and_duplicates_add_up():
    model = nn.Embedding(4, 2, padding_idx=0).double()
    private = PerExampleModel(model)
    private(torch.tensor([[0, 1, 1], [2, 0, 3]])).sum().backward()
    counts = private.gradients()["weight"][..., 0]
    assert counts.tolist() == [[0, 2, 0, 0], [0, 0, 1, 1]]


def test_vmap_takes_the_usual_networks_and_the_loop_the_rest():
    x = numbers(5)
    assert not compare(mlp(), (x,)).looped
    model, x = CASES["control flow"]()
    assert compare(model.double(), (x,)).looped


@pytest.mark.parametrize("name", ["mlp", "lstm", "control flow"])
def test_mean_times_batch_size_is_the_sum(name):
    model, x = CASES[name]()
    compare(model.double(), (x,), reduction="mean")


@pytest.mark.parametrize("name", ["mlp", "lstm", "group norm", "tied"])
def test_batch_of_one(name):
    model, x = CASES[name]()
    compare(model.double(), (x[:1],))


@pytest.mark.parametrize("name", ["mlp", "lstm", "transformer", "group norm", "bag, mean"])
def test_empty_batch(name):
    model, x = CASES[name]()
    private = PerExampleModel(model.double())
    outputs = private(x[:0])
    assert outputs.shape == (0, *model(x).shape[1:])
    outputs.mean().backward()
    assert private.pending == 0
    for key, parameter in model.named_parameters():
        assert private.gradients()[key].shape == (0, *parameter.shape)


def test_one_number_for_each_example_also_for_none():
    model, x = Fn(lambda self, x: self.a(x).square().mean(), a=nn.Linear(5, 2)).double(), numbers(5)
    private = PerExampleModel(model)
    for rows in (x, x[:0]):
        outputs = private(rows)
        assert outputs.shape == (len(rows),)
        outputs.sum().backward()
        assert private.gradients()["a.weight"].shape == (len(rows), 2, 5)
        private.forget()


@pytest.mark.parametrize("loop", [False, True])
def test_dictionaries_tuples_and_named_tuples_come_out(loop):
    pair = collections.namedtuple("Pair", "first second")

    def forward(self, x):
        if loop:
            x.sum().item()
        out = self.a(x)
        return {"plain": (out, [out * 2]), "named": pair(out.tanh(), out.sum(1))}

    model, x = Fn(forward, a=nn.Linear(5, 2)).double(), numbers(5)

    def both(out):
        assert out["named"].second.shape == (len(out["plain"][0]),)
        return out["plain"][0] * out["plain"][1][0] + out["named"].first * out["named"].second[:, None]

    assert compare(model, (x,), chosen=both).looped is loop


def test_two_inputs_and_constants():
    def forward(self, x, scale, y, constants):
        assert constants == ("sum", 1, None)
        return self.a(x) * scale + self.b(y)

    model = Fn(forward, a=nn.Linear(5, 2), b=nn.Linear(3, 2)).double()
    compare(model, (numbers(5), 3.0, numbers(3), ("sum", 1, None)))


def test_an_output_that_is_one_number_per_example():
    compare(Fn(lambda self, x: self.a(x).squeeze(1), a=nn.Linear(5, 1)).double(), (numbers(5),))


def test_single_precision():
    compare(mlp(torch.float32), (numbers(5, dtype=torch.float32),), rtol=1e-5, atol=1e-6)


def test_bfloat16_parameters():
    private = compare(mlp(torch.bfloat16), (numbers(5, dtype=torch.bfloat16),), rtol=0.05, atol=0.02)
    assert {g.dtype for g in private.gradients().values()} == {torch.float32}


def test_dropout_differs_between_examples():
    private = PerExampleModel(nn.Sequential(nn.Linear(1, 200), nn.Dropout(0.5)))
    private(torch.ones(2, 1)).sum().backward()
    first, second = private.gradients()["0.weight"]
    assert not torch.equal(first, second)


@pytest.mark.parametrize("name", ["mlp", "group norm", "lstm", "transformer", "instance norm", "control flow"])
def test_no_other_example_moves_a_gradient(name):
    model, x = CASES[name]()
    model = model.double()

    def gradients_of(batch):
        private = PerExampleModel(model)
        squares(private(batch), torch.ones(len(batch), dtype=torch.float64)).sum().backward()
        return private.gradients()

    before = gradients_of(x)
    for changed in range(SIZE):
        other = x.clone()
        other[changed] = x[changed].flip(-1) if x.dtype == torch.int64 else 1e3 * x[changed]
        for key, gradient in gradients_of(other).items():
            kept = [i for i in range(SIZE) if i != changed]
            torch.testing.assert_close(gradient[kept], before[key][kept], rtol=1e-12, atol=1e-14, msg=key)
            if name == "mlp":
                assert not torch.allclose(gradient[changed], before[key][changed])


def test_evaluation_passes_through():
    model, x = mlp(), numbers(5)
    private, plain = PerExampleModel(model), model(x)
    with torch.no_grad():
        assert torch.equal(private(x), plain)
    private.eval()
    assert torch.equal(private(x), plain)
    assert private.pending is None
    private.train()
    torch.testing.assert_close(private(x), plain)


def test_the_networks_own_error_comes_through():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        PerExampleModel(mlp())(numbers(4))


def test_two_backward_passes_add_up():
    model, x = mlp(), numbers(5)
    private = PerExampleModel(model)
    outputs = private(x)
    outputs.sum().backward(retain_graph=True)
    (2 * outputs.sum()).backward()
    expected = oracle.one_by_one(model, (x,), lambda out, i: 3 * out.sum())
    for name, gradient in expected.items():
        torch.testing.assert_close(private.gradients()[name], gradient, rtol=1e-10, atol=1e-13)


def test_all_cases_differ_between_examples():
    """The oracle itself tells the examples apart: otherwise equality above would say little."""
    model, x = CASES["mlp"]()
    found = compare(model, (x,)).gradients()["0.weight"]
    assert all(not torch.allclose(a, b) for a, b in itertools.combinations(found, 2))
