"""Networks with PEFT adapters train privately as they are; what is frozen stays what it was, to the bit."""

from __future__ import annotations

import pytest
import torch
from tests.oracles import gradients as oracle
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import reticent as rt
from reticent.integrations import hf
from reticent.randomness import Randomness
from reticent.training import PerExampleModel
from reticent.training.seeding import seeded

transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")
pytestmark = [
    pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers` to `True`:UserWarning"),
    pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`:UserWarning"),
]

WORDS, LENGTH, N = 30, 6, 20
DRAW = torch.Generator().manual_seed(4)
IDS = torch.randint(2, WORDS, (N, LENGTH), generator=DRAW)
MASK = (torch.arange(LENGTH) < torch.randint(3, LENGTH + 1, (N, 1), generator=DRAW)).long()
LABELS = IDS.masked_fill(MASK == 0, -100)
DATA = TensorDataset(IDS, MASK, LABELS)


def gpt2(**options):
    names = ("attn_pdrop", "embd_pdrop", "resid_pdrop")
    config = transformers.GPT2Config(
        vocab_size=WORDS,
        n_embd=8,
        n_layer=2,
        n_head=2,
        n_positions=16,
        bos_token_id=1,
        eos_token_id=1,
        use_cache=False,
        **dict.fromkeys(names, 0.0),
        **options,
    )
    return transformers.GPT2LMHeadModel(config)


def llama(**options):
    config = transformers.LlamaConfig(
        vocab_size=WORDS,
        hidden_size=8,
        intermediate_size=12,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=16,
        use_cache=False,
        **options,
    )
    return transformers.LlamaForCausalLM(config)


def lora(**options):
    return peft.LoraConfig(task_type="CAUSAL_LM", r=3, lora_alpha=6, **options)


def adalora():
    return peft.AdaLoraConfig(
        task_type="CAUSAL_LM", init_r=3, target_r=1, total_step=6, tinit=1, tfinal=2, target_modules=["q_proj"]
    )


CASES = {
    "LoRA on GPT-2": lambda: (gpt2(), lora(fan_in_fan_out=True)),
    "LoRA on all of Llama": lambda: (llama(), lora(target_modules="all-linear")),
    "LoRA, rank-stabilised, biases": lambda: (gpt2(), lora(use_rslora=True, bias="all", fan_in_fan_out=True)),
    "LoRA on embeddings": lambda: (llama(), lora(target_modules=["embed_tokens", "q_proj"])),
    "LoRA and the whole head": lambda: (llama(), lora(modules_to_save=["lm_head"])),
    "LoRA and the whole table, tied": lambda: (
        llama(tie_word_embeddings=True),
        lora(modules_to_save=["embed_tokens"]),
    ),
    "LoRA and new tokens": lambda: (gpt2(), lora(trainable_token_indices=[2, 3], fan_in_fan_out=True)),
    "DoRA": lambda: (llama(), lora(use_dora=True)),
    "IA3": lambda: (
        llama(),
        peft.IA3Config(
            task_type="CAUSAL_LM", target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]
        ),
    ),
    "prompt tuning": lambda: (gpt2(), peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)),
    "prefix tuning": lambda: (llama(), peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)),
    "VeRA": lambda: (llama(), peft.VeraConfig(task_type="CAUSAL_LM", r=3, target_modules=["q_proj"])),
    "AdaLoRA": lambda: (llama(), adalora()),
    "LoKr, in a loop": lambda: (llama(), peft.LoKrConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"])),
    "LoHa, in a loop": lambda: (llama(), peft.LoHaConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"])),
    "OFT, in a loop": lambda: (
        llama(),
        peft.OFTConfig(task_type="CAUSAL_LM", oft_block_size=4, target_modules=["q_proj"]),
    ),
}


class Loss(nn.Module):
    """One number for each example, computed from a batch that holds only that one."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, mask, labels):
        return self.model(input_ids=ids, attention_mask=mask, labels=labels).loss


def adapted(name, *, moved=True):
    with seeded(Randomness.simulated(7)):
        base, config = CASES[name]()
        model = peft.get_peft_model(base, config)
        if moved:  # adapters start where half of their gradients vanish
            with torch.no_grad():
                for parameter in model.parameters():
                    if parameter.requires_grad:
                        parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("name", CASES)
def test_per_example_gradients_are_those_of_a_loop(name):
    model = Loss(adapted(name).double())
    inputs = (IDS[:4], MASK[:4], LABELS[:4])
    private = PerExampleModel(model)
    with hf.batched_masks():
        private(*inputs).sum().backward()
    assert private.looped == name.endswith("in a loop")
    found = private.gradients()
    expected = oracle.one_by_one(model, inputs, lambda out, i: out)
    assert set(found) == {name for name, p in model.named_parameters() if p.requires_grad}
    assert sum(bool(gradient.any()) for gradient in expected.values()) > len(expected) / 2
    for own, gradient in expected.items():
        torch.testing.assert_close(found[own], gradient, rtol=1e-9, atol=1e-13, msg=own)


def test_dropout_of_an_adapter_differs_between_examples():
    """The same example eight times: other masks, other gradients; and all from the one loss."""
    with seeded(Randomness.simulated(3)):
        model = Loss(peft.get_peft_model(gpt2(), lora(lora_dropout=0.5, fan_in_fan_out=True)).double())
        private = PerExampleModel(model)
        with hf.batched_masks():
            private(*(value[:1].expand(8, -1) for value in (IDS, MASK, LABELS))).sum().backward()
    assert not private.looped
    found = private.gradients()["model.base_model.model.transformer.h.0.attn.c_attn.lora_B.default.weight"]
    assert len({tuple(row.flatten().tolist()) for row in found}) == 8


def trained(model, steps=6):
    """A loop of one's own over `rt.make_private`."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01)
    plan = rt.Plan(0.7, N, 5, steps, delta=1e-3)
    private = rt.make_private(
        Loss(model), optimizer, DataLoader(DATA, batch_size=5, shuffle=True), plan=plan, loss_reduction="sum"
    )
    while private.loader.drawn < steps:
        for batch in private.loader:
            optimizer.zero_grad()
            with hf.batched_masks():
                private.model(*batch).sum().backward()
            optimizer.step()
    return private


@pytest.mark.parametrize("name", ["LoRA on GPT-2", "LoRA and the whole head", "DoRA", "IA3", "LoRA on embeddings"])
def test_frozen_weights_stay_and_adapters_move(name, tmp_path):
    """Training once wrote into weights that a LoRA run had frozen (Opacus issue 820)."""
    model = adapted(name, moved=False)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    trainable = {key for key, parameter in model.named_parameters() if parameter.requires_grad}
    private = trained(model)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]) == (key not in trainable), key
    assert private.guarantee.mechanisms[0].count == 6

    model.save_pretrained(tmp_path)
    with seeded(Randomness.simulated(7)):
        base = CASES[name]()[0]
    model.eval()
    loaded = peft.PeftModel.from_pretrained(base, tmp_path).eval()
    with torch.no_grad():
        torch.testing.assert_close(loaded(input_ids=IDS).logits, model(input_ids=IDS).logits, rtol=0, atol=0)


@pytest.mark.slow
def test_adalora_shares_out_its_ranks_by_noisy_gradients(tmp_path):
    """Its own callback looks at gradients after the step: at what has its noise already."""
    seen = []

    class Allocates(transformers.TrainerCallback):
        def on_optimizer_step(self, args, state, control, model=None, **named):
            found = {name: p.grad for name, p in model.named_parameters() if "lora_" in name}
            seen.append(min(float(gradient.abs().min()) for gradient in found.values()))
            model.base_model.update_and_allocate(state.global_step)

    model = adapted("AdaLoRA")
    args = transformers.TrainingArguments(
        str(tmp_path), max_steps=6, per_device_train_batch_size=5, learning_rate=0.01, use_cpu=True, report_to="none",
        disable_tqdm=True, logging_strategy="no", save_strategy="no",
    )  # fmt: skip
    data = [{"input_ids": i, "attention_mask": m, "labels": y} for i, m, y in DATA]
    trainer = transformers.Trainer(model, args, train_dataset=data)
    private = hf.make_private(trainer, target_epsilon=4.0, target_delta=1e-3)
    trainer.add_callback(Allocates())
    trainer.train()
    assert not private.looped
    assert len(seen) == 6
    assert min(seen) > 0  # every coordinate has noise
    ranks = [int((p != 0).sum()) for name, p in model.named_parameters() if "lora_E" in name]
    assert sum(ranks) < 3 * len(ranks)


@pytest.mark.slow
def test_an_adapter_in_a_trainer(tmp_path):
    model = adapted("LoRA on all of Llama", moved=False)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    args = transformers.TrainingArguments(
        str(tmp_path), max_steps=5, per_device_train_batch_size=5, learning_rate=0.01, use_cpu=True, report_to="none",
        disable_tqdm=True, logging_strategy="no", save_strategy="steps", save_steps=3, activation_checkpointing=True,
    )  # fmt: skip
    data = [{"input_ids": i, "attention_mask": m, "labels": y} for i, m, y in DATA]
    trainer = transformers.Trainer(model, args, train_dataset=data)
    private = hf.make_private(trainer, target_epsilon=4.0, target_delta=1e-3)
    trainer.train()
    assert not private.looped
    moved = [key for key, value in model.state_dict().items() if not torch.equal(value, before[key])]
    assert moved
    assert all("lora_" in key for key in moved)
    assert private.guarantee.epsilon(1e-3) <= 4.0
    assert (tmp_path / "checkpoint-3" / "adapter_model.safetensors").exists()
