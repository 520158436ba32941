"""A language model is fitted to private texts with a Hugging Face Trainer and a LoRA adapter, under a promise.

Everything is made here: a tiny model, which first learns a "language" from public texts, and private texts in a dialect
of it. Only the adapter is trained on those; the model's own weights stay as they were.

Run: python examples/private_fine_tuning.py

    >>> before, after, private = main(steps=20)
    {'train_runtime': ...
    >>> after < before
    True
    >>> private.guarantee.epsilon(1e-4) <= 8.0
    True
"""

from __future__ import annotations

import tempfile

import peft
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

from reticent.integrations import hf

WORDS, LENGTH = 32, 16


def texts(count: int, step: int) -> list[dict[str, torch.Tensor]]:
    """Every word is the last one plus `step`, nine times in ten."""
    words = [torch.randint(0, WORDS, (count,))]
    for _ in range(LENGTH - 1):
        slip = torch.where(torch.rand(count) < 0.1, torch.randint(0, WORDS, (count,)), step)
        words.append((words[-1] + slip) % WORDS)
    return [{"input_ids": row, "labels": row} for row in torch.stack(words, dim=1)]


def loss_on(model: torch.nn.Module, data: list[dict[str, torch.Tensor]]) -> float:
    """Average over all tokens of texts that were not trained on."""
    model.eval()
    rows = torch.stack([example["input_ids"] for example in data])
    with torch.no_grad():
        return float(model(input_ids=rows, labels=rows).loss)


def arguments(folder: str, steps: int, rate: float) -> TrainingArguments:
    """What both trainings share."""
    return TrainingArguments(
        folder,
        max_steps=steps,
        learning_rate=rate,
        per_device_train_batch_size=64,  # held at once
        gradient_accumulation_steps=4,  # 256 texts in a batch, in expectation
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        save_strategy="no",
    )


def main(steps: int = 60) -> tuple[float, float, hf.PrivateTraining]:
    """Loss on unseen texts of the dialect before and after, and what is promised to the private ones."""
    config = LlamaConfig(
        vocab_size=WORDS,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=LENGTH,
        bos_token_id=1,
        eos_token_id=2,
    )
    base, public = LlamaForCausalLM(config), texts(512, step=1)
    optimizer = torch.optim.Adam(base.parameters(), lr=0.01)
    rows = torch.stack([example["input_ids"] for example in public])
    for _ in range(60):
        optimizer.zero_grad()
        base(input_ids=rows, labels=rows).loss.backward()
        optimizer.step()

    private_texts, unseen = texts(4096, step=3), texts(512, step=3)
    lora = peft.LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=32, target_modules="all-linear")
    model = peft.get_peft_model(base, lora)
    before = loss_on(model, unseen)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(model, arguments(folder, steps, rate=0.01), train_dataset=private_texts)
        private = hf.make_private(trainer, target_epsilon=8.0, target_delta=1e-4)
        trainer.train()
    return before, loss_on(model, unseen), private


if __name__ == "__main__":
    before, after, private = main()
    print(f"loss on unseen texts: {before:.2f} before, {after:.2f} after\n")
    print(private.guarantee.text(1e-4))
