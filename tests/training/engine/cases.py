"""Networks and inputs on which the engine is held against the loop: name -> (network, inputs), in double precision."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
import torch.utils.checkpoint
from torch import nn

SIZE = 4
CASES = {}


def numbers(*shape):
    return torch.randn(SIZE, *shape, dtype=torch.float64)


def tokens(length, count=11):
    return torch.randint(0, count, (SIZE, length))


class Fn(nn.Module):
    """Modules and parameters by name, with a forward written beside them."""

    def __init__(self, forward, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self._forward = forward

    def forward(self, *inputs):
        return self._forward(self, *inputs)


def add(name, build):
    assert name not in CASES, name
    CASES[name] = build


def single(name, make, *shapes):
    """A module fed with numbers directly, and behind another trainable layer (its inputs then require gradients)."""
    add(name, lambda: (make(), tuple(numbers(*shape) for shape in shapes)))
    add(
        f"{name}, inside",
        lambda: (
            Fn(
                lambda self, *x: self.part(*(v * self.scale for v in x)), part=make(), scale=nn.Parameter(torch.ones(1))
            ),
            tuple(numbers(*shape) for shape in shapes),
        ),
    )


def linear_cases():
    # Wide and narrow: the gradients themselves are held, or their factors.
    for (d, p), rank, bias in itertools.product([(3, 2), (40, 30)], [1, 2, 3, 4], [True, False]):
        shape = (*(2, 3, 2)[: rank - 1], d)
        single(f"linear {d} to {p}, rank {rank + 1}, bias {bias}", lambda d=d, p=p, b=bias: nn.Linear(d, p, b), shape)
    for d, p in [(3, 2), (40, 30)]:
        weights = {"w": nn.Parameter(torch.randn(d, p) / 5), "b": nn.Parameter(torch.randn(p))}
        forms = {
            "x @ w": lambda self, x: x @ self.w,
            "torch.matmul(x, w)": lambda self, x: torch.matmul(x, self.w),
            "x.matmul(w) + b": lambda self, x: x.matmul(self.w) + self.b,
            "torch.addmm": lambda self, x: torch.addmm(self.b, x.reshape(-1, x.shape[-1]), self.w).reshape(
                *x.shape[:-1], -1
            ),
            "torch.addmm, scaled": lambda self, x: torch.addmm(
                self.b, x.reshape(-1, x.shape[-1]), self.w, alpha=2
            ).reshape(*x.shape[:-1], -1),
            "torch.mm": lambda self, x: torch.mm(x.reshape(-1, x.shape[-1]), self.w).reshape(*x.shape[:-1], -1),
            "linear with w.T": lambda self, x: F.linear(x, self.w.T, self.b),
            "linear with w.t()": lambda self, x: F.linear(x, self.w.t()),
            "linear with transpose": lambda self, x: F.linear(x, self.w.transpose(0, 1)),
            "x @ w @ w.T": lambda self, x: x @ self.w @ self.w.mT,
            "w.T from the left": lambda self, x: (self.w.T @ x.transpose(-1, -2)).transpose(-1, -2),
            "einsum": lambda self, x: torch.einsum("btd,dp->btp", x, self.w),
            "a part of w": lambda self, x: F.linear(x, self.w[:, 1:].T),
            "normalised w": lambda self, x: x @ (self.w / self.w.norm(dim=0, keepdim=True)),
            "w and w.T in one product": lambda self, x: x @ (self.w @ self.w.T),
        }
        for name, forward in forms.items():
            add(f"{name}, {d} by {p}", lambda f=forward, w=weights, d=d: (Fn(f, **w), (numbers(5, d),)))


def convolution_cases():
    options = {
        "plain": {},
        "without bias": {"bias": False},
        "padding": {"padding": 1},
        "stride": {"stride": 2, "padding": 1},
        "dilation": {"dilation": 2, "padding": 2},
        "stride and dilation": {"stride": 2, "dilation": 2, "padding": 1},
        "groups": {"groups": 2},
        "same": {"padding": "same"},
        "valid": {"padding": "valid"},
        "reflect": {"padding": 1, "padding_mode": "reflect"},
        "circular": {"padding": 1, "padding_mode": "circular"},
        "replicate": {"padding": 1, "padding_mode": "replicate"},
    }
    kinds = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
    # Few channels on a large image, and many on a small one: the two forms in which a convolution is held.
    sizes = {
        "large image": (2, 4, {1: (9,), 2: (7, 6), 3: (5, 6, 5)}),
        "wide": (12, 14, {1: (5,), 2: (4, 3), 3: (3, 3, 3)}),
    }
    for (n, kind), (size, (c, o, images)), (name, option) in itertools.product(
        kinds.items(), sizes.items(), options.items()
    ):
        if size == "wide" and n == 3 and "dilation" in option and "padding" not in option:
            continue
        if option.get("padding_mode") == "reflect" and size == "wide" and n == 3:
            continue
        single(f"conv{n}d, {size}, {name}", lambda k=kind, c=c, o=o, v=option: k(c, o, 3, **v), (c, *images[n]))
    add("depthwise", lambda: (nn.Conv2d(6, 12, 3, groups=6, padding=1), (numbers(6, 5, 5),)))
    add("even kernel, same", lambda: (nn.Conv2d(2, 3, (2, 3), padding="same"), (numbers(2, 5, 4),)))
    add("kernel beyond the image", lambda: (nn.Conv2d(12, 14, 5, padding=2), (numbers(12, 2, 3),)))
    add("uneven everything", lambda: (nn.Conv2d(12, 14, (2, 3), (2, 1), (1, 2), (1, 2)), (numbers(12, 5, 6),)))
    kinds = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
    options = {
        "plain": {},
        "stride": {"stride": 2, "padding": 1, "output_padding": 1},
        "groups": {"groups": 2},
        "dilation": {"dilation": 2},
        "without bias": {"bias": False},
    }
    for (n, kind), (size, (c, o, images)), (name, option) in itertools.product(
        kinds.items(), sizes.items(), options.items()
    ):
        single(
            f"transposed conv{n}d, {size}, {name}", lambda k=kind, c=c, o=o, v=option: k(c, o, 3, **v), (c, *images[n])
        )
    add(
        "channels last",
        lambda: (nn.Conv2d(12, 14, 3, padding=1), (numbers(12, 4, 4).to(memory_format=torch.channels_last),)),
    )
    add(
        "conv on unbatched images",
        lambda: (Fn(lambda self, x: self.c(x[0])[None], c=nn.Conv2d(2, 3, 3)), (numbers(2, 5, 5),)),
    )


def table_cases():
    for padding, dimension, count in itertools.product([None, 0, 3, -1], [3, 20], [11]):
        make = lambda p=padding, d=dimension, c=count: nn.Embedding(c, d, padding_idx=p)  # noqa: E731
        add(f"embedding of {dimension}, padding {padding}", lambda m=make: (m(), (tokens(6),)))
    add("embedding, one token", lambda: (nn.Embedding(11, 3), (tokens(6)[:, 0],)))
    add("embedding, rank 3", lambda: (nn.Embedding(11, 3), (tokens(6).reshape(SIZE, 2, 3),)))
    add("embedding, sparse", lambda: (nn.Embedding(11, 3, sparse=True), (tokens(6),)))
    add("embedding, the same token throughout", lambda: (nn.Embedding(11, 3), (torch.full((SIZE, 5), 2),)))
    add(
        "positions that are the same for all",
        lambda: (
            Fn(lambda self, i: self.e(i) + self.p(torch.arange(6)), e=nn.Embedding(11, 4), p=nn.Embedding(6, 4)),
            (tokens(6),),
        ),
    )
    add(
        "functional embedding, negative padding",
        lambda: (
            Fn(lambda self, i: F.embedding(i, self.w, padding_idx=-2), w=nn.Parameter(torch.randn(11, 3))),
            (tokens(6),),
        ),
    )
    for mode, padding in itertools.product(["sum", "mean", "max"], [None, 2]):
        make = lambda m=mode, p=padding: nn.EmbeddingBag(11, 3, mode=m, padding_idx=p)  # noqa: E731
        add(f"bag, {mode}, padding {padding}", lambda m=make: (m(), (tokens(6, 5),)))
        add(
            f"bag, {mode}, padding {padding}, little else",
            lambda m=make: (m(), (torch.tensor([[2, 2, 2], [2, 2, 3], [1, 1, 1], [2, 4, 2]]),)),
        )
    add(
        "bag, weights",
        lambda: (
            Fn(lambda self, i, w: self.b(i, per_sample_weights=w), b=nn.EmbeddingBag(11, 3, mode="sum")),
            (tokens(6), numbers(6)),
        ),
    )
    for padding, order in itertools.product([None, 2], ["first", "last"]):

        def tied(padding=padding, order=order):
            table, out = nn.Embedding(40, 30, padding_idx=padding), nn.Linear(30, 40, bias=False)
            if order == "first":
                out.weight = table.weight
            else:
                table.weight = out.weight
            return nn.Sequential(table, nn.Linear(30, 30), nn.Tanh(), out)

        add(f"tied table and output, padding {padding}, {order}", lambda t=tied: (t(), (tokens(5, 40),)))
    add(
        "tied, small",
        lambda: (Fn(lambda self, i: self.e(i).tanh() @ self.e.weight.T, e=nn.Embedding(5, 3)), (tokens(6, 5),)),
    )
    add(
        "tied, three uses",
        lambda: (
            Fn(
                lambda self, i: F.linear(self.e(i) + self.e(i.flip(1)), self.e.weight).sin() @ self.e.weight,
                e=nn.Embedding(30, 20),
            ),
            (tokens(4, 30),),
        ),
    )


def norm_cases():
    for name, make, shape in [
        ("layer norm", lambda **o: nn.LayerNorm(5, **o), (3, 5)),
        ("layer norm over two", lambda **o: nn.LayerNorm((3, 5), **o), (2, 3, 5)),
        ("layer norm of a row", lambda **o: nn.LayerNorm(5, **o), (5,)),
        ("group norm", lambda **o: nn.GroupNorm(2, 4, **o), (4, 3, 5)),
        ("group norm, one group", lambda **o: nn.GroupNorm(1, 4, **o), (4, 6)),
        ("group norm, each channel", lambda **o: nn.GroupNorm(4, 4, **o), (4, 2, 2, 3)),
    ]:
        single(name, make, shape)
    single("layer norm without bias", lambda: nn.LayerNorm(5, bias=False), (3, 5))
    single(
        "layer norm without parameters",
        lambda: nn.Sequential(nn.Linear(5, 5), nn.LayerNorm(5, elementwise_affine=False)),
        (3, 5),
    )
    single("layer norm, weight alone", lambda: partly(nn.LayerNorm(5), "bias"), (3, 5))
    single("layer norm, bias alone", lambda: partly(nn.LayerNorm(5), "weight"), (3, 5))
    single("group norm, weight alone", lambda: partly(nn.GroupNorm(2, 4), "bias"), (4, 6))
    single("group norm, bias alone", lambda: partly(nn.GroupNorm(2, 4), "weight"), (4, 6))
    single("rms norm", lambda: nn.RMSNorm(5), (3, 5))
    single("rms norm, eps", lambda: nn.RMSNorm(5, eps=1e-3), (3, 5))
    for n, kind in {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}.items():
        single(f"instance norm {n}d", lambda k=kind: k(3, affine=True), (3, *(4, 2, 3)[:n]))
    single("instance norm without parameters", lambda: nn.Sequential(nn.Conv1d(3, 3, 1), nn.InstanceNorm1d(3)), (3, 4))
    single("prelu", lambda: nn.PReLU(), (3, 5))
    single("prelu, channels", lambda: nn.PReLU(3), (3, 5))
    single(
        "written-out rms norm",
        lambda: Fn(
            lambda self, x: self.w * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)),
            w=nn.Parameter(torch.ones(5)),
        ),
        (3, 5),
    )


def partly(module, frozen):
    getattr(module, frozen).requires_grad_(False)
    return module


def recurrent_cases():
    kinds = {
        "lstm": nn.LSTM,
        "gru": nn.GRU,
        "rnn, tanh": nn.RNN,
        "rnn, relu": lambda *a, **o: nn.RNN(*a, nonlinearity="relu", **o),
        "lstm, projected": lambda *a, **o: nn.LSTM(*a, proj_size=2, **o),
    }
    for (name, kind), layers, both, bias in itertools.product(kinds.items(), [1, 2], [False, True], [True, False]):
        make = lambda k=kind, n=layers, d=both, b=bias: k(3, 4, n, bidirectional=d, bias=b, batch_first=True)  # noqa: E731
        label = f"{name}, {layers} layers, {'both ways' if both else 'one way'}, bias {bias}"
        add(label, lambda m=make: (Fn(everything, r=m()), (numbers(5, 3),)))
    for name, kind in list(kinds.items())[:3]:
        add(f"{name}, time first", lambda k=kind: (Fn(time_first, r=k(3, 4)), (numbers(5, 3),)))
        add(f"{name}, wide", lambda k=kind: (Fn(everything, r=k(20, 24, batch_first=True)), (numbers(3, 20),)))
        add(
            f"{name}, given state",
            lambda k=kind, n=name: (
                Fn(given_state, r=k(3, 4, batch_first=True), s=nn.Parameter(torch.randn(1, 1, 4)), lstm="lstm" in n),
                (numbers(5, 3),),
            ),
        )
        add(
            f"{name}, twice",
            lambda k=kind: (Fn(lambda self, x: self.r(self.r(x)[0])[0], r=k(4, 4, batch_first=True)), (numbers(5, 4),)),
        )
        add(
            f"{name}, weights alone",
            lambda k=kind: (Fn(everything, r=without_biases(k(3, 4, batch_first=True))), (numbers(5, 3),)),
        )
        add(
            f"{name}, packed",
            lambda k=kind: (Fn(packed, r=k(3, 4, batch_first=True)), (numbers(5, 3), torch.tensor([5, 2, 3, 1]))),
        )
    for name, kind in {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}.items():
        for bias in (True, False):
            add(f"{name} cell, bias {bias}", lambda k=kind, b=bias: (Fn(stepped, c=k(3, 4, bias=b)), (numbers(4, 3),)))


def everything(self, x):
    outputs, last = self.r(x)
    last = last if isinstance(last, tuple) else (last,)
    return sum((part.sin().sum((0, 2)) for part in last), outputs.sin().sum((1, 2)))


def time_first(self, x):
    return self.r(x.transpose(0, 1))[0].transpose(0, 1)


def given_state(self, x):
    state = self.s.expand(1, len(x), -1).contiguous()
    return self.r(x, (state, state * 2) if self.lstm else state)[0]


def packed(self, x, lengths):
    sequence = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    return nn.utils.rnn.pad_packed_sequence(self.r(sequence)[0], batch_first=True, total_length=5)[0]


def without_biases(module):
    for name, parameter in module.named_parameters():
        parameter.requires_grad_("weight" in name)
    return module


def stepped(self, x):
    state = None
    for t in range(x.shape[1]):
        state = self.c(x[:, t], state)
    return state[0] * state[1] if isinstance(state, tuple) else state


def attention_cases():
    for name, option in {
        "plain": {},
        "no bias": {"bias": False},
        "bias on keys": {"add_bias_kv": True},
        "zero attention": {"add_zero_attn": True},
    }.items():
        make = lambda o=option: nn.MultiheadAttention(8, 2, batch_first=True, **o)  # noqa: E731
        single(f"self attention, {name}", lambda m=make: Fn(lambda self, x: self.m(x, x, x)[0], m=m()), (5, 8))
        add(
            f"self attention, {name}, without weights",
            lambda m=make: (Fn(lambda self, x: self.m(x, x, x, need_weights=False)[0], m=m()), (numbers(5, 8),)),
        )
    single(
        "cross attention",
        lambda: Fn(lambda self, x, y: self.m(x, y, y)[0], m=nn.MultiheadAttention(8, 2, batch_first=True)),
        (5, 8),
        (3, 8),
    )
    single(
        "other keys",
        lambda: Fn(
            lambda self, x, y: self.m(x, y, y)[0], m=nn.MultiheadAttention(8, 2, kdim=6, vdim=6, batch_first=True)
        ),
        (5, 8),
        (3, 6),
    )
    single(
        "attention, time first",
        lambda: Fn(lambda self, x: self.m(*[x.transpose(0, 1)] * 3)[0].transpose(0, 1), m=nn.MultiheadAttention(8, 2)),
        (5, 8),
    )
    add(
        "attention, padding mask",
        lambda: (
            Fn(
                lambda self, x, m: self.m(x, x, x, key_padding_mask=m)[0],
                m=nn.MultiheadAttention(8, 2, batch_first=True),
            ),
            (numbers(5, 8), torch.arange(5)[None] >= torch.tensor([5, 2, 3, 1])[:, None]),
        ),
    )

    def heads(self, x, **options):
        q, k, v = self.qkv(x).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        return self.out(F.scaled_dot_product_attention(q, k, v, **options).transpose(1, 2).flatten(2))

    parts = lambda: {"qkv": nn.Linear(8, 24), "out": nn.Linear(8, 8)}  # noqa: E731
    add("scaled dot product", lambda: (Fn(heads, **parts()), (numbers(5, 8),)))
    add(
        "scaled dot product, causal",
        lambda: (Fn(lambda self, x: heads(self, x, is_causal=True), **parts()), (numbers(5, 8),)),
    )
    add(
        "scaled dot product, one mask",
        lambda: (
            Fn(lambda self, x: heads(self, x, attn_mask=torch.ones(5, 5, dtype=torch.bool).tril()), **parts()),
            (numbers(5, 8),),
        ),
    )
    add(
        "scaled dot product, own masks",
        lambda: (
            Fn(lambda self, x, m: heads(self, x, attn_mask=m[:, None, None]), **parts()),
            (numbers(5, 8), numbers(5)),
        ),
    )
    add(
        "scaled dot product, rank 3",
        lambda: (
            Fn(lambda self, x: F.scaled_dot_product_attention(*self.qkv(x).chunk(3, -1)), qkv=nn.Linear(8, 24)),
            (numbers(5, 8),),
        ),
    )
    add(
        "encoder layer", lambda: (nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True), (numbers(5, 8),))
    )
    add(
        "encoder layer, norm first",
        lambda: (
            nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True, norm_first=True),
            (numbers(5, 8),),
        ),
    )
    add(
        "decoder layer",
        lambda: (nn.TransformerDecoderLayer(8, 2, 12, dropout=0.0, batch_first=True), (numbers(5, 8), numbers(3, 8))),
    )
    add(
        "windows",
        lambda: (
            Fn(lambda self, x: self.a(x.reshape(-1, 3, 4)).reshape(len(x), 6, 2), a=nn.Linear(4, 2)),
            (numbers(6, 4),),
        ),
    )
    add(
        "batch inside",
        lambda: (
            Fn(
                lambda self, x: self.a(x.permute(1, 0, 2).reshape(-1, 4)).reshape(6, -1, 2).transpose(0, 1),
                a=nn.Linear(4, 2),
            ),
            (numbers(6, 4),),
        ),
    )


def whole_cases():
    add(
        "class token and positions",
        lambda: (
            Fn(
                lambda self, x: self.a(torch.cat([self.t.expand(len(x), -1, -1), x], 1) + self.p),
                a=nn.Linear(5, 2),
                t=nn.Parameter(torch.randn(1, 1, 5)),
                p=nn.Parameter(torch.randn(1, 4, 5)),
            ),
            (numbers(3, 5),),
        ),
    )
    add(
        "part of the positions",
        lambda: (Fn(lambda self, x: x + self.p[: x.shape[1]], p=nn.Parameter(torch.randn(9, 5))), (numbers(3, 5),)),
    )
    add("one number", lambda: (Fn(lambda self, x: x * self.s, s=nn.Parameter(torch.tensor(2.0))), (numbers(3),)))
    add("bilinear", lambda: (nn.Bilinear(3, 4, 5), (numbers(3), numbers(4))))
    add("called twice", lambda: (Fn(lambda self, x: self.a(self.a(x).tanh()), a=nn.Linear(5, 5)), (numbers(5),)))
    add(
        "called twice, wide",
        lambda: (Fn(lambda self, x: self.a(self.a(x).tanh()), a=nn.Linear(30, 30)), (numbers(2, 30),)),
    )
    add(
        "called twice, convolution",
        lambda: (Fn(lambda self, x: self.a(self.a(x).tanh()), a=nn.Conv2d(12, 12, 3, padding=1)), (numbers(12, 3, 3),)),
    )

    def shared():
        one, other = nn.Linear(20, 20), nn.Linear(20, 20)
        other.weight = one.weight
        return nn.Sequential(one, nn.Tanh(), other, nn.Tanh(), one)

    add("weights shared by layers", lambda: (shared(), (numbers(20),)))
    add(
        "linear and convolution share",
        lambda: (
            Fn(
                lambda self, x: F.conv1d(F.linear(x, self.w[:, :, 0]).tanh(), self.w, padding=1),
                w=nn.Parameter(torch.randn(6, 6, 3)),
            ),
            (numbers(6, 6),),
        ),
    )
    add("unused layer", lambda: (Fn(lambda self, x: self.a(x), a=nn.Linear(5, 2), b=nn.Linear(3, 3)), (numbers(5),)))
    add(
        "frozen layer",
        lambda: (nn.Sequential(nn.Linear(5, 4).requires_grad_(False), nn.Tanh(), nn.Linear(4, 2)), (numbers(5),)),
    )
    add(
        "frozen layer on top",
        lambda: (nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2).requires_grad_(False)), (numbers(5),)),
    )
    add(
        "biases alone",
        lambda: (
            nn.Sequential(partly(nn.Linear(5, 4), "weight"), nn.Tanh(), partly(nn.Linear(4, 2), "weight")),
            (numbers(5),),
        ),
    )
    add("convolution, bias alone", lambda: (partly(nn.Conv2d(2, 3, 3), "weight"), (numbers(2, 5, 5),)))
    add("convolution, weight alone", lambda: (partly(nn.Conv2d(2, 3, 3), "bias"), (numbers(2, 5, 5),)))

    def adapted(rank):
        base = nn.Linear(20, 24).requires_grad_(False)
        return Fn(
            lambda self, x: self.base(x) + 2 * self.b(self.a(x)),
            base=base,
            a=nn.Linear(20, rank, bias=False),
            b=nn.Linear(rank, 24, bias=False),
        )

    add("low-rank adapter", lambda: (adapted(2), (numbers(6, 20),)))
    add(
        "low-rank adapter, parameters",
        lambda: (
            Fn(
                lambda self, x: x @ self.a.T @ self.b.T,
                a=nn.Parameter(torch.randn(2, 20)),
                b=nn.Parameter(torch.randn(24, 2)),
            ),
            (numbers(6, 20),),
        ),
    )
    add(
        "in-place activation",
        lambda: (nn.Sequential(nn.Linear(5, 4), nn.ReLU(inplace=True), nn.Linear(4, 2)), (numbers(5),)),
    )
    add(
        "in-place after convolution",
        lambda: (
            nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(inplace=True), nn.GroupNorm(1, 3), nn.ReLU(inplace=True)),
            (numbers(2, 5, 5),),
        ),
    )
    add("in-place after embedding", lambda: (nn.Sequential(nn.Embedding(11, 3), nn.ELU(inplace=True)), (tokens(4),)))
    add("weight normalisation", lambda: (nn.utils.parametrizations.weight_norm(nn.Linear(5, 4)), (numbers(5),)))
    add(
        "orthogonal",
        lambda: (
            nn.Sequential(
                nn.Linear(5, 4), nn.utils.parametrizations.orthogonal(nn.Linear(4, 4), orthogonal_map="cayley")
            ),
            (numbers(5),),
        ),
    )

    def written(make, *shape):
        def forward(self, x):
            square = self.w @ self.w.T  # a penalty on what is not orthogonal, as AdaLoRA has it
            wanted = make(*shape, out=torch.empty_like(square) if shape else torch.empty_like(square[0]))
            wanted.requires_grad = False
            return self.a(x) + torch.norm(square - wanted)

        return Fn(forward, a=nn.Linear(5, 2), w=nn.Parameter(torch.randn(3, 5)))

    add("written with out=, eye", lambda: (written(torch.eye, 3, 3), (numbers(5),)))
    add("written with out=, ones", lambda: (written(torch.ones, 3, 3), (numbers(5),)))
    add("written with out=, full", lambda: (written(torch.full, (3, 3), 0.1), (numbers(5),)))
    add("written with out=, arange", lambda: (written(lambda out: torch.arange(3, out=out)), (numbers(5),)))
    for reentrant, loop in itertools.product([False, True], [False, True]):

        def block(self, x, reentrant=reentrant, loop=loop):
            if loop:
                x.sum().item()
            inside = torch.utils.checkpoint.checkpoint(self.block, self.a(x) * self.s, use_reentrant=reentrant)
            return torch.utils.checkpoint.checkpoint(self.block, inside, use_reentrant=reentrant)

        def parts():
            return {
                "a": nn.Linear(5, 20),
                "s": nn.Parameter(torch.ones(20)),
                "block": nn.Sequential(nn.LayerNorm(20), nn.Linear(20, 20), nn.ReLU(inplace=True), nn.Linear(20, 20)),
            }

        add(
            f"checkpointed{', reentrant' * reentrant}{', in a loop' * loop}",
            lambda b=block, p=parts: (Fn(b, **p()), (numbers(5),)),
        )
    add(
        "branches on the data",
        lambda: (
            Fn(lambda self, x: self.a(x) if x.sum().item() > 0 else self.b(x), a=nn.Linear(5, 20), b=nn.Linear(5, 20)),
            (numbers(5),),
        ),
    )
    add(
        "chosen positions",
        lambda: (Fn(lambda self, x: self.a(x[x[:, :, 0] > 0]).sin().sum()[None], a=nn.Linear(5, 4)), (numbers(6, 5),)),
    )

    def slope(self, x):
        x = x.detach().requires_grad_()
        out = self.b(torch.tanh(self.a(x)))
        return out + torch.autograd.grad(out.sum(), x, create_graph=True)[0].sum(1, keepdim=True)

    add("differentiates itself", lambda: (Fn(slope, a=nn.Linear(5, 20), b=nn.Linear(20, 1)), (numbers(5),)))
    add(
        "vmap of its own",
        lambda: (
            Fn(
                lambda self, x: torch.vmap(lambda row: F.linear(row, self.w).sin())(x),
                w=nn.Parameter(torch.randn(4, 5)),
            ),
            (numbers(3, 5),),
        ),
    )
    add(
        "vmap of its own, over the batch",
        lambda: (Fn(lambda self, x: torch.vmap(self.a)(x), a=nn.Conv1d(2, 3, 3)), (numbers(2, 5),)),
    )
    add(
        "small residual network",
        lambda: (
            Fn(
                lambda self, x: self.out((self.b(self.n(self.a(x).relu())).relu() + self.a(x)).mean((2, 3))),
                a=nn.Conv2d(2, 6, 3, padding=1),
                n=nn.GroupNorm(2, 6),
                b=nn.Conv2d(6, 6, 3, padding=1),
                out=nn.Linear(6, 3),
            ),
            (numbers(2, 5, 5),),
        ),
    )
    add(
        "two inputs",
        lambda: (
            Fn(lambda self, x, i: self.a(x) + self.e(i), a=nn.Linear(5, 3), e=nn.Embedding(11, 3)),
            (numbers(5), tokens(1)[:, 0]),
        ),
    )


for group in (linear_cases, convolution_cases, table_cases, norm_cases, recurrent_cases, attention_cases, whole_cases):
    group()
