"""A real Lightning Trainer, made private, takes the steps of DP-SGD written by hand."""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from tests.oracles import gradients as oracle
from tests.oracles.batches import batches_of
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, WeightedRandomSampler

from reticent.errors import UsageError
from reticent.privacy import Banded, Clipping, Cyclic, FixedSize, Plan, Poisson, RandomAllocation, Shuffled, Unit
from reticent.randomness import Randomness
from reticent.training.owning import Owners

pl = pytest.importorskip("lightning.pytorch")
adapter = pytest.importorskip("reticent.integrations.lightning")
PrivateCallback = adapter.PrivateCallback
pytestmark = [
    pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory"),
    pytest.mark.filterwarnings("ignore:The dirpath has changed"),
    pytest.mark.filterwarnings("ignore:Found 1 module.s. in eval mode"),
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`"),
]

N = 40
DRAW = np.random.default_rng(2)
X = torch.from_numpy(DRAW.normal(size=(N, 4)))
Y = torch.from_numpy(DRAW.integers(0, 3, N))
cross_entropy = nn.functional.cross_entropy


class Classifier(pl.LightningModule):
    """An ordinary one."""

    def __init__(self, dropout=0.0, rate=0.5):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Dropout(dropout), nn.Linear(6, 3))
        self.rate = rate
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))

    def forward(self, x):
        return self.layers(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = cross_entropy(self(x), y)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        self.log_dict({"right": (self(x).argmax(1) == y).float().mean(), "constant": 3.0})
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.rate)


class Plain(Classifier):
    """No logs, and the other signature; with a term that a batch of one example takes part in twice."""

    def training_step(self, batch):
        return {"loss": cross_entropy(self(batch["x"]), batch["y"])}


class Rows(Dataset):
    def __len__(self):
        return N

    def __getitem__(self, row):
        return {"x": X[row], "y": Y[row]}


def trainer_of(callback, **options):
    defaults = {
        "max_epochs": 2,
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "callbacks": [callback],
    }
    return pl.Trainer(**{**defaults, **options})


def loader_of(data=None, **options):
    data = TensorDataset(X, Y) if data is None else data
    return DataLoader(data, **{"batch_size": 8, "shuffle": True, **options})


def plan_of(noise=0.0, *, steps=10, batch_size=8, clip=0.5, **options):
    return Plan(noise, N, batch_size, steps, l2_clip_norm=clip, delta=1e-3, **options)


def private_of(plan=None, seed=1, **options):
    source = None if seed is None else Randomness.simulated(seed)
    return PrivateCallback(plan=plan_of() if plan is None else plan, randomness=source, **options)


def fit(module=None, callback=None, loader=None, ckpt_path=None, **options):
    module = Classifier().double() if module is None else module
    callback = private_of() if callback is None else callback
    trainer = trainer_of(callback, **options)
    trainer.fit(module, loader_of() if loader is None else loader, ckpt_path=ckpt_path)
    return module, callback, trainer


def by_hand(plan, *, seed=1, rate=0.5):
    model = Classifier().double()
    source = Randomness.simulated(seed).spawn("sampling")
    batches = batches_of(N, plan.batch_size, plan.steps, source, plan.sampling)
    return oracle.private_sgd(
        model, cross_entropy, X, Y, batches, rate=rate, l2_clip_norm=plan.l2_clip_norm, expected=plan.batch_size
    )


def assert_same(model, expected, **tolerances):
    for (name, one), other in zip(model.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, **{"rtol": 1e-9, "atol": 1e-11, **tolerances}, msg=name)


# The same steps ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [None, 3])
def test_equals_private_sgd_by_hand(parts):
    module, callback, trainer = fit(callback=private_of(physical_batch_size=parts))
    assert_same(module, by_hand(plan_of()))
    assert trainer.global_step == callback.guarantee.mechanisms[0].count == 10
    assert not callback.looped
    assert callback.ignored_examples == 0
    assert "training_step" not in vars(module)
    assert "log" not in vars(module)


def test_a_module_with_the_other_signature_and_batches_of_dictionaries():
    module, callback, _ = fit(Plain().double(), loader=loader_of(Rows()))
    assert_same(module, by_hand(plan_of()))
    assert callback.plan == plan_of()


def test_loaders_of_the_module_and_of_a_datamodule():
    class Data(pl.LightningDataModule):
        def train_dataloader(self):
            return loader_of()

    class Own(Classifier):
        def setup(self, stage):
            self.rows = TensorDataset(X, Y)

        def train_dataloader(self):
            return loader_of(self.rows)

        def configure_optimizers(self):
            assert self.trainer.estimated_stepping_batches == 10  # asked before the training begins
            return super().configure_optimizers()

    for module, data in ((Classifier().double(), Data()), (Own().double(), None)):
        trainer_of(private_of()).fit(module, datamodule=data)
        assert_same(module, by_hand(plan_of()))


def test_limited_epochs_schedules_and_validation():
    class Scheduled(Classifier):
        def validation_step(self, batch, batch_idx):
            self.log("val_loss", cross_entropy(self(batch[0]), batch[1]))

        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.parameters(), lr=0.5)
            return [optimizer], [{"scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5), "interval": "epoch"}]

    callback = PrivateCallback(target_epsilon=3.0, target_delta=1e-3, unit=Unit.PERSON)
    trainer = trainer_of(callback, max_epochs=3, limit_train_batches=2, num_sanity_val_steps=1)
    module = Scheduled().double()
    trainer.fit(module, loader_of(), loader_of(shuffle=False))
    assert trainer.global_step == callback.plan.steps == 6
    assert module.optimizers().param_groups[0]["lr"] == 0.5 * 0.5**3
    assert 0.9 * 3.0 < callback.guarantee.epsilon(1e-3) <= 3.0
    assert "every person owns one row" in callback.guarantee.text(1e-3)
    assert "tried on the first examples" in callback.guarantee.text(1e-3)


def test_parts_in_evaluation_mode_stay_there():
    class Frozen(Classifier):
        def __init__(self):
            super().__init__(dropout=0.9)
            self.layers[2].eval()

    module, _, _ = fit(Frozen().double())
    assert not module.layers[2].training
    assert_same(module, by_hand(plan_of()))


def test_a_module_in_evaluation_mode_is_refused():
    class Evaluated(Classifier):
        def on_train_batch_start(self, batch, batch_idx):
            self.eval()

    with pytest.raises(UsageError, match="in training mode, got evaluation mode"):
        fit(Evaluated().double())


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_bfloat16(precision):
    module, callback, _ = fit(Classifier(), loader=loader_of(TensorDataset(X.float(), Y)), precision=precision)
    expected = {"bf16-mixed": torch.float32, "bf16-true": torch.bfloat16}[precision]
    assert {parameter.dtype for parameter in module.parameters()} == {expected}
    assert callback.guarantee.mechanisms[0].count == 10
    exact, start, end = (
        torch.cat([parameter.detach().double().flatten() for parameter in model.parameters()])
        for model in (by_hand(plan_of()), Classifier(), module)
    )
    assert 0 < (end - exact).norm() < 0.3 * (start - exact).norm()


def test_the_noise_is_the_plans():
    """Chi-square, level 1e-6; two thirds and three halves of the deviation are rejected."""

    class Wide(Classifier):
        def __init__(self):
            super().__init__(rate=1.0)
            self.layers = nn.Sequential(nn.Linear(4, 2000), nn.Linear(2000, 3))

    torch.manual_seed(0)
    module = Wide()
    before = [parameter.detach().clone() for parameter in module.parameters()]
    plan = plan_of(300.0, steps=1)
    fit(module, private_of(plan, seed=None), loader_of(TensorDataset(X.float(), Y)), max_steps=1)
    moved = torch.cat([(a - b).detach().flatten() for a, b in zip(module.parameters(), before, strict=True)])
    planned = plan.noise_multiplier * plan.l2_clip_norm / plan.batch_size
    low, high = chi2.ppf(5e-7, len(moved)), chi2.isf(5e-7, len(moved))
    total = float((moved.double() ** 2).sum())
    assert low <= total / planned**2 <= high
    for wrong in (2 / 3, 3 / 2):
        assert not low <= total / (wrong * planned) ** 2 <= high


def test_empty_batches_take_their_step():
    plan = plan_of(1.0, batch_size=1, steps=40)
    source = Randomness.simulated(1).spawn("sampling")
    assert 0 in [len(rows) for rows in batches_of(N, 1, 40, source)]
    _, callback, _ = fit(callback=private_of(plan), max_epochs=1)
    assert callback.guarantee.mechanisms[0].count == 40


# People, and other samplers -----------------------------------------------------------------------------------------

NAMES = np.array([*range(10), *np.repeat(np.arange(10, 20), 3)])  # ten people with one row, ten with three


def people_by_hand(plan, *, seed=1, rate=0.5):
    """DP-SGD over people without its noise: the mean gradient of her rows is clipped as one."""
    model, owners = Classifier().double(), Owners(NAMES)
    source = Randomness.simulated(seed).spawn("sampling")
    for number, batch in enumerate(batches_of(20, plan.batch_size, plan.steps, source)):
        totals = [torch.zeros_like(parameter) for parameter in model.parameters()]
        for rows in owners.rows(batch, plan.rows_per_unit, source.spawn(f"rows {number}")):
            found = torch.autograd.grad(cross_entropy(model(X[rows]), Y[rows]), list(model.parameters()))
            norm = float(torch.cat([gradient.flatten() for gradient in found]).norm())
            for total, gradient in zip(totals, found, strict=True):
                total.add_(gradient * min(1.0, plan.l2_clip_norm / norm))
        with torch.no_grad():
            for parameter, total in zip(model.parameters(), totals, strict=True):
                parameter.sub_(rate * total / plan.batch_size)
    return model


@pytest.mark.parametrize("parts", [None, 2])
def test_a_persons_gradient_is_clipped_as_one(parts):
    plan = Plan(0.0, 20, 5, 8, l2_clip_norm=0.3, delta=1e-3, unit=Unit.PERSON, rows_per_unit=3)
    module, callback, trainer = fit(callback=private_of(plan, owners=NAMES, physical_batch_size=parts))
    assert not callback.looped
    assert trainer.global_step == 8
    assert_same(module, people_by_hand(plan))
    assert "unit: person" in callback.guarantee.text(1e-3)
    assert float(trainer.callback_metrics["constant"]) == pytest.approx(3.0)


def test_people_are_counted_where_the_plan_is_calibrated():
    targets = {"target_epsilon": 3.0, "target_delta": 1e-3}
    callback = PrivateCallback(**targets, unit=Unit.PERSON, owners=NAMES, rows_per_unit=2)
    _, _, trainer = fit(callback=callback)
    plan = callback.plan
    assert (plan.dataset_size, plan.batch_size, plan.steps, plan.rows_per_unit) == (20, 8, 6, 2)
    assert trainer.global_step == 6
    with pytest.raises(UsageError, match=r"Unit\.EXAMPLE for 40 rows of 20 owners"):
        fit(callback=PrivateCallback(**targets, owners=NAMES))
    callback = PrivateCallback(**targets, owners=NAMES, example_level=True)
    fit(callback=callback)
    assert "some people own up to 3" in callback.guarantee.text(1e-3)


@pytest.mark.parametrize("sampler", [RandomAllocation(), Shuffled(), Cyclic(2), FixedSize()], ids=repr)
def test_batches_are_those_of_the_plans_sampler(sampler):
    plan = plan_of(sampling=sampler, relation=sampler.relations[0])
    module, callback, _ = fit(callback=private_of(plan))
    assert_same(module, by_hand(plan))
    assert callback.guarantee.mechanisms == plan.guarantee().mechanisms
    asked = PrivateCallback(target_epsilon=3.0, target_delta=1e-3, sampling=sampler)
    fit(callback=asked)
    assert (asked.plan.sampling, asked.plan.relation) == (sampler, sampler.relations[0])


# Logs --------------------------------------------------------------------------------------------------------------


def test_logs_are_averages_over_the_batch_beside_what_was_spent():
    class Seen(pl.Callback):
        losses, spent = [], []

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            self.losses.append((float(trainer.callback_metrics["train_loss_step"]), float(outputs["loss"])))
            if "epsilon" in trainer.callback_metrics:
                self.spent.append(float(trainer.callback_metrics["epsilon"]))

    class Before(Classifier):
        def on_train_batch_start(self, batch, batch_idx):
            with torch.no_grad():
                expected.append(float(cross_entropy(self(batch[0]), batch[1])))

    seen, expected = Seen(), []
    callback = private_of(plan_of(1.0))
    _, _, trainer = fit(Before().double(), callback, callbacks=[callback, seen], log_every_n_steps=2)
    found = [logged for logged, _ in seen.losses]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose([loss for _, loss in seen.losses], expected, rtol=1e-6)
    assert float(trainer.callback_metrics["constant"]) == 3.0
    assert float(trainer.callback_metrics["delta"]) == pytest.approx(1e-3)
    assert seen.spent[-1] == pytest.approx(callback.guarantee.epsilon(1e-3), rel=1e-6)
    assert 0 < seen.spent[0] < seen.spent[-1]


# Stops -------------------------------------------------------------------------------------------------------------


class Stop(pl.Callback):
    """Stops with an error after a step."""

    def __init__(self, after):
        self.after = after

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == self.after:
            raise ValueError("stopped")


def saving(folder, seed=1, ckpt_path=None, plan=None, stop=None, module=None, **options):
    plan = plan_of(0.5, clipping=Clipping(quantile=0.5)) if plan is None else plan
    checkpoints = pl.callbacks.ModelCheckpoint(folder, "{step}", every_n_train_steps=7, save_top_k=-1)
    callback = private_of(plan, seed)
    torch.manual_seed(5)
    module = Classifier(dropout=0.4).double() if module is None else module
    _, _, trainer = fit(
        module,
        callback,
        callbacks=[callback, checkpoints, *([] if stop is None else [Stop(stop)])],
        enable_checkpointing=True,
        ckpt_path=ckpt_path,
        default_root_dir=folder,
        **options,
    )
    return module, callback, trainer


@pytest.mark.parametrize("sampler", [Poisson(), RandomAllocation(), Cyclic(2)], ids=repr)
def test_a_resumed_run_is_the_same_to_the_bit(tmp_path, sampler):
    """Five batches an epoch: the checkpoint at step 7 lies inside one, and inside a turn of the sampler."""
    plan = plan_of(0.5, clipping=Clipping(quantile=0.5), sampling=sampler)
    whole, before, _ = saving(tmp_path, plan=plan)
    resumed, callback, _ = saving(tmp_path / "again", plan=plan, ckpt_path=tmp_path / "step=7.ckpt")
    assert_same(resumed, whole, rtol=0, atol=0)
    assert callback.guarantee == before.guarantee
    assert callback.guarantee.mechanisms == plan.guarantee().mechanisms
    assert not list(tmp_path.rglob("*.spent"))


def test_checkpoints_of_other_trainings_are_refused(tmp_path):
    saving(tmp_path, seed=None)
    with pytest.raises(UsageError, match="its randomness differs"):
        saving(tmp_path / "third", seed=3, ckpt_path=tmp_path / "step=7.ckpt")
    with pytest.raises(UsageError, match="its plan differs"):
        saving(tmp_path / "fourth", seed=None, plan=plan_of(9.0), ckpt_path=tmp_path / "step=7.ckpt")
    checkpoints = pl.callbacks.ModelCheckpoint(tmp_path / "plain", "{step}", every_n_train_steps=7)
    fit(Classifier(dropout=0.4).double(), checkpoints, enable_checkpointing=True)
    with pytest.raises(UsageError, match="one without its account"):
        saving(tmp_path / "fifth", ckpt_path=tmp_path / "plain" / "step=7.ckpt")


@pytest.mark.parametrize("seed", [1, None])
def test_checkpoints_hold_no_past_noise(seed, tmp_path):
    """Whoever reads a published checkpoint could take it from the parameters again; correlated noise starts anew."""
    plan = dataclasses.replace(plan_of(0.5), sampling=Cyclic(4), correlation=Banded((1.0, 0.5, 0.25)))
    saving(tmp_path, seed=seed, plan=plan)
    saved = torch.load(tmp_path / "step=7.ckpt", weights_only=True)
    (account,) = [value for name, value in saved["callbacks"].items() if "PrivateCallback" in name]
    assert account["sum"]["noise"] is None
    with contextlib.nullcontext() if seed else pytest.warns(UserWarning, match="3 steps were begun"):
        _, callback, _ = saving(tmp_path / "again", seed=seed, ckpt_path=tmp_path / "step=7.ckpt", plan=plan)
    assert callback.guarantee.mechanisms == plan.guarantee().mechanisms


class Scheduled(Classifier):
    """A rate that says how many steps have been counted; and a validation in each epoch."""

    def __init__(self):
        super().__init__()
        self.rates, self.validated = [], []

    def on_train_batch_start(self, batch, batch_idx):
        self.trainer.rates.append(round(self.optimizers().param_groups[0]["lr"], 9))

    def validation_step(self, batch, batch_idx):
        self.trainer.validated.append(self.trainer.global_step)

    def configure_optimizers(self):
        self.trainer.rates, self.trainer.validated = [], []
        optimizer = torch.optim.SGD(self.parameters(), lr=1.0)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def val_dataloader(self):
        return loader_of(shuffle=False)


def lost(folder, after, *, steps, again=None, **options):
    """Saved at 7, interrupted after another step, and resumed."""
    plan = plan_of(1.0, steps=steps, **options.pop("of_plan", {}))
    options = {"seed": None, "plan": plan, "num_sanity_val_steps": 0, **options}
    with pytest.raises(ValueError, match="stopped"):
        saving(folder, stop=after, module=Scheduled().double(), **options)
    with pytest.warns(UserWarning, match="steps were begun after this checkpoint"):
        _, callback, trainer = saving(
            again or folder, module=Scheduled().double(), ckpt_path=folder / "step=7.ckpt", **options
        )
    assert callback.guarantee.mechanisms == plan.guarantee().mechanisms
    return trainer


@pytest.mark.parametrize("after", [8, 9, 10, 12, 17])
@pytest.mark.parametrize("limit", [{"max_epochs": 4}, {"max_epochs": -1, "max_steps": 20}], ids=str)
def test_lost_steps_are_charged_and_the_run_ends_where_it_was_planned(tmp_path, after, limit):
    """Five batches an epoch: steps lost within the epoch of the checkpoint, and over the ends of others."""
    trainer = lost(tmp_path, after, steps=20, **limit)
    assert trainer.global_step == 20
    assert trainer.rates == [round(1 / (1 + step), 9) for step in range(after, 20)]
    assert trainer.validated
    if after < 10:
        assert trainer.validated == [step for step in (10, 15, 20) for _ in range(5)]
    (place,) = tmp_path.glob("private-*.spent")
    assert int(place.read_bytes().splitlines()[1]) == 20


def test_nothing_is_left_of_a_run_that_came_to_its_end(tmp_path):
    saving(tmp_path, seed=None)
    with pytest.warns(UserWarning, match="3 steps were begun"):
        module, callback, trainer = saving(tmp_path, seed=None, ckpt_path=tmp_path / "step=7.ckpt")
    assert trainer.global_step == callback.guarantee.mechanisms[0].count == 10
    saved = torch.load(tmp_path / "step=7.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(value, saved[name]) for name, value in module.state_dict().items())


def test_the_rest_of_a_round_is_passed_over(tmp_path):
    """An allocation is not written down: of the round of batches 5 to 9 the rest is over."""
    trainer = lost(tmp_path, 8, steps=20, max_epochs=4, of_plan={"sampling": RandomAllocation()})
    assert trainer.rates == [round(1 / (1 + step), 9) for step in range(10, 20)]


def test_the_journal_is_looked_for_beside_the_checkpoint_and_needed(tmp_path):
    lost(tmp_path / "one", 9, steps=20, max_epochs=4, again=tmp_path / "two")
    numbers = [int(place.read_bytes().splitlines()[1]) for place in tmp_path.rglob("private-*.spent")]
    assert numbers == [20, 20]
    for place in tmp_path.rglob("private-*.spent"):
        place.unlink()
    options = {"seed": None, "plan": plan_of(1.0, steps=20), "max_epochs": 4, "module": Scheduled().double()}
    with pytest.raises(UsageError, match=r"Expected private-\w+\.spent beside the checkpoint.*compose"):
        saving(tmp_path / "two", ckpt_path=tmp_path / "one" / "step=7.ckpt", **options)


def test_checkpoints_in_a_bucket_have_no_place_for_a_journal(tmp_path):
    with pytest.raises(UsageError, match="a local folder for the journal of a private training, got memory://here"):
        saving("memory://here", seed=None)


# What is refused ---------------------------------------------------------------------------------------------------


class Manual(Classifier):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False


class Coupled(Plain):
    def training_step(self, batch):
        outputs = self(batch[0])
        return cross_entropy(outputs @ outputs.T, torch.arange(len(outputs)))


class Skips(Classifier):
    def training_step(self, batch, batch_idx):
        return None


class Remembers(Classifier):
    def training_step(self, batch, batch_idx):
        loss = cross_entropy(self(batch[0]), batch[1])
        self.last = loss.detach()
        return loss


class Normalised(Classifier):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))


class SkipsUpdates(Classifier):
    def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure=None):
        optimizer_closure()


class Lbfgs(Classifier):
    def configure_optimizers(self):
        return torch.optim.LBFGS(self.parameters())


class Stray(pl.Callback):
    def on_after_backward(self, trainer, pl_module):
        sum(parameter.sum() for parameter in pl_module.parameters()).backward()


class Stream(IterableDataset):
    def __iter__(self):
        return iter(TensorDataset(X, Y))


SCALED = pl.plugins.precision.MixedPrecision("16-mixed", "cpu", scaler=torch.amp.GradScaler("cpu"))
WEIGHTED = WeightedRandomSampler(torch.ones(N), N)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"module": Manual()}, "automatic optimization, got automatic_optimization=False"),
        ({"accumulate_grad_batches": 2}, "accumulate_grad_batches=2.*physical_batch_size"),
        ({"gradient_clip_val": 1.0}, "gradient_clip_val=1.0.*l2_clip_norm"),
        ({"plugins": SCALED}, "bf16-mixed"),
        ({"overfit_batches": 2}, "overfit_batches"),
        ({"max_epochs": -1}, "a training with an end"),
        ({"loader": loader_of(shuffle=False, sampler=WEIGHTED)}, "got WeightedRandomSampler"),
        ({"loader": loader_of(Stream(), shuffle=None)}, "got a stream"),
        ({"loader": [loader_of(), loader_of()]}, "Expected a torch DataLoader, got list"),
        ({"module": Coupled().double()}, "a loss with one term per example"),
        ({"module": Skips().double()}, "Expected one number as the loss, got NoneType"),
        ({"module": Remembers().double()}, "keeps nothing of the batch, but its forward pass changed"),
        ({"module": Normalised().double()}, r"layers\.1 \(BatchNorm1d\) mixes them"),
        ({"module": SkipsUpdates().double()}, "an optimizer step for every batch"),
        ({"module": Lbfgs().double()}, "one forward pass for each batch"),
        ({"callback": private_of(plan_of(1.0, steps=9))}, "a plan for the 10 steps of this trainer, got one for 9"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value[:30],
)
def test_what_the_accounting_does_not_cover(options, text):
    with pytest.raises(ValueError, match=text):
        fit(**options)


def test_the_callback_is_for_one_training_and_says_so_early():
    module, callback, _ = fit()
    with pytest.raises(UsageError, match="one training for each PrivateCallback"):
        fit(module, callback)
    with pytest.raises(UsageError, match="Expected target_epsilon and target_delta"):
        PrivateCallback()
    with pytest.raises(UsageError, match="a training that has begun"):
        _ = private_of().guarantee


def test_several_devices_are_refused():
    callback = private_of()
    trainer = trainer_of(callback, devices=2)
    with pytest.raises(UsageError, match="one device, got 2 with DDPStrategy"):
        callback.setup(trainer, Classifier(), "fit")  # before it, fit() would start another process


def test_gradients_from_elsewhere_are_refused():
    callback = private_of()
    with pytest.raises(UsageError, match="from the examples' losses only"):
        fit(callback=callback, callbacks=[callback, Stray()])


def test_an_error_leaves_module_and_trainer_as_they_were():
    module, callback = Classifier().double(), private_of()
    trainer = trainer_of(callback, callbacks=[callback, Stray()])
    with pytest.raises(UsageError):
        trainer.fit(module, loader_of())
    assert "training_step" not in vars(module)
    assert type(trainer.fit_loop._data_source).__name__ == "_DataLoaderSource"


@pytest.mark.slow
def test_without_lightning_it_says_what_to_install():
    code = "import sys; sys.modules['lightning'] = None; import reticent.integrations.lightning"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert "pip install 'reticent[lightning]'" in done.stderr
