"""A Hugging Face text classifier, and texts as records.

Promise: every text is padded with a mask, so its answer does not depend on the texts beside it (up to rounding); how
many texts were cut short is counted and stands in the records' name, hence in every report. Nothing is downloaded here:
model and tokenizer are objects that were loaded before.

How: `tokenized` turns texts into whole numbers (n, 2, length): token ids, then the attention mask (then, for pairs of
texts, token types). These are ordinary `Records` features. A batch is cut to its longest text before it is asked.

Example:
    >>> import torch
    >>> from transformers import BertConfig, BertForSequenceClassification
    >>> from reticent.models import Target, TextClassifier
    >>> config = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
    ...                     intermediate_size=16, max_position_embeddings=16)
    >>> classifier = TextClassifier(BertForSequenceClassification(config))
    >>> ids, mask = torch.tensor([[2, 5, 7, 0]]), torch.tensor([[1, 1, 1, 0]])
    >>> Target(classifier, classes=2).log_probabilities(torch.stack([ids, mask], 1).numpy()).shape
    (1, 2)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data import Records
from reticent.errors import DataError, ModelError
from reticent.models.asking import evaluated

__all__ = ["TextClassifier", "Tokens", "tokenized"]

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class Tokens(NamedTuple):
    """Texts as numbers.

    Attributes:
        features: (n, 2 or 3, length) int64: token ids, attention mask, and token types if the tokenizer has them.
        cut: how many texts were longer, and were cut short.
    """

    features: npt.NDArray[np.int64]
    cut: int


def tokenized(texts: Sequence[Any], tokenizer: Any, max_length: int) -> Tokens:
    """Texts, or pairs of texts, as token ids with their masks, padded to one length.

    Args:
        texts: strings, or pairs of strings.
        tokenizer: a Hugging Face tokenizer.
        max_length: tokens of a text, those that the tokenizer adds included; longer texts are cut.

    Raises:
        DataError: not texts, or none.
        ModelError: a tokenizer that cannot pad.
    """
    _checks.at_least(1, max_length=max_length)
    texts = [] if isinstance(texts, str) else list(texts)
    pairs = bool(texts) and all(isinstance(text, tuple) and len(text) == 2 for text in texts)
    if not texts or not (pairs or all(isinstance(text, str) for text in texts)):
        raise DataError("Expected texts, or pairs of texts, got something else.", "Pass a list of strings.")
    if tokenizer.pad_token_id is None:
        raise ModelError(
            "Expected a tokenizer that can pad, got one without a padding token.",
            "Set it: tokenizer.pad_token = tokenizer.eos_token, and model.config.pad_token_id alike.",
        )
    columns = (list(part) for part in zip(*texts, strict=True)) if pairs else (texts,)
    said = tokenizer(
        *columns,
        truncation=True,
        max_length=max_length,
        padding="max_length",
        return_attention_mask=True,
    )
    whole = tokenizer(*((list(part) for part in zip(*texts, strict=True)) if pairs else (texts,)), verbose=False)
    names = [name for name in _INPUTS if name in said]
    features = np.stack([np.asarray(said[name], dtype=np.int64) for name in names], axis=1)
    return Tokens(features, sum(len(ids) > max_length for ids in whole["input_ids"]))


class TextClassifier:
    """A model of transformers that classifies texts.

    Args:
        model: such as `AutoModelForSequenceClassification` gives.
        tokenizer: its tokenizer; needed to make records of texts, not to ask about them.
        max_length: tokens of a text; by default what model and tokenizer allow, 512 at most.
        batch: records asked at once.

    Raises:
        ModelError: not such a model.
    """

    answers: str | None = "logits"

    def __init__(self, model: Any, tokenizer: Any = None, *, max_length: int | None = None, batch: int = 64) -> None:
        if not hasattr(model, "named_parameters") or not hasattr(model, "config"):
            raise ModelError(
                f"Expected a classifier of transformers, got {type(model).__name__}.",
                "Pass the model itself, loaded for sequence classification.",
            )
        self.model, self.tokenizer = model, tokenizer
        limits = (getattr(model.config, "max_position_embeddings", None), getattr(tokenizer, "model_max_length", None))
        known = [int(limit) for limit in limits if limit is not None]
        self.max_length = min([512, *known]) if max_length is None else _checks.at_least(1, max_length=max_length)
        self.rows: int | None = _checks.at_least(1, batch=batch)

    def records(self, texts: Sequence[Any], labels: Any, *, name: str = "texts", **more: Any) -> Records:
        """Texts as records; the name says how many were cut.

        Args:
            texts: strings, or pairs of strings.
            labels: (n,) classes.
            name: what to call them.
            more: for `Records`.
        """
        if self.tokenizer is None:
            raise ModelError(
                "Expected a tokenizer to read texts with, got none.", "Pass TextClassifier(model, tokenizer)."
            )
        tokens = tokenized(texts, self.tokenizer, self.max_length)
        if tokens.cut:
            name = f"{name} ({tokens.cut} of {len(tokens.features)} cut to {self.max_length} tokens)"
        return Records(tokens.features, labels, name=name, **more)

    def inputs(self, features: npt.NDArray[Any]) -> dict[str, Any]:
        """The network's arguments for records: token ids and masks as tensors, cut to the longest text.

        Raises:
            ModelError: features that are not what `tokenized` gives.
        """
        import torch

        if features.ndim not in (2, 3) or features.dtype.kind not in "iu" or not features.shape[-1]:
            raise ModelError(
                f"Expected token ids (n, 2, length), got {features.dtype} of shape {features.shape}.",
                "Make records of texts with TextClassifier(model, tokenizer).records(texts, labels).",
            )
        if features.ndim == 2:  # ids alone
            padding = getattr(self.model.config, "pad_token_id", None)
            mask = np.ones_like(features) if padding is None else (features != padding).astype(features.dtype)
            features = np.stack([features, mask], axis=1)
        seen = (features[:, 1] != 0).any(axis=0) if features.shape[1] > 1 else np.ones(features.shape[2], dtype=bool)
        length = int(np.flatnonzero(seen).max(initial=0)) + 1  # what is cut is padding for all of them
        device = next(self.model.parameters()).device
        columns = torch.from_numpy(np.ascontiguousarray(features[:, :, :length].swapaxes(0, 1))).to(device)
        return dict(zip(_INPUTS, columns, strict=False))

    def ask(self, features: npt.NDArray[Any]) -> Any:
        """(n, classes) logits."""
        import torch

        with evaluated(self.model), torch.no_grad():
            return self.model(**self.inputs(features)).logits
