"""A Lightning `Trainer`, made private by one callback.

Promise: with `Trainer(callbacks=[PrivateCallback(...)])`, `trainer.fit(module, loader)` runs DP-SGD, and the trained
parameters satisfy `callback.guarantee`. Batches are Poisson samples instead of shuffled ones; `training_step` is called
on each example alone (by vmap, or in a loop), so nothing in it can couple examples; gradients are clipped example by
example and get their noise in `on_before_optimizer_step`, right before Lightning's optimizer takes its step.
Schedulers, validation, checkpoints, `ckpt_path=` and bf16 stay Lightning's. The loader's batch size is the expected
one; for a promise to people (`unit=Unit.PERSON, owners=...`) it counts people, and what is clipped is the gradient of
the mean of a person's rows' losses.

Stops: checkpoints hold the account. From the first one on, how many batches have been begun is written into the folder
of each `ModelCheckpoint` (without one, into `default_root_dir`) before each of them is used: `private-<name>.spent`. A
secure run that is resumed by `ckpt_path=` goes on after the last of them: steps that were lost are charged, counters
and schedules go past them, and the run ends where it was planned to. A checkpoint is refused if that file is neither
beside it nor in a folder that the new trainer writes to. Simulated runs repeat to the bit.
Checkpoints hold no past noise, as they get published: correlated noise starts anew, under the same promise.

What `training_step` logs is averaged over the batch and logged once; `epsilon` and `delta` are logged beside it.
Refused: manual optimization, `accumulate_grad_batches`, `gradient_clip_val` (clipping is by example: `l2_clip_norm`),
fp16 with loss scaling (bf16 works), several devices, `overfit_batches`, a run without an end, a `training_step` that
keeps something of its batch (a metric, a hidden state), or that returns no loss.
Not covered: everything that is logged about training data, and what is stopped or chosen by it; what callbacks do with
batches.

Example:
    >>> import lightning.pytorch as pl, torch
    >>> from reticent.integrations.lightning import PrivateCallback
    >>> class Classifier(pl.LightningModule):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = torch.nn.Linear(4, 2)
    ...     def training_step(self, batch, batch_idx):
    ...         x, y = batch
    ...         return torch.nn.functional.cross_entropy(self.layer(x), y)
    ...     def configure_optimizers(self):
    ...         return torch.optim.SGD(self.parameters(), lr=0.5)
    >>> data = torch.utils.data.TensorDataset(torch.randn(100, 4), torch.randint(0, 2, (100,)))
    >>> loader = torch.utils.data.DataLoader(data, batch_size=20, shuffle=True)
    >>> private = PrivateCallback(target_epsilon=3.0, target_delta=1e-3)
    >>> trainer = pl.Trainer(max_epochs=2, accelerator="cpu", callbacks=[private], logger=False,
    ...                      enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
    >>> trainer.fit(Classifier(), loader)
    >>> trainer.global_step, private.guarantee.epsilon(1e-3) <= 3.0
    (10, True)
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from reticent.errors import MissingExtra, UsageError
from reticent.integrations._account import lost_text, pass_over
from reticent.integrations._collation import try_out
from reticent.integrations._guest import Guest
from reticent.integrations._stand_ins import Batches, Source, Step
from reticent.integrations._wanted import Asked
from reticent.privacy import Clipping, Guarantee, Plan, Relation, Sampler, Unit
from reticent.randomness import Randomness
from reticent.training.planning import Wanted

try:
    from lightning.pytorch import Callback
    from lightning.pytorch.strategies import SingleDeviceStrategy
except ModuleNotFoundError as error:
    raise MissingExtra("lightning", "lightning", "reticent.integrations.lightning") from error

__all__ = ["PrivateCallback"]

_ALONE = "neither loss nor collation changes an example by what is beside it"
_LOGGED = "not covered: what training_step logs, and metrics of training data"


class PrivateCallback(Callback):  # type: ignore[misc]
    """Makes the training of the trainer it is given to differentially private; one callback for one training.

    Args:
        plan: a ready plan; or give what it is to be calibrated to.
        target_epsilon: epsilon of the promise after all steps of the trainer.
        target_delta: below 1/n.
        l2_clip_norm: the longest gradient that one example (or person) may contribute; 1.0 by default.
        unit: whose privacy is promised: `Unit.EXAMPLE` by default. `Unit.PERSON` without `owners` states that every
            person owns one record.
        owners: who owns each record of the training's data set, in its order: one identifier for each.
        rows_per_unit: for a promise to people who own several: over how many of a drawn person's records, chosen at
            random, her gradient is averaged before it is clipped.
        example_level: that the promise may be to single records although some people own several.
        clipping: how contributions are bounded, if not by one fixed threshold.
        sampling: how batches are drawn, if not by Poisson: see `reticent.privacy.samplers`.
        relation: which data sets are neighbours; `Relation.ADD_OR_REMOVE_ONE` by default, or what the sampler needs.
        physical_batch_size: the most examples (or people) held at once; whole batches by default.
        public_facts: what preparing the data took for public, for the guarantee's text.
        randomness: source of samples and noise: the operating system's by default.

    Raises:
        UsageError: neither a plan nor targets, or both.
    """

    def __init__(
        self,
        *,
        plan: Plan | None = None,
        target_epsilon: float | None = None,
        target_delta: float | None = None,
        l2_clip_norm: float | None = None,
        unit: Unit | None = None,
        owners: Any = None,
        rows_per_unit: int | None = None,
        example_level: bool = False,
        clipping: Clipping | None = None,
        sampling: Sampler | None = None,
        relation: Relation | None = None,
        physical_batch_size: int | None = None,
        public_facts: Sequence[str] = (),
        randomness: Randomness | None = None,
    ) -> None:
        self._asked = Asked(
            plan,
            Wanted(target_epsilon, target_delta, None, l2_clip_norm, unit, clipping, sampling, relation, rows_per_unit),
            owners,
            example_level,
            physical_batch_size,
            tuple(public_facts),
            randomness,
        ).checked()
        self._batches: Batches | None = None
        self._started: Guest | None = None
        self._saved: dict[str, Any] | None = None
        self._source: Any = None
        self._lost = 0

    @property
    def plan(self) -> Plan:
        """What is executed; known once the training has begun.

        Raises:
            UsageError: it has not begun.
        """
        return self._guest.plan

    @property
    def guarantee(self) -> Guarantee:
        """What has been promised so far: the guarantee of the batches drawn until now.

        Raises:
            UsageError: the training has not begun.
        """
        return self._guest.guarantee

    @property
    def ignored_examples(self) -> int:
        """How many examples had a gradient that was not finite. About the data: not covered."""
        return self._guest.ignored_examples

    @property
    def looped(self) -> bool:
        """Whether examples ran one by one, because training_step does what vmap cannot: as exact, but slow."""
        return self._guest.looped

    @property
    def _guest(self) -> Guest:
        if self._started is None:
            raise UsageError("Expected a training that has begun, got none.", "Call trainer.fit first.")
        return self._started

    # Lightning's hooks, in the order in which it calls them -------------------------------------------------------

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Put the private loader before the training's own."""
        if stage != "fit":
            return
        if self._batches is not None:
            raise UsageError(
                "Expected one training for each PrivateCallback, got a second one.",
                "Make another, and add up the guarantees with compose().",
            )
        _refuse(trainer, pl_module)
        self._batches = Batches(self._asked)
        self._source = trainer.fit_loop._data_source
        trainer.fit_loop._data_source = Source(self._source, self._batches)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Everything is there now: network, optimizer, number of steps, a checkpoint's state."""
        batches = self._batches
        if batches is None or trainer.train_dataloader is not batches or batches.loader is None:
            raise UsageError(
                "Expected to train on the private loader, got another one.",
                "Pass the callback to the Trainer, and one plain DataLoader to fit; this needs lightning 2.5 or newer.",
            )
        _refuse(trainer, pl_module)
        if len(trainer.optimizers) != 1:
            raise UsageError(f"Expected one optimizer, got {len(trainer.optimizers)}.", "Return one of them.")
        steps = trainer.estimated_stepping_batches
        if not isinstance(steps, int) or steps < 1:
            raise UsageError(f"Expected a training with an end, got {steps} steps.", "Set max_epochs or max_steps.")
        batches.length = int(trainer.num_training_batches)
        agreed = self._asked.agreed(rows=batches.size, batch_size=batches.loader.batch_size or 1, steps=steps)
        step = Step(pl_module)
        place = functools.partial(_placed, trainer, pl_module)
        with trainer.precision_plugin.train_step_context():
            found = try_out(batches.loader, pl_module, step.term, place)
        facts = (f"{_ALONE} ({found})", _LOGGED)
        folders = functools.partial(_folders, trainer)
        guest = Guest(pl_module, step.term, trainer.optimizers[0], batches.loader, agreed, folders, facts)
        guest.end = steps
        if trainer.global_step > 0:
            self._lost = guest.restore(self._saved, [Path(trainer.ckpt_path or "").parent, *folders()])
            _set_generators((self._saved or {})["generators"])
            _pass_over(trainer, self._lost, batches.length)
        step.attach(guest, place)
        trainer.optimizers[0].register_step_post_hook(functools.partial(_refuse_unfinished, guest))
        self._started = batches.guest = guest

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Right before the update: the gradients get their noise."""
        if trainer.accumulate_grad_batches != 1:
            raise UsageError(
                f"Expected accumulate_grad_batches=1, got {trainer.accumulate_grad_batches}.", "Leave it out."
            )
        self._guest.finish()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """What has been spent, as often as the trainer logs; and the end, where a stop has lost steps."""
        self._stop_at_the_end(trainer)
        if trainer.global_step % trainer.log_every_n_steps == 0 or trainer.is_last_batch:
            delta = self._guest.plan.delta
            spent = {"epsilon": self.guarantee.epsilon(delta), "delta": delta}
            pl_module.log_dict(spent, on_step=True, on_epoch=False, batch_size=1)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Nothing may be left to do."""
        self._stop_at_the_end(trainer)

    def _stop_at_the_end(self, trainer: Any) -> None:
        if self._lost and self._guest.drawn >= self._guest.end:
            trainer.should_stop = True  # the epochs that are left would be empty

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Leave trainer and module as they were."""
        if self._source is not None:
            trainer.fit_loop._data_source, self._source = self._source, None
        Step.detach(pl_module)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """The same after an error."""
        self.teardown(trainer, pl_module, "fit")

    def state_dict(self) -> dict[str, Any]:
        """The account, for checkpoints."""
        if self._started is None:
            return {}
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        return {**self._started.state(), "generators": [torch.get_rng_state(), *cuda]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The account of a checkpoint; it is checked when the training begins."""
        self._saved = state_dict or None


def _refuse(trainer: Any, module: Any) -> None:
    """Settings under which the accounting would not hold, or which would do nothing."""
    strategy = type(trainer.strategy).__name__
    for wrong, got, expected, remedy in (
        (
            not module.automatic_optimization,
            "automatic_optimization=False",
            "automatic optimization",
            "Use rt.make_private in a loop of your own.",
        ),
        (
            trainer.accumulate_grad_batches != 1,
            f"accumulate_grad_batches={trainer.accumulate_grad_batches}",
            "one optimizer step for each batch",
            "Raise the loader's batch_size, and set physical_batch_size to what fits into memory.",
        ),
        (
            trainer.gradient_clip_val is not None,
            f"gradient_clip_val={trainer.gradient_clip_val}",
            "clipping by example only: this would clip the noisy sum",
            "Leave it out; l2_clip_norm is the clipping norm.",
        ),
        (
            getattr(trainer.precision_plugin, "scaler", None) is not None,
            f"precision={trainer.precision!r}",
            "no loss scaling: it changes what is clipped",
            "Train with precision='bf16-mixed'.",
        ),
        (
            trainer.world_size != 1 or not isinstance(trainer.strategy, SingleDeviceStrategy),
            f"{trainer.world_size} with {strategy}",
            "one device",
            "Pass devices=1.",
        ),
        (trainer.overfit_batches > 0, "overfit_batches", "batches drawn from all records", "Leave it out."),
    ):
        if wrong:
            raise UsageError(f"Expected {expected}, got {got}.", remedy)


def _placed(trainer: Any, module: Any, batch: Any) -> Any:
    """What the trainer does to a batch between loader and training_step."""
    batch = module._on_before_batch_transfer(trainer.precision_plugin.convert_input(batch), dataloader_idx=0)
    return trainer.strategy.batch_to_device(batch, dataloader_idx=0)


def _refuse_unfinished(guest: Guest, *_: Any) -> None:
    if guest.pending:
        raise UsageError(
            "Expected noise before the optimizer's step, got a step without.",
            "Leave the optimizer's steps to the trainer, and its hooks in place.",
        )


def _set_generators(states: Sequence[torch.Tensor]) -> None:
    torch.set_rng_state(states[0])
    if len(states) > 1 and torch.cuda.is_initialized() and len(states) - 1 == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states[1:])


def _folders(trainer: Any) -> list[Any]:
    """Where checkpoints are written to."""
    found = [callback.dirpath for callback in trainer.checkpoint_callbacks if getattr(callback, "dirpath", None)]
    return found or [trainer.default_root_dir]


def _pass_over(trainer: Any, lost: int, length: int) -> None:
    """Steps that a stop has lost count as taken, so that all that counts steps goes on after them."""
    if not lost:
        return
    loop = trainer.fit_loop.epoch_loop
    loop.automatic_optimization.optim_progress.optimizer.step.total.increment_by(lost)
    if loop.batch_progress.current.processed + lost < length:  # otherwise the epochs that follow are shifted
        loop.batch_progress.increment_by(lost)
    if hasattr(loop, "_batches_that_stepped"):  # what loggers count
        loop._batches_that_stepped += lost
    for config in trainer.lr_scheduler_configs:
        if config.interval == "step" and not config.reduce_on_plateau:
            pass_over(config.scheduler, lost // config.frequency)
    warnings.warn(lost_text(lost, trainer.global_step), stacklevel=2)
