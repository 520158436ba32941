"""A fingerprint changes with what a trainer does, stays otherwise, and is refused where it cannot be told."""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import importlib
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
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


def wrapped(function, result):
    @functools.wraps(function)
    def mine(*arguments):
        return result

    return mine


def with_attribute(value):
    def helper(x):
        return helper.rate * x

    helper.rate = value
    return helper


class Counts(dict):
    def __init__(self, rate):
        super().__init__(a=1)
        self.rate = rate


class Slotted:
    __slots__ = ("__rate", "rate")

    def __init__(self, rate):
        self.rate = rate


def with_more(setting, rate):
    object.__setattr__(setting, "beside", rate)
    return setting


def hooked(parameter, rate):
    parameter.register_hook(lambda gradient: gradient * rate)
    return parameter


def named_rate(rate):
    return enum.Enum("Level", {"LOW": rate}, module=__name__).LOW


def fitted(scale):
    return StandardScaler().fit(np.arange(6.0).reshape(3, 2) * scale)


def frozen(scale):
    frozen_module = pytest.importorskip("sklearn.frozen")
    pca = PCA(1).fit(np.random.default_rng(scale).normal(size=(9, 2)))
    return sklearn_trainer(make_pipeline(frozen_module.FrozenEstimator(pca), LogisticRegression()))


HIDDEN = {
    "fitted in a closure": (fitted(1), fitted(2)),
    "values of enumerations": (named_rate(1), named_rate(2)),
    "attributes of functions": (with_attribute(1), with_attribute(2)),
    "behind a library's name": (wrapped(nn.functional.cross_entropy, 1), wrapped(nn.functional.cross_entropy, 2)),
    "attributes of dictionaries": (Counts(1), Counts(2)),
    "slots": (Slotted(1), Slotted(2)),
    "beside fields": (with_more(Setting(0.1), 1), with_more(Setting(0.1), 2)),
    "hooks of parameters": (hooked(nn.Parameter(torch.ones(1)), 1), hooked(nn.Parameter(torch.ones(1)), 2)),
    "names of columns": (np.zeros(2, [("a", "f4")]), np.zeros(2, [("b", "f4")])),
    "defaults of dictionaries": (collections.defaultdict(int), collections.defaultdict(list)),
    "slices": (slice(np.arange(2000), None), slice(np.arange(2000) * (np.arange(2000) != 1000), None)),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_types_would_hide_counts(name):
    one, other = HIDDEN[name]
    assert same(closure(one), closure(one))
    assert not same(closure(one), closure(other))


def test_what_frozen_estimators_were_fitted_to_counts():
    assert same(frozen(1), frozen(1))
    assert not same(frozen(1), frozen(2))


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.ma.masked_array([1, 2], [True, False]),
        lambda: torch.zeros(3).to_sparse(),
        lambda: DecisionTreeClassifier().fit(np.arange(4.0)[:, None], [0, 0, 1, 1]),
        lambda: functools.lru_cache(lambda: 1),
        lambda: functools.update_wrapper(functools.lru_cache(lambda: 1), nn.functional.cross_entropy),
        lambda: dataclasses.make_dataclass("Hidden", [("a", int)], bases=(threading.local,))(1),
    ],
)
def test_what_may_hide_something_is_refused(make):
    with pytest.raises(UsageError, match="an attribute `fingerprint`"):
        fingerprint(closure(make()))


def test_torchs_own_type_of_numbers_counts():
    before = fingerprint(closure(1))
    torch.set_default_dtype(torch.float64)
    try:
        assert fingerprint(closure(1)) != before
    finally:
        torch.set_default_dtype(torch.float32)
    assert fingerprint(closure(1)) == before


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes a package of one's own, loads one of its modules afresh and gives its `trainer`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def forget():
        for name in [name for name in sys.modules if name.partition(".")[0] == "ownpkg"]:
            del sys.modules[name]
        importlib.invalidate_caches()

    def load(**files):
        forget()
        (tmp_path / "ownpkg").mkdir(exist_ok=True)
        for name, text in {"__init__": "", **files}.items():
            (tmp_path / "ownpkg" / f"{name}.py").write_text(textwrap.dedent(text), "utf-8")
        return importlib.import_module("ownpkg.main")

    yield load
    forget()


IMPORTS = {
    "relative": "from .sub import RATE",
    "relative to the package": "from . import sub",
    "not loaded yet": "from ownpkg import sub",
    "whole": "import ownpkg.sub",
    "whole, by another name": "import ownpkg.sub as other",
}


@pytest.mark.parametrize("name", IMPORTS)
def test_imports_inside_functions_are_followed(package, name):
    main = f"def trainer(records, randomness):\n    {IMPORTS[name]}\n    return 1\n"
    one = fingerprint(package(main=main, sub="RATE = 1").trainer)
    assert fingerprint(package(main=main, sub="RATE = 1").trainer) == one
    assert fingerprint(package(main=main, sub="RATE = 2").trainer) != one


def test_an_import_that_would_fail_is_told_apart_from_one_that_would_not(package):
    main = "def trainer(r, s):\n    try:\n        from .gone import x\n    except ImportError:\n        x = 0\n"
    one = fingerprint(package(main=main).trainer)
    assert fingerprint(package(main=main, gone="x = 1").trainer) != one


@pytest.mark.parametrize("source", ["from . import settings", "from . import settings as own"])
def test_values_set_at_run_time_count(package, source):
    name = source.split()[-1]
    module = package(
        main=f"{source}\ndef trainer(records, randomness):\n    return {name}.RATE\n", settings="RATE = 0.1"
    )
    before = fingerprint(module.trainer)
    sys.modules["ownpkg.settings"].RATE = 0.5
    assert fingerprint(module.trainer) != before
    sys.modules["ownpkg.settings"].RATE = 0.1
    assert fingerprint(module.trainer) == before


def test_values_that_a_helper_took_from_another_module_count(package):
    main = "from . import helper\ndef trainer(records, randomness):\n    return helper.go()\n"
    helper = (
        "import logging\nfrom .settings import RATE\nlog = logging.getLogger(__name__)\ndef go():\n    return RATE\n"
    )
    found = [
        fingerprint(package(main=main, helper=helper, settings=f"RATE = {rate}").trainer) for rate in (0.1, 0.1, 0.5)
    ]
    assert found[0] == found[1] != found[2]


def test_a_fingerprint_stays_though_reading_it_loads_modules(package):
    main = """
        import ownpkg
        def trainer(records, randomness):
            return ownpkg, later()
        def later():
            from ownpkg import sub
    """
    module = package(main=main, sub="RATE = 1")
    assert fingerprint(module.trainer) == fingerprint(module.trainer)
