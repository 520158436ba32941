"""Text classifiers: random ones, made from a configuration; nothing is downloaded."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reticent.errors import DataError, ModelError
from reticent.models import Target, TextClassifier, tokenized

transformers = pytest.importorskip("transformers")

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"w{i}" for i in range(30))]
DRAW = np.random.default_rng(8)
TEXTS = [" ".join(f"w{i}" for i in DRAW.integers(0, 30, DRAW.integers(1, 12))) for _ in range(40)]


def tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token=WORDS[1]))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = {f"{name.lower()}_token": f"[{name}]" for name in ("PAD", "UNK", "CLS", "SEP")}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, **special)


def network(kind="Bert"):
    torch.manual_seed(3)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        num_labels=3,
        initializer_range=0.5,
    )
    return getattr(transformers, f"{kind}ForSequenceClassification")(config)


def one_by_one(model, words):
    """Each text alone and without padding: nothing to mask."""
    model.eval()
    with torch.no_grad():
        rows = [model(**words(text, return_tensors="pt", truncation=True, max_length=16)).logits[0] for text in TEXTS]
    logits = torch.stack(rows).double()
    return (logits - logits.logsumexp(1, keepdim=True)).numpy()


def test_padding_changes_no_answer():
    model, words = network(), tokenizer()
    expected = one_by_one(model, words)
    assert np.ptp(expected[:, 0]) > 0.1
    model.train()
    classifier = TextClassifier(model, words, batch=7)
    records = classifier.records(TEXTS, np.arange(40) % 3)
    assert (records.features.shape, records.name) == ((40, 2, 16), "texts")
    for asked in (classifier, (model, words), model):
        found = Target(asked, classes=3).log_probabilities(records.features)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert model.training
    ids_alone = Target(classifier, classes=3).log_probabilities(records.features[:, 0])
    np.testing.assert_allclose(ids_alone, expected, atol=1e-5)
    wrong = records.features.copy()
    wrong[:, 1] = 1  # a mask that is not there is noticed
    assert np.abs(Target(classifier, classes=3).log_probabilities(wrong) - expected).max() > 1e-3


def test_what_is_cut_is_said():
    words = tokenizer()
    tokens = tokenized(TEXTS, words, 6)
    lengths = [len(text.split()) + 2 for text in TEXTS]
    assert tokens.cut == sum(length > 6 for length in lengths) > 0
    assert tokens.features.shape == (40, 2, 6)
    assert tokens.features[:, 1].sum(axis=1).tolist() == [min(length, 6) for length in lengths]
    records = TextClassifier(network(), words, max_length=6).records(TEXTS, np.arange(40) % 2, name="letters")
    assert records.name == f"letters ({tokens.cut} of 40 cut to 6 tokens)"


def test_pairs_of_texts():
    pairs = list(zip(TEXTS[::2], TEXTS[1::2], strict=True))
    tokens = tokenized(pairs, tokenizer(), 16)
    assert tokens.features.shape[0] == 20
    assert tokens.features.shape[2] == 16
    assert tokens.cut == sum(len(a.split()) + len(b.split()) + 3 > 16 for a, b in pairs)


@pytest.mark.parametrize("texts", [[], [1, 2], ["a", 3], "abc", [("a", "b", "c")]])
def test_what_is_no_text(texts):
    with pytest.raises(DataError, match="Expected texts"):
        tokenized(texts, tokenizer(), 4)


def test_what_is_refused():
    words = tokenizer()
    with pytest.raises(ModelError, match="Expected a tokenizer"):
        TextClassifier(network()).records(TEXTS, np.zeros(40))
    with pytest.raises(ModelError, match="classifier of transformers"):
        TextClassifier(torch.nn.Linear(2, 2), words)
    with pytest.raises(ModelError, match="token ids"):
        Target(network(), classes=3).log_probabilities(np.zeros((4, 5)))
    words.pad_token = None
    with pytest.raises(ModelError, match="without a padding token"):
        tokenized(TEXTS, words, 8)
