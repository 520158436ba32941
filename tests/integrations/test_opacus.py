"""Guarantees from the accountants of Opacus: its numbers, corrected."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict

import pytest

from reticent.errors import UsageError
from reticent.integrations.opacus import guarantee_of
from reticent.privacy import Relation, SampledGaussian, Unit

# Opacus 1.6, tests/accountants_test.py: what each accountant reports for noise 1.5 at rate 0.04, delta 1e-5.
STEPS = 2250
REPORTED = {"rdp": 7.32911117143, "prv": 6.777395712150674, "gdp": 6.595}
HISTORY = [(1.5, 0.04, STEPS)]


def state(history, mechanism="rdp"):
    return OrderedDict(history=history, mechanism=mechanism)


def test_what_opacus_own_tests_say():
    found = guarantee_of(state(HISTORY)).epsilon(1e-5)
    assert found <= REPORTED["rdp"]
    assert found == pytest.approx(REPORTED["prv"] - 0.01, rel=0.01)
    assert found > REPORTED["gdp"]
    assert found == pytest.approx(6.769, abs=5e-4)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("listed", [False, True])
def test_every_form_of_a_state(wrapped, listed):
    history = [(1.0, 0.01, 100), (2.0, 0.02, 5)]
    given = state([list(entry) for entry in history] if listed else history, "prv")
    promise = guarantee_of({"privacy_accountant_state_dict": given, "module_state_dict": {}} if wrapped else given)
    assert promise.mechanisms == tuple(SampledGaussian(*entry) for entry in history)
    assert (promise.unit, promise.relation) == (Unit.EXAMPLE, Relation.ADD_OR_REMOVE_ONE)
    assert not promise.simulated


def test_what_it_rests_on_is_said():
    promise = guarantee_of(state(HISTORY), unit=Unit.PERSON, dataset_size=1000)
    text = promise.text(1e-5)
    for part in ("every person owns one row", "also for poisson_sampling=False", "secure_mode=False"):
        assert part in text
    with pytest.raises(UsageError, match="delta < 1/n"):
        promise.epsilon(1e-2)


def test_nothing_counted_is_nothing_released():
    assert guarantee_of(state([])).epsilon(1e-5) == 0.0


def test_gdp_is_warned_of():
    with pytest.warns(UserWarning, match="GDP accountant reports too little"):
        promise = guarantee_of(state(HISTORY, "gdp"))
    assert promise.epsilon(1e-5) > REPORTED["gdp"]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("checkpoint.pt", r"got str.*weights_only=True"),
        (b"bytes", "got bytes"),
        ({"history": HISTORY}, r"got the keys \['history'\]"),
        (state("1.5, 0.04, 2250"), "a history as a list, got str"),
        (state({1: 2}), "a history as a list, got dict"),
        (state([(1.5, 0.04)]), "Expected triples"),
        (state(["abc"]), "Expected triples"),
        (state([(1.5, 1.04, 10)]), "0 <= sample_rate <= 1"),
        (state([(-1.5, 0.04, 10)]), "noise_multiplier >= 0"),
        (state([(float("nan"), 0.04, 10)]), "noise_multiplier >= 0"),
        (state([(1.5, 0.04, 10.5)]), "a whole number count"),
        (state(HISTORY, "moments"), "Expected mechanism to be one of rdp, prv, gdp"),
    ],
)
def test_what_is_no_history_is_refused(source, text):
    with pytest.raises(UsageError, match=text):
        guarantee_of(source)


def test_shuffled_batches_are_refused():
    with pytest.raises(UsageError, match="poisson_sampling=False"):
        guarantee_of(state(HISTORY), poisson_sampling=False)


@pytest.mark.slow
def test_it_needs_neither_opacus_nor_torch():
    code = (
        "import sys; sys.modules['opacus'] = None\n"  # scipy trips over a torch that is None
        "from reticent.integrations.opacus import guarantee_of\n"
        "found = guarantee_of({'history': [(1.0, 0.01, 10)], 'mechanism': 'prv'}).epsilon(1e-5) > 0\n"
        "print(found and 'torch' not in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "True"


@pytest.mark.filterwarnings("ignore")  # Opacus and what it imports
@pytest.mark.parametrize(
    "history",
    [
        [(1.5, 0.04, STEPS)],
        [(1.0, 0.01, 1000)],
        [(0.8, 0.002, 3000)],
        [(2.0, 1.0, 20)],
        [(1.1, 0.05, 100), (0.9, 0.02, 400)],
    ],
    ids=str,
)
def test_against_the_accountants_themselves(history):
    accountants = pytest.importorskip("opacus.accountants")
    delta, found = 1e-5, {}
    for kind in (accountants.RDPAccountant, accountants.PRVAccountant):
        accountant = kind()
        for noise_multiplier, sample_rate, steps in history:
            accountant.step(noise_multiplier=noise_multiplier, sample_rate=sample_rate)
            accountant.history[-1] = (noise_multiplier, sample_rate, steps)
        found[accountant.mechanism()] = accountant.get_epsilon(delta=delta)
        promise = guarantee_of(accountant)
        assert promise.mechanisms == tuple(SampledGaussian(*entry) for entry in history)
    ours = promise.epsilon(delta)
    assert ours <= found["rdp"]
    assert ours == pytest.approx(found["prv"] - 0.01, rel=0.01)


@pytest.mark.filterwarnings("ignore")
def test_a_real_engine_and_its_checkpoint(tmp_path):
    opacus = pytest.importorskip("opacus")
    import torch

    data = torch.utils.data.TensorDataset(torch.randn(60, 3), torch.randint(0, 2, (60,)))
    model = torch.nn.Linear(3, 2)
    engine = opacus.PrivacyEngine(accountant="prv")
    private, optimizer, loader = engine.make_private(
        module=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        data_loader=torch.utils.data.DataLoader(data, batch_size=6),
        noise_multiplier=1.3,
        max_grad_norm=1.0,
    )
    for x, y in loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(private(x), y).backward()
        optimizer.step()
    engine.save_checkpoint(path=tmp_path / "run.pt", module=private)
    live = guarantee_of(engine.accountant, dataset_size=60)
    saved = guarantee_of(torch.load(tmp_path / "run.pt", weights_only=True), dataset_size=60)
    assert live == saved
    assert live.mechanisms == (SampledGaussian(1.3, 1 / 10, len(loader)),)
