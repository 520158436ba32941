"""The networks that `private_step.py` trains, with fixed random data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from reticent.randomness import Randomness
from reticent.training.seeding import seeded

_PIXELS = (3, 32, 32)


@dataclasses.dataclass(frozen=True)
class Task:
    """A network, the shape of its data, and how it is rewritten where Opacus refuses it or differentiates it whole.

    Attributes:
        about: what the network is.
        batch: examples in a step.
        build: makes the network.
        inputs: (batch) -> inputs.
        targets: (shape, highest class + 1); the shape of one example's target.
        rewrite: makes the same function, with the same names in `state_dict` (but see `bare`), of modules that Opacus
            has rules for; None where it has rules already.
        rewritten: what the rewriting replaces.
        bare: parameters that the rewriting puts into an `nn.Embedding`.
    """

    about: str
    batch: int
    build: Callable[[], nn.Module]
    inputs: Callable[[int], torch.Tensor]
    targets: tuple[tuple[int, ...], int]
    rewrite: Callable[[nn.Module], nn.Module] | None = None
    rewritten: str = ""
    bare: tuple[str, ...] = ()

    def made(self, device: str) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
        """Network, inputs and targets: always the same."""
        with seeded(Randomness.simulated(0)):
            network = self.build()
            x = self.inputs(self.batch)
            shape, classes = self.targets
            y = torch.randint(0, classes, (self.batch, *shape))
        return network.train().to(device), x.to(device), y.to(device)


def mean_loss(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The mean over examples (and positions) of the cross-entropy."""
    return functional.cross_entropy(outputs.flatten(0, -2), y.flatten())


class Lstm(nn.Module):
    """Embedding, LSTM, and a linear layer on the last state."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(2000, 128)
        self.lstm = nn.LSTM(128, 128, batch_first=True)
        self.head = nn.Linear(128, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(self.embedding(tokens))[0][:, -1])


class Block(nn.Module):
    """A pre-normalised transformer block."""

    def __init__(self, width: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.before_attention = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)
        self.before_mlp = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size, length, width = x.shape
        qkv = self.qkv(self.before_attention(x)).reshape(size, length, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        x = x + self.projection(mixed.transpose(1, 2).reshape(size, length, width))
        return x + self.narrow(functional.gelu(self.wide(self.before_mlp(x))))


class Gpt(nn.Module):
    """A decoder-only transformer; learned positions are a bare parameter, or `tables` (an nn.Embedding)."""

    def __init__(self, *, tables: bool = False) -> None:
        super().__init__()
        vocabulary, length, width = 4096, 128, 512
        self.embedding = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(length, width) if tables else _row_table(length, width)
        self.blocks = nn.Sequential(*(Block(width, 8, causal=True) for _ in range(4)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embedding(tokens) + _looked_up(self.positions, len(tokens))
        return self.head(self.norm(self.blocks(x)))


class Vit(nn.Module):
    """A vision transformer; class token and positions are bare parameters, or `tables` (nn.Embedding)."""

    def __init__(self, *, tables: bool = False) -> None:
        super().__init__()
        width, side, patches = 256, 4, 64
        self.patches = nn.Conv2d(3, width, side, stride=side)
        self.token = nn.Embedding(1, width) if tables else _row_table(1, width)
        self.positions = nn.Embedding(1 + patches, width) if tables else _row_table(1 + patches, width)
        self.blocks = nn.Sequential(*(Block(width, 8, causal=False) for _ in range(4)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        seen = self.patches(images).flatten(2).transpose(1, 2)
        token = _looked_up(self.token, len(images)).expand(len(images), -1, -1)
        x = torch.cat([token, seen], dim=1) + _looked_up(self.positions, len(images))
        return self.head(self.norm(self.blocks(x))[:, 0])


class LowRank(nn.Module):
    """A frozen linear layer and a trainable correction of low rank (Hu et al., 2022)."""

    def __init__(self, frozen: nn.Linear, rank: int = 8) -> None:
        super().__init__()
        self.frozen = frozen
        self.a = nn.Linear(frozen.in_features, rank, bias=False)
        self.b = nn.Linear(rank, frozen.out_features, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.frozen(x) + self.b(self.a(x))


def mlp() -> nn.Module:
    """Three linear layers."""
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


def cnn() -> nn.Module:
    """Six convolutions with group normalisation."""
    plan = [(3, 32, 1), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 128, 2), (128, 128, 1)]
    layers: list[nn.Module] = []
    for before, after, stride in plan:
        layers += [nn.Conv2d(before, after, 3, stride=stride, padding=1), nn.GroupNorm(8, after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))


def lora() -> nn.Module:
    """The transformer of `Gpt`, frozen, with corrections of rank 8."""
    network = Gpt().requires_grad_(False)
    for block in network.blocks:
        for name in ("qkv", "projection", "wide", "narrow"):
            setattr(block, name, LowRank(getattr(block, name)))
    return network


def _row_table(rows: int, width: int) -> nn.Parameter:
    return nn.Parameter(0.02 * torch.randn(rows, width))


def _looked_up(table: nn.Parameter | nn.Embedding, examples: int) -> torch.Tensor:
    """All rows of the table: (rows, width) of a parameter, (examples, rows, width) of an embedding."""
    if isinstance(table, nn.Embedding):
        return table(torch.arange(table.num_embeddings, device=table.weight.device).repeat(examples, 1))
    return table


def _with_tables(network: nn.Module) -> nn.Module:
    """The same network with embeddings in place of bare parameters."""
    bare = {name for name, _ in network.named_parameters(recurse=False)}
    other = type(network)(tables=True).to(next(network.parameters()).device)
    values = {f"{name}.weight" if name in bare else name: value for name, value in network.state_dict().items()}
    other.load_state_dict(values)
    return other


def _with_dp_lstm(network: nn.Module) -> nn.Module:
    """What Opacus makes of a network with nn.LSTM."""
    from opacus.validators import ModuleValidator

    return ModuleValidator.fix(network)


def _normal(*shape: int) -> Callable[[int], torch.Tensor]:
    return lambda size: torch.randn(size, *shape)


def _tokens(vocabulary: int, length: int) -> Callable[[int], torch.Tensor]:
    return lambda size: torch.randint(0, vocabulary, (size, length))


TASKS: dict[str, Task] = {
    "mlp": Task("784-512-512-10, ReLU", 512, mlp, _normal(784), ((), 10)),
    "cnn": Task("6 convolutions 3x3 (32 to 128 channels), GroupNorm, 32x32x3", 64, cnn, _normal(*_PIXELS), ((), 10)),
    "lstm": Task(
        "embedding 2000x128, nn.LSTM(128, 128), 64 positions",
        64,
        Lstm,
        _tokens(2000, 64),
        ((), 2),
        _with_dp_lstm,
        "nn.LSTM replaced by opacus.layers.DPLSTM",
    ),
    "gpt": Task(
        "4 layers, width 512, 8 heads, 128 positions, vocabulary 4096; positions are a bare parameter",
        16,
        Gpt,
        _tokens(4096, 128),
        ((128,), 4096),
        _with_tables,
        "bare parameter replaced by nn.Embedding, so that each layer has a rule of its own",
        ("positions",),
    ),
    "lora": Task("gpt frozen, rank 8 on every matrix of the blocks", 16, lora, _tokens(4096, 128), ((128,), 4096)),
    "vit": Task(
        "4 layers, width 256, 8 heads, 64 patches of 32x32x3; class token and positions are bare parameters",
        32,
        Vit,
        _normal(*_PIXELS),
        ((), 10),
        _with_tables,
        "bare parameters replaced by nn.Embedding, so that each layer has a rule of its own",
        ("token", "positions"),
    ),
}
