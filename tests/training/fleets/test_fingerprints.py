"""A fingerprint changes with what a trainer does, stays otherwise, and is refused where it cannot be told."""

from __future__ import annotations

import dataclasses
import enum
import functools
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import reticent as rt
from reticent.errors import UsageError
from reticent.randomness import Randomness
from reticent.training.fleets.fingerprints import fingerprint
from reticent.training.fleets.learners import sklearn_trainer


def made(source, **values):
    """What the last line of some code names, as if it stood in a script."""
    space = {"__name__": "__main__", "torch": torch, "nn": nn, "np": np, "functools": functools, **values}
    exec(textwrap.dedent(source), space)  # noqa: S102
    return space["trainer"]


def same(one, other):
    return fingerprint(one) == fingerprint(other)


FUNCTION = """
    RATE = 0.1
    def helper(x):
        return x * RATE
    def trainer(records, randomness, width=3, *, deep=True):
        def inner(x):
            return helper(x) + width
        return inner
"""


def test_the_same_code_gives_the_same_fingerprint_wherever_it_stands():
    assert same(made(FUNCTION), made("\n\n# moved, and explained\n" + textwrap.dedent(FUNCTION)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("RATE = 0.1", "RATE = 0.2"),
        ("RATE = 0.1", "RATE = '0.1'"),
        ("x * RATE", "x / RATE"),
        ("width=3", "width=4"),
        ("deep=True", "deep=1"),
        ("helper(x) + width", "helper(x) - width"),
        ("helper(x) + width", "helper(width) + width"),
    ],
)
def test_every_part_of_a_function_counts(old, new):
    assert not same(made(FUNCTION), made(FUNCTION.replace(old, new)))


def closure(value):
    return lambda records, randomness: value


class Colour(enum.Enum):
    RED, BLUE = 1, 2


@dataclasses.dataclass(frozen=True)
class Setting:
    rate: float
    more: tuple = ()


class Learner:
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, records, randomness):
        return self.rate

    def fit(self, records, randomness):
        return 2 * self.rate


PAIRS = {
    "numbers": (1, 2),
    "number and truth": (1, True),
    "zero and minus zero": (0.0, -0.0),
    "texts": ("a", "b"),
    "lists": ([1, 2], [2, 1]),
    "list and tuple": ([1], (1,)),
    "dictionaries": ({"a": 1}, {"a": 2}),
    "keys": ({"a": 1}, {"b": 1}),
    "sets": ({1, 2}, {1, 3}),
    "nested": ([1, [2, [3]]], [1, [2, 3]]),
    "arrays": (np.arange(3), np.arange(3) + 1),
    "types of arrays": (np.arange(3), np.arange(3.0)),
    "shapes": (np.zeros((2, 3)), np.zeros((3, 2))),
    "arrays of objects": (np.array([1, "a"], dtype=object), np.array([1, "b"], dtype=object)),
    "tensors": (torch.zeros(2), torch.ones(2)),
    "half precision": (torch.zeros(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.bfloat16)),
    "types of torch": (torch.float32, torch.float64),
    "enumerations": (Colour.RED, Colour.BLUE),
    "dataclasses": (Setting(0.1), Setting(0.2)),
    "in dataclasses": (Setting(0.1, (np.zeros(2),)), Setting(0.1, (np.ones(2),))),
    "objects": (Learner(0.1), Learner(0.2)),
    "methods": (Learner(0.1).fit, Learner(0.2).fit),
    "which method": (Learner(0.1).fit, Learner(0.1).__call__),
    "partials": (functools.partial(torch.optim.SGD, lr=0.1), functools.partial(torch.optim.SGD, lr=0.2)),
    "of libraries": (torch.optim.SGD, torch.optim.Adam),
    "functions of libraries": (torch.nn.functional.relu, torch.nn.functional.gelu),
    "written in C": (torch.relu, torch.tanh),
    "ufuncs": (np.log, np.exp),
    "builtins": (len, max),
    "closures": (closure(1), closure(2)),
    "plans": (rt.Plan(1.0, 50, 5, 2, delta=1e-3), rt.Plan(2.0, 50, 5, 2, delta=1e-3)),
    "paths": (__import__("pathlib").Path("a"), __import__("pathlib").Path("b")),
}


@pytest.mark.parametrize("name", PAIRS)
def test_values_count(name):
    one, other = PAIRS[name]
    assert same(closure(one), closure(one))
    assert not same(closure(one), closure(other))
    assert not same(one, other)


def test_equal_values_in_other_places_of_memory_are_the_same():
    for make in (
        lambda: Setting(0.1, (np.arange(4), torch.ones(2), {"a": {3, 1, 2}})),
        lambda: functools.partial(Learner(3), 1),
        lambda: rt.Recipe(lambda: nn.Linear(3, 2), functools.partial(torch.optim.SGD, lr=0.1), epochs=1, batch_size=2),
    ):
        assert same(make(), make())


def test_networks_count_with_their_numbers():
    torch.random.manual_seed(1)
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1))
    before = fingerprint(closure(network))
    with torch.no_grad():
        network[0].weight += 1
    assert fingerprint(closure(network)) != before


def test_recipes():
    def recipe(width=3, **options):
        standard = {"optimizer": functools.partial(torch.optim.SGD, lr=0.1), "epochs": 1, "batch_size": 2}
        return rt.Recipe(lambda: nn.Linear(3, width), **{**standard, **options})

    others = [
        recipe(4),
        recipe(epochs=2),
        recipe(batch_size=3),
        recipe(loss=nn.functional.multi_margin_loss),
        recipe(optimizer=functools.partial(torch.optim.SGD, lr=0.2)),
        recipe(optimizer=lambda p: torch.optim.SGD(p, lr=0.1)),
    ]
    found = {fingerprint(one) for one in (recipe(), *others)}
    assert len(found) == 7
    assert fingerprint(recipe()) in found


def test_estimators_count_by_class_and_parameters():
    def pipeline(c=1.0, mean=True):
        return sklearn_trainer(make_pipeline(StandardScaler(with_mean=mean), LogisticRegression(C=c)))

    assert same(pipeline(), pipeline())
    assert len({fingerprint(one) for one in (pipeline(), pipeline(2.0), pipeline(mean=False))}) == 3


def test_what_refers_to_itself_is_read():
    source = """
        def trainer(records, randomness):
            return trainer if records else other
        def other(x):
            return trainer(x) + NUMBER
        NUMBER = 1
    """
    assert same(made(source), made(source))
    assert not same(made(source), made(source.replace("NUMBER = 1", "NUMBER = 2")))
    loop: list = [1]
    loop.append(loop)
    assert same(closure(loop), closure(loop))


def test_classes_of_ones_own_count_with_their_code():
    source = """
        class Base:
            def step(self):
                return 1
        class trainer(Base):
            @property
            def name(self):
                return "a"
            @staticmethod
            def fit(records, randomness):
                return 2
            @classmethod
            def make(cls):
                return cls()
    """
    changes = [("return 1", "return 11"), ('"a"', '"b"'), ("return 2", "return 22"), ("return cls()", "return cls")]
    found = {fingerprint(made(source.replace(*change))) for change in [("x", "x"), *changes]}
    assert len(found) == 5


@pytest.mark.slow
def test_modules_of_ones_own_count_with_their_files(tmp_path):
    """In a process of its own for each: the module that is imported, and one that this one imports."""
    script = "import sys; sys.path.insert(0, sys.argv[1])\nimport mine\n"
    script += "from reticent.training.fleets import fingerprint\n"
    script += "def inside(r, s):\n    import mine\n    return mine.go()\n"
    script += "print(fingerprint(lambda r, s: mine.go()), fingerprint(inside), fingerprint(mine.go))"

    def found(deep, shallow):
        (tmp_path / "deeper.py").write_text(deep, "utf-8")
        (tmp_path / "mine.py").write_text(shallow, "utf-8")
        done = subprocess.run(
            [sys.executable, "-B", "-c", script, str(tmp_path)], capture_output=True, text=True, check=True, timeout=100
        )
        return done.stdout.split()

    shallow = "import deeper\ndef go():\n    return deeper.value()\n"
    first = found("def value():\n    return 1\n", shallow)
    deep = found("def value():\n    return 23\n", shallow)
    assert all(one != other for one, other in zip(first, deep, strict=True))


@pytest.mark.parametrize(
    "value",
    [
        threading.Lock(),
        (x for x in ()),
        np.random.default_rng(0),
        iter([]),
        memoryview(b"a"),
        torch.Generator(),
        Randomness.secure(),
    ],
)
def test_what_cannot_be_told_is_refused_with_its_place(value):
    with pytest.raises(UsageError, match=r"in value of the function closure.*an attribute `fingerprint`"):
        fingerprint(closure(value))


def test_a_name_of_ones_own_stands_for_everything():
    def trainer(records, randomness):
        return lock

    lock = threading.Lock()
    trainer.fingerprint = "version 1"
    first = fingerprint(trainer)
    trainer.fingerprint = "version 2"
    assert fingerprint(trainer) != first
    trainer.fingerprint = 3
    with pytest.raises(UsageError, match="a text as the fingerprint"):
        fingerprint(trainer)


def test_many_ways_to_one_helper_take_no_time():
    """Thirty levels of functions that each use the next one twice: 2^30 ways to the last."""
    source = "def f0(x):\n    return x\n"
    source += "".join(
        f"def f{k}(x):\n    return f{k - 1}(x) + g{k}(x)\ng{k} = lambda x: f{k - 1}(x)\n" for k in range(1, 31)
    )
    assert len(fingerprint(made(source + "trainer = f30"))) == 64
