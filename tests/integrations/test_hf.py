"""A real Hugging Face Trainer, made private, takes the steps of DP-SGD written by hand."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from tests.oracles import gradients as oracle
from tests.oracles.batches import batches_of
from torch import nn

from reticent.errors import MissingExtra, UsageError
from reticent.integrations import hf
from reticent.privacy import (
    Clipping,
    Cyclic,
    FixedSize,
    Plan,
    PoissonRows,
    RandomAllocation,
    Relation,
    Shuffled,
    TruncatedPoisson,
    Unit,
    WithReplacement,
)
from reticent.randomness import Randomness
from reticent.training.owning import Owners

transformers = pytest.importorskip("transformers")
masking_utils = pytest.importorskip("transformers.masking_utils")

WORDS, LENGTH, N = 40, 9, 24
DRAW = np.random.default_rng(3)


def sentences():
    """Token sequences of several lengths."""
    return [torch.from_numpy(DRAW.integers(2, WORDS, DRAW.integers(3, LENGTH + 1))) for _ in range(N)]


SENTENCES = sentences()
CLASSES = [int(value) for value in DRAW.integers(0, 3, N)]


def padded(examples):
    """To the longest of the batch, with a mask; padded tokens are nobody's target."""
    longest = max(len(example["input_ids"]) for example in examples)
    rows = [nn.functional.pad(example["input_ids"], (0, longest - len(example["input_ids"]))) for example in examples]
    batch = {"input_ids": torch.stack(rows)}
    batch["attention_mask"] = (batch["input_ids"] > 0).long()
    if "labels" in examples[0]:
        batch["labels"] = torch.tensor([example["labels"] for example in examples])
    else:
        batch["labels"] = batch["input_ids"].masked_fill(batch["input_ids"] == 0, -100)
    return batch


def filled(model):
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


def gpt2(dropout=0.0, **options):
    names = ("attn_pdrop", "embd_pdrop", "resid_pdrop")
    config = transformers.GPT2Config(
        vocab_size=WORDS,
        n_embd=8,
        n_layer=2,
        n_head=2,
        n_positions=16,
        bos_token_id=1,
        eos_token_id=1,
        **dict.fromkeys(names, dropout),
        **options,
    )
    return filled(transformers.GPT2LMHeadModel(config))


def bert(dropout=0.0, labels=3):
    config = transformers.BertConfig(
        vocab_size=WORDS,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=16,
        num_labels=labels,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    return filled(transformers.BertForSequenceClassification(config))


TEXTS = [{"input_ids": tokens} for tokens in SENTENCES]
LABELLED = [{"input_ids": tokens, "labels": label} for tokens, label in zip(SENTENCES, CLASSES, strict=True)]


def arguments(folder, **options):
    defaults = {
        "max_steps": 6,
        "per_device_train_batch_size": 6,
        "learning_rate": 0.1,
        "lr_scheduler_type": "constant",
        "use_cpu": True,
        "report_to": "none",
        "disable_tqdm": True,
        "logging_strategy": "no",
        "save_strategy": "no",
    }
    return transformers.TrainingArguments(str(folder), **{**defaults, **options})


def trainer_of(folder, model=None, data=None, *, kind=None, sgd=True, optimizers=None, collate=padded, **options):
    model = gpt2() if model is None else model
    if optimizers is None:
        made = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        optimizers = (made if sgd else None, None)
    return (kind or transformers.Trainer)(
        model,
        arguments(folder, **options),
        train_dataset=TEXTS if data is None else data,
        data_collator=collate,
        optimizers=optimizers,
    )


def plan_of(noise=0.0, *, steps=6, batch_size=6, clip=0.5, **options):
    return Plan(noise, N, batch_size, steps, l2_clip_norm=clip, delta=1e-3, **options)


def private_of(trainer, *, plan=None, seed=1, **options):
    return hf.make_private(
        trainer, plan=plan_of() if plan is None else plan, randomness=Randomness.simulated(seed), **options
    )


def by_hand(model, data, plan, loss, *, seed=1, rate=0.1):
    """DP-SGD without its noise: one example at a time, alone and without padding."""
    source = Randomness.simulated(seed).spawn("sampling")
    batches = batches_of(plan.dataset_size, plan.batch_size, plan.steps, source, plan.sampling)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.train()
    for rows in batches:
        totals = [torch.zeros_like(parameter) for parameter in parameters]
        for row in rows:
            found = torch.autograd.grad(loss(model, padded([data[row]])), parameters, allow_unused=True)
            own = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]
            norm = float(torch.cat([g.flatten() for g in own]).norm())
            for total, gradient in zip(totals, own, strict=True):
                total.add_(gradient * min(1.0, plan.l2_clip_norm / norm))
        with torch.no_grad():
            for parameter, total in zip(parameters, totals, strict=True):
                parameter.sub_(rate * total / plan.batch_size)
    return model


def own_loss(model, batch):
    return model(**batch).loss


def assert_same(model, expected, **tolerances):
    assert model.state_dict().keys() == expected.state_dict().keys()
    for (name, one), other in zip(model.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, **{"rtol": 1e-9, "atol": 1e-11, **tolerances}, msg=name)


# The same steps ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("accumulated", [1, 3])
def test_a_language_model_equals_private_sgd_by_hand(tmp_path, accumulated):
    model = gpt2().double()
    trainer = trainer_of(
        tmp_path, model, per_device_train_batch_size=6 // accumulated, gradient_accumulation_steps=accumulated
    )
    private = private_of(trainer)
    trainer.train()
    assert not private.looped
    assert_same(model, by_hand(gpt2().double(), TEXTS, plan_of(), own_loss))
    assert not torch.equal(model.lm_head.weight, gpt2().double().lm_head.weight)


@pytest.mark.slow
def test_a_loss_over_the_tokens_of_the_batch_would_be_something_else(tmp_path):
    """What transformers does by itself: the batch's token count in every example's gradient. The oracle sees it."""
    model = gpt2().double()
    trainer = trainer_of(tmp_path, model)
    private_of(trainer)
    trainer.train()

    def coupled(network, batch):
        count = int((batch["labels"][:, 1:] != -100).sum())
        return network(**batch).loss * count / 5

    with pytest.raises(AssertionError):
        assert_same(model, by_hand(gpt2().double(), TEXTS, plan_of(clip=1e6), coupled))


@pytest.mark.slow
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_classifier_equals_private_sgd_by_hand(tmp_path, smoothing):
    def loss(model, batch):
        outputs = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        return nn.functional.cross_entropy(outputs, batch["labels"], label_smoothing=smoothing)

    model = bert().double()
    trainer = trainer_of(tmp_path, model, LABELLED, label_smoothing_factor=smoothing)
    private_of(trainer)
    trainer.train()
    assert_same(model, by_hand(bert().double(), LABELLED, plan_of(), loss))


WEIGHT = torch.tensor([1.0, 5.0, 2.0], dtype=torch.float64)


class Weighted(transformers.Trainer):
    """Class weights, as they go together with a promise."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        labels = inputs.pop("labels")
        terms = nn.functional.cross_entropy(model(**inputs).logits, labels, reduction="none")
        return (WEIGHT[labels] * terms).mean()


class TorchWeighted(transformers.Trainer):
    """Class weights as torch has them: it divides by the weights of the batch, so for one example they cancel."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        labels = inputs.pop("labels")
        return nn.functional.cross_entropy(model(**inputs).logits, labels, weight=WEIGHT)


class Contrastive(transformers.Trainer):
    """Which text belongs to which row: alone there is nothing to tell apart."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        logits = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits
        return nn.functional.cross_entropy(logits @ logits.T, torch.arange(len(logits)))


@pytest.mark.slow
def test_a_loss_of_ones_own_is_computed_for_each_example(tmp_path):
    def loss(model, batch):
        return WEIGHT[batch["labels"][0]] * model(**batch).loss

    model = bert().double()
    trainer = trainer_of(tmp_path, model, LABELLED, kind=Weighted)
    private_of(trainer)
    trainer.train()
    assert_same(model, by_hand(bert().double(), LABELLED, plan_of(), loss))


@pytest.mark.parametrize("kind", [TorchWeighted, Contrastive])
def test_losses_that_couple_examples_are_refused(tmp_path, kind):
    with pytest.raises(UsageError, match=r"a loss with one term per example.*neither their mean or sum"):
        private_of(trainer_of(tmp_path, bert().double(), LABELLED, kind=kind))


@pytest.mark.slow
def test_checkpointed_layers_give_the_same(tmp_path):
    found = []
    for checkpointing in (False, True):
        model = gpt2(dropout=0.2)
        trainer = trainer_of(tmp_path, model, activation_checkpointing=checkpointing)
        private = private_of(trainer, plan=plan_of(0.5))
        trainer.train()
        assert not private.looped
        found.append(model)
    # The order of random numbers under recomputation is the same, rounding need not be.
    assert_same(*found, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_bfloat16_autocast(tmp_path):
    model = gpt2()
    trainer = trainer_of(tmp_path, model, bf16=True)
    private_of(trainer)
    trainer.train()
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    exact = by_hand(gpt2(), TEXTS, plan_of(), own_loss)
    moved = torch.cat([(a - b).flatten() for a, b in zip(exact.parameters(), gpt2().parameters(), strict=True)])
    apart = torch.cat([(a - b).flatten() for a, b in zip(exact.parameters(), model.parameters(), strict=True)])
    assert 0 < apart.norm() < 0.1 * moved.norm()


def test_the_noise_is_the_plans(tmp_path):
    """Chi-square, level 1e-6; two thirds and three halves of the deviation are rejected."""
    plan = plan_of(200.0, steps=1)
    model = gpt2()
    trainer = trainer_of(tmp_path, model, max_steps=1)
    trainer.optimizer.param_groups[0]["lr"] = 1.0
    hf.make_private(trainer, plan=plan)
    trainer.train()
    moved = torch.cat([(a - b).flatten() for a, b in zip(model.parameters(), gpt2().parameters(), strict=True)])
    planned = plan.noise_multiplier * plan.l2_clip_norm / plan.batch_size
    low, high = chi2.ppf(5e-7, len(moved)), chi2.isf(5e-7, len(moved))
    total = float((moved.double() ** 2).sum().detach())
    assert low <= total / planned**2 <= high
    for wrong in (2 / 3, 3 / 2):
        assert not low <= total / (wrong * planned) ** 2 <= high


def test_empty_batches_take_their_step(tmp_path):
    trainer = trainer_of(tmp_path, max_steps=8)
    private = private_of(trainer, plan=plan_of(1.0, batch_size=1, steps=8))
    source = Randomness.simulated(1).spawn("sampling")
    sizes = [len(rows) for rows in batches_of(N, 1, 8, source)]
    trainer.train()
    assert 0 in sizes
    assert private.guarantee.mechanisms[0].count == trainer.state.global_step == 8


# People, and other samplers -----------------------------------------------------------------------------------------

NAMES = np.array([*range(6), *np.repeat(np.arange(6, 12), 3)])  # six people with one text, six with three


def people_by_hand(model, data, plan, loss, *, seed=1, rate=0.1):
    """DP-SGD over people without its noise: the mean gradient of her rows, each computed alone, is clipped as one."""
    source, owners = Randomness.simulated(seed).spawn("sampling"), Owners(NAMES)
    parameters = list(model.parameters())
    model.train()
    for number, batch in enumerate(batches_of(plan.dataset_size, plan.batch_size, plan.steps, source)):
        totals = [torch.zeros_like(parameter) for parameter in parameters]
        for rows in owners.rows(batch, plan.rows_per_unit, source.spawn(f"rows {number}")):
            mean = sum(loss(model, padded([data[row]])) for row in rows) / len(rows)
            found = torch.autograd.grad(mean, parameters, allow_unused=True)
            own = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]
            norm = float(torch.cat([g.flatten() for g in own]).norm())
            for total, gradient in zip(totals, own, strict=True):
                total.add_(gradient * min(1.0, plan.l2_clip_norm / norm))
        with torch.no_grad():
            for parameter, total in zip(parameters, totals, strict=True):
                parameter.sub_(rate * total / plan.batch_size)
    return model


def of_people(**changes):
    values = {"batch_size": 4, "steps": 6, "l2_clip_norm": 0.5, "delta": 1e-3, "unit": Unit.PERSON, "rows_per_unit": 2}
    return Plan(0.0, 12, **{**values, **changes})


@pytest.mark.slow
@pytest.mark.parametrize("held", [4, 12])
def test_a_persons_gradient_is_clipped_as_one(tmp_path, held):
    """Texts of several lengths: a loss over the tokens of all her texts would weigh them otherwise."""
    model = gpt2().double()
    trainer = trainer_of(tmp_path, model, per_device_train_batch_size=held)
    private = private_of(trainer, plan=of_people(), owners=NAMES)
    trainer.train()
    assert not private.looped
    assert private._guest._loader.physical_batch_size == held // 2
    assert_same(model, people_by_hand(gpt2().double(), TEXTS, of_people(), own_loss))
    with pytest.raises(AssertionError):  # of rows instead of people
        assert_same(model, people_by_hand(gpt2().double(), TEXTS, of_people(l2_clip_norm=1e6), own_loss))
    text = private.guarantee.text(1e-3)
    assert "unit: person" in text
    assert "owns one row" not in text
    assert "n = 12" in text


def test_people_need_a_collation_that_keeps_the_order(tmp_path):
    """One that sorts goes unnoticed by the losses of examples that are sorted already; rows of people tell it."""

    def by_length(examples):
        return padded(sorted(examples, key=lambda one: len(one["input_ids"])))

    texts = sorted(TEXTS, key=lambda one: len(one["input_ids"]))  # the first examples keep their places
    private_of(trainer_of(tmp_path, data=texts, collate=by_length))
    with pytest.raises(UsageError, match="keeps the order of its examples"):
        private_of(trainer_of(tmp_path, data=texts, collate=by_length), plan=of_people(), owners=NAMES)
    private = private_of(trainer_of(tmp_path), plan=of_people(), owners=NAMES)
    assert "collation keeps the order of the rows (tried on some records)" in private.guarantee.assumptions


@pytest.mark.slow
def test_people_are_counted_where_the_plan_is_calibrated(tmp_path):
    trainer = trainer_of(tmp_path, max_steps=-1, num_train_epochs=2, per_device_train_batch_size=4, sgd=False)
    private = hf.make_private(
        trainer, target_epsilon=4.0, target_delta=1e-3, unit=Unit.PERSON, owners=NAMES, rows_per_unit=3
    )
    plan = private.plan
    assert (plan.dataset_size, plan.batch_size, plan.steps, plan.rows_per_unit) == (12, 4, 6, 3)
    trainer.train()
    assert trainer.state.global_step == 6
    assert private.guarantee.epsilon(1e-3) <= 4.0


def test_rows_of_people_who_own_several_are_protected_only_by_name(tmp_path):
    with pytest.raises(UsageError, match=r"promise to people, got Unit\.EXAMPLE for 24 rows of 12 owners"):
        private_of(trainer_of(tmp_path), owners=NAMES)
    private = private_of(trainer_of(tmp_path), owners=NAMES, example_level=True)
    assert "the promise is to single rows: some people own up to 3" in private.guarantee.assumptions
    with pytest.raises(ValueError, match="one owner for each of 24 rows, got 12"):
        private_of(trainer_of(tmp_path), owners=NAMES[:12], example_level=True)
    rows = Plan(1.0, N, 6, 6, delta=1e-3, unit=Unit.PERSON, sampling=PoissonRows(2))
    with pytest.raises(UsageError, match="at most 2 rows for each person, got one with 3"):
        private_of(trainer_of(tmp_path), plan=rows, owners=NAMES)


SAMPLERS = [RandomAllocation(), Shuffled(), Cyclic(2), TruncatedPoisson(8), FixedSize(), WithReplacement()]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_batches_are_those_of_the_plans_sampler(tmp_path, sampler):
    plan = plan_of(sampling=sampler, relation=sampler.relations[0])
    model = bert().double()
    trainer = trainer_of(tmp_path, model, LABELLED)
    private = private_of(trainer, plan=plan)
    trainer.train()
    assert_same(model, by_hand(bert().double(), LABELLED, plan, own_loss))
    assert private.guarantee.mechanisms == plan.guarantee().mechanisms
    assert sampler.assumption in private.guarantee.assumptions


def test_the_grid_of_a_plan_is_kept(tmp_path):
    """One step at the rate 0.1: every number moves by whole steps of the grid."""
    model = bert().double()
    trainer = trainer_of(tmp_path, model, LABELLED, max_steps=1)
    private = private_of(trainer, plan=plan_of(1.0, steps=1, grid=2**-10))
    trainer.train()
    assert private.guarantee.mechanisms == private.plan.guarantee().mechanisms
    step = 0.1 * 0.5 / 6 * private._guest._sum._grid[1]
    moved = torch.cat(
        [(a - b).flatten() for a, b in zip(model.parameters(), bert().double().parameters(), strict=True)]
    )
    torch.testing.assert_close(moved / step, (moved / step).round(), rtol=0, atol=1e-6)
    assert moved.any()


def test_a_sampler_can_be_asked_for(tmp_path):
    private = hf.make_private(trainer_of(tmp_path), target_epsilon=4.0, target_delta=1e-3, sampling=FixedSize())
    assert (private.plan.sampling, private.plan.relation) == (FixedSize(), Relation.REPLACE_ONE)
    with pytest.raises(UsageError, match="REPLACE_ONE with FixedSize"):
        hf.make_private(
            trainer_of(tmp_path),
            target_epsilon=4.0,
            target_delta=1e-3,
            sampling=FixedSize(),
            relation=Relation.ADD_OR_REMOVE_ONE,
        )


# The promise -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "steps", "epochs"),
    [({"max_steps": 7}, 7, 2), ({"max_steps": -1, "num_train_epochs": 3}, 15, 3)],
)
def test_the_plan_is_calibrated_for_the_trainers_steps_and_logged(tmp_path, options, steps, epochs):
    trainer = trainer_of(
        tmp_path, per_device_train_batch_size=5, logging_steps=2, logging_strategy="steps", sgd=False, **options
    )
    private = hf.make_private(trainer, target_epsilon=2.0, target_delta=1e-3, unit=Unit.PERSON)
    assert private.plan.steps == steps
    assert private.guarantee.epsilon(1e-3) == 0.0
    trainer.train()
    assert trainer.state.global_step == private.guarantee.mechanisms[0].count == steps
    assert 0.9 * 2.0 < private.guarantee.epsilon(1e-3) <= 2.0
    assert trainer.state.epoch == pytest.approx(steps / 5)
    assert trainer.state.num_train_epochs == epochs
    logs = [log for log in trainer.state.log_history if "loss" in log]
    assert [log["epsilon"] for log in logs] == [private.plan.guarantee(steps=log["step"]).epsilon(1e-3) for log in logs]
    assert {log["delta"] for log in logs} == {1e-3}
    assert not any("grad_norm" in log for log in logs)
    text = private.guarantee.text(1e-3)
    assert "SIMULATION" not in text
    for part in ("every person owns one row", "padding is masked", "trainer_state.json and model cards"):
        assert part in text
    assert f"step {steps} of {steps}" in repr(private)


def test_clipping_groups_have_the_networks_own_names(tmp_path):
    trainer = trainer_of(tmp_path)
    clipping = Clipping(groups={"transformer.wte": 1.0, "transformer.h.0": 2.0})
    hf.make_private(trainer, target_epsilon=2.0, target_delta=1e-3, clipping=clipping)
    trainer.train()


# Stops -------------------------------------------------------------------------------------------------------------


def saving(folder, seed=1, sampler=None, **options):
    trainer = trainer_of(
        folder, gpt2(dropout=0.3), max_steps=9, save_strategy="steps", save_steps=7, sgd=False, **options
    )
    chosen = {} if sampler is None else {"sampling": sampler, "relation": sampler.relations[0]}
    private = hf.make_private(
        trainer,
        plan=plan_of(0.5, steps=9, clipping=Clipping(quantile=0.5), **chosen),
        randomness=None if seed is None else Randomness.simulated(seed),
    )
    return trainer, private


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [None, RandomAllocation(), Shuffled(), Cyclic(2)], ids=repr)
def test_a_resumed_run_is_the_same_to_the_bit(tmp_path, sampler):
    """Four batches an epoch: the checkpoint at step 7 lies inside one, and inside a turn of the sampler."""
    whole, before = saving(tmp_path / "whole", sampler=sampler)
    whole.train()
    resumed, private = saving(tmp_path / "again", sampler=sampler)
    resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-7"))
    assert_same(resumed.model, whole.model, rtol=0, atol=0)
    assert private.guarantee == before.guarantee
    assert resumed.state.epoch == whole.state.epoch == 9 / 4
    state = json.loads((tmp_path / "whole" / "checkpoint-7" / "trainer_state.json").read_text())
    account = state["stateful_callbacks"]["PrivateCallback"]["attributes"]
    assert (account["drawn"], account["journal"]) == (7, None)
    assert not list(tmp_path.rglob("*.spent"))


@pytest.mark.slow
def test_checkpoints_of_other_trainings_are_refused(tmp_path):
    trainer_of(tmp_path, max_steps=7, save_strategy="steps", save_steps=7, sgd=False).train()
    with pytest.raises(UsageError, match="got one without its account"):
        saving(tmp_path)[0].train(resume_from_checkpoint=str(tmp_path / "checkpoint-7"))
    saving(tmp_path / "other", seed=2)[0].train()
    with pytest.raises(UsageError, match="its randomness differs"):
        saving(tmp_path)[0].train(resume_from_checkpoint=str(tmp_path / "other" / "checkpoint-7"))


# What is refused ---------------------------------------------------------------------------------------------------


class OwnStep(transformers.Trainer):
    def training_step(self, *args, **named):
        return super().training_step(*args, **named)


class OwnLoader(transformers.Trainer):
    def get_train_dataloader(self):
        sampler = torch.utils.data.WeightedRandomSampler(torch.ones(N), N)
        return torch.utils.data.DataLoader(TEXTS, batch_size=6, sampler=sampler, collate_fn=padded)


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter(TEXTS)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"fp16": True}, "fp16=True.*bf16=True"),
        ({"auto_find_batch_size": True}, "auto_find_batch_size"),
        (
            {"train_sampling_strategy": "group_by_length"},
            "sampled alike, got train_sampling_strategy='group_by_length'",
        ),
        ({"restore_callback_states_from_checkpoint": True}, "callbacks that stay"),
        ({"optim": "galore_adamw_layerwise", "optim_target_modules": "all-linear"}, "after the backward pass"),
        ({"kind": OwnStep}, "got OwnStep.training_step.*compute_loss"),
        ({"kind": OwnLoader}, "shuffles plainly, got WeightedRandomSampler"),
        ({"data": Stream()}, "got a stream"),
        ({"data": []}, "at least one record|got an empty data set|num_samples"),
    ],
)
def test_settings_that_the_accounting_does_not_cover(tmp_path, options, text):
    with pytest.raises(ValueError, match=text):
        private_of(trainer_of(tmp_path, **options))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "Expected target_epsilon and target_delta"),
        ({"target_epsilon": 3.0}, "got no target_delta"),
        ({"target_epsilon": 3.0, "target_delta": 0.5}, "target|delta < 1/n"),
        (
            {"plan": plan_of(1.0), "l2_clip_norm": 1.0},
            "either a plan, or what it is to be calibrated to, got a plan and l2_clip_norm",
        ),
        ({"plan": plan_of(1.0, steps=5)}, "a plan for the 6 steps of this trainer, got one for 5"),
        ({"plan": Plan(1.0, N + 1, 6, 6, delta=1e-3)}, "this data set of 24 records, got one for 25"),
        ({"plan": plan_of(1.0), "physical_batch_size": 0}, "physical_batch_size >= 1"),
        ({"plan": plan_of(1.0), "randomness": 7}, "Expected a Randomness"),
    ],
)
def test_values_that_promise_nothing_are_refused(tmp_path, options, text):
    with pytest.raises(ValueError, match=text):
        hf.make_private(trainer_of(tmp_path), **options)


def test_what_is_no_trainer_is_refused():
    with pytest.raises(UsageError, match=r"Expected a transformers\.Trainer, got Linear"):
        hf.make_private(nn.Linear(1, 1), target_epsilon=1.0, target_delta=1e-3)


def test_model_init_and_second_calls_are_refused(tmp_path):
    def started():
        return gpt2()

    trainer = transformers.Trainer(
        model_init=started, args=arguments(tmp_path), train_dataset=TEXTS, data_collator=padded
    )
    with pytest.raises(UsageError, match="Expected a model, got model_init"):
        private_of(trainer)
    trainer = trainer_of(tmp_path)
    private_of(trainer)
    with pytest.raises(UsageError, match="Call make_private once"):
        private_of(trainer)


def test_networks_that_mix_examples_are_refused(tmp_path):
    class Mixing(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.norm, self.head = nn.Embedding(WORDS, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)

        def forward(self, input_ids, labels):
            outputs = self.head(self.norm(self.table(input_ids).mean(1)))
            return {"loss": nn.functional.cross_entropy(outputs, labels)}

    data = [{"input_ids": torch.arange(4), "labels": i % 3} for i in range(N)]
    trainer = trainer_of(tmp_path, Mixing(), data, collate=None)
    with pytest.raises(ValueError, match=r"norm \(BatchNorm1d\) mixes them"):
        private_of(trainer)


@pytest.mark.slow
def test_steps_from_elsewhere_are_refused(tmp_path):
    trainer = trainer_of(tmp_path)
    private_of(trainer)
    before = [parameter.detach().clone() for parameter in trainer.model.parameters()]
    with pytest.raises(UsageError, match="got one without a batch"):
        trainer.optimizer.step()
    with pytest.raises(UsageError, match="got one without a batch"):
        trainer.training_step(trainer.model, padded(TEXTS[:3]))
    assert all(map(torch.equal, before, trainer.model.parameters()))
    trainer.train()
    with pytest.raises(UsageError, match=r"6 for 0\. Train once after make_private"):
        trainer.train()


class Stray(transformers.TrainerCallback):
    """Brings the parameters a gradient of its own."""

    def on_pre_optimizer_step(self, args, state, control, model=None, **named):
        sum(parameter.sum() for parameter in model.parameters()).backward()


@pytest.mark.slow
def test_gradients_from_elsewhere_are_refused(tmp_path):
    trainer = trainer_of(tmp_path)
    private_of(trainer)
    trainer.add_callback(Stray())
    with pytest.raises(UsageError, match=r"from the examples' losses only, but transformer\.wte\.weight has another"):
        trainer.train()


@pytest.mark.slow
def test_settings_that_are_changed_afterwards_are_noticed(tmp_path):
    trainer = trainer_of(tmp_path)
    private_of(trainer)
    trainer.args.max_steps = 7
    with pytest.raises(UsageError, match="at most 6 steps, as planned, got 7"):
        trainer.train()
    trainer = trainer_of(tmp_path)
    private_of(trainer)
    trainer.args.gradient_accumulation_steps = 2
    with pytest.raises(UsageError, match="another loader or accumulation"):
        trainer.train()
    trainer = trainer_of(tmp_path)
    private_of(trainer)
    trainer.model.transformer.wte.weight.requires_grad_(False)
    with pytest.raises(UsageError, match=r"wte\.weight is frozen"):
        trainer.train()


# Collations --------------------------------------------------------------------------------------------------------


def tokenizer():
    tokenizers = pytest.importorskip("tokenizers")
    pad, mask = "[PAD]", "[MASK]"
    words = {pad: 0, mask: 1, **{f"w{i}": i for i in range(2, WORDS)}}
    model = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token=mask))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=model, pad_token=pad, mask_token=mask)


@pytest.mark.slow
def test_padding_to_the_longest_changes_nothing_beyond_the_mask(tmp_path):
    """The batch's longest example decides about everybody's padding; the oracle has none."""
    pads = transformers.DataCollatorWithPadding(tokenizer())
    data = [{"input_ids": e["input_ids"].tolist(), "labels": e["labels"]} for e in LABELLED]
    model = bert().double()
    trainer = trainer_of(tmp_path, model, data, collate=pads)
    private = private_of(trainer)
    trainer.train()
    assert not private.looped
    assert_same(model, by_hand(bert().double(), LABELLED, plan_of(), own_loss))


def unmasked(examples):
    batch = padded(examples)
    return {"input_ids": batch["input_ids"], "labels": batch["labels"]}


def counted(examples):
    return {**padded(examples), "tokens": sum(len(example["input_ids"]) for example in examples)}


def test_padding_that_is_seen_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"changes no example by what is beside it.*attention_mask"):
        private_of(trainer_of(tmp_path, bert(), LABELLED, collate=unmasked))


def test_batches_without_a_row_for_each_example_are_refused(tmp_path):
    packs = transformers.DataCollatorWithFlattening(return_position_ids=True)
    data = [{"input_ids": tokens.tolist()} for tokens in SENTENCES]
    with pytest.raises(UsageError, match="one row for each of 5 examples"):
        private_of(trainer_of(tmp_path, data=data, collate=packs))
    with pytest.raises(ValueError, match="Expected batches of tensors, got int"):
        private_of(trainer_of(tmp_path, data=TEXTS, collate=counted, remove_unused_columns=False))


@pytest.mark.slow
def test_masks_that_are_drawn_at_random(tmp_path):
    collate = transformers.DataCollatorForLanguageModeling(tokenizer(), mlm=True, mlm_probability=0.3)
    config = transformers.BertConfig(
        vocab_size=WORDS,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=16,
    )
    data = [{"input_ids": tokens.tolist()} for tokens in SENTENCES]
    trainer = trainer_of(tmp_path, transformers.BertForMaskedLM(config), data, collate=collate)
    private = private_of(trainer, plan=plan_of(1.0))
    trainer.train()
    assert private.guarantee.mechanisms[0].count == 6
    assert private.ignored_examples >= 0  # a short text may have no masked token, and then no loss


# The library -------------------------------------------------------------------------------------------------------


def test_masks_are_written_out_inside_the_block_only():
    masks = masking_utils.ALL_MASK_ATTENTION_FUNCTIONS
    before = {kind: masks[kind] for kind in masks}
    batch = padded(TEXTS[:4])
    model = gpt2().double().eval()
    with torch.no_grad():
        expected = model(**batch).logits
        with hf.batched_masks(), hf.batched_masks():
            assert masks["sdpa"] is not before["sdpa"]
            torch.testing.assert_close(model(**batch).logits, expected)
    assert {kind: masks[kind] for kind in masks} == before


def test_without_transformers_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"pip install 'reticent\[hf\]'"):
        hf.make_private(object(), target_epsilon=1.0, target_delta=1e-3)


def test_per_example_gradients_are_those_of_a_loop():
    from reticent.training import PerExampleModel

    class Loss(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, ids, mask, labels):
            return self.model(input_ids=ids, attention_mask=mask, labels=labels).loss

    batch = padded(TEXTS[:5])
    inputs = (batch["input_ids"], batch["attention_mask"], batch["labels"])
    model = Loss(gpt2(use_cache=False).double())
    private = PerExampleModel(model)
    with hf.batched_masks():
        private(*inputs).sum().backward()
    expected = oracle.one_by_one(model, inputs, lambda out, i: out)
    for name, found in private.gradients().items():
        torch.testing.assert_close(found, expected[name], rtol=1e-9, atol=1e-12)
