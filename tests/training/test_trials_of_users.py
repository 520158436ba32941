"""What a user may get wrong before the first step is refused with a message that says what to do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import reticent as rt
from reticent.errors import IntegrityError, ModelError, UsageError
from reticent.training.state import load_state, save_state

X, Y = torch.randn(60, 6), torch.arange(60) % 3
PLAN = rt.Plan(1.0, dataset_size=60, batch_size=12, steps=4, delta=1e-3)


class Centred(nn.Module):
    def forward(self, x):
        return x - x.mean(0)


class LengthFirst(nn.Module):
    """An LSTM without batch_first: it takes the batch for time."""

    def __init__(self):
        super().__init__()
        self.r, self.o = nn.LSTM(2, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.o(self.r(x.reshape(len(x), 3, 2))[0][:, -1])


def private(model, **options):
    loader = DataLoader(TensorDataset(X, Y), batch_size=12, shuffle=True)
    return rt.make_private(model, torch.optim.SGD(model.parameters(), lr=0.1), loader, plan=PLAN, **options)


@pytest.mark.parametrize("front", ["make_private", "with its loss", "train"])
@pytest.mark.parametrize(
    ("model", "place"),
    [(nn.Sequential(nn.Linear(6, 3), Centred()), r"1 \(Centred\)"), (LengthFirst(), r"r \(LSTM\)")],
    ids=["mean", "length first"],
)
def test_networks_that_mix_examples_are_refused_at_once(model, place, front):
    """The promise would hold, since examples run alone; the network that comes out would be good for nothing."""
    with pytest.raises(ModelError, match=place):
        if front == "train":
            rt.train(model, (X, Y), plan=PLAN)
        else:
            private(model, **({} if front == "make_private" else {"loss": nn.functional.cross_entropy}))


def test_dropout_is_no_mixing():
    private(nn.Sequential(nn.Linear(6, 30), nn.Dropout(0.5), nn.Linear(30, 3)))


def mixup(x):
    return 0.7 * x + 0.3 * x[torch.randperm(len(x))]


def test_augmentations_that_mix_rows_are_refused():
    model = nn.Linear(6, 3)
    for mixing in (lambda x: x - x.mean(0), mixup):
        with pytest.raises(UsageError, match="changes every row by itself"):
            rt.train(model, (X, Y), plan=PLAN, views=2, augment=mixing)
    rt.train(model, (X, Y), plan=PLAN, views=2, augment=lambda x: x + 0.1 * torch.randn_like(x))
    with pytest.raises(UsageError, match=r"augmented inputs for \d+ inputs, got \d+ rows"):
        rt.train(model, (X, Y), plan=PLAN, views=2, augment=lambda x: x[:-1])


def test_freezing_later_is_refused():
    model = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 3))
    run = private(model)
    model[0].requires_grad_(False)
    with pytest.raises(UsageError, match=r"0\.weight is frozen"):
        run.model(X[:3])


def test_evaluation_mode_is_named():
    run = private(nn.Linear(6, 3))
    run.model.eval()
    with pytest.raises(UsageError, match=r"private\.model\.train\(\)"):
        for x, y in run.loader:
            nn.functional.cross_entropy(run.model(x), y).backward()
            run.optimizer.step()


def test_private_loaders_are_named():
    run = private(nn.Linear(6, 3))
    model = nn.Linear(6, 3)
    with pytest.raises(UsageError, match="private already"):
        rt.make_private(model, torch.optim.SGD(model.parameters(), lr=0.1), run.loader, plan=PLAN)


def test_parts_say_when_a_batch_is_complete():
    run = private(nn.Linear(6, 3), physical_batch_size=2)
    complete = 0
    for x, y in run.loader:
        if len(x):
            nn.functional.cross_entropy(run.model(x), y).backward()
        run.optimizer.step()
        complete += run.between_batches
    assert complete == run.loader.drawn


def test_groups_have_the_same_names_everywhere():
    clipping = rt.Clipping({"0": 1.0, "1": 2.0})
    plan = rt.Plan(1.0, dataset_size=60, batch_size=12, steps=4, delta=1e-3, clipping=clipping)
    model = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 3))
    assert rt.train(model, (X, Y), plan=plan).steps == 4
    loader = DataLoader(TensorDataset(X, Y), batch_size=12, shuffle=True)
    rt.make_private(model, torch.optim.SGD(model.parameters(), lr=0.1), loader, plan=plan)


def test_arguments_of_train_that_lead_nowhere():
    with pytest.raises(UsageError, match="save_every without state"):
        rt.train(nn.Linear(6, 3), (X, Y), plan=PLAN, save_every=2)
    with pytest.raises(UsageError, match="a torch optimizer or a function"):
        rt.train(nn.Linear(6, 3), (X, Y), plan=PLAN, optimizer="sgd")


def test_check_model_wants_a_target_for_each_example():
    with pytest.raises(UsageError, match="as many targets as examples"):
        rt.check_model(nn.Linear(6, 3), (X[:8], Y[:4]), loss=nn.functional.cross_entropy)


def test_every_flipped_bit_is_found(tmp_path):
    path = save_state(tmp_path / "run", {"w": torch.arange(50.0), "text": "0" * 64, "step": 3})
    whole = path.read_bytes()
    assert load_state(path)["text"] == "0" * 64
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(bytes(damaged))
        with pytest.raises(IntegrityError):
            load_state(path)


class Restless(nn.Module):
    """Draws from numpy: the same inputs do not give the same outputs."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(6, 3)

    def forward(self, x):
        return self.a(x) + float(np.random.default_rng().normal())


def test_what_draws_from_elsewhere_is_no_mixing():
    private(Restless())
    rt.train(nn.Linear(6, 3), (X, Y), plan=PLAN, views=2, augment=lambda x: x + float(np.random.default_rng().normal()))


def test_augmentations_may_be_particular_about_their_inputs():
    def particular(x):
        if bool((x.abs() > 6).any()):
            raise ValueError("expected values near 0")
        return x

    rt.train(nn.Linear(6, 3), (X.clamp(-3, 3), Y), plan=PLAN, views=2, augment=particular)


def test_zero_grad_may_come_between_forward_and_backward():
    run = private(nn.Linear(6, 3))
    for x, y in run.loader:
        outputs = run.model(x)
        run.optimizer.zero_grad()
        nn.functional.cross_entropy(outputs, y).backward()
        run.optimizer.step()
    assert run.loader.drawn > 0


def test_a_state_of_another_optimizer_changes_nothing(tmp_path):
    one = private(nn.Linear(6, 3))
    path = one.save(tmp_path / "run")
    model = nn.Linear(6, 3)
    loader = DataLoader(TensorDataset(X, Y), batch_size=12, shuffle=True)
    groups = [{"params": [model.weight]}, {"params": [model.bias]}]
    other = rt.make_private(model, torch.optim.SGD(groups, lr=0.1), loader, plan=PLAN)
    before = model.weight.clone()
    with pytest.raises(UsageError, match=r"its (optimizer|randomness) differs"):
        other.restore(path)
    assert torch.equal(model.weight, before)
