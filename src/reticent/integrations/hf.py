"""A Hugging Face `Trainer`, made private by one line.

Promise: after `private = make_private(trainer, ...)`, `trainer.train()` runs DP-SGD, and the trained parameters satisfy
`private.guarantee`. Batches are Poisson samples instead of shuffled ones; every example's loss is computed by
`trainer.compute_loss` from that example alone, so nothing in it can couple examples; gradients are clipped example by
example and get their noise right before the trainer's own optimizer and schedule take their step. Everything else
(logs, evaluation, checkpoints, `resume_from_checkpoint`, PEFT adapters, gradient checkpointing, bf16) stays the
trainer's.

Covered by other means than usual: a language model's loss is averaged over an example's own tokens, not over those of
the batch (`num_items_in_batch` would make every gradient depend on the other examples); `gradient_accumulation_steps`
times `per_device_train_batch_size` is the expected batch size, and the latter the most that is held at once;
`max_grad_norm` is switched off in favour of `l2_clip_norm`; `ignore_data_skip` is switched on, because a resumed run
draws its next batches by itself. These settings of `trainer.args` are changed in place. For a promise to people
(`unit=Unit.PERSON, owners=...`) batch size and epochs count people, and what is clipped is the gradient of the mean of
a person's rows' losses.

Stops: checkpoints hold the account. From the first one on, how many batches have been begun is written into
`args.output_dir` before each of them is used (`private-<name>.spent`, next to the checkpoints). A secure run that is
resumed goes on after the last of them: steps that were lost are charged, `global_step` and the schedule go past them,
and the run ends where it was planned to. Without that file a checkpoint is refused. Simulated runs repeat to the bit.
Checkpoints hold no past noise, as they get published: correlated noise starts anew, under the same promise.

Refused: fp16 (its loss scaling; bf16 works), several devices, data sets without a length, samplers by length, a
`training_step` of your own, optimizers that step inside the backward pass, `model_init`, collations that pack examples,
and, as far as a few examples show it, a collation or a loss (class weights, contrastive terms) that couples examples.
Exact but slow, one example after the other (`private.looped`): networks that decide in Python by what they draw or see;
of PEFT's adapters LoHa and LoKr, which throw a coin for each layer, and OFT.
Not covered: losses, token counts and metrics of training data, which the trainer prints and writes to its logs,
`trainer_state.json` and model cards; leave those out of what you publish. What `compute_loss` keeps outside of the
network. Every log gets `epsilon` and `delta`.

Why not a callback alone: a `TrainerCallback` is handed neither the trainer nor a way to exchange its loader, its
forward pass or its backward pass; it would have to patch local variables. Here the trainer's class is extended by the
three methods that transformers names as the ones to override (`get_train_dataloader`, `training_step`, `log`), and a
callback and a hook on the optimizer refuse every step that did not come this way.

Example:
    >>> import tempfile, torch
    >>> from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments
    >>> from reticent.integrations import hf
    >>> config = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
    ...                     intermediate_size=16, max_position_embeddings=16)
    >>> data = [{"input_ids": torch.randint(1, 50, (8,)), "labels": i % 2} for i in range(64)]
    >>> folder = tempfile.TemporaryDirectory()
    >>> args = TrainingArguments(folder.name, num_train_epochs=2, per_device_train_batch_size=16, use_cpu=True,
    ...                          report_to="none", disable_tqdm=True, logging_strategy="no", save_strategy="no")
    >>> trainer = Trainer(BertForSequenceClassification(config), args, train_dataset=data)
    >>> private = hf.make_private(trainer, target_epsilon=3.0, target_delta=1e-3)
    >>> trainer.train().global_step
    {'train_runtime': ...}
    8
    >>> private.guarantee.epsilon(1e-3) <= 3.0
    True
    >>> folder.cleanup()
"""

from __future__ import annotations

import functools
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from reticent.errors import MissingExtra, UsageError
from reticent.integrations._account import lost_text, pass_over
from reticent.integrations._collation import collated, try_out
from reticent.integrations._guest import Guest
from reticent.integrations._masks import batched_masks
from reticent.integrations._wanted import Asked
from reticent.privacy import Clipping, Guarantee, Plan, Relation, Sampler, Unit
from reticent.randomness import Randomness
from reticent.training.loading import plain_loader
from reticent.training.planning import Wanted

__all__ = ["PrivateTraining", "batched_masks", "make_private"]

_ALONE = "neither loss nor collation changes an example by what is beside it; padding is masked"
_WRITTEN = (
    "not covered: losses and token counts that the trainer writes to its logs, trainer_state.json and model cards"
)
_STEPS_IN_BACKWARD = ("lomo", "layerwise")


def make_private(
    trainer: Any,
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
) -> PrivateTraining:
    """Make a `transformers.Trainer` differentially private, in place; call it before `trainer.train()`.

    Args:
        trainer: a Trainer, or one of a class derived from it, that has not trained yet.
        plan: a ready plan; or give what it is to be calibrated to.
        target_epsilon: epsilon of the promise after all steps of the trainer.
        target_delta: below 1/n.
        l2_clip_norm: the longest gradient that one example (or person) may contribute; 1.0 by default.
        unit: whose privacy is promised: `Unit.EXAMPLE` by default. `Unit.PERSON` without `owners` states that every
            person owns one record.
        owners: who owns each record of `train_dataset`, in its order: one identifier for each.
        rows_per_unit: for a promise to people who own several: over how many of a drawn person's records, chosen at
            random, her gradient is averaged before it is clipped.
        example_level: that the promise may be to single records although some people own several.
        clipping: how contributions are bounded, if not by one fixed threshold.
        sampling: how batches are drawn, if not by Poisson: see `reticent.privacy.samplers`.
        relation: which data sets are neighbours; `Relation.ADD_OR_REMOVE_ONE` by default, or what the sampler needs.
        physical_batch_size: the most examples (or people) held at once; by default so many that
            `per_device_train_batch_size` records are.
        public_facts: what preparing the data took for public, for the guarantee's text.
        randomness: source of samples and noise: the operating system's by default.

    Raises:
        MissingExtra: transformers is not installed.
        UsageError: settings that the accounting does not cover; see the page.
        ModelError: a network that mixes examples.
    """
    library = _library()
    if not isinstance(trainer, library.Trainer):
        raise UsageError(
            f"Expected a transformers.Trainer, got {type(trainer).__name__}.",
            "For a loop of your own: rt.make_private.",
        )
    asked = Asked(
        plan,
        Wanted(target_epsilon, target_delta, None, l2_clip_norm, unit, clipping, sampling, relation, rows_per_unit),
        owners,
        example_level,
        physical_batch_size,
        tuple(public_facts),
        randomness,
    ).checked()
    _refuse(trainer, library)
    args = trainer.args
    expected = args.per_device_train_batch_size * args.gradient_accumulation_steps if plan is None else plan.batch_size
    loader = collated(_plain(trainer.get_train_dataloader()), batch_size=expected)
    size = plain_loader(loader)
    units = asked.units(size)
    length = -(-units // min(expected, units))
    steps = args.max_steps if args.max_steps > 0 else math.ceil(args.num_train_epochs * length)
    agreed = asked.agreed(rows=size, batch_size=expected, steps=steps, rows_at_once=args.per_device_train_batch_size)

    def term(batch: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return trainer.compute_loss(trainer.model, dict(batch)), {}

    with batched_masks():
        found = try_out(loader, trainer.model, term, trainer._prepare_inputs)
    if trainer.optimizer is None:
        trainer.create_optimizer()
    facts = (f"{_ALONE} ({found})", _WRITTEN)
    guest = Guest(trainer.model, term, trainer.optimizer, loader, agreed, lambda: [args.output_dir], facts)
    trainer.optimizer.register_step_pre_hook(lambda *_: guest.finish())
    args.gradient_accumulation_steps, args.max_grad_norm, args.ignore_data_skip = 1, 0.0, True
    batches = _Batches(guest, loader.dataset, length)
    kind: Any = type(trainer)
    trainer.__class__ = _private_class(kind)
    trainer._guest, trainer._private_batches, trainer._resumed_from = guest, batches, None
    trainer.add_callback(_callback_class()(guest, batches, trainer))
    return PrivateTraining(guest)


class PrivateTraining:
    """What `make_private` made of a trainer.

    Attributes:
        plan: what is executed.
    """

    def __init__(self, guest: Guest) -> None:
        self.plan: Plan = guest.plan
        self._guest = guest

    @property
    def guarantee(self) -> Guarantee:
        """What has been promised so far: the guarantee of the batches drawn until now."""
        return self._guest.guarantee

    @property
    def ignored_examples(self) -> int:
        """How many examples had a gradient that was not finite. About the data: not covered."""
        return self._guest.ignored_examples

    @property
    def looped(self) -> bool:
        """Whether examples ran one by one, because the network does what vmap cannot: as exact, but slow."""
        return self._guest.looped

    def __repr__(self) -> str:
        done, epsilon = self._guest.drawn, self.guarantee.epsilon(self.plan.delta)
        return f"PrivateTraining(step {done} of {self.plan.steps}, epsilon {epsilon:.4g} so far)"


def _library() -> Any:
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise MissingExtra("transformers", "hf", "reticent.integrations.hf") from error
    return transformers


def _refuse(trainer: Any, library: Any) -> None:
    """Settings under which the accounting would not hold, or nothing would happen."""
    args, kind = trainer.args, type(trainer)
    optimizer = str(getattr(args.optim, "value", args.optim))
    sampling = getattr(args, "train_sampling_strategy", "random")
    devices = max(args.world_size, args.n_gpu)
    sharded = trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled or trainer.is_model_parallel
    for wrong, got, expected, remedy in (
        (hasattr(trainer, "_guest"), "one that is private", "an ordinary trainer", "Call make_private once."),
        (
            kind.training_step is not library.Trainer.training_step,
            f"{kind.__name__}.training_step",
            "the Trainer's own training_step, which this replaces",
            "Change the loss in compute_loss, or use rt.make_private in a loop of your own.",
        ),
        (trainer.model_init is not None, "model_init", "a model", "Pass model=...; tuning is a release of its own."),
        (args.fp16, "fp16=True", "no loss scaling: it changes what is clipped", "Train with bf16=True."),
        (devices > 1, f"{devices} devices", "one device", "Start one process with one device."),
        (sharded, "a sharded model", "a model on one device", "Leave DeepSpeed, FSDP and device maps out."),
        (
            args.auto_find_batch_size,
            "auto_find_batch_size=True",
            "a batch size that is known beforehand",
            "Set per_device_train_batch_size (held at once) and gradient_accumulation_steps.",
        ),
        (
            sampling not in {"random", "sequential"},
            f"train_sampling_strategy={sampling!r}",
            "records that are sampled alike",
            "Leave it out: batches are Poisson samples.",
        ),
        (
            any(word in optimizer for word in _STEPS_IN_BACKWARD),
            f"optim={optimizer!r}",
            "an optimizer that steps after the backward pass",
            "Use for instance adamw_torch.",
        ),
        (
            args.restore_callback_states_from_checkpoint,
            "restore_callback_states_from_checkpoint=True",
            "callbacks that stay",
            "Leave it out: the account of a private training is restored in any case.",
        ),
        (
            trainer.train_dataset is None,
            "no train_dataset",
            "training records",
            "Pass train_dataset=... to the trainer.",
        ),
    ):
        if wrong:
            raise UsageError(f"Expected {expected}, got {got}.", remedy)


def _plain(loader: Any) -> Any:
    """The trainer's own loader, if its order carries no meaning."""
    from torch.utils.data import RandomSampler, SequentialSampler

    own = getattr(loader, "batch_sampler", None)
    sampler = getattr(own, "sampler", None)
    # accelerate's own has the order of a RandomSampler
    known = isinstance(sampler, RandomSampler | SequentialSampler) or type(sampler).__name__ == "SeedableRandomSampler"
    if not known and not isinstance(getattr(loader, "dataset", None), torch.utils.data.IterableDataset):
        raise UsageError(
            f"Expected a loader that shuffles plainly, got {type(sampler).__name__}: its choice of examples would be "
            "replaced by Poisson sampling.",
            "Leave get_train_dataloader as it is; balance classes in the loss.",
        )
    return loader


class _Batches:
    """What the trainer takes for its loader."""

    def __init__(self, guest: Guest, dataset: Any, length: int) -> None:
        self.dataset = dataset
        self._guest, self._length = guest, length

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Any]:
        return self._guest.epoch(self._length)


@functools.cache
def _private_class(kind: Any) -> type:
    class Private(kind):  # type: ignore[misc]
        """A trainer whose steps are private."""

        _guest: Guest
        _private_batches: _Batches
        _resumed_from: str | None

        def train(self, resume_from_checkpoint: Any = None, *rest: Any, **named: Any) -> Any:
            """The trainer's training; its checkpoint's folder is where the journal is looked for."""
            path = resume_from_checkpoint
            if isinstance(path, str | os.PathLike):
                self._resumed_from = os.path.dirname(os.path.abspath(path))
            else:
                self._resumed_from = self.args.output_dir if path else None
            return super().train(resume_from_checkpoint, *rest, **named)

        def get_train_dataloader(self) -> Any:
            """The plan's batches."""
            return self._private_batches

        def training_step(self, model: torch.nn.Module, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
            """Forward and backward passes of one batch; num_items_in_batch would couple its examples."""
            model.train()
            if hasattr(self.optimizer, "train") and callable(self.optimizer.train):
                self.optimizer.train()  # schedule-free optimizers
            with batched_masks():
                loss, _ = self._guest.backward(self._prepare_inputs(inputs), self._prepare_inputs)
            return loss.to(self.args.device)

        def log(self, logs: dict[str, float], *rest: Any, **named: Any) -> None:
            """The trainer's logs, with what has been spent; its grad_norm is of the time before there are gradients."""
            delta = self._guest.plan.delta
            spent = {"epsilon": self._guest.guarantee.epsilon(delta), "delta": delta}
            own = {name: value for name, value in logs.items() if name != "grad_norm"}
            super().log({**own, **spent}, *rest, **named)

    Private.__name__ = Private.__qualname__ = f"Private{kind.__name__}"
    return Private


def _pass_over(trainer: Any, lost: int, state: Any, scheduler: Any) -> None:
    """Steps that a stop has lost count as taken."""
    if not lost:
        return
    state.global_step += lost
    for name in ("_initial_global_step", "_globalstep_last_logged"):  # what losses are averaged over
        if hasattr(trainer, name):
            setattr(trainer, name, state.global_step)
    pass_over(scheduler, lost)
    warnings.warn(lost_text(lost, state.global_step), stacklevel=2)


@functools.cache
def _callback_class() -> type:
    from transformers.trainer_callback import ExportableState, TrainerCallback

    class PrivateCallback(TrainerCallback, ExportableState):  # type: ignore[misc]
        """Keeps the account in checkpoints, and watches that every step was a private one."""

        def __init__(self, guest: Guest, batches: _Batches, trainer: Any) -> None:
            self._guest, self._batches, self._trainer = guest, batches, trainer

        def state(self) -> dict[str, Any]:
            return {"args": {}, "attributes": self._guest.state()}

        def on_train_begin(self, args: Any, state: Any, control: Any, **named: Any) -> None:
            if named.get("train_dataloader") is not self._batches or args.gradient_accumulation_steps != 1:
                raise UsageError(
                    "Expected the trainer as make_private left it, got another loader or accumulation.",
                    "Call make_private last, right before train().",
                )
            if state.max_steps > self._guest.plan.steps:
                raise UsageError(
                    f"Expected at most {self._guest.plan.steps} steps, as planned, got {state.max_steps}.",
                    "Set epochs and batch sizes before make_private.",
                )
            self._guest.end = state.max_steps
            if self._trainer._resumed_from is not None:
                # A stop while a checkpoint was written leaves parameters without trainer_state.json; it starts at 0.
                saved = state.stateful_callbacks.get(type(self).__name__) if state.global_step > 0 else None
                folders = [self._trainer._resumed_from, args.output_dir]
                lost = self._guest.restore((saved or {}).get("attributes"), folders)
                _pass_over(self._trainer, lost, state, named.get("lr_scheduler"))
            self._watch(state)

        def on_step_end(self, args: Any, state: Any, control: Any, **named: Any) -> None:
            self._watch(state)
            state.epoch = self._guest.drawn / len(self._batches)  # right also within a resumed epoch

        def _watch(self, state: Any) -> None:
            if self._guest.drawn != state.global_step:
                raise UsageError(
                    f"Expected one private batch for every step, got {self._guest.drawn} for {state.global_step}.",
                    "Train once after make_private; go on with resume_from_checkpoint and a new trainer.",
                )

    return PrivateCallback
